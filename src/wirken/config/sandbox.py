"""`[sandbox]`: where commands run, and how much each may use."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from wirken.domain import limits
from wirken.domain.actions import SandboxKind

Mode: TypeAlias = Literal["auto", "bubblewrap", "docker", "gvisor", "off"]

DOCKER_SOCKET: Final = "/var/run/docker.sock"
IMAGE: Final = "debian:stable-slim"
_MEBIBYTE: Final = 2**20

ImageName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][A-Za-z0-9._/:@-]{0,254}$")]
Absolute = Annotated[str, msgspec.Meta(pattern=r"^/[^\0]*$", max_length=limits.ENGINE_PATH)]


class SandboxConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[sandbox]`. `auto`: bubblewrap where it works, else Docker. `off`: there is no tool that runs commands."""

    mode: Mode = "auto"
    image: ImageName = IMAGE
    """What containers are made of; Wirken fetches none."""
    docker_socket: Absolute = DOCKER_SOCKET
    """Of Docker's engine, or of Podman's."""
    runtime: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{0,64}$")] = ""
    """The engine's runtime; empty for its default, and for `runsc` with gvisor."""
    warm: bool = False
    """With docker: keep a session's container for its next command. Faster; /tmp and the limits are shared then."""
    memory_mib: Annotated[int, msgspec.Meta(ge=32, le=limits.EXEC_MEMORY // _MEBIBYTE)] = (
        limits.EXEC_MEMORY // _MEBIBYTE
    )
    processes: Annotated[int, msgspec.Meta(ge=8, le=limits.EXEC_PROCESSES)] = limits.EXEC_PROCESSES
    seconds: Annotated[int, msgspec.Meta(ge=1, le=int(limits.EXEC_TIME))] = int(limits.EXEC_TIME)
    tmp_mib: Annotated[int, msgspec.Meta(ge=1, le=limits.EXEC_TMP // _MEBIBYTE)] = limits.EXEC_TMP // _MEBIBYTE
    tools: Annotated[str, msgspec.Meta(pattern=r"^(/|~/)[^\0]*$|^$", max_length=limits.ENGINE_PATH)] = ""
    """With bubblewrap: a folder with an unpacked image, whose programs commands get; empty for the machine's own."""
    reach: tuple[str, ...] = ("~",)
    """Folders below which a person may let one call have a path outside its workspace; `~` is the operator's home.

    Hidden files and folders, the system's, and Wirken's own are never given.
    """

    @property
    def expected(self) -> SandboxKind:
        """What commands run in, as far as the configuration alone says it."""
        match self.mode:
            case "off":
                return "none"
            case "auto":
                return "bubblewrap"
            case kind:
                return kind

    @property
    def bounds(self) -> str:
        """The runner's option: bytes of memory, processes, seconds, bytes of /tmp."""
        return f"{self.memory_mib * _MEBIBYTE},{self.processes},{self.seconds},{self.tmp_mib * _MEBIBYTE}"

    @property
    def said(self) -> str:
        """The limits in words."""
        return f"{self.memory_mib} MiB, {self.processes} processes, {self.seconds} s, {self.tmp_mib} MiB of /tmp"
