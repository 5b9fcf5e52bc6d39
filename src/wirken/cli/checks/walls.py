"""The kernel's walls: can they be made here, really, and who holds the limits?"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wirken.cli.checks.finding import Finding, info, ok, red, yellow
from wirken.cli.checks.installation import Installation
from wirken.confine import delegate, usable
from wirken.domain import limits

_OLDEST: Final = (0, 7)
"""The first bubblewrap that limits the size of a tmpfs (--size)."""
_SWITCHES: Final = (
    ("kernel.apparmor_restrict_unprivileged_userns", "1"),
    ("kernel.unprivileged_userns_clone", "0"),
    ("user.max_user_namespaces", "0"),
)
_NO_EXEC: Final = "Without it no command is run; it is never run without its sandbox."


def bubblewrap(home: Installation) -> Iterator[Finding]:
    """Is bubblewrap there, and new enough?"""
    path = home.tools.bwrap
    if not path:
        found = usable.obstacle(home.root)
        yield red("bubblewrap is not installed", _NO_EXEC, found.fix)
        return
    version = _version(path)
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers >= _OLDEST:
        yield ok(f"{version} ({path})")
    else:
        why = "It cannot limit the size of a sandbox's /tmp."
        yield red(f"{version or 'an unknown version'} ({path})", why, "Install bubblewrap 0.7.0 or later.")


def sandbox(home: Installation) -> Iterator[Finding]:
    """Can a process view be made, and in it a sandbox? Tried with the very arguments that are used later."""
    if home.config.sandbox.mode == "off" and home.walls.views:
        yield info("no command is run ([sandbox] mode in config.toml); a process view was made")
    elif home.walls.sandbox:
        yield ok("a process view and a sandbox in it were made")
    elif home.walls.views and home.box.kind != "bubblewrap":
        yield info(f"a process view was made, no sandbox of bubblewrap's in it; commands get {home.box.kind}")
    elif home.walls.views:
        yield red(
            "no sandbox can be made for commands", home.walls.said, usable.obstacle(home.root, home.walls.said).fix
        )
    else:
        yield red("Wirken's processes cannot be walled in, so they do not start", home.walls.said, home.walls.fix)


def user_namespaces(home: Installation) -> Iterator[Finding]:
    """Does the machine let ordinary users make namespaces? Ubuntu 24.04 does so for known programs only."""
    closed = [name for name, value in _SWITCHES if _sysctl(home, name) == value]
    if not closed:
        yield ok("every user may make them")
        return
    seen = f"restricted ({', '.join(closed)})"
    found = usable.obstacle(home.root)
    why = found.reason if found.name.startswith(("apparmor", "userns")) else "They are restricted on this machine."
    if home.walls.sandbox:
        profile = (home.root / "etc/apparmor.d" / usable.PROFILE.name).exists()
        yield info(f"{seen}, but " + ("Wirken's AppArmor profile is installed" if profile else "not for us"))
    else:
        yield red(seen, why, found.fix)


def setpriv(home: Installation) -> Iterator[Finding]:
    """Started as root, is the program there that takes root from each child?"""
    if home.uid != 0:
        return
    if home.tools.setpriv:
        yield ok(f"children run as uid {limits.SERVICE_UID} ({home.tools.setpriv})")
    else:
        why = "Started as root, no child may stay root."
        yield red("setpriv is not installed", why, "Install util-linux, or start Wirken as an ordinary user.")


def limits_kept(home: Installation) -> Iterator[Finding]:
    """Who holds memory and process limits: the kernel's cgroups, or the watchdog that looks now and then?"""
    report = home.running.gateway if home.running is not None else None
    if report is not None and report.sandbox_limits:
        kind, said = report.sandbox_limits, "held by"
    else:
        kind, said = expected(home) if home.box.kind == "bubblewrap" else "engine", "to be held by"
    seen = f"{home.config.sandbox.said} per command, {said}: {kind}"
    if kind != "watchdog":
        yield ok(seen)
        return
    yield yellow(
        seen,
        "No cgroup of ours can be written, so a watchdog looks at each command's processes 20 times a second; what "
        "grows faster than that is ended late.",
        "Start Wirken in a systemd user session (loginctl enable-linger), or with a cgroup that it may write.",
    )


def expected(home: Installation) -> str:
    """Return who will hold the limits, as far as one can tell without making anything."""
    runtime = home.environ.get("XDG_RUNTIME_DIR", "")
    if delegate.scope_prefix(os.getpid(), home.uid, runtime, home.root):
        return "cgroup-v2"
    found = {mounted.controller: mounted.own for mounted in delegate.hierarchies(home.root)}
    if "v2" in found and _has_controllers(found["v2"]) and os.access(found["v2"] / "cgroup.subtree_control", os.W_OK):
        return "cgroup-v2"
    if all(name in found and os.access(found[name], os.W_OK) for name in delegate.CONTROLLERS):
        return "cgroup-v1"
    return "watchdog"


def _has_controllers(group: Path) -> bool:
    try:
        return set(delegate.CONTROLLERS) <= set((group / "cgroup.controllers").read_text().split())
    except OSError:
        return False


def _version(path: str) -> str:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=limits.SANDBOX_PROBE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip()


def _sysctl(home: Installation, name: str) -> str:
    try:
        return (home.root / "proc/sys" / name.replace(".", "/")).read_text().strip()
    except OSError:
        return ""
