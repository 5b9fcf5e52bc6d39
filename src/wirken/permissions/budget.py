"""How much was used of a budget in the current hour, day or week, and what follows from it. Computes only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeAlias

from wirken.config.model import BudgetConfig
from wirken.domain import limits
from wirken.domain.money import micros, used_up

_HOUR: Final = 3_600_000
_LENGTHS: Final[Mapping[str, int]] = {"hour": _HOUR, "day": 24 * _HOUR, "week": 7 * 24 * _HOUR}
_MONDAY: Final = 4 * 24 * _HOUR
"""ms from the epoch, a Thursday, to the first Monday."""


class Use(NamedTuple):
    """What was used."""

    tokens: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    money: int = 0
    """Millionths of the prices' currency."""

    def and_also(self, more: Use) -> Use:
        return Use(*(mine + its for mine, its in zip(self, more, strict=True)))


class Subject(NamedTuple):
    """Whose use is counted together under one budget; empty parts are not told apart."""

    budget: str
    agent: str
    principal: str


class State(NamedTuple):
    """How one number of one budget stands. `until`: ms since the epoch, when the count begins anew."""

    subject: Subject
    unit: str
    used: int
    limit: int
    per: str
    mode: str
    until: int

    @property
    def alarming(self) -> bool:
        return self.used * 100 >= self.limit * limits.BUDGET_ALERT

    @property
    def spent(self) -> bool:
        return self.used >= self.limit

    @property
    def said(self) -> str:
        """One sentence for people and the model."""
        free = datetime.fromtimestamp(self.until / 1000, UTC).strftime("%Y-%m-%d %H:%M")
        return (
            f"Budget '{self.subject.budget}': {used_up(self.unit, self.used, self.limit)} are used in this {self.per}; "
            f"it frees up at {free} UTC."
        )


Budgets: TypeAlias = Mapping[str, BudgetConfig]


def window(per: str, now: int) -> tuple[int, int]:
    """Return start and end, in ms since the epoch, of the hour, day or week (UTC) in which `now` (ms) lies."""
    length = _LENGTHS[per]
    offset = _MONDAY if per == "week" else 0
    start = now - (now - offset) % length
    return start, start + length


def subjects(budgets: Budgets, agent: str, principal: str) -> tuple[Subject, ...]:
    """Return what a use by this agent for this person counts towards. An unknown person is ''."""
    return tuple(
        Subject(name, agent if budget.agent else "", principal if budget.principal else "")
        for name, budget in budgets.items()
        if budget.mode != "off" and budget.agent in ("", "*", agent) and budget.principal in ("", "*", principal)
    )


def states(subject: Subject, budget: BudgetConfig, use: Use, now: int) -> tuple[State, ...]:
    """Return how each number that the budget limits stands, given the `use` in the window of `now`."""
    _, until = window(budget.per, now)
    numbers = (
        ("tokens", use.tokens, budget.tokens),
        ("model_calls", use.model_calls, budget.model_calls),
        ("tool_calls", use.tool_calls, budget.tool_calls),
        ("money", use.money, micros(budget.money)),
    )
    return tuple(
        State(subject, unit, used, limit, budget.per, budget.mode, until) for unit, used, limit in numbers if limit
    )


def blocking(found: Iterable[State], units: tuple[str, ...]) -> State | None:
    """Return the first spent number among `units` whose budget blocks."""
    return next((state for state in found if state.mode == "block" and state.unit in units and state.spent), None)
