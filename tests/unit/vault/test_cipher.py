from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain.secret import Secret
from wirken.vault.cipher import KEY, NONCE, Label, NotAuthentic, open_sealed, same, seal

DEVICE_KEY = Secret(bytes(range(KEY)))
labels = st.builds(Label, st.text(max_size=8), st.text(max_size=20), st.binary(max_size=24))


@given(st.binary(max_size=300), labels)
def test_what_was_sealed_opens_under_its_own_label(value: bytes, label: Label) -> None:
    opened = open_sealed(DEVICE_KEY, label, seal(DEVICE_KEY, os.urandom(NONCE), label, Secret(value)))
    assert (opened.reveal() if opened else b"") == value


@given(st.binary(max_size=100), labels, st.data())
def test_any_flipped_bit_fails_closed(value: bytes, label: Label, data: st.DataObject) -> None:
    sealed = bytearray(seal(DEVICE_KEY, bytes(NONCE), label, Secret(value)))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NotAuthentic):
        open_sealed(DEVICE_KEY, label, bytes(sealed))


@given(labels, labels)
def test_another_label_fails_closed(label: Label, other: Label) -> None:
    sealed = seal(DEVICE_KEY, bytes(NONCE), label, Secret(b"value"))
    if label == other:
        return
    with pytest.raises(NotAuthentic):
        open_sealed(DEVICE_KEY, other, sealed)


def test_nothing_can_be_moved_between_the_fields_of_a_label() -> None:
    assert Label("a", "bc").associated() != Label("ab", "c").associated()


@given(st.binary(max_size=60))
def test_bytes_that_are_no_entry_are_refused(sealed: bytes) -> None:
    with pytest.raises(NotAuthentic):
        open_sealed(DEVICE_KEY, Label("credential", "x"), sealed)


def test_another_device_key_does_not_open() -> None:
    label = Label("credential", "x")
    sealed = seal(DEVICE_KEY, bytes(NONCE), label, Secret(b"value"))
    with pytest.raises(NotAuthentic):
        open_sealed(Secret(bytes(KEY)), label, sealed)


def test_an_empty_secret_equals_nothing() -> None:
    assert not same(Secret(b""), Secret(b""))
    assert same(Secret(b"a"), Secret(b"a"))
    assert not same(Secret(b"a"), Secret(b"b"))
