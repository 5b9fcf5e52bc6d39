"""What a check says, and what a check is."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import msgspec

from wirken.cli.checks.installation import Installation


class Severity(enum.StrEnum):
    """How bad it is. Red alone makes `wirken doctor` exit with 1."""

    OK = "ok"
    INFO = "info"
    """Worth knowing; nothing to do."""
    YELLOW = "yellow"
    """Works, but weaker, slower or not for long."""
    RED = "red"
    """Does not work, or is not safe."""

    @property
    def weight(self) -> int:
        return tuple(Severity).index(self)


class Finding(msgspec.Struct, frozen=True):
    """One thing that was seen. No field holds a secret."""

    severity: Severity
    seen: str
    why: str = ""
    """Why it matters; empty where `seen` says it all."""
    fix: str = ""
    """What to do; a command where there is one."""


Look: TypeAlias = Callable[[Installation], Iterator[Finding]]
Mend: TypeAlias = Callable[[Installation], None]


class Check(NamedTuple):
    """A line of the registry. `look` yields nothing where the check does not apply here.

    `mend` does what `--fix` may do: safe, and no more than the finding's own fix.
    """

    id: str
    about: str
    look: Look
    mend: Mend | None = None


def ok(seen: str) -> Finding:
    return Finding(Severity.OK, seen)


def info(seen: str, why: str = "", fix: str = "") -> Finding:
    return Finding(Severity.INFO, seen, why, fix)


def yellow(seen: str, why: str, fix: str) -> Finding:
    return Finding(Severity.YELLOW, seen, why, fix)


def red(seen: str, why: str, fix: str) -> Finding:
    return Finding(Severity.RED, seen, why, fix)
