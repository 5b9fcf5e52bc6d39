"""What was used of each budget: counted from the record's rows and from nothing else, so a restart counts the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from wirken.domain import limits
from wirken.domain.events import BudgetAlert, Fact, LlmResponse, ToolPermitted, TurnEnded, TurnStarted, UserMessageFact
from wirken.domain.ids import BadIdentifier, parse_session
from wirken.ipc.calls.policy import BudgetRow
from wirken.permissions.budget import Budgets, State, Subject, Use, states, subjects, window
from wirken.permissions.prices import counts_as_unreported
from wirken.record.canonical import Row

Shape = TypeVar("Shape", BudgetAlert, BudgetRow)


class Ledger:
    """Feed it every row in order of commitment."""

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets
        self._said: dict[str, dict[int, str]] = {}
        """Who wrote each message whose turn has not started, by session and row."""
        self._turns: dict[str, str] = {}
        """For whom each session's open turn runs."""
        self._used: dict[Subject, tuple[int, Use]] = {}
        """Start of the window, and what was used in it."""
        self._alerted: set[tuple[Subject, str, int]] = set()

    @property
    def counts(self) -> bool:
        """Is there any budget?"""
        return bool(self._budgets)

    def follow(self, row: Row) -> tuple[BudgetAlert, ...]:
        """Take one row; return the alerts that are due because of it and that no row says yet."""
        match row.fact:
            case UserMessageFact(principal=principal):
                self._said.setdefault(row.session, {})[row.seq] = principal
            case TurnStarted(message_seq=message_seq):
                self._turns[row.session] = self._said.get(row.session, {}).pop(message_seq, "")
            case TurnEnded():
                self._turns.pop(row.session, None)
                if not self._said.get(row.session):
                    self._said.pop(row.session, None)
            case BudgetAlert():
                self._alerted.add(_noted(row.fact))
            case LlmResponse() | ToolPermitted():
                return self._count(row, _use(row.fact))
            case _:
                pass
        return ()

    def states(self, agent: str, principal: str, now: int) -> tuple[State, ...]:
        """Return how every budget stands that concerns this agent and person, at `now` (ms)."""
        concerned = subjects(self._budgets, agent, principal)
        return tuple(state for subject in concerned for state in self._states(subject, now))

    def everything(self, now: int) -> tuple[State, ...]:
        """Return how every budget stands for everyone who used something in its window."""
        used = {subject for subject, (start, _) in self._used.items() if start == self._window(subject, now)[0]}
        untouched = {
            Subject(name, budget.agent, budget.principal)
            for name, budget in self._budgets.items()
            if all(subject.budget != name for subject in used)
        }
        return tuple(state for subject in sorted(used | untouched) for state in self._states(subject, now))

    def _count(self, row: Row, use: Use) -> tuple[BudgetAlert, ...]:
        try:
            agent, _, _ = parse_session(row.session)
        except BadIdentifier:
            return ()
        due: list[State] = []
        for subject in subjects(self._budgets, agent, self._turns.get(row.session, "")):
            start, _ = self._window(subject, row.ts)
            before, sum_before = self._used.get(subject, (start, Use()))
            start = max(start, before)  # a clock that was set back neither empties a count nor makes calls free
            so_far = sum_before if before == start else Use()
            self._used[subject] = start, so_far.and_also(use)
            due += [state for state in self._states(subject, row.ts) if state.alarming]
        return self._new(due)

    def _new(self, due: Iterable[State]) -> tuple[BudgetAlert, ...]:
        alerts = [told(state, BudgetAlert) for state in due]
        new = tuple(alert for alert in alerts if _noted(alert) not in self._alerted)
        self._alerted.update(map(_noted, new))
        return new

    def _states(self, subject: Subject, now: int) -> tuple[State, ...]:
        start, use = self._used.get(subject, (0, Use()))
        in_window = start >= self._window(subject, now)[0]
        return states(subject, self._budgets[subject.budget], use if in_window else Use(), now)

    def _window(self, subject: Subject, now: int) -> tuple[int, int]:
        return window(self._budgets[subject.budget].per, now)


def _use(fact: Fact) -> Use:
    """Return what a row stands for. An answer without numbers is not free, unless there was no answer."""
    match fact:
        case LlmResponse():
            reported = max(fact.input_tokens, 0) + max(fact.output_tokens, 0)
            unreported = counts_as_unreported(reported, fact.stop_reason, failed=bool(fact.error))
            tokens = limits.UNREPORTED_TOKENS if unreported else reported
            return Use(tokens=tokens, model_calls=1, money=max(fact.cost, 0))
        case ToolPermitted():
            return Use(tool_calls=1)
        case _:
            return Use()


def told(state: State, shape: type[Shape]) -> Shape:
    """Return how one number of a budget stands, as a row of the record or of an answer."""
    return shape(
        budget=state.subject.budget,
        agent=state.subject.agent,
        principal=state.subject.principal,
        unit=state.unit,
        used=state.used,
        limit=state.limit,
        per=state.per,
        mode=state.mode,
        until=state.until,
    )


def _noted(alert: BudgetAlert) -> tuple[Subject, str, int]:
    return Subject(alert.budget, alert.agent, alert.principal), alert.unit, alert.until
