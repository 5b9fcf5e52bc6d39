"""Refusals that no approval lifts: small pure functions, tried in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wirken.domain import limits, shown
from wirken.domain.actions import CanonicalCall, Denied
from wirken.permissions.budget import State
from wirken.permissions.decide import Gate, denial
from wirken.permissions.findings import Classified
from wirken.permissions.policy import ToolRules, objection
from wirken.permissions.requests import fault, off_the_list


def outside_workspace(call: CanonicalCall, found: Classified) -> Denied | None:
    """A file tool reaches its workspace, and what its place names besides; asking for more would be for nothing."""
    if call.tool == "exec" or set(found.reaches) <= set(call.place.outside):
        return None
    if any(shown.given(path.path, call.place.read_only) is not None for path in found.reaches):
        said = "This folder was given for reading only."
        return _refused(call, found, "outside_workspace", said, "open the folder itself with `reach` under [sandbox]")
    said = "The path lies outside the workspace, and not plainly below a folder that the operator opened."
    return _refused(call, found, "outside_workspace", said, "open a folder around it with `reach` under [sandbox]")


def no_sandbox(call: CanonicalCall, found: Classified) -> Denied | None:
    """Without a sandbox neither a command nor a skill's module runs, whoever would approve it."""
    if (call.tool != "exec" and call.place.module is None) or call.place.sandbox != "none":
        return None
    said = f"{denial(call, found.tier)} There is no sandbox on this machine, so no command is run."
    return Denied(found.tier, found.keys, "no_sandbox", said)


def no_address(call: CanonicalCall, found: Classified) -> Denied | None:
    """A request goes to a host's name, and to none besides the operator's list where there is one and no question."""
    if call.tool != "http_request":
        return None
    if (wrong := fault(call)) is not None:
        return _refused(call, found, *wrong, "do nothing about it")
    if host := off_the_list(call, found):
        said = f"{host} is not on the list of this agent and channel."
        return _refused(call, found, "not_allowed", said, f"add it to [agents.{call.agent}.egress.{call.channel}]")
    return None


GATES: Final[tuple[Gate, ...]] = (outside_workspace, no_sandbox, no_address)
"""The gates that depend on the call alone."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the other gates judge by, as it is at the moment of the call."""

    policy: tuple[ToolRules, ...]
    too_fast: str
    """Why this call comes too early, as a sentence; empty where it does not."""
    spent: State | None
    """The budget for tool calls that is used up, if one is."""
    depth: int = 0
    """Levels of delegation between the person's agent and the one that calls."""
    ceilings: tuple[ToolRules, ...] = ()
    """What each agent above this one may use: a sub-agent never has more than those who made it."""


def gates(now: Snapshot) -> tuple[Gate, ...]:
    """Return the gates of one call, in the order in which they are asked."""
    return (policy(now.policy), ceiling(now.depth, now.ceilings), *GATES, rate(now.too_fast), budget(now.spent))


def policy(rules: tuple[ToolRules, ...]) -> Gate:
    """What the operator's and the organisation's lists forbid."""

    def gate(call: CanonicalCall, found: Classified) -> Denied | None:
        no = objection(call.tool, rules)
        return None if no is None else _refused(call, found, no.rule, no.said, no.remedy)

    return gate


def ceiling(depth: int, above: tuple[ToolRules, ...]) -> Gate:
    """What a sub-agent may not, because its depth or an agent above it sets the limit."""

    def gate(call: CanonicalCall, found: Classified) -> Denied | None:
        if depth > limits.SUBAGENT_DEPTH:
            said = f"This agent is {depth} levels below the person's, and {limits.SUBAGENT_DEPTH} are allowed."
            return _refused(call, found, "ceiling:depth", said, "ask the agent above to do it")
        no = objection(call.tool, above)
        return None if no is None else _refused(call, found, "ceiling:tools", no.said, no.remedy)

    return gate


def rate(too_fast: str) -> Gate:
    """What comes faster than it may."""

    def gate(call: CanonicalCall, found: Classified) -> Denied | None:
        return _refused(call, found, "rate_limit", too_fast, "raise it under [limits]") if too_fast else None

    return gate


def budget(spent: State | None) -> Gate:
    """What a spent budget stops."""

    def gate(call: CanonicalCall, found: Classified) -> Denied | None:
        if spent is None:
            return None
        name = spent.subject.budget
        return _refused(call, found, f"budget:{name}", spent.said, f"raise it under [budgets.{name}]")

    return gate


def _refused(call: CanonicalCall, found: Classified, rule: str, said: str, remedy: str) -> Denied:
    """No approval lifts these, so the sentence does not speak of one: it names the rule and who could change it."""
    text = (
        f"Permission denied: '{call.tool}' was refused by rule '{rule}'. {said} "
        f"No approval lifts this; the operator of this Wirken could {remedy}."
    )
    return Denied(found.tier, found.keys, rule, text)


def refuse_everything(call: CanonicalCall, found: Classified) -> Denied | None:
    """The gate of a replay: nothing runs again."""
    return Denied(found.tier, found.keys, "replay", denial(call, found.tier))
