"""Follow what permitted calls reached, and say what their permits did not allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from wirken.domain.actions import Place
from wirken.domain.egress import EgressClosed, EgressVerdict
from wirken.domain.events import Outcome
from wirken.domain.hosts import covers

_ASKED: Final = ("grant", "approval")


@dataclass(slots=True)
class Reached:
    """One round's calls: each permitted one with its place until its result is there."""

    _places: dict[str, Place] = field(default_factory=dict)
    _allowed: set[tuple[str, int]] = field(default_factory=set)
    """Connections that were allowed and have not ended."""

    def permitted(self, call_id: str, place: Place) -> None:
        self._places[call_id] = place

    def over(self, call_id: str, outcome: Outcome) -> Iterator[str]:
        """Yield what is wrong when a call's result comes; of one that was interrupted, ends may be missing."""
        self._places.pop(call_id, None)
        left = {one for one in self._allowed if one[0] == call_id}
        self._allowed -= left
        if left and outcome in ("ok", "failed"):
            yield "a call ended before a connection of it did"

    def verdict(self, fact: EgressVerdict, approved: set[str]) -> Iterator[str]:
        """Yield what is wrong with a verdict. `approved` are the leases that persons gave."""
        place = self._places.get(fact.call_id)
        if place is None:
            yield "a connection of a call that was not running"
            return
        if fact.verdict != "allowed":
            return
        self._allowed.add((fact.call_id, fact.connection))
        if fact.rule == "approval" and fact.lease not in approved:
            yield f"{fact.host} was reached by an approval that is not on record"
        elif not _may(place, fact):
            yield f"{fact.host} was reached, which the call's place does not allow"

    def closed(self, fact: EgressClosed) -> Iterator[str]:
        """Yield what is wrong with the end of a connection."""
        connection = (fact.call_id, fact.connection)
        if connection not in self._allowed:
            yield "the end of a connection that was never allowed"
        self._allowed.discard(connection)


def _may(place: Place, fact: EgressVerdict) -> bool:
    match place.network:
        case "none":
            return False
        case "open":
            return True
        case "allowlist":
            return covers(place.hosts, fact.host)
        case "ask":
            return covers(place.hosts, fact.host) or fact.rule in _ASKED
