"""A tool root through every process: what commands run, what is judged, shown, recorded, and refused at start."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.engine import busybox_root
from tests.support.spine import WIRKEN, Spine, environment, spine, until, wirken
from tests.support.supervised import free_port
from tests.support.terminal import Terminal

from wirken.domain.events import ApprovalRequested, ToolPermitted, ToolResultFact

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """A folder that everybody may enter: as root, the runner has a uid of its own."""
    folder = Path(tempfile.mkdtemp(prefix="wirken-image-"))
    folder.chmod(0o755)
    place = busybox_root(folder / "busybox")
    shutil.copy(place / "bin/busybox", place / "usr/bin/git")
    (place / "usr/bin/looks-harmless").symlink_to("/usr/bin/git")
    yield place
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def up(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    config = f'[sandbox]\nmode = "bubblewrap"\ntools = "{image}"\nprocesses = 100\n'
    with spine(tmp_path_factory.mktemp("rooted"), config) as one:
        yield one


def granted(up: Spine, *keys: str) -> None:
    for key in keys:
        words = ("--agent", "default", "--principal", "owner", "--channel", "terminal")
        assert wirken(up.data, "permissions", "approve", key, *words).returncode == 0


def test_a_command_runs_the_images_program_and_the_record_names_the_image(up: Spine, image: Path) -> None:
    granted(up, "shell:pwd", "shell:grep")
    done = wirken(up.data, "ask", "-m", "run: pwd\nrun: grep --help", "--session", "one")
    assert done.returncode == 0, done.stderr
    facts = up.facts("default/terminal/one")
    results = [fact.output for fact in facts if isinstance(fact, ToolResultFact)]
    assert results[0] == "/workspace\n", results
    assert "BusyBox" in results[1], results
    permits = [json.loads(fact.call) for fact in facts if isinstance(fact, ToolPermitted)]
    assert {(call["place"]["tools"], call["place"]["bounds"]) for call in permits} == {(str(image), "100 processes")}
    assert wirken(up.data, "sessions", "verify", "default/terminal/one").returncode == 0


def test_the_question_names_the_image_the_lowered_limits_and_what_a_link_of_the_image_leads_to(
    up: Spine, image: Path
) -> None:
    at = Terminal([*WIRKEN, "ask", "-m", "run: looks-harmless x", "--session", "asked"], environment(up.data))
    at.see("Approval needed (tier3")
    at.see(f"with the programs of {image}")
    at.see("may use at most 100 processes")
    at.see("Allow? ")
    at.type("n\n")
    assert at.end() == 0
    asked = [fact for fact in up.facts("default/terminal/asked") if isinstance(fact, ApprovalRequested)]
    assert len(asked) == 1, "judged as git, which it is in the image; the machine has no such program"


def test_only_gateway_and_runner_see_the_image(up: Spine, image: Path) -> None:
    for role in up.outer():
        mounts = Path(f"/proc/{up.pid(role)}/mountinfo").read_text().splitlines()
        found = [line.split()[5] for line in mounts if line.split()[4] == str(image)]
        assert [options.split(",")[0] for options in found] == (["ro"] if role in ("gateway", "runner") else []), role


def test_doctor_and_the_first_lines_name_the_image(up: Spine, image: Path) -> None:
    assert f"Tools:    {image}\n" in up.out
    found = {one["id"]: one for one in json.loads(wirken(up.data, "doctor", "--json").stdout)["findings"]}
    assert (found["tool-root"]["severity"], str(image) in found["tool-root"]["seen"]) == ("ok", True)
    assert wirken(up.data, "config", "check").returncode == 0


def test_a_tool_root_that_cannot_be_used_stops_the_start_with_the_reason(image: Path, tmp_path: Path) -> None:
    open_to_all = busybox_root(image.parent / "open")
    (open_to_all / "usr/bin").chmod(0o777)
    for path, said in ((open_to_all, "can be written by others"), (tmp_path / "missing", "not a directory")):
        data = tmp_path / f"with-{path.name}" / "data"
        data.mkdir(mode=0o700, parents=True)
        (data / "config.toml").write_text(f'[sandbox]\ntools = "{path}"\n')
        done = wirken(data, "run", "--port", str(free_port()))
        assert done.returncode != 0 and said in done.stderr, done.stderr
        assert said in wirken(data, "config", "check").stdout
        assert said in wirken(data, "doctor").stdout


def test_a_workspace_in_the_tool_root_is_refused(image: Path, tmp_path: Path) -> None:
    (image / "work").mkdir(exist_ok=True)
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "config.toml").write_text(f'[sandbox]\ntools = "{image}"\n[agents.default]\nworkspace = "{image}/work"\n')
    done = wirken(data, "run", "--port", str(free_port()))
    assert done.returncode != 0 and "tool root" in done.stderr, done.stderr


def test_a_tool_root_that_was_swapped_is_not_started_with(image: Path, tmp_path: Path) -> None:
    own = busybox_root(image.parent / "own")
    with spine(tmp_path, f'[sandbox]\ntools = "{own}"\n') as one:
        own.rename(image.parent / "old")
        own.symlink_to(image)
        for role in ("runner", "gateway"):
            one.kill(role)
            until(
                lambda role=role: f"{role} cannot be started: The folder {own} was replaced" in one.err, lambda: one.err
            )
        assert one.stop(signal.SIGTERM) < 15
