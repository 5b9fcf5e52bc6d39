from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.support.linked import Answer, Question, Scripted, until
from tests.support.vault_parts import SetClock

from wirken.domain import limits
from wirken.domain.errors import ProtocolError, Unavailable
from wirken.domain.ids import RoleName
from wirken.domain.secret import Secret
from wirken.ipc import handshake
from wirken.ipc.framing import encode_frame
from wirken.ipc.handshake import HandshakeFailed, Identity, public_key
from wirken.ipc.lockout import LockedOut, Lockout
from wirken.ipc.peer import adopt, connect, credentials, dial, meet
from wirken.ipc.vault_wire import VaultLost

GATEWAY, RUNNER, STRANGER = (Secret(bytes([number]) * 32) for number in (1, 2, 3))
ROLE = RoleName("runner")
IDENTITY = Identity(ROLE, RUNNER, public_key(GATEWAY))
KeyOf = Callable[[RoleName], Awaitable[bytes]]


async def registered(role: RoleName) -> bytes:
    return public_key(RUNNER) if role == ROLE else b""


async def shake(
    lockout: Lockout,
    identity: Identity,
    key_of: KeyOf = registered,
    seed: Secret = GATEWAY,
    patience: float = 2.0,
) -> RoleName:
    """Let a dialler meet a listener over a socket pair; return the proven role or raise the listener's error."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for end in (ours, theirs):
            end.setblocking(False)
        dialling = asyncio.ensure_future(dialler(theirs, identity))
        try:
            return await meet(ours, seed, key_of, lockout, patience=patience)
        finally:
            ours.close()
            await asyncio.wait({dialling})
            dialling.exception()


async def dialler(sock: socket.socket, identity: Identity) -> None:
    loop = asyncio.get_running_loop()
    nonce = os.urandom(handshake.NONCE)
    await loop.sock_sendall(sock, encode_frame(handshake.hello(identity.role, nonce)))
    answer = await loop.sock_recv(sock, 4 + handshake.NONCE + handshake.SIGNATURE)
    if answer:
        await loop.sock_sendall(sock, encode_frame(handshake.prove(identity, nonce, answer[4:])))


async def speak(lockout: Lockout, *messages: bytes, patience: float = 0.2) -> str:
    """Send raw bytes to a listener; return what it said in refusing them."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for end in (ours, theirs):
            end.setblocking(False)
        for message in messages:
            theirs.send(message)
        with pytest.raises(ProtocolError) as caught:
            await meet(ours, GATEWAY, registered, lockout, patience=patience)
        return str(caught.value)


@contextlib.asynccontextmanager
async def gateway(path: Path, lockout: Lockout, receiver: Scripted, seed: Secret = GATEWAY) -> AsyncIterator[None]:
    """A listener on a real Unix socket that meets everybody who comes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as listener:
        listener.bind(str(path))
        listener.listen()

        async def serve() -> None:
            while True:
                sock, _ = await asyncio.get_running_loop().sock_accept(listener)
                with contextlib.ExitStack() as undo, contextlib.suppress(ProtocolError):
                    undo.callback(sock.close)
                    adopt(sock, await meet(sock, seed, registered, lockout, patience=2), receiver)
                    undo.pop_all()

        serving = asyncio.ensure_future(serve())
        try:
            yield
        finally:
            serving.cancel()
            await asyncio.wait({serving})


# --- over a real Unix socket --------------------------------------------------------------------------


async def test_a_wing_and_the_gateway_meet_and_talk(tmp_path: Path) -> None:
    behind = Scripted()
    async with gateway(tmp_path / "g.sock", Lockout(SetClock()), behind):
        link = await dial(tmp_path / "g.sock", IDENTITY, Scripted())
        assert link.peer == "gateway"
        assert await link.call(Question("echo", "hi"), Answer) == Answer("hi")
        link.close()
        await link.closed.wait()
        await until(lambda: behind.losses == 1)


async def test_a_first_frame_sent_with_the_proof_is_not_lost(tmp_path: Path) -> None:
    """The handshake reads its own bytes only; what follows at once belongs to the link."""
    behind = Scripted()
    async with gateway(tmp_path / "g.sock", Lockout(SetClock()), behind):
        links = [await dial(tmp_path / "g.sock", IDENTITY, Scripted()) for _ in range(5)]
        asked = [link.call(Question("echo", str(number)), Answer) for number, link in enumerate(links)]
        assert [answer.text for answer in await asyncio.gather(*asked)] == list("01234")
        for link in links:
            link.close()
        await until(lambda: behind.losses == 5)


async def test_a_wing_does_not_talk_to_something_else_on_the_gateways_path(tmp_path: Path) -> None:
    async with gateway(tmp_path / "g.sock", Lockout(SetClock()), Scripted(), seed=STRANGER):
        with pytest.raises(HandshakeFailed):
            await dial(tmp_path / "g.sock", IDENTITY, Scripted())


async def test_the_gateway_does_not_talk_to_a_stranger(tmp_path: Path) -> None:
    async with gateway(tmp_path / "g.sock", Lockout(SetClock()), Scripted()):
        for stranger in (Identity(ROLE, STRANGER, public_key(GATEWAY)), Identity(RoleName("web"), RUNNER, b"")):
            with pytest.raises((HandshakeFailed, Unavailable)):
                await dial(tmp_path / "g.sock", stranger, Scripted())


async def test_dialling_where_nobody_listens_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="Nobody answers"):
        await dial(tmp_path / "none.sock", IDENTITY, Scripted())
    with pytest.raises(Unavailable, match="too long"):
        await connect(tmp_path / ("x" * 200))


async def test_a_gateway_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "g.sock"))
        listener.listen()
        started = time.monotonic()
        with pytest.raises(Unavailable, match="too slow"):
            await dial(tmp_path / "g.sock", IDENTITY, Scripted(), patience=0.1)
        assert 0.09 <= time.monotonic() - started < 2


@pytest.mark.parametrize("said", [b"", b"\0\0\0\0", b"\xff\xff\xff\xff", encode_frame(b"x"), encode_frame(b"x" * 96)])
async def test_a_gateway_that_says_something_else_is_refused(tmp_path: Path, said: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as listener:
        listener.bind(str(tmp_path / "g.sock"))
        listener.listen()

        async def answer() -> None:
            sock, _ = await asyncio.get_running_loop().sock_accept(listener)
            with sock:
                await asyncio.get_running_loop().sock_sendall(sock, said)
                await asyncio.get_running_loop().sock_recv(sock, 1000)

        answering = asyncio.ensure_future(answer())
        with pytest.raises((ProtocolError, Unavailable)):
            await dial(tmp_path / "g.sock", IDENTITY, Scripted(), patience=2)
        await answering


async def test_a_dialler_that_is_cancelled_leaves_no_socket_open(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "g.sock"))
        listener.listen()
        dialling = asyncio.ensure_future(dial(tmp_path / "g.sock", IDENTITY, Scripted()))
        await asyncio.sleep(0.02)
        dialling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialling
        accepted, _ = listener.accept()
        with accepted:
            while accepted.recv(1000):
                pass  # the HELLO, then end-of-file: the dialler's end is closed


# --- the listener's side ------------------------------------------------------------------------------


async def test_a_role_is_proven_by_its_own_key_only() -> None:
    lockout = Lockout(SetClock())
    assert await shake(lockout, IDENTITY) == ROLE
    for identity in (
        Identity(ROLE, STRANGER, public_key(GATEWAY)),
        Identity(RoleName("outbound"), RUNNER, public_key(GATEWAY)),
    ):
        with pytest.raises(HandshakeFailed, match=f"claimed to be {identity.role}"):
            await shake(lockout, identity)


async def test_silence_ends_after_the_listeners_patience() -> None:
    started = time.monotonic()
    assert "too long" in await speak(Lockout(SetClock()), patience=0.1)
    assert 0.09 <= time.monotonic() - started < 2


async def test_a_peer_that_drips_its_bytes_gets_no_more_time() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)

        async def drip() -> None:
            with contextlib.suppress(OSError):
                for byte in encode_frame(handshake.hello(ROLE, b"n" * 32)):
                    theirs.send(bytes([byte]))
                    await asyncio.sleep(0.02)

        dripping = asyncio.ensure_future(drip())
        started = time.monotonic()
        with pytest.raises(HandshakeFailed, match="too long"):
            await meet(ours, GATEWAY, registered, Lockout(SetClock()), patience=0.1)
        assert time.monotonic() - started < 1
        dripping.cancel()


async def test_silence_after_the_hello_counts_against_whoever_is_silent() -> None:
    lockout = Lockout(SetClock())
    for _ in range(limits.HANDSHAKE_FAILURES):
        assert "too long" in await speak(lockout, encode_frame(handshake.hello(ROLE, b"n" * 32)), patience=0.02)
    with pytest.raises(LockedOut):
        await shake(lockout, IDENTITY)


async def test_a_slow_vault_costs_the_peer_none_of_its_time() -> None:
    async def slowly(role: RoleName) -> bytes:
        await asyncio.sleep(0.3)
        return await registered(role)

    assert await shake(Lockout(SetClock()), IDENTITY, slowly, patience=0.15) == ROLE


async def test_a_vault_that_is_lost_is_not_the_peers_failure() -> None:
    async def lost(role: RoleName) -> bytes:
        raise VaultLost("The vault is gone.")

    lockout = Lockout(SetClock())
    for _ in range(limits.HANDSHAKE_FAILURES):
        with pytest.raises(VaultLost):
            await shake(lockout, IDENTITY, lost)
    assert await shake(lockout, IDENTITY) == ROLE


@pytest.mark.parametrize(
    "said",
    [
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        (limits.HANDSHAKE_FRAME + 1).to_bytes(4, "big"),
        encode_frame(b"\2" + b"n" * 32 + b"runner"),
        encode_frame(b"\1short"),
        b"GET / HTTP/1.1\r\n\r\n",
        encode_frame(handshake.hello(ROLE, b"n" * 32)) + encode_frame(bytes(64)),
        encode_frame(handshake.hello(ROLE, b"n" * 32)) + encode_frame(bytes(63)),
        encode_frame(handshake.hello(ROLE, b"n" * 32)) + b"\0\0\0\0",
    ],
)
async def test_a_peer_that_says_something_else_is_refused_at_once(said: bytes) -> None:
    started = time.monotonic()
    await speak(Lockout(SetClock()), said, patience=5)
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("cut", [0, 3, 4, 20])
async def test_a_peer_that_hangs_up_is_refused_at_once(cut: int) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.setblocking(False)
        theirs.send(encode_frame(handshake.hello(ROLE, b"n" * 32))[:cut])
        theirs.close()
        with pytest.raises(HandshakeFailed, match="went away"):
            await meet(ours, GATEWAY, registered, Lockout(SetClock()))


# --- who the kernel says it is ------------------------------------------------------------------------

CONNECT = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.recv(1)"


def test_the_kernel_names_the_process_that_connected(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        arguments = [sys.executable, "-I", "-c", CONNECT, str(tmp_path / "s")]
        with subprocess.Popen(arguments) as child, listener.accept()[0] as sock:
            seen = credentials(sock)
            assert (seen.pid, seen.uid, seen.gid) == (child.pid, os.getuid(), os.getgid())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process of another uid")
@pytest.mark.parametrize("uid", [65_534, 2**31 + 5, 2**32 - 3])
def test_the_kernel_names_another_users_process_by_that_users_uid(uid: int) -> None:
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        Path(folder).chmod(0o711)
        path = Path(folder) / "s"
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen()
        listener.settimeout(10)
        program = f"import os, socket, sys; os.setgid({uid}); os.setuid({uid}); {CONNECT}"
        with subprocess.Popen([sys.executable, "-I", "-c", program, str(path)]) as child, listener.accept()[0] as sock:
            seen = credentials(sock)
            assert (seen.pid, seen.uid, seen.gid) == (child.pid, uid, uid)
