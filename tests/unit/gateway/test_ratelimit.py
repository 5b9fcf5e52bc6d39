from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from wirken.config.model import LimitsConfig
from wirken.domain import limits
from wirken.gateway.ratelimit import Paces


@dataclass
class Hand:
    """A clock that is moved by hand."""

    at: float = 1000.0

    def now(self) -> int:
        return int(self.at * 1000)

    def monotonic(self) -> float:
        return self.at


def paces(clock: Hand, messages: int = 3, channel: int = 0, tools: int = 0) -> Paces:
    config = LimitsConfig(
        messages_per_minute=messages,
        channel_messages_per_minute=channel,
        tool_calls_per_minute=tools,
        channel_tool_calls_per_minute=0,
    )
    return Paces(config, clock)


def test_a_minutes_worth_may_come_at_once_and_then_one_after_another() -> None:
    clock = Hand()
    pace = paces(clock)
    assert [pace.message("alice", "page") for _ in range(3)] == [None] * 3
    held = pace.message("alice", "page")
    assert held is not None and (held.whose, held.name, held.per_minute, held.wait) == ("principal", "alice", 3, 20.0)
    assert "3 messages of 'alice' in a minute" in held.said and "20 s" in held.said
    clock.at += 20.0
    assert pace.message("alice", "page") is None
    assert pace.message("alice", "page") is not None


def test_one_person_does_not_hold_up_another() -> None:
    pace = paces(Hand(), messages=1)
    assert pace.message("alice", "page") is None and pace.message("alice", "page") is not None
    assert pace.message("bob", "page") is None


def test_a_channel_holds_up_everyone_on_it_and_nobody_elsewhere() -> None:
    pace = paces(Hand(), messages=0, channel=2)
    assert pace.message("a", "page") is None and pace.message("b", "page") is None
    held = pace.message("c", "page")
    assert held is not None and (held.whose, held.name) == ("channel", "page")
    assert pace.message("c", "terminal") is None


def test_what_is_turned_away_takes_nothing_from_the_others() -> None:
    clock = Hand()
    pace = paces(clock, messages=1, channel=2)
    assert pace.message("alice", "page") is None
    for _ in range(10):
        assert pace.message("alice", "page") is not None
    assert pace.message("bob", "page") is None


def test_the_first_time_in_a_minute_is_marked() -> None:
    clock = Hand()
    pace = paces(clock, messages=1)
    pace.message("alice", "page")
    marks = []
    for _ in range(4):
        held = pace.message("alice", "page")
        assert held is not None
        marks.append(held.first)
    assert marks == [True, False, False, False]
    clock.at += limits.RATE_WINDOW
    pace.message("alice", "page")
    again = pace.message("alice", "page")
    assert again is not None and again.first


def test_no_limit_is_no_limit_and_tool_calls_have_their_own() -> None:
    pace = paces(Hand(), messages=0, tools=1)
    assert all(pace.message("alice", "page") is None for _ in range(1000))
    assert pace.tool_call("alice", "page") is None
    held = pace.tool_call("alice", "page")
    assert held is not None and held.what == "tool calls"


def test_what_is_left_is_that_of_the_busiest() -> None:
    pace = paces(Hand(), messages=5)
    for _ in range(3):
        pace.message("alice", "page")
    pace.message("bob", "page")
    [messages] = [use for use in pace.uses() if (use.what, use.whose) == ("messages", "principal")]
    assert (messages.per_minute, messages.left) == (5, 2)


def test_a_crowd_does_not_fill_the_memory() -> None:
    pace = paces(Hand(), messages=5)
    for number in range(limits.RATE_SUBJECTS + 100):
        pace.message(f"p{number}", "page")
    assert len(pace._buckets) == limits.RATE_SUBJECTS


@given(st.integers(1, 50), st.lists(st.floats(0, 90, allow_nan=False), max_size=200))
def test_in_no_minute_pass_more_than_twice_the_limit_and_never_more_in_all_than_flows_in(
    per_minute: int, pauses: list[float]
) -> None:
    clock = Hand()
    pace = paces(clock, messages=per_minute)
    passed: list[float] = []
    for pause in pauses:
        clock.at += pause
        if pace.message("alice", "page") is None:
            passed.append(clock.at)
    for moment in passed:
        assert sum(moment <= other < moment + limits.RATE_WINDOW for other in passed) <= 2 * per_minute
    assert len(passed) <= per_minute + sum(pauses) * per_minute / limits.RATE_WINDOW + 1
