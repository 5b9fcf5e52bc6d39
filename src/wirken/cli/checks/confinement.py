"""The walls around each process that runs, as the kernel shows them in /proc, and as the process told of them.

/proc shows uid, capabilities, privileges, seccomp, namespaces, limits, and by its owner whether a process can be
attached to. It does not show Landlock: what a process put on itself is what it told the supervisor before it read
anything, and the finding says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wirken.cli.checks.finding import Finding, info, ok, red
from wirken.cli.checks.installation import Installation
from wirken.cli.status import Process, Supervisor
from wirken.confine.roles import Role, required, role_of
from wirken.domain.walls import LANDLOCK_SINCE, SECCOMP, VIEW, covered

_WHY: Final = "If this process were taken over, this wall would not hold it."
_FIX: Final = "wirken stop, then wirken run; if it stays, look at the sandbox and kernel checks above."
_ALWAYS: Final = ("mnt", "pid", "ipc", "uts")
_UNLIMITED: Final = "unlimited"


def processes(home: Installation) -> Iterator[Finding]:
    """Does each process that runs wear every wall of its row?"""
    supervisor = home.running.supervisor if home.running is not None else None
    if supervisor is None:
        yield info("Wirken does not run; its processes can be looked at while it does", fix="wirken run")
        return
    for child in supervisor.children:
        if child.pid:
            yield _looked(home, supervisor, child)
    if supervisor.without:
        yield red(
            f"without {', '.join(supervisor.without)}, as [confine] allow_missing allows",
            "This machine cannot make these walls of Wirken's own processes.",
            "Give the machine what it needs (docs/confinement.md), then take the names out of config.toml.",
        )


def _looked(home: Installation, supervisor: Supervisor, child: Process) -> Finding:
    role = role_of(child.role)
    pid = program_below(home.root / "proc", child.pid, role.name)
    if not pid:
        return red(f"{child.role} cannot be seen below process {child.pid}", _WHY, _FIX)
    try:
        missing = [*Seen(home.root / "proc", pid).lacking(role, home, supervisor), *_untold(role, supervisor, child)]
    except (OSError, ValueError, KeyError, IndexError):
        return red(f"{child.role} (pid {pid}) cannot be looked at in /proc", _WHY, "Run it as the user of Wirken.")
    if missing:
        return red(f"{child.role} (pid {pid}) lacks: {', '.join(missing)}", _WHY, _FIX)
    return ok(f"{child.role} (pid {pid}): {', '.join(_worn(supervisor, child))}")


def _worn(supervisor: Supervisor, child: Process) -> Iterator[str]:
    """Yield what was found well, in words; of Landlock only what the process told."""
    missing = covered(supervisor.without)
    yield "own uid, no privilege, closed memory, limits"
    if VIEW not in missing:
        yield "namespaces"
    if SECCOMP not in missing:
        yield SECCOMP
    told = [each for each in child.worn if each in LANDLOCK_SINCE]
    if told:
        yield f"and as it says {', '.join(told)}"


def _untold(role: Role, supervisor: Supervisor, child: Process) -> list[str]:
    """Return the walls that /proc does not show and that the process did not tell of."""
    return [each for each in required(role, supervisor.without) if each != SECCOMP and each not in child.worn]


def program_below(proc: Path, pid: int, name: str) -> int:
    """Return the process that runs `-m wirken.<name>`, `pid` or one below it; 0 where there is none."""
    pending = [pid]
    while pending:
        each = pending.pop(0)
        try:
            words = (proc / str(each) / "cmdline").read_bytes().split(b"\0")
            children = (proc / str(each) / "task" / str(each) / "children").read_text().split()
        except OSError:
            continue
        if words[1:4] == [b"-I", b"-m", f"wirken.{name}".encode()]:
            return each
        pending += [int(child) for child in children]
    return 0


class Seen:
    """One process in /proc."""

    def __init__(self, proc: Path, pid: int) -> None:
        self._proc = proc
        self._place = proc / str(pid)
        lines = (self._place / "status").read_text().splitlines()
        self._status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def lacking(self, role: Role, home: Installation, supervisor: Supervisor) -> Iterator[str]:
        """Yield the walls of the row that are not there, in words. Raises what reading /proc raises."""
        missing = covered(supervisor.without)
        uid = int(self._status["Uid"].split()[0])
        if uid == 0 or uid not in home.owners:
            yield f"an unprivileged uid (it has {uid})"
        elif (self._place / "status").stat().st_uid == uid:
            yield "closed memory (dumpable)"
        if self._status["NoNewPrivs"] != "1":
            yield "no_new_privs"
        if any(int(self._status[each], 16) for each in ("CapInh", "CapPrm", "CapEff", "CapAmb")):
            yield "no capabilities"
        if SECCOMP not in missing and self._status["Seccomp"] != "2":
            yield SECCOMP
        if VIEW not in missing:
            yield from (f"a {name} namespace of its own" for name in self._shared(role, supervisor.pid))
        yield from self._unlimited(role)

    def _shared(self, role: Role, supervisor: int) -> Iterator[str]:
        """Yield the namespaces that it shares with the supervisor, which sits in the machine's, and should not."""
        for name in (*_ALWAYS, *(() if role.network else ("net",))):
            outside = (self._proc / str(supervisor) / "ns" / name).readlink()
            if (self._place / "ns" / name).readlink() == outside:
                yield name

    def _unlimited(self, role: Role) -> Iterator[str]:
        """Yield the limits that are wider than the row's."""
        found = {}
        for line in (self._place / "limits").read_text().splitlines()[1:]:
            found[line[:26].strip()] = line[26:].split()[1]  # the hard one; fixed columns, see fs/proc/base.c
        most = {"Max core file size": 0, "Max open files": role.files, "Max data size": role.memory or None}
        for name, limit in most.items():
            if limit is not None and (found[name] == _UNLIMITED or int(found[name]) > limit):
                yield f"its limit of {name.removeprefix('Max ')}"
