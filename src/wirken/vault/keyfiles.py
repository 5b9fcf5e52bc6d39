"""The small files beside `vault.db`: written whole and durable or not at all, removed as well as can be."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from wirken.domain.errors import Unavailable

_LARGEST: Final = 64 * 1024


class KeyFileFailed(Unavailable):
    """A file that holds the device key, or tells how it is kept, cannot be used."""

    hint = "Check the owner, the mode (0600) and the free space of the vault directory."


def read(path: Path) -> bytes:
    """Return the content. Raises `KeyFileFailed`; a link, or a file that others may read, is refused."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(fd).st_mode & 0o077:
                raise KeyFileFailed(f"{path.name} can be read by others.", hint=f"chmod 600 {path}")
            return os.read(fd, _LARGEST)
        finally:
            os.close(fd)
    except OSError as error:
        raise KeyFileFailed(f"{path.name} cannot be read: {error.strerror}.") from error


def write(path: Path, content: bytes) -> None:
    """Replace the file atomically, 0600, on disk when this returns; then read it back and compare."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if os.write(fd, content) != len(content):
                raise KeyFileFailed(f"{path.name} could not be written whole.")
            os.fsync(fd)
        finally:
            os.close(fd)
        fresh.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise KeyFileFailed(f"{path.name} cannot be written: {error.strerror}.") from error
    if read(path) != content:
        raise KeyFileFailed(f"{path.name} does not read back as it was written.")


def remove(path: Path) -> bool:
    """Overwrite the file in place, unlink it; return False where there was none.

    On SSDs and copy-on-write file systems the old blocks may survive; a backup or snapshot surely keeps them.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise KeyFileFailed(f"{path.name} cannot be removed: {error.strerror}.") from error
    try:
        os.write(fd, os.urandom(os.fstat(fd).st_size))
        os.fsync(fd)
        path.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        raise KeyFileFailed(f"{path.name} cannot be removed: {error.strerror}.") from error
    finally:
        os.close(fd)
    return True


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
