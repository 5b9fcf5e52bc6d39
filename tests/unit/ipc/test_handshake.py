from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from wirken.domain import limits
from wirken.domain.ids import RoleName
from wirken.domain.secret import Secret
from wirken.ipc.handshake import (
    NONCE,
    ROLE,
    SIGNATURE,
    WELCOME,
    HandshakeFailed,
    Hello,
    Identity,
    challenge,
    check_proof,
    hello,
    prove,
    public_key,
    read_hello,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "handshake.json").read_text())["handshakes"]
GATEWAY, DIALLER, OTHER = (Secret(bytes([number]) * 32) for number in (1, 2, 3))
GATEWAY_KEY, DIALLER_KEY, OTHER_KEY = map(public_key, (GATEWAY, DIALLER, OTHER))
ROLE_NAME = RoleName("runner")
IDENTITY = Identity(ROLE_NAME, DIALLER, GATEWAY_KEY)
NONCE_D, NONCE_L = b"d" * NONCE, b"l" * NONCE
SAID = Hello(ROLE_NAME, NONCE_D)

nonces = st.binary(min_size=NONCE, max_size=NONCE)
roles = st.from_regex(r"[a-z0-9_:-]{1,64}", fullmatch=True).map(RoleName)


def flipped(message: bytes, bit: int) -> bytes:
    changed = bytearray(message)
    changed[bit // 8 % len(message)] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["role"])[:20])
def test_fixed_seeds_and_nonces_give_the_messages_of_the_vectors(vector: dict[str, str]) -> None:
    raw = {name: bytes.fromhex(value) for name, value in vector.items() if name != "role"}
    role = RoleName(vector["role"])
    listener, dialler = Secret(raw["gateway_seed"]), Secret(raw["dialler_seed"])
    assert public_key(listener) == raw["gateway_key"]
    assert public_key(dialler) == raw["dialler_key"]
    assert hello(role, raw["nonce_dialler"]) == raw["hello"]
    said = read_hello(raw["hello"])
    assert said == Hello(role, raw["nonce_dialler"])
    assert challenge(listener, said, raw["nonce_listener"]) == raw["challenge"]
    identity = Identity(role, dialler, raw["gateway_key"])
    assert prove(identity, raw["nonce_dialler"], raw["challenge"]) == raw["proof"]
    check_proof(raw["dialler_key"], said, raw["nonce_listener"], raw["proof"])
    assert raw["welcome"] == WELCOME


@given(roles, nonces, nonces)
def test_what_is_signed_is_domain_side_role_and_both_nonces_each_with_its_length(
    role: RoleName, nonce_d: bytes, nonce_l: bytes
) -> None:
    def signed(side: bytes) -> bytes:
        parts = (b"wirken/handshake/1", side, role.encode(), nonce_d, nonce_l)
        return b"".join(struct.pack(">I", len(part)) + part for part in parts)

    answer = challenge(GATEWAY, Hello(role, nonce_d), nonce_l)
    assert answer == nonce_l + SigningKey(GATEWAY.reveal()).sign(signed(b"listener")).signature
    proof = prove(Identity(role, DIALLER, GATEWAY_KEY), nonce_d, answer)
    assert proof == SigningKey(DIALLER.reveal()).sign(signed(b"dialler")).signature


@given(st.integers(0, (NONCE + SIGNATURE) * 8 - 1))
def test_a_challenge_with_any_bit_flipped_is_no_challenge(bit: int) -> None:
    answer = challenge(GATEWAY, SAID, NONCE_L)
    assert prove(IDENTITY, NONCE_D, answer)
    with pytest.raises(HandshakeFailed):
        prove(IDENTITY, NONCE_D, flipped(answer, bit))


@given(st.integers(0, SIGNATURE * 8 - 1))
def test_a_proof_with_any_bit_flipped_is_no_proof(bit: int) -> None:
    proof = prove(IDENTITY, NONCE_D, challenge(GATEWAY, SAID, NONCE_L))
    check_proof(DIALLER_KEY, SAID, NONCE_L, proof)
    with pytest.raises(HandshakeFailed):
        check_proof(DIALLER_KEY, SAID, NONCE_L, flipped(proof, bit))


@given(st.integers(0, NONCE * 8 - 1), st.integers(0, NONCE * 8 - 1))
def test_a_proof_serves_its_own_nonces_only(bit_d: int, bit_l: int) -> None:
    proof = prove(IDENTITY, NONCE_D, challenge(GATEWAY, SAID, NONCE_L))
    for said, nonce in (
        (Hello(ROLE_NAME, flipped(NONCE_D, bit_d)), NONCE_L),
        (SAID, flipped(NONCE_L, bit_l)),
        (Hello(ROLE_NAME, NONCE_L), NONCE_D),
    ):
        with pytest.raises(HandshakeFailed):
            check_proof(DIALLER_KEY, said, nonce, proof)


@given(roles, roles)
def test_a_proof_serves_its_own_role_only(role: RoleName, other: RoleName) -> None:
    said = Hello(role, NONCE_D)
    proof = prove(Identity(role, DIALLER, GATEWAY_KEY), NONCE_D, challenge(GATEWAY, said, NONCE_L))
    if role == other:
        check_proof(DIALLER_KEY, Hello(other, NONCE_D), NONCE_L, proof)
    else:
        with pytest.raises(HandshakeFailed):
            check_proof(DIALLER_KEY, Hello(other, NONCE_D), NONCE_L, proof)


def test_a_character_moved_between_fields_is_another_message() -> None:
    proof = prove(IDENTITY, NONCE_D, challenge(GATEWAY, SAID, NONCE_L))
    with pytest.raises(HandshakeFailed):
        check_proof(DIALLER_KEY, Hello(RoleName("runne"), b"r" + NONCE_D[:-1]), NONCE_D[-1:] + NONCE_L[:-1], proof)


def test_the_listeners_own_signature_reflected_is_no_proof() -> None:
    """The gateway's key as the dialler's key, too: even then the side stands in what is signed."""
    answer = challenge(GATEWAY, SAID, NONCE_L)
    with pytest.raises(HandshakeFailed):
        check_proof(GATEWAY_KEY, SAID, NONCE_L, answer[NONCE:])


def test_the_diallers_own_proof_reflected_is_no_challenge() -> None:
    proof = prove(IDENTITY, NONCE_D, challenge(GATEWAY, SAID, NONCE_L))
    with pytest.raises(HandshakeFailed):
        prove(Identity(ROLE_NAME, DIALLER, DIALLER_KEY), NONCE_D, NONCE_L + proof)


def test_a_replayed_challenge_does_not_answer_a_fresh_nonce() -> None:
    answer = challenge(GATEWAY, SAID, NONCE_L)
    with pytest.raises(HandshakeFailed):
        prove(IDENTITY, b"f" * NONCE, answer)


def test_a_replayed_proof_does_not_answer_a_fresh_nonce() -> None:
    proof = prove(IDENTITY, NONCE_D, challenge(GATEWAY, SAID, NONCE_L))
    with pytest.raises(HandshakeFailed):
        check_proof(DIALLER_KEY, SAID, b"f" * NONCE, proof)


def test_a_listener_with_another_key_is_not_the_gateway() -> None:
    with pytest.raises(HandshakeFailed):
        prove(IDENTITY, NONCE_D, challenge(OTHER, SAID, NONCE_L))


def test_a_dialler_with_another_key_is_not_the_role() -> None:
    proof = prove(Identity(ROLE_NAME, OTHER, GATEWAY_KEY), NONCE_D, challenge(GATEWAY, SAID, NONCE_L))
    with pytest.raises(HandshakeFailed):
        check_proof(DIALLER_KEY, SAID, NONCE_L, proof)


@pytest.mark.parametrize("key", [b"", b"x", DIALLER_KEY[:-1], DIALLER_KEY + b"x"])
def test_a_role_without_a_registered_key_cannot_be_proven(key: bytes) -> None:
    proof = prove(IDENTITY, NONCE_D, challenge(GATEWAY, SAID, NONCE_L))
    with pytest.raises(HandshakeFailed, match="No key"):
        check_proof(key, SAID, NONCE_L, proof)


@pytest.mark.parametrize("key", [b"\0" * 32, b"\1" + b"\0" * 31, b"\xec" + b"\xff" * 30 + b"\x7f"])
def test_a_key_of_small_order_under_which_anything_verifies_proves_nothing(key: bytes) -> None:
    for proof in (bytes(SIGNATURE), key + bytes(32), b"\1" + bytes(63)):
        with pytest.raises(HandshakeFailed):
            check_proof(key, SAID, NONCE_L, proof)


@given(st.binary(max_size=200))
def test_any_first_message_is_a_hello_or_refused(message: bytes) -> None:
    try:
        said = read_hello(message)
    except HandshakeFailed:
        return
    assert hello(said.role, said.nonce) == message


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\1",
        b"\1" + NONCE_D,
        b"\1" + NONCE_D[:-1],
        b"\2" + NONCE_D + b"runner",
        b"\0" + NONCE_D + b"runner",
        b"\1" + NONCE_D + b"r" * (ROLE + 1),
        b"\1" + NONCE_D + b"Runner",
        b"\1" + NONCE_D + b"run ner",
        b"\1" + NONCE_D + b"runner\0",
        b"\1" + NONCE_D + b"runner\n",
        b"\1" + NONCE_D + b"../vault",
        b"\1" + NONCE_D + "rünner".encode(),
        b"\1" + NONCE_D + b"\xff",
    ],
)
def test_a_malformed_hello_is_refused(message: bytes) -> None:
    with pytest.raises(HandshakeFailed):
        read_hello(message)


@given(st.binary(max_size=200).filter(lambda message: len(message) != NONCE + SIGNATURE))
def test_a_challenge_of_another_length_is_refused(message: bytes) -> None:
    with pytest.raises(HandshakeFailed):
        prove(IDENTITY, NONCE_D, message)


@given(st.binary(max_size=200).filter(lambda message: len(message) != SIGNATURE))
def test_a_proof_of_another_length_is_refused(message: bytes) -> None:
    with pytest.raises(HandshakeFailed):
        check_proof(DIALLER_KEY, SAID, NONCE_L, message)


def test_every_message_fits_the_frame_of_a_handshake() -> None:
    longest = hello(RoleName("x" * ROLE), NONCE_D)
    assert read_hello(longest).role == "x" * ROLE
    assert max(len(longest), NONCE + SIGNATURE) <= limits.HANDSHAKE_FRAME


def test_an_identity_does_not_show_its_seed() -> None:
    assert DIALLER.reveal().hex() not in repr(IDENTITY)
    assert repr(DIALLER.reveal()) not in repr(IDENTITY)
