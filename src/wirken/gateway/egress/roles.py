"""The connections of our own processes: each reaches the hosts of its row, and the operations log says what it used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from wirken.domain import limits, relay_limits
from wirken.domain.clock import Clock
from wirken.domain.egress import RelayUse, Verdict
from wirken.domain.events import Trust
from wirken.domain.ids import OPERATIONS
from wirken.domain.text import brief
from wirken.gateway.egress.hosts import CallOver
from wirken.gateway.log import AuditLog
from wirken.ipc.calls.egress import EgressRuling, EndedEgress, JudgeEgress, OnRecord, ReachEgress
from wirken.permissions import egress


@dataclass(slots=True)
class _Use:
    """What happened since the last row of its kind."""

    role: str
    host: str
    port: int
    verdict: Verdict
    connections: int = 0
    bytes_up: int = 0
    bytes_down: int = 0


@dataclass(slots=True)
class RoleEgress:
    """`row` gives the hosts of a role. A host's first connection is a row at once; the rest is added up."""

    row: Callable[[str], tuple[str, ...]]
    log: AuditLog
    clock: Clock
    numbers: Iterator[int]
    _uses: dict[tuple[str, str, int, Verdict], _Use] = field(default_factory=dict)
    _tickets: dict[int, JudgeEgress] = field(default_factory=dict)
    _since: float | None = None

    async def judge(self, asked: JudgeEgress) -> EgressRuling:
        """Raises `RecordFailed`."""
        if asked.found != "allowed":
            await self._used(asked, asked.found)
            return EgressRuling(asked.found)
        ruling = egress.judge_role(self.row(asked.role), asked.host, asked.port)
        if ruling.verdict != "allowed":
            verdict: Verdict = "port_not_allowed" if ruling.verdict == "port_not_allowed" else "not_allowed"
            await self._used(asked, verdict)
            return EgressRuling(verdict, ruling.said)
        ticket = next(self.numbers)
        self._tickets[ticket] = asked
        return EgressRuling("allowed", ticket=ticket)

    async def reach(self, said: ReachEgress) -> OnRecord:
        """Raises `CallOver`, `RecordFailed`."""
        asked = self._tickets.get(said.ticket)
        if asked is None:
            raise CallOver("No such connection.")
        if said.verdict in ("resolution_failed", "private_address"):
            del self._tickets[said.ticket]
        await self._used(asked, said.verdict)
        return OnRecord()

    async def ended(self, said: EndedEgress) -> OnRecord:
        """Raises `CallOver`."""
        asked = self._tickets.pop(said.ticket, None)
        if asked is None:
            raise CallOver("No such connection.")
        use = self._use(asked, "allowed")
        use.bytes_up += said.bytes_up
        use.bytes_down += said.bytes_down
        return OnRecord()

    def lost(self) -> None:
        """Outbound is gone, and its connections with it."""
        self._tickets.clear()

    async def flush(self) -> None:
        """Put what was added up on record. Raises `RecordFailed`."""
        uses, self._uses, self._since = self._uses, {}, None
        facts = [_fact(use) for use in uses.values() if use.connections or use.bytes_up or use.bytes_down]
        if facts:
            await self.log.append(OPERATIONS, *((Trust.GATEWAY, fact) for fact in facts))

    async def _used(self, asked: JudgeEgress, verdict: Verdict) -> None:
        now = self.clock.monotonic()
        if self._since is not None and now - self._since >= relay_limits.RELAY_SUMMARY:
            await self.flush()
        if self._since is None:
            self._since = now
        known = len(self._uses)
        use = self._use(asked, verdict)
        if len(self._uses) == known:
            use.connections += 1
            return
        first = RelayUse(
            role=use.role, host=use.host, port=use.port, verdict=verdict, connections=1, bytes_up=0, bytes_down=0
        )
        await self.log.append(OPERATIONS, (Trust.GATEWAY, first))

    def _use(self, asked: JudgeEgress, verdict: Verdict) -> _Use:
        """Return what is added up for this host; beyond so many hosts, for all others of the role together."""
        host, port = brief(asked.host, relay_limits.HOST), asked.port
        if len(self._uses) >= relay_limits.RELAY_USES and (asked.role, host, port, verdict) not in self._uses:
            host, port = "", 0
        role = brief(asked.role, relay_limits.RELAY_ROLE)
        return self._uses.setdefault((role, host, port, verdict), _Use(role, host, port, verdict))


def _fact(use: _Use) -> RelayUse:
    return RelayUse(
        role=use.role,
        host=use.host,
        port=use.port,
        verdict=use.verdict,
        connections=use.connections,
        bytes_up=min(use.bytes_up, limits.ROW_NUMBER - 1),
        bytes_down=min(use.bytes_down, limits.ROW_NUMBER - 1),
    )
