"""The walls that a process puts on itself: the first thing each wing does, before its first untrusted byte.

From outside in: limits, no new privileges, closed memory, no capabilities, Landlock, seccomp. The last two come
from the role's row. Nothing here can be taken off again.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
from typing import Final, NamedTuple

from wirken.confine import landlock, roles
from wirken.confine.bpf import NoFilter, machine_named
from wirken.confine.kernel import libc, prctl, say
from wirken.confine.pyenv import program_paths
from wirken.confine.wing_filter import wing_filter
from wirken.domain import limits
from wirken.domain.errors import SandboxUnavailable
from wirken.domain.walls import LANDLOCK_SINCE, SECCOMP, report

CONNECT: Final = (53, 80, 443)
"""TCP ports that who has a network may reach, beside those that the configuration names."""

_GET_DUMPABLE, _SET_DUMPABLE, _NO_NEW_PRIVS = 3, 4, 38
_BOUNDING_READ, _BOUNDING_DROP, _AMBIENT, _AMBIENT_CLEAR = 23, 24, 47, 4
_CAPABILITY_VERSION: Final = 0x2008_0522  # _LINUX_CAPABILITY_VERSION_3
_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
_SET_FILTER, _ALL_THREADS = 1, 1  # SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC
_LIBRARIES: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SOURCES: Final = ("/dev/urandom", "/dev/random", "/dev/zero")


class WallMissing(SandboxUnavailable):
    """This machine cannot make a wall of ours, and nobody said that it may be missing."""


class NotConfined(SandboxUnavailable):
    """The kernel did not take a wall that every machine has."""

    hint = "`wirken doctor` shows what this machine lacks."


class Ground(NamedTuple):
    """What a row's names stand for in this process, and what the operator allowed to be missing."""

    data: str
    """The data directory."""
    without: tuple[str, ...] = ()
    """Walls that this machine lacks and that `[confine] allow_missing` names."""
    connect: tuple[int, ...] = ()
    """TCP ports beside those of a role with a network."""
    control: int = -1
    """The control descriptor, which gets the report; -1 for none."""
    traces: bool = False
    """Whether a process that starts programs may trace them (`roles.Role.traces`)."""
    state: str = ""
    """A folder that this process alone keeps; empty for none."""


def named(words: str) -> tuple[str, ...]:
    """Return the walls in the value of `--without`: names with commas between them, in no particular order."""
    return tuple(each for each in words.split(",") if each)


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def enter(name: str, ground: Ground) -> tuple[str, ...]:
    """Put on every wall of the role of this name; return the names of those that a machine may lack.

    Call it before a second thread runs. Raises `WallMissing`, `NotConfined`, `landlock.NotRestricted`.
    """
    role, machine = roles.ROLES[name], os.uname().machine
    if ground.traces and role.starts_programs:
        role = role._replace(traces=True, files=limits.GVISOR_FILES)
    abi = landlock.version()
    required, lacks = roles.required(role, ground.without), lacking(abi)
    if missing := tuple(each for each in required if each in lacks):
        raise missing_error(missing)
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208  # pathlib is slower, and this is every start
        raise NotConfined(f"The {name} process has threads already; Landlock would not hold them.")
    _limit(role)
    give_up_privileges()
    if not role.starts_programs and abi:
        landlock.restrict(rules(role, ground), abi)
    filtered = _filter(role, machine, ground.without)
    worn = tuple(each for each in roles.required(role, ()) if each not in lacks and (each != SECCOMP or filtered))
    if ground.control != -1:
        with contextlib.suppress(BrokenPipeError):  # the supervisor has died; that is noticed elsewhere
            os.write(ground.control, report(worn))
    return worn


def rules(role: roles.Role, ground: Ground) -> landlock.Rules:
    """Return what Landlock leaves to this role: its row, and the program itself."""
    data = ground.data
    return landlock.Rules(
        read=(
            *_LIBRARIES,
            *_SOURCES,
            "/proc/self",
            *roles.EVERYBODY,
            *role.system,
            *program_paths(),
            *(f"{data}/{each}" for each in role.readable),
        ),
        keep=(*(f"{data}/{each}" for each in role.writable), *([ground.state] if ground.state else ())),
        write=("/dev/null",),
        connect=(*(CONNECT if role.network else ()), *ground.connect),
    )


def lacking(abi: int) -> tuple[str, ...]:
    """Return the parts of Landlock that version `abi` of its interface does not have; 0 is none at all."""
    return tuple(each for each, since in LANDLOCK_SINCE.items() if abi < since)


def missing_error(missing: tuple[str, ...]) -> WallMissing:
    """Return the error for walls that this machine lacks."""
    names = ", ".join(f'"{each}"' for each in missing)
    return WallMissing(
        f"This machine lacks a wall around Wirken's own processes: {', '.join(missing)}.",
        hint=f"Use a newer kernel, or go on without it: allow_missing = [{names}] under [confine] in config.toml.",
    )


def give_up_privileges() -> None:
    """No core file, no new privileges, no capabilities, and memory that no other process of this user may read.

    All that a helper can do that has no row, because it must reach what no row names. Raises `NotConfined`.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if prctl(_NO_NEW_PRIVS, 1) != 0:
        raise NotConfined(f"The kernel does not forbid new privileges: {say()}.")
    if prctl(_SET_DUMPABLE, 0) != 0 or prctl(_GET_DUMPABLE) != 0:
        raise NotConfined(f"The memory could not be closed to other processes: {say()}.")
    prctl(_AMBIENT, _AMBIENT_CLEAR)
    number = 0
    # Without CAP_SETPCAP the set stays, and means nothing: no new privileges.
    while (held := prctl(_BOUNDING_READ, number)) != -1:
        if held:
            prctl(_BOUNDING_DROP, number)
        number += 1
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    if libc.capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)())) != 0:
        raise NotConfined(f"The capabilities could not be given up: {say()}.")


def _limit(role: roles.Role) -> None:
    _lower(resource.RLIMIT_NOFILE, role.files)
    if role.memory:
        _lower(resource.RLIMIT_DATA, role.memory)
    if not role.starts_programs and _own_users():
        _lower(resource.RLIMIT_NPROC, limits.WING_THREADS)


def _lower(which: int, most: int) -> None:
    hard = resource.getrlimit(which)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (most, most))


def _own_users() -> bool:
    """Return whether we sit in a user namespace of our own; elsewhere processes are counted for all of a user."""
    with open("/proc/self/uid_map") as file:
        return file.read().split() != ["0", "0", "4294967295"]


def _filter(role: roles.Role, machine: str, without: tuple[str, ...]) -> bool:
    """Put on the filter of system calls; False where there is none here and there need not be."""
    try:
        code = wing_filter(role, machine_named(machine))
    except NoFilter:
        code = b""
    if code:
        program = _FilterProgram(len(code) // 8, code)
        number = ctypes.c_long(_SECCOMP[machine])
        if libc.syscall(number, ctypes.c_long(_SET_FILTER), ctypes.c_long(_ALL_THREADS), ctypes.byref(program)) == 0:
            return True
    if SECCOMP in without:
        return False
    raise missing_error((SECCOMP,))
