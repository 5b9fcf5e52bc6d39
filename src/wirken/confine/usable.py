"""Why bubblewrap does not work on this machine, in words, with the fix.

Nothing here tries anything: it reads below a root directory, so that recorded machines can be recognised in
tests. Callers try bubblewrap first and ask here once it has failed.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

PROFILE: Final = Path(__file__).parent / "apparmor" / "wirken-bwrap"
"""Our AppArmor profile, which lets /usr/bin/bwrap make user namespaces."""

_INSTALL: Final = (
    ("apt-get", "sudo apt-get install bubblewrap"),
    ("dnf", "sudo dnf install bubblewrap"),
    ("zypper", "sudo zypper install bubblewrap"),
    ("pacman", "sudo pacman -S bubblewrap"),
    ("apk", "sudo apk add bubblewrap"),
)
_CONTAINER_MARKS: Final = (".dockerenv", "run/.containerenv", "run/systemd/container")
_CONTAINER_GROUPS: Final = ("docker", "kubepods", "libpod", "lxc", "containerd")


class Obstacle(NamedTuple):
    """One thing in the way. `reason` and `fix` are sentences for the operator."""

    name: str
    reason: str
    fix: str


def obstacle(root: Path, said: str = "") -> Obstacle:
    """Return the most likely reason why bubblewrap failed on the machine whose root is `root`.

    `said` is what bubblewrap printed. Reads files only.
    """
    found = (look(root, said) for look in _LOOKS)
    return next((one for one in found if one is not None), _unknown(said))


def _missing(root: Path, said: str) -> Obstacle | None:
    if (root / "usr/bin/bwrap").exists():
        return None
    return Obstacle("bubblewrap-missing", "bubblewrap (/usr/bin/bwrap) is not installed.", _install(root))


def _too_old(root: Path, said: str) -> Obstacle | None:
    if "Unknown option" not in said:
        return None
    return Obstacle(
        "bubblewrap-too-old",
        "The installed bubblewrap is older than 0.7.0 and cannot limit the size of /tmp.",
        "Install bubblewrap 0.7.0 or later.",
    )


def _userns_switched_off(root: Path, said: str) -> Obstacle | None:
    if _read(root, "proc/sys/kernel/unprivileged_userns_clone") != "0":
        return None
    return Obstacle(
        "userns-switched-off",
        "This kernel forbids user namespaces to ordinary users (kernel.unprivileged_userns_clone = 0).",
        _sysctl("kernel.unprivileged_userns_clone=1"),
    )


def _no_userns_left(root: Path, said: str) -> Obstacle | None:
    if _read(root, "proc/sys/user/max_user_namespaces") != "0":
        return None
    return Obstacle(
        "userns-none-allowed",
        "This machine allows no user namespaces (user.max_user_namespaces = 0).",
        _sysctl("user.max_user_namespaces=15000"),
    )


def _apparmor(root: Path, said: str) -> Obstacle | None:
    if _read(root, "proc/sys/kernel/apparmor_restrict_unprivileged_userns") != "1":
        return None
    if (root / "etc/apparmor.d" / PROFILE.name).exists() and not said:
        return None
    rival = root / "etc/apparmor.d/bwrap-userns-restrict"
    steps = []
    if rival.exists():
        # Two profiles for one path: the kernel would apply neither.
        steps += [
            "sudo ln -sf /etc/apparmor.d/bwrap-userns-restrict /etc/apparmor.d/disable/",
            "sudo apparmor_parser -R /etc/apparmor.d/bwrap-userns-restrict",
        ]
    steps += [
        f"sudo install -m 0644 {shlex.quote(str(PROFILE))} /etc/apparmor.d/{PROFILE.name}",
        f"sudo apparmor_parser -r /etc/apparmor.d/{PROFILE.name}",
    ]
    return Obstacle(
        "apparmor",
        "AppArmor forbids user namespaces to programs without a profile of their own "
        "(kernel.apparmor_restrict_unprivileged_userns = 1, as on Ubuntu 24.04), and bubblewrap has none.",
        "Install Wirken's profile for bubblewrap: " + " && ".join(steps),
    )


def _container(root: Path, said: str) -> Obstacle | None:
    if not in_container(root):
        return None
    return Obstacle(
        "container",
        "Wirken runs in a container that does not let it make sandboxes.",
        "Start the container with user namespaces and an unmasked /proc, for Docker: --security-opt "
        "seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined.",
    )


def in_container(root: Path) -> bool:
    """True if the machine whose root is `root` looks like a container."""
    if any((root / mark).exists() for mark in _CONTAINER_MARKS):
        return True
    groups = _read(root, "proc/1/cgroup")
    return any(name in groups for name in _CONTAINER_GROUPS)


def _unknown(said: str) -> Obstacle:
    words = said.strip().rpartition("\n")[2] or "it gave no reason"
    return Obstacle(
        "unknown",
        f"bubblewrap cannot make a sandbox here: {words}.",
        "Run `bwrap --unshare-all --ro-bind / / true` as the same user and see bubblewrap's own message.",
    )


_LOOKS: Final[tuple[Callable[[Path, str], Obstacle | None], ...]] = (
    _missing,
    _too_old,
    _userns_switched_off,
    _no_userns_left,
    _apparmor,
    _container,
)


def _install(root: Path) -> str:
    command = next((text for tool, text in _INSTALL if (root / "usr/bin" / tool).exists()), "")
    return f"Install it: {command}" if command else "Install bubblewrap 0.7.0 or later."


def _sysctl(setting: str) -> str:
    return f"Allow them: sudo sysctl {setting} && echo {setting} | sudo tee /etc/sysctl.d/60-wirken-sandbox.conf"


def _read(root: Path, path: str) -> str:
    try:
        return (root / path).read_text().strip()
    except OSError:
        return ""
