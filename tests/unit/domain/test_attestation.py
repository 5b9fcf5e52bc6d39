from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain.attestation import DOMAIN, NotAHead, attestation_message

HEAD = "ab" * 32
heads = st.binary(min_size=32, max_size=32).map(bytes.hex)
sessions = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=100)


@given(sessions, st.integers(0, 2**53 - 1), heads)
def test_the_fields_are_canonical_json_behind_the_domain(session: str, seq: int, head: str) -> None:
    message = attestation_message(session, seq, head)
    assert message == DOMAIN + rfc8785.dumps({"session": session, "seq": seq, "head": head})


@given(st.tuples(sessions, st.integers(0, 99), heads), st.tuples(sessions, st.integers(0, 99), heads))
def test_two_different_heads_never_give_the_same_message(
    one: tuple[str, int, str], other: tuple[str, int, str]
) -> None:
    assert (attestation_message(*one) == attestation_message(*other)) == (one == other)


def test_the_message_reads_back() -> None:
    message = attestation_message("default/webchat/a", 7, HEAD)
    assert json.loads(message.removeprefix(DOMAIN)) == {
        "session": "default/webchat/a",
        "seq": 7,
        "head": HEAD,
    }


@pytest.mark.parametrize(
    ("seq", "head"),
    [(-1, HEAD), (2**53, HEAD), (0, ""), (0, HEAD.upper()), (0, HEAD + "0"), (0, HEAD + "\n")],
)
def test_what_is_no_head_is_not_signed(seq: int, head: str) -> None:
    with pytest.raises(NotAHead):
        attestation_message("default/webchat/a", seq, head)
