"""Wasm skills as tools: what is offered of them, and where a call of one runs."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from wirken.domain.actions import CanonicalCall, Place, SandboxKind
from wirken.domain.conversation import ToolSpec
from wirken.gateway.tools.catalogue import Tool, usable_schema
from wirken.skills.loader import Found, Skill


def tools_of(found: Found) -> tuple[dict[str, Tool], tuple[str, ...]]:
    """Return the tools of these skills by name, and a sentence for each that cannot be offered."""
    bad = {skill.tool for skill in found.skills if not usable_schema(skill.manifest.schema)}
    troubles = tuple(f"The parameters of {tool} are no JSON Schema (draft 2020-12)." for tool in sorted(bad))
    tools = {skill.tool: _tool(skill) for skill in found.skills if skill.tool not in bad}
    return tools, (*found.troubles, *troubles)


def _tool(skill: Skill) -> Tool:
    spec = ToolSpec(skill.tool, skill.manifest.description, skill.manifest.schema)
    return Tool(spec, skill.module)


def placed(call: CanonicalCall, tools: Mapping[str, Tool], sandbox: SandboxKind) -> CanonicalCall:
    """Return the call at its skill's own place, which reaches nothing; a call of another tool as it is.

    `sandbox` is the one for commands: without any, no skill runs either.
    """
    tool = tools.get(call.tool)
    if tool is None or tool.module is None:
        return call
    place = Place(workspace="", sandbox="none" if sandbox == "none" else "wasm", module=tool.module)
    return msgspec.structs.replace(call, place=place)
