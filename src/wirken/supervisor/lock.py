"""One supervisor per data directory: a lock that the kernel releases with its process, and the pid."""

# Strings and os.path, because pathlib would cost the supervisor a megabyte.
# ruff: noqa: PTH120

from __future__ import annotations

import fcntl
import os

from wirken.domain.errors import Unavailable


class AlreadyRunning(Unavailable):
    """Another supervisor holds this data directory."""

    hint = "Stop it with `wirken stop`, or choose another directory with WIRKEN_DATA_DIR."


def take(path: str) -> int:
    """Lock `path`, write our pid into it, return the descriptor that holds it. Raises `AlreadyRunning`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = int(_digits(os.read(descriptor, 32)) or "0")
        os.close(descriptor)
        raise _refusal(path, pid) from None
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def refuse_second(path: str) -> None:
    """Raise `AlreadyRunning` if somebody holds the lock now; `take` decides, this only answers sooner."""
    pid = holder(path)
    if pid:
        raise _refusal(path, pid)


def holder(path: str) -> int:
    """Return the pid of the supervisor that holds the lock at `path`; 0 where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(_digits(os.read(descriptor, 32)) or "0")
    finally:
        os.close(descriptor)
    return 0


def _refusal(path: str, pid: int) -> AlreadyRunning:
    named = f"pid {pid}" if pid else "its pid is not known yet"
    return AlreadyRunning(f"Wirken already runs on {os.path.dirname(path)} ({named}).")


def _digits(raw: bytes) -> str:
    text = raw.decode("ascii", "replace").strip()
    return text if text.isdigit() else ""
