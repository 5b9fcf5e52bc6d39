"""Puts together what judges connections."""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

from wirken.config.model import Config
from wirken.domain.clock import Clock
from wirken.gateway.egress.calls import CallEgress
from wirken.gateway.egress.hosts import Hosts
from wirken.gateway.egress.peer import OutboundPeer
from wirken.gateway.egress.redirects import Redirects, Rules
from wirken.gateway.egress.roles import RoleEgress
from wirken.gateway.log import AuditLog
from wirken.gateway.sessions import Sessions
from wirken.gateway.store import StateStore
from wirken.gateway.wings import Wings


class Egress(NamedTuple):
    """Connections of permitted calls, and those of our own processes."""

    calls: CallEgress
    roles: RoleEgress

    def peer(self) -> OutboundPeer:
        """Return what stands behind a link to outbound."""
        return OutboundPeer(self.calls.wings, self.calls, self.roles)


def put_together(
    config: Config, log: AuditLog, clock: Clock, wings: Wings, sessions: Sessions, rules: Rules, store: StateStore
) -> Egress:
    """Return the parts; tickets of both have numbers of one row."""
    numbers = itertools.count(1)
    hosts = functools.partial(Hosts, asks=rules.asks, store=store, clock=clock)
    return Egress(
        CallEgress(wings, sessions.get, hosts, functools.partial(Redirects, rules), numbers),
        RoleEgress(config.hosts_of, log, clock, numbers),
    )
