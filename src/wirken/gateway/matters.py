"""What a person is asked about: a proposed call as it would run, and the verdict that each answer to it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from wirken.domain.actions import Allowed, CanonicalCall, Denied, NeedsApproval, ToolCall
from wirken.domain.events import Fact, Trust
from wirken.gateway.agent.results import refusal
from wirken.gateway.sessions import Session
from wirken.permissions.decide import denial

DRIFTED: Final = (
    "What would run now is not what a person was shown: the place or the configuration changed. Propose it again."
)


Rows: TypeAlias = Callable[[Session, ToolCall, Denied], tuple[tuple[Trust, Fact], ...]]


@dataclass(frozen=True, slots=True)
class Matter:
    """What a question is about: a proposed call, as it would run, and why it needs asking."""

    session: Session
    call: ToolCall
    canonical: CanonicalCall
    needs: NeedsApproval
    rows: Rows = refusal
    """What a refusal puts on record."""

    def denied(self, rule: str, why: str, by: str = "") -> Denied:
        said = f"{denial(self.canonical, self.needs.tier)} {why}".rstrip()
        return Denied(self.needs.tier, self.needs.keys, rule, said, by)

    def allowed(self, by: str) -> Allowed:
        return Allowed(self.needs.tier, self.needs.keys, "approval", by)

    async def refuse(self, rule: str, why: str) -> Denied:
        verdict = self.denied(rule, why)
        await self.session.record(*self.rows(self.session, self.call, verdict))
        return verdict
