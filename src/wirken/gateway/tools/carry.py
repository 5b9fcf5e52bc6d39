"""Hand a permitted call to the runner that has its workspace, and wait for what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from wirken.domain import limits
from wirken.domain.errors import Unavailable
from wirken.gateway.agent.seat import Seat
from wirken.gateway.wings import Wings
from wirken.ipc.calls.runner import Ran, Run, WirePermit
from wirken.record.permit import Permit


@dataclass(frozen=True, slots=True)
class Carrier:
    """Runs calls. It takes a permit, and sends the very bytes that the permit's hash is of."""

    wings: Wings

    async def __call__(self, permit: Permit, seat: Seat) -> Ran:
        """Return what came of the call. Raises `LinkLost` when nobody can say how far it came.

        Cancelling kills the command in its sandbox.
        """
        link = await self.wings.get(seat.runner)
        wire = WirePermit(permit.session, permit.seq, permit.call_sha256)
        try:
            async with asyncio.timeout(limits.EXEC_TIME + limits.EXEC_GRACE):
                return await link.call(Run(wire, permit.call.canonical()), Ran)
        except TimeoutError:
            raise Unavailable("The runner did not answer in time.") from None
