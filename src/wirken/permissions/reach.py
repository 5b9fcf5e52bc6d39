"""A call as it will be decided about: with the paths outside that it will be given, and what was found about it."""

from __future__ import annotations

from typing import Final

import msgspec

from wirken.domain import limits
from wirken.domain.actions import CanonicalCall, Outside
from wirken.domain.nesting import lies_in
from wirken.permissions.decide import classify
from wirken.permissions.findings import Classified, Judged
from wirken.permissions.paths import is_plain
from wirken.permissions.profiles import Profile
from wirken.permissions.programs.verbs import NOTHING_KNOWN, Programs

_SHOWN: Final = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/proc",
    "/dev",
    "/sys",
    "/readonly",
)
"""What every sandbox has already, or has a stand-in for."""


def judged(
    call: CanonicalCall,
    roots: tuple[str, ...] = (),
    profile: Profile = "standard",
    programs: Programs = NOTHING_KNOWN,
    lowered: frozenset[str] = frozenset(),
) -> Judged:
    """Classify the call with the paths in its place that it names and that lie below `roots`, the operator's `reach`,
    and with files that steer, if it names some: a person sees both in the question.

    A call that names more than limits.OUTSIDE_PATHS gets none of them. What is not plainly written is not given.
    """
    found = classify(call, profile, programs, lowered)
    place = call.place
    if place.steering is not found.steers:
        place = msgspec.structs.replace(place, steering=found.steers)
    if 0 < len(outside := _given(found, roots)) <= limits.OUTSIDE_PATHS:
        place = msgspec.structs.replace(place, outside=outside)
    if place is call.place:
        return Judged(call, found)
    here = msgspec.structs.replace(call, place=place)
    if place.outside == call.place.outside:
        return Judged(here, found)
    # It is classified anew, because a sandbox that reaches more bears on what may run there.
    return Judged(here, classify(here, profile, programs, lowered))


def not_given(call: CanonicalCall) -> tuple[str, ...]:
    """Return the paths outside that a command names and is not given, `*` for what is not certain of them."""
    if call.tool != "exec":
        return ()
    named = (key.removeprefix("file:") for key in classify(call).keys if key.startswith("file:"))
    shown = (*_SHOWN, *(one.path for one in call.place.outside))
    return tuple(path for path in named if not any(lies_in(path, place) for place in shown))


def _given(found: Classified, roots: tuple[str, ...]) -> tuple[Outside, ...]:
    below = (
        path
        for path in found.reaches
        if is_plain(path.path)
        and any(lies_in(path.path, root) for root in roots)
        and not any(lies_in(path.path, place) for place in _SHOWN)
    )
    return _uncovered(sorted(below, key=lambda path: path.path))


def _uncovered(given: list[Outside]) -> tuple[Outside, ...]:
    """Leave out what lies in a place that is given for writing, but for what is hidden there: that is refused."""
    return tuple(
        one
        for one in given
        if not any(
            other.writable
            and other.path != one.path
            and lies_in(one.path, other.path)
            and "/." not in one.path[len(other.path) :]
            for other in given
        )
    )
