"""Where the program lies: all that an interpreter needs to see to run `python -I -m wirken.X`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import wirken


def program_paths() -> tuple[str, ...]:
    """Return the absolute paths of interpreter, environment and package that are not below /usr.

    Covers an environment that lies elsewhere, an editable installation, and an interpreter that is reached
    over a chain of links. No path in the result lies below another.
    """
    package = Path(wirken.__file__).parent
    wanted = {Path(os.path.normpath(place)) for place in (sys.base_prefix, sys.base_exec_prefix, sys.prefix)} | {
        package
    }
    wanted |= {place.resolve() for place in wanted}
    wanted |= _links(Path(sys.executable))
    return _outermost(wanted)


def _outermost(places: set[Path]) -> tuple[str, ...]:
    """Return what of `places` must be shown by itself: not below /usr, not below another of them."""
    kept: list[Path] = []
    for place in sorted(places, key=lambda path: len(path.parts)):
        if not place.is_relative_to("/usr") and not any(place.is_relative_to(above) for above in kept):
            kept.append(place)
    return tuple(str(place) for place in kept)


def _links(executable: Path) -> set[Path]:
    """Return every path on the way from `executable` to the program itself."""
    seen: set[Path] = set()
    current = Path(os.path.normpath(executable))
    while current not in seen:
        seen.add(current)
        if not current.is_symlink():
            break
        current = Path(os.path.normpath(current.parent / current.readlink()))
    return seen
