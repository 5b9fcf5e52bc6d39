"""Hand a permitted call to the process that carries it out, and wait for what came of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import msgspec

from wirken.domain import limits, request_limits
from wirken.domain.actions import CanonicalCall
from wirken.domain.errors import Unavailable
from wirken.domain.ids import RoleName
from wirken.domain.text import brief, clean
from wirken.gateway.agent.model import OUTBOUND
from wirken.gateway.agent.seat import Seat
from wirken.gateway.egress.calls import CallEgress
from wirken.gateway.posting import Posting
from wirken.gateway.reaching import NotReached, Reaches
from wirken.gateway.tools.catalogue import IN_OUTBOUND, SEND_FILE
from wirken.gateway.wings import Wings
from wirken.ipc.calls.outbound import Perform
from wirken.ipc.calls.runner import Ran, Run, WirePermit
from wirken.permissions.reach import not_given
from wirken.record.permit import Permit


@dataclass(frozen=True, slots=True)
class Carrier:
    """Runs calls. It takes a permit, and sends the very bytes that the permit's hash is of.

    A call that reaches outside of its workspace gets a runner of its own from `reaches`; `egress` judges what it
    connects to.
    """

    wings: Wings
    reaches: Reaches
    egress: CallEgress
    post: Posting

    async def __call__(self, permit: Permit, seat: Seat) -> Ran:
        """Return what came of the call. Raises `LinkLost` when nobody can say how far it came.

        Cancelling kills the command in its sandbox.
        """
        async with self.egress.during(permit, seat) as running:
            return running.noted(_explained(permit.call, await self._placed(permit, seat)))

    async def _placed(self, permit: Permit, seat: Seat) -> Ran:
        place = permit.call.place
        if permit.call.tool in IN_OUTBOUND:
            return await self._performed(permit, seat)
        if not place.outside:
            return await self._carried(permit, seat.runner)
        try:
            async with self.reaches.runner(place) as runner:
                return await self._carried(permit, runner)
        except NotReached as error:
            return Ran(outcome="denied", output=f"Not run: {error} {error.advice}".rstrip())

    async def _performed(self, permit: Permit, seat: Seat) -> Ran:
        """A person may be asked about each redirect, as often as one is followed."""
        link = await self.wings.get(OUTBOUND)
        asking = seat.patience * request_limits.REDIRECTS if seat.interactive else 0.0
        try:
            async with asyncio.timeout(request_limits.REQUEST_TIME * (request_limits.REDIRECTS + 2) + asking):
                return _bounded(await link.call(Perform(_wire(permit), permit.call.canonical()), Ran))
        except TimeoutError:
            raise Unavailable("The outbound process did not answer in time.") from None

    async def _carried(self, permit: Permit, runner: RoleName) -> Ran:
        link = await self.wings.get(runner)
        question = Run(_wire(permit), permit.call.canonical())
        try:
            async with asyncio.timeout(limits.EXEC_TIME + limits.EXEC_GRACE):
                if permit.call.tool != SEND_FILE:
                    return _bounded(await link.call(question, Ran))
                ran, files = await link.fetch(question, Ran)
        except TimeoutError:
            raise Unavailable("The runner did not answer in time.") from None
        with files:
            if ran.outcome != "ok" or len(files) != 1:
                return _bounded(ran)
            return await self._posted(permit, files.handles[0], ran)

    async def _posted(self, permit: Permit, handle: int, ran: Ran) -> Ran:
        """Send what the runner gave; the time counts from when it was asked."""
        arguments = json.loads(permit.call.arguments)
        started = asyncio.get_running_loop().time()
        sent = await self.post(permit, arguments["path"], arguments.get("caption", ""), handle)
        took = int((asyncio.get_running_loop().time() - started) * 1000)
        return msgspec.structs.replace(sent, duration_ms=_counted(ran.duration_ms) + took)


def _explained(call: CanonicalCall, ran: Ran) -> Ran:
    """Say of a command that failed which paths outside it did not get: in there, they look as if they were missing."""
    missing = not_given(call) if ran.outcome == "failed" else ()
    if not missing:
        return ran
    listed = ", ".join(map(brief, missing[: limits.REASONS]))
    said = (
        f"[not shown to it: {listed}. A path outside the workspace is given where it is written whole, without wildcard"
        f" or variable, and lies in what the operator opened; at most {limits.OUTSIDE_PATHS} for one call]"
    )
    return msgspec.structs.replace(ran, output=f"{ran.output.rstrip()}\n{said}".lstrip())


def _wire(permit: Permit) -> WirePermit:
    return WirePermit(permit.session, permit.seq, permit.call_sha256)


def _bounded(ran: Ran) -> Ran:
    """Return what the runner says, as far as a row can hold it; the output is cut where it is recorded."""
    return msgspec.structs.replace(
        ran,
        ended_by=clean(ran.ended_by)[: limits.ENDED_BY],
        exit_code=None if ran.exit_code is None else _counted(ran.exit_code),
        truncated_bytes=_counted(ran.truncated_bytes),
        duration_ms=_counted(ran.duration_ms),
    )


def _counted(number: int) -> int:
    most = limits.ROW_NUMBER // 2  # so that a sum of two still fits
    return max(-most, min(number, most))
