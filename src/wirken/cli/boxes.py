"""Which sandbox commands get, and why: the configuration's word, held against what is here."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import stat
from pathlib import Path
from typing import Final, NamedTuple

from wirken.config.sandbox import SandboxConfig
from wirken.domain.actions import SandboxKind

RUNSC: Final = "runsc"
_PATH: Final = "/usr/bin:/usr/local/bin"
_ASKED: Final = 2.0  # seconds; an engine on this machine answers in milliseconds
_HEAD: Final = 256 * 1024  # bytes of what an engine tells about itself


class Chosen(NamedTuple):
    """The sandbox that the runners are started with. It can still turn out not to work; the runner tries it."""

    kind: SandboxKind
    why: str
    trouble: str = ""
    """Why it is known already that no command can be run; empty where it is not."""
    options: tuple[str, ...] = ()
    """The runner's options."""
    shown: tuple[str, ...] = ()
    """Paths that the runners must see besides."""
    hatches: str = ""
    """A folder of the data directory in which they make sockets for containers; empty where there are none."""
    group: int = -1
    """The group that may speak to the engine; -1 where it needs none, or only root."""

    @property
    def rooted(self) -> bool:
        """Whether it can be given a tool root: containers have their image's programs."""
        return self.kind == "bubblewrap" or "--runsc" in self.options


def choose(config: SandboxConfig, bubblewrap: str, data: str, start: str) -> Chosen:
    """Return the sandbox for this configuration.

    `bubblewrap` says why bubblewrap does not work here; empty where it does. `start` is a word for this start of
    Wirken alone; it tells our containers from those of an earlier one.
    """
    asked = f'because [sandbox] mode is "{config.mode}"'
    match config.mode:
        case "off":
            return Chosen("none", asked, "switched off in config.toml")
        case "bubblewrap":
            return _bubblewrap(config, asked, bubblewrap)
        case "docker":
            found = _engine(config, "docker", asked, data, start)
            return found if _answers(config.docker_socket) else found._replace(trouble=_silent(config))
        case "gvisor":
            return _gvisor(config, asked, bubblewrap, data, start)
        case "auto":
            if not bubblewrap:
                return _bubblewrap(config, "because it works here", "")
            if not _answers(config.docker_socket):
                trouble = f"{bubblewrap.rstrip('.')}; and {_silent(config)}"
                return _bubblewrap(config, "because there is nothing else", trouble)
            why = f"because bubblewrap does not work here: {bubblewrap}"
            found = _engine(config, "docker", why, data, start)
            return found._replace(options=(*found.options, "--instead-of", bubblewrap))


def _silent(config: SandboxConfig) -> str:
    return f"no container engine answers at {config.docker_socket}"


def _bubblewrap(config: SandboxConfig, why: str, trouble: str) -> Chosen:
    return Chosen("bubblewrap", why, trouble, ("--bounds", config.bounds))


def _engine(config: SandboxConfig, kind: SandboxKind, why: str, data: str, start: str) -> Chosen:
    path = os.path.realpath(config.docker_socket)
    runtime = config.runtime or (RUNSC if kind == "gvisor" else "")
    installation = hashlib.sha256(data.encode()).hexdigest()[:16]
    options = ("--sandbox", kind, "--engine", path, "--image", config.image, "--runtime", runtime)
    # gVisor's runtime cannot say which processes a container has, so none of its containers is kept.
    warm = ("--warm", "1") if config.warm and kind == "docker" else ()
    owner = ("--bounds", config.bounds, "--installation", installation, "--start", start)
    hatches = f"{data}/hatches"
    given = (*options, *warm, "--hatches", hatches, *owner)
    return Chosen(kind, why, options=given, shown=(path,), hatches=hatches, group=_group(path))


def _gvisor(config: SandboxConfig, asked: str, bubblewrap: str, data: str, start: str) -> Chosen:
    """Return gVisor as the engine's runtime where it has it, else as a program in a sandbox of bubblewrap's."""
    runtime = config.runtime or RUNSC
    if f'"{runtime}":'.encode() in _told(config.docker_socket, "/info"):
        return _engine(config, "gvisor", f"{asked} and the engine has the runtime {runtime}", data, start)
    why = f"{asked}, without an engine: none at {config.docker_socket} has the runtime {runtime}"
    program = shutil.which(RUNSC, path=_PATH)
    if program is None:
        return Chosen("gvisor", why, "runsc (gVisor) is not installed below /usr", ("--sandbox", "gvisor"))
    return Chosen("gvisor", why, bubblewrap, ("--sandbox", "gvisor", "--runsc", program, "--bounds", config.bounds))


def _group(path: str) -> int:
    """Return the group that may speak to a socket; -1 for root's own, which no process of ours is given."""
    try:
        found = Path(path).stat()
    except OSError:
        return -1
    return found.st_gid if found.st_mode & stat.S_IWGRP and found.st_gid != 0 else -1


def _answers(path: str) -> bool:
    return _told(path, "/_ping").startswith(b"HTTP/1.")


def _told(path: str, target: str) -> bytes:
    """Return what an engine answers; nothing where none does."""
    said = bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_ASKED)
            asking.connect(path)
            asking.sendall(f"GET {target} HTTP/1.0\r\nHost: engine\r\n\r\n".encode())
            while len(said) < _HEAD and (data := asking.recv(_HEAD)):
                said += data
    except OSError:
        return b""
    return bytes(said)
