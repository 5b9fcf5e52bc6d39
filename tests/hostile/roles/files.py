"""Attacks on files: secrets, the record, other people's folders, our code, what a shell or root would run later."""

from __future__ import annotations

import ctypes
import os
import select
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.hostile.roles.attack import Act, Scene, Thwarted, call, check, libc, own_namespace

_AT_FDCWD: Final = -100
_HANDLE: Final = 128
_NAME_TO_HANDLE: Final = {"x86_64": 303, "aarch64": 264}
_OPEN_BY_HANDLE: Final = {"x86_64": 304, "aarch64": 265}


def _read(path: str) -> None:
    with open(path, "rb") as file:
        if not file.read(1):
            raise Thwarted("empty")


def _open_to_write(path: str) -> None:
    """Open without changing anything."""
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND))


def _make(folder: str) -> None:
    """Create a file and remove it."""
    path = f"{folder}/left-by-an-attack"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(path)


def _reads(name: Callable[[Scene], str]) -> Act:
    return lambda scene: _read(name(scene))


def _writes(name: Callable[[Scene], str]) -> Act:
    return lambda scene: _open_to_write(name(scene))


def _makes(name: Callable[[Scene], str]) -> Act:
    return lambda scene: _make(name(scene))


def _leave_path(scene: Scene, make: Callable[[str], object]) -> None:
    path = f"{scene.own}/left-by-an-attack"
    make(path)
    os.unlink(path)


def _setuid(scene: Scene) -> None:
    path = f"{scene.own}/left-by-an-attack"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700))
    try:
        os.chmod(path, 0o4755)
        if not os.stat(path).st_mode & stat.S_ISUID:
            raise Thwarted("bit-dropped")
    finally:
        os.unlink(path)


def _by_handle(scene: Scene) -> None:
    """Open a file by its inode, past every directory."""
    machine = os.uname().machine
    handle = ctypes.create_string_buffer(8 + _HANDLE)
    ctypes.c_uint32.from_buffer(handle).value = _HANDLE
    mount = ctypes.c_int()
    path = f"{scene.program}/__init__.py".encode()
    call(_NAME_TO_HANDLE[machine], _AT_FDCWD, path, handle, ctypes.byref(mount), 0)
    root = os.open(scene.program, os.O_RDONLY)
    os.close(call(_OPEN_BY_HANDLE[machine], root, handle, os.O_RDONLY))


def _proc_root(scene: Scene) -> None:
    """Walk through another process's root directory."""
    for pid in (1, *scene.pids):
        for path in (f"{scene.home}/.bashrc", f"{scene.data}/vault/vault.db", f"{scene.data}/gateway/audit.db"):
            try:
                _read(f"/proc/{pid}/root{path}")
            except OSError as error:
                last = error
            else:
                return
    raise last


def _terminal(scene: Scene) -> None:
    """Read what the person types in the terminal that Wirken was started from."""
    if not os.isatty(2):
        raise Thwarted("no-terminal")
    if not select.select([2], [], [], 1.0)[0]:
        raise Thwarted("nothing-typed")
    os.read(2, 1)


def _reopened_log(scene: Scene) -> None:
    """Open standard error anew, to read and to shorten what others said there."""
    os.close(os.open("/proc/self/fd/2", os.O_RDWR | os.O_NOCTTY))


def _device(scene: Scene) -> None:
    """Make a node of the machine's memory, and open it."""

    def make(path: str) -> None:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 1))

    _leave_path(scene, make)


def _lift_read_only(scene: Scene) -> None:
    """Mount the program once more, where one is root of a namespace of one's own, and make that writable."""
    own_namespace()
    bind, remount = 0x1000, 0x20  # MS_BIND, MS_REMOUNT
    check(libc.mount(scene.program.encode(), b"/tmp", None, ctypes.c_ulong(bind), None))
    check(libc.mount(b"none", b"/tmp", None, ctypes.c_ulong(bind | remount), None))
    _open_to_write("/tmp/__init__.py")


FORKED: Final[dict[str, Act]] = {
    "read-vault-db": _reads(lambda scene: f"{scene.data}/vault/vault.db"),
    "read-device-key": _reads(lambda scene: f"{scene.data}/vault/device.key"),
    "read-audit-db": _reads(lambda scene: f"{scene.data}/gateway/audit.db"),
    "read-state-db": _reads(lambda scene: f"{scene.data}/gateway/state.db"),
    "read-config": _reads(lambda scene: f"{scene.data}/config.toml"),
    "write-config": _writes(lambda scene: f"{scene.data}/config.toml"),
    "read-workspace": _reads(lambda scene: f"{scene.data}/agents/default/workspace/note.txt"),
    "write-workspace": _makes(lambda scene: f"{scene.data}/agents/default/workspace"),
    "write-vault-folder": _makes(lambda scene: f"{scene.data}/vault"),
    "write-gateway-folder": _makes(lambda scene: f"{scene.data}/gateway"),
    "write-data-folder": _makes(lambda scene: scene.data),
    "write-sockets-folder": _makes(lambda scene: scene.sockets),
    "list-home": lambda scene: Path(scene.home, ".ssh").iterdir().__next__(),
    "read-ssh-key": _reads(lambda scene: f"{scene.home}/.ssh/id_ed25519"),
    "write-ssh": _makes(lambda scene: f"{scene.home}/.ssh"),
    "read-bashrc": _reads(lambda scene: f"{scene.home}/.bashrc"),
    "write-bashrc": _writes(lambda scene: f"{scene.home}/.bashrc"),
    "read-shadow": _reads(lambda scene: "/etc/shadow"),
    "write-etc": _writes(lambda scene: "/etc/passwd"),
    "write-usr": _writes(lambda scene: "/usr/lib/os-release"),
    "write-cron": _makes(lambda scene: "/var/spool/cron"),
    "write-our-code": _writes(lambda scene: f"{scene.program}/__init__.py"),
    "write-venv": _makes(lambda scene: scene.site),
    "read-machine-tmp": _reads(lambda scene: scene.outside),
    "keep-a-file": _makes(lambda scene: scene.own),
    "plant-a-link": lambda scene: _leave_path(scene, lambda path: os.symlink("/etc/passwd", path)),
    "plant-setuid": _setuid,
    "make-device": _device,
    "open-by-handle": _by_handle,
    "walk-proc-root": _proc_root,
    "lift-read-only": _lift_read_only,
    "read-terminal": _terminal,
    "reopen-stderr": _reopened_log,
    "write-core-pattern": _writes(lambda scene: "/proc/sys/kernel/core_pattern"),
    "open-kernel-memory": _reads(lambda scene: "/dev/kmsg"),
}
