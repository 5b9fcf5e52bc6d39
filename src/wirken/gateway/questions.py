"""What a question to a person shows, made from the rows: so it is the same one after a restart."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from wirken.domain import limits
from wirken.domain.actions import CanonicalCall, Module, NeedsApproval, Outside, Place, Tier
from wirken.domain.events import ApprovalRequested
from wirken.domain.ids import CallId
from wirken.domain.text import clip
from wirken.gateway.sessions import Session
from wirken.gateway.tools.catalogue import HOST, command_line
from wirken.ipc.calls.operator import ApprovalRow, Choice
from wirken.permissions.keys import may_be_granted

_call: Final = msgspec.json.Decoder(CanonicalCall)


class Put(NamedTuple):
    """A question's id, the conversation that is asked, until when quiet hours hold it back and it stays open (ms)."""

    approval: str
    to: str
    held_until: int
    expires: int


def requested(
    session: Session, call_id: CallId, call: CanonicalCall, needs: NeedsApproval, put: Put
) -> ApprovalRequested:
    """Return the row that puts a call before a person."""
    return ApprovalRequested(
        approval=put.approval,
        call_id=call_id,
        call=call.canonical().decode(),
        lease=call.digest(),
        action_keys=needs.keys,
        tier=needs.tier.value,
        reasons=needs.reasons,
        expires=put.expires,
        message_seq=-1 if session.turn is None else session.turn.message_seq,
        put_to=put.to,
        held_until=put.held_until,
    )


def question(session: Session, asked: ApprovalRequested) -> ApprovalRow:
    """Return what surfaces show of a question that is on record."""
    call = _call.decode(asked.call)
    turn = session.turn
    heard = None if turn is None else turn.message
    message, message_cut = clip("" if heard is None else heard.text, limits.QUESTION_TEXT)
    said, said_cut = clip("" if turn is None else turn.said, limits.QUESTION_TEXT)
    return ApprovalRow(
        approval=asked.approval,
        session=session.id,
        call_id=asked.call_id,
        tool=call.tool,
        command=command_line(call),
        call=asked.call,
        lease=asked.lease,
        action_keys=asked.action_keys,
        tier=asked.tier,
        reasons=asked.reasons,
        expires=asked.expires,
        principal=call.principal,
        channel=call.channel,
        sender_name="" if heard is None else heard.sender_name,
        message=message,
        message_cut=message_cut,
        said=said,
        said_cut=said_cut,
        place=reach(call.tool, call.place),
        choices=choices(asked.tier, asked.action_keys),
        put_to=asked.put_to,
        held_until=asked.held_until,
    )


def reach(tool: str, place: Place) -> tuple[str, ...]:
    """Return where a call runs and what it can reach from there, a line each."""
    if tool == HOST:
        return ("from the sandbox of the command that runs now", "this host alone, by a name that is resolved here")
    if place.module is not None and place.sandbox != "none":
        return _module(place.module)
    if tool == "web_search":
        return ("in the outbound process", "can reach: the search engine that is configured")
    if tool == "http_request":
        carries = () if place.credential is None else (f"carries the credential: {place.credential.name}",)
        return ("in the outbound process", "can reach: the host of the request, nothing else", *carries)
    if tool != "exec" and place.module is None:
        further = _outside(place)
        here = ("in the runner, without starting a program", f"can reach: {place.workspace}")
        return (*here, *further, *_steering(place), "nothing else")
    if place.sandbox == "none":
        return ("nowhere: there is no sandbox on this machine",)
    return (
        f"in a sandbox of its own ({place.sandbox})",
        *((f"with the programs of {place.tools}",) if place.tools else ()),
        *((f"may use at most {place.bounds}",) if place.bounds else ()),
        f"can read and write: {place.workspace} (seen as /workspace), and an empty /tmp",
        *(f"can read: {folder}" for folder in place.read_only),
        *_outside(place),
        *_steering(place),
        _network(place),
    )


def _module(module: Module) -> tuple[str, ...]:
    return (
        f"in WebAssembly: the skill {module.skill}, whose module has the SHA-256 {module.sha256}",
        f"at most {module.seconds} s, {module.memory // 2**20} MiB, {module.fuel} units of fuel",
        "can reach: its input, nothing else",
    )


def _outside(place: Place) -> tuple[str, ...]:
    return tuple(line for path in place.outside for line in _doing(path))


def _doing(one: Outside) -> tuple[str, ...]:
    if not one.writable:
        return (f"can read: {one.path}",)
    lines = (f"can read and write: {one.path}",)
    if one.entry not in ("named", "into"):
        return lines
    condition = "" if one.entry == "named" else "where it is no folder, "
    return (*lines, f"{condition}can make, move and remove it, so that new names can be written in: {one.above}")


def _steering(place: Place) -> tuple[str, ...]:
    return ("can write files there that steer the agent or your own tools, such as .git",) if place.steering else ()


def _network(place: Place) -> str:
    match place.network:
        case "none":
            return "can reach no network"
        case "open":
            return "can reach every public host"
        case "allowlist":
            return f"can reach these hosts only: {', '.join(place.hosts) or 'none'}"
        case "ask":
            return f"can reach these hosts, and asks for each other: {', '.join(place.hosts) or 'none'}"


def choices(tier: str, keys: tuple[str, ...]) -> tuple[Choice, ...]:
    """Return the answers to offer: remembering only where a grant may be stored for each of the call's keys."""
    remembered = tier == Tier.TWO and bool(keys) and all(map(may_be_granted, keys))
    return ("once", "session", "30d", "deny") if remembered else ("once", "deny")
