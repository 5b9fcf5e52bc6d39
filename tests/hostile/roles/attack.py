"""What an attack is given, how it says what came of it, and how it is kept apart from the process it runs in."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

libc: Final = ctypes.CDLL(None, use_errno=True)
DONE: Final = "done"
_NEW_MOUNTS: Final = 0x0402_0000  # CLONE_NEWNS, CLONE_NEWUTS
PATIENCE: Final = 10.0
"""Seconds that one attack may take."""


class Scene(NamedTuple):
    """Where everything lies. Paths are the machine's; a view shows some of them at the same place."""

    role: str
    """`bare` for the run without walls."""
    data: str
    sockets: str
    home: str
    program: str
    """The folder of the package `wirken`."""
    site: str
    """A folder of packages of the environment."""
    own: str
    """A folder that the row lets the role write, else /tmp."""
    outside: str
    """A file in the machine's /tmp."""
    page: int
    """The TCP port of the page."""
    other: int
    """The TCP port of another service of the machine, on loopback."""
    address: str
    """An address that looks as one of the internet does."""
    abstract: str
    """The name of an abstract Unix socket that somebody outside listens on."""
    pids: tuple[int, ...] = ()
    """Of all other processes: the supervisor, its children, and one of the person's."""


Act: TypeAlias = Callable[[Scene], object]


class Thwarted(Exception):  # an outcome
    """The attack came to nothing without an error; the one word says how."""


def call(number: int, *arguments: object) -> int:
    """Make a system call by its number. Raises OSError."""
    wide = (ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)
    answer = int(libc.syscall(ctypes.c_long(number), *wide))
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


def check(answer: int) -> None:
    """Raise the OSError of a C function that returned -1."""
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def own_namespace() -> None:
    """Become root of a user namespace of one's own, with mounts of its own."""
    dumpable, user_and_mounts = 4, 0x1002_0000  # PR_SET_DUMPABLE; CLONE_NEWUSER, CLONE_NEWNS
    uid = os.getuid()
    libc.prctl(dumpable, *(ctypes.c_ulong(each) for each in (1, 0, 0, 0)))  # else uid_map belongs to root
    check(libc.unshare(user_and_mounts))
    with open("/proc/self/uid_map", "w") as file:
        file.write(f"0 {uid} 1")


def outcome(act: Act, scene: Scene) -> str:
    """Return `done`, the name of an error number, or one word."""
    try:
        act(scene)
    except Thwarted as word:
        return str(word)
    except TimeoutError:
        return "ETIMEDOUT"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except Exception as error:
        return type(error).__name__
    return DONE


def apart(act: Act, scene: Scene) -> str:
    """Return the outcome of an attack in a process of its own, which inherits every wall; here, where none may be."""
    read, write = os.pipe()
    try:
        child = os.fork()
    except PermissionError:
        os.close(read)
        os.close(write)
        return outcome(act, scene)
    if child == 0:
        with contextlib.suppress(BaseException):
            if scene.role == "bare":
                libc.unshare(_NEW_MOUNTS)  # so that the next attack finds the machine as it was
            os.write(write, outcome(act, scene).encode())
        os._exit(0)
    os.close(write)
    ready = select.select([read], [], [], PATIENCE)[0]
    said = os.read(read, 64).decode() if ready else ""
    os.close(read)
    if not ready:
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if said:
        return said
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) and ready else "hangs"


def run_all(here: Mapping[str, Act], forked: Mapping[str, Act], scene: Scene) -> None:
    """Run every attack, and write a line of JSON for each to standard error."""
    for attacks, way in ((forked, apart), (here, outcome)):
        for name, act in attacks.items():
            began = time.monotonic()
            said = way(act, scene)
            tell(scene.role, name, said, round((time.monotonic() - began) * 1000))
    tell(scene.role, "", "over", 0)


def tell(role: str, name: str, said: str, took: int) -> None:
    """Report one outcome; `took` is in milliseconds."""
    report = json.dumps({"role": role, "attack": name, "said": said, "ms": took})
    os.write(2, f"HOSTILE {report}\n".encode())
