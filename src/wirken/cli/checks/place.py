"""Where the data lies: owner and modes, sockets, space, time."""

from __future__ import annotations

import datetime
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wirken.cli.checks.finding import Finding, info, ok, red, yellow
from wirken.cli.checks.installation import Installation
from wirken.domain import limits
from wirken.record.reader import NoRecord, RecordReader
from wirken.supervisor import tree

_RELEASED: Final = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
_NAMED: Final = 3  # paths named in one finding


def data_directory(home: Installation) -> Iterator[Finding]:
    """Do the data directory and what lies in it belong to us alone?"""
    data = home.paths.data
    if not data.is_dir():
        yield info(f"{data} does not exist yet", "The first command makes it.")
        return
    listed = _listed(home)
    strangers = [path for path, seen in listed if seen.st_uid not in home.owners]
    loose = [path for path, seen in listed if stat.S_IMODE(seen.st_mode) & 0o077 and not stat.S_ISLNK(seen.st_mode)]
    if strangers:
        yield red(
            f"{_some(strangers)}: owned by somebody else",
            "Who owns a file decides about its mode and content.",
            f"chown it, or choose another place with WIRKEN_DATA_DIR ({data}).",
        )
    if loose:
        why = "Other users of this machine may read or change it. Wirken closes it at each start."
        yield red(f"{_some(loose)}: open to others", why, "wirken doctor --fix")
    if not strangers and not loose:
        yield ok(f"{data}: ours alone")


def tighten(home: Installation) -> None:
    """Close the data directory, as each start does."""
    if home.paths.data.is_dir():
        tree.prepare(str(home.paths.data), str(home.paths.sockets_dir), home.tools.service_uid)


def sockets(home: Installation) -> Iterator[Finding]:
    """Do the sockets fit their addresses, and are they ours?"""
    place = home.paths.sockets_dir
    if place != home.paths.data / "sockets":
        yield info(f"{place} is used", f"{home.paths.data}/sockets is too long for the address of a Unix socket.")
    try:
        seen = place.lstat()
    except FileNotFoundError:
        return
    if seen.st_uid not in home.owners or not stat.S_ISDIR(seen.st_mode):
        yield red(
            f"{place} is not our directory",
            "Somebody else could take the place of the gateway or the vault.",
            f"Remove {place} (as its owner or root), or choose another place with WIRKEN_DATA_DIR.",
        )
        return
    found = [(path, path.lstat()) for path in place.iterdir()]
    strange = [path for path, its in found if its.st_uid not in home.owners]
    if strange:
        why = "A socket of another user stands where ours belong."
        yield red(f"{_some(strange)}: owned by somebody else", why, f"Stop Wirken and remove {_some(strange)}.")
    else:
        yield ok(f"{place}: {len(found)} sockets, all ours")


def disk_space(home: Installation) -> Iterator[Finding]:
    """Is there room for the record? A row that cannot be written stops its turn."""
    place = next(path for path in (home.paths.data, *home.paths.data.parents) if path.is_dir())
    free = shutil.disk_usage(place).free
    seen = f"{free / 2**30:.1f} GiB free at {place}"
    why = "What cannot be recorded is not done: with a full disk every turn fails."
    if free < limits.DISK_FULL:
        yield red(seen, why, "Make room.")
    elif free < limits.DISK_LOW:
        yield yellow(seen, why, "Make room soon.")
    else:
        yield ok(seen)


def clock(home: Installation) -> Iterator[Finding]:
    """Is the clock plausible: not before this release, not before the newest row?"""
    seen = datetime.datetime.fromtimestamp(home.now / 1000, datetime.UTC)
    why = "Grants, approvals and expiries go by the clock, and TLS refuses certificates that are not valid yet."
    fix = "Set it: sudo timedatectl set-ntp true"
    newest = _newest_row(home)
    if seen < _RELEASED:
        yield red(f"it is {seen:%Y-%m-%d} by this machine's clock, before this program was made", why, fix)
    elif newest > home.now + limits.CLOCK_SKEW * 1000:
        yield yellow(f"the newest row of the record is of {_moment(newest)}, in the future", why, fix)
    else:
        yield ok(f"{seen:%Y-%m-%d %H:%M} UTC")


def _moment(ms: int) -> str:
    """Return a time in ms since the epoch in UTC; as the number where a tampered row names no day."""
    if not 0 <= ms < limits.CALENDAR_END:
        return f"{ms} ms after 1970"
    return f"{datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC):%Y-%m-%d %H:%M} UTC"


def _newest_row(home: Installation) -> int:
    try:
        reader = RecordReader(home.paths.audit_db)
    except NoRecord:
        return 0
    try:
        return max((row.ts for row in reader.newest(1)), default=0)
    finally:
        reader.close()


def _listed(home: Installation) -> list[tuple[Path, os.stat_result]]:
    """Return what must be ours: the data directory, its folders, and the files directly in them."""
    data = home.paths.data
    folders = [data, *(place for place in (home.paths.vault_dir, home.paths.gateway_dir) if place.is_dir())]
    below = [path for folder in folders for path in folder.iterdir()]
    found = {data: data.stat()}
    for path in below:
        try:
            found[path] = path.lstat()
        except FileNotFoundError:
            continue  # a database's side files come and go
    return list(found.items())


def _some(paths: list[Path]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(str(path) for path in paths[:_NAMED]) + more
