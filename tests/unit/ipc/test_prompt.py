from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from wirken.domain.text import shown, unpadded
from wirken.ipc.calls.operator import ApprovalRow
from wirken.ipc.prompt import lines, time_left

NOW = 1_800_000_000_000
ROW = ApprovalRow(
    approval="a1",
    session="default/telegram/d7",
    call_id="c1",
    tool="exec",
    command="ls",
    call='{"arguments":"{}"}',
    lease="f" * 64,
    action_keys=("shell:ls",),
    tier="tier2",
    reasons=("why",),
    expires=NOW + 60_000,
    principal="ann",
)


@pytest.mark.parametrize(
    ("held", "expires", "said"),
    [
        (0, 60_000, "60 s"),
        (0, 0, "0 s"),
        (0, -1, "0 s"),
        (1, 60_001, "held for 1 min by quiet hours, then 60 s"),
        (60_000, 120_000, "held for 1 min by quiet hours, then 60 s"),
        (60_001, 120_001, "held for 2 min by quiet hours, then 60 s"),
    ],
)
def test_the_time_left_is_counted_from_the_end_of_quiet_hours(held: int, expires: int, said: str) -> None:
    row = replace(ROW, held_until=NOW + held if held else 0, expires=NOW + expires)
    assert time_left(row, NOW) == said


def test_quiet_hours_that_are_over_hold_nothing() -> None:
    assert time_left(replace(ROW, held_until=NOW, expires=NOW + 5000), NOW) == "5 s"


@given(st.text(max_size=300), st.text(max_size=100), st.text(max_size=100))
def test_all_of_the_call_is_there_and_no_text_makes_a_line(command: str, message: str, name: str) -> None:
    call = json.dumps({"arguments": json.dumps({"command": command})}, ensure_ascii=False)
    row = replace(ROW, command=command, call=call, message=message, said=message, sender_name=name, reasons=(name,))
    found = [line.head + line.text for line in lines(row, NOW)]
    assert all(shown(line) == line for line in found)
    assert f"  call:   {shown(unpadded(call))}" in found
    assert len(found) == 8 + 2 * bool(message)
