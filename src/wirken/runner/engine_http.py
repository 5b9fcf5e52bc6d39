"""HTTP/1.0 over a container engine's Unix socket: one connection per question, every answer bounded.

1.0, because a server then neither splits its answer into chunks nor keeps the connection (RFC 9112, 7.1 and
9.3): what stands before the end of the connection is the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import msgspec

from wirken.domain import limits
from wirken.domain.errors import SandboxUnavailable
from wirken.domain.text import brief

_STREAM: Final = 256 * 1024  # bytes read ahead of us; the engine then waits
_HIJACKED: Final = (101, 200)


class EngineFailed(SandboxUnavailable):
    """The container engine did not do what it was asked. `status` is HTTP's, 0 without an answer."""

    hint = "`wirken doctor` looks at the engine; its own log says more."

    def __init__(self, message: str, status: int = 0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class _Message(msgspec.Struct, frozen=True):
    """The engine's error answer; Podman adds fields."""

    message: str = ""


class Answer(NamedTuple):
    """A status and a body that was read to its end."""

    status: int
    body: bytes


class EngineHttp:
    """Questions to the engine behind one socket."""

    def __init__(self, path: str) -> None:
        self.path = path

    async def ask(self, method: str, target: str, body: bytes = b"", *, allowed: float = limits.ENGINE_TIME) -> bytes:
        """Return the answer's body. Raises `EngineFailed` for an error answer, and for none in `allowed` seconds."""
        try:
            async with asyncio.timeout(allowed), self._connected(method, target, body) as (reader, _):
                answer = await _whole(reader)
        except TimeoutError:
            raise EngineFailed(
                f"The container engine did not answer within {allowed:.0f} s ({method} {_of(target)})."
            ) from None
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise self._unreached(error) from error
        if answer.status >= 400:
            raise EngineFailed(_said(answer), answer.status)
        return answer.body

    @asynccontextmanager
    async def stream(
        self, target: str, body: bytes = b""
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Yield a connection that the engine has turned into a stream (`attach`, `exec/start`)."""
        try:
            async with self._connected("POST", target, body, upgrade=True) as (reader, writer):
                async with asyncio.timeout(limits.ENGINE_TIME):
                    status, _ = await _head(reader)
                    if status not in _HIJACKED:
                        raise EngineFailed(_said(Answer(status, await _rest(reader))), status)
                yield reader, writer
        except TimeoutError:
            raise EngineFailed("The container engine opened no stream.") from None
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise self._unreached(error) from error

    @asynccontextmanager
    async def _connected(
        self, method: str, target: str, body: bytes, *, upgrade: bool = False
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_unix_connection(self.path, limit=_STREAM)
        try:
            writer.write(_request(method, target, body, upgrade=upgrade))
            await writer.drain()
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _unreached(self, error: Exception) -> EngineFailed:
        words = error.strerror if isinstance(error, OSError) and error.strerror else "it broke off its answer"
        return EngineFailed(
            f"The container engine at {self.path} cannot be reached: {words}.",
            hint="Start the engine and let this user connect (group docker, say), or correct sandbox.docker_socket; "
            "then restart Wirken.",
        )


def _request(method: str, target: str, body: bytes, *, upgrade: bool) -> bytes:
    lines = [f"{method} {target} HTTP/1.0", "Host: engine", f"Content-Length: {len(body)}"]
    if body:
        lines.append("Content-Type: application/json")
    if upgrade:
        lines += ["Connection: Upgrade", "Upgrade: tcp"]
    return "\r\n".join((*lines, "", "")).encode() + body


async def _whole(reader: asyncio.StreamReader) -> Answer:
    status, length = await _head(reader)
    if length is None:
        return Answer(status, await _rest(reader))
    if length > limits.ENGINE_REPLY:
        raise ValueError("the answer is too long")
    return Answer(status, await reader.readexactly(length))


async def _head(reader: asyncio.StreamReader) -> tuple[int, int | None]:
    """Return the status and the announced length. Raises `ValueError` for what is not HTTP."""
    head = await reader.readuntil(b"\r\n\r\n")
    if len(head) > limits.ENGINE_HEAD:
        raise ValueError("the header is too long")
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError("not HTTP")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "transfer-encoding" in fields:
        raise ValueError("an answer in chunks to an HTTP/1.0 request")
    length = fields.get("content-length")
    return int(rest[:3]), None if length is None else int(length)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while data := await reader.read(_STREAM):
        body += data
        if len(body) > limits.ENGINE_REPLY:
            raise ValueError("the answer is too long")
    return bytes(body)


def _said(answer: Answer) -> str:
    try:
        message = _message.decode(answer.body).message
    except msgspec.DecodeError:
        message = ""
    return f"The container engine says: {brief(message, limits.SENTENCE // 4) or f'status {answer.status}'}."


def _of(target: str) -> str:
    return target.partition("?")[0]


_message: Final = msgspec.json.Decoder(_Message)
