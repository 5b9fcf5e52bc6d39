"""Writing outside the workspace by the usual verbs, through every process: asked for, done, and nothing beside it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from tests.support.spine import WIRKEN, Spine, environment, spine
from tests.support.terminal import Terminal
from tests.support.walled import owned, service_ids

from wirken.domain.events import ToolResultFact

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def land() -> Iterator[Path]:
    """A folder that is not in /tmp, which in a sandbox is its own."""
    with tempfile.TemporaryDirectory(prefix="wirken-writing-", dir="/var/tmp") as place:
        owned(Path(place))
        yield Path(place)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, land: Path) -> Iterator[Spine]:
    config = f'[sandbox]\nreach = ["{land}"]\n[approvals]\nask_seconds = 20\n'
    with spine(tmp_path_factory.mktemp("writing"), config) as one:
        yield one


class Yard(NamedTuple):
    """A folder outside with what is written and what lies beside it."""

    up: Spine
    place: Path

    def ask(self, command: str, session: str, *lines: str, first: str = "") -> ToolResultFact:
        """Have a command approved that shows these lines, and return what came of it."""
        run = f"{first}run: {command.replace('@', str(self.place))}"
        at = Terminal([*WIRKEN, "ask", "-m", run, "--session", session], environment(self.up.data))
        for line in lines:
            at.see(line.replace("@", str(self.place)))
        at.see("Allow? ")
        at.type("y\n")
        at.end()
        facts = self.up.facts(f"default/terminal/{session}")
        return [fact for fact in facts if isinstance(fact, ToolResultFact)][-1]

    def untouched(self) -> bool:
        """Is all that lies beside still as it was?"""
        beside = {name: (self.place / name) for name in ("beside", "folder/inside")}
        return all(path.read_text() == f"{name}\n" for name, path in beside.items())


@pytest.fixture
def yard(up: Spine, land: Path) -> Iterator[Yard]:
    place = land / "yard"
    for folder in (place, place / "folder", place / "tree"):
        owned(folder)
    for name in ("a", "b", "beside", "folder/inside", "tree/leaf"):
        (place / name).write_text(f"{name}\n")
        os.chown(place / name, *service_ids())
    yield Yard(up, place)
    shutil.rmtree(place)


WRITES = "can read and write: @/"
NAMES = "can make, move and remove it, so that new names can be written in: @"


DONE: Final[tuple[tuple[str, str, Callable[[Path], bool]], ...]] = (
        ("touch @/new", "new", lambda p: (p / "new").read_text() == ""),
        ("mkdir @/new", "new", lambda p: (p / "new").is_dir()),
        ("mkdir @/new && touch @/new/x", "new", lambda p: (p / "new/x").exists()),
        ("rm @/a", "a", lambda p: not (p / "a").exists()),
        ("rm -r @/tree", "tree", lambda p: not (p / "tree").exists()),
        ("mv @/a @/new", "a", lambda p: (p / "new").read_text() == "a\n" and not (p / "a").exists()),
        ("mv @/a @/tree", "a", lambda p: (p / "tree/a").read_text() == "a\n" and not (p / "a").exists()),
        ("mv @/a moved && cat moved", "a", lambda p: not (p / "a").exists()),
        ("sed -i s/a/c/ @/a", "a", lambda p: (p / "a").read_text() == "c\n"),
        ("ln -s a @/new", "new", lambda p: (p / "new").readlink() == Path("a")),
        ("cp -r @/tree @/new", "new", lambda p: (p / "new/leaf").read_text() == "tree/leaf\n"),
        ("install -m 600 @/a @/b", "b", lambda p: (p / "b").read_text() == "a\n"),
        ("truncate -s 1 @/a", "a", lambda p: (p / "a").read_text() == "a"),
        ("chmod 640 @/a", "a", lambda p: (p / "a").stat().st_mode & 0o777 == 0o640),
        ("dd if=@/b of=@/a", "a", lambda p: (p / "a").read_text() == "b\n"),
        ("echo x > l && tar -cf t l && tar -xf t -C @/tree", "tree", lambda p: (p / "tree/l").read_text() == "x\n"),
        ("gzip @/a", "a", lambda p: (p / "a.gz").exists() and not (p / "a").exists()),
        ("grep a @/a && sed -i s/a/c/ @/a && cat @/a", "a", lambda p: (p / "a").read_text() == "c\n"),
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(DONE)), ids=lambda number: DONE[number][0])
def test_what_was_allowed_is_done_and_nothing_beside_it(yard: Yard, number: int) -> None:
    command, shown, done = DONE[number]
    ran = yard.ask(command, f"done{number}", WRITES + shown)
    assert ran.outcome == "ok", ran.output
    assert done(yard.place)
    assert yard.untouched()


def test_the_question_says_where_names_can_be_made(yard: Yard) -> None:
    yard.ask("mkdir @/made", "said", WRITES + "made", NAMES)
    yard.ask(
        "mv beside @/made", "said2", WRITES + "made", "where it is no folder, " + NAMES, first="write: beside <<< x\n"
    )


def test_what_lies_beside_can_be_neither_seen_nor_written(yard: Yard) -> None:
    tries = "; ".join(
        (
            "mkdir @/new",
            "cat @/beside",
            "echo bad > @/beside",
            "rm -rf @/beside @/folder",
            "mv @/folder @/gone",
            "ls @/folder",
        )
    )
    script = f"write: b.sh <<< {tries}\n".replace("@", str(yard.place))
    ran = yard.ask("mkdir @/first && sh b.sh", "beside", WRITES + "first", first=script)
    assert "beside\n" not in ran.output and "inside" not in ran.output
    assert yard.untouched()
    assert (yard.place / "new").is_dir(), "new names cannot be prevented"
    assert f"[also made, changed or removed in {yard.place} while it ran: new]" in ran.output


def test_what_may_be_read_beside_it_is_read_and_not_written(yard: Yard) -> None:
    script = "write: c.sh <<< cat @/beside; echo bad > @/beside; rm -rf @/folder\n".replace("@", str(yard.place))
    ran = yard.ask("ls @ && rm @/a && sh c.sh", "shown", WRITES + "a", first=script)
    assert "beside\n" in ran.output and "Read-only file system" in ran.output
    assert yard.untouched() and not (yard.place / "a").exists()


def test_a_command_that_does_not_plainly_write_is_told_why_it_could_not(yard: Yard) -> None:
    ran = yard.ask("perl -e 'unlink($ARGV[0]) or die $!' @/a", "perl", "can read: @/a")
    assert "Read-only file system" in ran.output
    assert f"[given for reading only: {yard.place}/a. A path outside" in ran.output
    assert (yard.place / "a").exists()
    ran = yard.ask("rm @/a*", "glob")
    assert f"[not shown to it: {yard.place}/a*. A path outside" in ran.output
    ran = yard.ask("perl -e 'mkdir($ARGV[0])' @/new", "perl2", "can read: @/new")
    assert "only where it plainly makes or changes" in ran.output


def test_hidden_names_and_what_the_operator_opened_itself_stay_as_they_are(yard: Yard) -> None:
    for number, (command, why) in enumerate(
        {
            "mkdir @/.git": "lies in the hidden folder .git",
            f"rm -r {yard.place.parent}": "is what the operator opened",
            "mkdir @/none/new": "is no folder",
        }.items()
    ):
        ran = yard.ask(command, f"refused{number}")
        assert (ran.outcome, why in ran.output) == ("denied", True), ran.output
    assert yard.untouched() and not (yard.place / ".git").exists()


def secret(place: Path, name: str) -> None:
    owned((place / name).parent)
    (place / name).write_text("top secret\n")
    os.chown(place / name, *service_ids())


def test_what_commonly_holds_a_credential_in_a_folder_is_hidden_and_the_answer_says_so(yard: Yard) -> None:
    for name in (".env", "folder/.aws/config", "tree/id_rsa", "tree/.npmrc"):
        secret(yard.place, name)
    ran = yard.ask("grep -rs . @; true", "secrets", "can read: @")
    assert "top secret" not in ran.output and "beside\n" in ran.output
    hidden = ", ".join(f"{yard.place}/{name}" for name in (".env", "folder/.aws", "tree/.npmrc", "tree/id_rsa"))
    assert f"[hidden from it, as such names commonly hold a credential: {hidden}]" in ran.output
    ran = yard.ask("chmod 700 @/tree && ls @/tree && cat @/tree/*", "secrets2", WRITES + "tree")
    assert "top secret" not in ran.output and "leaf" in ran.output
    assert "own tools" not in ran.output, "what is hidden is not told as new"
    assert (yard.place / "tree/id_rsa").read_text() == "top secret\n"


def test_a_credential_that_was_asked_for_by_its_name_is_shown(yard: Yard) -> None:
    secret(yard.place, "tree/id_rsa")
    ran = yard.ask("ls @/tree && cat @/tree/id_rsa", "asked", "can read: @/tree/id_rsa")
    assert "top secret" in ran.output
    assert "[hidden" not in ran.output
