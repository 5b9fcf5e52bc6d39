"""Attacks on the kernel's rarer doors, and on the walls themselves: to take one off, or to make it wider."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import struct
import termios
from typing import Final, NamedTuple

from tests.hostile.roles.attack import Act, Scene, call, check, libc, own_namespace


class _Numbers(NamedTuple):
    """System calls (asm/unistd_64.h, asm-generic/unistd.h)."""

    mount: int = 165
    pivot_root: int = 155
    bpf: int = 321
    keyctl: int = 250
    add_key: int = 248
    userfaultfd: int = 323
    perf: int = 298
    init_module: int = 175
    kexec: int = 246
    reboot: int = 169
    clock_settime: int = 227
    syslog: int = 103
    shmget: int = 29
    mq_open: int = 240
    memory_of: int = 440  # process_madvise
    fanotify: int = 300
    capset: int = 126


_ARM: Final = _Numbers(
    40, 41, 280, 219, 217, 282, 241, 105, 104, 142, 112, 116, 194, 180, 440, 262, 91
)  # fmt: skip
N: Final = _ARM if os.uname().machine == "aarch64" else _Numbers()
_IO_URING_SETUP, _FSOPEN = 425, 430
_NEWNS, _NEWUTS, _NEWUSER, _NEWNET = 0x0002_0000, 0x0400_0000, 0x1000_0000, 0x4000_0000
_SET_DUMPABLE, _SET_SECCOMP, _SET_PTRACER, _SET_PDEATHSIG = 4, 22, 0x5961_6D61, 1
_NO_RANDOM: Final = 0x0004_0000
_FILES: Final = 2048  # more than any row has
_CAPABILITY_VERSION: Final = 0x2008_0522


def _prctl(option: int, value: int) -> Act:
    return lambda scene: check(libc.prctl(option, *(ctypes.c_ulong(each) for each in (value, 0, 0, 0))))


def _unshare(flags: int) -> Act:
    return lambda scene: check(libc.unshare(flags))


def _setns(scene: Scene) -> None:
    descriptor = os.open("/proc/self/ns/uts", os.O_RDONLY)
    check(libc.setns(descriptor, _NEWUTS))


def _mount(scene: Scene) -> None:
    call(N.mount, b"tmpfs", b"/tmp", b"tmpfs", 0, None)


def _mount_in_own(scene: Scene) -> None:
    own_namespace()
    _mount(scene)


def _bpf(scene: Scene) -> None:
    attributes = (ctypes.c_uint32 * 32)(2, 4, 4, 1)  # BPF_MAP_TYPE_ARRAY of one
    os.close(call(N.bpf, 0, ctypes.byref(attributes), ctypes.sizeof(attributes)))


def _perf(scene: Scene) -> None:
    attributes = (ctypes.c_uint64 * 16)()
    struct.pack_into("II", attributes, 0, 1, 112)  # PERF_TYPE_SOFTWARE, PERF_ATTR_SIZE_VER5
    os.close(call(N.perf, ctypes.byref(attributes), 0, -1, -1, 0))


def _io_uring(scene: Scene) -> None:
    os.close(call(_IO_URING_SETUP, 1, ctypes.byref((ctypes.c_uint32 * 32)())))


def _capabilities(scene: Scene) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    call(N.capset, ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)(1 << 21, 1 << 21, 0, 0, 0, 0)))


def _wider_landlock(scene: Scene) -> None:
    """Put a domain of one's own on top that allows everything, and read what the first does not give."""
    from wirken.confine import landlock

    landlock.restrict(landlock.Rules(read=("/",), keep=("/",)), landlock.version())
    with open("/proc/version", "rb") as file:
        file.read(1)


def _second_filter(scene: Scene) -> None:
    """Put a filter of one's own on top that allows everything, and ask for what the first refuses."""
    everything = struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF_0000)

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))

    check(libc.prctl(38, *(ctypes.c_ulong(each) for each in (1, 0, 0, 0))))
    check(libc.prctl(_SET_SECCOMP, ctypes.c_ulong(2), ctypes.byref(Program(1, everything))))
    _bpf(scene)


def _seccomp_off(scene: Scene) -> None:
    _prctl(_SET_SECCOMP, 0)(scene)


def _more_files(scene: Scene) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    except ValueError:
        raise PermissionError(1, "a hard limit") from None


def _core(scene: Scene) -> None:
    """Have the next crash write this process's memory to a file."""
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except ValueError:
        raise PermissionError(1, "a hard limit") from None


def _type_ahead(scene: Scene) -> None:
    """Type a command into the terminal that Wirken was started from."""
    fcntl.ioctl(2, termios.TIOCSTI, b" ")


def _io_ports(scene: Scene) -> None:
    check(libc.iopl(3))


def _clock(scene: Scene) -> None:
    """A time that is none: who may set the clock is told so."""
    call(N.clock_settime, 0, ctypes.byref((ctypes.c_long * 2)(0, -1)))


def _shared(scene: Scene) -> None:
    found = call(N.shmget, 0, 4096, 0o1600)
    libc.shmctl(found, 0, None)


def _queue(scene: Scene) -> None:
    os.close(call(N.mq_open, b"left-by-an-attack", os.O_CREAT | os.O_RDWR, 0o600, None))
    libc.mq_unlink(b"/left-by-an-attack")


def _chroot(scene: Scene) -> None:
    os.chroot("/tmp")


FORKED: Final[dict[str, Act]] = {
    "mount": _mount,
    "mount-in-own-namespace": _mount_in_own,
    "new-mount-api": lambda scene: os.close(call(_FSOPEN, b"tmpfs", 0)),
    "pivot-root": lambda scene: call(N.pivot_root, b"/tmp", b"/tmp"),
    "chroot": _chroot,
    "new-user-namespace": _unshare(_NEWUSER),
    "new-network-namespace": _unshare(_NEWNET),
    "enter-namespace": _setns,
    "bpf": _bpf,
    "keyctl": lambda scene: call(N.keyctl, 0, -3, 1),
    "add-key": lambda scene: call(N.add_key, b"user", b"x", b"x", 1, -2),
    "userfaultfd": lambda scene: os.close(call(N.userfaultfd, 0)),
    "io-uring": _io_uring,
    "perf": _perf,
    "load-module": lambda scene: call(N.init_module, b"no module", 9, b""),
    "kexec": lambda scene: call(N.kexec, 0, 99, None, 0),
    "reboot": lambda scene: call(N.reboot, 0, 0, 0, None),
    "set-clock": _clock,
    "set-host-name": lambda scene: check(libc.sethostname(b"x", 1)),
    "read-kernel-log": lambda scene: call(N.syslog, 3, ctypes.create_string_buffer(64), 64),
    "watch-files": lambda scene: os.close(call(N.fanotify, 0, 0)),
    "shared-memory": _shared,
    "message-queue": _queue,
    "io-ports": _io_ports,
    "become-root": lambda scene: os.setresuid(0, 0, 0),
    "regain-capability": _capabilities,
    "widen-landlock": _wider_landlock,
    "second-filter": _second_filter,
    "filter-off": _seccomp_off,
    "be-dumpable": _prctl(_SET_DUMPABLE, 1),
    "allow-tracers": _prctl(_SET_PTRACER, -1),
    "outlive-supervisor": _prctl(_SET_PDEATHSIG, 0),
    "no-random-addresses": lambda scene: check(libc.personality(ctypes.c_ulong(_NO_RANDOM))),
    "more-files": _more_files,
    "allow-core": _core,
    "type-into-terminal": _type_ahead,
}
