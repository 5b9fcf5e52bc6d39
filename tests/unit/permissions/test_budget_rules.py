from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.config.model import BudgetConfig
from wirken.permissions.budget import Subject, Use, blocking, states, subjects, window

MOMENT = int(datetime(2026, 11, 18, 13, 45, 10, tzinfo=UTC).timestamp() * 1000)  # a Wednesday
ALICE = Subject("b", "default", "alice")


def at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%a %Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("per", "start", "end"),
    [
        ("hour", "Wed 2026-11-18 13:00:00", "Wed 2026-11-18 14:00:00"),
        ("day", "Wed 2026-11-18 00:00:00", "Thu 2026-11-19 00:00:00"),
        ("week", "Mon 2026-11-16 00:00:00", "Mon 2026-11-23 00:00:00"),
    ],
)
def test_windows_are_hours_days_and_weeks_of_utc(per: str, start: str, end: str) -> None:
    assert tuple(map(at, window(per, MOMENT))) == (start, end)


@given(st.sampled_from(["hour", "day", "week"]), st.integers(0, 2**42))
def test_every_moment_lies_in_its_window_and_windows_touch(per: str, now: int) -> None:
    start, end = window(per, now)
    assert start <= now < end
    assert window(per, end)[0] == end and window(per, start) == (start, end)


@pytest.mark.parametrize(
    ("agent", "principal", "counted"),
    [
        ("", "", ("", "")),
        ("*", "", ("default", "")),
        ("", "*", ("", "alice")),
        ("default", "alice", ("default", "alice")),
        ("other", "", None),
        ("*", "bob", None),
    ],
)
def test_a_budget_counts_together_apart_or_one_only(
    agent: str, principal: str, counted: tuple[str, str] | None
) -> None:
    budgets = {"b": BudgetConfig(agent=agent, principal=principal, tokens=1)}
    expected = () if counted is None else (Subject("b", *counted),)
    assert subjects(budgets, "default", "alice") == expected


def test_a_budget_that_is_off_counts_nothing() -> None:
    assert subjects({"b": BudgetConfig(mode="off", tokens=1)}, "default", "alice") == ()


def test_only_what_is_limited_is_judged_and_only_a_blocking_budget_blocks() -> None:
    budget = BudgetConfig(tokens=100, tool_calls=2)
    found = states(ALICE, budget, Use(tokens=80, model_calls=999, tool_calls=2), MOMENT)
    assert [(state.unit, state.alarming, state.spent) for state in found] == [
        ("tokens", True, False),
        ("tool_calls", True, True),
    ]
    assert blocking(found, ("tokens", "model_calls")) is None
    spent = blocking(found, ("tool_calls",))
    assert spent is not None and "2 of 2 tool calls are used in this day" in spent.said
    warned = states(ALICE, BudgetConfig(mode="alert", tool_calls=2), Use(tool_calls=5), MOMENT)
    assert blocking(warned, ("tool_calls",)) is None and warned[0].alarming


@pytest.mark.parametrize(("used", "alarming"), [(79, False), (80, True), (100, True), (1000, True)])
def test_the_alert_comes_at_eighty_percent(used: int, alarming: bool) -> None:
    [state] = states(ALICE, BudgetConfig(tokens=100), Use(tokens=used), MOMENT)
    assert state.alarming is alarming


@pytest.mark.parametrize(
    ("used", "alarming", "spent"),
    [(3_999_999, False, False), (4_000_000, True, False), (4_999_999, True, False), (5_000_000, True, True)],
)
def test_money_alarms_at_eighty_percent_and_is_spent_at_the_last_millionth(
    used: int, alarming: bool, spent: bool
) -> None:
    [state] = states(ALICE, BudgetConfig(money="5.00"), Use(money=used), MOMENT)
    assert (state.unit, state.limit, state.alarming, state.spent) == ("money", 5_000_000, alarming, spent)
    assert (blocking([state], ("tokens", "money")) is not None) is spent
    assert "of 5.00 in money are used in this day" in state.said
