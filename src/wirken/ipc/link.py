"""One authenticated connection between two processes: frames both ways, and questions with their answers.

Both ends may ask. A question whose asker is cancelled is cancelled at the other end; a lost connection fails
every question that waits. A peer that does not read is dropped, so that it cannot fill our memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

import msgspec

from wirken.domain import limits
from wirken.domain.errors import (
    ProtocolError,
    Refused,
    SandboxUnavailable,
    Unavailable,
    UsageError,
    WirkenError,
)
from wirken.domain.ids import RoleName
from wirken.domain.text import brief
from wirken.ipc import codec
from wirken.ipc.frames import Call, Cancel, Conversing, Failure, Frame, Item, Reply
from wirken.ipc.framing import FrameDecoder, encode_frame

T = TypeVar("T")
Emit = Callable[[msgspec.Struct], None]

_log: Final = logging.getLogger("wirken.link")
_encoder: Final = msgspec.msgpack.Encoder()

_KINDS: Final[tuple[tuple[str, type[WirkenError]], ...]] = (
    ("refused", Refused),
    ("sandbox", SandboxUnavailable),
    ("unavailable", Unavailable),
    ("usage", UsageError),
    ("protocol", ProtocolError),
    ("error", WirkenError),
)


class LinkLost(Unavailable):
    """The other process went away before it answered."""

    hint = "It is restarted by itself; try again in a moment."


class Receiver(Protocol):
    """What stands behind one end of a link."""

    async def answer(self, link: Link, question: bytes, emit: Emit) -> msgspec.Struct:
        """Answer one question (MessagePack); `emit` sends items before the answer. Raises WirkenError."""
        ...

    def received(self, link: Link, frame: Conversing) -> None:
        """Take a frame that is no question. Must not block."""
        ...

    def lost(self, link: Link) -> None:
        """The connection is gone."""
        ...


def pack(value: msgspec.Struct) -> bytes:
    """Encode as MessagePack."""
    return _encoder.encode(value)


def unpack(body: bytes, shape: type[T]) -> T:
    """Decode MessagePack strictly. Raises `ProtocolError`."""
    try:
        return msgspec.msgpack.decode(body, type=shape)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProtocolError("The peer asked or answered something unknown.") from error


class Link(asyncio.Protocol):
    """One end of a connection whose handshake is done."""

    def __init__(self, peer: RoleName, receiver: Receiver) -> None:
        self.peer: Final = peer
        self.receiver: Final = receiver
        self._decoder = FrameDecoder()
        self._transport: asyncio.Transport | None = None
        self._next = 0
        self._waiting: dict[int, tuple[asyncio.Future[bytes], Callable[[bytes], None] | None]] = {}
        self._answering: dict[int, asyncio.Task[None]] = {}
        self.closed: Final[asyncio.Event] = asyncio.Event()

    # --- asking ---------------------------------------------------------------------------------------

    async def call(self, question: msgspec.Struct, reply: type[T]) -> T:
        """Ask, and return the answer. Raises what the other side raised, or `LinkLost`."""
        return unpack(await self._ask(question, None), reply)

    async def stream(self, question: msgspec.Struct, on_item: Callable[[bytes], None], end: type[T]) -> T:
        """Ask; `on_item` gets each item's MessagePack as it comes; return the closing answer."""
        return unpack(await self._ask(question, on_item), end)

    async def _ask(self, question: msgspec.Struct, on_item: Callable[[bytes], None] | None) -> bytes:
        self._next += 1
        number = self._next
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.send(Call(number, _encoder.encode(question)))
        self._waiting[number] = (future, on_item)
        try:
            return await future
        except asyncio.CancelledError:
            with contextlib.suppress(LinkLost):  # then there is nobody left to tell
                self.send(Cancel(number))
            raise
        finally:
            self._waiting.pop(number, None)

    # --- sending --------------------------------------------------------------------------------------

    def send(self, frame: Frame) -> None:
        """Queue a frame.

        Raises `LinkLost` when the connection is gone or the peer does not read, `BadFrame` and `FrameTooLong` for
        what no frame can carry.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            raise LinkLost(f"The connection to {self.peer} is gone.")
        if transport.get_write_buffer_size() > limits.LINK_BUFFER:
            transport.abort()
            raise LinkLost(f"{self.peer} does not read what it is sent and was disconnected.")
        transport.write(encode_frame(codec.encode(frame)))

    def close(self) -> None:
        """Close after what is queued was written."""
        if self._transport is not None:
            self._transport.close()

    def drop(self) -> None:
        """Close now; what is queued is thrown away, so that a peer which does not read cannot stay."""
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for payload in self._decoder.feed(data):
                self._take(codec.decode(payload))
        except ProtocolError:
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_exception(LinkLost(f"The connection to {self.peer} was lost."))
        for task in self._answering.values():
            task.cancel()
        self.closed.set()
        self.receiver.lost(self)

    # --- taking frames --------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        match frame:
            case Call():
                self._start_answer(frame)
            case Item(number, body):
                waiting = self._waiting.get(number)
                if waiting is not None and waiting[1] is not None:
                    waiting[1](body)
            case Reply(number, body):
                self._settle(number, body)
            case Failure():
                self._settle(frame.id, _raised(frame))
            case Cancel(number):
                task = self._answering.get(number)
                if task is not None:
                    task.cancel()
            case _:
                self.receiver.received(self, frame)

    def _settle(self, number: int, result: bytes | WirkenError) -> None:
        waiting = self._waiting.get(number)
        if waiting is None or waiting[0].done():
            return
        if isinstance(result, bytes):
            waiting[0].set_result(result)
        else:
            waiting[0].set_exception(result)

    def _start_answer(self, call: Call) -> None:
        if len(self._answering) >= limits.LINK_QUESTIONS or call.id in self._answering:
            raise ProtocolError("The peer asks too much at once.")
        task = asyncio.get_running_loop().create_task(self._answer(call))
        self._answering[call.id] = task
        # Not in the task itself: one that is cancelled before its first step never runs.
        task.add_done_callback(lambda _: self._answering.pop(call.id, None))

    async def _answer(self, call: Call) -> None:
        def emit(item: msgspec.Struct) -> None:
            self.send(Item(call.id, _encoder.encode(item)))

        try:
            reply = await self.receiver.answer(self, call.body, emit)
            self.send(Reply(call.id, _encoder.encode(reply)))
        except WirkenError as error:  # LinkLost included: it may be another link's
            self._fail(call.id, error)
        except Exception:  # noqa: BLE001  # one bad question must not leave its asker waiting for ever
            _log.exception("a question failed in a way that was not foreseen")
            self._fail(call.id, WirkenError("Something went wrong inside Wirken; its log says what."))

    def _fail(self, number: int, error: WirkenError) -> None:
        kind = next(name for name, cls in _KINDS if isinstance(error, cls))
        with contextlib.suppress(LinkLost):
            self.send(Failure(number, kind, brief(str(error)), brief(error.advice)))


def _raised(failure: Failure) -> WirkenError:
    cls = dict(_KINDS).get(failure.kind, WirkenError)
    return cls(brief(failure.message), hint=brief(failure.hint))
