"""The real process over real socketpairs, looked at from outside."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.heads import SESSION, head
from tests.support.vault_process import VaultProcess, running

from wirken.domain import limits
from wirken.domain.errors import ProtocolError, Refused, UsageError, WirkenError
from wirken.ipc.calls.vault import (
    AddCredential,
    CredentialFor,
    CredentialReply,
    CredentialRows,
    Done,
    HeadReply,
    Identity,
    IdentityReply,
    KeyReply,
    LastHead,
    ListCredentials,
    OfferKey,
    PeerKey,
    Protect,
    RotateCredential,
    Signature,
    SignHead,
    Unlock,
    VaultReport,
    VaultStatus,
)
from wirken.ipc.framing import FrameDecoder, encode_frame
from wirken.ipc.vault_wire import VaultLost, VaultSealed, question_frame, read_answer

pytestmark = pytest.mark.slow

PASSPHRASE = b"correct horse battery"
CANARY = b"sk-canary-5f2d9a7c31"


def hears(sock: socket.socket) -> bytes:
    """Everything until the vault closes the connection."""
    kept = b""
    while data := sock.recv(65536):
        kept += data
    return kept


def test_roles_get_what_is_theirs_and_nothing_else(tmp_path: Path) -> None:
    with running(tmp_path / "vault", bound=["openai"]) as vault:
        gateway, outbound, runner = (vault.client(role) for role in ("gateway", "outbound", "runner"))
        telegram, slack = (vault.client(role) for role in ("channel-telegram", "channel-slack"))
        operator = vault.operator()
        operator.call(AddCredential("openai", CANARY), Done)
        operator.call(AddCredential("mail", b"other"), Done)
        operator.call(AddCredential("channel.telegram.token", b"bot"), Done)
        assert telegram.call(CredentialFor("channel.telegram.token"), CredentialReply).value == b"bot"
        assert slack.call(CredentialFor("channel.slack.bot_token"), CredentialReply) == CredentialReply(found=False)
        assert outbound.call(CredentialFor("openai"), CredentialReply).value == CANARY
        mine = runner.call(Identity(), IdentityReply)
        assert mine.role == "runner"
        assert gateway.call(PeerKey("runner"), KeyReply).key != b""
        assert gateway.call(PeerKey("web"), KeyReply).key == b""
        gateway.call(head(1), Signature)
        assert operator.call(LastHead(SESSION), HeadReply) == HeadReply(1, head(1).head)
        for client, question in (
            (outbound, CredentialFor("mail")),
            (outbound, CredentialFor("channel.telegram.token")),
            (slack, CredentialFor("channel.telegram.token")),
            (telegram, CredentialFor("openai")),
            (telegram, AddCredential("channel.telegram.token", b"x")),
            (outbound, ListCredentials()),
            (runner, CredentialFor("openai")),
            (gateway, CredentialFor("openai")),
            (gateway, Protect("keyfile")),
            (runner, head(2)),
            (operator, CredentialFor("openai")),
            (operator, Identity()),
            (operator, head(2)),
        ):
            with pytest.raises(Refused):
                client.call(question, Done)
        with pytest.raises(UsageError):
            operator.call(AddCredential("../x", b"x"), Done)
        assert runner.call(VaultStatus(), VaultReport) == VaultReport("keyfile", False, 3)


def test_a_passphrase_seals_the_vault_across_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    with running(folder) as vault:
        vault.client("gateway").call(head(1), Signature)
        vault.operator().call(Protect("passphrase", PASSPHRASE), Done)
    with running(folder) as vault:
        gateway, operator = vault.client("gateway"), vault.operator()
        assert gateway.call(VaultStatus(), VaultReport) == VaultReport("passphrase", True, -1)
        for question in (Identity(), head(2)):
            with pytest.raises(VaultSealed, match="wirken unlock"):
                gateway.call(question, Done)
        with pytest.raises(VaultSealed):
            operator.call(ListCredentials(), CredentialRows)
        assert gateway.call(LastHead(SESSION), HeadReply).seq == 1
        with pytest.raises(Refused):
            operator.call(Unlock(b"something else"), Done)
        operator.call(Unlock(PASSPHRASE), Done)
        gateway.call(head(2), Signature)


def test_no_acknowledged_write_is_lost_to_sigkill(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    for round_ in range(6):
        vault = VaultProcess(folder).ready()
        gateway = vault.client("gateway")
        signed = gateway.call(LastHead(SESSION), HeadReply).seq
        assert signed == -1 or round_ > 0

        def kill_soon(vault: VaultProcess = vault, after: float = 0.01 * (round_ + 1)) -> None:
            time.sleep(after)
            vault.process.kill()

        killer = threading.Thread(target=kill_soon)
        killer.start()
        seq, last = signed, Signature(b"", b"")
        with pytest.raises(VaultLost):
            while True:
                last = gateway.call(head(seq + 1), Signature)
                seq += 1
        killer.join()
        vault.kill()
        with running(folder) as again:
            gateway = again.client("gateway")
            now = gateway.call(LastHead(SESSION), HeadReply).seq
            assert now in (seq, seq + 1)  # the answer to the last one may have been lost, never the other way
            if now == seq and seq > signed:
                assert gateway.call(head(seq), Signature) == last
            if now >= 0:
                with pytest.raises(Refused):
                    gateway.call(SignHead("default", SESSION, now, "f" * 64), Signature)


def test_a_secret_is_in_no_log_file_argument_or_environment(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    with running(folder, bound=["openai"]) as vault:
        operator, outbound = vault.operator(), vault.client("outbound")
        operator.call(AddCredential("openai", CANARY), Done)
        operator.call(RotateCredential("openai", CANARY + b"2"), Done)
        outbound.call(CredentialFor("openai"), CredentialReply)
        with pytest.raises(Refused) as refused:
            operator.call(AddCredential("openai", CANARY), Done)
        assert CANARY.decode() not in str(refused.value)
        assert CANARY not in repr(operator.call(ListCredentials(), CredentialRows)).encode()
        broken = vault.pair("outbound")
        broken.sendall(encode_frame(CANARY))
        assert CANARY not in hears(broken)
        broken.close()
        proc = Path(f"/proc/{vault.process.pid}")
        assert CANARY not in (proc / "cmdline").read_bytes()
        if os.access(proc / "environ", os.R_OK):
            assert CANARY not in (proc / "environ").read_bytes()
            assert (proc / "environ").read_bytes() == b"LANG=C.UTF-8\0"
        assert vault.stop() == 0
        for file in (vault.log, *folder.iterdir()):
            assert CANARY not in file.read_bytes(), file


def test_files_are_for_the_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    folder.mkdir(mode=0o755)
    with running(folder) as vault:
        vault.operator().call(AddCredential("a", b"x"), Done)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {file.name for file in folder.iterdir()} == {"device.key", "vault.db", "vault.db-wal"}
        for file in folder.iterdir():
            assert file.stat().st_mode & 0o777 == 0o600, file


def test_another_user_is_turned_away_by_the_kernels_word(tmp_path: Path) -> None:
    with running(tmp_path / "vault", owner_uid=os.getuid() + 1) as vault:
        with pytest.raises((Refused, VaultLost)):
            vault.operator().call(VaultStatus(), VaultReport)
        assert vault.client("web").call(VaultStatus(), VaultReport).protection == "keyfile"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_new_pairs_come_at_any_time_and_the_end_of_control_ends_the_vault(tmp_path: Path, kind: int) -> None:
    with running(tmp_path / "vault", kind=kind) as vault:
        first = vault.client("web")
        seed = first.call(Identity(), IdentityReply).seed
        first.close()
        pairs = [vault.client("web") for _ in range(5)]
        assert {pair.call(Identity(), IdentityReply).seed for pair in pairs} == {seed}
        assert vault.stop() == 0


@pytest.mark.parametrize("role", ["operator", "vault", "UPPER", "a b", "x" * 65])
def test_a_pair_with_an_unusable_name_is_closed(tmp_path: Path, role: str) -> None:
    with running(tmp_path / "vault") as vault:
        with vault.pair(role) as pair:
            assert hears(pair) == b""
        vault.client("web").call(VaultStatus(), VaultReport)


def test_too_many_pairs_are_refused_and_the_rest_live_on(tmp_path: Path) -> None:
    with running(tmp_path / "vault") as vault:
        clients = [vault.client("web") for _ in range(limits.VAULT_PAIRS)]
        with vault.pair("web") as pair:
            assert hears(pair) == b""
        for client in clients:
            client.call(VaultStatus(), VaultReport)


def test_many_terminals_push_out_the_oldest_and_never_lock_out(tmp_path: Path) -> None:
    with running(tmp_path / "vault") as vault:
        terminals = [vault.operator() for _ in range(limits.VAULT_OPERATORS * 3)]
        terminals[-1].call(VaultStatus(), VaultReport)
        with pytest.raises(VaultLost):
            terminals[0].call(VaultStatus(), VaultReport)


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
        struct.pack(">I", limits.VAULT_FRAME + 1),
        encode_frame(b"\xc1"),
        encode_frame(b"\x81\xa4type\xa4nope"),
        encode_frame(b"\x91" * 60_000),
        question_frame(VaultStatus()) * 2,
        question_frame(VaultStatus()) + b"\0",
    ],
)
def test_a_peer_that_breaks_the_protocol_is_told_and_closed_and_others_live_on(tmp_path: Path, sent: bytes) -> None:
    with running(tmp_path / "vault") as vault:
        other = vault.client("web")
        with vault.pair("runner") as hostile:
            hostile.sendall(sent)
            answer = hears(hostile)
        with pytest.raises(ProtocolError):
            read_answer(answer[4:], Done)
        assert other.call(VaultStatus(), VaultReport).protection == "keyfile"


def test_hostile_bytes_never_end_the_vault(tmp_path: Path) -> None:
    with running(tmp_path / "vault") as vault:

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.binary(max_size=300), st.booleans())
        def bombard(data: bytes, framed: bool) -> None:
            with vault.pair("gateway") as hostile:
                hostile.sendall(encode_frame(data) if framed and data else data)
                hostile.shutdown(socket.SHUT_WR)
                hears(hostile)

        bombard()
        assert vault.client("web").call(VaultStatus(), VaultReport).protection == "keyfile"


def test_a_peer_that_stops_in_the_middle_or_does_not_read_blocks_nobody(tmp_path: Path) -> None:
    with running(tmp_path / "vault", bound=["big"]) as vault:
        vault.operator().call(AddCredential("big", b"x" * limits.CREDENTIAL), Done)
        slow = vault.pair("outbound")
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        frame = question_frame(CredentialFor("big"))
        slow.sendall(frame[:7])
        deaf = vault.pair("outbound")
        for _ in range(8):
            deaf.sendall(frame)
            time.sleep(0.01)
        started = time.monotonic()
        assert vault.client("web").call(VaultStatus(), VaultReport).credentials == 1
        assert time.monotonic() - started < 1
        slow.sendall(frame[7:])
        decoder = FrameDecoder()
        answers: list[bytes] = []
        while not answers:
            answers = decoder.feed(slow.recv(4096))
        assert read_answer(answers[0], CredentialReply).value == b"x" * limits.CREDENTIAL
        slow.close()
        deaf.close()


def test_descriptors_from_children_are_not_kept(tmp_path: Path) -> None:
    with running(tmp_path / "vault") as vault:
        child = vault.client("web")
        operator = vault.operator()
        child.call(VaultStatus(), VaultReport)
        operator.call(VaultStatus(), VaultReport)
        count = len(os.listdir(f"/proc/{vault.process.pid}/fd")) if os.getuid() == 0 else 0
        reading, writing = os.pipe()
        for client in (child, operator):
            client.call(VaultStatus(), VaultReport, fds=(reading, writing))
            client.call(VaultStatus(), VaultReport)
        with pytest.raises(Refused):
            operator.call(OfferKey(), Done, fds=(reading,))
        os.close(reading)
        os.close(writing)
        if os.getuid() == 0:
            assert len(os.listdir(f"/proc/{vault.process.pid}/fd")) == count


def test_a_second_vault_on_the_same_directory_refuses_to_start(tmp_path: Path) -> None:
    with running(tmp_path / "vault"):
        second = VaultProcess(tmp_path / "vault")
        assert second.process.wait(10) == 69
        assert "Another process holds vault.db" in second.log.read_text()
        second.kill()


def test_its_memory_is_closed_to_other_processes(tmp_path: Path) -> None:
    with running(tmp_path / "vault") as vault:
        proc = Path(f"/proc/{vault.process.pid}")
        assert (proc / "mem").stat().st_uid == 0  # what the kernel gives to processes that are not dumpable
        (core,) = (line for line in (proc / "limits").read_text().splitlines() if "core file" in line)
        assert core.split()[4:6] == ["0", "0"]


def test_it_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    code = "import sys, wirken.vault.__main__; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "asyncio",
        "capnp",
        "httpx2",
        "httpx",
        "hashlib",
        "ssl",
        "logging",
        "subprocess",
        "keyring",
        "pyrage",
        "click",
    }
    assert heavy.isdisjoint(ended.stdout.split())
    with running(tmp_path / "vault") as vault:
        vault.operator().call(AddCredential("a", b"x"), Done)
        vault.client("gateway").call(head(0), Signature)
        if os.getuid() == 0:
            maps = Path(f"/proc/{vault.process.pid}/maps").read_text()
            assert not any(library in maps for library in ("libcrypto", "libssl", "capnp", "pyrage"))


@pytest.mark.parametrize(
    "arguments",
    [[], ["--data"], ["--data", "/nowhere", "--control-fd", "0"], ["--data", "/tmp"], ["--value", "x"]],
)
def test_a_wrong_command_line_is_said_and_ends_it(arguments: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-I", "-m", "wirken.vault", *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 64
    assert ended.stderr.startswith("vault: ")
    assert "Traceback" not in ended.stderr


def test_an_operator_moves_the_key_only_with_the_passphrase_that_protects_it(tmp_path: Path) -> None:
    with running(tmp_path / "vault") as vault:
        operator = vault.operator()
        operator.call(Protect("passphrase", PASSPHRASE), Done)
        for current in (b"", b"wrong wrong"):
            with pytest.raises(WirkenError):
                operator.call(Protect("keyfile", current=current), Done)
        operator.call(Protect("keyfile", current=PASSPHRASE), Done)
        assert (tmp_path / "vault" / "device.key").exists()
