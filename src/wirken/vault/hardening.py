"""What the vault does so that its memory stays its own: no core, no debugger, no swap for the key."""

from __future__ import annotations

import ctypes
import resource
from typing import Final

from wirken.domain.errors import Unavailable
from wirken.domain.secret import Secret

_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4

_libc: Final = ctypes.CDLL(None, use_errno=True)


class NotHardened(Unavailable):
    """The kernel did not take a protection of the vault's memory."""

    hint = "`wirken doctor` shows what this machine lacks."


def close_memory() -> None:
    """Forbid core files, and attaching or reading `/proc/PID/mem` by the same user's processes (prctl(2)).

    Raises `NotHardened`. Root with CAP_SYS_PTRACE still can.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 or _libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise NotHardened("The vault's memory could not be closed to other processes.")


def keep_from_swap(secret: Secret) -> bool:
    """Lock the secret's pages into memory (mlock(2)); return False where RLIMIT_MEMLOCK does not allow it.

    Covers the buffer itself, not the short-lived copies that a cipher call makes.
    """
    view = secret.view()
    address = ctypes.addressof(ctypes.c_char.from_buffer(view))
    return int(_libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(len(view)))) == 0
