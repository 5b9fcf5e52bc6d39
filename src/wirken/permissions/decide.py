"""The verdict on one call: classify it, let the gates refuse it, then grant, ask or allow.

Pure: what was granted and where the call runs are arguments. The same functions decide for real and explain.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from wirken.domain.actions import Allowed, CanonicalCall, Denied, NeedsApproval, Tier, Verdict
from wirken.domain.ids import ActionKey
from wirken.permissions import paths, rules, shell
from wirken.permissions.paths import Where

Granted: TypeAlias = Callable[[ActionKey], bool]
"""Is there a live grant for this key, for this agent, principal and channel?"""


@dataclass(frozen=True, slots=True)
class Classified:
    """What a call touches: its tier, its keys, and why it needs asking, as sentences for a person."""

    tier: Tier
    keys: tuple[ActionKey, ...]
    reasons: tuple[str, ...] = ()
    outside: bool = False


Gate: TypeAlias = Callable[[CanonicalCall, Classified], Denied | None]


def decide(call: CanonicalCall, gates: tuple[Gate, ...], granted: Granted) -> Verdict:
    """Return what may happen with `call`, whose arguments passed their tool's schema."""
    found = classify(call)
    refusal = next((no for gate in gates if (no := gate(call, found)) is not None), None)
    if refusal is not None:
        return refusal
    if found.tier is Tier.ONE:
        return Allowed(found.tier, found.keys, "tier1")
    if found.tier is Tier.TWO and all(granted(key) for key in found.keys):
        return Allowed(found.tier, found.keys, "grant")
    return NeedsApproval(found.tier, found.keys, found.reasons)


def denial(call: CanonicalCall, tier: Tier) -> str:
    """Return the sentence that tells the model of a refusal."""
    return f"Permission denied: '{call.tool}' requires {tier.value} approval."


def classify(call: CanonicalCall) -> Classified:
    """Return tier, keys and reasons of a call by its tool; an unknown tool is Tier 3."""
    arguments = json.loads(call.arguments)
    match call.tool:
        case "read_file" | "list_files":
            return _file(str(arguments.get("path", ".")), writing=False)
        case "write_file":
            return _file(str(arguments["path"]), writing=True)
        case "exec" if "argv" in arguments:
            return _program(tuple(map(str, arguments["argv"])))
        case "exec":
            return _command(str(arguments["command"]))
        case _:
            return Classified(
                Tier.THREE, (ActionKey(f"tool:{call.tool}"),), ("Nothing is known of what this tool does.",)
            )


def _file(path: str, *, writing: bool) -> Classified:
    key = (ActionKey(f"file:{path}"),)
    match paths.where(path):
        case Where.OUTSIDE:
            return Classified(Tier.TWO, key, ("The path lies outside the workspace.",), outside=True)
        case Where.CREDENTIAL:
            return Classified(Tier.THREE, key, ("The path commonly holds a credential.",))
        case Where.STEERING if writing:
            return Classified(Tier.THREE, key, ("This file steers the agent or your own tools.",))
        case _:
            return Classified(Tier.ONE, key)


def _command(text: str) -> Classified:
    words = shell.words(text)
    if words is None:
        return Classified(Tier.THREE, (ActionKey(rules.DYNAMIC_KEY),), (_NOT_PLAIN,))
    return _program(words)


def _program(argv: tuple[str, ...]) -> Classified:
    name = shell.verb(argv[0])
    key = (ActionKey(f"shell:{name}"),)
    if name in rules.HIGH_RISK:
        return Classified(Tier.THREE, key, (f"`{name}` is on the list of high-risk commands.",))
    if name in rules.DESTRUCTIVE:
        return Classified(Tier.THREE, key, (f"`{name}` removes or overwrites.",))
    if name in rules.OPENS_OTHERS or not _ordinary(name):
        return Classified(Tier.THREE, (ActionKey(rules.DYNAMIC_KEY), *key), (_OPENS.format(name),))
    if any(paths.where(word) is Where.CREDENTIAL for word in argv[1:]):
        return Classified(Tier.THREE, key, ("An argument names what commonly holds a credential.",))
    if any(_steers(word) for word in argv[1:]) and name not in _ONLY_READS:
        return Classified(Tier.THREE, key, ("An argument names a file that steers the agent or your tools.",))
    if name in rules.INTERPRETERS:
        return Classified(Tier.TWO, key, (f"`{name}` can run any code; your yes covers any code in that sandbox.",))
    return Classified(Tier.TWO, key, (f"`{name}` runs in the sandbox, with the workspace writable.",))


def _steers(word: str) -> bool:
    return paths.where(word.rsplit("=", 1)[-1]) is Where.STEERING


def _ordinary(name: str) -> bool:
    return bool(name) and name.isascii() and all(character.isalnum() or character in "._+-" for character in name)


_ONLY_READS: Final = frozenset("ls cat head tail grep diff cmp stat file wc tree readlink realpath".split())
_NOT_PLAIN: Final = "What this command would run cannot be read off its text."
_OPENS: Final = "`{}` runs another program, which cannot be read off its arguments."
