"""gVisor without an engine: `runsc` as the program of a bubblewrap sandbox, and the command on gVisor's kernel in it.

So everything that bubblewrap's sandbox keeps is kept here too: what is seen, the limits, the end. Between the command
and the machine's kernel stands a second one, which knows of the first sandbox only its files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from wirken.domain import limits
from wirken.domain.actions import Outside, SandboxKind
from wirken.domain.errors import SandboxUnavailable
from wirken.ipc.calls.runner import SandboxReport
from wirken.runner.bubblewrap import ENVIRONMENT, WORKSPACE
from wirken.runner.commands import Commands
from wirken.runner.probe import TRUE, lacks
from wirken.runner.sandbox import Bounds, Command, Finished

_STATE: Final = "/dev/shm/state"  # noqa: S108  # of the outer sandbox: sized, and covered by gVisor's own /dev
_LIMITS: Final = (
    ("RLIMIT_NOFILE", limits.EXEC_FILES),
    ("RLIMIT_FSIZE", limits.EXEC_FILE_SIZE),
    ("RLIMIT_CORE", 0),
)
_ROOT_OF_ITS_OWN: Final = ("/usr/bin/unshare", "--map-root-user", "--mount", "--propagation", "unchanged", "--")
_STARTED: Final = ("/bin/sh", "-c", 'exec "$@"', "sh")


class Gvisor:
    """Each command in a gVisor of its own, each of these in a sandbox of bubblewrap's."""

    kind: SandboxKind = "gvisor"

    def __init__(
        self,
        runsc: tuple[str, ...],
        commands: Commands,
        base: Path,
        bounds: Bounds,
        token: Callable[[], str],
        online: Mapping[str, str],
        *,
        tools: str = "",
    ) -> None:
        """`runsc` are the words that start it, where the sandbox of `commands` shows it (`started`); `base` is an empty
        folder for what it is told.

        `online` are the further variables of commands with a network. `tools` is the folder whose programs commands
        get; empty for the machine's own.
        """
        self._online = online
        self._tools = tools
        self._runsc = runsc
        self._commands = commands
        self._base = base
        self._bounds = bounds
        self._token = token

    def stop(self) -> None:
        """End every command, now and from now on, with `stopped`."""
        self._commands.stop()

    async def close(self) -> None:
        """Nothing is kept between commands."""

    async def run(self, command: Command) -> Finished:
        """Run a command to its end (`sandbox.Sandbox.run`)."""
        bundle = self._base / f"bundle-{self._token()}"
        bundle.mkdir(mode=0o700)
        try:
            (bundle / "config.json").write_bytes(configuration(command, self._bounds, self._tools, self._online))
            line = runsc_line(self._runsc, str(bundle), online=command.network is not None)
            return await self._commands.run(
                command._replace(argv=line, outside=(*command.outside, Outside(str(bundle))))
            )
        finally:
            (bundle / "config.json").unlink(missing_ok=True)
            bundle.rmdir()

    async def look(self) -> SandboxReport:
        """Return whether commands can be run, after running one."""
        workspace = self._base / "empty"
        workspace.mkdir(exist_ok=True)
        try:
            finished = await self.run(Command(TRUE, str(workspace)))
        except SandboxUnavailable as error:
            return SandboxReport(kind="none", limits="", reason=str(error), fix=error.advice)
        lacking = lacks(self._tools, finished)
        if finished.exit_code != 0 and not lacking:
            reason = f"runsc ran no command: {finished.output.text.strip()[-limits.REASON_TAIL :]}"
            return SandboxReport(kind="none", limits="", reason=reason, fix="Try another release of gVisor.")
        note = f"{self._runsc[-1]} in a sandbox of bubblewrap's, without an engine"
        return SandboxReport(kind=self.kind, limits=self._commands.limits_held_by, notes=(note, *lacking))


def started(runsc: str, *, own_usr: bool) -> tuple[str, ...]:
    """Return the words that start the program `runsc`; `own_usr` says whether the sandbox shows the machine's /usr.

    runsc needs a user and a mount namespace in which it is root. It can make them itself, by starting anew in them,
    which takes 20 ms of 130; util-linux makes the same two in one.
    """
    return (*_ROOT_OF_ITS_OWN, runsc) if own_usr and os.access(_ROOT_OF_ITS_OWN[0], os.X_OK) else (runsc,)


def runsc_line(runsc: tuple[str, ...], bundle: str, *, online: bool) -> tuple[str, ...]:
    """Return how runsc is started: as nobody special, without cgroups of its own.

    With a network it takes the one of the sandbox around it, which is a loopback where the way out begins; a network
    of gVisor's own would not lead there. Without one it gets nothing at all.
    Files are shared, since others may change the workspace meanwhile; sockets and FIFOs of the machine stay shut.
    """
    network = "--network=host" if online else "--network=none"
    options = ("--rootless", network, "--ignore-cgroups", "--file-access=shared", "--root", _STATE)
    return (*runsc, *options, "run", "--bundle", bundle, "command")


def configuration(
    command: Command, bounds: Bounds, tools: str = "", online: Mapping[str, str] = MappingProxyType({})
) -> bytes:
    """Return config.json of the OCI bundle (runtime-spec 1.0.2) for a command, which gets `online` with a network.

    Its root is the root of the sandbox around it, which is read-only there. Root inside is a name: it has no
    capability, and outside it is the runner's own uid.
    """
    environment = {**ENVIRONMENT, **(online if command.network is not None else {}), "PWD": WORKSPACE}
    namespaces = ("pid", "mount", "ipc", "uts", *(() if command.network is not None else ("network",)))
    return _encoder.encode(
        {
            "ociVersion": "1.0.2",
            "process": {
                "terminal": False,
                "user": {"uid": 0, "gid": 0},
                "args": _started(command.argv, tools),
                "env": [f"{name}={value}" for name, value in environment.items()],
                "cwd": WORKSPACE,
                "noNewPrivileges": True,
                "capabilities": {},
                "rlimits": [{"type": name, "soft": most, "hard": most} for name, most in _LIMITS],
            },
            "root": {"path": "/", "readonly": False},
            "hostname": "sandbox",
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755", "size=65536"]},
                *(_sized(place, bounds) for place in ("/tmp", "/dev/shm")),  # noqa: S108  # gVisor's own
            ],
            "linux": {"namespaces": [{"type": name} for name in namespaces]},
        }
    )


def _started(argv: tuple[str, ...], tools: str) -> tuple[str, ...]:
    """Return how a program is started: as it is where it is there for certain, else by a shell.

    A shell says of a program that is missing what shells say; runsc would end in words and a code of its own.
    """
    folders = [] if tools else ENVIRONMENT["PATH"].split(":")  # links of a tool root lead elsewhere from here
    if "/" not in argv[0] and any(os.access(f"{folder}/{argv[0]}", os.X_OK) for folder in folders):
        return argv
    return argv if argv[0] == "/bin/sh" else (*_STARTED, *argv)


def _sized(place: str, bounds: Bounds) -> dict[str, object]:
    options = ["mode=1777", f"size={bounds.tmp}", "nosuid", "nodev"]
    return {"destination": place, "type": "tmpfs", "source": "tmpfs", "options": options}


_encoder: Final = msgspec.json.Encoder()
