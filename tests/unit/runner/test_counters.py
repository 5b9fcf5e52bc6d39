"""What the shell of a container tells of the kernel's counters, with the shells that images have."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from wirken.domain import limits
from wirken.runner.counters import Counters, Told, shell

SHELLS = [["/bin/sh"], ["/bin/bash", "--posix"], ["/bin/busybox", "sh"]]

V1 = {
    "pids/pids.events": "max {pids}\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill {oom}\n",
}
V2 = {
    "pids.events": "max {pids}\n",
    "memory.events": "low 0\nhigh 0\nmax 9\noom 9\noom_kill {oom}\noom_group_kill 0\n",
}


def group(root: Path, layout: dict[str, str], pids: int = 0, oom: int = 0) -> None:
    for name, text in layout.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text.format(pids=pids, oom=oom))


def ran(root: Path, interpreter: list[str], *argv: str) -> tuple[int, bytes, bytes]:
    _, *rest = shell(str(root))
    done = subprocess.run([*interpreter, *rest, *argv], capture_output=True, timeout=20, check=False)
    return done.returncode, done.stdout, done.stderr


def told(said: bytes) -> Told | None:
    counters = Counters()
    counters.feed(said)
    return counters.told()


@pytest.fixture(params=SHELLS, ids=lambda words: Path(words[0]).name)
def interpreter(request: pytest.FixtureRequest) -> list[str]:
    words: list[str] = request.param
    if shutil.which(words[0]) is None:
        pytest.fail(f"{words[0]} is missing; `make setup-test` installs it.")
    return words


@pytest.mark.parametrize("layout", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize(("pids", "oom"), [(5, 7), (6, 7), (5, 8), (6, 8)])
def test_what_grew_while_the_command_ran_is_told(
    tmp_path: Path, interpreter: list[str], layout: dict[str, str], pids: int, oom: int
) -> None:
    root, later = tmp_path / "now", tmp_path / "later"
    group(root, layout, pids=5, oom=7)
    group(later, layout, pids=pids, oom=oom)
    code, out, err = ran(root, interpreter, "/bin/cp", "-r", f"{later}/.", str(root))
    assert (code, out) == (0, b"")
    assert told(err) == Told(pids > 5, oom > 7)


def test_a_command_is_started_byte_for_byte_and_its_code_and_outputs_stay(
    tmp_path: Path, interpreter: list[str]
) -> None:
    group(tmp_path, V2)
    assert ran(tmp_path, interpreter, "printf", "%s|", "a b", "$HOME", "*", "")[1] == b"a b|$HOME|*||"
    code, out, err = ran(tmp_path, interpreter, "/bin/sh", "-c", "echo 1; echo 2 >&2; echo 3; exit 7")
    assert (code, out, told(err)) == (7, b"1\n2\n3\n", Told(False, False))
    for argv, expected in (
        (["/no/such/program"], 127),
        (["/etc/passwd"], 126),
        (["cd", "/"], 127),
        (["exit", "3"], 127),
    ):
        code, out, _ = ran(tmp_path, interpreter, *argv)
        assert (code, bool(out)) == (expected, True), argv


def test_a_shell_that_is_signalled_goes_on_and_its_command_ignores_nothing(
    tmp_path: Path, interpreter: list[str]
) -> None:
    group(tmp_path, V2)
    code, out, err = ran(
        tmp_path, interpreter, "/bin/sh", "-c", "for s in TERM USR1 HUP; do kill -$s $PPID; done; exit 3"
    )
    assert (code, out, told(err)) == (3, b"", Told(False, False))
    code, _, err = ran(tmp_path, interpreter, "/bin/sh", "-c", "kill -TERM $$; sleep 20")
    assert (code, told(err)) == (143, Told(False, False))


def test_without_counters_nothing_is_told(tmp_path: Path, interpreter: list[str]) -> None:
    code, out, err = ran(tmp_path, interpreter, "/bin/sh", "-c", "echo here; exit 4")
    assert (code, out, told(err)) == (4, b"here\n", None)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"wirken 1 pids.events max 0\n",
        b"wirken 2 memory.events oom_kill 1\n",
        b"wirken 2 pids.events max " + b"9" * 19 + b"\n",
        b"x wirken 2 pids.events max 1\n",
        b"wirken 2 pids.events max -1\n",
        b"\xff\x00",
    ],
)
def test_other_words_tell_nothing(said: bytes) -> None:
    assert told(said) is None


def test_so_much_is_read_and_no_more() -> None:
    line = b"wirken 2 pids.events max 1\n"
    assert told(b"\n" * (limits.ENGINE_TOLD - len(line)) + line) == Told(True, False)
    assert told(b"\n" * (limits.ENGINE_TOLD - len(line) + 1) + line) is None
