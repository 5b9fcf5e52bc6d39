from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from wirken.config.egress import EgressConfig
from wirken.config.model import Config
from wirken.domain import relay_limits
from wirken.domain.clock import SystemClock
from wirken.domain.egress import RelayUse, Verdict
from wirken.domain.errors import Refused
from wirken.domain.ids import OPERATIONS
from wirken.gateway.egress.roles import RoleEgress
from wirken.gateway.log import AuditLog
from wirken.ipc.calls.egress import EndedEgress, JudgeEgress, ReachEgress
from wirken.record.canonical import decode

CONFIG = Config(egress=EgressConfig(hosts={"channel-test": ("api.test.example", "*.cdn.example", "own.example:8448")}))


@dataclass
class Clock(SystemClock):
    at: float = 0.0

    def monotonic(self) -> float:
        return self.at


@dataclass
class Roles:
    egress: RoleEgress
    log: AuditLog
    clock: Clock

    async def connect(self, host: str = "api.test.example", found: Verdict = "allowed", port: int = 443) -> Verdict:
        """Go through all that outbound says of one connection."""
        ruling = await self.egress.judge(JudgeEgress(role="channel-test", host=host, port=port, found=found))
        if ruling.ticket:
            await self.egress.reach(ReachEgress(ruling.ticket, "allowed", "93.184.215.14"))
            await self.egress.ended(ended(ruling.ticket))
        return ruling.verdict

    def uses(self) -> list[tuple[str, str, int, int, int]]:
        facts = [decode(payload).fact for payload in self.log.rows(OPERATIONS)]
        return [
            (use.host, use.verdict, use.connections, use.bytes_up, use.bytes_down)
            for use in facts
            if isinstance(use, RelayUse)
        ]


def ended(ticket: int) -> EndedEgress:
    return EndedEgress(ticket=ticket, address="", bytes_up=2, bytes_down=3, duration_ms=1, ended="closed")


@asynccontextmanager
async def roles(folder: Path) -> AsyncIterator[Roles]:
    clock = Clock()
    log = AuditLog(folder / "audit.db", clock, lambda: None)
    log.start()
    try:
        yield Roles(RoleEgress(CONFIG.hosts_of, log, clock, itertools.count(1)), log, clock)
    finally:
        log.close()


async def test_a_process_reaches_the_hosts_of_its_row_and_no_others(tmp_path: Path) -> None:
    async with roles(tmp_path) as at:
        assert await at.connect() == "allowed"
        assert await at.connect("img.cdn.example") == "allowed"
        assert await at.connect("evil.example") == "not_allowed"
        other = JudgeEgress(role="channel-other", host="api.test.example", port=443)
        assert (await at.egress.judge(other)).verdict == "not_allowed"


async def test_a_port_is_the_rows_and_one_that_is_not_is_named_so_on_record(tmp_path: Path) -> None:
    async with roles(tmp_path) as at:
        assert await at.connect("own.example", port=8448) == "allowed"
        assert await at.connect("own.example") == "port_not_allowed"
        assert await at.connect(port=80) == "allowed"
        assert await at.connect(port=8448) == "port_not_allowed"
        assert ("own.example", "port_not_allowed", 1, 0, 0) in at.uses()


async def test_a_hosts_first_connection_is_a_row_at_once_and_the_rest_one_an_hour(tmp_path: Path) -> None:
    async with roles(tmp_path) as at:
        for _ in range(5):
            await at.connect()
        assert at.uses() == [("api.test.example", "allowed", 1, 0, 0)]
        at.clock.at = relay_limits.RELAY_SUMMARY - 0.1
        await at.connect()
        assert len(at.uses()) == 1
        at.clock.at = relay_limits.RELAY_SUMMARY
        await at.connect()
        assert at.uses()[1:] == [("api.test.example", "allowed", 5, 12, 18), ("api.test.example", "allowed", 1, 0, 0)]
        await at.egress.flush()
        assert at.uses()[3:] == [("api.test.example", "allowed", 0, 2, 3)]
        await at.egress.flush()
        assert len(at.uses()) == 4


async def test_a_flood_of_hosts_is_counted_together(tmp_path: Path) -> None:
    async with roles(tmp_path) as at:
        for number in range(relay_limits.RELAY_USES + 50):
            await at.connect(f"h{number}.example")
        assert len(at.uses()) == relay_limits.RELAY_USES + 1
        assert at.uses()[-1][:3] == ("", "not_allowed", 1)
        await at.egress.flush()
        assert at.uses()[-1] == ("", "not_allowed", 49, 0, 0)


async def test_what_the_relay_found_is_a_row(tmp_path: Path) -> None:
    async with roles(tmp_path) as at:
        assert await at.connect("10.0.0.1", "ip_literal") == "ip_literal"
        assert at.uses() == [("10.0.0.1", "ip_literal", 1, 0, 0)]


async def test_a_name_that_leads_nowhere_ends_there(tmp_path: Path) -> None:
    async with roles(tmp_path) as at:
        ruling = await at.egress.judge(JudgeEgress(role="channel-test", host="api.test.example", port=443))
        await at.egress.reach(ReachEgress(ruling.ticket, "private_address"))
        assert at.uses() == [("api.test.example", "private_address", 1, 0, 0)]
        with pytest.raises(Refused):
            await at.egress.ended(ended(ruling.ticket))


async def test_a_lost_outbound_takes_its_connections_with_it(tmp_path: Path) -> None:
    async with roles(tmp_path) as at:
        ruling = await at.egress.judge(JudgeEgress(role="channel-test", host="api.test.example", port=443))
        at.egress.lost()
        with pytest.raises(Refused):
            await at.egress.reach(ReachEgress(ruling.ticket, "allowed", "93.184.215.14"))


@pytest.mark.parametrize("more", [0, 1])
async def test_a_roles_name_on_record_is_bounded(tmp_path: Path, more: int) -> None:
    async with roles(tmp_path) as at:
        name = "r" * (relay_limits.RELAY_ROLE + more)
        await at.egress.judge(JudgeEgress(role=name, host="api.test.example", port=443, found="allowed"))
        facts = [decode(payload).fact for payload in at.log.rows(OPERATIONS)]
        [use] = [fact for fact in facts if isinstance(fact, RelayUse)]
        assert (use.role == name) == (more == 0)
        assert not more or use.role.endswith("r [1 bytes left out]")
