"""Attacks by quantity: more memory, files, threads, processes and disk than a row has use for."""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import threading
import time
from typing import Final

from tests.hostile.roles.attack import Act, Scene, Thwarted

_MEMORY: Final = 3 * 2**30
"""Bytes; more than any row has."""
_FILES: Final = 1100
"""More than any row has."""
_THREADS: Final = 160
"""More than limits.WING_THREADS."""
_PROCESSES: Final = 300
"""More than a command may have."""
_SHARED: Final = 288 * 2**20
"""Bytes; more than the vault may have of its own memory."""
_DISK: Final = 80 * 2**20
"""Bytes; more than a command may put into its /tmp."""


def _memory(scene: Scene) -> None:
    """Ask for private memory; it is never touched, so the machine does not suffer."""
    mmap.mmap(-1, _MEMORY, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()


def _shared_memory(scene: Scene) -> None:
    """Fill a file that lies in memory only."""
    descriptor = os.memfd_create("m")
    try:
        os.posix_fallocate(descriptor, 0, _SHARED)
    finally:
        os.close(descriptor)


def _files(scene: Scene) -> None:
    opened: list[int] = []
    try:
        for _ in range(_FILES):
            opened.append(os.dup(2))
    finally:
        for each in opened:
            os.close(each)


def _threads(scene: Scene) -> None:
    end = threading.Event()
    started: list[threading.Thread] = []
    before = threading.stack_size(128 * 1024)
    try:
        for _ in range(_THREADS):
            one = threading.Thread(target=end.wait, daemon=True)
            one.start()
            started.append(one)
    except RuntimeError:
        raise Thwarted("EAGAIN") from None
    finally:
        threading.stack_size(before)
        end.set()
        for one in started:
            one.join()


def _processes(scene: Scene) -> None:
    started: list[int] = []
    try:
        for _ in range(_PROCESSES):
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
                os._exit(0)
            started.append(pid)
    finally:
        for pid in started:
            os.kill(pid, signal.SIGKILL)
        for pid in started:
            os.waitpid(pid, 0)


def _disk(folder: str) -> Act:
    def fill(scene: Scene) -> None:
        path = f"{folder}/left-by-an-attack-{os.getpid()}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _DISK)
        finally:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                os.unlink(path)

    return fill


FORKED: Final[dict[str, Act]] = {
    "flood-memory": _memory,
    "flood-shared-memory": _shared_memory,
    "flood-files": _files,
    "flood-threads": _threads,
    "flood-processes": _processes,
    "flood-tmp": _disk("/tmp"),
    "flood-shm": _disk("/dev/shm"),
}
