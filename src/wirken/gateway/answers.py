"""A person's answer to a question: who gives it, what it decides, and a row for each that does not count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wirken.domain import limits
from wirken.domain.actions import Allowed, Denied, Tier
from wirken.domain.clock import Clock
from wirken.domain.errors import Refused
from wirken.domain.events import ApprovalRefused, Fact, PermissionApproved, Trust
from wirken.domain.ids import OPERATIONS
from wirken.domain.people import Person
from wirken.domain.text import brief, clean, clip
from wirken.gateway.log import AuditLog
from wirken.gateway.matters import Matter
from wirken.ipc.calls.operator import AnswerApproval, ApprovalRow

_SETTLED: Final = {
    "lapsed": "nobody answered in time",
    "withdrawn": "its turn was stopped",
    "deny": "it was denied",
    "once": "it was allowed once",
    "session": "it was allowed for the session",
    "30d": "it was allowed for 30 days",
}
_UNKNOWN: Final = "it was answered, has lapsed, or never was"


class AnswerRefused(Refused):
    """An answer that comes late, twice, for something else, from the wrong person, or asks for too much."""


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who answers, as the connection says, and where. `only`: the one channel whose questions are theirs; or all.

    `spot`: the conversation on a platform where they do, as `<channel>/<conversation>`; empty at the owner's own
    terminal or page.
    """

    person: Person
    surface: str
    only: str = ""
    spot: str = ""


def past(decision: str) -> AnswerRefused:
    """Return the refusal of an answer that comes after `decision`; empty where nothing is known of one."""
    return AnswerRefused(f"This question is not open any more: {_SETTLED.get(decision, _UNKNOWN)}.")


def fits(row: ApprovalRow, given: AnswerApproval) -> None:
    """Return if the answer is to exactly what was shown, and one of those offered. Raises `AnswerRefused`."""
    if given.lease != row.lease:
        raise AnswerRefused("The answer is for another call than the one that waits.")
    if given.choice in row.choices:
        return
    if row.tier != Tier.TWO:
        raise AnswerRefused("A Tier 3 call is approved once at a time; nothing is stored.")
    raise AnswerRefused("This is approved once at a time: no grant can be stored for it.")


def decided(
    matter: Matter, row: ApprovalRow, given: AnswerApproval, by: Answerer
) -> tuple[Allowed | Denied, tuple[tuple[Trust, Fact], ...]]:
    """Return the verdict that an answer is, and its rows."""
    who = by.person.principal
    if given.choice == "deny":
        reason = brief(given.reason)
        denied = matter.denied("denied_by_person", reason, who)
        return denied, matter.rows(matter.session, matter.call, denied)
    fact = PermissionApproved(
        approval=row.approval,
        call_id=row.call_id,
        lease=row.lease,
        action_keys=row.action_keys,
        tier=row.tier,
        scope=given.choice,
        by=who,
        surface=by.surface,
    )
    return matter.allowed(who), ((Trust.OWNER, fact),)


@dataclass(slots=True)
class RefusedAnswers:
    """Puts answers that did not count on record, `limits.ANSWERS_REFUSED` in a window at most."""

    log: AuditLog
    clock: Clock
    _since: float = float("-inf")
    _noted: int = 0

    async def note(self, approval: str, session: str, by: str, surface: str, reason: str) -> None:
        now = self.clock.monotonic()
        if now - self._since >= limits.ANSWERS_REFUSED_WINDOW:
            self._since, self._noted = now, 0
        self._noted += 1
        if self._noted > limits.ANSWERS_REFUSED:
            return
        named, _ = clip(clean(approval), limits.APPROVAL_ID)
        fact = ApprovalRefused(approval=named, asked_in=session, by=by, surface=surface, reason=reason)
        await self.log.append(OPERATIONS, (Trust.GATEWAY, fact))
