"""Can commands be run in containers here? What the engine is, what it holds, and one command to prove it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from wirken.domain import limits
from wirken.domain.errors import SandboxUnavailable
from wirken.domain.text import brief
from wirken.ipc.calls.runner import SandboxReport
from wirken.runner.containers import Identity
from wirken.runner.docker import Docker
from wirken.runner.engine_http import EngineFailed
from wirken.runner.hatches import Ways
from wirken.runner.sandbox import Command

_MISSING: Final = 404
_HELD_BY: Final = "engine"
_PLAIN: Final = ("runc", "crun")
"""Programs that put a command on the machine's kernel, in the namespaces that the engine names."""
_GVISOR: Final = "runsc"
_AROUND: Final = "--network=host"
"""runsc's word for the network namespace that it is started in."""
_NOTHING: Final = ("/bin/sh", "-c", ":")
_WORD: Final = 100  # bytes of a name or a version that the engine tells


class _Component(msgspec.Struct, frozen=True):
    name: str = msgspec.field(name="Name", default="")


class Version(msgspec.Struct, frozen=True):
    """`GET /version`."""

    version: str = msgspec.field(name="Version", default="")
    components: list[_Component] = msgspec.field(name="Components", default_factory=list)

    @property
    def podman(self) -> bool:
        return any(one.name.startswith("Podman") for one in self.components)


class Runtime(msgspec.Struct, frozen=True):
    """One of the engine's runtimes; of some it tells neither."""

    path: str = ""
    words: list[str] | None = msgspec.field(name="runtimeArgs", default=None)


class Info(msgspec.Struct, frozen=True):
    """`GET /info`, as far as it bears on what a container is held by."""

    security: list[str] = msgspec.field(name="SecurityOptions", default_factory=list)
    runtimes: dict[str, Runtime] = msgspec.field(name="Runtimes", default_factory=dict)
    usual: str = msgspec.field(name="DefaultRuntime", default="")
    memory: bool = msgspec.field(name="MemoryLimit", default=False)
    pids: bool = msgspec.field(name="PidsLimit", default=False)

    def has(self, name: str) -> bool:
        return any(option.split(",")[0] == f"name={name}" for option in self.security)

    def program(self, name: str) -> str:
        """Return the file name of a runtime's program; empty where the engine does not tell."""
        return PurePosixPath(self.runtimes[name].path).name if name in self.runtimes else ""


class _ImageConfig(msgspec.Struct, frozen=True):
    volumes: dict[str, object] | None = msgspec.field(name="Volumes", default=None)


class Image(msgspec.Struct, frozen=True):
    """`GET /images/{name}/json`."""

    id: str = msgspec.field(name="Id", default="")
    config: _ImageConfig | None = msgspec.field(name="Config", default=None)


class User(NamedTuple):
    """The runner's own uid and gid: the workspaces are theirs."""

    uid: int
    gid: int


class Unfit(SandboxUnavailable):
    """An engine is there, but does not hold what a sandbox must."""


async def look(docker: Docker, user: User, workspace: str, instead_of: str = "") -> SandboxReport:
    """Return what kind of sandbox there is, after one empty command in it; it leaves `workspace` as it is.

    `instead_of` says why a sandbox that would have been preferred does not work; it is told with our own reason.
    """
    try:
        version = _version.decode(await docker.http.ask("GET", "/version"))
        info = _info.decode(await docker.http.ask("GET", "/info"))
        fit(info, docker.recipe.runtime)
        image = await _image(docker, podman=version.podman)
        docker.recipe = docker.recipe._replace(identity=identity(info, user, podman=version.podman))
        docker.ways = ways(info, docker.recipe.runtime)
        swept = await docker.sweep()
        finished = await docker.run(Command(_NOTHING, workspace))
        if finished.exit_code != 0:
            raise Unfit(f"An empty command failed in a container: {brief(finished.output.text, _WORD * 3)}.")
    except SandboxUnavailable as error:
        reason = f"bubblewrap: {instead_of} Docker: {error}" if instead_of else str(error)
        return SandboxReport(kind="none", limits="", reason=brief(reason), fix=brief(error.advice))
    except msgspec.DecodeError:
        reason = f"What answers at {docker.http.path} is no container engine."
        return SandboxReport(kind="none", limits="", reason=reason, fix="Correct sandbox.docker_socket.")
    name = "Podman" if version.podman else "Docker"
    runtime = docker.recipe.runtime or "the engine's default"
    return SandboxReport(
        kind=docker.kind,
        limits=_HELD_BY,
        notes=(
            f"{name} {brief(version.version, _WORD)} at {docker.http.path}, runtime {runtime}",
            f"image {docker.recipe.image} is there ({brief(image.id, _WORD)})",
            f"removed {swept} containers of earlier runners at the start",
            *([f"no command can be granted a network: {brief(docker.ways.refused)}"] if docker.ways.refused else []),
        ),
    )


def fit(info: Info, runtime: str) -> None:
    """Raise `Unfit` for an engine that would leave out one of the walls without a word."""
    if not info.memory or not info.pids:
        raise Unfit(
            "The container engine cannot limit memory and processes.",
            hint="Give the engine cgroups (a rootless one needs systemd's delegation of memory and pids).",
        )
    seccomp = next((option for option in info.security if option.startswith("name=seccomp")), "")
    if not seccomp or "unconfined" in seccomp:
        raise Unfit(
            "The container engine filters no system calls.", hint="Give the engine its default seccomp profile."
        )
    if runtime and runtime not in info.runtimes:
        raise Unfit(
            f"The container engine has no runtime '{runtime}'.",
            hint="Install gVisor and register it: sudo runsc install && sudo systemctl restart docker.",
        )


def identity(info: Info, user: User, *, podman: bool) -> Identity:
    """Return as whom commands run inside, so that files of the runner's uid are theirs and no other's.

    A rootless engine maps its owner to root of the container; Podman can keep the uid instead.
    """
    own = f"{user.uid}:{user.gid}"
    if podman:
        return Identity(own, "keep-id" if info.has("rootless") else "", limits.PODMAN_PROCESSES)
    if info.has("rootless"):
        return Identity("0:0")
    return Identity(own, "host") if info.has("userns") else Identity(own)


def ways(info: Info, runtime: str) -> Ways:
    """Return how commands that run with `runtime` can be given a network; see `hatches`.

    They join their hatch's. Of runc and crun that is known to work. gVisor has a network of its own, unless a runtime
    of the same program is told to use the one around it.
    """
    plain = next((name for name in (info.usual, *sorted(info.runtimes)) if info.program(name) in _PLAIN), "")
    chosen = runtime or info.usual
    if not plain:
        return Ways(refused="The container engine has neither runc nor crun.")
    if info.program(chosen) in _PLAIN:
        return Ways(runtime, plain)
    if info.program(chosen) != _GVISOR:
        return Ways(refused=f"Whether two containers can share a network with the runtime '{chosen}' is not known.")
    same = (name for name, one in sorted(info.runtimes.items()) if one.path == info.runtimes[chosen].path)
    online = next((name for name in same if _AROUND in (info.runtimes[name].words or ())), "")
    if online:
        return Ways(online, plain)
    return Ways(
        refused=f"gVisor's own network ('{chosen}') leads nowhere, and no runtime of the same program takes another.",
        hint=f"Register {info.runtimes[chosen].path} with the engine once more, under another name, with {_AROUND} "
        "among its runtimeArgs (docs/sandbox.md, 'gVisor').",
    )


async def _image(docker: Docker, *, podman: bool) -> Image:
    wanted = docker.recipe.image
    try:
        found = _image_decoder.decode(await docker.http.ask("GET", f"/images/{quote(wanted, safe='')}/json"))
    except EngineFailed as error:
        if error.status != _MISSING:
            raise
        tool = "podman" if podman else "docker"
        raise Unfit(
            f"The image '{wanted}' of [sandbox] is not there, and Wirken fetches none.",
            hint=f"Get it: {tool} pull {wanted} — or make one from a root file system: tar -C ROOT -c . | "
            f"{tool} import - {wanted}",
        ) from None
    if found.config is not None and found.config.volumes:
        raise Unfit(
            f"The image '{wanted}' declares volumes, which would be writable and stay on disk.",
            hint="Name an image without VOLUME in [sandbox] image.",
        )
    return found


_version: Final = msgspec.json.Decoder(Version)
_info: Final = msgspec.json.Decoder(Info)
_image_decoder: Final = msgspec.json.Decoder(Image)
