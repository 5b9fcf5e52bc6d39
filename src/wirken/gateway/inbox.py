"""Files that came with messages: looked at as far as the record needs, handed on to the runner, settled by a row.

The gateway holds their descriptors, never their bytes. What is on record and not in the workspace, because a process
died in between, is written when the platform sends its message again, or given up a while after the start.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from wirken.domain import file_limits, limits
from wirken.domain.errors import Unavailable, WirkenError
from wirken.domain.events import FilesKept, Trust
from wirken.domain.ids import SessionId
from wirken.domain.inbox import KeptFile, MissingFile, kept_name, media_type, path_of
from wirken.domain.text import brief
from wirken.gateway.router import RUNNER, Router, Wish
from wirken.gateway.sessions import Session, Sessions
from wirken.gateway.wings import Wings
from wirken.ipc import memfd
from wirken.ipc.calls.runner import Keep, KeptIt, WirePermit
from wirken.ipc.files import Files
from wirken.ipc.frames import Attached
from wirken.record.permit import FilePermit

_log: Final = logging.getLogger("wirken.gateway")
NEVER_CAME: Final = "It was not written before a restart, and its platform did not send it again."
ANOTHER: Final = "What its platform sent the second time was another file."
NO_RUNNER: Final = "The process that writes files could not be reached."


class Came(NamedTuple):
    """A file beside a message, as it will be recorded once its row is known."""

    name: str
    media_type: str
    size: int
    sha256: str


@dataclass(slots=True)
class Inbox:
    """`start` runs what waits in a session."""

    router: Router
    wings: Wings
    sessions: Sessions
    start: Callable[[Session], None]

    async def keep(self, session: Session, seq: int, came: Sequence[Came], files: Files) -> None:
        """Have the files of the message at row `seq` written and record that; done already, it does nothing.

        Raises `RecordFailed`, `RecordTampered`. Nothing else keeps the row from being written: a message that is on
        record has its turn, whatever became of its files.
        """
        if seq not in session.bringing.messages:
            return
        async with session.bringing.writing:
            if seq in session.bringing.messages:
                workspace = self.router.workspace(session.agent, Wish())
                permits = await session.log.file_permits(session.id, seq, workspace)
                missing = await self._written(permits, came, files)
                await session.record((Trust.GATEWAY, FilesKept(message_seq=seq, missing=missing)), unfinished=True)

    async def give_up(self, names: Iterable[SessionId]) -> None:
        """Wait for platforms to send again what was left unwritten in these sessions, then go on without it."""
        await asyncio.sleep(file_limits.INBOX_AGAIN)
        for name in names:
            try:
                session = self.sessions.get(name)
                for seq in tuple(session.bringing.messages):
                    await self.keep(session, seq, (), Files())
            except WirkenError as error:
                _log.warning("files of session %s are not given up: %s", name, error)
                continue
            self.start(session)

    async def _written(
        self, permits: Sequence[FilePermit], came: Sequence[Came], files: Files
    ) -> tuple[MissingFile, ...]:
        """Have each file written; return those that were not."""
        missing = []
        for permit in permits:
            found = [at for at, one in enumerate(came) if one.sha256 == permit.keeping.sha256]
            if found:
                reason = await self._handed_on(permit, files.handles[found[0]])
            else:
                reason = ANOTHER if came else NEVER_CAME
            if reason:
                missing.append(MissingFile(permit.keeping.path, brief(reason)))
        return tuple(missing)

    async def _handed_on(self, permit: FilePermit, handle: int) -> str:
        """Give one file to the runner; return why it was not written, or nothing."""
        keeping = permit.keeping
        question = Keep(WirePermit(keeping.session, permit.seq, keeping.digest()), keeping.canonical())
        pause = limits.RESTART_FIRST
        try:
            async with asyncio.timeout(file_limits.INBOX_TIME):
                while True:
                    try:
                        link = await self.wings.get(RUNNER)
                        await link.call(question, KeptIt, files=(handle,))
                    except Unavailable:
                        await asyncio.sleep(pause)
                        pause = min(pause * 2, limits.REDIAL_LONGEST)
                    else:
                        return ""
        except TimeoutError:
            return NO_RUNNER
        except WirkenError as error:
            return str(error)


async def looked_at(attached: Sequence[Attached], files: Files) -> tuple[Came, ...]:
    """Return what came: names and types cleaned, sizes and hashes of the files themselves.

    Their bytes are read piece by piece, in a thread.
    """
    if not attached:
        return ()
    sums = await asyncio.to_thread(lambda: [_sha256(handle) for handle in files.handles])
    return tuple(
        Came(kept_name(one.name), media_type(one.media_type), memfd.size(handle), digest)
        for one, handle, digest in zip(attached, files.handles, sums, strict=True)
    )


def recorded(session: SessionId, seq: int, came: Sequence[Came]) -> tuple[KeptFile, ...]:
    """Return what the message at row `seq` says of its files."""
    several = len(came) > 1
    return tuple(
        KeptFile(one.name, one.media_type, one.size, one.sha256, path_of(session, seq, at if several else 0, one.name))
        for at, one in enumerate(came, 1)
    )


def _sha256(handle: int) -> str:
    digest = hashlib.sha256()
    for piece in memfd.pieces(handle):
        digest.update(piece)
    return digest.hexdigest()
