"""The server of webhooks over real sockets: what it takes, what it turns away, and that nobody can fill it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from wirken.channels.webhook import Answer, Head, Take, serving
from wirken.domain import channel_limits as limits

MOST = 100_000


@dataclass
class Bench:
    port: int
    heads: list[Head] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def hook(self, head: Head) -> Answer | Take:
        self.heads.append(head)
        if head.method != "POST":
            return Answer(200, b"hello", "text/plain")
        if "x-good" not in head.headers:
            return Answer(401)
        return self.take

    async def take(self, body: bytes) -> Answer:
        self.bodies.append(body)
        return Answer(200)

    async def says(self, *parts: bytes) -> bytes:
        """Send parts and return all that is answered."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(30):
                    return await reader.read()
            return b""
        finally:
            writer.close()

    async def status(self, *parts: bytes) -> int:
        said = await self.says(*parts)
        return int(said.split(b" ")[1]) if said else 0


@contextlib.asynccontextmanager
async def door(*, head_proves: bool = True) -> AsyncIterator[Bench]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        bench = Bench(listener.getsockname()[1])
        async with serving(listener, bench.hook, MOST, head_proves=head_proves):
            yield bench


def post(body: bytes, *, length: str = "", extra: str = "X-Good: 1\r\n") -> bytes:
    size = length or str(len(body))
    return f"POST /x HTTP/1.1\r\nHost: a\r\n{extra}Content-Length: {size}\r\n\r\n".encode() + body


async def test_a_call_is_taken_and_answered() -> None:
    async with door() as at:
        said = await at.says(post(b"{}"))
        assert said.startswith(b"HTTP/1.1 200 ") and b"Connection: close" in said
        assert at.bodies == [b"{}"] and at.heads[0].target == "/x"


async def test_an_answer_has_the_type_that_it_says() -> None:
    async with door() as at:
        said = await at.says(b"GET /?a=b HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"Content-Type: text/plain\r\n" in said and said.endswith(b"\r\n\r\nhello")


async def test_a_bad_head_is_turned_away_and_its_body_never_read() -> None:
    async with door() as at:
        assert await at.status(post(b"{}", extra="")) == 401
        assert await at.status(post(b"{}", extra="X-Good: 1\r\nX-Good: 2\r\n")) == 401, "what came twice is not there"
        assert at.bodies == []


async def test_a_body_has_a_limit_however_it_comes() -> None:
    async with door() as at:
        assert await at.status(post(b"x" * MOST)) == 200
        assert await at.status(post(b"x" * (MOST + 1))) == 413
        chunked = "X-Good: 1\r\nTransfer-Encoding: chunked\r\n"
        head = f"POST / HTTP/1.1\r\nHost: a\r\n{chunked}\r\n".encode()
        piece = b"2710\r\n" + b"x" * 10_000 + b"\r\n"
        assert await at.status(head, *([piece] * 10), b"0\r\n\r\n") == 200
        assert await at.status(head, *([piece] * 10), b"1\r\nx\r\n0\r\n\r\n") == 413
        assert [len(body) for body in at.bodies] == [MOST, MOST]


async def test_a_head_has_a_limit() -> None:
    async with door() as at:
        left = limits.WEBHOOK_HEAD - len("/xHostaX-Good1Content-Length2X-Pad")
        for size, status in ((left, 200), (left + 1, 431), (5 * limits.WEBHOOK_HEAD, 431)):
            padded = "X-Good: 1\r\nX-Pad: " + "x" * size + "\r\n"
            assert await at.status(post(b"{}", extra=padded)) == status
        assert len(at.bodies) == 1


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"POST / HTTP/1.1\r\nHost: a\r\nX-Good: 1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nX-Good: 1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nHost : a\r\nX-Good: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nHost: a\r\nX-Good: 1\r\nTransfer-Encoding: gzip\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nX-Good: 1\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
async def test_what_is_no_request_is_refused(said: bytes) -> None:
    async with door() as at:
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        writer.write(said)
        writer.write_eof()
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
        assert answer == b"" or 400 <= int(answer.split(b" ")[1]) <= 501
        assert at.bodies == []


async def test_a_call_that_breaks_off_is_none() -> None:
    async with door() as at:
        for part in (b"", b"POST / HT", post(b'{"a"', length="100")):
            _, writer = await asyncio.open_connection("127.0.0.1", at.port)
            writer.write(part)
            writer.close()
            await writer.wait_closed()
        assert await at.status(post(b"{}")) == 200
        assert at.bodies == [b"{}"]


async def test_who_is_slow_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WEBHOOK_HEAD_TIME", 0.05)
    monkeypatch.setattr(limits, "WEBHOOK_BODY_TIME", 0.05)
    async with door() as at:
        assert await at.says(b"POST / HTTP/1.1\r\n") == b""
        assert await at.says(post(b"{", length="2")) == b""
        assert at.bodies == []


@pytest.mark.parametrize("head_proves", [True, False])
async def test_a_crowd_of_strangers_keeps_nobody_out(head_proves: bool) -> None:
    begun = post(b"{", length="2") if not head_proves else b"POST / HTTP/1.1\r\n"
    async with door(head_proves=head_proves) as at, contextlib.AsyncExitStack() as stack:
        for _ in range(limits.WEBHOOK_CONNECTIONS + 8):
            _, writer = await asyncio.open_connection("127.0.0.1", at.port)
            stack.callback(writer.close)
            writer.write(begun)
            await writer.drain()
        assert await at.status(post(b"{}")) == 200
        assert at.bodies == [b"{}"]


async def test_all_bodies_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WEBHOOK_HELD", 1000)
    async with door() as at:
        assert await at.status(post(b"x" * 1000)) == 200
        assert await at.status(post(b"x" * 1001)) == 503
        assert await at.status(post(b"x" * 1000)) == 200, "what was held is let go with its connection"


async def test_callers_wait_where_nobody_serves_for_a_moment() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        bench = Bench(listener.getsockname()[1])
        async with serving(listener, bench.hook, MOST):
            assert await bench.status(post(b"one")) == 200
        waiting = asyncio.create_task(bench.status(post(b"two")))
        await asyncio.sleep(0)
        async with serving(listener, bench.hook, MOST):
            assert await waiting == 200
        assert bench.bodies == [b"one", b"two"]
