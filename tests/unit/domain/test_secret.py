from __future__ import annotations

import copy
import gc
import json
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain.secret import Secret

VALUE = b"hunter2-hunter2"


@dataclass
class Holder:
    key: Secret


class HolderStruct(msgspec.Struct):
    key: Secret


HIDES: list[Callable[[Secret], str]] = [
    repr,
    str,
    lambda secret: ascii(secret).replace("\\u2026", "…"),
    lambda secret: f"{secret}",
    lambda secret: f"{secret!r:>40}",
    lambda secret: f"{secret:x>30}",
    lambda secret: "%s %r" % (secret, secret),  # noqa: UP031  # the old way must hide it as well
    lambda secret: "{0} {0!r}".format(secret),  # noqa: UP032  # likewise
    lambda secret: format(secret, "s"),
    lambda secret: repr([secret, {"key": secret}]),
    lambda secret: repr(Holder(secret)),
    lambda secret: repr(HolderStruct(secret)),
    lambda secret: str(ValueError("bad key", secret)),
]

REFUSES: list[Callable[[Secret], object]] = [
    pickle.dumps,
    lambda secret: pickle.dumps(secret, protocol=0),
    lambda secret: pickle.dumps({"key": secret}),
    copy.copy,
    copy.deepcopy,
    lambda secret: copy.deepcopy([secret]),
    lambda secret: asdict(Holder(secret)),
    json.dumps,
    msgspec.json.encode,
    msgspec.msgpack.encode,
    msgspec.to_builtins,
    lambda secret: msgspec.json.encode(HolderStruct(secret)),
    lambda secret: secret == secret,
    lambda secret: secret == VALUE,
    lambda secret: secret != Secret(VALUE),
    lambda secret: secret < Secret(VALUE),  # type: ignore[operator]  # what must not work
    lambda secret: secret in [Secret(VALUE)],
    lambda secret: HolderStruct(secret) == HolderStruct(Secret(VALUE)),
    hash,
    lambda secret: {secret},
    lambda secret: {secret: 1},
    iter,
    list,
    bytes,
    lambda secret: len(secret),  # type: ignore[arg-type]  # what must not work
    lambda secret: secret.__getstate__(),
    lambda secret: secret.__reduce__(),
    lambda secret: b"" + secret,  # type: ignore[operator]  # what must not work
    lambda secret: secret[0],  # type: ignore[index]  # what must not work
]


@pytest.mark.parametrize("way", HIDES)
def test_a_secret_is_never_in_what_is_printed(way: Callable[[Secret], str]) -> None:
    said = way(Secret(VALUE))
    assert "hunter2" not in said
    assert "Secret(…)" in said


@pytest.mark.parametrize("way", REFUSES)
def test_a_secret_is_not_copied_stored_compared_or_taken_apart(way: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError) as caught:
        way(Secret(VALUE))
    assert "hunter2" not in str(caught.value)


def test_a_secret_has_no_dictionary_and_takes_no_further_attribute() -> None:
    secret = Secret(VALUE)
    assert not hasattr(secret, "__dict__")
    with pytest.raises(AttributeError):
        secret.label = "x"  # type: ignore[attr-defined]  # what must not work


@given(st.binary(min_size=1, max_size=200))
def test_a_secret_gives_back_its_value_on_demand_only(value: bytes) -> None:
    secret = Secret(value)
    assert secret.reveal() == value
    assert bytes(secret.view()) == value
    assert bool(secret)


def test_the_buffer_is_a_copy_of_its_own() -> None:
    source = bytearray(VALUE)
    secret = Secret(source)
    source[:] = b"\0" * len(source)
    assert secret.reveal() == VALUE


def test_wiping_overwrites_the_buffer_itself() -> None:
    secret = Secret(VALUE)
    seen = secret.view()
    secret.wipe()
    assert bytes(seen) == b"\0" * len(VALUE)
    assert not secret
    with pytest.raises(ValueError, match="wiped"):
        secret.reveal()
    secret.wipe()


def test_a_secret_that_is_dropped_is_wiped() -> None:
    secret = Secret(VALUE)
    seen = secret.view()
    del secret
    gc.collect()
    assert bytes(seen) == b"\0" * len(VALUE)


@given(st.binary(min_size=1, max_size=40), st.binary(min_size=1, max_size=40))
def test_secrets_match_exactly_when_their_values_are_equal(one: bytes, other: bytes) -> None:
    assert Secret(one).matches(Secret(other)) == (one == other)
    assert Secret(one).matches(Secret(one))


def test_a_secret_that_holds_nothing_matches_nothing() -> None:
    wiped = Secret(VALUE)
    wiped.wipe()
    assert not wiped.matches(Secret(b""))
    assert not Secret(b"").matches(wiped)
    assert not wiped.matches(wiped)


@pytest.mark.parametrize("value", ["text", 5, None])
def test_only_bytes_make_a_secret_and_the_failure_says_nothing_on_standard_error(
    value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TypeError):
        Secret(value)  # type: ignore[arg-type]  # what must not work
    gc.collect()
    assert capsys.readouterr().err == ""
