"""Under which names a sandbox shows the further folders of a call. Pure: text only."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from wirken.domain.nesting import lies_in

READ_ONLY: Final = "/readonly"


def shown_at(read_only: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return each read-only folder with its place in the sandbox: `/readonly/<n>-<name>`, counted from 1."""
    return tuple(
        (folder, f"{READ_ONLY}/{number}-{PurePosixPath(folder).name or 'root'}")
        for number, folder in enumerate(read_only, start=1)
    )


def given(path: str, read_only: tuple[str, ...]) -> str | None:
    """Return what the absolute `path`, as a sandbox shows it, names of these folders: the folder's own name and what
    follows; None where it lies in none of them or climbs."""
    if ".." in path.split("/"):
        return None
    for folder, place in shown_at(read_only):
        if lies_in(path, place):
            return PurePosixPath(folder).name + path[len(place) :]
    return None
