from __future__ import annotations

from pathlib import Path

import pytest

from wirken.cli import boxes, plans
from wirken.config.model import Config, ConfineConfig
from wirken.config.sandbox import SandboxConfig
from wirken.confine import process
from wirken.domain.walls import LANDLOCK_SINCE
from wirken.supervisor import trial
from wirken.supervisor.launch import Tools

NO_BWRAP = Tools("", "", -1)


def test_without_bubblewrap_nothing_starts_unless_the_view_may_be_missing() -> None:
    with pytest.raises(trial.NoWalls):
        plans._walls(NO_BWRAP, Config())
    missing, trouble = plans._walls(NO_BWRAP, Config(confine=ConfineConfig(allow_missing=("view",))))
    assert missing == ("view",)
    assert "no" in trouble


def test_switching_commands_off_takes_no_wall_from_our_own_processes() -> None:
    with pytest.raises(trial.NoWalls):
        plans._walls(NO_BWRAP, Config(sandbox=SandboxConfig(mode="off")))
    missing, trouble = plans._walls(plans.tools(), Config(sandbox=SandboxConfig(mode="off")))
    assert (missing, trouble) == ((), "switched off in config.toml")


def test_what_may_be_missing_and_is_not_stays() -> None:
    allowed = ConfineConfig(allow_missing=("view", "landlock", "seccomp"))
    assert plans._walls(plans.tools(), Config(confine=allowed))[0] == ()


def test_a_machine_that_lacks_what_may_not_be_missing_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wirken.confine.landlock.version", lambda: 3)
    with pytest.raises(process.WallMissing) as caught:
        trial.without(("landlock-tcp",))
    assert "landlock-ioctl, landlock-scope" in str(caught.value)
    assert "landlock-tcp" not in str(caught.value)
    later = tuple(name for name, since in LANDLOCK_SINCE.items() if since > 3)
    assert trial.without(later) == trial.without(("landlock",)) == later


def test_a_tool_root_without_a_shell_or_beside_containers_is_said_in_the_first_lines(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sh").symlink_to("/bin/none")
    own = boxes.Chosen("bubblewrap", "asked")
    assert plans._programs(str(tmp_path), own) == f"{tmp_path} (it has no /bin/sh, which text commands need)"
    (tmp_path / "bin/none").touch()
    assert plans._programs(str(tmp_path), own) == str(tmp_path)
    assert "not used" in plans._programs(str(tmp_path), boxes.Chosen("docker", "asked"))
    assert plans.without_shell("") == ""
