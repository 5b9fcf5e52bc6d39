"""Sends what the gateway has for a conversation: in order, piece by piece, each until it has arrived or never will.

A message is known by its key: asked for again it is joined while it is under way, and answered from memory after that.
What was sent of it is not sent again when a later piece has to be tried again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Generic, TypeVar

from wirken.channels.attempts import Attempts
from wirken.channels.contract import Platform, Undeliverable
from wirken.channels.jobs import unforeseen
from wirken.channels.keys import short_key
from wirken.channels.lanes import Lanes
from wirken.channels.render.pieces import Piece
from wirken.channels.streaming import Streams
from wirken.channels.writing import Writing
from wirken.domain import adapter_limits as limits
from wirken.domain.errors import Unavailable
from wirken.domain.ids import conversation_id
from wirken.domain.limits import PLATFORM_ID
from wirken.domain.platforms import P, SessionHandle
from wirken.domain.text import brief, clean, clip
from wirken.ipc import memfd
from wirken.ipc.calls.channels import Deliver, Delivered

T = TypeVar("T")
_log: Final = logging.getLogger("wirken.channels")
_SAID: Final = "said:"
"""Begins the keys of sentences that have no row."""


class TooBusy(Unavailable):
    """More is on its way to the platform already than may be."""

    hint = "Ask again in a moment."


class FileTooLarge(Undeliverable):
    """The platform takes no file of this size, or none at all."""


@dataclass(slots=True)
class _Sending:
    """What has arrived so far of one message."""

    asked: Deliver
    file: int = -1
    """A descriptor of its file of our own."""
    ids: list[str] = field(default_factory=list)

    def arrived(self, platform_id: str) -> None:
        self.ids.append(clip(clean(platform_id), PLATFORM_ID)[0])

    def so_far(self, failed: str = "") -> Delivered:
        return Delivered(platform_ids=tuple(self.ids), failed=brief(failed))


class Outbound(Generic[P]):
    """What is on its way to one platform."""

    def __init__(
        self, platform: Platform[P], attempts: Attempts, lanes: Lanes, writing: Writing, streams: Streams[P]
    ) -> None:
        self._platform, self._attempts, self._lanes = platform, attempts, lanes
        self._writing, self._streams = writing, streams
        self._under_way: dict[str, asyncio.Task[Delivered]] = {}
        self._arrived: OrderedDict[str, Delivered] = OrderedDict()
        self._files = asyncio.Semaphore(limits.FILES_SENT)

    async def deliver(self, asked: Deliver, file: int = -1) -> Delivered:
        """Return what became of a message once the platform has it or never will; `file`: its sealed memfd, if any.

        Whoever stops waiting stops nothing: a message that was begun is sent to its end. Raises `TooBusy`,
        `BadIdentifier`.
        """
        known = self._arrived.get(asked.key)
        if known is not None:
            return known
        return await asyncio.shield(self._task(asked, file, limits.SENDINGS))

    def say(self, conversation: SessionHandle[P], platform_id: str, text: str) -> None:
        """Answer a message that no turn comes of. Once: the same message again is not answered again."""
        key = _SAID + platform_id
        if not text or key in self._arrived:
            return
        said = Deliver(key=key, conversation=conversation.conversation, text=text, reply_to=platform_id)
        try:
            self._task(said, -1, limits.SAYINGS)
        except TooBusy:
            _log.warning("a sentence about a message is left unsaid: too many are on their way")

    async def end(self) -> None:
        """Stop everything; what is not confirmed is asked for again."""
        for task in self._under_way.values():
            task.cancel()
        if self._under_way:
            await asyncio.wait(set(self._under_way.values()))

    def _task(self, asked: Deliver, file: int, most: int) -> asyncio.Task[Delivered]:
        task = self._under_way.get(asked.key)
        if task is None:
            handle: SessionHandle[P] = SessionHandle(conversation_id(asked.conversation))
            if len(self._under_way) >= most:
                raise TooBusy("Too much is on its way to the platform.")
            sending = _Sending(asked, os.dup(file) if file >= 0 else -1)
            task = asyncio.get_running_loop().create_task(self._delivered(handle, sending))
            self._under_way[asked.key] = task
            task.add_done_callback(partial(self._done, sending))
        return task

    def _done(self, sending: _Sending, task: asyncio.Task[Delivered]) -> None:
        key = sending.asked.key
        del self._under_way[key]
        if sending.file >= 0:
            os.close(sending.file)
        unforeseen(task)
        if not task.cancelled() and task.exception() is None:
            self._arrived[key] = task.result()
            while len(self._arrived) > limits.DELIVERED:
                self._arrived.popitem(last=False)

    # --- one message ----------------------------------------------------------------------------------

    async def _delivered(self, handle: SessionHandle[P], sending: _Sending) -> Delivered:
        async with self._lanes.of(handle.conversation):
            try:
                if sending.asked.file:
                    await self._file(handle, sending)
                else:
                    await self._message(handle, sending)
            except Undeliverable as error:
                return sending.so_far(str(error) or "The platform does not take this message.")
        return sending.so_far()

    async def _message(self, handle: SessionHandle[P], sending: _Sending) -> None:
        asked = sending.asked
        is_answer = not asked.key.startswith(_SAID)
        pieces = await (self._writing.markdown(asked.text) if is_answer else self._writing.plain(asked.text))
        preview = self._streams.claimed(handle, asked.reply_to) if is_answer else ""
        for part, piece in enumerate(pieces):
            if part == 0 and preview and await self._replaced(handle, preview, piece):
                sending.arrived(preview)
                continue
            await self._piece(handle, sending, piece, part)

    async def _piece(self, handle: SessionHandle[P], sending: _Sending, piece: Piece, part: int) -> None:
        reply_to = sending.asked.reply_to if part == 0 else ""
        key = short_key(sending.asked.key, part)
        sending.arrived(await self._until_done(handle, lambda: self._platform.send(handle, piece, key, reply_to)))

    async def _replaced(self, handle: SessionHandle[P], preview: str, piece: Piece) -> bool:
        """Make the first piece of the preview; False where that message is no more."""
        try:
            await self._until_done(handle, lambda: self._platform.edit(handle, preview, piece))
        except Undeliverable:
            return False
        return True

    async def _file(self, handle: SessionHandle[P], sending: _Sending) -> None:
        """Send a file; a caption too long for one message goes before it as messages of their own."""
        asked, most = sending.asked, self._platform.traits.file_most
        if sending.file < 0:
            raise Undeliverable("The file did not come with the question.")
        size = memfd.size(sending.file)
        if size > most:
            raise FileTooLarge(
                f"The file has {size} bytes; this platform takes {most}." if most else "No files can be sent here."
            )
        pieces = await self._writing.markdown(asked.text) if asked.text.strip() else ()
        before, caption = (pieces, None) if len(pieces) > 1 else ((), pieces[0] if pieces else None)
        for part, piece in enumerate(before):
            await self._piece(handle, sending, piece, part)
        key = short_key(asked.key, len(before))
        platform, reply_to = self._platform, "" if before else asked.reply_to
        async with self._files:
            data = memfd.content(sending.file)
            sending.arrived(
                await self._until_done(
                    handle,
                    lambda: platform.send_file(handle, asked.file, asked.media_type, data, caption, key, reply_to),
                    limits.SEND_FILE_TIME,
                )
            )

    async def _until_done(
        self,
        handle: SessionHandle[P],
        act: Callable[[], Coroutine[object, object, T]],
        seconds: float = limits.SEND_TIME,
    ) -> T:
        return await self._attempts.until_done(handle.conversation, act, seconds)
