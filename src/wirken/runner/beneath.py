"""Open files below a directory and nowhere else: openat2(2) with RESOLVE_BENEATH.

The kernel resolves the whole path and refuses each step that would leave the directory, links and `..`
included, also while somebody renames parts of it.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path, PurePosixPath
from typing import Final

from wirken.domain import limits

_OPENAT2: Final = 437  # the same number on every machine since Linux 5.6
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_BENEATH: Final = 0x08


class _OpenHow(ctypes.Structure):
    """struct open_how of linux/openat2.h."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(directory: int, path: bytes, flags: int, mode: int = 0) -> int:
    """Return a descriptor for `path` below the descriptor `directory`; it is closed on exec.

    Raises `OSError`: EXDEV where the path leads out, ELOOP for a magic link or too many links, EAGAIN where
    renames kept racing, ENOSYS before Linux 5.6, else as open(2).
    """
    how = _OpenHow(flags | os.O_CLOEXEC, mode, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    for _ in range(limits.RESOLVE_RETRIES):
        handle = int(_libc.syscall(_OPENAT2, directory, path, ctypes.byref(how), ctypes.sizeof(how)))
        if handle >= 0:
            return handle
        if (code := ctypes.get_errno()) not in (errno.EAGAIN, errno.EINTR):
            raise OSError(code, os.strerror(code))
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def place_below(directory: int, handle: int) -> PurePosixPath | None:
    """Return where the file of `handle` lies now, relative to `directory`; None if that is elsewhere, or removed."""
    top, place = (Path(f"/proc/self/fd/{each}").readlink() for each in (directory, handle))
    return PurePosixPath(place.relative_to(top)) if place.is_relative_to(top) else None


_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.syscall.argtypes = (
    ctypes.c_long,
    ctypes.c_long,
    ctypes.c_char_p,
    ctypes.POINTER(_OpenHow),
    ctypes.c_size_t,
)
