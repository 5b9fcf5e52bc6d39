"""Which folders must lie apart. Pure: it compares names, so whoever asks has resolved links before, where it can.

What a command can write it can also rename and replace by a link. So no folder that somebody else is given may lie
inside a workspace, or around one.
"""

from __future__ import annotations

from collections.abc import Collection


def lies_in(path: str, place: str) -> bool:
    """Return whether the absolute `path` is `place` or below it."""
    return path == place or path.startswith(place.rstrip("/") + "/")


def clash(workspaces: Collection[str], read_only: Collection[str]) -> tuple[str, str] | None:
    """Return the first two folders of which one can be replaced from inside the other; None where there are none.

    The same folder may be the workspace of several agents: its own name cannot be changed from inside.
    """
    for one in workspaces:
        for other in workspaces:
            if one != other and lies_in(one, other):
                return one, other
    for folder in read_only:
        for one in workspaces:
            if lies_in(folder, one) or lies_in(one, folder):
                return folder, one
    return None
