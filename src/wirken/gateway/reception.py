"""Who stands behind each link: a receiver for every role that has business here, and what a new link is asked first."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final

from wirken.domain import pace_limits
from wirken.domain.errors import ProtocolError, WirkenError
from wirken.domain.ids import BadIdentifier, ChannelId, RoleName
from wirken.domain.people import platform
from wirken.gateway.agent.model import OUTBOUND
from wirken.gateway.approvals import Approvals
from wirken.gateway.connection import ChannelPeer, attach
from wirken.gateway.deliveries import Deliveries
from wirken.gateway.desk import Desk
from wirken.gateway.door import OPERATOR
from wirken.gateway.egress.parts import Egress
from wirken.gateway.hub import Hub
from wirken.gateway.intake import Intake
from wirken.gateway.people import People
from wirken.gateway.router import RUNNER
from wirken.gateway.spoken import Spoken
from wirken.gateway.surfaces import SurfacePeer, WingPeer, surface_peer
from wirken.gateway.wings import Wings
from wirken.ipc.calls.runner import SandboxReport, SandboxStatus
from wirken.ipc.link import Link, Receiver
from wirken.ipc.pace import Pace

_log: Final = logging.getLogger("wirken.gateway")
WEB: Final = RoleName("web")
CHANNEL: Final = "channel"
_SWITCHED_OFF: Final = SandboxReport(
    kind="none",
    limits="",
    reason="sandbox.mode is off in config.toml, so no command is run.",
    fix="Set sandbox.mode to 'auto' and start again.",
)
UNKNOWN: Final = SandboxReport(kind="none", limits="", reason="The runner has not reported yet.", fix="")


@dataclass(slots=True)
class Reception:
    """`sandbox_off`: the configuration wants no commands, whatever the runner could do."""

    hub: Hub
    intake: Intake
    people: People
    approvals: Approvals
    spoken: Spoken
    deliveries: Deliveries
    desk: Desk
    wings: Wings
    egress: Egress
    sandbox_off: bool
    _paces: dict[ChannelId, Pace] = field(default_factory=dict)
    """Of every channel, so that a new connection is no new beginning."""

    def receiver_for(self, role: RoleName) -> Receiver:
        """Return what stands behind a link of `role`. Raises `ProtocolError` for one that has no business here."""
        if role in (OPERATOR, WEB):
            return surface_peer(self.hub, self.intake, self.desk, self.spoken, operator=role == OPERATOR)
        if role == OUTBOUND:
            return self.egress.peer()
        if role.partition("-")[0] == RUNNER:
            return WingPeer(self.wings)
        channel = channel_of(role)
        pace = self._paces.setdefault(channel, Pace(pace_limits.CHANNEL_FRAMES, pace_limits.CHANNEL_BURST))
        return ChannelPeer(
            channel, self.hub, self.intake, self.people, self.approvals, self.spoken, self.deliveries, pace
        )

    async def welcome(self, link: Link) -> None:
        """Make a new link known to those who wait for it."""
        if isinstance(link.receiver, SurfacePeer | ChannelPeer):
            attach(link.receiver, link)
            return
        if link.peer == RUNNER:
            await self._look_at_sandbox(link)
        await self.wings.arrived(link.peer, link)

    async def runner_known(self) -> None:
        """Return once the runner has said what it can do, or did not come up."""
        if self.desk.sandbox is UNKNOWN:
            try:
                await self.wings.get(RUNNER)
            except WirkenError as error:
                _log.warning("going on without a runner: %s", error)

    async def _look_at_sandbox(self, link: Link) -> None:
        try:
            report = await link.call(SandboxStatus(), SandboxReport)
        except WirkenError as error:
            report = SandboxReport(kind="none", limits="", reason=str(error), fix=error.advice)
        if self.sandbox_off:
            report = _SWITCHED_OFF
        self.desk.sandbox = report
        self.intake.router.sandbox, self.intake.router.bounds = report.kind, report.bounds


def channel_of(role: RoleName) -> ChannelId:
    """Return the channel that a proven role `channel-<name>` speaks for. Raises `ProtocolError`."""
    kind, _, name = role.partition("-")
    try:
        if kind != CHANNEL:
            raise BadIdentifier("This is no channel's role.")
        return platform(name)
    except BadIdentifier:
        raise ProtocolError("This role has no business at the gateway.") from None
