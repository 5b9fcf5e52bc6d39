from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from tests.support.vault_parts import Parts

from wirken.domain.errors import Refused, UsageError
from wirken.domain.secret import Secret
from wirken.ipc.calls.vault import AddCredential, CredentialFor, OfferKey, Protect, Unlock
from wirken.ipc.vault_wire import VaultSealed
from wirken.vault import cipher, keyfiles, passphrase
from wirken.vault.asks import OUTBOUND
from wirken.vault.handover import BadHandOver, Delivered, parse, wait_for
from wirken.vault.passphrase import WeakPassphrase, WrongPassphrase

PASSPHRASE = b"correct horse battery"
ACCOUNT = "ab" * 16


def files(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} - {"vault.db", "vault.db-wal"}


def with_credential(folder: Path) -> Parts:
    parts = Parts(folder).started()
    parts.credentials.add(AddCredential("openai", b"sk-1"))
    return parts


def still_opens(parts: Parts) -> bool:
    return parts.credentials.value_for(OUTBOUND, CredentialFor("openai")).value == b"sk-1"


def behind_passphrase(folder: Path) -> Parts:
    parts = with_credential(folder)
    parts.keyring.protect(Protect("passphrase", PASSPHRASE))
    return parts


def in_keychain(folder: Path) -> tuple[Parts, Delivered]:
    """Move the key to a keychain that the test plays."""
    parts = with_credential(folder)
    ours, vaults = socket.socketpair()
    with ours, vaults:
        parts.keyring.offer(OfferKey(), vaults.fileno())
        delivered = Delivered(Secret(ours.recv(64)), ACCOUNT)
        ours.send(delivered.encoded())
        parts.keyring.protect(Protect("keychain"))
    return parts, delivered


def test_the_first_start_makes_a_key_file_and_the_next_opens_with_it(tmp_path: Path) -> None:
    parts = with_credential(tmp_path)
    assert files(tmp_path) == {"device.key"}
    assert (tmp_path / "device.key").stat().st_mode & 0o777 == 0o600
    assert parts.kept == [32]
    again = parts.reopened()
    assert again.keyring.report().protection == "keyfile"
    assert still_opens(again)


def test_a_passphrase_seals_until_it_is_given(tmp_path: Path) -> None:
    parts = behind_passphrase(tmp_path)
    assert files(tmp_path) == {"device.key.age", "device.key.salt"}
    assert still_opens(parts)
    again = parts.reopened()
    report = again.keyring.report()
    assert (report.protection, report.sealed, report.credentials) == ("passphrase", True, -1)
    with pytest.raises(VaultSealed):
        again.keyring.key()
    for wrong in (b"", b"correct horse batterz", PASSPHRASE + b"\0"):
        with pytest.raises(WrongPassphrase):
            again.keyring.unlock(Unlock(wrong), None)
    again.keyring.unlock(Unlock(PASSPHRASE), None)
    assert still_opens(again)
    assert again.keyring.report().credentials == 1


def test_leaving_a_passphrase_needs_that_passphrase(tmp_path: Path) -> None:
    parts = behind_passphrase(tmp_path)
    ours, vaults = socket.socketpair()
    with ours, vaults:
        for current in (b"", b"a wrong passphrase"):
            with pytest.raises(WrongPassphrase):
                parts.keyring.protect(Protect("keyfile", current=current))
            with pytest.raises(WrongPassphrase):
                parts.keyring.protect(Protect("passphrase", b"another passphrase", current=current))
            with pytest.raises(WrongPassphrase):
                parts.keyring.offer(OfferKey(current), vaults.fileno())
    parts.keyring.protect(Protect("keyfile", current=PASSPHRASE))
    assert files(tmp_path) == {"device.key"}
    assert still_opens(parts.reopened())


def test_a_passphrase_can_be_changed(tmp_path: Path) -> None:
    parts = behind_passphrase(tmp_path)
    parts.keyring.protect(Protect("passphrase", b"another passphrase", current=PASSPHRASE))
    again = parts.reopened()
    with pytest.raises(WrongPassphrase):
        again.keyring.unlock(Unlock(PASSPHRASE), None)
    again.keyring.unlock(Unlock(b"another passphrase"), None)
    assert still_opens(again)


def test_a_short_passphrase_and_an_unknown_way_are_refused(tmp_path: Path) -> None:
    parts = with_credential(tmp_path)
    with pytest.raises(WeakPassphrase):
        parts.keyring.protect(Protect("passphrase", b"short"))
    with pytest.raises(UsageError):
        parts.keyring.protect(Protect("paper"))
    assert files(tmp_path) == {"device.key"}


def test_the_keychain_holds_the_key_after_it_gave_it_back(tmp_path: Path) -> None:
    parts, delivered = in_keychain(tmp_path)
    assert files(tmp_path) == {"keychain"}
    assert (tmp_path / "keychain").read_text() == ACCOUNT + "\n"
    parts.store.close()
    again = Parts(tmp_path)
    again.keyring.start(delivered)
    assert again.keyring.report().protection == "keychain"
    assert still_opens(again)


@pytest.mark.parametrize("answer", [b"", b"x" * 64, bytes(32) + ACCOUNT.encode(), b"short"])
def test_a_keychain_that_gives_back_something_else_changes_nothing(tmp_path: Path, answer: bytes) -> None:
    parts = with_credential(tmp_path)
    ours, vaults = socket.socketpair()
    with ours, vaults:
        parts.keyring.offer(OfferKey(), vaults.fileno())
        ours.recv(64)
        ours.send(answer)
        with pytest.raises(BadHandOver):
            parts.keyring.protect(Protect("keychain"))
        with pytest.raises(BadHandOver):
            parts.keyring.protect(Protect("keychain"))
    assert files(tmp_path) == {"device.key"}
    assert still_opens(parts.reopened())


def test_a_silent_keychain_leaves_the_vault_sealed_until_the_helper_delivers(tmp_path: Path) -> None:
    parts, delivered = in_keychain(tmp_path)
    again = parts.reopened()
    assert again.keyring.report().sealed
    with pytest.raises(BadHandOver):
        again.keyring.unlock(Unlock(PASSPHRASE), None)
    reading, writing = os.pipe()
    with pytest.raises(BadHandOver):
        again.keyring.unlock(Unlock(), reading)
    os.write(writing, Delivered(Secret(bytes(32)), ACCOUNT).encoded())
    with pytest.raises(Refused, match="does not belong"):
        again.keyring.unlock(Unlock(), reading)
    os.write(writing, delivered.encoded())
    again.keyring.unlock(Unlock(), reading)
    assert still_opens(again)
    os.close(reading)
    os.close(writing)


def test_a_hand_over_takes_only_sockets(tmp_path: Path) -> None:
    parts = with_credential(tmp_path)
    with pytest.raises(BadHandOver):
        parts.keyring.offer(OfferKey(), None)
    with (tmp_path / "file").open("wb") as file, pytest.raises(BadHandOver):
        parts.keyring.offer(OfferKey(), file.fileno())
    assert (tmp_path / "file").read_bytes() == b""


def test_the_first_start_uses_the_key_that_the_keychain_delivers(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.keyring.start(Delivered(Secret(bytes(range(32))), ACCOUNT))
    assert files(tmp_path) == {"keychain"}
    assert parts.keyring.report().protection == "keychain"


def test_a_lost_key_seals_and_is_never_replaced_by_a_new_one(tmp_path: Path) -> None:
    parts = with_credential(tmp_path)
    (tmp_path / "device.key").unlink()
    again = parts.reopened()
    assert again.keyring.report().sealed
    assert files(tmp_path) == set()
    with pytest.raises(VaultSealed, match="missing") as caught:
        again.keyring.key()
    assert "backup" in caught.value.advice


@pytest.mark.parametrize("content", [b"", bytes(31), bytes(33), bytes(32)])
def test_a_damaged_or_foreign_key_file_seals(tmp_path: Path, content: bytes) -> None:
    parts = with_credential(tmp_path)
    (tmp_path / "device.key").write_bytes(content)
    assert parts.reopened().keyring.report().sealed


def test_a_key_file_that_others_can_read_or_that_is_a_link_is_not_used(tmp_path: Path) -> None:
    parts = with_credential(tmp_path / "vault")
    key = tmp_path / "vault" / "device.key"
    key.chmod(0o644)
    again = parts.reopened()
    assert again.keyring.report().sealed
    key.chmod(0o600)
    key.rename(tmp_path / "elsewhere")
    key.symlink_to(tmp_path / "elsewhere")
    assert again.reopened().keyring.report().sealed


def test_after_a_crash_between_the_copies_the_weaker_one_speaks_and_protecting_again_finishes(
    tmp_path: Path,
) -> None:
    parts = with_credential(tmp_path)
    key = (tmp_path / "device.key").read_bytes()
    parts.keyring.protect(Protect("passphrase", PASSPHRASE))
    keyfiles.write(tmp_path / "device.key", key)
    again = parts.reopened()
    assert again.keyring.report().protection == "keyfile"
    again.keyring.protect(Protect("passphrase", PASSPHRASE))
    assert files(tmp_path) == {"device.key.age", "device.key.salt"}


def test_removing_a_key_file_overwrites_it_and_says_what_that_cannot_promise(tmp_path: Path) -> None:
    parts = with_credential(tmp_path)
    key = (tmp_path / "device.key").read_bytes()
    (tmp_path / "second-name").hardlink_to(tmp_path / "device.key")
    said = parts.keyring.protect(Protect("passphrase", PASSPHRASE)).said
    assert "SSD" in said
    assert (tmp_path / "second-name").read_bytes() != key


def test_a_stretch_that_would_stall_the_vault_is_refused() -> None:
    salt = "00" * 16
    for text in (
        b'{"salt":"%s","memory":99999999999,"passes":3,"v":1}' % salt.encode(),
        b'{"salt":"%s","memory":67108864,"passes":0,"v":1}' % salt.encode(),
        b'{"salt":"%s","v":2}' % salt.encode(),
        b'{"salt":"zz"}',
        b'{"salt":"%s","x":1}' % salt.encode(),
        b"",
    ):
        with pytest.raises(UsageError):
            passphrase.read_stretch(text)
    assert passphrase.read_stretch(passphrase.write_stretch(passphrase.Stretch(salt))).salt == salt


def test_a_delivery_is_exactly_a_key_and_an_account() -> None:
    whole = bytes(32) + ACCOUNT.encode()
    assert parse(whole) is not None
    for payload in (b"", whole[:-1], whole + b"0", bytes(32) + b"G" * 32, bytes(32) + b"\xff" * 32):
        assert parse(payload) is None


def test_waiting_for_a_delivery_ends_with_the_stream_or_with_patience() -> None:
    reading, writing = os.pipe()
    os.write(writing, bytes(32))
    os.write(writing, ACCOUNT.encode())
    os.close(writing)
    delivered = wait_for(reading, 1.0)
    assert delivered is not None
    assert delivered.account == ACCOUNT
    reading, writing = os.pipe()
    assert wait_for(reading, 0.05) is None
    os.close(writing)


def test_a_device_key_never_shows_itself(tmp_path: Path) -> None:
    parts = with_credential(tmp_path)
    key = parts.keyring.key()
    assert len(key.view()) == cipher.KEY
    assert key.reveal().hex() not in repr(Delivered(key, ACCOUNT))
    parts.keyring.wipe()
    with pytest.raises(VaultSealed):
        parts.keyring.key()
