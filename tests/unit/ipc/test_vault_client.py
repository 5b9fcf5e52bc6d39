from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from wirken.domain import limits
from wirken.domain.errors import (
    ProtocolError,
    Refused,
    SandboxUnavailable,
    Unavailable,
    UsageError,
    WirkenError,
)
from wirken.ipc.calls.vault import Done, KeyReply, PeerKey, VaultReport, VaultStatus
from wirken.ipc.framing import FrameDecoder, FrameTooLong, encode_frame
from wirken.ipc.vault_client import VaultClient
from wirken.ipc.vault_client_async import AsyncVaultClient
from wirken.ipc.vault_wire import (
    VaultLost,
    VaultSealed,
    ok_frame,
    question_frame,
    read_answer,
    read_question,
    refusal_frame,
)

Respond = Callable[[bytes], bytes]


def echo_role(payload: bytes) -> bytes:
    """Answer PeerKey with the role it names; so an answer tells its question."""
    question = read_question(payload)
    assert isinstance(question, PeerKey)
    return ok_frame(KeyReply(question.role.encode()))


@contextlib.contextmanager
def vault(respond: Respond, *, wait: threading.Event | None = None) -> Iterator[socket.socket]:
    """A scripted vault at the other end; answers once `wait` is set. An empty answer closes."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        decoder = FrameDecoder()
        with theirs, contextlib.suppress(OSError):
            while data := theirs.recv(65536):
                for payload in decoder.feed(data):
                    if wait is not None:
                        wait.wait(5)
                    answer = respond(payload)
                    if not answer:
                        return
                    theirs.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield ours
    finally:
        with contextlib.suppress(OSError):
            ours.shutdown(socket.SHUT_RDWR)
        ours.close()
        thread.join(5)


def test_a_question_gets_its_answer() -> None:
    with vault(echo_role) as sock:
        client = VaultClient(sock)
        assert client.call(PeerKey("web"), KeyReply).key == b"web"
        assert client.call(PeerKey("runner"), KeyReply).key == b"runner"


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (VaultSealed("s", hint="h"), VaultSealed),
        (Refused("s", hint="h"), Refused),
        (Unavailable("s", hint="h"), Unavailable),
        (SandboxUnavailable("s", hint="h"), Unavailable),
        (UsageError("s", hint="h"), UsageError),
        (ProtocolError("s", hint="h"), ProtocolError),
        (WirkenError("s", hint="h"), WirkenError),
    ],
)
def test_a_refusal_arrives_as_the_same_kind_of_error(raised: WirkenError, expected: type[WirkenError]) -> None:
    with pytest.raises(WirkenError) as caught:
        read_answer(refusal_frame(raised)[4:], Done)
    assert type(caught.value) is expected
    assert (str(caught.value), caught.value.advice) == ("s", "h")


@pytest.mark.parametrize("payload", [b"\xc1", b"\x90", msgspec.msgpack.encode({"type": "ok", "body": 3})])
def test_an_answer_of_another_shape_is_a_protocol_error(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_answer(payload, VaultReport)


def test_a_question_over_the_limit_is_not_sent() -> None:
    with pytest.raises(FrameTooLong):
        question_frame(PeerKey("x" * limits.VAULT_FRAME))


def test_a_vault_that_goes_away_or_sends_too_much_is_lost_for_good() -> None:
    for answer in (b"", b"\xff\xff\xff\xff", encode_frame(b"x")[:2]):
        with vault(lambda _, answer=answer: answer) as sock:  # type: ignore[misc]  # a default binds the loop's value
            client = VaultClient(sock, patience=0.2)
            for _ in range(2):
                with pytest.raises(VaultLost):
                    client.call(VaultStatus(), VaultReport)


def test_a_late_answer_is_never_taken_for_the_next_one() -> None:
    answer = threading.Event()
    with vault(echo_role, wait=answer) as sock:
        client = VaultClient(sock, patience=0.05)
        with pytest.raises(VaultLost):
            client.call(PeerKey("one"), KeyReply)
        answer.set()
        with pytest.raises(VaultLost):
            client.call(PeerKey("two"), KeyReply)


def test_nobody_listening_is_said_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(VaultLost) as caught:
        VaultClient.connect(tmp_path / "vault.sock")
    assert "wirken run" in caught.value.advice


async def test_tasks_share_a_pair_and_each_gets_its_own_answer() -> None:
    with vault(echo_role) as sock:
        client = AsyncVaultClient(sock)
        names = [f"role{number}" for number in range(30)]
        replies = await asyncio.gather(*(client.call(PeerKey(name), KeyReply) for name in names))
        assert [reply.key.decode() for reply in replies] == names
        client.close()
        with pytest.raises(VaultLost):
            await client.call(PeerKey("web"), KeyReply)


async def test_a_cancelled_question_does_not_shift_the_answers() -> None:
    answer = threading.Event()
    with vault(echo_role, wait=answer) as sock:
        client = AsyncVaultClient(sock)
        first = asyncio.create_task(client.call(PeerKey("one"), KeyReply))
        await asyncio.sleep(0.02)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        second = asyncio.create_task(client.call(PeerKey("two"), KeyReply))
        await asyncio.sleep(0.02)
        answer.set()
        assert (await second).key == b"two"
        client.close()


async def test_a_new_pair_takes_over_and_the_question_under_way_is_lost() -> None:
    never = threading.Event()
    with vault(echo_role, wait=never) as old, vault(echo_role) as new:
        client = AsyncVaultClient(old)
        waiting = asyncio.create_task(client.call(PeerKey("one"), KeyReply))
        await asyncio.sleep(0.02)
        client.replace(new)
        with pytest.raises(VaultLost):
            await waiting
        assert (await client.call(PeerKey("two"), KeyReply)).key == b"two"
        never.set()
        client.close()


async def test_patience_ends_and_the_pair_is_not_used_again() -> None:
    answer = threading.Event()
    with vault(echo_role, wait=answer) as sock:
        client = AsyncVaultClient(sock, patience=0.05)
        with pytest.raises(VaultLost):
            await client.call(PeerKey("one"), KeyReply)
        answer.set()
        with pytest.raises(VaultLost):
            await client.call(PeerKey("two"), KeyReply)


async def test_a_child_starts_with_the_plain_client_and_goes_on_with_the_other() -> None:
    with vault(echo_role) as sock:
        plain = VaultClient(sock)
        plain.call(PeerKey("one"), KeyReply)
        client = AsyncVaultClient(plain.detach())
        with pytest.raises(VaultLost):
            plain.call(PeerKey("two"), KeyReply)
        assert (await client.call(PeerKey("three"), KeyReply)).key == b"three"
        client.close()


async def test_refusals_reach_the_asking_task_and_only_it() -> None:
    def respond(payload: bytes) -> bytes:
        asked = read_question(payload)
        if isinstance(asked, VaultStatus):
            return refusal_frame(VaultSealed("sealed"))
        return echo_role(payload)

    with vault(respond) as sock:
        client = AsyncVaultClient(sock)
        results = await asyncio.gather(
            client.call(VaultStatus(), VaultReport),
            client.call(PeerKey("web"), KeyReply),
            return_exceptions=True,
        )
        assert isinstance(results[0], VaultSealed)
        assert isinstance(results[1], KeyReply)
        client.close()


def test_a_listener_with_a_full_queue_is_waited_for(tmp_path: Path) -> None:
    address = tmp_path / "vault.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen(0)
        first = VaultClient.connect(address)
        with pytest.raises(VaultLost):
            VaultClient.connect(address, patience=0.1)
        accepting = threading.Timer(0.1, lambda: listener.accept()[0].close())
        accepting.start()
        second = VaultClient.connect(address, patience=5)
        accepting.join()
        first.close()
        second.close()
