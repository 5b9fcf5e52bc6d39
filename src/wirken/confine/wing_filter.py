"""The seccomp filter that each of our own processes puts on itself (docs/confinement.md, "System calls").

It refuses all that a command's filter refuses, and what the process's row does not name: programs, sockets,
new processes. The runner's is wider, because it makes sandboxes and every program in them inherits it.
"""

from __future__ import annotations

from typing import Final

from wirken.confine.bpf import ABSENT, ALLOW, PRETEND, REFUSE, Program
from wirken.confine.roles import Role
from wirken.confine.seccomp import (
    AF_INET,
    AF_INET6,
    AF_NETLINK,
    AF_UNIX,
    DENIED,
    NAMESPACE_FLAGS,
    judge_arguments,
    sockets,
)
from wirken.confine.syscalls import Machine, number

MAKING_SANDBOXES: Final = frozenset(("mount", "umount2", "pivot_root", "unshare", "sethostname"))
"""What bubblewrap asks of the kernel, and so the runner may, of what is denied to everybody else."""

MAKING_KERNELS: Final = frozenset(("ptrace", "chroot"))
"""What runsc asks of the kernel besides: it runs the programs of its own kernel under ptrace."""

ENTERED: Final = (0x1000_0000, 0x4000_0000)
"""CLONE_NEWUSER and CLONE_NEWNET: the namespaces of its own sandboxes that `runner/hatch.py` enters with setns."""

NEW_MOUNTS: Final = frozenset(
    ("move_mount", "open_tree", "open_tree_attr", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr")
)
"""Said not to exist in the runner, so that a newer bubblewrap falls back to mount(2)."""

NEVER_NEEDED: Final = (
    # shared memory and queues by name: a meeting place with processes that we did not choose
    "shmget", "shmat", "semget", "msgget", "mq_open",
    # other processes' memory and files, from further sides
    "move_pages", "migrate_pages", "process_mrelease", "name_to_handle_at", "fanotify_init", "remap_file_pages",
)  # fmt: skip
"""Refused beside `DENIED` in every process that starts no program."""

NEW_PROGRAMS: Final = ("execve", "execveat", "fork", "vfork")

CLONE_THREAD: Final = 0x0001_0000
PRCTL_REFUSED: Final = (1, 4, 35, 0x5961_6D61)
"""PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_MM, PR_SET_PTRACER: each would open a wall again."""

SOCKET_TYPE: Final = 0xF
"""SOCK_TYPE_MASK of linux/net.h; the other bits are flags."""
SOCK_STREAM: Final = 1

_FAMILIES: Final = {"unix": AF_UNIX, "inet": AF_INET, "inet6": AF_INET6, "netlink": AF_NETLINK}


def wing_filter(role: Role, machine: Machine) -> bytes:
    """Return the program for the process of this row."""
    program = Program()
    program.begin(machine)
    families = tuple(_FAMILIES[name] for name in role.families)
    program.block(number("socket", machine), sockets(families))
    if role.starts_programs:
        _makes_sandboxes(program, role, machine)
    else:
        _stays_alone(program, role, machine)
    judge_arguments(program, machine)
    program.end(ALLOW)
    return program.assembled()


def _makes_sandboxes(program: Program, role: Role, machine: Machine) -> None:
    needed = MAKING_SANDBOXES | NEW_MOUNTS | (MAKING_KERNELS if role.traces else frozenset())
    program.each(NEW_MOUNTS, machine, ABSENT)
    program.block(number("setns", machine), _entering())
    program.each((name for name in DENIED if name not in needed), machine, REFUSE)


def _entering() -> Program:
    body = Program()
    body.load_argument(1)
    body.any_of(ENTERED, ALLOW)
    body.end(REFUSE)
    return body


def _stays_alone(program: Program, role: Role, machine: Machine) -> None:
    program.each((*DENIED, *NEVER_NEEDED, *NEW_PROGRAMS), machine, REFUSE)
    # openat2's mode lies behind a pointer; whoever asks for it falls back to openat.
    program.answer(number("openat2", machine), ABSENT)
    program.block(number("clone", machine), _threads_only())
    program.block(number("socketpair", machine), _stream_pairs())
    program.block(number("prctl", machine), _prctl())
    program.block(number("prlimit64", machine), _own_limits())
    # What we serve was bound and set to listen before it came here: libraries that call listen() once more get
    # their yes, and a socket that nobody bound never listens (Landlock judges bind, not listen).
    program.answer(number("listen", machine), PRETEND)
    if not role.families:
        program.answer(number("connect", machine), REFUSE)
    if not role.network:
        program.answer(number("bind", machine), REFUSE)


def _threads_only() -> Program:
    body = Program()
    body.load_argument(0)
    body.answer_bits(NAMESPACE_FLAGS, REFUSE)
    body.unless_bits(CLONE_THREAD, REFUSE)
    body.end(ALLOW)
    return body


def _stream_pairs() -> Program:
    """A datagram pair could be pointed at any named socket later; a stream pair stays what it is."""
    unix = Program()
    unix.load_argument(1, SOCKET_TYPE)
    unix.answer(SOCK_STREAM, ALLOW)
    unix.end(REFUSE)
    body = Program()
    body.load_argument(0)
    body.block(AF_UNIX, unix)
    body.end(REFUSE)
    return body


def _prctl() -> Program:
    body = Program()
    body.load_argument(0)
    body.any_of(PRCTL_REFUSED, REFUSE)
    body.end(ALLOW)
    return body


def _own_limits() -> Program:
    """Limits of ourselves only: pid 0."""
    body = Program()
    body.load_argument(0)
    body.answer(0, ALLOW)
    body.end(REFUSE)
    return body
