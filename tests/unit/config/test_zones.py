from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wirken.config.load import ConfigInvalid, parse
from wirken.config.model import ApprovalsConfig
from wirken.config.zones import UnknownZone, quiet, zone

WINTER = datetime(2026, 1, 1)


def test_a_name_of_the_database_is_that_zone_with_its_summer(tmp_path: Path) -> None:
    found = zone("Europe/Berlin", tmp_path / "none")
    assert [WINTER.replace(month=month, tzinfo=found).utcoffset() for month in (1, 7)] == [
        timedelta(hours=1),
        timedelta(hours=2),
    ]


def test_without_a_name_it_is_the_machines_as_a_link_or_a_copy(tmp_path: Path) -> None:
    tokyo = Path("/usr/share/zoneinfo/Asia/Tokyo")
    link, copy = tmp_path / "link", tmp_path / "copy"
    link.symlink_to(tokyo)
    shutil.copy(tokyo, copy)
    for place in (link, copy):
        assert WINTER.replace(tzinfo=zone("", place)).utcoffset() == timedelta(hours=9)


def test_a_machine_without_a_zone_has_utc(tmp_path: Path) -> None:
    assert zone("", tmp_path / "none") is UTC


@pytest.mark.parametrize(
    "name", ["Europe/Atlantis", "../../etc/passwd", "/etc/localtime", "Europe", "a\0b", "x" * 5000]
)
def test_no_other_name_is_a_zone(name: str) -> None:
    with pytest.raises(UnknownZone):
        zone(name)


def test_a_machines_file_that_is_no_zone_is_refused_and_never_taken_for_utc(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("Europe/Berlin")
    with pytest.raises(UnknownZone, match="is no time zone"):
        zone("", tmp_path / "bad")


def test_without_quiet_hours_there_are_none() -> None:
    assert quiet(ApprovalsConfig(zone="Europe/Berlin")) is None


def test_the_configuration_says_where_and_when() -> None:
    text = (
        '[approvals]\nhome = "telegram/12345"\napprovers = "slack/C01"\nquiet = "22:00-07:00"\nzone = "Europe/Berlin"\n'
    )
    approvals = parse(text.encode(), "config.toml").approvals
    assert (approvals.home, approvals.approvers, approvals.quiet) == ("telegram/12345", "slack/C01", "22:00-07:00")
    assert quiet(approvals) is not None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('home = "telegram"', "its channel and its id"),
        ('home = "webchat/a"', "Wirken's own"),
        ('home = "terminal/a"', "Wirken's own"),
        ('home = "Telegram/1"', "channel name"),
        ('home = "telegram/"', "conversation id"),
        ('home = "telegram/a/b"', "conversation id"),
        ('approvers = "telegram/a b"', "conversation id"),
        ('quiet = "10pm-7am"', "no quiet hours"),
        ('quiet = "07:00-07:00"', "none, or all day"),
        ('quiet = "22:00-07:00"\nzone = "Europe/Atlantis"', "not known here"),
        ('zone = "Europe/Atlantis"', "not known here"),
        ('silent = "22:00-07:00"', "silent"),
    ],
)
def test_what_cannot_be_followed_is_refused_when_it_is_read(line: str, said: str) -> None:
    with pytest.raises(ConfigInvalid, match="approvals") as refused:
        parse(f"[approvals]\n{line}\n".encode(), "config.toml")
    assert said in str(refused.value)
