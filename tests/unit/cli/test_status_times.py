from __future__ import annotations

import io
import os
import subprocess
import time
from pathlib import Path

import pytest

from wirken.cli.channel_rows import span, told
from wirken.cli.output import Output
from wirken.cli.status import seconds_up
from wirken.ipc.calls.channels import ChannelRow


def test_the_age_of_a_process_is_the_kernels() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        time.sleep(1.2)
        assert seconds_up(process.pid) in (1, 2)
        process.kill()


def test_a_name_with_brackets_and_spaces_does_not_shift_the_fields(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    fields = " ".join(["S", *["0"] * 18, str(100 * os.sysconf("SC_CLK_TCK")), "0"])
    (tmp_path / "7" / "stat").write_text(f"7 (a ) (b c) {fields}\n")
    (tmp_path / "uptime").write_text("160.50 1.0\n")
    assert seconds_up(7, tmp_path) == 60


def test_an_unknown_age_is_said_to_be_unknown(tmp_path: Path) -> None:
    assert seconds_up(1, tmp_path) == -1
    assert span(-1) == "for an unknown time"


@pytest.mark.parametrize(("seconds", "said"), [(0, "00:00:00"), (3661, "01:01:01"), (90_061, "1 days 01:01:01")])
def test_a_span_for_people(seconds: int, said: str) -> None:
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"connected": True, "detail": "@bot"}, "telegram: connected for 00:01:00; @bot"),
        ({}, "telegram: not connected for 00:01:00"),
        ({"attached": False}, "telegram: its adapter does not run for 00:01:00"),
        (
            {"revoked": True},
            "telegram: its token is refused: `wirken channel add telegram` asks for a new one for 00:01:00",
        ),
    ],
)
def test_a_channel_says_how_it_is_and_since_when(more: dict[str, object], said: str) -> None:
    known = {"channel": "telegram", "attached": True, "connected": False, "since": 1_000_000, "last_message": 1_030_000}
    known |= {"undelivered": 2, "detail": "", "revoked": False} | more
    stdout = io.StringIO()
    Output(as_json=False, stdout=stdout, stderr=stdout, environ={}).show({}, told(ChannelRow(**known), 1060.0))  # type: ignore[arg-type]  # by name
    first, second = stdout.getvalue().splitlines()
    assert first == f"Channel:    {said}"
    assert second == "            last message: 00:00:30 ago, 2 answers not delivered yet"
