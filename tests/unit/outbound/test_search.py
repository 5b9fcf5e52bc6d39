"""What search engines are asked, and what they answer."""

from __future__ import annotations

import json

import pytest

from wirken.domain import request_limits
from wirken.outbound.search import SearchFailed, hits, query, shown

HIT = {"title": "A", "url": "https://a.test/"}


@pytest.mark.parametrize(
    ("kind", "tree"),
    [
        ("searxng", {"query": "x", "results": [HIT | {"content": "text"}]}),
        ("tavily", {"results": [HIT | {"content": "text", "score": 0.9}]}),
        ("brave", {"type": "search", "web": {"results": [HIT | {"description": "text"}]}}),
    ],
)
def test_every_engines_results_read_the_same(kind: str, tree: object) -> None:
    assert shown(hits(kind, 200, json.dumps(tree).encode(), 5)) == "1. A\nhttps://a.test/\ntext"


def test_tavily_is_asked_by_post() -> None:
    asked = query("tavily", 'a"b', 2)
    assert (asked.method, json.loads(asked.body)) == ("POST", {"query": 'a"b', "max_results": 2})
    assert asked.format == "Bearer {}"


def test_results_are_bounded_and_harmless() -> None:
    one = {"title": "t" * 10_000, "url": "https://a.test/", "content": "\ud800"}
    found = hits("searxng", 200, json.dumps({"results": [one] * 20}).encode(), 3)
    assert len(found) == 3
    assert len(found[0].title.encode()) < request_limits.SEARCH_TEXT + 100
    assert found[0].text == "?"
    odd = {"results": [1, None, {"title": 5}, {"url": ["x"]}, {"url": "https://b.test/", "title": None}]}
    assert [hit.url for hit in hits("searxng", 200, json.dumps(odd).encode(), 9)] == ["https://b.test/"]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"", "key"),
        (403, b"", "key"),
        (429, b"", "too often"),
        (500, b"", "500"),
        (200, b"<html>", "not JSON"),
        (200, b"[" * 100_000, "not JSON"),
        (200, b"[]", "list of results"),
        (200, b'{"web": 1}', "list of results"),
        (200, b'{"web": {"results": {}}}', "list of results"),
    ],
)
def test_an_engine_that_does_not_answer_is_named_with_the_reason(status: int, body: bytes, said: str) -> None:
    with pytest.raises(SearchFailed, match=said):
        hits("brave", status, body, 5)
    if status == 403:
        with pytest.raises(SearchFailed, match="formats"):
            hits("searxng", status, body, 5)
