"""The walls of our own processes that a machine may lack, by name: what `[confine] allow_missing` may say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias, get_args

WallName: TypeAlias = Literal[
    "view",  # bubblewrap's namespaces and read-only root
    "landlock",  # Linux 5.13: files
    "landlock-truncate",  # 6.2: cutting files short
    "landlock-tcp",  # 6.7: TCP bind and connect
    "landlock-ioctl",  # 6.10: requests to devices
    "landlock-scope",  # 6.12: signals and abstract Unix sockets
    "seccomp",  # the filter of system calls
]

WALLS: Final[tuple[str, ...]] = get_args(WallName)
REPORT: Final = "walls"
"""The first word of the line in which a child tells the supervisor which walls it has put on."""
VIEW: Final = "view"
SECCOMP: Final = "seccomp"
LANDLOCK_SINCE: Final = {
    "landlock": 1,
    "landlock-truncate": 3,
    "landlock-tcp": 4,
    "landlock-ioctl": 5,
    "landlock-scope": 6,
}
"""The version of Landlock's interface that brought each part (landlock(7), "VERSIONS")."""


def covered(names: Iterable[str]) -> frozenset[str]:
    """Return `names` with what they imply: without `landlock` there is none of its parts."""
    found = frozenset(names)
    return found | frozenset(LANDLOCK_SINCE) if "landlock" in found else found


def report(worn: Iterable[str]) -> bytes:
    """Return the line that tells which walls were put on."""
    return f"{' '.join((REPORT, *worn))}\n".encode("ascii")
