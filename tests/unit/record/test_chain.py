from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.record.chain import GENESIS, Head, leaf_hash, link_hash

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "chain.json").read_text())["rows"]
payloads = st.lists(st.binary(max_size=30), min_size=1, max_size=8)


def chain(rows: list[bytes]) -> Head:
    head = Head()
    for payload in rows:
        head, _ = head.extended(payload)
    return head


def test_the_chain_of_the_vectors_comes_out_to_the_digit() -> None:
    head = Head()
    for seq, vector in enumerate(VECTORS):
        assert head.hash == vector["prev_hash"]
        head, leaf = head.extended(vector["payload"].encode())
        assert (head.seq, head.hash, leaf) == (seq, vector["hash"], vector["leaf_hash"])


def test_a_chain_written_out_by_hand() -> None:
    one = hashlib.sha256(b"one").hexdigest()
    first = hashlib.sha256(one.encode()).hexdigest()
    two = hashlib.sha256(b"two").hexdigest()
    second = hashlib.sha256((first + two).encode()).hexdigest()
    assert chain([b"one", b"two"]) == Head(1, second)
    assert chain([]) == Head(-1, GENESIS) == Head(-1, "")


@given(st.binary(), st.binary())
def test_a_link_is_the_hash_of_the_ascii_of_both_digests(before: bytes, payload: bytes) -> None:
    prev, leaf = leaf_hash(before), leaf_hash(payload)
    assert link_hash(prev, leaf) == hashlib.sha256(prev.encode("ascii") + leaf.encode("ascii")).hexdigest()


@given(payloads, payloads)
def test_two_chains_have_the_same_head_only_if_they_have_the_same_rows(one: list[bytes], other: list[bytes]) -> None:
    assert (chain(one) == chain(other)) == (one == other)


@given(payloads, st.data())
def test_any_edit_of_any_row_is_another_head(rows: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    edits = [
        rows[:place] + rows[place + 1 :],
        [*rows[:place], b"inserted row that is longer than any", *rows[place:]],
        [*rows[:place], rows[place] + b"\0", *rows[place + 1 :]],
    ]
    assert all(chain(edited).hash != chain(rows).hash for edited in edits)


def test_text_that_is_not_ascii_is_no_digest() -> None:
    with pytest.raises(UnicodeEncodeError):
        link_hash("é", "0" * 64)
