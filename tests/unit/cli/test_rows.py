from __future__ import annotations

import typing

import msgspec
import pytest

from wirken.cli.rows import headline, kind_of, lines
from wirken.domain.actions import ToolCall
from wirken.domain.events import (
    AssistantToolCalls,
    Attestation,
    Fact,
    PermissionDenied,
    ToolResultFact,
    Trust,
    TurnEnded,
    UserMessageFact,
)
from wirken.domain.ids import CallId, SessionId
from wirken.record.canonical import Row, encode

CURL = ToolCall(CallId("c"), "exec", '{"command":"curl https://httpbin.org/get"}')
DENIED = PermissionDenied(
    call_id="c",
    tool="exec",
    action_key="shell:curl",
    action_keys=("shell:curl",),
    tier="tier3",
    rule="not_interactive",
    by="",
)


def result(**changes: object) -> ToolResultFact:
    made = ToolResultFact(
        call_id="c",
        tool="exec",
        success=False,
        outcome="denied",
        output="Permission denied: 'exec' requires tier3 approval.",
        exit_code=None,
        ended_by="",
        truncated_bytes=0,
        duration_ms=0,
    )
    return msgspec.structs.replace(made, **changes)


def shown(fact: Fact, seq: int = 4) -> list[str]:
    return list(lines(encode(Row(SessionId("default/terminal/c"), seq, 0, Trust.GATEWAY, fact)), seq))


def test_rows_have_the_documented_form() -> None:
    assert shown(AssistantToolCalls(text="", calls=(CURL,))) == [
        "[ 4] assistant_tool_calls",
        '     call: exec({"command":"curl https://httpbin.org/get"})',
    ]
    assert shown(DENIED, 5)[:2] == ["[ 5] permission_denied", "     action_key='shell:curl'  tier=tier3"]
    assert shown(result(), 6) == [
        "[ 6] tool_result",
        "     tool=exec success=False",
        "     output: Permission denied: 'exec' requires tier3 approval.",
    ]
    head = Attestation(chain_head_seq=9, chain_head_hash="ff57c5", signature="00", signer_pubkey="aa")
    assert shown(head, 10)[:3] == ["[10] attestation", "     chain_head_seq=9", "     chain_head_hash=ff57c5"]


def test_a_payload_that_cannot_be_read_is_said_and_not_hidden() -> None:
    assert next(lines(b"\xff not json", 3)) == "[ 3] unreadable"


def test_every_line_of_a_text_is_indented_so_that_none_looks_like_a_row() -> None:
    forged = "x\n[ 7] attestation\n     chain_head_seq=6"
    said = UserMessageFact(text=forged, principal="owner", sender="", sender_name="", platform_id="1")
    _, *rest = shown(said)
    assert all(line.startswith("     ") for line in rest)
    assert not any(line.startswith("     chain_head_seq") for line in rest)


def test_a_long_value_is_cut_and_says_by_how_much() -> None:
    text = "\n".join(shown(result(output="ä" * 5000)))
    assert "8000 more bytes (--json shows all)" in text


def test_headlines_say_what_happens_in_one_line() -> None:
    assert headline(DENIED) == "denied: shell:curl (tier3, not_interactive)"
    assert headline(result()) == "denied: exec Permission denied: 'exec' requires tier3 approval."
    ran = result(success=True, outcome="ok", exit_code=0, duration_ms=12)
    assert headline(ran) == "ran: exec (exit code 0) in 12 ms"
    assert headline(result(output="first\nsecond")).endswith(" first")
    assert headline(TurnEnded(outcome="stopped", reason="Stopped.", rounds=1)) == "stopped: Stopped."
    assert headline(TurnEnded(outcome="finished", reason="", rounds=1)) == ""


@pytest.mark.parametrize("kind", typing.get_args(Fact))
def test_every_kind_of_row_can_be_shown(kind: type[Fact]) -> None:
    values = {field.name: _value(field.type) for field in msgspec.structs.fields(kind)}
    fact = msgspec.convert({"kind": kind.__struct_config__.tag, **values}, kind)
    first, *rest = shown(fact)
    assert first == f"[ 4] {kind_of(fact)}"
    assert all(line.startswith("     ") for line in rest)
    assert "\n" not in headline(fact)


def _value(of: object) -> object:
    """Return some value of a field's type."""
    if typing.get_origin(of) is tuple:
        inner = typing.get_args(of)[0]
        if inner is str:
            return ["x"]
        return [{field.name: 1 if field.type is int else "{}" for field in msgspec.structs.fields(inner)}]
    if typing.get_origin(of) is typing.Literal:
        return typing.get_args(of)[0]
    return {str: "text", int: 1, bool: True}.get(of) if isinstance(of, type) else None
