"""What a hatch runs, the container beside that of a command with a network (`runner.online`).

It makes the listening socket in the network that both share, hands it to the runner, and from then on does nothing:
what connects is the runner's to accept. It ends with its standard input, which the runner holds.
"""

from __future__ import annotations

import os
import socket
import sys

from wirken.runner.hatch import listener


def main() -> int:
    """Take the path of the runner's socket. No socket is open here any more once the listener was handed over."""
    try:
        with listener() as made, socket.socket(socket.AF_UNIX) as channel:
            channel.connect(sys.argv[1])
            socket.send_fds(channel, [b"\n"], [made.fileno()])
    except OSError as error:
        print(error.strerror, file=sys.stderr)  # noqa: T201  # read by runner/online.py
        return 1
    while os.read(sys.stdin.fileno(), 1):
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
