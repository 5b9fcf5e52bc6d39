"""The page's end of the link to the gateway: messages out, their acceptance back, events to every stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from wirken.domain import limits
from wirken.domain.clock import Clock
from wirken.domain.errors import Refused, Unavailable
from wirken.ipc.calls.operator import WebQuestion
from wirken.ipc.frames import Accepted, Asked, Conversing, Delta, Inbound, Over, Rejected, Row, Said, Settled
from wirken.ipc.link import Link
from wirken.web.answers import NotTaken, TooManyStreams
from wirken.web.events import AWAY, Stream, frame_event

T = TypeVar("T")


class GatewayAway(Unavailable):
    """There is no link to the gateway now."""

    hint = "It is restarted by itself; the page reconnects in a moment."


class Hub:
    """Implements `ipc.link.Receiver`. One loop, no locks."""

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock
        self._link: Link | None = None
        self._streams: Final[set[Stream]] = set()
        self._accepting: Final[dict[str, asyncio.Future[Accepted | Rejected | Said]]] = {}
        self._closing = False

    # --- towards the gateway --------------------------------------------------------------------------

    def connected(self, link: Link) -> None:
        """Take the link that has just been made."""
        self._link = link

    async def converse(self, message: Inbound) -> Accepted | Said:
        """Send a message; return once its row is on disk, or the gateway has answered it itself.

        The same platform id again, also while the first waits, gets the same outcome. Raises `NotTaken`,
        `GatewayAway` or `Unavailable`; after the last two it is unknown whether the row was written.
        """
        link = self._up()
        waiting = self._accepting.get(message.platform_id)
        if waiting is None:
            link.send(message)
            waiting = asyncio.get_running_loop().create_future()
            waiting.add_done_callback(lambda _: self._accepting.pop(message.platform_id, None))
            self._accepting[message.platform_id] = waiting
        try:
            # Another request with the same id may wait on the same future, so that ours must not cancel it.
            outcome = await asyncio.wait_for(asyncio.shield(waiting), limits.PAGE_ACCEPT)
        except TimeoutError:
            waiting.cancel()
            raise Unavailable(
                "The gateway did not confirm the message in time.",
                hint="Send it again; it is taken only once.",
            ) from None
        if isinstance(outcome, Rejected):
            raise NotTaken(outcome.reason, hint=outcome.hint)
        return outcome

    async def ask(self, question: WebQuestion, reply: type[T]) -> T:
        """Put a question to the gateway. Raises what it raises, or `GatewayAway`."""
        return await self._up().call(question, reply)

    def _up(self) -> Link:
        if self._link is None:
            raise GatewayAway("The gateway is not connected.")
        return self._link

    # --- towards browsers -----------------------------------------------------------------------------

    def subscribe(self, wants: Callable[[str], bool]) -> Stream:
        """Return a stream that gets the events of the sessions it wants, and every approval's.

        Raises `TooManyStreams`, or `GatewayAway` where nothing could come.
        """
        self._up()
        if len(self._streams) >= limits.PAGE_STREAMS:
            raise TooManyStreams(f"{limits.PAGE_STREAMS} tabs of the page are open; there is no room for another.")
        stream = Stream(wants)
        if self._closing:
            stream.end()
        self._streams.add(stream)
        return stream

    def unsubscribe(self, stream: Stream) -> None:
        self._streams.discard(stream)

    @property
    def streams(self) -> int:
        """Open event streams."""
        return len(self._streams)

    def close(self) -> None:
        """End every stream; further ones end at once."""
        self._closing = True
        for stream in self._streams:
            stream.end()

    # --- ipc.link.Receiver ----------------------------------------------------------------------------

    async def answer(self, link: Link, question: bytes, emit: Callable[[msgspec.Struct], None]) -> msgspec.Struct:
        raise Refused("The page answers no questions.")

    def received(self, link: Link, frame: Conversing) -> None:
        match frame:
            case Accepted() | Rejected() | Said():
                waiting = self._accepting.get(frame.platform_id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(frame)
            case Delta():
                for stream in self._streams:
                    if stream.wants(frame.session):
                        stream.preview(frame.session, frame.text)
            case Asked() | Settled():
                # Every tab learns of a question, so that none is missed while another conversation is open.
                self._send(frame, [*self._streams])
            case Row() | Over():
                self._send(frame, [stream for stream in self._streams if stream.wants(frame.session)])
            case Inbound():
                pass

    def lost(self, link: Link) -> None:
        if self._link is link:
            self._link = None
        for waiting in list(self._accepting.values()):
            if not waiting.done():
                waiting.set_exception(GatewayAway("The gateway went away before it confirmed the message."))
        for stream in self._streams:
            stream.end(AWAY)

    def _send(self, frame: Row | Asked | Settled | Over, streams: list[Stream]) -> None:
        if not streams:
            return
        event = frame_event(frame, self._clock)
        for stream in streams:
            stream.put(event)
