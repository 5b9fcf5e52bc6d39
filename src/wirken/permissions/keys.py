"""The keys of calls: what a question names, what a grant is for, and which may be remembered.

`shell:VERB` for an installed program, `shell:./PATH` for one of the workspace, `file:PATH`, `network:HOST`,
`tool:NAME`, and three that no grant can hold.
"""

from __future__ import annotations

import re
from typing import Final

from wirken.domain.hosts import BadHost, host_name
from wirken.domain.ids import ActionKey
from wirken.permissions import paths
from wirken.permissions.programs.verbs import is_installed, is_ordinary, verb
from wirken.permissions.rules import DESTRUCTIVE, HIGH_RISK, OPAQUE

_SKILL_DIGITS: Final = 16
"""Hex digits of a module's hash in its key: 64 bits, which nobody meets with another module by trying."""

_SKILL: Final = re.compile(rf"wasm_[a-z][a-z0-9_]{{0,47}}@[0-9a-f]{{{_SKILL_DIGITS}}}")

DYNAMIC_KEY: Final = "shell::dynamic:"
"""The key of whatever is not statically certain."""

PIPELINE_KEY: Final = "shell::pipeline:"
"""The key, in the strict profile, of a text that is more than one plain command."""

NOTHING_KEY: Final = "shell::nothing:"
"""The key of a text that runs no program; never stored, so that it is asked for."""


def may_be_remembered(key: str) -> bool:
    """Can a grant for this key be stored? Only keys that are Tier 2 whatever the arguments.

    A path outside the workspace can be remembered if it is written plainly and holds no credential.
    """
    kind, _, name = key.partition(":")
    if kind == "file":
        return paths.is_plain_outside(name)
    if kind == "tool":
        return _SKILL.fullmatch(name) is not None
    return kind == "shell" and is_possible(key) and verb(name) not in _ALWAYS_ASKED


def of_skill(tool: str, sha256: str) -> str:
    """Return the key of a wasm skill: of this module only, so that no grant serves a changed one."""
    return f"tool:{tool}@{sha256[:_SKILL_DIGITS]}"


def may_be_granted(key: str) -> bool:
    """Can a grant answer for this key where the call is Tier 2? Configuration makes hosts and credentials that."""
    return may_be_remembered(key) or is_host(key) or is_credential(key)


def is_possible(key: str) -> bool:
    """Can a call have this key, if it is one of a command? `shell:*` is no key: there are no patterns."""
    kind, _, name = key.partition(":")
    parts = name.removeprefix("./").removeprefix("/").split("/")
    return kind != "shell" or name == ":" or all(is_ordinary(part) and part not in (".", "..", ":") for part in parts)


ANY_CODE: Final = "+code"
"""Ends the key of a program that runs others only with certain options, where one of them stands: what was allowed of
`tar` is not allowed of `tar --to-command`."""


def of_program(name: str, word: str, *, any_code: bool = False) -> str:
    """Return the key of a program named `word` and judged as `name`. `any_code`: an option makes it run others.

    A file of the workspace has its path for a key, so that no grant for an installed program serves it.
    """
    if name in _ALWAYS_ASKED or is_installed(word):
        return f"shell:{name}{ANY_CODE if any_code else ''}"
    inside = paths.relative(word)
    return f"shell:{word if inside is None else './' + inside}"


def of_host(host: str) -> ActionKey:
    """Return the key of a host that a command wants to reach."""
    return ActionKey(f"{_HOST}:{host}")


def of_credential(name: str) -> ActionKey:
    """Return the key of a credential's binding, `[http_credentials.NAME]`."""
    return ActionKey(f"{_CREDENTIAL}:{name}")


def is_credential(key: str) -> bool:
    """Is this the key of a credential's binding?"""
    kind, _, name = key.partition(":")
    return kind == _CREDENTIAL and _NAME.fullmatch(name) is not None


def is_host(key: str) -> bool:
    """Is this the key of a host? It is Tier 2 where the operator chose the network mode `ask`, and only there."""
    kind, _, name = key.partition(":")
    try:
        return kind == _HOST and host_name(name) == name
    except BadHost:
        return False


_HOST: Final = "network"
_CREDENTIAL: Final = "credential"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

_ALWAYS_ASKED: Final = HIGH_RISK | DESTRUCTIVE | OPAQUE
