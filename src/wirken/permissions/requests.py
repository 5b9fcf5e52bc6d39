"""What a request of a tool's touches: one host, and perhaps a credential that the operator bound to it."""

from __future__ import annotations

import json

from wirken.domain.actions import CanonicalCall, Place, Tier
from wirken.domain.egress import Verdict
from wirken.domain.errors import UsageError
from wirken.domain.hosts import IpLiteral, covers
from wirken.domain.ids import ActionKey
from wirken.domain.urls import BadPort, target
from wirken.permissions import keys
from wirken.permissions.findings import Classified

READS = frozenset({"GET", "HEAD"})
"""Methods that change nothing at the other end (RFC 9110, 9.2.1), though they tell it what stands in their address."""


def judge_request(url: str, method: str, place: Place) -> Classified:
    """Return what a request does. A new host is Tier 3; the operator's network mode and list make hosts Tier 2."""
    try:
        wanted = target(url)
    except UsageError as error:
        return Classified(Tier.THREE, (ActionKey("network:"),), (str(error),))
    known = covers(place.hosts, wanted.host)
    reasons = [f"It sends a {method} to {wanted.host}."]
    tier = Tier.THREE
    if known or (place.network in ("ask", "open") and method in READS):
        tier = Tier.TWO
    elif method not in READS and place.network in ("ask", "open"):
        reasons.append("It may change something there, and this host is on no list of yours.")
    if wanted.scheme == "http":
        tier = Tier.THREE
        reasons.append("Others on the way can read it and change it: it goes without TLS.")
    found = [keys.of_host(wanted.host)]
    if place.credential is not None:
        found.append(keys.of_credential(place.credential.name))
        reasons.append(f"It carries the credential {place.credential.name}.")
        if place.credential.tier == "tier3":
            tier = Tier.THREE
    return Classified(tier, tuple(found), tuple(reasons))


def off_the_list(call: CanonicalCall, found: Classified) -> str:
    """Return the host that a request wants and the network mode `allowlist` does not name; empty if there is none."""
    if call.place.network != "allowlist":
        return ""
    wanted = [key.partition(":")[2] for key in found.keys if keys.is_host(key)]
    return next((host for host in wanted if not covers(call.place.hosts, host)), "")


def fault(call: CanonicalCall) -> tuple[Verdict, str] | None:
    """Return why a request goes to no host's name at its scheme's port: verdict and sentence; None if it does."""
    try:
        target(json.loads(call.arguments)["url"])
    except IpLiteral as error:
        return "ip_literal", str(error)
    except BadPort as error:
        return "port_not_allowed", str(error)
    except UsageError as error:
        return "malformed", str(error)
    except (ValueError, TypeError, KeyError, RecursionError):
        return "malformed", "The arguments name no address."
    return None
