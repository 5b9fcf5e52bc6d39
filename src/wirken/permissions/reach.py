"""Which paths outside its workspace a call will be given: part of what is decided about and shown."""

from __future__ import annotations

from typing import Final

import msgspec

from wirken.domain import limits
from wirken.domain.actions import CanonicalCall, Outside
from wirken.domain.nesting import lies_in
from wirken.permissions.decide import classify
from wirken.permissions.findings import Classified
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


def reaching(
    call: CanonicalCall, roots: tuple[str, ...], profile: Profile = "standard", programs: Programs = NOTHING_KNOWN
) -> CanonicalCall:
    """Return the call with the paths in its place that lie below `roots`, which the operator opened.

    A call that names more than limits.OUTSIDE_PATHS gets none of them. What is not plainly written is not given.
    """
    if "/" not in call.arguments and "\\u002f" not in call.arguments.lower():
        return call  # it names no absolute path, so it need not be judged twice
    outside = _given(classify(call, profile, programs), roots)
    if not 0 < len(outside) <= limits.OUTSIDE_PATHS:
        return call
    return msgspec.structs.replace(call, place=msgspec.structs.replace(call.place, outside=outside))


def steered(call: CanonicalCall, profile: Profile = "standard", programs: Programs = NOTHING_KNOWN) -> CanonicalCall:
    """Return the call with files that steer in its place, if it names some: a person sees that in the question."""
    steers = classify(call, profile, programs).steers
    return msgspec.structs.replace(call, place=msgspec.structs.replace(call.place, steering=steers))


def _given(found: Classified, roots: tuple[str, ...]) -> tuple[Outside, ...]:
    below = (
        path
        for path in found.reaches
        if is_plain(path.path)
        and any(lies_in(path.path, root) for root in roots)
        and not any(lies_in(path.path, place) for place in _SHOWN)
    )
    return tuple(sorted(below, key=lambda path: path.path))
