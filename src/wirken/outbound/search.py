"""Search engines: what is asked of each, and what its answer says. Pure.

SearXNG (docs.searxng.org, "Search API"), Brave (Search API, "Web Search"), Tavily (docs.tavily.com, "Search").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlencode

from wirken.domain import request_limits
from wirken.domain.errors import Unavailable
from wirken.domain.text import brief


class SearchFailed(Unavailable):
    """The search engine gave no results that can be read; the sentence is one for the model."""


class Query(NamedTuple):
    """What to ask below the engine's address. `header` and `format` say how its key travels."""

    method: str
    path: str
    body: bytes = b""
    header: str = ""
    format: str = "{}"


class Hit(NamedTuple):
    """One result, as the engine words it."""

    title: str
    url: str
    text: str


def query(kind: str, text: str, count: int) -> Query:
    """Return the question for an engine. Raises `SearchFailed` for none."""
    match kind:
        case "searxng":
            return Query("GET", "/search?" + urlencode({"q": text, "format": "json"}))
        case "brave":
            asked = urlencode({"q": text, "count": count, "text_decorations": "false"})
            return Query("GET", f"/res/v1/web/search?{asked}", header="X-Subscription-Token")
        case "tavily":
            body = json.dumps({"query": text, "max_results": count}).encode()
            return Query("POST", "/search", body, header="Authorization", format="Bearer {}")
        case _:
            raise SearchFailed(
                "No search engine is configured.",
                hint="The operator can name one under [web_search] in config.toml: searxng, brave or tavily.",
            )


def hits(kind: str, status: int, body: bytes, count: int) -> list[Hit]:
    """Return the results in an engine's answer, `count` at most. Raises `SearchFailed`."""
    if status != 200:
        raise SearchFailed(_refused(kind, status))
    try:
        tree: object = json.loads(body)
    except (ValueError, RecursionError):
        raise SearchFailed(f"{kind} answered something that is not JSON. {_JSON.get(kind, '')}".rstrip()) from None
    listed = _listed(kind, tree)
    if not isinstance(listed, list):
        raise SearchFailed(f"{kind} answered without a list of results.")
    field = "description" if kind == "brave" else "content"
    found = [Hit(_text(one, "title"), _text(one, "url"), _text(one, field)) for one in listed if isinstance(one, dict)]
    return [hit for hit in found if hit.url][:count]


def shown(found: list[Hit]) -> str:
    """Return results as text for the model."""
    if not found:
        return "No results."
    return "\n\n".join(
        f"{number}. {hit.title}\n{hit.url}\n{hit.text}".rstrip() for number, hit in enumerate(found, start=1)
    )


def _listed(kind: str, tree: object) -> object:
    if not isinstance(tree, dict):
        return None
    if kind == "brave":
        web = tree.get("web", {"results": []})
        return web.get("results") if isinstance(web, dict) else None
    return tree.get("results")


def _text(one: Mapping[object, object], name: str) -> str:
    value = one.get(name)
    return brief(value, request_limits.SEARCH_TEXT) if isinstance(value, str) else ""


def _refused(kind: str, status: int) -> str:
    if status in (401, 403):
        return f"{kind} refused the request ({status}). {_FORBIDDEN.get(kind, 'Its key is missing or wrong.')}"
    if status == 429:
        return f"{kind} says that it was asked too often (429); try again later."
    return f"{kind} answered with status {status}."


_JSON: Final = {"searxng": "Its settings.yml has to allow the format `json` under `search: formats:`."}
_FORBIDDEN: Final = {"searxng": _JSON["searxng"]}
