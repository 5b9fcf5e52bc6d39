"""Files that come with a message: fetched within bounds into sealed memory, under names that can do no harm.

What a platform claims of a size refuses a file early; what counts is what comes. Nothing is looked into.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Generic

from wirken.channels.attempts import Attempts
from wirken.channels.contract import Attachment, Platform, PlatformAway, Revoked, SlowDown, Undeliverable
from wirken.channels.timing import Pauses
from wirken.domain import adapter_limits as limits
from wirken.domain.errors import Unavailable
from wirken.domain.platforms import P
from wirken.domain.text import clean, clip, shown
from wirken.ipc.memfd import Filling, TooLarge

_MEBIBYTE: Final = 2**20


class NotFetched(Unavailable):
    """The platform does not hand a file over."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that came, as the descriptor of a sealed memfd."""

    name: str
    media_type: str
    size: int
    handle: int


@dataclass(slots=True)
class Fetched:
    """What came of a message's files; `refused` has a sentence for the sender about each that did not."""

    files: list[File] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)


class Attachments(Generic[P]):
    """Fetches, for `limits.FETCHES` messages at once."""

    def __init__(self, platform: Platform[P], attempts: Attempts) -> None:
        self._platform, self._attempts = platform, attempts
        self._places = asyncio.Semaphore(limits.FETCHES)

    @asynccontextmanager
    async def fetched(self, files: tuple[Attachment, ...]) -> AsyncIterator[Fetched]:
        """Give a message's files; their descriptors are closed afterwards."""
        got = Fetched()
        if not files:
            yield got
            return
        async with self._places:
            try:
                for number, file in enumerate(files[: limits.ATTACHMENTS], 1):
                    await self._one(got, file, file_name(file.name, number))
                if len(files) > limits.ATTACHMENTS:
                    got.refused.append(f"Only the first {limits.ATTACHMENTS} files were taken.")
                yield got
            finally:
                for taken in got.files:
                    os.close(taken.handle)

    async def _one(self, got: Fetched, file: Attachment, name: str) -> None:
        try:
            handle, size = await self._tried(file, limits.ATTACHMENT - got.bytes)
        except TooLarge:
            most = limits.ATTACHMENT // _MEBIBYTE
            got.refused.append(f"“{name}” was not taken: the files of one message may have {most} MiB.")
        except (NotFetched, Undeliverable, Revoked):
            got.refused.append(f"“{name}” was not taken: it could not be fetched. Send it again.")
        else:
            media_type, _ = clip(shown(clean(file.media_type)), limits.MEDIA_TYPE)
            got.files.append(File(name, media_type, size, handle))

    async def _tried(self, file: Attachment, most: int) -> tuple[int, int]:
        """Return descriptor and size. Raises `TooLarge`, `NotFetched`, `Undeliverable`, `Revoked`."""
        if file.size > most:
            raise TooLarge(f"The file has more than {most} bytes.")
        pauses = Pauses(self._attempts.timing.chance, limits.SEND_FIRST, limits.SEND_LONGEST)
        for _ in range(limits.FETCH_TRIES - 1):
            try:
                return await self._attempts.timing.within(limits.FETCH_TIME, self._bytes(file, most))
            except SlowDown as slow:
                await self._attempts.timing.sleep(min(max(slow.seconds, 0.0), limits.SEND_LONGEST))
            except (PlatformAway, TimeoutError):
                await self._attempts.rests.rest(pauses.next())
        try:
            return await self._attempts.timing.within(limits.FETCH_TIME, self._bytes(file, most))
        except (PlatformAway, TimeoutError):
            raise NotFetched("The platform does not hand a file over.") from None

    async def _bytes(self, file: Attachment, most: int) -> tuple[int, int]:
        filling, pieces = Filling(most), self._platform.fetch(file)
        try:
            async for piece in pieces:
                filling.add(piece)
            return filling.sealed(), filling.bytes
        finally:
            filling.close()
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()


def file_name(name: str, number: int) -> str:
    """Return a base name of visible characters that nobody's folder gives a meaning; `file-<number>` for none."""
    base = clean(name).replace("\\", "/").rpartition("/")[2]
    base = "".join(sign if shown(sign) == sign else "_" for sign in base).strip(" .")
    stem, dot, suffix = base.rpartition(".")
    if not dot or len(suffix) > limits.ATTACHMENT_SUFFIX:
        stem, dot, suffix = base, "", ""
    return f"{stem[: limits.ATTACHMENT_NAME - len(dot + suffix)]}{dot}{suffix}" or f"file-{number}"
