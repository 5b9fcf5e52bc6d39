from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.cli.strength import TooShort, bits_at_best, judged
from wirken.domain import limits
from wirken.domain.secret import Secret


@pytest.mark.parametrize("text", ["Password1", "aaaaaaaaaaaaaaaaaaaaaaaa", "abcdefghijklmnop", "20261120", "hunter22"])
def test_what_is_soon_guessed_is_called_weak(text: str) -> None:
    assert "weak" in judged(Secret(text.encode()))


@pytest.mark.parametrize("text", ["correct horse battery staple", "tR4#kk9!xQ2mZ", "vier graue Möwen über Kiel"])
def test_length_and_variety_pass(text: str) -> None:
    assert "weak" not in judged(Secret(text.encode()))


@pytest.mark.parametrize("text", [b"", b"seven77", b"x" * (limits.PASSPHRASE + 1)])
def test_too_short_and_too_long_are_refused(text: bytes) -> None:
    with pytest.raises(TooShort):
        judged(Secret(text))


@given(st.binary(min_size=1, max_size=200))
def test_repeating_a_character_never_helps(text: bytes) -> None:
    assert bits_at_best(memoryview(text + text[-1:])) == bits_at_best(memoryview(text))
