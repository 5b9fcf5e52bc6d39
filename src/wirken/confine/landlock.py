"""Landlock: what a process may do with files, TCP ports, signals and abstract sockets (landlock(7)).

A domain is for ever and for every thread started afterwards; threads that run already do not get it.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from typing import Final, NamedTuple

from wirken.confine.kernel import libc, say
from wirken.domain.errors import SandboxUnavailable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""The same on every machine (asm-generic/unistd.h)."""
_VERSION: Final = 1  # LANDLOCK_CREATE_RULESET_VERSION
_BENEATH, _PORT = 1, 2  # LANDLOCK_RULE_PATH_BENEATH, LANDLOCK_RULE_NET_PORT

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (1 << bit for bit in range(6, 13))
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
BIND_TCP, CONNECT_TCP = 1, 2
SCOPE_ABSTRACT, SCOPE_SIGNAL = 1, 2

READING: Final = READ_FILE | READ_DIR
KEEPING: Final = READING | WRITE_FILE | TRUNCATE | REMOVE_FILE | REMOVE_DIR | MAKE_REG | MAKE_DIR | REFER
"""What the owner of a folder needs. No devices, sockets, FIFOs or links, and nothing to be started."""
_OF_A_FILE: Final = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV


class NotRestricted(SandboxUnavailable):
    """The kernel has Landlock but did not take our rules."""


class Rules(NamedTuple):
    """What stays allowed. Paths that do not exist are left out; `connect` are TCP ports."""

    read: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    """Single files that are written and read, such as /dev/null."""
    connect: tuple[int, ...] = ()


class _RulesetAttr(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scope", ctypes.c_uint64))


class _BeneathAttr(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _PortAttr(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def version() -> int:
    """Return the version of the kernel's Landlock interface; 0 where there is none, or it is switched off."""
    return max(0, int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION))))


def handled(abi: int) -> tuple[int, int, int]:
    """Return the rights on files and ports, and the scopes, that this version of the interface can refuse."""
    files = MAKE_SYM * 2 - 1
    for since, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
        files |= right if abi >= since else 0
    return files, BIND_TCP | CONNECT_TCP if abi >= 4 else 0, SCOPE_ABSTRACT | SCOPE_SIGNAL if abi >= 6 else 0


def restrict(rules: Rules, abi: int) -> None:
    """Put this process into a domain that allows `rules` and nothing else that version `abi` can refuse.

    Needs no_new_privs. Raises `NotRestricted`.
    """
    files, ports, scopes = handled(abi)
    attributes = _RulesetAttr(files, ports, scopes)
    # An older interface knows a shorter structure, and refuses a longer one unless the rest is zero.
    ruleset = _syscall(_CREATE_RULESET, ctypes.byref(attributes), ctypes.sizeof(attributes), 0)
    try:
        for paths, rights in (
            (rules.read, READING),
            (rules.keep, KEEPING),
            (rules.write, READ_FILE | WRITE_FILE | TRUNCATE),
        ):
            _allow_paths(ruleset, paths, rights & files)
        for port in rules.connect if ports else ():
            rule = _PortAttr(CONNECT_TCP, port)
            _syscall(_ADD_RULE, ruleset, _PORT, ctypes.byref(rule), 0)
        _syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow_paths(ruleset: int, paths: Iterable[str], rights: int) -> None:
    for path in paths:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # not on this machine, or not in this view: nothing to allow
        try:
            kept = rights if stat.S_ISDIR(os.fstat(descriptor).st_mode) else rights & _OF_A_FILE
            rule = _BeneathAttr(kept, descriptor)
            _syscall(_ADD_RULE, ruleset, _BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(descriptor)


def _syscall(number: int, *arguments: object) -> int:
    wide = (ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)
    answer = int(libc.syscall(ctypes.c_long(number), *wide))
    if answer < 0:
        raise NotRestricted(f"Landlock does not work on this machine: {say()}.")
    return answer
