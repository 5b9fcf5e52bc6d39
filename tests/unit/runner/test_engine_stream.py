"""The engine's multiplexed stream and its HTTP, cut wherever a socket cuts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain import limits
from wirken.domain.errors import ProtocolError
from wirken.runner.engine_http import EngineFailed, EngineHttp
from wirken.runner.engine_stream import Demultiplexer


def framed(kind: int, payload: bytes) -> bytes:
    return bytes((kind, 0, 0, 0)) + len(payload).to_bytes(4, "big") + payload


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40))), st.lists(st.integers(1, 30)))
def test_any_cut_gives_the_same_output(parts: list[tuple[int, bytes]], cuts: list[int]) -> None:
    raw = b"".join(framed(kind, payload) for kind, payload in parts)
    stream, found = Demultiplexer(), {1: b"", 2: b""}
    for size in (*cuts, len(raw) or 1):
        for kind, payload in stream.feed(raw[:size]):
            found[kind] += payload
        raw = raw[size:]
    assert found == {kind: b"".join(payload for one, payload in parts if one == kind) for kind in (1, 2)}


def test_a_length_of_four_gigabytes_is_not_waited_for() -> None:
    stream = Demultiplexer()
    assert stream.feed(b"\x01\0\0\0\xff\xff\xff\xffabc") == [(1, b"abc")]


@pytest.mark.parametrize("header", [b"\0\0\0\0\0\0\0\1", b"\3\0\0\0\0\0\0\1", b"\1\1\0\0\0\0\0\1"])
def test_what_is_no_header_is_refused(header: bytes) -> None:
    with pytest.raises(ProtocolError):
        Demultiplexer().feed(header)


async def answered(path: Path, reply: bytes, allowed: float = 5.0) -> bytes:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        if not reply:
            await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(serve, path):
        return await EngineHttp(str(path)).ask("GET", "/x", allowed=allowed)


async def test_an_answer_with_and_without_a_length(tmp_path: Path) -> None:
    assert await answered(tmp_path / "a", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nabc") == b"ab"
    assert await answered(tmp_path / "b", b"HTTP/1.0 200 OK\r\n\r\nabc") == b"abc"


async def test_the_engines_own_words_come_with_its_status(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="no such thing") as caught:
        await answered(tmp_path / "a", b'HTTP/1.0 404 Not Found\r\n\r\n{"message": "no such thing"}')
    assert caught.value.status == 404


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (limits.ENGINE_REPLY + 1),
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nX: " + b"x" * limits.ENGINE_HEAD + b"\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * (limits.ENGINE_REPLY + 1),
    ],
)
async def test_what_cannot_be_an_answer_is_refused(tmp_path: Path, reply: bytes) -> None:
    with pytest.raises(EngineFailed, match="cannot be reached"):
        await answered(tmp_path / "a", reply)


async def test_the_longest_answer_is_taken(tmp_path: Path) -> None:
    body = b"x" * limits.ENGINE_REPLY
    assert await answered(tmp_path / "a", b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body) == body


async def test_an_engine_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="did not answer within"):
        await answered(tmp_path / "a", b"", allowed=0.1)


async def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="cannot be reached: No such file"):
        await EngineHttp(str(tmp_path / "none")).ask("GET", "/x")
