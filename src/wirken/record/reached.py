"""Follow what permitted calls reached, and say what their permits did not allow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from wirken.domain.actions import CanonicalCall
from wirken.domain.egress import EgressClosed, EgressVerdict, HttpRedirect
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

    _sent_on: dict[str, HttpRedirect] = field(default_factory=dict)
    """The last redirect of a call."""

    def permitted(self, call_id: str, call: CanonicalCall) -> None:
        self._calls[call_id] = call

    def over(self, call_id: str, outcome: Outcome) -> Iterator[str]:
        """Yield what is wrong when a call's result comes; of one that was interrupted, ends may be missing."""
        self._calls.pop(call_id, None)
        self._sent_on.pop(call_id, None)
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
        elif not _may(call, fact, self._sent_on.get(fact.call_id)):
            yield f"{fact.host} was reached, which the call's place does not allow"

    def redirected(self, fact: HttpRedirect) -> Iterator[str]:
        """Yield what is wrong with a redirect: only a request that runs is sent on, a hop after the other."""
        call, last = self._calls.get(fact.call_id), self._sent_on.get(fact.call_id)
        self._sent_on[fact.call_id] = fact
        if call is None or call.tool != "http_request":
            yield "a redirect of a call that was not running, or makes no request"
        elif fact.hop <= (0 if last is None else last.hop):
            yield "a redirect out of order"
        elif fact.credential and (call.place.credential is None or fact.credential != call.place.credential.name):
            yield "a redirect with a credential that its call does not carry"

    def closed(self, fact: EgressClosed) -> Iterator[str]:
        """Yield what is wrong with the end of a connection."""
        connection = (fact.call_id, fact.connection)
        if connection not in self._allowed:
            yield "the end of a connection that was never allowed"
        self._allowed.discard(connection)


def _may(call: CanonicalCall, fact: EgressVerdict, sent_on: HttpRedirect | None) -> bool:
    if call.tool == "web_search":
        return fact.rule == "search"
    if call.tool == "http_request":
        if fact.rule == "call":
            return fact.host == _host(_asked_for(call))
        return fact.rule in _ASKED and sent_on is not None and fact.host == _host(sent_on.url)
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
    """Return the address of a request; empty where its arguments name none."""
    try:
        return str(json.loads(call.arguments)["url"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""


def _host(url: str) -> str:
    """Return the host of an address; empty where it is none."""
    try:
        return target(url).host
    except UsageError:
        return ""
