"""A captured adapter: a process that has one channel's identity and does with it what an attacker would.

Reads one line of JSON from its standard input (`path`, `role`, `seed`, `key`, `attack`), says `on`, and goes on until
it is killed, as fast as it can.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import socket
import sys
from collections.abc import Callable, Iterator

import msgspec

from wirken.domain import limits
from wirken.domain.ids import RoleName
from wirken.domain.secret import Secret
from wirken.ipc import codec, handshake
from wirken.ipc.calls.operator import AnswerApproval, AnswerAs
from wirken.ipc.frames import Call, Frame, Inbound
from wirken.ipc.framing import encode_frame

_numbers = itertools.count()


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data


def _message(sock: socket.socket) -> bytes:
    return _exactly(sock, int.from_bytes(_exactly(sock, 4), "big"))


def dialled(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(5)
    sock.connect(path)
    return sock


def welcomed(path: str, identity: handshake.Identity) -> socket.socket:
    """Return a connection whose handshake is done."""
    sock = dialled(path)
    nonce = os.urandom(handshake.NONCE)
    sock.sendall(encode_frame(handshake.hello(identity.role, nonce)))
    sock.sendall(encode_frame(handshake.prove(identity, nonce, _message(sock))))
    if _message(sock) != handshake.WELCOME:
        raise ConnectionError
    return sock


def _framed(frame: Frame) -> bytes:
    return encode_frame(codec.encode(frame))


def messages() -> Iterator[bytes]:
    """Messages of ever new accounts."""
    while True:
        yield b"".join(
            _framed(Inbound(f"m{number}", f"c{number}", "hello", sender=f"s{number}", sender_name="Mallory"))
            for number in itertools.islice(_numbers, 100)
        )


def one_account() -> Iterator[bytes]:
    """Messages of an account that is admitted."""
    while True:
        yield b"".join(
            _framed(Inbound(f"m{number}", "c", "hello", sender="7", sender_name="Mallory"))
            for number in itertools.islice(_numbers, 100)
        )


def frames() -> Iterator[bytes]:
    """The largest frames that there may be."""
    whole = _framed(Inbound("m", "c", "x" * (limits.FRAME - 1024), sender="s"))
    while True:
        yield whole


def questions() -> Iterator[bytes]:
    """Answers to questions that nobody asked."""
    for number in _numbers:
        given = AnswerApproval(approval=f"{number:016x}", lease="0" * 64, choice="once")
        yield _framed(Call(number, msgspec.msgpack.encode(AnswerAs(given, f"s{number}", "c"))))


def drip() -> Iterator[bytes]:
    """A large frame that is announced and comes byte by byte."""
    yield limits.FRAME.to_bytes(4, "big")
    while True:
        yield b"\0"


FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "messages": messages,
    "one account": one_account,
    "frames": frames,
    "questions": questions,
    "drip": drip,
}


def flood(path: str, identity: handshake.Identity, given: Iterator[bytes]) -> None:
    """Send all that the other side takes, and read away what it says, until it hangs up."""
    with contextlib.closing(welcomed(path, identity)) as sock:
        sock.setblocking(False)
        for data in given:
            left = memoryview(data)
            while left:
                readable, writable, _ = select.select([sock], [sock], [], 5)
                if readable and not sock.recv(1 << 20):
                    return
                if writable:
                    left = left[sock.send(left) :]


def knock(path: str, identity: handshake.Identity) -> None:
    """Shake hands and hang up."""
    welcomed(path, identity).close()


def loris(path: str, held: list[socket.socket]) -> None:
    """Begin one more handshake, with three bytes of it, and hold on to the last two hundred."""
    held.append(dialled(path))
    held[-1].sendall(b"\0\0\0")
    if len(held) > 200:
        held.pop(0).close()


def main() -> None:
    given = json.loads(sys.stdin.readline())
    identity = handshake.Identity(
        RoleName(given["role"]), Secret(bytes.fromhex(given["seed"])), bytes.fromhex(given["key"])
    )
    path, attack = given["path"], given["attack"]
    held: list[socket.socket] = []
    print("on", flush=True)
    while True:
        with contextlib.suppress(OSError, ConnectionError, handshake.HandshakeFailed):
            if attack == "knock":
                knock(path, identity)
            elif attack == "loris":
                loris(path, held)
            else:
                flood(path, identity, FLOODS[attack]())


if __name__ == "__main__":
    main()
