"""The verdict on one host that a sandbox or a process of ours wants to reach. Pure: grants are asked for elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, assert_never

from wirken.domain.actions import Place
from wirken.domain.egress import Verdict
from wirken.domain.hosts import covers, reaches

Rule: TypeAlias = Literal["none", "allowlist", "open", "ask", "row"]
"""What decided: the network mode of the call's place, or the row of a process of ours."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules alone say. `ask`: a person decides about this host, unless one has."""

    verdict: Verdict | Literal["ask"]
    rule: Rule
    said: str = ""
    """For whoever wanted the connection: one sentence, empty where it is allowed."""


def judge(place: Place, host: str) -> Ruling:
    """Return what the place of a permitted call allows. `host` is in its one spelling (`hosts.host_name`).

    The place is the one that was recorded and shown: a configuration that changed since counts for later calls.
    """
    match place.network:
        case "none":
            return Ruling("mode_none", "none", _NONE)
        case "open":
            return Ruling("allowed", "open")
        case "allowlist" | "ask" if covers(place.hosts, host):
            return Ruling("allowed", "allowlist")
        case "allowlist":
            return Ruling("not_allowed", "allowlist", f"{host} is not on the list of this agent and channel.")
        case "ask":
            return Ruling("ask", "ask")
        case _:
            assert_never(place.network)


def judge_role(row: tuple[str, ...], host: str, port: int) -> Ruling:
    """Return what the row of a process of ours allows: its hosts and nothing else, and nobody is asked."""
    if reaches(row, host, port):
        return Ruling("allowed", "row")
    if any(covers((entry.partition(":")[0],), host) for entry in row):
        return Ruling("port_not_allowed", "row", f"{host} is not reached at port {port} by this process.")
    return Ruling("not_allowed", "row", f"{host} is not among the hosts of this process.")


_NONE: Final = "This sandbox has no network: no mode was set for this agent and channel."
