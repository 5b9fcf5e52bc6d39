"""The requests of one permitted call: each is judged, and on record with its addresses, before a byte leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from wirken.domain import relay_limits
from wirken.domain.egress import Ending, Verdict
from wirken.ipc.calls.egress import Caller, EndedEgress, JudgeEgress, ReachEgress, Redirect
from wirken.ipc.calls.runner import WirePermit
from wirken.outbound.fetching import Answer, Fetch, FetchFailed, Wanted
from wirken.outbound.relay import Judge
from wirken.outbound.resolve import Address, PrivateAddress, ResolutionFailed

ROLE = "outbound"

Leads = Callable[[], Awaitable[Sequence[Address]]]
"""Returns the addresses that a host may be reached at. Raises `ResolutionFailed`, `PrivateAddress`."""


class NotAllowed(FetchFailed):
    """The gateway's no to a connection; the sentence is the gateway's."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """`judge` is the gateway; `tool` is what wants the connections."""

    judge: Judge
    permit: WirePermit
    tool: str
    fetch: Fetch

    async def allowed(self, host: str, port: int, redirect: Redirect | None = None) -> int:
        """Return the ticket of a connection that may be. Raises `NotAllowed`, what the judge raises."""
        caller = Caller(self.permit, self.tool)
        asked = JudgeEgress(role=ROLE, host=host, port=port, caller=caller, redirect=redirect)
        ruling = await self.judge.judge(asked)
        if ruling.verdict != "allowed":
            raise NotAllowed(ruling.said)
        return ruling.ticket

    async def made(self, ticket: int, wanted: Wanted, leads: Leads) -> Answer:
        """Make one request, whose addresses are found here. Raises what judge, resolver and `fetch` raise."""
        try:
            addresses = await leads()
        except (ResolutionFailed, PrivateAddress) as error:
            found: Verdict = "resolution_failed" if isinstance(error, ResolutionFailed) else "private_address"
            await self.judge.reach(ReachEgress(ticket, found))
            raise
        tried = " ".join(str(address) for address in addresses[: relay_limits.REACH_TRIES])
        await self.judge.reach(ReachEgress(ticket, "allowed", tried))
        return await self._fetched(ticket, replace(wanted, addresses=addresses))

    async def _fetched(self, ticket: int, wanted: Wanted) -> Answer:
        """Make the request; whatever comes of it, say at the end what passed."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        answer, ending = None, _BROKEN
        try:
            answer = await self.fetch(wanted)
            ending = "closed"
        except asyncio.CancelledError:
            ending = "stopped"
            raise
        finally:
            said = EndedEgress(
                ticket=ticket,
                address="" if answer is None else answer.address,
                bytes_up=_size(wanted.headers) + len(wanted.path) + len(wanted.body),
                bytes_down=0 if answer is None else len(answer.body) + _head(answer),
                duration_ms=int((loop.time() - started) * 1000),
                ended=ending,
            )
            await asyncio.shield(self.judge.ended(said))
        return answer


_BROKEN: Ending = "broken"


def _size(fields: Sequence[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in fields)


def _head(answer: Answer) -> int:
    return sum(len(name) + len(value) for name, value in answer.headers.items())
