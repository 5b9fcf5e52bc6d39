"""Real shells in a real sandbox in which every program is a recorder: what does a text run?

`Recorder` starts one sandbox (bubblewrap: no network, read-only root, own pids) with this very file as its driver in
it, and hands it one text after another. Wrappers (`env`, `xargs`, `find` …) and shells are the machine's real ones.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

WRAPPERS = "xargs find env nohup nice timeout setsid stdbuf flock ionice chrt taskset".split()
RECORDED = (
    "rm ls cat head wc grep curl git make v0 v1 v2 v3 v4 v5 sort tee touch cp mv mkdir chmod uname seq date id "
    "python3 awk sed tar who file stat diff time dirname basename sleep"
).split()
SHELLS = {"dash": "/bin/dash", "bash": "/bin/bash"}
"""What may stand behind /bin/sh on a machine that Wirken runs on."""

_RECORD = '#!/bin/dash\nprintf \'%s\\0\' "$#" "${0##*/}" "$@" >> /log/now\n'
_LONGEST = 1.0  # seconds for one text; recorders end at once, only loops take longer


class Ran(NamedTuple):
    """What one text did: each program with its arguments, names that were not found, and files that it made."""

    programs: list[list[str]]
    missing: list[str]
    files: list[str]


class Recorder:
    """A sandbox to run texts in. Use it as a context."""

    def __init__(self, directory: Path) -> None:
        for name, shell in SHELLS.items():
            _programs(directory / name, shell)
        self._driver = subprocess.Popen(
            [
                *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/usr", "/usr"),
                *("--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
                *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/log", "--tmpfs", "/workspace", "--tmpfs", "/tmp"),
                *("--ro-bind", str(directory), "/rec", "--ro-bind", __file__, "/driver.py", "--clearenv"),
                *("--chdir", "/workspace", "/usr/bin/python3", "-I", "/driver.py"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.close()
        self._driver.kill()
        self._driver.wait()
        self._driver.stdout.close()

    def run(self, shell: str, text: str) -> Ran:
        """Run `text` as `/bin/sh -c` does where sh is `shell`."""
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.write(json.dumps([shell, text]) + "\n")
        self._driver.stdin.flush()
        return Ran(*json.loads(self._driver.stdout.readline()))


def _programs(directory: Path, shell: str) -> None:
    directory.mkdir(parents=True)
    recorder = directory / ".record"
    recorder.write_text(_RECORD)
    recorder.chmod(0o755)
    for name in RECORDED:
        (directory / name).symlink_to(".record")
    for name in WRAPPERS:
        (directory / name).symlink_to(f"/usr/bin/{name}")
    (directory / "sh").symlink_to(shell)
    (directory / "bash").symlink_to("/bin/bash")
    (directory / "dash").symlink_to("/bin/dash")


def _drive() -> None:
    """Inside: read texts, run each in an empty folder, and say what it did."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: what a text leaves behind comes to us
    for line in sys.stdin:
        shell, text = json.loads(line)
        Path("/log/now").write_bytes(b"")
        missing = _run(shell, text)
        programs = _logged(Path("/log/now").read_bytes())
        files = [str(path.relative_to("/workspace")) for path in Path("/workspace").rglob("*")]
        for path in Path("/workspace").iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        print(json.dumps([programs, missing, files]), flush=True)


def _run(shell: str, text: str) -> list[str]:
    with open("/tmp/said", "w+b") as said:
        process = subprocess.Popen(
            ["/rec/" + shell + "/sh", "-c", text],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            cwd="/workspace",
            env={"PATH": f"/rec/{shell}", "HOME": "/tmp", "LANG": "C.UTF-8"},
            preexec_fn=_limit,
            start_new_session=True,
        )
        _wait(process.pid)
        process.returncode = 0
        said.seek(0)
        return _not_found(said.read().decode("utf-8", "replace"))


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
    resource.setrlimit(resource.RLIMIT_CPU, (2, 2))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def _wait(first: int) -> None:
    """Wait for the shell and everything it started; end what goes on for too long."""
    end = time.monotonic() + _LONGEST
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            if time.monotonic() > end:
                _end_all()
            time.sleep(0.0005)


def _end_all() -> None:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) not in (1, os.getpid()):
            try:
                os.kill(int(entry.name), signal.SIGKILL)
            except ProcessLookupError:
                continue


def _logged(raw: bytes) -> list[list[str]]:
    fields: list[Any] = raw.decode("utf-8", "replace").split("\0")
    programs = []
    at = 0
    while at + 1 < len(fields):
        count = int(fields[at])
        programs.append(fields[at + 1 : at + 2 + count])
        at += 2 + count
    return programs


def _not_found(said: str) -> list[str]:
    """Names in `sh: 1: NAME: not found` and `sh: line 1: NAME: command not found`; two such lines may be mixed up."""
    found = [_MISSING.match(line) for line in said.splitlines()]
    return [name[1] for name in found if name is not None and "/rec/" not in name[1]]


_MISSING = re.compile(r"/rec/[^:]*: (?:line )?[0-9]+: (?:exec: |eval: |[0-9]+: )*(.*): (?:command )?not found$")


if __name__ == "__main__":
    _drive()
