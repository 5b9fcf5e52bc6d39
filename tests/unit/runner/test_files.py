from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirken.domain import limits
from wirken.runner import files
from wirken.runner.locate import FileFailure, Located, locate

HOSTILE = Path(__file__).parents[2] / "hostile" / "files.jsonl"
CASES = [json.loads(line) for line in HOSTILE.read_text().splitlines()]


def counter() -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: str(next(numbers))


def at(workspace: Path, path: str) -> Located:
    return locate(path, str(workspace), ())


def read(workspace: Path, path: str, first: int = 1, count: int | None = None) -> str:
    return files.read_file(at(workspace, path), first, count).text


def write(workspace: Path, path: str, content: str) -> str:
    return files.write_file(at(workspace, path), content, counter()).text


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder with everything an attacker could have put there, beside a secret."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "workspace"
    (folder / "sub").mkdir(parents=True)
    (folder / "note").write_text("a note\n")
    (folder / "binary").write_bytes(b"a\0b")
    (folder / "protected").write_text("kept")
    (folder / "protected").chmod(0o444)
    for name, target in {
        "out": "../secret",
        "outside": "..",
        "absolute": str(folder / "note"),
        "chain": "out",
        "dangling-out": "../planted",
        "magic": "/proc/self/root",
        "loop": "loop",
        "inside": "sub/../note",
        "dangling": "sub/created",
    }.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe")
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(folder)  # a socket's address is short
        bound.bind("socket")
        os.chdir(here)
    return folder


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['tool']}-{case['path']!r}"[:60])
def test_hostile_paths_get_the_expected_answer(workspace: Path, case: dict[str, str]) -> None:
    before = sorted(path.name for path in workspace.parent.iterdir())
    try:
        where = at(workspace, case["path"])
        match case["tool"]:
            case "read_file":
                assert "secret" not in files.read_file(where).text
            case "write_file":
                files.write_file(where, "planted", counter())
            case _:
                assert "secret" not in files.list_files(where).text
        outcome = "ok"
    except FileFailure as error:
        outcome = error.outcome
        assert str(error).endswith(".")
    assert outcome == case["outcome"], case["why"]
    assert sorted(path.name for path in workspace.parent.iterdir()) == before
    assert (workspace.parent / "secret").read_text() == "secret"
    assert (workspace / "protected").read_text() == "kept"


def test_failures_name_the_path_as_the_model_gave_it(workspace: Path) -> None:
    with pytest.raises(FileFailure, match=r"^Cannot read /workspace/nowhere\. There is no such file or folder\.$"):
        read(workspace, "/workspace/nowhere")
    with pytest.raises(FileFailure, match=r"^Cannot read out\. It leads outside the workspace\.$"):
        read(workspace, "out")


def test_reading_by_lines(workspace: Path) -> None:
    (workspace / "many").write_text("".join(f"line {n}\n" for n in range(1, 11)))
    assert read(workspace, "many", 9) == "line 9\nline 10\n"
    assert read(workspace, "many", 2, 2) == "line 2\nline 3\n\n[… 50 bytes follow, from line 4 on …]"
    with pytest.raises(FileFailure, match="fewer lines"):
        read(workspace, "many", 12)


def test_an_empty_file_reads_as_nothing(workspace: Path) -> None:
    (workspace / "empty").touch()
    assert read(workspace, "empty") == ""


def test_a_large_file_is_cut_at_a_line_and_can_be_read_on(workspace: Path) -> None:
    whole = "".join(f"{n:>9}\n" for n in range(60_000))
    (workspace / "large").write_text(whole)
    collected, first = "", 1
    while True:
        answer = files.read_file(at(workspace, "large"), first)
        assert len(answer.text.encode()) <= limits.FILE_READ
        text, mark, _ = answer.text.partition("\n[… ")
        collected += text
        if not mark:
            break
        first = 1 + collected.count("\n")
        assert answer.cut == len(whole) - len(collected)
    assert collected == whole


@pytest.mark.parametrize("shift", range(3))
def test_one_endless_line_is_cut_between_characters(workspace: Path, shift: int) -> None:
    (workspace / "endless").write_text("x" * shift + "€" * 200_000)
    answer = files.read_file(at(workspace, "endless"))
    assert "\ufffd" not in answer.text
    assert len(answer.text.encode()) <= limits.FILE_READ
    assert answer.cut > 0


def test_what_is_not_utf8_is_shown_replaced_and_fits(workspace: Path) -> None:
    (workspace / "latin").write_bytes(b"gr\xfc\xdfe\n")
    assert read(workspace, "latin") == "gr\ufffd\ufffde\n"
    (workspace / "noise").write_bytes(b"\xff" * 300_000)
    assert len(read(workspace, "noise").encode()) <= limits.FILE_READ


def test_a_line_beyond_the_search_limit_is_not_searched_for(workspace: Path) -> None:
    with (workspace / "huge").open("wb") as file:
        file.truncate(limits.FILE_SCAN + 2**20)
    with pytest.raises(FileFailure, match="too large to search"):
        read(workspace, "huge", 2)


def test_writing_creates_folders_and_says_so(workspace: Path) -> None:
    assert write(workspace, "new/deep/file.txt", "héllo") == "Created new/deep/file.txt (6 bytes)."
    assert write(workspace, "/workspace/new/deep/file.txt", "x") == "Replaced /workspace/new/deep/file.txt (1 bytes)."
    assert (workspace / "new/deep/file.txt").read_text() == "x"
    assert (workspace / "new/deep/file.txt").stat().st_mode & 0o777 == 0o644


def test_writing_keeps_the_mode_but_not_setuid(workspace: Path) -> None:
    (workspace / "tool").write_text("old")
    (workspace / "tool").chmod(0o4755)
    write(workspace, "tool", "new")
    assert (workspace / "tool").stat().st_mode & 0o7777 == 0o755


def test_writing_through_a_link_inside_keeps_the_link(workspace: Path) -> None:
    write(workspace, "inside", "changed")
    write(workspace, "dangling", "made")
    assert (workspace / "inside").is_symlink() and (workspace / "note").read_text() == "changed"
    assert (workspace / "sub/created").read_text() == "made"


def test_a_name_leads_through_so_many_links_when_it_is_written_and_no_more(workspace: Path) -> None:
    (workspace / "link-0").write_text("before")
    for number in range(1, limits.LINKS + 2):
        (workspace / f"link-{number}").symlink_to(f"link-{number - 1}")
    write(workspace, f"link-{limits.LINKS}", "through all of them")
    assert (workspace / "link-0").read_text() == "through all of them"
    with pytest.raises(FileFailure, match="too many links"):
        write(workspace, f"link-{limits.LINKS + 1}", "one too many")
    assert (workspace / "link-0").read_text() == "through all of them"


def test_a_hard_link_to_a_file_outside_is_cut_rather_than_written_through(workspace: Path) -> None:
    os.link(workspace.parent / "secret", workspace / "hard")
    write(workspace, "hard", "mine")
    assert (workspace.parent / "secret").read_text() == "secret"


def test_content_that_is_too_large_or_not_text_is_refused_before_anything_is_made(workspace: Path) -> None:
    for content in ("x" * (limits.FILE_WRITE + 1), "\ud800"):
        with pytest.raises(FileFailure) as caught:
            write(workspace, "fresh/file", content)
        assert caught.value.outcome == "invalid"
    assert not (workspace / "fresh").exists()


def test_a_failed_write_leaves_no_temporary_file(workspace: Path) -> None:
    with pytest.raises(FileFailure, match="too long"):
        write(workspace, "sub/" + "n" * 256, "x")
    assert list((workspace / "sub").iterdir()) == []


def test_a_listing_is_sorted_and_says_what_each_entry_is(workspace: Path) -> None:
    assert files.list_files(at(workspace, ".")).text.splitlines() == [
        f"absolute -> {workspace}/note",
        "binary  3",
        "chain -> out",
        "dangling -> sub/created",
        "dangling-out -> ../planted",
        "inside -> sub/../note",
        "loop -> loop",
        "magic -> /proc/self/root",
        "note  7",
        "out -> ../secret",
        "outside -> ..",
        "pipe (not a regular file)",
        "protected  4",
        "socket (not a regular file)",
        "sub/",
    ]
    assert files.list_files(at(workspace, "sub")).text == "(empty folder)"


def test_names_are_listed_harmlessly(workspace: Path) -> None:
    (workspace / "sub/two\nlines\x1b[2J").touch()
    (workspace / b"sub/\xff.bin".decode("utf-8", "surrogateescape")).touch()
    assert files.list_files(at(workspace, "sub")).text.splitlines() == [
        "two\\x0alines\\x1b[2J  0",
        "\\udcff.bin  0",
    ]


def test_a_large_folder_is_cut_with_the_number_said(tmp_path: Path) -> None:
    for number in range(limits.LISTING + 5):
        (tmp_path / f"{number:05}").touch()
    lines = files.list_files(at(tmp_path, ".")).text.splitlines()
    assert lines[0] == "00000  0"
    assert lines[-1] == f"[… 5 of {limits.LISTING + 5} entries left out …]"
    assert len(lines) == limits.LISTING + 1


def test_a_folder_without_end_is_looked_at_up_to_a_number(tmp_path: Path) -> None:
    for number in range(limits.LISTING + 5):
        (tmp_path / f"{number:05}").touch()
    cut = files.list_files(at(tmp_path, "."), limits.LISTING + 4).text.splitlines()
    assert cut[-1] == f"[… 4 of {limits.LISTING + 4} or more entries left out …]"
    assert files.list_files(at(tmp_path, "."), limits.LISTING + 6).text.endswith(
        f"5 of {limits.LISTING + 5} entries left out …]"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make device nodes")
@pytest.mark.parametrize("number", [(1, 3), (1, 5), (5, 0), (10, 200)])
def test_a_device_in_the_workspace_is_not_opened_for_work(workspace: Path, number: tuple[int, int]) -> None:
    os.mknod(workspace / "device", 0o20666, os.makedev(*number))
    for act in ("read", "write"):
        with pytest.raises(FileFailure, match=r"not a regular file|No such device"):
            read(workspace, "device") if act == "read" else write(workspace, "device", "x")
    assert "device (not a regular file)" in files.list_files(at(workspace, ".")).text


def test_a_file_that_shrinks_and_paths_that_vanish_are_ordinary_failures(workspace: Path) -> None:
    with pytest.raises(FileFailure, match="no such file or folder"):
        files.list_files(Located(str(workspace / "gone"), b".", ".", writable=True))


RENAMER = """
import ctypes, os, sys
os.chdir(sys.argv[1])
os.symlink("..", "trap")
here, exchange, libc = -100, 2, ctypes.CDLL(None)
print("ready", flush=True)
while True:
    libc.renameat2(here, b"door", here, b"trap", exchange)
"""


@pytest.mark.slow
def test_a_racing_renamer_gains_nothing(workspace: Path) -> None:
    """A folder is swapped for a link to the outside as fast as a process can."""
    (workspace / "door").mkdir()
    (workspace / "door/secret").write_text("harmless")
    answers = set()
    with subprocess.Popen([sys.executable, "-I", "-c", RENAMER, str(workspace)], stdout=subprocess.PIPE) as racer:
        assert racer.stdout is not None
        racer.stdout.readline()
        try:
            for number in range(3000):
                try:
                    answers.add(read(workspace, "door/secret"))
                    write(workspace, f"door/planted-{number % 3}", "x")
                except FileFailure as error:
                    answers.add(error.outcome)
        finally:
            racer.kill()
    assert "secret" not in answers
    assert answers >= {"harmless", "denied"}
    assert sorted(path.name for path in workspace.parent.iterdir()) == ["secret", "workspace"]


SWAPPER = """
import os, sys
os.chdir(sys.argv[1])
makers = (
    lambda: os.symlink("../secret", "new"), lambda: os.mkfifo("new"), lambda: os.symlink("/etc/passwd", "new"),
    lambda: os.link("good", "new"), lambda: os.symlink("good", "new"), lambda: os.symlink("..", "new"),
    lambda: os.symlink("/proc/self/root", "new"), lambda: os.symlink("new", "new"),
)
open("good", "w").write("harmless")
print("ready", flush=True)
while True:
    for make in makers:
        try:
            make()
        except FileExistsError:  # written through the link "target" -> "new" that was just made
            os.unlink("new")
            continue
        os.rename("new", "target")
"""


def tried(workspace: Path, number: int) -> str:
    """Use the name that is being swapped, in one of four ways."""
    match number:
        case 0:
            return read(workspace, "target")
        case 1:
            return write(workspace, "target", "harmless")
        case 2:
            return write(workspace, "target/planted", "x")
        case _:
            return files.list_files(at(workspace, "target")).text


@pytest.mark.slow
def test_a_name_that_becomes_a_link_a_pipe_and_a_file_in_turn_gains_nothing_and_holds_nobody_up(
    workspace: Path,
) -> None:
    outcomes: list[str] = []
    before = sorted(path.name for path in workspace.parent.iterdir())
    with subprocess.Popen([sys.executable, "-I", "-c", SWAPPER, str(workspace)], stdout=subprocess.PIPE) as racer:
        assert racer.stdout is not None
        racer.stdout.readline()
        until = time.monotonic() + 4
        try:
            while time.monotonic() < until:
                for number in range(4):
                    try:
                        outcomes.append(tried(workspace, number))
                    except FileFailure as error:
                        outcomes.append(error.outcome)
        finally:
            racer.kill()
    assert set(outcomes) >= {"harmless", "denied", "failed"}
    assert not [said for said in outcomes if "secret" in said or "root:" in said]
    assert sorted(path.name for path in workspace.parent.iterdir()) == before
    assert (workspace.parent / "secret").read_text() == "secret"
    assert not [path for path in workspace.iterdir() if path.name.startswith(".wirken-")]


@given(
    parts=st.lists(st.sampled_from(["..", ".", "sub", "note", "out", "outside", "chain", "", "secret"]), max_size=6),
    absolute=st.sampled_from(["", "/", "/workspace/"]),
)
@settings(max_examples=300, deadline=None)
def test_no_combination_of_names_reads_the_secret(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], absolute: str
) -> None:
    top = tmp_path_factory.getbasetemp() / "combined"
    if not top.exists():
        (top / "workspace/sub").mkdir(parents=True)
        (top / "secret").write_text("secret")
        (top / "workspace/note").write_text("note")
        for name, target in {"out": "../secret", "outside": "..", "chain": "outside"}.items():
            (top / "workspace" / name).symlink_to(target)
    try:
        assert read(top / "workspace", absolute + "/".join(parts)) == "note"
    except FileFailure as error:
        assert error.outcome in ("denied", "failed", "invalid")
