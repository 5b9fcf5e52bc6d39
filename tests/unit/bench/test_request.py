"""What a request to the model begins with."""

from __future__ import annotations

from bench.request import bare_size, prefix, stable

TOOLS = b'[{"type":"function","function":{"name":"exec"}}]'
SYSTEM = b'{"role":"system","content":"Be brief."}'


def request(*texts: str, tools: bytes = TOOLS, system: bytes = SYSTEM) -> bytes:
    said = b",".join(b'{"role":"user","content":"%b"}' % text.encode() for text in texts)
    return b'{"model":"m","messages":[' + system + b"," + said + b'],"tools":' + tools + b"}"


def test_the_prefix_is_tools_and_system_prompt_byte_for_byte() -> None:
    assert prefix(request("hello")) == TOOLS + SYSTEM
    assert prefix(request("hello", system=SYSTEM.replace(b'",', b'", '))) != TOOLS + SYSTEM


def test_the_message_alone_is_what_is_left() -> None:
    assert bare_size(request("hello")) == len(request("hello")) - len(TOOLS) - len(SYSTEM)


def test_a_session_that_only_grows_is_stable() -> None:
    assert stable([request("a"), request("a", "b"), request("a", "b", "c")])


def test_a_session_that_rewrites_what_was_said_is_not_stable() -> None:
    assert not stable([request("a"), request("A", "b")])


def test_a_new_session_begins_anew() -> None:
    assert stable([request("a"), request("a", "b"), request("another")])
