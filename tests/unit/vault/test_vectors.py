"""Stored forms that must not change: an older vault has to open with a newer Wirken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pyrage  # type: ignore[import-untyped]  # it ships no types
import pytest
from nacl import bindings

from wirken.domain.attestation import attestation_message
from wirken.domain.secret import Secret
from wirken.vault import age, cipher, passphrase

VECTORS = cast(
    dict[str, list[dict[str, str]]],
    json.loads((Path(__file__).parents[2] / "vectors" / "vault.json").read_text()),
)


@pytest.mark.parametrize("vector", VECTORS["entries"])
def test_an_entry(vector: dict[str, str]) -> None:
    key, value = (Secret(bytes.fromhex(vector[name])) for name in ("key", "value"))
    label = cipher.Label(vector["kind"], vector["name"], bytes.fromhex(vector["bound"]))
    sealed = bytes.fromhex(vector["sealed"])
    assert cipher.seal(key, bytes.fromhex(vector["nonce"]), label, value) == sealed
    opened = cipher.open_sealed(key, label, sealed)
    assert cipher.same(opened, value) or not (opened or value)


@pytest.mark.parametrize("vector", VECTORS["attestations"])
def test_an_attestation(vector: dict[str, str]) -> None:
    message = attestation_message(vector["session"], int(vector["seq"]), vector["head"])
    assert message.hex() == vector["message"]
    public, secret = bindings.crypto_sign_seed_keypair(bytes.fromhex(vector["seed"]))
    assert public.hex() == vector["public"]
    assert bindings.crypto_sign(message, secret)[:64].hex() == vector["signature"]


@pytest.mark.parametrize("vector", VECTORS["passphrases"])
def test_a_passphrase_file_also_opens_with_age_and_the_documented_identity(vector: dict[str, str]) -> None:
    stretch = passphrase.read_stretch(vector["salt_file"].encode())
    file = bytes.fromhex(vector["age"])
    key = passphrase.unlock(passphrase.Locked(stretch, file), Secret(vector["passphrase"].encode()))
    assert key.reveal().hex() == vector["device_key"]
    identity = pyrage.x25519.Identity.from_str(vector["identity"])
    assert pyrage.decrypt(file, [identity]).hex() == vector["device_key"]


def test_our_bech32_is_what_age_writes() -> None:
    identity = pyrage.x25519.Identity.generate()
    text = str(identity)
    data = [age._BECH32.index(letter) for letter in text.lower().rsplit("1", 1)[1][:-6]]
    number = int("".join(f"{value:05b}" for value in data)[:256], 2)
    assert age.identity_text(number.to_bytes(32)) == text
    # BIP 173, "Test vectors": a valid Bech32 string with an empty data part.
    assert age.bech32("a", b"") == "a12uel5l"
