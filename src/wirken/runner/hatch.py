"""A process of a few milliseconds that makes a listening socket inside one sandbox's network, and hands it out.

A process changes its namespaces only while it has one thread, so the runner cannot do this itself. Owner of the
sandbox's user namespace is the runner's own user, and so this process has every capability in there, and none
outside (user_namespaces(7), "Capabilities"). At that time no program of the sandbox has started yet.

A system call filter of the runner, which this process inherits, has to leave it setns, ioctl on a namespace, and
Internet sockets.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import sys
from typing import Final

from wirken.domain import limits

LOOPBACK: Final = "127.0.0.1"

_NS_GET_USERNS: Final = 0xB701  # ioctl_ns(2): the user namespace that owns this one
_CLONE_NEWUSER: Final = 0x1000_0000
_CLONE_NEWNET: Final = 0x4000_0000
_IP_FREEBIND: Final = 15  # ip(7); Python has no name for it


def main() -> int:
    """Take two descriptors, a network namespace and a Unix socket; send the listener over the second."""
    network, answer = (int(word) for word in sys.argv[1:])
    try:
        _enter(network)
        with listener() as made, socket.socket(fileno=answer) as channel:
            socket.send_fds(channel, [b"\n"], [made.fileno()])
    except OSError as error:
        print(error.strerror, file=sys.stderr)  # noqa: T201  # read by runner/egress.py
        return 1
    return 0


def _enter(network: int) -> None:
    """Enter a network namespace, over the user namespace that owns it. Raises `OSError`."""
    libc = ctypes.CDLL(None, use_errno=True)
    owner = fcntl.ioctl(network, _NS_GET_USERNS)
    for namespace, kind in ((owner, _CLONE_NEWUSER), (network, _CLONE_NEWNET)):
        if libc.setns(namespace, kind) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


def listener() -> socket.socket:
    """Return the listener. The loopback interface may not have its address yet; hence IP_FREEBIND."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
    made.bind((LOOPBACK, limits.EGRESS_PORT))
    made.listen(limits.EGRESS_BACKLOG)
    return made


if __name__ == "__main__":
    sys.exit(main())
