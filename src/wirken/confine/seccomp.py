"""The seccomp filter of a sandboxed command, as a classic BPF program (docs/sandbox.md, "System calls").

Allowed is what is not named here: the sandbox runs arbitrary programs, and a list of the allowed would
break with each new libc. Named are the calls that reach the kernel's administration, other processes'
memory, new namespaces, or code with a long record of privilege escalations.
"""

from __future__ import annotations

import errno
import struct
from typing import Final, get_args

from wirken.confine.syscalls import AUDIT_ARCH, Machine, number
from wirken.domain.errors import SandboxUnavailable

DENIED: Final = (
    # other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
    # mounts and roots
    "mount", "umount2", "move_mount", "open_tree", "open_tree_attr", "fsopen", "fsconfig", "fsmount",
    "fspick", "mount_setattr", "pivot_root", "chroot", "open_by_handle_at",
    # namespaces (clone is judged by its flags, clone3 is said not to exist)
    "unshare", "setns",
    # wide and often broken parts of the kernel
    "bpf", "keyctl", "add_key", "request_key", "userfaultfd", "perf_event_open",
    "io_uring_setup", "io_uring_enter", "io_uring_register",
    # administration of the machine
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "swapon", "swapoff",
    "reboot", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "acct", "quotactl",
    "quotactl_fd", "syslog", "sethostname", "setdomainname", "vhangup",
    # obsolete, or x86 hardware access
    "lookup_dcookie", "nfsservctl", "create_module", "query_module", "get_kernel_syms", "_sysctl",
    "sysfs", "uselib", "ustat", "modify_ldt", "iopl", "ioperm",
)  # fmt: skip
"""Answered with EPERM whatever the arguments."""

MODE_ARGUMENTS: Final = {
    "chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2,
    "mkdir": 1, "mkdirat": 2, "mknod": 1, "mknodat": 2, "creat": 1,
}  # fmt: skip
"""Which argument says the mode of a file."""

OPENING: Final = {"open": 1, "openat": 2}
"""Which argument says the flags; the mode is the next one, and counts only where a file is made."""

CREATING: Final = 0o100 | 0o20_000_000
"""O_CREAT and __O_TMPFILE of asm-generic/fcntl.h."""

BORROWED_RIGHTS: Final = 0o6000
"""S_ISUID and S_ISGID: outside of the sandbox, such a file lends whoever starts it the rights of its owner."""

X32: Final = 0x4000_0000
"""Calls of the x32 interface carry this bit; their numbers would pass every comparison below."""

NAMESPACE_FLAGS: Final = 0x7E02_0000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of linux/sched.h."""

TERMINAL_REQUESTS: Final = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX: both type into the terminal that the command was started from."""

PERSONALITIES: Final = (0, 0xFFFF_FFFF)
"""PER_LINUX, and the value that only asks. Others switch off address randomisation, among more."""

AF_UNIX: Final = 1
AF_INET: Final = 2
AF_INET6: Final = 10
AF_NETLINK: Final = 16
NETLINK_ROUTE: Final = 0
INTERNET_PROTOCOLS: Final = (0, 1, 6, 17, 58)
"""Default, ICMP, TCP, UDP, ICMPv6. Others (SCTP, DCCP, MPTCP …) load kernel modules on demand."""

ALLOW: Final = 0x7FFF_0000  # SECCOMP_RET_ALLOW
KILL: Final = 0x8000_0000  # SECCOMP_RET_KILL_PROCESS
_ERRNO: Final = 0x0005_0000  # SECCOMP_RET_ERRNO
REFUSE: Final = _ERRNO | errno.EPERM
ABSENT: Final = _ERRNO | errno.ENOSYS

# offsets in struct seccomp_data; both machines are little-endian
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
_LOAD, _JUMP, _JUMP_EQUAL, _JUMP_FROM, _JUMP_ANY_BIT, _RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06


class NoFilter(SandboxUnavailable):
    """There is no filter for this machine's architecture."""


class _Program:
    """Instructions under construction. Every check ends in a return or leaves the number loaded."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int]] = []

    def add(self, code: int, value: int, *, yes: int = 0, no: int = 0) -> None:
        self._code.append((code, yes, no, value))

    def load_number(self) -> None:
        self.add(_LOAD, _NUMBER)

    def load_argument(self, index: int) -> None:
        """Load the low 32 bits: the kernel reads these arguments as int, so the high half must not count."""
        self.add(_LOAD, _ARGUMENTS + 8 * index)

    def answer(self, call: int | None, verdict: int) -> None:
        """Return `verdict` if the loaded number is `call`."""
        if call is not None:
            self.add(_JUMP_EQUAL, call, no=1)
            self.add(_RETURN, verdict)

    def block(self, call: int | None, body: _Program) -> None:
        """Run `body`, which returns on every path, if the loaded number is `call`."""
        if call is None:
            return
        if len(body._code) > 255:
            raise ValueError("a jump reaches 255 instructions at most")
        self.add(_JUMP_EQUAL, call, no=len(body._code))
        self._code.extend(body._code)

    def append(self, other: _Program) -> None:
        self._code.extend(other._code)

    def any_of(self, values: tuple[int, ...], verdict: int) -> None:
        for value in values:
            self.answer(value, verdict)

    def end(self, verdict: int) -> None:
        self.add(_RETURN, verdict)

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


def command_filter(machine: Machine) -> bytes:
    """Return the program for `bwrap --seccomp`: what a sandboxed command may ask of the kernel."""
    program = _Program()
    program.add(_LOAD, _ARCH)
    program.add(_JUMP_EQUAL, AUDIT_ARCH[machine], yes=1)
    program.end(KILL)
    program.load_number()
    if machine == "x86_64":
        program.add(_JUMP_FROM, X32, no=1)
        program.end(ABSENT)
    # libc falls back to clone when clone3 is absent, and clone's flags are not behind a pointer.
    program.answer(number("clone3", machine), ABSENT)
    # openat2's mode lies behind a pointer; whoever asks for it falls back to openat.
    program.answer(number("openat2", machine), ABSENT)
    for name, flags in OPENING.items():
        program.block(number(name, machine), _open(flags))
    for name, mode in MODE_ARGUMENTS.items():
        program.block(number(name, machine), _mode(mode))
    program.block(number("clone", machine), _clone())
    program.block(number("ioctl", machine), _ioctl())
    program.block(number("socket", machine), _socket())
    program.block(number("socketpair", machine), _socketpair())
    program.block(number("personality", machine), _personality())
    for name in DENIED:
        program.answer(number(name, machine), REFUSE)
    program.end(ALLOW)
    return program.assembled()


def _mode(index: int) -> _Program:
    body = _Program()
    body.load_argument(index)
    body.add(_JUMP_ANY_BIT, BORROWED_RIGHTS, no=1)
    body.end(REFUSE)
    body.end(ALLOW)
    return body


def _open(flags: int) -> _Program:
    body = _Program()
    body.load_argument(flags)
    body.add(_JUMP_ANY_BIT, CREATING, yes=1)
    body.end(ALLOW)
    body.append(_mode(flags + 1))
    return body


def _clone() -> _Program:
    body = _Program()
    body.load_argument(0)
    body.add(_JUMP_ANY_BIT, NAMESPACE_FLAGS, no=1)
    body.end(REFUSE)
    body.end(ALLOW)
    return body


def _ioctl() -> _Program:
    body = _Program()
    body.load_argument(1)
    body.any_of(TERMINAL_REQUESTS, REFUSE)
    body.end(ALLOW)
    return body


def _socket() -> _Program:
    """Unix, Internet (the network namespace holds only a loopback) and routing queries, as libc asks them.

    Everything else is refused: AF_VSOCK is not bound to a network namespace and reaches the hypervisor,
    AF_ALG and the rare families are attack surface without a use here.
    """
    internet = _Program()
    internet.load_argument(2)
    internet.any_of(INTERNET_PROTOCOLS, ALLOW)
    internet.end(REFUSE)
    netlink = _Program()
    netlink.load_argument(2)
    netlink.answer(NETLINK_ROUTE, ALLOW)
    netlink.end(REFUSE)
    body = _Program()
    body.load_argument(0)
    body.answer(AF_UNIX, ALLOW)
    body.block(AF_INET, internet)
    body.block(AF_INET6, internet)
    body.block(AF_NETLINK, netlink)
    body.end(REFUSE)
    return body


def _socketpair() -> _Program:
    body = _Program()
    body.load_argument(0)
    body.answer(AF_UNIX, ALLOW)
    body.end(REFUSE)
    return body


def _personality() -> _Program:
    body = _Program()
    body.load_argument(0)
    body.any_of(PERSONALITIES, ALLOW)
    body.end(REFUSE)
    return body
