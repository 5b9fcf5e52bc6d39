"""Put the runner's parts together, from its options to its answers."""

from __future__ import annotations

import functools
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from wirken.confine import bpf, roles, seccomp
from wirken.confine.wing_filter import wing_filter
from wirken.domain import limits
from wirken.domain.actions import SandboxKind
from wirken.domain.errors import SandboxUnavailable
from wirken.ipc.calls.runner import SandboxReport
from wirken.runner import bubblewrap, cgroups
from wirken.runner.alone import Alone
from wirken.runner.commands import Commands
from wirken.runner.egress import Egress
from wirken.runner.granted import certificates, environment
from wirken.runner.guard import Guarded
from wirken.runner.outside import given
from wirken.runner.owner import Owner
from wirken.runner.probe import probe
from wirken.runner.sandbox import Bounds, Missing, Sandbox
from wirken.runner.tools import Ground, Tools
from wirken.runner.turns import Turns
from wirken.runner.wasm import Skills
from wirken.runner.watchdog import Watchdog

RUNSC: Final = "/runsc"
"""Where gVisor's program lies in a sandbox whose /usr is not the machine's."""


class EngineOptions(NamedTuple):
    """Which container engine, and what is asked of it."""

    socket: str
    image: str
    runtime: str
    owner: Owner
    warm: bool = False
    """Keeps a container for a session's next command."""
    hatches: str = ""
    """A folder for sockets that both the runner and the engine see; without it no command in it has a network."""
    instead_of: str = ""
    """Why bubblewrap, which would have been preferred, does not work here."""


class Options(NamedTuple):
    """The runner's own options: `--relay-socket`, `--skills`; the others, in the singular, as often as needed."""

    workspaces: tuple[str, ...]
    read_only: tuple[str, ...] = ()
    cgroups: tuple[str, ...] = ()
    relay: str = ""
    """The socket of outbound's relay for the runner; without it no command has a network."""
    outside: tuple[str, ...] = ()
    bounds: Bounds = Bounds()
    kind: SandboxKind = "bubblewrap"
    engine: EngineOptions | None = None
    """With `docker`, and with `gvisor` as an engine's runtime."""
    runsc: str = ""
    """With `gvisor` where there is no engine: its program."""
    skills: str = ""
    """The folder of wasm skills."""
    tools: str = ""
    """With bubblewrap: the folder whose programs commands get; empty for the machine's own."""


class Host(NamedTuple):
    """What the process's `__main__` asks the machine."""

    machine: str
    """`os.uname().machine`."""
    release: str
    """`os.uname().release`."""
    uid: int
    """`os.geteuid()`."""
    gid: int
    """`os.getegid()`."""
    root: Path = Path("/")
    scratch: Path = Path("/tmp")  # noqa: S108  # a tmpfs of the runner's own view
    """A folder of the runner's own, emptied at the end."""


@contextmanager
def assembled(options: Options, host: Host, token: Callable[[], str]) -> Iterator[Tools]:
    """Yield the runner's tools; its scratch files are removed afterwards.

    `token` makes short unique names, such as `secrets.token_hex(8)`. Raises `SandboxUnavailable` for root and,
    with bubblewrap, for a processor without a filter, `cgroups.BadDelegation` for options it does not know.
    """
    if host.uid == 0:
        raise SandboxUnavailable(
            "The runner does not work as root: what it starts would be root too, behind one wall less.",
            hint="Start Wirken with `wirken run`; it gives its processes a user of their own.",
        )
    base = host.scratch / f"wirken-runner-{token()}"
    base.mkdir(mode=0o700)
    try:
        sandbox, look = _sandbox(options, host, base, token)
        ground = Ground(
            frozenset(options.workspaces), frozenset(options.read_only), given(options.outside), options.tools
        )
        walled = options._replace(runsc="", tools="")
        skills = Skills(options.skills, functools.partial(_bubblewrap, walled, host, base / "skills", token, Bounds()))
        guarded = Guarded(sandbox)
        alone: Sandbox = Turns(guarded) if options.engine is None else Alone(guarded)
        yield Tools(ground, alone, skills, options.bounds, look, token)
    finally:
        _remove(base)


def _sandbox(
    options: Options, host: Host, base: Path, token: Callable[[], str]
) -> tuple[Sandbox, Callable[[], Awaitable[SandboxReport]]]:
    """Return the sandbox that the options name, and the look at it."""
    if options.engine is not None:
        return _engine(options, host, options.engine, token)
    if options.kind != "bubblewrap" and not options.runsc:
        missing = Missing(options.kind)
        return missing, missing.look
    commands = _bubblewrap(options, host, base / "bubblewrap", token, options.bounds)
    if options.runsc:
        from wirken.runner.gvisor import Gvisor, started  # as in `_engine`

        (base / "gvisor").mkdir()
        runsc = started(RUNSC if options.tools else options.runsc, own_usr=not options.tools)
        online = environment(certificates(host.root))
        sandbox = Gvisor(runsc, commands, base / "gvisor", options.bounds, token, online, tools=options.tools)
        return sandbox, sandbox.look
    return commands, functools.partial(probe, commands, base, host.root, options.tools)


def _bubblewrap(options: Options, host: Host, base: Path, token: Callable[[], str], bounds: Bounds) -> Commands:
    """Return a sandbox of bubblewrap's with these bounds; `base` is a folder to make for it."""
    base.mkdir()
    machine = bpf.machine_named(host.machine)
    # gVisor's kernel needs calls that a command must not have; what the runner may is all that it gets.
    own = roles.ROLES[roles.RUNNER]._replace(traces=True)
    program = wing_filter(own, machine) if options.runsc else seccomp.command_filter(machine)
    fences = cgroups.delegated(options.cgroups, token(), bounds) or Watchdog(host.root / "proc", host.release, bounds)
    # Under gVisor every connection is its own program's.
    egress = Egress(options.relay, None if options.runsc else host.root / "proc")
    root = bubblewrap.prepare(base, host.root, options.tools)
    if options.runsc:
        # runsc mounts a /proc of its own, which the kernel allows only beside one that shows everything.
        shown = ("--ro-bind", options.runsc, RUNSC) if options.tools else ()
        root = root._replace(masks=(), top=(*root.top, *shown))
    files = limits.GVISOR_FILES if options.runsc else limits.EXEC_FILES
    return Commands(root, fences, program, egress, bounds, files)


def _engine(
    options: Options, host: Host, wanted: EngineOptions, token: Callable[[], str]
) -> tuple[Sandbox, Callable[[], Awaitable[SandboxReport]]]:
    # Loaded only where an engine is configured: the runner's start and memory are everyone's.
    from wirken.runner import docker, engine_look
    from wirken.runner.containers import Identity, Recipe
    from wirken.runner.engine_http import EngineHttp
    from wirken.runner.online import Online, Outfit

    user = engine_look.User(host.uid, host.gid)
    own = Identity(f"{user.uid}:{user.gid}")
    recipe = Recipe(wanted.image, wanted.runtime, wanted.owner, options.bounds, own, options.kind != "gvisor")
    sandbox = docker.Docker(EngineHttp(wanted.socket), options.kind, recipe, token)
    outer: Sandbox = sandbox
    if wanted.warm:
        from wirken.runner.warm import Warm

        outer = Warm(sandbox, token)
    # A container's processes lie outside of what this process sees, so none of them is named.
    outfit = Outfit(Egress(options.relay, None), wanted.hatches, certificates(host.root))
    outer = Online(outer, sandbox, outfit, token)
    return outer, functools.partial(engine_look.look, sandbox, user, options.workspaces[0], wanted.instead_of)


def _remove(base: Path) -> None:
    """Remove a folder of ours with everything in it (shutil would cost 4 ms and 0.4 MB at start).

    A folder that is closed even to us is empty.
    """
    for folder, folders, names in os.walk(base, topdown=False):
        for name in names:
            Path(folder, name).unlink()
        for name in folders:
            Path(folder, name).rmdir()
    base.rmdir()
