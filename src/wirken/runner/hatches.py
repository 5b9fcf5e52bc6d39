"""What a hatch is, in the words of the Engine API: the container whose network a granted command's container joins.

It has the walls of every container of ours and less room. Mounted are the machine's own programs and ours, all
read-only, and one socket; the workspace is not.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from wirken.confine.pyenv import program_paths
from wirken.domain import limits
from wirken.runner.bubblewrap import ENVIRONMENT
from wirken.runner.containers import Mounted, Recipe, Room, mounts, walls

DOOR: Final = "/hatch.sock"
"""Where a hatch is shown the runner's socket."""

_MACHINE: Final = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache")
"""What an interpreter needs of the machine; the image may have other libraries, or none."""
_ROOM: Final = Room(limits.HATCH_MEMORY, limits.HATCH_PROCESSES, limits.HATCH_SHM)


class Ways(NamedTuple):
    """How an engine can give commands a network; found by the look at it."""

    command: str = ""
    """The runtime of the commands that have one; empty for the engine's default."""
    hatch: str = ""
    """The runtime of their hatches."""
    refused: str = ""
    """Why there is none; empty where there is."""
    hint: str = ""
    """What to do about that."""


UNKNOWN: Final = Ways(refused="The container engine was not looked at yet, so no command in it has a network.")


def hatch(recipe: Recipe, ways: Ways, door: str) -> bytes:
    """Return the body of `POST /containers/create` for a hatch that is shown the socket `door`."""
    shown = [place for place in _MACHINE if Path(place).exists()] + list(program_paths())
    wanted = [Mounted(place, place) for place in shown] + [Mounted(door, DOOR)]
    # The image's own environment would count, and it may name libraries that the machine's programs must not load.
    environment = {**ENVIRONMENT, "LD_PRELOAD": "", "LD_LIBRARY_PATH": ""}
    return msgspec.json.encode(
        {
            "Image": recipe.image,
            "Entrypoint": (sys.executable, "-I", "-m", "wirken.runner.hatch_inside", DOOR),
            "Env": [f"{name}={value}" for name, value in environment.items()],
            "User": recipe.identity.user,
            "WorkingDir": "/",
            "Hostname": "sandbox",
            "AttachStdin": True,
            "OpenStdin": True,
            "StdinOnce": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "Healthcheck": {"Test": ["NONE"]},
            "Labels": recipe.owner.labels,
            "HostConfig": {
                **walls(recipe, ways.hatch, _ROOM),
                "NetworkMode": "none",
                "Mounts": mounts(wanted),
            },
        }
    )
