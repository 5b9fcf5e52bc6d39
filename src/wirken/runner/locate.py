"""Which folder a path of the model's belongs to, and what in it. Text only; the kernel judges the rest."""

from __future__ import annotations

from typing import Final, NamedTuple

from wirken.domain import limits
from wirken.domain.errors import WirkenError
from wirken.domain.events import Outcome
from wirken.domain.shown import READ_ONLY, shown_at
from wirken.runner.bubblewrap import WORKSPACE

_OUTSIDE: Final = "It is outside the workspace, and only files in /workspace can be used."


class FileFailure(WirkenError):
    """A file tool could not do what it was asked; the message is one for the model."""

    def __init__(self, message: str, outcome: Outcome = "failed") -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome


class Located(NamedTuple):
    """A path, as the folder it belongs to and the rest below that folder."""

    folder: str
    """Absolute path in the runner's view."""
    inside: bytes
    """Relative; may still hold `..` and links, which only the kernel can follow safely."""
    named: str
    """The path as the model gave it, for messages."""
    writable: bool


def locate(path: str, workspace: str, read_only: tuple[str, ...]) -> Located:
    """Return where `path` lies: relative to the workspace, or absolute as commands see it (`/workspace/x`).

    Raises `FileFailure` for a path that cannot be one, or that starts outside of every folder shown.
    """
    raw = _encoded(path)
    for folder, shown, writable in (
        (workspace, WORKSPACE, True),
        *((source, place, False) for source, place in shown_at(read_only)),
    ):
        prefix = shown.encode()
        if raw == prefix or raw.startswith(prefix + b"/"):
            return Located(folder, raw[len(prefix) :].strip(b"/") or b".", path, writable)
    if raw.startswith(b"/"):
        known = f" Further folders lie in {READ_ONLY}." if read_only else ""
        raise FileFailure(f"Cannot use {path}. {_OUTSIDE}{known}", "denied")
    return Located(workspace, raw, path, True)


def _encoded(path: str) -> bytes:
    try:
        raw = path.encode()
    except UnicodeEncodeError:
        raise FileFailure("The path holds characters that no file name can have.", "invalid") from None
    if not raw:
        raise FileFailure("The path is empty.", "invalid")
    if b"\0" in raw:
        raise FileFailure("The path holds a NUL byte, which no file name can have.", "invalid")
    if len(raw) >= limits.PATH:
        raise FileFailure(f"The path is longer than {limits.PATH - 1} bytes.", "invalid")
    return raw
