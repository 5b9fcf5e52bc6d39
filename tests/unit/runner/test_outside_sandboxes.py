"""Paths outside in every kind of sandbox: names are made and removed, what lies beside them is covered."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from tests.support.engine import Engine
from tests.support.runner_client import Boxed, Client, runner
from tests.support.walled import owned, service_ids

from wirken.domain.actions import Outside, Place, SandboxKind
from wirken.ipc.calls.runner import Ran

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def yard() -> Iterator[Path]:
    """A folder that every user can reach and that is not in /tmp, which in a sandbox is its own."""
    with tempfile.TemporaryDirectory(prefix="wirken-yard-", dir="/var/tmp") as place:
        Path(place).chmod(0o755)
        yield owned(Path(place) / "yard")


@pytest.fixture(scope="module", params=["bubblewrap", "docker", "gvisor", "runsc"])
def box(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, yard: Path
) -> Iterator[tuple[Client, SandboxKind]]:
    boxes: dict[str, Callable[[Engine | None], Boxed]] = {
        "docker": lambda engine: Boxed(engine, "docker"),
        "gvisor": lambda engine: Boxed(engine, "gvisor"),
        "runsc": lambda _: Boxed(None, "gvisor"),
    }
    kind: Literal["bubblewrap", "docker", "gvisor"] = "gvisor" if request.param == "runsc" else request.param
    engine = request.getfixturevalue("engine") if request.param in ("docker", "gvisor") else None
    boxed = boxes[request.param](engine) if request.param in boxes else None
    folder = tmp_path_factory.mktemp("outside")
    given = (f"entry:{yard}/new", f"entry:{yard}/old", f"ro-bind:{yard}/way/deep/file")
    above = [str(folder) for folder in reversed(yard.parents) if folder != Path("/")]
    made = [word for folder in above for word in ("--perms", "0755", "--dir", folder)]
    view = (*made, "--bind", str(yard), str(yard))
    with runner(folder, "watchdog", view=view, boxed=boxed, outside=given) as client:
        yield client, kind


def run(box: tuple[Client, SandboxKind], yard: Path, command: str) -> Ran:
    client, kind = box
    named = tuple(Outside(f"{yard}/{name}", writable=True, entry="named") for name in ("new", "old"))
    place = Place(str(client.workspace), kind, outside=(*named, Outside(f"{yard}/way/deep/file")))
    number = client.send(
        do="run", tool="exec", arguments=json.dumps({"command": command}), place=msgspec.to_builtins(place)
    )
    answer = client.answer(number)
    assert "outcome" in answer, answer
    return msgspec.convert(answer, Ran)


def put(yard: Path, *names: str) -> None:
    for name in names:
        for folder in reversed((yard / name).relative_to(yard).parents):
            owned(yard / folder)
        (yard / name).write_text(f"{name}\n")
        os.chown(yard / name, *service_ids())


def test_names_are_made_and_removed_and_what_lies_beside_them_is_neither_seen_nor_changed(
    box: tuple[Client, SandboxKind], yard: Path
) -> None:
    put(yard, "old", "beside", "folder/inside", "way/beside", "way/deep/file")
    (yard / "link").unlink(missing_ok=True)
    (yard / "link").symlink_to("beside")
    tries = (
        f"cd {yard}; mkdir new; rm old; cat way/deep/file; cat beside link folder/inside way/beside 2>/dev/null; "
        "echo bad > beside; echo bad > link; rm -rf beside folder way; mv folder gone; echo bad > way/deep/file; "
        "echo bad > folder/inside; rmdir folder; true"
    )
    ran = run(box, yard, tries)
    assert ran.outcome == "ok", ran.output
    lines = ran.output.splitlines()
    assert lines[0] == "way/deep/file"
    assert not {"beside", "folder/inside", "way/beside"} & set(lines)
    assert (yard / "new").is_dir() and not (yard / "old").exists()
    for name in ("beside", "folder/inside", "way/beside", "way/deep/file"):
        assert (yard / name).read_text() == f"{name}\n"
    (yard / "new").rmdir()
