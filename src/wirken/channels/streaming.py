"""An answer while it is written: one preview a turn, edited at the platform's pace; the answer takes its place.

Short answers, and those that are ready at once, get none. A preview never holds more than one message, ends with a mark
that there is more to come while it is not full, and is tried once: the next is more to the point than a late one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final, Generic

from wirken.channels.attempts import Attempts
from wirken.channels.contract import Platform, Undeliverable
from wirken.channels.jobs import Jobs
from wirken.channels.keys import short_key
from wirken.channels.lanes import Lanes
from wirken.channels.render.pieces import Piece
from wirken.channels.underway import UnderWay
from wirken.channels.writing import Writing
from wirken.domain import adapter_limits as limits
from wirken.domain.platforms import P, SessionHandle

_GOES_ON: Final = " …"
_UNFINISHED: Final = "\n\n(This answer was not finished.)"


@dataclass(slots=True)
class _Stream(Generic[P]):
    """One turn's preview. `closed`: its message is the answer's now, or nobody's."""

    handle: SessionHandle[P]
    reply_to: str
    text: str = ""
    new_paragraph: bool = False
    message_id: str = ""
    shown: Piece | None = None
    putting: bool = False
    closed: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def key(self) -> tuple[str, str]:
        return self.handle.conversation, self.reply_to


class Streams(Generic[P]):
    """The previews on one platform; none where `every` (seconds between two edits) is 0."""

    def __init__(
        self,
        platform: Platform[P],
        attempts: Attempts,
        lanes: Lanes,
        writing: Writing,
        underway: UnderWay[P],
        every: float,
    ) -> None:
        self._platform, self._attempts, self._lanes = platform, attempts, lanes
        self._writing, self._underway, self._every = writing, underway, every
        self._streams: dict[tuple[str, str], _Stream[P]] = {}
        self._jobs = Jobs(2 * limits.STREAMS)  # a preview that is being ended, and the next turn's

    def delta(self, handle: SessionHandle[P], text: str) -> None:
        """A further piece of an answer."""
        if self._every <= 0:
            return
        turn = self._underway.current(handle.conversation)
        stream = self._streams.get((handle.conversation, turn))
        if stream is None:
            stream = _Stream(handle, turn)
            if len(self._streams) >= limits.STREAMS or self._jobs.start(self._show(stream)) is None:
                return
            self._streams[handle.conversation, turn] = stream
        between = "\n\n" if stream.new_paragraph and stream.text else ""
        stream.new_paragraph = False
        stream.text = f"{stream.text}{between}{text}"[: limits.STREAM_TEXT]
        stream.news.set()

    def boundary(self, conversation: str) -> None:
        """The model has stopped for a call: what it says next is a paragraph of its own."""
        stream = self._streams.get((conversation, self._underway.current(conversation)))
        if stream is not None:
            stream.new_paragraph = True

    def gateway_lost(self) -> None:
        """What was streamed will be written anew; the messages that show it stay ours."""
        for stream in self._streams.values():
            stream.text = ""

    def claimed(self, handle: SessionHandle[P], reply_to: str) -> str:
        """Return the message that the answer to `reply_to` may take the place of, or nothing. Hold the lane."""
        stream = self._of(handle.conversation, reply_to)
        if stream is None:
            return ""
        self._close(stream)
        return stream.message_id

    def over(self, conversation: str, platform_id: str, outcome: str) -> None:
        """A turn has ended; its answer, or the reason why there is none, follows or came before."""
        stream = self._of(conversation, platform_id)
        if stream is None:
            return
        shows = stream.message_id or stream.putting
        if not shows or self._jobs.start(self._finish(stream, outcome, limits.STREAM_GRACE)) is None:
            self._close(stream)

    async def end(self) -> None:
        await self._jobs.end()

    def _of(self, conversation: str, platform_id: str) -> _Stream[P] | None:
        """Return the preview of a message's turn; one whose message nobody knows was begun before this process."""
        known = self._streams.get((conversation, platform_id))
        return known or self._streams.get((conversation, ""))

    def _close(self, stream: _Stream[P]) -> None:
        stream.closed = True
        stream.news.set()
        if self._streams.get(stream.key) is stream:
            del self._streams[stream.key]

    # --- showing --------------------------------------------------------------------------------------

    async def _show(self, stream: _Stream[P]) -> None:
        await self._attempts.timing.sleep(limits.STREAM_AFTER)
        while not stream.closed:
            stream.news.clear()
            if stream.message_id or len(stream.text) >= limits.STREAM_SHORTEST:
                await self._put(stream)
            await self._attempts.timing.sleep(self._every)
            try:
                await self._attempts.timing.within(limits.TYPING_SILENT, stream.news.wait())
            except TimeoutError:  # the gateway went away, and its turn with it
                return await self._finish(stream, "interrupted", 0.0)
        return None

    async def _put(self, stream: _Stream[P]) -> None:
        async with self._lanes.of(stream.handle.conversation):
            piece = self._writing.start(stream.text.rstrip() + _GOES_ON)
            if stream.closed or piece is None or piece == stream.shown:
                return
            stream.putting = True
            try:
                put = await self._attempts.once(
                    stream.handle.conversation, lambda: self._placed(stream, piece), limits.STREAM_TIME
                )
            except Undeliverable:
                self._close(stream)
                return
            finally:
                stream.putting = False
            if put is not None:
                stream.message_id, stream.shown = put, piece

    async def _placed(self, stream: _Stream[P], piece: Piece) -> str:
        if stream.message_id:
            await self._platform.edit(stream.handle, stream.message_id, piece)
            return stream.message_id
        key = short_key(f"preview:{stream.handle.conversation}:{stream.reply_to}")
        return await self._platform.send(stream.handle, piece, key, stream.reply_to)

    async def _finish(self, stream: _Stream[P], outcome: str, grace: float) -> None:
        """Leave no message behind that promises more, if nothing takes its place in time."""
        await self._attempts.timing.sleep(grace)
        async with self._lanes.of(stream.handle.conversation):
            if stream.closed:
                return
            self._close(stream)
            ended = outcome == "finished"
            text = stream.text if ended else f"{stream.text[: limits.STREAM_UNFINISHED]}{_UNFINISHED}"
            piece = self._writing.start(text)
            if piece is not None and stream.message_id:
                await self._attempts.once(
                    stream.handle.conversation,
                    lambda: self._platform.edit(stream.handle, stream.message_id, piece),
                    limits.STREAM_TIME,
                )
