"""What goes to browsers as Server-Sent Events, and the bounded queue before each of them.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from wirken.domain import limits
from wirken.domain.clock import Clock
from wirken.domain.errors import ProtocolError
from wirken.domain.text import shown, unpadded
from wirken.ipc.calls.operator import ApprovalRow
from wirken.ipc.frames import Asked, Over, Row, Settled
from wirken.ipc.link import unpack

BEAT: Final = b": beat\n\n"
HELLO: Final = b": connected\n\n"
RELOAD: Final = b"event: reload\ndata: {}\n\n"
AWAY: Final = b"event: away\ndata: {}\n\n"

_encoder: Final = msgspec.json.Encoder()


class _Seq(msgspec.Struct, frozen=True):
    seq: int


_seq: Final = msgspec.json.Decoder(_Seq)


class Event(msgspec.Struct, frozen=True):
    """One encoded event. `seq` is a row's, else -1."""

    data: bytes
    seq: int = -1


class Preview:
    """Pieces of an answer that wait together, so that a slow browser gets few long ones."""

    __slots__ = ("pieces", "session")

    def __init__(self, session: str, piece: str) -> None:
        self.session: Final = session
        self.pieces: Final = [piece]

    def encoded(self) -> bytes:
        return _event(b"delta", _encoder.encode({"session": self.session, "text": "".join(self.pieces)}))


class CardCall(msgspec.Struct, frozen=True, kw_only=True):
    """An approval for the page. All text is made visible (`domain.text.shown`); times are ms since the epoch.

    `now` is this machine's time, because the browser of an ssh tunnel may have another.
    """

    approval: str
    session: str
    call_id: str
    tool: str
    command: str
    call: str
    lease: str
    action_keys: tuple[str, ...]
    tier: str
    reasons: tuple[str, ...]
    expires: int
    principal: str
    sender_name: str
    message: str
    message_cut: int
    """Bytes of the message that are not shown; as `said_cut`."""
    said: str
    said_cut: int
    place: tuple[str, ...]
    choices: tuple[str, ...]
    held_until: int
    now: int


def card(row: ApprovalRow, clock: Clock) -> CardCall:
    """Return an approval as the page shows it: nothing in it can hide, reorder or push out of sight what is decided."""
    return CardCall(
        approval=row.approval,
        session=row.session,
        call_id=row.call_id,
        tool=_seen(row.tool),
        command=shown(unpadded(row.command), keep_newlines=True),
        call=_seen(row.call),
        lease=row.lease,
        action_keys=tuple(_seen(key) for key in row.action_keys),
        tier=row.tier,
        reasons=tuple(_seen(reason) for reason in row.reasons),
        expires=row.expires,
        principal=shown(row.principal),
        sender_name=shown(row.sender_name),
        message=shown(row.message, keep_newlines=True),
        message_cut=row.message_cut,
        said=shown(row.said, keep_newlines=True),
        said_cut=row.said_cut,
        place=tuple(map(shown, row.place)),
        choices=row.choices,
        held_until=row.held_until,
        now=clock.now(),
    )


def _seen(text: str) -> str:
    return shown(unpadded(text))


def row_event(payload: bytes) -> Event:
    """Return a row's event: its stored bytes, and its seq as the event's id. Raises `ProtocolError`."""
    try:
        seq = _seq.decode(payload).seq
    except msgspec.DecodeError as error:
        raise ProtocolError("The gateway sent a row that is no row.") from error
    return Event(_event(b"row", payload, b"id: %d\n" % seq), seq)


def frame_event(frame: Row | Asked | Settled | Over, clock: Clock) -> Event:
    """Return the event of a frame. Raises `ProtocolError`."""
    match frame:
        case Row():
            return row_event(frame.payload)
        case Asked():
            shown_card = card(unpack(frame.approval, ApprovalRow), clock)
            return Event(_event(b"asked", _encoder.encode(shown_card)))
        case Settled():
            fields = {"session": frame.session, "approval": frame.approval, "decision": frame.decision}
            return Event(_event(b"settled", _encoder.encode(fields)))
        case Over():
            ended = {"session": frame.session, "platform_id": frame.platform_id}
            why = {"outcome": frame.outcome, "reason": frame.reason}
            return Event(_event(b"over", _encoder.encode(ended | why)))


def _event(name: bytes, data: bytes, first: bytes = b"") -> bytes:
    # Stored rows are canonical JSON and hold no line ends; one that did would otherwise forge further events.
    if b"\n" in data or b"\r" in data:
        raise ProtocolError("The gateway sent JSON that is not canonical.")
    return first + b"event: " + name + b"\ndata: " + data + b"\n\n"


class Stream:
    """Events that wait for one browser, at most `limits.PAGE_QUEUE`; a slow one is told to reload."""

    def __init__(self, wants: Callable[[str], bool]) -> None:
        self.wants: Final = wants
        self._waiting: list[Event | Preview] = []
        self._something: Final = asyncio.Event()
        self.ended = False

    def put(self, event: Event) -> None:
        """Queue an event; a stream that has ended takes no more."""
        if self.ended:
            return
        if len(self._waiting) >= limits.PAGE_QUEUE:
            self._waiting.clear()
            self.end(RELOAD)
            return
        self._waiting.append(event)
        self._something.set()

    def preview(self, session: str, piece: str) -> None:
        """Queue a piece of an answer, together with what waits already where nothing came between."""
        last = self._waiting[-1] if self._waiting else None
        if isinstance(last, Preview) and last.session == session and not self.ended:
            last.pieces.append(piece)
        elif not self.ended and len(self._waiting) < limits.PAGE_QUEUE:
            self._waiting.append(Preview(session, piece))
            self._something.set()

    def end(self, last: bytes = b"") -> None:
        """Let the stream end once what waits, and then `last`, was sent."""
        if not self.ended:
            self.ended = True
            if last:
                self._waiting.append(Event(last))
        self._something.set()

    async def take(self) -> list[Event | Preview]:
        """Return all that waits; empty after a silent `limits.PAGE_BEAT`, or when the stream has ended."""
        if not self._waiting and not self.ended:
            self._something.clear()
            try:
                async with asyncio.timeout(limits.PAGE_BEAT):
                    await self._something.wait()
            except TimeoutError:
                return []
        taken, self._waiting = self._waiting, []
        return taken


def joined(events: list[Event | Preview], after: int) -> tuple[bytes, int]:
    """Return the events as one piece for the wire, without rows up to seq `after`, and the last row's seq."""
    pieces: list[bytes] = []
    for event in events:
        if isinstance(event, Preview):
            pieces.append(event.encoded())
        elif event.seq < 0 or event.seq > after:
            pieces.append(event.data)
            after = max(after, event.seq)
    return b"".join(pieces), after
