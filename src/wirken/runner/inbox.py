"""Put files that came with messages into the workspace: once, whole, never over another one, never opened by us."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Final

import msgspec

from wirken.domain import file_limits
from wirken.domain.errors import Refused, WirkenError
from wirken.domain.inbox import Keeping, is_path_of
from wirken.domain.steering import steers
from wirken.ipc import memfd
from wirken.ipc.calls.runner import Keep
from wirken.runner.beneath import open_beneath, place_below
from wirken.runner.files import failures
from wirken.runner.locate import Located

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE: Final = 0o644
_decoder: Final = msgspec.json.Decoder(Keeping)


class NotKept(WirkenError):
    """A file was not written; the message is one for the model and the person."""


def checked(question: Keep, workspaces: frozenset[str]) -> Keeping:
    """Return what shall be written, if the row's permit is for exactly this. Raises `Refused`."""
    permit, raw = question.permit, question.keeping
    if hashlib.sha256(raw).hexdigest() != permit.call_sha256:
        raise Refused("The file is not the one that is on record.")
    try:
        keeping = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeError):
        raise Refused("What shall be written cannot be read.") from None
    if keeping.canonical() != raw or keeping.session != permit.session:
        raise Refused("What shall be written is not in its canonical form, or belongs to another session.")
    if keeping.workspace not in workspaces:
        raise Refused("The file is for a folder that this runner was not started for.")
    if not is_path_of(keeping.session, keeping.path):
        raise Refused("The file's place is none that files of this conversation get.")
    return keeping


def keep(keeping: Keeping, handle: int, token: str) -> None:
    """Write the memfd `handle` to its place, unless it is there already; durable when this returns.

    What stands there and is another file stays. Raises `Refused` where the memfd is not the file on record, `NotKept`,
    `FileFailure`.
    """
    folder, _, name = keeping.path.rpartition("/")
    where = Located(keeping.workspace, os.fsencode(keeping.path), keeping.path, writable=True)
    if memfd.size(handle) != keeping.size:
        raise Refused("The file has another size than the one on record.")
    with failures(where, "write"), _inbox(keeping.workspace, folder) as parent:
        if not _stands(parent, name, keeping):
            _has_room(parent, keeping.size)
            _write(parent, name, handle, keeping, f".wirken-{token}")


@contextlib.contextmanager
def _inbox(workspace: str, folder: str) -> Iterator[int]:
    """Open a conversation's folder and give its descriptor; what is missing is made, a link is not followed."""
    top = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    here = os.dup(top)
    try:
        for part in map(os.fsencode, folder.split("/")):
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=here)
            below = open_beneath(here, part, _FOLDER)
            os.close(here)
            here = below
        place = place_below(top, here)
        if place is None:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        if steers([*place.parts, "file"]):
            raise NotKept("The inbox lies in a folder that steers tools.")
        yield here
    finally:
        os.close(here)
        os.close(top)


def _stands(parent: int, name: str, keeping: Keeping) -> bool:
    """Was the file written before? Raises `NotKept` where something else has its name."""
    try:
        handle = open_beneath(parent, os.fsencode(name), _READ)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise NotKept("Something else has its name there.") from error
    try:
        about = os.fstat(handle)
        if stat.S_ISREG(about.st_mode) and about.st_size == keeping.size:
            with open(handle, "rb", closefd=False) as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == keeping.sha256:
                    return True
    finally:
        os.close(handle)
    raise NotKept("Another file has its name there.")


def _has_room(parent: int, size: int) -> None:
    """Raises `NotKept` where the conversation's folder is full."""
    count = total = 0
    with os.scandir(parent) as entries:
        for entry in entries:
            count += 1
            total += entry.stat(follow_symlinks=False).st_size
            if count >= file_limits.INBOX_FILES:
                raise NotKept(f"{file_limits.INBOX_FILES} files of this conversation are kept already; remove some.")
    if total + size > file_limits.INBOX_SIZE:
        raise NotKept(f"Files of this conversation take {total} bytes; {file_limits.INBOX_SIZE} are kept. Remove some.")


def _write(parent: int, name: str, source: int, keeping: Keeping, between: str) -> None:
    """Write beside the name and link it there, which fails where it is taken."""
    target = os.open(between, _NEW, 0o600, dir_fd=parent)
    try:
        with os.fdopen(target, "wb") as file:
            digest = hashlib.sha256()
            for piece in memfd.pieces(source):
                digest.update(piece)
                file.write(piece)
            if digest.hexdigest() != keeping.sha256:
                raise Refused("The file is not the one that is on record.")
            file.flush()
            os.fchmod(target, _MODE)
            os.fsync(target)
        os.link(between, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
    except FileExistsError as error:
        raise NotKept("Another file has its name there.") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(between, dir_fd=parent)
    os.fsync(parent)
