"""One authenticated connection between two processes: frames both ways, and questions with their answers.

Both ends may ask. A question whose asker is cancelled is cancelled at the other end; a lost connection fails
every question that waits. A peer that does not read is dropped, so that it cannot fill our memory.

Sealed memfds may come beside a frame, from a peer whose receiver takes files. One that sends others, or more than its
frame says, is dropped; so is one that sends any where none are taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias, TypeVar, runtime_checkable

import msgspec

from wirken.domain import limits, pace_limits
from wirken.domain.errors import ProtocolError, WirkenError
from wirken.domain.ids import RoleName
from wirken.ipc import codec, memfd
from wirken.ipc.asking import Asking, failure, raised
from wirken.ipc.asking import LinkLost as LinkLost
from wirken.ipc.files import NONE, Enclosing, Files
from wirken.ipc.frames import Call, Cancel, Conversing, Failure, Frame, Item, Reply
from wirken.ipc.framing import FrameDecoder, encode_frame
from wirken.ipc.pace import Pace
from wirken.ipc.stream import Stream

T = TypeVar("T")
Emit = Callable[[msgspec.Struct], None]
Answered: TypeAlias = msgspec.Struct | Enclosing

_log: Final = logging.getLogger("wirken.link")
_encoder: Final = msgspec.msgpack.Encoder()


class Receiver(Protocol):
    """What stands behind one end of a link."""

    async def answer(self, link: Link, question: bytes, emit: Emit) -> Answered:
        """Answer one question (MessagePack); `emit` sends items before the answer. Raises WirkenError."""
        ...

    def received(self, link: Link, frame: Conversing) -> None:
        """Take a frame that is no question. Must not block. Raises `ProtocolError`: the link is dropped."""
        ...

    def lost(self, link: Link) -> None:
        """The connection is gone."""
        ...


@runtime_checkable
class TakesFiles(Protocol):
    """A receiver whose peer may send files. What comes without any, comes as to every receiver."""

    async def answer_with(self, link: Link, question: bytes, files: Files, emit: Emit) -> Answered:
        """As `answer`; the files are there until it returns, then the link closes them."""
        ...

    def received_with(self, link: Link, frame: Conversing, files: Files) -> None:
        """As `received`; the files belong to the receiver, who closes them, unless it raises."""
        ...


@runtime_checkable
class Paced(Protocol):
    """A receiver whose peer may be in somebody else's hands: it is read no faster than `pace` lets it.

    That counts frames, and `pace_limits.PACED_READ` as one; a frame has `pace_limits.PACED_FRAME` bytes at most.
    """

    pace: Pace


def pack(value: msgspec.Struct) -> bytes:
    """Encode as MessagePack."""
    return _encoder.encode(value)


def unpack(body: bytes, shape: type[T]) -> T:
    """Decode MessagePack strictly. Raises `ProtocolError`."""
    try:
        return msgspec.msgpack.decode(body, type=shape)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProtocolError("The peer asked or answered something unknown.") from error


class Link:
    """One end of a connection whose handshake is done."""

    def __init__(self, sock: socket.socket, peer: RoleName, receiver: Receiver) -> None:
        """Take over a non-blocking socket; nothing is read from it before the event loop's next round."""
        self.peer: Final = peer
        self.receiver: Final = receiver
        self._pace = receiver.pace if isinstance(receiver, Paced) else None
        self._decoder = FrameDecoder(limits.FRAME if self._pace is None else pace_limits.PACED_FRAME)
        self._asking = Asking(self.send)
        self._answering: dict[int, asyncio.Task[None]] = {}
        self._came: list[int] = []
        """Descriptors that no frame has claimed yet."""
        self.closed: Final[asyncio.Event] = asyncio.Event()
        most, read = limits.LINK_FILES if isinstance(receiver, TakesFiles) else 0, pace_limits.LINK_READ
        self._stream = Stream(sock, self, most, read if self._pace is None else pace_limits.PACED_READ)

    # --- asking ---------------------------------------------------------------------------------------

    async def call(self, question: msgspec.Struct, reply: type[T], files: Sequence[int] = ()) -> T:
        """Ask, and return the answer. Raises what the other side raised, or `LinkLost`; with `files` as `send`."""
        body, _ = await self._asking.ask(_encoder.encode(question), files=files)
        return unpack(body, reply)

    async def fetch(self, question: msgspec.Struct, reply: type[T]) -> tuple[T, Files]:
        """Ask for what may bring files, and return it with them: the caller closes them. Raises as `call`."""
        body, files = await self._asking.ask(_encoder.encode(question), fetches=True)
        try:
            return unpack(body, reply), files
        except ProtocolError:
            files.close()
            raise

    async def stream(self, question: msgspec.Struct, on_item: Callable[[bytes], None], end: type[T]) -> T:
        """Ask; `on_item` gets each item's MessagePack as it comes; return the closing answer."""
        body, _ = await self._asking.ask(_encoder.encode(question), on_item)
        return unpack(body, end)

    # --- sending --------------------------------------------------------------------------------------

    def send(self, frame: Frame, files: Sequence[int] = ()) -> None:
        """Queue a frame with the sealed memfds that belong to it, which the caller keeps and closes.

        Raises `LinkLost` when the connection is gone or the peer does not read, `BadFrame` and `FrameTooLong` for
        what no frame can carry, `NotSealed`, `TooManyFiles`.
        """
        if self._stream.closing:
            raise LinkLost(f"The connection to {self.peer} is gone.")
        if self._stream.queued > limits.LINK_BUFFER or self._stream.handles_queued > limits.LINK_FILES_QUEUED:
            self._stream.abort()
            raise LinkLost(f"{self.peer} does not read what it is sent and was disconnected.")
        data = encode_frame(codec.encode(frame, len(files)))
        self._stream.write(data, memfd.copies(files) if files else ())

    def close(self) -> None:
        """Close after what is queued was written."""
        self._stream.close()

    def drop(self) -> None:
        """Close now; what is queued is thrown away, so that a peer which does not read cannot stay."""
        self._stream.abort()

    # --- ipc.stream.Owner -----------------------------------------------------------------------------

    def bytes_received(self, data: bytes, handles: tuple[int, ...]) -> None:
        self._came += handles
        try:
            for handle in handles:
                memfd.size(handle)
            payloads = self._decoder.feed(data)
            if self._pace is not None:
                self._wait(self._pace, len(payloads) + len(data) / pace_limits.PACED_READ)
            for payload in payloads:
                frame, count = codec.opened(payload)
                if count or self._came:
                    self._take_with(frame, self._claimed(count))
                else:
                    self._take(frame)
            if len(self._came) > (limits.LINK_FILES if self._decoder.pending else 0):
                raise ProtocolError("The peer sent files that no frame claims.")
        except ProtocolError:
            self._stream.abort()

    def _wait(self, pace: Pace, amount: float) -> None:
        pause = pace.took(amount, asyncio.get_running_loop().time())
        if pause:
            self._stream.pause(pause)

    def stream_lost(self) -> None:
        Files(tuple(self._came)).close()
        self._came.clear()
        self._asking.lost(f"The connection to {self.peer} was lost.")
        for task in self._answering.values():
            task.cancel()
        self.closed.set()
        self.receiver.lost(self)

    # --- taking frames --------------------------------------------------------------------------------

    def _claimed(self, count: int) -> Files:
        """Return the files of the frame that is read now. Raises `ProtocolError` where some are missing."""
        if count > len(self._came):
            raise ProtocolError("The peer announced files that it did not send.")
        claimed = Files(tuple(self._came[:count]))
        del self._came[:count]
        return claimed

    def _take_with(self, frame: Frame, files: Files) -> None:
        """Take a frame that brings files, or none while others wait for theirs."""
        if not files:
            self._take(frame)
            return
        try:
            self._take_files(frame, files)
        except BaseException:
            files.close()
            raise

    def _take_files(self, frame: Frame, files: Files) -> None:
        receiver = self.receiver
        match frame:
            case Call() if isinstance(receiver, TakesFiles):
                self._start_answer(frame, files)
            case Reply(number, body):
                self._asking.settle(number, (body, files))
            case Item() | Failure() | Cancel():
                raise ProtocolError("The peer sent files with what takes none.")
            case _ if isinstance(receiver, TakesFiles) and not isinstance(frame, Call):
                receiver.received_with(self, frame, files)
            case _:
                raise ProtocolError("The peer may not send files.")

    def _take(self, frame: Frame) -> None:
        match frame:
            case Call():
                self._start_answer(frame, NONE)
            case Item(number, body):
                self._asking.item(number, body)
            case Reply(number, body):
                self._asking.settle(number, (body, NONE))
            case Failure():
                self._asking.settle(frame.id, raised(frame))
            case Cancel(number):
                task = self._answering.get(number)
                if task is not None:
                    task.cancel()
            case _:
                self.receiver.received(self, frame)

    def _start_answer(self, call: Call, files: Files) -> None:
        if len(self._answering) >= limits.LINK_QUESTIONS or call.id in self._answering:
            raise ProtocolError("The peer asks too much at once.")
        task = asyncio.get_running_loop().create_task(self._answer(call, files))
        self._answering[call.id] = task

        # Not in the task itself: one that is cancelled before its first step never runs.
        def answered(_: asyncio.Task[None]) -> None:
            files.close()
            self._answering.pop(call.id, None)

        task.add_done_callback(answered)

    async def _answer(self, call: Call, files: Files) -> None:
        def emit(item: msgspec.Struct) -> None:
            self.send(Item(call.id, _encoder.encode(item)))

        try:
            self._reply(call.id, await self._answered(call, files, emit))
        except WirkenError as error:  # LinkLost included: it may be another link's
            self._fail(call.id, error)
        except Exception:  # noqa: BLE001  # one bad question must not leave its asker waiting for ever
            _log.exception("a question failed in a way that was not foreseen")
            self._fail(call.id, WirkenError("Something went wrong inside Wirken; its log says what."))

    async def _answered(self, call: Call, files: Files, emit: Emit) -> Answered:
        if files and isinstance(self.receiver, TakesFiles):
            return await self.receiver.answer_with(self, call.body, files, emit)
        return await self.receiver.answer(self, call.body, emit)

    def _reply(self, number: int, answer: Answered) -> None:
        if not isinstance(answer, Enclosing):
            self.send(Reply(number, _encoder.encode(answer)))
            return
        with answer.files as files:
            self.send(Reply(number, _encoder.encode(answer.reply)), files.handles)

    def _fail(self, number: int, error: WirkenError) -> None:
        with contextlib.suppress(LinkLost):
            self.send(failure(number, error))
