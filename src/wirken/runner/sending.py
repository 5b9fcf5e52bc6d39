"""A file of the workspace, or one that a person allowed, as a sealed memfd: for who sends it to a conversation."""

from __future__ import annotations

import asyncio
import os
import posixpath
from pathlib import PurePosixPath
from typing import Final

from wirken.domain import file_limits
from wirken.ipc.files import Files
from wirken.ipc.memfd import Filling, TooLarge
from wirken.runner.beneath import open_beneath, place_below
from wirken.runner.files import Answer, failures, regular
from wirken.runner.locate import FileFailure, Located
from wirken.runner.uninterrupted import uninterrupted

_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY  # O_NONBLOCK: a FIFO's other end is not waited for
_PIECE: Final = 1 * 2**20  # bytes read at once


async def given(where: Located, gives: Files) -> Answer:
    """Add the file's bytes, as they are now, to `gives`; return what is said of them. Raises `FileFailure`."""
    filling = Filling(file_limits.SEND_FILE)
    try:
        await uninterrupted(asyncio.to_thread(_fill, where, filling))
        gives.add(filling.sealed())
    except TooLarge:
        most = file_limits.SEND_FILE // 2**20
        raise FileFailure(f"Cannot send {where.named}. It has more than {most} MiB.") from None
    finally:
        filling.close()
    return Answer(f"{filling.bytes} bytes")


def _fill(where: Located, filling: Filling) -> None:
    with failures(where, "send"):
        root = os.open(where.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            handle = open_beneath(root, where.inside, _READ)
            try:
                regular(os.fstat(handle), where)
                _itself(root, handle, where)
                while piece := os.read(handle, _PIECE):
                    filling.add(piece)
            finally:
                os.close(handle)
        finally:
            os.close(root)


def _itself(root: int, handle: int, where: Located) -> None:
    """Refuse what a link may have hidden from whoever decided by the path's text: another file than the one named."""
    named = PurePosixPath(posixpath.normpath(os.fsdecode(where.inside)))
    if place_below(root, handle) != named:
        raise FileFailure(f"Cannot send {where.named}. It leads to another file; name that one.", "denied")
