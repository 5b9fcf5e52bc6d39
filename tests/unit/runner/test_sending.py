"""The file that was decided about, and no other, goes into a sealed memfd."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from wirken.domain import file_limits
from wirken.ipc import memfd
from wirken.ipc.files import Files
from wirken.runner import sending
from wirken.runner.locate import FileFailure, locate


def opened() -> int:
    return len(os.listdir("/proc/self/fd"))


async def sent(workspace: Path, path: str) -> bytes:
    with Files() as files:
        answer = await sending.given(locate(path, str(workspace), ()), files)
        [handle] = files.handles
        data = memfd.content(handle)
        assert answer.text == f"{len(data)} bytes"
        return data


async def test_a_file_is_given_whole_by_any_plain_name(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a").write_bytes(data)
    before = opened()
    for path in ("sub/a", "./sub/a", "sub//a", "sub/../sub/a", "/workspace/sub/a"):
        assert await sent(tmp_path, path) == data
    assert opened() == before


async def test_it_is_not_followed_through_a_link_and_nothing_but_a_file_is_taken(tmp_path: Path) -> None:
    workspace, outside = tmp_path / "w", tmp_path / "outside"
    workspace.mkdir()
    outside.write_text("outside")
    (workspace / ".env").write_text("secret")
    (workspace / "hidden").mkdir()
    (workspace / "plain").symlink_to(".env")
    (workspace / "out").symlink_to(outside)
    (workspace / "folder").symlink_to("hidden")
    (workspace / "hidden/x").write_text("x")
    os.mkfifo(workspace / "pipe")
    before = opened()
    for path in ("plain", "out", "folder/x", "folder/../plain", "hidden", "pipe", "missing", "../outside", "."):
        with Files() as files, pytest.raises(FileFailure):
            await sending.given(locate(path, str(workspace), ()), files)
    assert await sent(workspace, ".env") == b"secret"  # named as what it is, so a person was asked
    assert opened() == before


async def test_the_largest_file_is_given_and_one_byte_more_is_not(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(file_limits.SEND_FILE)
    with Files() as files:
        await sending.given(locate("large", str(tmp_path), ()), files)
        assert memfd.size(files.handles[0]) == file_limits.SEND_FILE
    with (tmp_path / "large").open("ab") as file:
        file.write(b"x")
    with Files() as files, pytest.raises(FileFailure, match="more than"):
        await sending.given(locate("large", str(tmp_path), ()), files)


async def test_cancelling_leaves_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(20_000_000))
    before = opened()
    for pause in (0.0, 0.001, 0.003):
        with Files() as files:
            task = asyncio.ensure_future(sending.given(locate("a", str(tmp_path), ()), files))
            await asyncio.sleep(pause)
            task.cancel()
            await asyncio.wait({task})
    assert opened() == before
