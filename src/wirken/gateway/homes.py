"""Which conversation a question is put to, and when that one may be disturbed."""

from __future__ import annotations

from dataclasses import dataclass

from wirken.config.model import Config
from wirken.config.zones import quiet
from wirken.domain.people import Role, Spot, spot
from wirken.domain.quiet import Quiet
from wirken.gateway.sessions import Session
from wirken.ipc.calls.operator import ApprovalRow


@dataclass(frozen=True, slots=True)
class Homes:
    """The owner's home conversation and the approvers' one. With `four_eyes` nobody answers for their own message."""

    home: Spot | None
    approvers: Spot | None
    quiet: Quiet | None
    four_eyes: bool

    def elsewhere(self, session: Session) -> bool:
        """Must somebody else answer than the one whose message led here?"""
        heard = None if session.turn is None else session.turn.message
        return heard is not None and (self.four_eyes or not Role(heard.role).may_answer)

    def put_to(self, session: Session) -> str:
        """Return `<channel>/<conversation>`: the session's own where whoever asked may answer, else the approvers'.

        An approver's own question goes to the owner first. What is not configured leaves it to the other, and both to
        the session's conversation, where somebody may be who can answer.
        """
        own = session.id.partition("/")[2]
        if not self.elsewhere(session):
            return own
        heard = None if session.turn is None else session.turn.message
        both = (self.approvers, self.home)
        if heard is not None and heard.role == Role.APPROVER:
            both = (self.home, self.approvers)
        return str(both[0] or both[1] or own)

    def may_answer_at(self, spot: str, row: ApprovalRow) -> bool:
        """May the question be answered in this conversation, `<channel>/<conversation>`?

        Where it was put, where it comes from, and where the owner or the approvers are at home.
        """
        homes = (str(one) for one in (self.home, self.approvers) if one is not None)
        return spot in (row.put_to, row.session.partition("/")[2], *homes)

    def held_until(self, now: int) -> int:
        """Return until when (ms) nobody who did not ask is to be disturbed; 0: now they may be."""
        return 0 if self.quiet is None else self.quiet.until(now)


def homes(config: Config) -> Homes:
    """Return what the configuration says. Raises `BadIdentifier`, `BadHours`, `UnknownZone`; reads the zone's file."""
    wanted = config.approvals
    return Homes(
        home=spot(wanted.home) if wanted.home else None,
        approvers=spot(wanted.approvers) if wanted.approvers else None,
        quiet=quiet(wanted),
        four_eyes=config.permissions.four_eyes,
    )
