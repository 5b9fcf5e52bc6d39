"""The seccomp filter of a sandboxed command, as a classic BPF program (docs/sandbox.md, "System calls").

Allowed is what is not named here: the sandbox runs arbitrary programs, and a list of the allowed would
break with each new libc. Named are the calls that reach the kernel's administration, other processes'
memory, new namespaces, or code with a long record of privilege escalations.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wirken.confine.bpf import ABSENT, ALLOW, REFUSE, Program
from wirken.confine.syscalls import Machine, number

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


def command_filter(machine: Machine) -> bytes:
    """Return the program for `bwrap --seccomp`: what a sandboxed command may ask of the kernel."""
    program = Program()
    program.begin(machine)
    # openat2's mode lies behind a pointer; whoever asks for it falls back to openat.
    program.answer(number("openat2", machine), ABSENT)
    program.block(number("clone", machine), _clone())
    program.block(number("socket", machine), sockets((AF_UNIX, AF_INET, AF_INET6, AF_NETLINK)))
    program.block(number("socketpair", machine), _socketpair())
    judge_arguments(program, machine)
    program.each(DENIED, machine, REFUSE)
    program.end(ALLOW)
    return program.assembled()


def judge_arguments(program: Program, machine: Machine) -> None:
    """Add what every filter of ours says of modes, terminals, personalities, and of clone3's hidden flags."""
    # libc falls back to clone when clone3 is absent, and clone's flags are not behind a pointer.
    program.answer(number("clone3", machine), ABSENT)
    for name, flags in OPENING.items():
        program.block(number(name, machine), _open(flags))
    for name, mode in MODE_ARGUMENTS.items():
        program.block(number(name, machine), _mode(mode))
    program.block(number("ioctl", machine), _ioctl())
    program.block(number("personality", machine), _personality())


def sockets(families: Iterable[int]) -> Program:
    """Return what a filter says of socket(2): these families, of Internet and routing sockets the usual protocols.

    Everything else is refused: AF_VSOCK is not bound to a network namespace and reaches the hypervisor,
    AF_ALG and the rare families are attack surface without a use here.
    """
    body = Program()
    body.load_argument(0)
    for family in families:
        if family == AF_UNIX:
            body.answer(family, ALLOW)
        else:
            body.block(family, _protocols((NETLINK_ROUTE,) if family == AF_NETLINK else INTERNET_PROTOCOLS))
    body.end(REFUSE)
    return body


def _protocols(allowed: tuple[int, ...]) -> Program:
    body = Program()
    body.load_argument(2)
    body.any_of(allowed, ALLOW)
    body.end(REFUSE)
    return body


def _mode(index: int) -> Program:
    body = Program()
    body.load_argument(index)
    body.answer_bits(BORROWED_RIGHTS, REFUSE)
    body.end(ALLOW)
    return body


def _open(flags: int) -> Program:
    body = Program()
    body.load_argument(flags)
    body.unless_bits(CREATING, ALLOW)
    body.append(_mode(flags + 1))
    return body


def _clone() -> Program:
    body = Program()
    body.load_argument(0)
    body.answer_bits(NAMESPACE_FLAGS, REFUSE)
    body.end(ALLOW)
    return body


def _ioctl() -> Program:
    body = Program()
    body.load_argument(1)
    body.any_of(TERMINAL_REQUESTS, REFUSE)
    body.end(ALLOW)
    return body


def _socketpair() -> Program:
    body = Program()
    body.load_argument(0)
    body.answer(AF_UNIX, ALLOW)
    body.end(REFUSE)
    return body


def _personality() -> Program:
    body = Program()
    body.load_argument(0)
    body.any_of(PERSONALITIES, ALLOW)
    body.end(REFUSE)
    return body
