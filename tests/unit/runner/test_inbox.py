"""Files that came with messages, written as the row says: whole, once, and never over or through something else."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from wirken.domain import file_limits
from wirken.domain.errors import Refused, WirkenError
from wirken.domain.ids import SessionId
from wirken.domain.inbox import Keeping, path_of
from wirken.ipc import memfd
from wirken.ipc.calls.runner import Keep, WirePermit
from wirken.ipc.memfd import NotSealed
from wirken.runner import inbox
from wirken.runner.inbox import NotKept
from wirken.runner.locate import FileFailure

SESSION = SessionId("default/telegram/d7")


def keeping(folder: Path, data: bytes, name: str = "a.txt", **more: object) -> Keeping:
    given = {
        "session": SESSION,
        "workspace": str(folder),
        "path": path_of(SESSION, 12, 0, name),
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        **more,
    }
    return Keeping(**given)  # type: ignore[arg-type]  # Keeping's own fields


@contextmanager
def file(data: bytes) -> Iterator[int]:
    handle = memfd.sealed(data)
    try:
        yield handle
    finally:
        os.close(handle)


def keep(what: Keeping, data: bytes, token: str = "t") -> None:
    with file(data) as handle:
        inbox.keep(what, handle, token)


def left(workspace: Path) -> list[str]:
    return sorted(str(path.relative_to(workspace)) for path in workspace.rglob("*") if not path.is_dir())


def test_a_file_is_written_with_its_folders_and_not_executable(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    keep(keeping(tmp_path, data), data)
    path = tmp_path / "inbox/telegram-d7/12-a.txt"
    assert path.read_bytes() == data
    assert path.stat().st_mode & 0o777 == 0o644
    assert left(tmp_path) == ["inbox/telegram-d7/12-a.txt"]


def test_an_empty_file_is_one_too(tmp_path: Path) -> None:
    keep(keeping(tmp_path, b""), b"")
    assert (tmp_path / "inbox/telegram-d7/12-a.txt").read_bytes() == b""


def test_the_same_again_changes_nothing_and_is_no_failure(tmp_path: Path) -> None:
    keep(keeping(tmp_path, b"data"), b"data")
    before = (tmp_path / "inbox/telegram-d7/12-a.txt").stat()
    keep(keeping(tmp_path, b"data"), b"data")
    after = (tmp_path / "inbox/telegram-d7/12-a.txt").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("there", ["same size", "other size", "folder", "link", "dangling link", "pipe"])
def test_what_has_the_name_already_stays_as_it_is(tmp_path: Path, there: str) -> None:
    path = tmp_path / "inbox/telegram-d7/12-a.txt"
    path.parent.mkdir(parents=True)
    (tmp_path / "mine").write_bytes(b"data")
    match there:
        case "same size":
            path.write_bytes(b"mine")
        case "other size":
            path.write_bytes(b"mine, and longer")
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(tmp_path / "mine")
        case "dangling link":
            path.symlink_to(tmp_path / "nowhere")
        case "pipe":
            os.mkfifo(path)
    before = os.lstat(path)
    with pytest.raises(NotKept):
        keep(keeping(tmp_path, b"data"), b"data")
    assert os.lstat(path) == before
    assert not (tmp_path / "nowhere").exists()
    assert [name for name in left(tmp_path) if ".wirken" in name] == []


@pytest.mark.parametrize("part", ["inbox", "inbox/telegram-d7"])
@pytest.mark.parametrize("aim", ["outside", "inside", "file"])
def test_a_folder_that_is_a_link_or_a_file_is_not_followed(tmp_path: Path, part: str, aim: str) -> None:
    workspace, elsewhere = tmp_path / "workspace", tmp_path / "elsewhere"
    inside = workspace / ".git/hooks"
    for folder in (inside, elsewhere, (workspace / part).parent):
        folder.mkdir(parents=True, exist_ok=True)
    if aim == "file":
        (workspace / part).write_bytes(b"")
    else:
        (workspace / part).symlink_to(inside if aim == "inside" else elsewhere)
    with pytest.raises(FileFailure):
        keep(keeping(workspace, b"data"), b"data")
    assert not any(inside.iterdir())
    assert not any(elsewhere.iterdir())


def test_a_workspace_that_steers_tools_gets_no_inbox_there(tmp_path: Path) -> None:
    """The inbox was moved while it was opened: what counts is where the folder lies then."""
    (tmp_path / "skills").mkdir()
    workspace = tmp_path
    keep(keeping(workspace, b"x"), b"x")
    (workspace / "inbox").rename(workspace / "skills/inbox")
    (workspace / "inbox").symlink_to("skills/inbox")
    with pytest.raises(FileFailure):
        keep(keeping(workspace, b"y", "other"), b"y")


def test_only_the_bytes_on_record_are_written(tmp_path: Path) -> None:
    for data in (b"Data", b"data longer", b""):
        with pytest.raises(Refused):
            keep(keeping(tmp_path, b"data"), data)
    assert left(tmp_path) == []
    with open(os.devnull, "rb") as device, pytest.raises(NotSealed):
        inbox.keep(keeping(tmp_path, b""), device.fileno(), "t")


def test_a_folder_takes_so_many_files_and_no_more(tmp_path: Path) -> None:
    folder = tmp_path / "inbox/telegram-d7"
    folder.mkdir(parents=True)
    for number in range(file_limits.INBOX_FILES - 1):
        (folder / f"{number}").touch()
    keep(keeping(tmp_path, b"last", "last"), b"last")
    with pytest.raises(NotKept, match=f"{file_limits.INBOX_FILES} files"):
        keep(keeping(tmp_path, b"more", "more"), b"more")
    keep(keeping(tmp_path, b"last", "last"), b"last")  # it stands there already


def test_a_folder_takes_so_many_bytes_and_no_more(tmp_path: Path) -> None:
    folder = tmp_path / "inbox/telegram-d7"
    folder.mkdir(parents=True)
    with (folder / "sparse").open("wb") as large:
        large.truncate(file_limits.INBOX_SIZE - 4)
    keep(keeping(tmp_path, b"four", "fits"), b"four")
    with pytest.raises(NotKept, match="Remove some"):
        keep(keeping(tmp_path, b"1", "more"), b"1")


def test_a_disk_that_takes_no_more_leaves_nothing_behind(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    data = bytes(3_000_000)
    with file(data) as handle:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
        try:
            with pytest.raises(FileFailure):
                inbox.keep(keeping(tmp_path, data), handle, "t")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left(tmp_path) == []


def test_two_at_once_are_one_file(tmp_path: Path) -> None:
    failed: list[Exception] = []

    def write(number: int) -> None:
        try:
            keep(keeping(tmp_path, b"x" * 100_000), b"x" * 100_000, f"t{number}")
        except NotKept as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert left(tmp_path) == ["inbox/telegram-d7/12-a.txt"]
    assert len(failed) < 8


async def test_a_racing_renamer_gets_no_file_outside_of_the_workspace(tmp_path: Path) -> None:
    workspace, elsewhere = tmp_path / "workspace", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (workspace / "inbox").mkdir(parents=True)
    (workspace / "decoy").symlink_to(elsewhere)
    stop = threading.Event()

    def race() -> None:
        while not stop.is_set():
            for one, other in (("inbox", "aside"), ("decoy", "inbox"), ("inbox", "decoy"), ("aside", "inbox")):
                try:
                    os.rename(workspace / one, workspace / other)
                except OSError:
                    continue

    racer = asyncio.create_task(asyncio.to_thread(race))
    try:
        for number in range(300):
            what = keeping(workspace, b"x", path=path_of(SESSION, number, 0, "x"))
            try:
                await asyncio.to_thread(keep, what, b"x")
            except WirkenError:
                continue
    finally:
        stop.set()
        await racer
    assert not any(elsewhere.iterdir())


# --- the permit ---------------------------------------------------------------------------------------


def question(what: Keeping, **more: object) -> Keep:
    raw = what.canonical()
    permit = {"session": str(SESSION), "seq": 12, "call_sha256": what.digest(), **more}
    return Keep(WirePermit(**permit), raw)  # type: ignore[arg-type]  # WirePermit's own fields


def test_what_the_row_permits_may_be_written(tmp_path: Path) -> None:
    what = keeping(tmp_path, b"x")
    assert inbox.checked(question(what), frozenset((str(tmp_path),))) == what


@pytest.mark.parametrize(
    "change",
    [
        {"path": "x"},
        {"path": "inbox/telegram-d7/../../x"},
        {"path": "inbox/telegram-d8/12-x"},
        {"path": "inbox/telegram-d7/12-.env"},
        {"path": "inbox/telegram-d7/12-AGENTS.md"},
        {"workspace": "/elsewhere"},
        {"session": "default/telegram/d8"},
    ],
)
def test_nothing_else_may_even_with_a_hash_that_fits(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(Refused):
        inbox.checked(question(keeping(tmp_path, b"x", "a", **change)), frozenset((str(tmp_path),)))


def test_a_permit_of_another_file_session_or_form_is_refused(tmp_path: Path) -> None:
    what, ours = keeping(tmp_path, b"x"), frozenset((str(tmp_path),))
    loose = b" " + what.canonical()
    wrong = (
        question(what, call_sha256="0" * 64),
        question(what, session="default/telegram/d8"),
        Keep(question(what).permit, loose),
        Keep(WirePermit(SESSION, 12, hashlib.sha256(loose).hexdigest()), loose),
        Keep(WirePermit(SESSION, 12, hashlib.sha256(b"{}").hexdigest()), b"{}"),
        Keep(WirePermit(SESSION, 12, hashlib.sha256(b"\xff").hexdigest()), b"\xff"),
    )
    for one in wrong:
        with pytest.raises(Refused):
            inbox.checked(one, ours)


def test_the_question_travels_whole(tmp_path: Path) -> None:
    asked = question(keeping(tmp_path, b"x"))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(asked), type=Keep) == asked
