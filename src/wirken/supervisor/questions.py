"""What may be asked on the supervisor's socket: JSON, one object a line, each answered by one line. Pure.

    {"ask": "status"}   -> {"ok": true, "pid": …, "children": [{…}, …], …}
    {"ask": "stop"}     -> {"ok": true}, and the connection ends with the supervisor
    {"ask": "hold"}     -> {"ok": true}; an ephemeral supervisor lives while this connection does
    {"ask": "workspace", "path": …, "read_only": […]}
                        -> {"ok": true, "role": "runner-1"} once that runner is ready; it lives as long as
                           this connection
    {"ask": "reload", "plan": {…}}
                        -> {"ok": true} once it has begun: gateway, outbound and the adapters that the plan changes
                           are stopped in order and started anew; `status` shows when they are ready
    {"ask": "renew", "role": "channel-telegram"}
                        -> {"ok": true} once it has begun: that adapter alone is stopped and started anew

A refusal is {"ok": false, "error": sentence, "hint": next step}.

The gateway has a line of its own, on which it may say two things; each answer repeats the number:

    {"ask": "reach", "id": n, "workspace": path, "outside": [[path, writable, entry], …]}
                        -> {"ok": true, "id": n, "role": "runner-2"} once a runner that sees these is ready
    {"ask": "leave", "role": "runner-2"}
                        -> no answer; that runner ends. All of them end with the gateway.
"""

from __future__ import annotations

import json
from typing import NamedTuple, TypeAlias

from wirken.domain import limits
from wirken.domain.errors import ProtocolError


class BadQuestion(ProtocolError):
    """Somebody asked the supervisor something it does not understand."""


class Status(NamedTuple):
    """Who runs, and how."""


class Stop(NamedTuple):
    """Stop everything."""


class Hold(NamedTuple):
    """Keep an ephemeral supervisor alive while this connection lives."""


class Workspace(NamedTuple):
    """Start a further runner that sees another workspace."""

    path: str
    read_only: tuple[str, ...]


class Reload(NamedTuple):
    """Go on with another plan, of which only channels may differ."""

    plan: bytes


class Renew(NamedTuple):
    """Start one adapter anew: its token is another."""

    role: str


Question: TypeAlias = Status | Stop | Hold | Workspace | Reload | Renew


class Reach(NamedTuple):
    """Start a further runner that sees one of the workspaces and single paths outside of it."""

    id: int
    workspace: str
    outside: tuple[tuple[str, bool, str], ...]
    """Absolute paths, whether each may be written, and what that asks of its name (`domain.actions.Entry`)."""


class Leave(NamedTuple):
    """End a runner that `Reach` started."""

    role: str


GatewayQuestion: TypeAlias = Reach | Leave


def parse(line: bytes) -> Question:
    """Return the operator's question in a line. Raises `BadQuestion`."""
    match _tree(line):
        case {"ask": "status", **rest} if not rest:
            return Status()
        case {"ask": "stop", **rest} if not rest:
            return Stop()
        case {"ask": "hold", **rest} if not rest:
            return Hold()
        case {"ask": "workspace", "path": str(path), "read_only": list(folders), **rest} if not rest:
            if all(isinstance(folder, str) and _is_name(folder) for folder in (path, *folders)):
                return Workspace(path, tuple(folders))
        case {"ask": "reload", "plan": dict(plan), **rest} if not rest:
            return Reload(json.dumps(plan).encode())
        case {"ask": "renew", "role": str(role), **rest} if not rest:
            return Renew(role)
    raise BadQuestion("The supervisor does not know this question.")


def parse_gateway(line: bytes) -> GatewayQuestion:
    """Return the gateway's question in a line. Raises `BadQuestion`."""
    match _tree(line):
        case {"ask": "leave", "role": str(role), **rest} if not rest:
            return Leave(role)
        case {"ask": "reach", "id": int(number), "workspace": str(workspace), "outside": list(listed), **rest}:
            outside = tuple(_outside(entry) for entry in listed)
            if not rest and _is_name(workspace) and 0 < len(outside) <= limits.OUTSIDE_PATHS:
                return Reach(number, workspace, outside)
    raise BadQuestion("The supervisor does not know this question.")


def _outside(listed: object) -> tuple[str, bool, str]:
    match listed:
        case [str(path), bool(writable), "" | "there" | "into" | "named" as entry] if _is_name(path):
            return path, writable, entry
    raise BadQuestion("The supervisor does not know this question.")


def _tree(line: bytes) -> dict[object, object]:
    try:
        tree: object = json.loads(line)
    except (ValueError, RecursionError):
        raise BadQuestion("The question is not JSON.") from None
    if not isinstance(tree, dict):
        raise BadQuestion("The question is not an object.")
    return tree


def _is_name(text: str) -> bool:
    """Return whether a file could be called this; JSON can write NUL and lone surrogates, the kernel takes neither."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


class Lines:
    """Split a byte stream into lines of at most `most` bytes."""

    def __init__(self, most: int = limits.CONTROL_LINE) -> None:
        self._held = b""
        self._most = most

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes. Raises `BadQuestion` for one that is too long."""
        *lines, self._held = (self._held + data).split(b"\n")
        if any(len(line) > self._most for line in (*lines, self._held)):
            raise BadQuestion("The question is too long.")
        return lines
