"""Follow what permitted calls reached, and say what their permits did not allow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from wirken.domain.actions import CanonicalCall
from wirken.domain.egress import EgressClosed, EgressVerdict
from wirken.domain.errors import UsageError
from wirken.domain.events import Outcome
from wirken.domain.hosts import covers
from wirken.domain.urls import target

_ASKED: Final = ("grant", "approval")


@dataclass(slots=True)
class Reached:
    """One round's calls: each permitted one until its result is there."""

    _calls: dict[str, CanonicalCall] = field(default_factory=dict)
    _allowed: set[tuple[str, int]] = field(default_factory=set)
    """Connections that were allowed and have not ended."""

    def permitted(self, call_id: str, call: CanonicalCall) -> None:
        self._calls[call_id] = call

    def over(self, call_id: str, outcome: Outcome) -> Iterator[str]:
        """Yield what is wrong when a call's result comes; of one that was interrupted, ends may be missing."""
        self._calls.pop(call_id, None)
        left = {one for one in self._allowed if one[0] == call_id}
        self._allowed -= left
        if left and outcome in ("ok", "failed"):
            yield "a call ended before a connection of it did"

    def verdict(self, fact: EgressVerdict, approved: set[str]) -> Iterator[str]:
        """Yield what is wrong with a verdict. `approved` are the leases that persons gave."""
        call = self._calls.get(fact.call_id)
        if call is None:
            yield "a connection of a call that was not running"
            return
        if fact.verdict != "allowed":
            return
        self._allowed.add((fact.call_id, fact.connection))
        if fact.rule == "approval" and fact.lease not in approved:
            yield f"{fact.host} was reached by an approval that is not on record"
        elif not _may(call, fact):
            yield f"{fact.host} was reached, which the call's place does not allow"

    def closed(self, fact: EgressClosed) -> Iterator[str]:
        """Yield what is wrong with the end of a connection."""
        connection = (fact.call_id, fact.connection)
        if connection not in self._allowed:
            yield "the end of a connection that was never allowed"
        self._allowed.discard(connection)


def _may(call: CanonicalCall, fact: EgressVerdict) -> bool:
    if call.tool == "web_search":
        return fact.rule == "search"
    if call.tool == "http_request":
        return fact.rule == "call" and fact.host == _asked_for(call)
    place = call.place
    match place.network:
        case "none":
            return False
        case "open":
            return True
        case "allowlist":
            return covers(place.hosts, fact.host)
        case "ask":
            return covers(place.hosts, fact.host) or fact.rule in _ASKED


def _asked_for(call: CanonicalCall) -> str:
    """Return the host of a request; empty where its arguments name none."""
    try:
        return target(json.loads(call.arguments)["url"]).host
    except (ValueError, TypeError, KeyError, RecursionError, UsageError):
        return ""
