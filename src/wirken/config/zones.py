"""The time zone that quiet hours are read in: one of the IANA database by name, or the machine's."""

from __future__ import annotations

from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wirken.domain.errors import ConfigError
from wirken.domain.quiet import Quiet, hours

if TYPE_CHECKING:
    from wirken.config.model import ApprovalsConfig

LOCALTIME: Final = Path("/etc/localtime")
"""localtime(5): the machine's zone; without it, UTC. A copy or a link, visible in every process's view."""


class UnknownZone(ConfigError):
    """No such time zone is known on this machine."""

    hint = "Use a name of the IANA database, such as Europe/Berlin; the package tzdata has them."


def zone(name: str, localtime: Path = LOCALTIME) -> tzinfo:
    """Return the zone of that name, or with an empty one the machine's. Raises `UnknownZone`."""
    import zoneinfo  # only where there are quiet hours: 2 ms in every command

    try:
        if name:
            return zoneinfo.ZoneInfo(name)
        if not localtime.exists():
            return UTC
        with localtime.open("rb") as file:
            return zoneinfo.ZoneInfo.from_file(file, key="localtime")
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        raise UnknownZone("This time zone is not known here." if name else f"{localtime} is no time zone.") from None


def quiet(approvals: ApprovalsConfig) -> Quiet | None:
    """Return the quiet hours of `[approvals]`, if it has any. Raises `BadHours`, `UnknownZone`."""
    return Quiet(*hours(approvals.quiet), zone(approvals.zone)) if approvals.quiet else None
