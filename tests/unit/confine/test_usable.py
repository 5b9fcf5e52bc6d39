from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from wirken.confine.usable import PROFILE, obstacle

PARSER = "/usr/sbin/apparmor_parser"


def machine(root: Path, **files: str) -> Path:
    """Record a machine: every keyword is a path with `__` for `/` and its content."""
    for name, content in {"usr__bin__bwrap": "", **files}.items():
        place = root / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    return root


def test_a_machine_without_bubblewrap_is_told_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/apt-get").touch()
    found = obstacle(tmp_path)
    assert (found.name, found.fix) == ("bubblewrap-missing", "Install it: sudo apt-get install bubblewrap")


def test_an_unknown_distribution_is_told_what_not_how(tmp_path: Path) -> None:
    assert obstacle(tmp_path).fix == "Install bubblewrap 0.7.0 or later."


def test_an_old_bubblewrap_is_recognised_by_its_words(tmp_path: Path) -> None:
    assert obstacle(machine(tmp_path), "bwrap: Unknown option --size").name == "bubblewrap-too-old"


@pytest.mark.parametrize(
    ("files", "name", "fix"),
    [
        (
            {"proc__sys__kernel__unprivileged_userns_clone": "0\n"},
            "userns-switched-off",
            "kernel.unprivileged_userns_clone=1",
        ),
        ({"proc__sys__user__max_user_namespaces": "0\n"}, "userns-none-allowed", "user.max_user_namespaces=15000"),
        ({"proc__sys__kernel__apparmor_restrict_unprivileged_userns": "1\n"}, "apparmor", str(PROFILE)),
        ({".dockerenv": ""}, "container", "systempaths=unconfined"),
        ({"run__.containerenv": ""}, "container", "seccomp=unconfined"),
        ({"proc__1__cgroup": "0::/kubepods/pod1/abc\n"}, "container", "seccomp=unconfined"),
    ],
)
def test_recorded_machines_are_recognised(tmp_path: Path, files: dict[str, str], name: str, fix: str) -> None:
    found = obstacle(machine(tmp_path, **files), "bwrap: setting up uid map: Permission denied")
    assert found.name == name
    assert fix in found.fix


def test_a_profile_that_would_compete_with_ours_is_switched_off_first(tmp_path: Path) -> None:
    ubuntu = machine(
        tmp_path,
        proc__sys__kernel__apparmor_restrict_unprivileged_userns="1\n",
        **{"etc__apparmor.d__bwrap-userns-restrict": "profile"},
    )
    assert "disable/" in obstacle(ubuntu, "bwrap: setting up uid map: Permission denied").fix


def test_a_machine_that_allows_everything_gets_bubblewraps_own_words(tmp_path: Path) -> None:
    allowing = machine(
        tmp_path,
        proc__sys__kernel__unprivileged_userns_clone="1\n",
        proc__sys__user__max_user_namespaces="96365\n",
        proc__sys__kernel__apparmor_restrict_unprivileged_userns="0\n",
    )
    found = obstacle(allowing, "first line\nbwrap: Can't mount proc on /newroot/proc: Operation not permitted\n")
    assert (found.name, "Can't mount proc" in found.reason) == ("unknown", True)


def test_our_profile_is_part_of_the_program_and_names_only_bubblewrap() -> None:
    lines = [line for line in PROFILE.read_text().splitlines() if line.startswith("profile ")]
    assert lines == ["profile wirken-bwrap /usr/bin/bwrap flags=(unconfined) {"]


def test_the_profile_is_one_that_apparmor_parser_reads(tmp_path: Path) -> None:
    """An older parser than 4.0 (Debian 12) does not know `userns`: it reads all the rest."""
    said = subprocess.run([PARSER, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+)", said)
    assert found is not None
    text = PROFILE.read_text()
    assert "userns,\n" in text
    if int(found[1]) < 4:
        text = text.replace("abi <abi/4.0>,\n", "").replace("  userns,\n", "")
    (tmp_path / "profile").write_text(text)
    line = [PARSER, "--skip-kernel-load", "--skip-cache", "--skip-read-cache", str(tmp_path / "profile")]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (tmp_path / "profile").write_text(text.replace("flags=(unconfined)", "flags=(nonsense)"))
    assert subprocess.run(line, capture_output=True, check=False).returncode != 0
