"""What a container of ours is, in the words of the Engine API (version 1.41): computed here, asked for in `docker`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from wirken.domain import limits, outside_limits
from wirken.domain.shown import shown_at
from wirken.runner import counters
from wirken.runner.bubblewrap import ENVIRONMENT, WORKSPACE, left_alone
from wirken.runner.granted import Certificates, environment
from wirken.runner.owner import INSTALLATION, RUNNER, START, Owner
from wirken.runner.sandbox import Bounds, Command

_JOINED: Final = ("/bin/sh", "-c", 'exec "$@" 2>&1 </dev/null', "sh")


class Identity(NamedTuple):
    """As whom a command runs in the container, so that a workspace of mode 0700 is its own."""

    user: str
    """`uid:gid` inside."""
    namespace: str = ""
    """HostConfig.UsernsMode."""
    processes: int = 0
    """RLIMIT_NPROC, where an engine's own default would fail; 0 leaves the default."""


class Recipe(NamedTuple):
    """What all containers of one runner have in common."""

    image: str
    runtime: str
    """Empty for the engine's default."""
    owner: Owner
    bounds: Bounds
    identity: Identity
    counted: bool = True
    """The kernel's counters of a container can be read in it: not with gVisor, which has a kernel of its own there."""

    @property
    def shell(self) -> tuple[str, ...]:
        """What stands before a command; it joins both outputs into one pipe."""
        return counters.shell() if self.counted else _JOINED


class Joined(NamedTuple):
    """What a command with a network gets beside the others."""

    container: str
    """Whose network it joins."""
    runtime: str
    """Empty for the engine's default."""
    authorities: Certificates


class Room(NamedTuple):
    """How much of everything a container has."""

    memory: int
    processes: int
    shm: int


class Mounted(NamedTuple):
    """One thing of the machine in a container."""

    source: str
    target: str
    writable: bool = False


class Listed(msgspec.Struct, frozen=True):
    """One line of the engine's list of containers."""

    id: str = msgspec.field(name="Id")
    labels: dict[str, str] = msgspec.field(name="Labels", default_factory=dict)


class State(msgspec.Struct, frozen=True):
    """`State` of a container that has ended."""

    exit_code: int = msgspec.field(name="ExitCode")
    oom_killed: bool = msgspec.field(name="OOMKilled", default=False)
    error: str = msgspec.field(name="Error", default="")


class Inspected(msgspec.Struct, frozen=True):
    state: State = msgspec.field(name="State")


class Pids(msgspec.Struct, frozen=True):
    current: int = 0


class Stats(msgspec.Struct, frozen=True):
    """How many processes and threads a running container has."""

    pids_stats: Pids = Pids()


class Made(msgspec.Struct, frozen=True):
    """The answer to `POST /containers/{name}/exec`."""

    id: str = msgspec.field(name="Id")


class Ran(msgspec.Struct, frozen=True):
    """`GET /exec/{id}/json`."""

    running: bool = msgspec.field(name="Running")
    exit_code: int | None = msgspec.field(name="ExitCode", default=None)


class Top(msgspec.Struct, frozen=True):
    """`GET /containers/{name}/top`: a line per process."""

    processes: list[list[str]] = msgspec.field(name="Processes")


def kept(recipe: Recipe, command: Command) -> bytes:
    """Return the body for a container that waits until its standard input is closed, and then goes by itself."""
    host = {**_host(recipe, command), "AutoRemove": True}
    stdin = {"OpenStdin": True, "StdinOnce": True, "AttachStdin": True}
    waiting = {"Entrypoint": ("/bin/sh", "-c", "read _")}
    return _encoder.encode({**_container(recipe, command), **stdin, **waiting, "HostConfig": host})


def execution(recipe: Recipe, command: Command) -> bytes:
    """Return the body of `POST /containers/{name}/exec` for a command in such a container."""
    return _encoder.encode(
        {
            "AttachStdout": True,
            "AttachStderr": True,
            "Cmd": (*recipe.shell, *command.argv),
            "Env": [f"{name}={value}" for name, value in ENVIRONMENT.items()],
            "User": recipe.identity.user,
            "WorkingDir": WORKSPACE,
        }
    )


def creation(recipe: Recipe, command: Command, joined: Joined | None = None) -> bytes:
    """Return the body of `POST /containers/create` for one command: no network of its own, no capability, nothing
    writable but the workspace, what the call was granted, and memory of a fixed size.

    The command line is the entry point, so that none of the image's own stands before it. A shell joins both
    outputs into one pipe first: the engine would carry two, and lose the order between them.
    """
    if joined is None:
        return _encoder.encode(_container(recipe, command))
    told = _container(recipe, command, environment(joined.authorities))
    del told["Hostname"]  # it is the other container's; an engine refuses both
    authorities = [Mounted(source, place) for source, place in joined.authorities.folders]
    host = {
        **_host(recipe, command),
        "NetworkMode": f"container:{joined.container}",
        "Runtime": joined.runtime,
        "Mounts": _mounts(command, authorities),
    }
    return _encoder.encode({**told, "HostConfig": host})


def _container(
    recipe: Recipe, command: Command, further: Mapping[str, str] = MappingProxyType({})
) -> dict[str, object]:
    return {
        "Image": recipe.image,
        "Entrypoint": (*recipe.shell, *command.argv),
        "Env": [f"{name}={value}" for name, value in (*ENVIRONMENT.items(), *further.items())],
        "User": recipe.identity.user,
        "WorkingDir": WORKSPACE,
        "Hostname": "sandbox",
        # Otherwise the engine opens the machine's /dev/null for it, and runsc, as root, gives that to the user nobody.
        "OpenStdin": not recipe.counted,
        "AttachStdout": True,
        "AttachStderr": True,
        "Healthcheck": {"Test": ["NONE"]},
        "Labels": recipe.owner.labels,
        "HostConfig": _host(recipe, command),
    }


def _host(recipe: Recipe, command: Command) -> dict[str, object]:
    bounds = recipe.bounds
    size = f"rw,nosuid,nodev,exec,mode=1777,size={bounds.tmp}"
    return {
        **walls(recipe, recipe.runtime, Room(bounds.memory, bounds.processes, bounds.tmp)),
        "NetworkMode": "none",
        "Init": True,
        "Tmpfs": {"/tmp": size},  # noqa: S108  # the container's own
        "Mounts": _mounts(command),
    }


def walls(recipe: Recipe, runtime: str, room: Room) -> dict[str, object]:
    """Return what every container of ours is held by, as a part of its HostConfig."""
    return {
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True,
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "UsernsMode": recipe.identity.namespace,
        "Runtime": runtime,
        "Memory": room.memory,
        "MemorySwap": room.memory,
        "PidsLimit": room.processes,
        "ShmSize": room.shm,
        "Ulimits": [{"Name": name, "Soft": value, "Hard": value} for name, value in _ulimits(recipe.identity)],
        # Without it a flood of output would fill the engine's disk.
        "LogConfig": {"Type": "none"},
        "RestartPolicy": {"Name": "no"},
    }


def _ulimits(identity: Identity) -> tuple[tuple[str, int], ...]:
    own = (("nofile", limits.EXEC_FILES), ("fsize", limits.EXEC_FILE_SIZE), ("core", 0))
    return (*own, ("nproc", identity.processes)) if identity.processes else own


def _mounts(command: Command, further: Iterable[Mounted] = ()) -> list[dict[str, object]]:
    wanted = [
        *further,
        Mounted(command.workspace, WORKSPACE, writable=True),
        *(Mounted(folder, place) for folder, place in shown_at(command.read_only)),
        *(Mounted(one.path, one.path, one.writable) for one in command.outside),
        *(Mounted("/dev/null", one.path) for one in command.hidden if not one.folder),
        *(Mounted(source, place) for source, place in left_alone(command)),
    ]
    return [*(_empty(one.path) for one in command.hidden if one.folder), *mounts(wanted)]


def _empty(place: str) -> dict[str, object]:
    return {"Type": "tmpfs", "Target": place, "TmpfsOptions": {"SizeBytes": outside_limits.WAY, "Mode": 0o555}}


def mounts(wanted: Iterable[Mounted]) -> list[dict[str, object]]:
    """Return what a container is shown of the machine, as a part of HostConfig.Mounts."""
    return [
        {
            "Type": "bind",
            "Source": one.source,
            "Target": one.target,
            "ReadOnly": not one.writable,
            # What is mounted below it was not granted, and would not become read-only.
            "BindOptions": {"Propagation": "rprivate", "NonRecursive": True},
        }
        for one in wanted
    ]


def left_over(found: list[Listed], owner: Owner) -> list[str]:
    """Return the ids of containers whose runner is gone: those of earlier starts, and of this runner before it."""
    ours = [one for one in found if one.labels.get(INSTALLATION) == owner.installation]
    return [one.id for one in ours if one.labels.get(START) != owner.start or one.labels.get(RUNNER) == owner.runner]


_encoder: Final = msgspec.json.Encoder()
