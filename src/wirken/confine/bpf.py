"""Classic BPF programs for seccomp(2), built instruction by instruction (linux/filter.h, linux/seccomp.h)."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable
from typing import Final, get_args

from wirken.confine.syscalls import AUDIT_ARCH, Machine, number
from wirken.domain.errors import SandboxUnavailable

ALLOW: Final = 0x7FFF_0000  # SECCOMP_RET_ALLOW
KILL: Final = 0x8000_0000  # SECCOMP_RET_KILL_PROCESS
_ERRNO: Final = 0x0005_0000  # SECCOMP_RET_ERRNO
REFUSE: Final = _ERRNO | errno.EPERM
ABSENT: Final = _ERRNO | errno.ENOSYS
PRETEND: Final = _ERRNO
"""Errno 0: the call is not made, and its caller is told that it was."""

X32: Final = 0x4000_0000
"""Calls of the x32 interface carry this bit; their numbers would pass every comparison."""

# offsets in struct seccomp_data; both machines are little-endian
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
_LOAD, _JUMP_EQUAL, _JUMP_FROM, _JUMP_ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06


class NoFilter(SandboxUnavailable):
    """There is no filter for this machine's architecture."""


class Program:
    """Instructions under construction. Every check ends in a return or leaves what was loaded."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int]] = []

    def _add(self, code: int, value: int, *, yes: int = 0, no: int = 0) -> None:
        self._code.append((code, yes, no, value))

    def load_argument(self, index: int, mask: int = 0) -> None:
        """Load the low 32 bits, or those of `mask`: the kernel reads these arguments as int, the high half is air."""
        self._add(_LOAD, _ARGUMENTS + 8 * index)
        if mask:
            self._add(_AND, mask)

    def answer(self, value: int | None, verdict: int) -> None:
        """Return `verdict` if `value` is what is loaded."""
        if value is not None:
            self._add(_JUMP_EQUAL, value, no=1)
            self._add(_RETURN, verdict)

    def answer_bits(self, bits: int, verdict: int) -> None:
        """Return `verdict` if any of `bits` is set in what is loaded."""
        self._add(_JUMP_ANY_BIT, bits, no=1)
        self._add(_RETURN, verdict)

    def unless_bits(self, bits: int, verdict: int) -> None:
        """Return `verdict` if none of `bits` is set in what is loaded."""
        self._add(_JUMP_ANY_BIT, bits, yes=1)
        self._add(_RETURN, verdict)

    def any_of(self, values: Iterable[int], verdict: int) -> None:
        for value in values:
            self.answer(value, verdict)

    def block(self, value: int | None, body: Program) -> None:
        """Run `body`, which returns on every path, if `value` is what is loaded."""
        if value is None:
            return
        if len(body._code) > 255:
            raise ValueError("a jump reaches 255 instructions at most")
        self._add(_JUMP_EQUAL, value, no=len(body._code))
        self._code.extend(body._code)

    def append(self, other: Program) -> None:
        self._code.extend(other._code)

    def end(self, verdict: int) -> None:
        self._add(_RETURN, verdict)

    def begin(self, machine: Machine) -> None:
        """Kill callers of another architecture's interface, deny x32, and load the call's number."""
        self._add(_LOAD, _ARCH)
        self._add(_JUMP_EQUAL, AUDIT_ARCH[machine], yes=1)
        self.end(KILL)
        self._add(_LOAD, _NUMBER)
        if machine == "x86_64":
            self._add(_JUMP_FROM, X32, no=1)
            self.end(ABSENT)

    def each(self, names: Iterable[str], machine: Machine, verdict: int) -> None:
        """Answer every call of these names with `verdict`."""
        self.any_of((call for name in names if (call := number(name, machine)) is not None), verdict)

    def assembled(self) -> bytes:
        """Return the instructions as an array of struct sock_filter."""
        return b"".join(struct.pack("<HBBI", code, yes, no, value) for code, yes, no, value in self._code)


def machine_named(name: str) -> Machine:
    """Return `os.uname().machine` as a machine there is a filter for. Raises `NoFilter`."""
    for machine in get_args(Machine):
        if name == machine:
            return machine  # type: ignore[no-any-return]  # get_args is untyped
    raise NoFilter(
        "There is no system call filter for this processor, so no command is run.",
        hint="Wirken's sandbox runs on x86_64 and aarch64.",
    )
