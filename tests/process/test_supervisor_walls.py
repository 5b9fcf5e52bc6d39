"""What the supervisor does with a child that does not say, or does not have, the walls of its row."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.supervised import supervised

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("behave", "said"),
    [("naked", "without its walls: landlock, "), ("thin", "without its walls: landlock-scope")],
)
def test_a_child_without_its_walls_is_ended_and_nothing_starts(tmp_path: Path, behave: str, said: str) -> None:
    with supervised(tmp_path, {"web": behave}) as one:
        assert one.process.wait(15) != 0
        assert f"web ended ({said}" in one.err


def test_walls_that_may_be_missing_are_told_to_every_child_and_in_the_status(tmp_path: Path) -> None:
    with supervised(tmp_path, {"web": "thin"}, without=("landlock-scope",)) as one:
        one.wait_ready()
        assert one.ask({"ask": "status"})["without"] == ["landlock-scope"]
        assert one.children()["web"]["worn"] == [
            "landlock",
            "landlock-truncate",
            "landlock-tcp",
            "landlock-ioctl",
            "seccomp",
        ]
        assert one.seen("gateway")["options"]["--without"] == ["landlock-scope"]  # type: ignore[index]  # JSON
