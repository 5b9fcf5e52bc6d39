"""Start a program the way the supervisor starts the runner: not as root, in its own view.

As root the program runs as limits.SERVICE_UID, as the supervisor's children do; as an ordinary user it keeps the
user. Either way it sits in its own pid and network namespace and sees only what is named.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from wirken.confine.pyenv import program_paths
from wirken.domain import limits

REPOSITORY = Path(__file__).parents[2]


def service_ids() -> tuple[int, int]:
    """Return the uid and gid that a walled program has."""
    return (limits.SERVICE_UID, limits.SERVICE_UID) if os.geteuid() == 0 else (os.getuid(), os.getgid())


def owned(folder: Path) -> Path:
    """Create a folder that belongs to the walled program, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chown(folder, *service_ids())
    return folder


def walled(
    program: Sequence[str],
    *,
    writable: Sequence[str] = (),
    readable: Sequence[str] = (),
    extra: Sequence[str] = (),
) -> list[str]:
    """Return the command line that starts `python -I <program>` in a view with these folders, at their own paths.

    `extra` are further arguments for bubblewrap, after all others.
    """
    root = os.geteuid() == 0
    line = ["bwrap", "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    line += ["--unshare-net", *([] if root else ["--unshare-user"]), "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        if Path("/", name).is_symlink():
            line += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
    line += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]
    line += ["--perms", "0755", "--dir", "/etc"]
    for place in ("/etc/ld.so.cache", "/etc/alternatives"):
        line += ["--ro-bind-try", place, place]
    made: set[str] = {"/", "/etc", "/tmp", "/usr"}
    for kind, places in (("--ro-bind", (*program_paths(), str(REPOSITORY / "tests"), *readable)), ("--bind", writable)):
        for place in places:
            for parent in reversed(Path(place).parents):
                if str(parent) not in made:
                    made.add(str(parent))
                    line += ["--perms", "0755", "--dir", str(parent)]
            line += [kind, place, place]
    line += [*extra, "--chdir", "/"]
    inner = [sys.executable, "-I", *program]
    if not root:
        return [*line, "--", *inner]
    uid, gid = service_ids()
    drop = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs"]
    drop += ["--inh-caps=-all", "--bounding-set=-all", "--"]
    return ["setpriv", "--bounding-set=-dac_override", *line, "--", *drop, *inner]
