"""Which kind of place a path names, judged by its text; the kernel holds the border when it is opened."""

from __future__ import annotations

import enum
import posixpath

from wirken.permissions import rules

SANDBOX_ROOT = "/workspace"
"""Where a command sees its workspace; the file tools take it as another name of the workspace."""


class Where(enum.Enum):
    """How a path is judged. The order of checks: outside, credential, steering, inside."""

    INSIDE = "inside"
    STEERING = "steering"
    CREDENTIAL = "credential"
    OUTSIDE = "outside"


def where(path: str) -> Where:
    """Return what `path`, as a model words it, names."""
    inside = relative(path)
    if inside is None:
        return Where.OUTSIDE
    parts = inside.casefold().split("/")
    if any(_holds_credential(part) for part in parts):
        return Where.CREDENTIAL
    if parts[-1] in rules.STEERING_FILES or any(part in rules.STEERING_FOLDERS for part in parts):
        return Where.STEERING
    return Where.INSIDE


def relative(path: str) -> str | None:
    """Return the path relative to the workspace, without dots; None where it leaves it or holds a NUL."""
    if "\0" in path:
        return None
    if path.startswith("/"):
        clean = posixpath.normpath(path)
        if clean == SANDBOX_ROOT:
            return "."
        if not clean.startswith(SANDBOX_ROOT + "/"):
            return None
        return clean[len(SANDBOX_ROOT) + 1 :]
    clean = posixpath.normpath(path or ".")
    return None if clean == ".." or clean.startswith("../") else clean


def _holds_credential(part: str) -> bool:
    return part in rules.CREDENTIAL_NAMES or part.startswith(".env.") or part.endswith(rules.CREDENTIAL_ENDINGS)
