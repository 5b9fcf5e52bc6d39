from __future__ import annotations

from wirken.config.model import BudgetConfig
from wirken.domain import limits
from wirken.domain.events import (
    BudgetAlert,
    Fact,
    LlmResponse,
    ToolPermitted,
    Trust,
    TurnEnded,
    TurnStarted,
    UserMessageFact,
)
from wirken.domain.ids import SessionId
from wirken.gateway.budget import Ledger
from wirken.permissions.prices import UNFINISHED
from wirken.record.canonical import Row

HOUR = 3_600_000
NOW = 500_000 * HOUR


def answer(tokens: int, error: str = "", cost: int = -1, stop_reason: str = "stop") -> LlmResponse:
    asked = -1 if tokens < 0 else tokens - 1
    return LlmResponse(
        round=1,
        stop_reason=stop_reason,
        input_tokens=asked,
        output_tokens=min(tokens, 1),
        latency_ms=1,
        error=error,
        cost=cost,
    )


def permit() -> ToolPermitted:
    return ToolPermitted(
        call_id="c",
        tool="exec",
        call="{}",
        call_sha256="",
        action_keys=("shell:ls",),
        tier="tier2",
        rule="grant",
        by="",
    )


class Written:
    """Rows as the log would write them, fed to a ledger; all of them again to a new one."""

    def __init__(self, **budgets: BudgetConfig) -> None:
        self.budgets = budgets
        self.ledger = Ledger(budgets)
        self.rows: list[Row] = []
        self.ts = NOW

    def row(self, fact: Fact, agent: str = "default") -> tuple[BudgetAlert, ...]:
        session = SessionId(f"{agent}/terminal/c")
        row = Row(session, sum(one.session == session for one in self.rows), self.ts, Trust.GATEWAY, fact)
        self.rows.append(row)
        return self.ledger.follow(row)

    def turn(self, principal: str, *facts: Fact, agent: str = "default") -> list[BudgetAlert]:
        seq = sum(row.session == f"{agent}/terminal/c" for row in self.rows)
        said = UserMessageFact(text="x", principal=principal, sender="", sender_name="", platform_id=f"m{seq}")
        alerts = []
        for fact in (said, TurnStarted(message_seq=seq), *facts, TurnEnded(outcome="finished", reason="", rounds=1)):
            for alert in self.row(fact, agent):
                alerts.append(alert)
                self.row(alert, agent)
        return alerts

    def used(self, agent: str = "default", principal: str = "alice") -> list[tuple[str, int]]:
        found = [(state.unit, state.used) for state in self.ledger.states(agent, principal, self.ts)]
        again = Ledger(self.budgets)
        recorded = [row.fact for row in self.rows if isinstance(row.fact, BudgetAlert)]
        assert [alert for row in self.rows for alert in again.follow(row)] == recorded
        assert [(state.unit, state.used) for state in again.states(agent, principal, self.ts)] == found
        return found


def test_tokens_answers_and_permits_are_counted_and_a_restart_counts_the_same() -> None:
    at = Written(b=BudgetConfig(tokens=1000, model_calls=1000, tool_calls=1000))
    at.turn("alice", answer(10), permit(), permit(), answer(20))
    assert at.used() == [("tokens", 30), ("model_calls", 2), ("tool_calls", 2)]


def test_people_and_agents_are_told_apart_where_the_budget_does() -> None:
    at = Written(
        together=BudgetConfig(tokens=1000),
        people=BudgetConfig(principal="*", tokens=1000),
        agents=BudgetConfig(agent="*", tokens=1000),
        one=BudgetConfig(principal="alice", agent="default", tokens=1000),
    )
    at.turn("alice", answer(10))
    at.turn("bob", answer(100))
    at.turn("alice", answer(500), agent="other")
    assert [used for _, used in at.used("default", "alice")] == [610, 510, 110, 10]
    assert [used for _, used in at.used("default", "bob")] == [610, 100, 110]


def test_the_alert_comes_once_in_a_window_and_again_in_the_next() -> None:
    at = Written(b=BudgetConfig(per="hour", tokens=100))
    assert at.turn("alice", answer(79)) == []
    [alert] = at.turn("alice", answer(1))
    assert (alert.budget, alert.unit, alert.used, alert.limit) == ("b", "tokens", 80, 100)
    assert alert.until == NOW + HOUR
    assert at.turn("alice", answer(500)) == []
    at.ts += HOUR
    assert at.used() == [("tokens", 0)]
    assert len(at.turn("alice", answer(90))) == 1


def test_a_new_window_begins_empty() -> None:
    at = Written(b=BudgetConfig(per="hour", tool_calls=5))
    at.turn("alice", permit(), permit())
    at.ts += HOUR - 1
    assert at.used() == [("tool_calls", 2)]
    at.ts += 1
    assert at.used() == [("tool_calls", 0)]
    at.turn("alice", permit())
    assert at.used() == [("tool_calls", 1)]


def test_a_clock_that_is_set_back_neither_empties_a_count_nor_makes_calls_free() -> None:
    at = Written(b=BudgetConfig(per="hour", tool_calls=9))
    at.turn("alice", permit())
    at.ts -= HOUR
    at.turn("alice", permit())
    at.ts += HOUR
    assert at.used() == [("tool_calls", 2)]


def test_a_provider_that_reports_nothing_is_not_free_but_a_failure_is() -> None:
    at = Written(b=BudgetConfig(tokens=10**6, model_calls=100))
    at.turn("alice", answer(-1))
    at.turn("alice", answer(-1, "The provider did not answer."))
    assert at.used() == [("tokens", limits.UNREPORTED_TOKENS), ("model_calls", 2)]


def test_a_turn_whose_beginning_is_not_known_counts_for_all_but_for_nobody_by_name() -> None:
    at = Written(all=BudgetConfig(tokens=100), alice=BudgetConfig(principal="alice", tokens=100))
    at.row(answer(10))
    assert at.used() == [("tokens", 10), ("tokens", 0)]


def test_a_budget_that_nobody_used_is_reported_too() -> None:
    at = Written(used=BudgetConfig(agent="*", tokens=5), idle=BudgetConfig(agent="other", tokens=7))
    at.turn("alice", answer(3))
    shown = [(state.subject.budget, state.subject.agent, state.used) for state in at.ledger.everything(at.ts)]
    assert shown == [("idle", "other", 0), ("used", "default", 3)]


def test_memory_does_not_grow_with_turns() -> None:
    at = Written(b=BudgetConfig(tokens=5))
    for _ in range(50):
        at.turn("alice", answer(3))
    assert at.ledger._said == {} and at.ledger._turns == {}


def test_money_is_the_sum_of_what_the_rows_say_and_what_had_no_price_adds_nothing() -> None:
    at = Written(b=BudgetConfig(money="1.00", per="hour"), each=BudgetConfig(money="1.00", principal="*"))
    at.turn("alice", answer(10, cost=300_000), answer(10), answer(10, cost=0))
    [alert] = at.turn("bob", answer(10, cost=500_000))
    assert (alert.budget, alert.unit, alert.used, alert.limit) == ("b", "money", 800_000, 1_000_000)
    assert at.used() == [("money", 800_000), ("money", 300_000)]
    at.ts += HOUR
    assert at.used() == [("money", 0), ("money", 300_000)]


def test_an_answer_that_was_cut_off_here_is_not_free() -> None:
    at = Written(b=BudgetConfig(tokens=10**6))
    at.turn("alice", answer(-1, "Stopped.", stop_reason=UNFINISHED))
    assert at.used() == [("tokens", limits.UNREPORTED_TOKENS)]
