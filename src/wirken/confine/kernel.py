"""The C library, for the few requests to the kernel that Python has no function for."""

from __future__ import annotations

import ctypes
import os
from typing import Final

libc: Final = ctypes.CDLL(None, use_errno=True)


def say() -> str:
    """Return why the last request failed, in words."""
    return os.strerror(ctypes.get_errno())


def prctl(option: int, value: int = 0) -> int:
    """Return prctl(2)'s answer; -1 where it failed."""
    return int(libc.prctl(ctypes.c_int(option), *(ctypes.c_ulong(each) for each in (value, 0, 0, 0))))
