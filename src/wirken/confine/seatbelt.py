"""A role's row as a profile for macOS's sandbox-exec(1): the walls that bubblewrap, Landlock and seccomp are on Linux.

Written from the table and from the profiles that ship with macOS; tested as text only, never on a Mac. The language
has no reference manual; what is used here is what /System/Library/Sandbox/Profiles uses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wirken.confine.roles import Role
from wirken.confine.views import Scene

_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/System/Library", "/Library/Apple", "/private/var/db/timezone")
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_CERTIFICATES: Final = ("/private/etc/ssl", "/Library/Keychains")
_RESOLVER: Final = ("/private/etc/hosts", "/private/etc/resolv.conf", "/private/var/run/mDNSResponder")
_ALWAYS: Final = (
    "(version 1)",
    "(deny default)",
    "(allow sysctl-read)",
    "(allow signal (target self))",
    '(allow file-read-metadata (subpath "/"))',
)
"""Everything is refused that is not named. Names of files can be seen, as the loader walks every path."""


class Unquotable(ValueError):
    """A path that a profile cannot name."""


def profile(role: Role, scene: Scene) -> str:
    """Return the profile. Raises `Unquotable` for a path with a character that no profile can hold."""
    data, sockets = scene.data, scene.sockets
    lines = [*_ALWAYS]
    lines += _paths("file-read*", "subpath", (*_SYSTEM, *scene.program))
    lines += _paths("file-read*", "literal", (*_DEVICES, "/"))
    lines += _paths("file-write-data", "literal", ("/dev/null",))
    lines += _paths("file-read* file-write*", "subpath", (f"{data}/{name}" for name in role.writable))
    lines += _paths("file-read*", "subpath", (f"{data}/{name}" for name in role.readable))
    lines += _paths("network-outbound", "literal", (f"{sockets}/{name}" for name in role.sockets))
    if role.workspaces:
        lines += _paths("file-read* file-write*", "subpath", scene.workspaces)
        lines += _paths("file-read*", "subpath", scene.read_only)
    if role.network or role.relay:
        lines += _paths("file-read*", "subpath", _CERTIFICATES)
    if role.network:
        lines += _paths("file-read*", "literal", _RESOLVER)
        lines += [
            "(allow network-outbound (remote ip))",
            '(allow network-outbound (literal "/private/var/run/mDNSResponder"))',
        ]
    if role.starts_programs:
        lines += ["(allow process-fork)", *_paths("process-exec", "subpath", ("/usr", "/bin", *scene.program))]
    return "\n".join(lines) + "\n"


def _paths(what: str, how: str, paths: Iterable[str]) -> list[str]:
    """Return one rule that allows `what` at each of `paths`; none where there are no paths."""
    named = [f"({how} {_quoted(path)})" for path in paths]
    return [f"(allow {what} {' '.join(named)})"] if named else []


def _quoted(path: str) -> str:
    if not path.isprintable() or not path.startswith("/"):
        raise Unquotable("A path with control characters, or a relative one, cannot stand in a profile.")
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
