"""What the vault does so that its key stays out of swap and of memory images.

Core files, debuggers and `/proc/PID/mem` are closed already, as in every process of ours (`confine.process`).
"""

from __future__ import annotations

import ctypes
import resource
from typing import Final

from wirken.confine.kernel import libc
from wirken.domain.secret import Secret

_CURRENT, _FUTURE, _ON_FAULT = 1, 2, 4  # MCL_* of linux/mman.h
_DONT_DUMP: Final = 16  # MADV_DONTDUMP


def keep_all_from_swap() -> bool:
    """Lock all of this process's memory, what is allocated later included; return whether that was possible.

    Only where RLIMIT_MEMLOCK is without limit (mlockall(2)): below it, each later allocation could fail.
    """
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY:
        return False
    return int(libc.mlockall(ctypes.c_int(_CURRENT | _FUTURE | _ON_FAULT))) == 0


def keep_from_swap(secret: Secret) -> bool:
    """Lock the secret's pages and leave them out of images; return False where RLIMIT_MEMLOCK does not allow it.

    Covers the buffer itself, not the short-lived copies that a cipher call makes (mlock(2), madvise(2)).
    """
    view = secret.view()
    address = ctypes.addressof(ctypes.c_char.from_buffer(view))
    start = address - address % resource.getpagesize()
    size = ctypes.c_size_t(address + len(view) - start)
    libc.madvise(ctypes.c_void_p(start), size, ctypes.c_int(_DONT_DUMP))
    return int(libc.mlock(ctypes.c_void_p(start), size)) == 0
