"""Which tools a policy lets anyone use: lists of names, of which the narrower and the denying win."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

Patterns: TypeAlias = tuple[str, ...]
"""Tool names; one that ends in `*` stands for every name that begins with the rest."""


@dataclass(frozen=True, slots=True)
class ToolRules:
    """One source of rules. `allowed` None: every tool that is not blocked. `source` tells a person where it stands."""

    source: str
    allowed: Patterns | None = None
    blocked: Patterns = ()
    trouble: str = ""
    """Why it could not be read; then no tool may be used."""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a tool may not be used: the rule's name, a sentence, and what a person could do about it."""

    rule: str
    said: str
    remedy: str


def objection(tool: str, sources: Iterable[ToolRules]) -> Objection | None:
    """Return what forbids `tool`, or None. Every source must allow it; unreadable ones come first, then blocks."""
    listed = tuple(sources)
    for check in (_unreadable, _blocked, _not_allowed):
        for source in listed:
            found = check(tool, source)
            if found is not None:
                return found
    return None


def matches(tool: str, pattern: str) -> bool:
    """Does the pattern stand for this tool? Letter case counts."""
    return tool.startswith(pattern[:-1]) if pattern.endswith("*") else tool == pattern


def _unreadable(tool: str, source: ToolRules) -> Objection | None:
    if not source.trouble:
        return None
    said = f"The policy in {source.source} could not be used, so no tool is allowed. {source.trouble}"
    return Objection("policy:unreadable", said, f"correct {source.source} and restart `wirken run`")


def _blocked(tool: str, source: ToolRules) -> Objection | None:
    """Letter case does not count here: a block that is misspelt so must not be a hole."""
    name = tool.casefold()
    pattern = next((one for one in source.blocked if matches(name, one.casefold())), None)
    if pattern is None:
        return None
    said = f"The policy blocks this tool ('{pattern}' in blocked_tools of {source.source})."
    return Objection("policy:blocked_tools", said, f"take '{pattern}' out of blocked_tools in {source.source}")


def _not_allowed(tool: str, source: ToolRules) -> Objection | None:
    if source.allowed is None or any(matches(tool, one) for one in source.allowed):
        return None
    said = f"The policy allows only the tools in allowed_tools of {source.source}, and this is none of them."
    return Objection("policy:allowed_tools", said, f"add '{tool}' to allowed_tools in {source.source}")
