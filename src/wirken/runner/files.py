"""The file tools: read, write and list below a folder, never outside of it, never waiting for a device."""

from __future__ import annotations

import contextlib
import errno
import heapq
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

from wirken.domain import limits
from wirken.domain.events import Outcome
from wirken.domain.steering import steers
from wirken.domain.text import clip, shown
from wirken.runner.beneath import open_beneath, place_below
from wirken.runner.locate import FileFailure, Located
from wirken.runner.output import fitting_start
from wirken.runner.output import shown as decoded

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY
_NEW_FILE: Final = 0o644
_PIECE: Final = 64 * 1024  # bytes read at once while looking for a line
_NOTE: Final = 128  # bytes of an answer kept free for the note on what follows

_REASONS: Final[dict[int, tuple[str, Outcome]]] = {
    errno.EXDEV: ("It leads outside the workspace.", "denied"),
    errno.ELOOP: ("It goes through too many links, or through one that must not be followed.", "denied"),
    errno.EACCES: ("Permission denied by the file system.", "failed"),
    errno.EPERM: ("Permission denied by the file system.", "failed"),
    errno.ENOENT: ("There is no such file or folder.", "failed"),
    errno.ENOTDIR: ("A part of the path is not a folder.", "failed"),
    errno.EISDIR: ("It is a folder, not a file.", "failed"),
    errno.EEXIST: ("A part of the path exists and is not a folder.", "failed"),
    errno.ENAMETOOLONG: ("A name in it is too long.", "failed"),
    errno.ENXIO: ("It is not a regular file.", "failed"),
    errno.ENODEV: ("It is not a regular file.", "failed"),
    errno.ENOSPC: ("No space is left on the disk.", "failed"),
    errno.EDQUOT: ("The disk quota is used up.", "failed"),
    errno.EROFS: ("The folder is read-only.", "failed"),
    errno.EAGAIN: ("The folders on the way keep changing.", "failed"),
    errno.ENOSYS: ("This kernel is too old for safe file access (Linux 5.6 is needed).", "failed"),
}


class Answer(NamedTuple):
    """What a file tool says. `cut` counts the bytes left out because of a limit of ours."""

    text: str
    cut: int = 0


def read_file(where: Located, first: int = 1, count: int | None = None) -> Answer:
    """Return lines `first` (from 1) and on, at most `count` of them and limits.FILE_READ bytes.

    What is not UTF-8 is shown as U+FFFD; a file with NUL bytes is refused as not being text.
    """
    with failures(where, "read"), _opened(where) as root:
        # O_NONBLOCK: opening a FIFO must not wait for its other end.
        handle = open_beneath(root, where.inside, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            size = regular(os.fstat(handle), where).st_size
        except FileFailure:
            os.close(handle)
            raise
        with os.fdopen(handle, "rb") as file:
            _skip(file, first, where)
            return _page(file, size, first, count, where)


def write_file(where: Located, content: str, token: Callable[[], str], *, steering: bool = False) -> Answer:
    """Replace or create a file atomically; missing folders on the way are made. A link is written through.

    Without `steering`, a name that leads to a file that steers tools is refused, whatever it is called itself.
    The old content stays until the new one is on disk. `token` makes names for the file in between.
    """
    data = content_of(content)
    if not where.writable:
        raise FileFailure(f"Cannot write {where.named}. The folder is read-only.", "denied")
    with failures(where, "write"), _opened(where) as root:
        parent, name, old = _target(root, where)
        try:
            if not steering:
                _harmless(root, parent, name, where)
            mode = stat.S_IMODE(old.st_mode) & 0o777 if old is not None else _NEW_FILE
            _replace(parent, name, data, mode, f".wirken-{token()}")
        finally:
            os.close(parent)
    return Answer(f"{'Created' if old is None else 'Replaced'} {where.named} ({len(data)} bytes).")


def list_files(where: Located, most: int = limits.LISTING_SCAN) -> Answer:
    """Return a folder's entries by name, at most limits.LISTING of them, the first of the `most` looked at.

    One line each: `name/`, `name -> target`, or the name and the size in bytes.
    """
    with failures(where, "list"), _opened(where) as root:
        handle = open_beneath(root, where.inside, _FOLDER)
        try:
            total = 0

            def names() -> Iterator[str]:
                nonlocal total
                with os.scandir(handle) as entries:
                    for entry in itertools.islice(entries, most):
                        total += 1
                        yield entry.name

            kept = heapq.nsmallest(limits.LISTING, names())
            text, cut = clip("\n".join(_line(handle, name) for name in kept), limits.FILE_READ - _NOTE)
        finally:
            os.close(handle)
    if total > len(kept) or cut:
        of = f"{total} or more" if total == most else str(total)
        text += f"\n[… {total - text.count(chr(10)) - 1} of {of} entries left out …]"
    return Answer(text or "(empty folder)", cut)


@contextlib.contextmanager
def _opened(where: Located) -> Iterator[int]:
    """Open the folder that everything has to stay beneath."""
    handle = os.open(where.folder, _FOLDER | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def failures(where: Located, verb: str) -> Iterator[None]:
    """Turn what the kernel says into a sentence for the model."""
    try:
        yield
    except OSError as error:
        reason, outcome = _REASONS.get(error.errno or 0, (f"{error.strerror}.", "failed"))
        raise FileFailure(f"Cannot {verb} {where.named}. {reason}", outcome) from error


def regular(info: os.stat_result, where: Located) -> os.stat_result:
    if stat.S_ISDIR(info.st_mode):
        raise FileFailure(f"Cannot use {where.named} as a file. It is a folder.")
    if not stat.S_ISREG(info.st_mode):
        raise FileFailure(f"Cannot use {where.named}. It is not a regular file.")
    return info


def _skip(file: BinaryIO, first: int, where: Located) -> None:
    """Move to the start of line `first`."""
    number, scanned = 1, 0
    while number < first:
        piece = file.readline(_PIECE)
        scanned += len(piece)
        if not piece:
            raise FileFailure(f"Cannot read {where.named} from line {first}. It has fewer lines.")
        if scanned > limits.FILE_SCAN:
            raise FileFailure(f"Cannot read {where.named} from line {first}. It is too large to search.")
        number += piece.endswith(b"\n")


def _page(file: BinaryIO, size: int, first: int, count: int | None, where: Located) -> Answer:
    start = file.tell()
    room = limits.FILE_READ - _NOTE
    raw = bytearray()
    lines = 0
    while len(raw) < room and (count is None or lines < count):
        piece = file.readline(room - len(raw))
        if not piece:
            break
        raw += piece
        lines += piece.endswith(b"\n")
    if b"\0" in raw:
        raise FileFailure(f"Cannot read {where.named}. It is not a text file.")
    kept = fitting_start(bytes(raw), room) if len(raw) >= room or _grows(raw, room) else bytes(raw)
    rest = max(0, size - start - len(kept))
    if not rest:
        return Answer(decoded(kept))
    asked_for = count is not None and lines >= count and len(kept) == len(raw)
    if not asked_for and (end := kept.rfind(b"\n") + 1):
        kept, rest = kept[:end], rest + len(kept) - end
    following = first + kept.count(b"\n")
    note = f"\n[… {rest} bytes follow, from line {following} on …]"
    return Answer(decoded(kept) + note, 0 if asked_for else rest)


def _grows(raw: bytearray, room: int) -> bool:
    """True if what is not UTF-8 in `raw` would be shown in more than `room` bytes."""
    return len(decoded(bytes(raw)).encode()) > room


def content_of(content: str) -> bytes:
    try:
        data = content.encode()
    except UnicodeEncodeError:
        raise FileFailure("The content holds half a surrogate pair; it is not text.", "invalid") from None
    if len(data) > limits.FILE_WRITE:
        raise FileFailure(f"The content is larger than {limits.FILE_WRITE} bytes.", "invalid")
    return data


def _target(root: int, where: Located) -> tuple[int, bytes, os.stat_result | None]:
    """Return the folder to write in (to be closed), the name there, and what has that name now.

    Links are followed by name, each step beneath `root` again.
    """
    path = where.inside
    for _ in range(limits.LINKS + 1):
        above, _, name = path.rstrip(b"/").rpartition(b"/")
        if name in (b"", b".", b".."):
            raise FileFailure(f"Cannot write {where.named}. It is a folder, not a file.")
        parent = _folder(root, above)
        try:
            old = _at(parent, name)
            if old is None or not stat.S_ISLNK(old.st_mode):
                _replaceable(old, where)
                return os.dup(parent), name, old
            aim = os.readlink(name, dir_fd=parent)
        finally:
            os.close(parent)
        if aim.startswith(b"/"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        path = above + b"/" + aim if above else aim
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _harmless(root: int, parent: int, name: bytes, where: Located) -> None:
    """Refuse what a link may have hidden from whoever decided by the path's text: a file that steers."""
    folder = place_below(root, parent)
    if folder is None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    if steers([*folder.parts, os.fsdecode(name)]):
        raise FileFailure(f"Cannot write {where.named}. It leads to a file that steers tools; name that one.", "denied")


def _replaceable(old: os.stat_result | None, where: Located) -> None:
    if old is not None and not regular(old, where).st_mode & 0o222:
        raise FileFailure(f"Cannot write {where.named}. It is write-protected.")


def _folder(root: int, path: bytes) -> int:
    """Open a folder beneath `root`; what is missing on the way is made."""
    with contextlib.suppress(FileNotFoundError):
        return open_beneath(root, path or b".", _FOLDER)
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    for depth in range(len(parts)):
        above = open_beneath(root, b"/".join(parts[:depth]) or b".", _FOLDER)
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(parts[depth], 0o755, dir_fd=above)
        finally:
            os.close(above)
    return open_beneath(root, path, _FOLDER)


def _at(folder: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _replace(folder: int, name: bytes, data: bytes, mode: int, between: str) -> None:
    """Write `data` beside the file and rename it over; durable when this returns."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(between, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
        os.rename(between, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(between, dir_fd=folder)
        raise
    os.fsync(folder)


def _line(folder: int, name: str) -> str:
    """Return one line of a listing; names are shown harmlessly."""
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(info.st_mode):
            return f"{shown(name)} -> {shown(os.readlink(name, dir_fd=folder))}"
    except FileNotFoundError:
        return f"{shown(name)} (gone)"
    if stat.S_ISDIR(info.st_mode):
        return f"{shown(name)}/"
    if stat.S_ISREG(info.st_mode):
        return f"{shown(name)}  {info.st_size}"
    return f"{shown(name)} (not a regular file)"
