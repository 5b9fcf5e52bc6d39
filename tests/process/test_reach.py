"""Paths outside the workspace, through every process: asked for, given to one call, and gone after it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.spine import WIRKEN, Spine, environment, spine, until, wirken
from tests.support.terminal import Terminal
from tests.support.walled import owned

from wirken.domain.events import ToolPermitted, ToolResultFact

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def land() -> Iterator[Path]:
    """A folder that is not in /tmp, which in a sandbox is its own."""
    place = Path(tempfile.mkdtemp(prefix="wirken-reach-", dir="/var/tmp"))
    owned(place)
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, land: Path) -> Iterator[Spine]:
    for name in ("open", "closed"):
        owned(land / name)
        (land / name / "notes.txt").write_text(f"in {name}\n")
        (land / name / "notes.txt").chmod(0o666)
    config = f'[sandbox]\nreach = ["{land}/open"]\n[approvals]\nask_seconds = 20\n'
    with spine(tmp_path_factory.mktemp("reach"), config) as one:
        yield one


def granted(up: Spine, *keys: str) -> None:
    for key in keys:
        words = ("--agent", "default", "--principal", "owner", "--channel", "terminal")
        done = wirken(up.data, "permissions", "approve", key, *words)
        assert done.returncode == 0, done.stderr


def results(up: Spine, session: str) -> list[ToolResultFact]:
    return [fact for fact in up.facts(f"default/terminal/{session}") if isinstance(fact, ToolResultFact)]


def test_a_granted_file_is_read_by_tool_and_by_command_and_nothing_beside_it(up: Spine, land: Path) -> None:
    path = land / "open" / "notes.txt"
    granted(up, f"file:{path}", "shell:cat", "shell:ls", f"file:{path.parent.parent}")
    done = wirken(up.data, "ask", "-m", f"read: {path}\nrun: cat {path}", "--session", "read")
    assert done.returncode == 0, done.stderr
    assert [(one.outcome, one.output) for one in results(up, "read")] == [("ok", "in open\n")] * 2
    until(lambda: set(up.outer()) == {"vault", "gateway", "runner", "outbound", "web"}, lambda: str(up.outer()))
    wirken(up.data, "ask", "-m", f"run: ls {path.parent} {path.parent.parent}", "--session", "beside")
    permits = [fact for fact in up.facts("default/terminal/beside") if isinstance(fact, ToolPermitted)]
    assert permits == [], "the folder around it was not granted, and the folder above it is not open"


def test_what_the_operator_did_not_open_is_not_asked_for(up: Spine, land: Path) -> None:
    wirken(up.data, "ask", "-m", f"read: {land}/closed/notes.txt", "--session", "closed")
    assert "outside_workspace" in results(up, "closed")[0].output
    granted(up, f"file:{land}/closed/notes.txt")
    wirken(up.data, "ask", "-m", f"run: cat {land}/closed/notes.txt", "--session", "closed2")
    assert "No such file" in results(up, "closed2")[0].output


def test_writing_is_asked_for_every_time_shown_and_done(up: Spine, land: Path) -> None:
    path = land / "open" / "new.txt"
    for number in range(2):
        words = ["ask", "-m", f"write: {path} <<< text {number}", "--session", f"write{number}"]
        at = Terminal([*WIRKEN, *words], environment(up.data))
        at.see(f"can read and write: {path}")
        at.see("Allow? ")
        at.type("y\n")
        assert at.end() == 0
        assert path.read_text() == f"text {number}"


def test_a_command_that_may_read_cannot_write(up: Spine, land: Path) -> None:
    path = land / "open" / "notes.txt"
    command = f"""perl -e 'open(F, ">", $ARGV[0]) or print $!' {path}"""
    words = ["ask", "-m", f"run: {command}", "--session", "readonly"]
    at = Terminal([*WIRKEN, *words], environment(up.data))
    at.see(f"can read: {path}")
    at.see("Allow? ")
    at.type("y\n")
    assert at.end() == 0
    assert "Read-only file system" in results(up, "readonly")[0].output
    assert path.read_text() == "in open\n"


def test_a_command_whose_writing_was_allowed_writes(up: Spine, land: Path) -> None:
    path = land / "open" / "copied.txt"
    at = Terminal(
        [*WIRKEN, "ask", "-m", f"write: b <<< mine\nrun: cp b {path}", "--session", "copy"], environment(up.data)
    )
    at.see(f"can read and write: {path}")
    at.see("Allow? ")
    at.type("y\n")
    assert at.end() == 0
    assert path.read_text() == "mine"


def test_what_steers_in_a_folder_whose_writing_was_allowed_is_left_alone(up: Spine, land: Path) -> None:
    folder = land / "open" / "project"
    for path in (folder, folder / ".git", folder / ".git" / "hooks"):
        owned(path)
    (folder / "AGENTS.md").write_text("old\n")
    (folder / "AGENTS.md").chmod(0o666)
    evil = f"echo bad > {folder}/.git/hooks/pre-commit; echo bad > {folder}/AGENTS.md; echo bad > {folder}/.envrc; true"
    at = Terminal(
        [*WIRKEN, "ask", "-m", f"write: b <<< {evil}\nrun: cp b {folder}/ && sh b", "--session", "steer"],
        environment(up.data),
    )
    at.see(f"can read and write: {folder}")
    at.see("Allow? ")
    at.type("y\n")
    assert at.end() == 0
    assert (folder / "b").exists(), "what was allowed is done"
    assert (folder / "AGENTS.md").read_text() == "old\n"
    assert list((folder / ".git" / "hooks").iterdir()) == []
    assert f"own tools: {folder}/.envrc]" in results(up, "steer")[-1].output


def test_a_link_that_was_put_in_its_place_is_not_followed(up: Spine, land: Path) -> None:
    path = land / "open" / "swapped"
    path.symlink_to(up.paths.vault_dir / "vault.db")
    granted(up, f"file:{path}")
    wirken(up.data, "ask", "-m", f"read: {path}", "--session", "link")
    one = results(up, "link")[0]
    assert one.outcome == "denied" and "behind a link" in one.output
