"""Attacks on other processes, and ways to get a program of one's own to run."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Final

from tests.hostile.roles.attack import Act, Scene, Thwarted, call

_PTRACE: Final = {"x86_64": 101, "aarch64": 117}
_VM_READV: Final = {"x86_64": 310, "aarch64": 270}
_EXECVEAT: Final = {"x86_64": 322, "aarch64": 281}
_CLONE3: Final = 435
_PIDFD_GETFD: Final = 438
_SEIZE, _EMPTY_PATH = 0x4206, 0x1000
_TRUE: Final = "/usr/bin/true"
_SHELL: Final = ("/bin/sh", "-c", "exit 7")


def _others(scene: Scene) -> Iterator[int]:
    """Give every process that can be named: the machine's pids, and those that /proc shows here."""
    yield from scene.pids
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) not in (os.getpid(), os.getppid() if scene.role == "runner" else -1):
                yield int(name)


def _against_any(act: Callable[[int], object]) -> Act:
    """Return an attack that succeeds where it does for one process; else its last error that is not "none such"."""

    def attack(scene: Scene) -> None:
        worst: OSError | None = None
        for pid in _others(scene):
            try:
                act(pid)
            except OSError as error:
                if worst is None or not isinstance(error, FileNotFoundError | ProcessLookupError):
                    worst = error
            else:
                return
        if worst is None:
            raise Thwarted("nobody")
        raise worst

    return attack


def _look(name: str) -> Callable[[int], object]:
    def look(pid: int) -> None:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            if not file.read(1):
                raise ProcessLookupError(3, "a kernel thread, or nothing to see")

    return look


def _memory(pid: int) -> None:
    os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR))


def _unfiltered_memory(pid: int) -> None:
    """Open the memory of a process that wears no filter, to act in it."""
    with open(f"/proc/{pid}/status") as file:
        if "Seccomp:\t0" not in file.read():
            raise ProcessLookupError(3, "it wears one")
    _memory(pid)


def _descriptors(pid: int) -> None:
    names = os.listdir(f"/proc/{pid}/fd")
    os.readlink(f"/proc/{pid}/fd/{names[0]}")


def _trace(pid: int) -> None:
    call(_PTRACE[os.uname().machine], _SEIZE, pid, 0, 0)


def _vm_read(pid: int) -> None:
    kept = ctypes.create_string_buffer(1)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(kept), 1)
    try:
        call(_VM_READV[os.uname().machine], pid, ctypes.byref(vector), 1, ctypes.byref(vector), 1, 0)
    except OSError as error:
        if error.errno != 14:  # EFAULT: we were let in, and there is nothing at that address
            raise


def _pidfd_signal(pid: int) -> None:
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, 0)  # 0 only asks whether it may be
    finally:
        os.close(descriptor)


def _pidfd_steal(pid: int) -> None:
    descriptor = os.pidfd_open(pid)
    try:
        os.close(call(_PIDFD_GETFD, descriptor, 0, 0))
    finally:
        os.close(descriptor)


def _prlimit(pid: int) -> None:
    import resource

    resource.prlimit(pid, resource.RLIMIT_NOFILE)


def _shell(scene: Scene) -> None:
    if subprocess.run(_SHELL, check=False).returncode != 7:
        raise Thwarted("did-not-run")


def _spawn(scene: Scene) -> None:
    _ended_well(os.posix_spawn(_TRUE, [_TRUE], {}))


def _ended_well(pid: int) -> None:
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        raise Thwarted("did-not-run")


def _fork(scene: Scene) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    _ended_well(pid)


def _exec(scene: Scene) -> None:
    """Become a shell. Where that works this process is gone, so a child tries it where there may be one."""
    _in_child(lambda: os.execv("/bin/true", ["true"]))


def _memory_program(scene: Scene) -> None:
    """Run a program that lies in no file system."""
    with open(_TRUE, "rb") as file:
        program = file.read()
    descriptor = os.memfd_create("p")
    os.write(descriptor, program)
    words = (ctypes.c_char_p * 2)(b"true", None)
    nothing = (ctypes.c_char_p * 1)(None)
    _in_child(lambda: call(_EXECVEAT[os.uname().machine], descriptor, b"", words, nothing, _EMPTY_PATH))


def _in_child(act: Callable[[], object]) -> None:
    try:
        pid = os.fork()
    except PermissionError:
        act()
        return
    if pid == 0:
        with contextlib.suppress(OSError):
            act()
        os._exit(9)
    _ended_well(pid)


def _clone3(scene: Scene) -> None:
    arguments = (ctypes.c_uint64 * 11)()
    arguments[4] = signal.SIGCHLD
    pid = call(_CLONE3, ctypes.byref(arguments), ctypes.sizeof(arguments))
    if pid == 0:
        os._exit(0)
    _ended_well(pid)


FORKED: Final[dict[str, Act]] = {
    "read-environ": _against_any(_look("environ")),
    "read-maps": _against_any(_look("maps")),
    "open-memory": _against_any(_memory),
    "open-unfiltered-memory": _against_any(_unfiltered_memory),
    "list-descriptors": _against_any(_descriptors),
    "trace": _against_any(_trace),
    "read-memory": _against_any(_vm_read),
    "signal": _against_any(lambda pid: os.kill(pid, 0)),
    "signal-by-pidfd": _against_any(_pidfd_signal),
    "steal-descriptor": _against_any(_pidfd_steal),
    "other-limits": _against_any(_prlimit),
    "start-shell": _shell,
    "spawn": _spawn,
    "fork": _fork,
    "become-program": _exec,
    "run-from-memory": _memory_program,
    "clone3": _clone3,
}
