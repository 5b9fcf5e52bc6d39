"""The verdict on one call: classify it; then let the gates refuse it, grant, ask or allow.

Pure: what was granted, where the call runs and which programs the machine has are arguments. The same functions
decide for real and explain.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from wirken.domain import shown
from wirken.domain.actions import Allowed, CanonicalCall, Denied, Module, NeedsApproval, Outside, Place, Tier, Verdict
from wirken.domain.ids import ActionKey
from wirken.permissions import keys, paths, profiles
from wirken.permissions.findings import Classified, Judged
from wirken.permissions.keys import may_be_granted
from wirken.permissions.paths import Where
from wirken.permissions.profiles import Profile
from wirken.permissions.programs.verbs import NOTHING_KNOWN, Programs
from wirken.permissions.requests import judge_request

Granted: TypeAlias = Callable[[ActionKey], bool]
"""Is there a live grant for this key, for this agent, principal and channel?"""


Gate: TypeAlias = Callable[[CanonicalCall, Classified], Denied | None]


def decide(judged: Judged, gates: tuple[Gate, ...], granted: Granted) -> Verdict:
    """Return what may happen with a call that was classified (`reach.judged`)."""
    call, found = judged.call, judged.found
    refusal = next((no for gate in gates if (no := gate(call, found)) is not None), None)
    if refusal is not None:
        return refusal
    if found.tier is Tier.ONE:
        return Allowed(found.tier, found.keys, "tier1")
    if found.tier is Tier.TWO and all(may_be_granted(key) and granted(key) for key in found.keys):
        return Allowed(found.tier, found.keys, "grant")
    return NeedsApproval(found.tier, found.keys, found.reasons)


def denial(call: CanonicalCall, tier: Tier) -> str:
    """Return the sentence that tells the model of a refusal."""
    return f"Permission denied: '{call.tool}' requires {tier.value} approval."


def classify(
    call: CanonicalCall,
    profile: Profile = "standard",
    programs: Programs = NOTHING_KNOWN,
    lowered: frozenset[str] = frozenset(),
) -> Classified:
    """Return tier, keys and reasons of a call by its tool. `lowered`: the skills' tools that the operator made Tier 2.

    Never fails: an unknown tool, or arguments that are not the tool's, are Tier 3.
    """
    if call.place.module is not None:
        return _skill(call.tool, call.place.module, lowered)
    match call.tool, _parsed(call.arguments):
        case "read_file" | "list_files", {"path": str(path)}:
            return _file(path, call.place, writing=False)
        case "list_files", {**others} if "path" not in others:
            return _file(".", call.place, writing=False)
        case "write_file", {"path": str(path)}:
            return _file(path, call.place, writing=True)
        case "send_file", {"path": str(path)}:
            return _sent(path, call.place)
        case "exec", {"argv": [_, *_] as argv, **others} if "command" not in others and all(map(_is_text, argv)):
            return profiles.judge_argv(tuple(argv), profile, call.place, programs).classified()
        case "exec", {"command": str(command), **others} if "argv" not in others:
            return profiles.judge_text(command, profile, call.place, programs).classified()
        case "http_request", {"url": str(url), **others}:
            return judge_request(url, str(others.get("method", "GET")), call.place)
        case "web_search", {"query": str()}:
            return Classified(Tier.ONE, (ActionKey("tool:web_search"),))
        case _:
            return Classified(
                Tier.THREE, (ActionKey(f"tool:{call.tool}"),), ("Nothing is known of what this call does.",)
            )


def _sent(path: str, where: Place) -> Classified:
    """Judge a file that is sent to the conversation: what may be read without a question may be said there, too."""
    found = _file(path, where, writing=False)
    if found.tier is not Tier.THREE and paths.is_hidden(path):
        found = replace(found, tier=Tier.THREE, reasons=("It is a hidden file, or lies in a hidden folder.",))
    if found.tier is Tier.ONE:
        return found
    return replace(found, reasons=(*found.reasons, "The whole file goes to this conversation's platform."))


def _skill(tool: str, module: Module, lowered: frozenset[str]) -> Classified:
    key = (ActionKey(keys.of_skill(tool, module.sha256)),)
    if tool in lowered:
        return Classified(Tier.TWO, key, ("It runs a module that sees its input only; a lasting yes is for this one.",))
    return Classified(Tier.THREE, key, ("It runs a skill's module, which sees its input only.",))


def _parsed(arguments: str) -> object:
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _file(path: str, where: Place, *, writing: bool) -> Classified:
    key = (ActionKey(f"file:{path}"),)
    given = None if writing or "\0" in path else shown.given(posixpath.normpath(path), where.read_only)
    if given is not None and not paths.names_credential(given):
        return Classified(Tier.ONE, key)
    place = Where.CREDENTIAL if given is not None else paths.where(path)
    reaches = (Outside(path, writing),) if place is Where.OUTSIDE else ()
    steers = writing and paths.names_steering(path)
    if place is Where.CREDENTIAL or paths.names_credential(path):
        return Classified(Tier.THREE, key, ("The path commonly holds a credential.",), reaches, steers)
    match place:
        case Where.OUTSIDE:
            tier = Tier.THREE if writing else Tier.TWO
            return Classified(tier, key, ("The path lies outside the workspace.",), reaches, steers)
        case Where.STEERING if writing:
            return Classified(Tier.THREE, key, ("This file steers the agent or your own tools.",), steers=steers)
        case _:
            return Classified(Tier.ONE, key)
