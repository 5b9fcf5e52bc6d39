from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from wirken.confine import landlock
from wirken.confine.pyenv import program_paths

PROGRAM = ("/usr", *program_paths())
"""Python looks up even numeric addresses with modules that it loads only then."""

NEEDS = pytest.mark.skipif(landlock.version() < 6, reason="this kernel's Landlock is older than version 6")


def test_what_each_version_can_refuse_is_what_landlock_7_says() -> None:
    files = [landlock.handled(abi)[0] for abi in range(1, 8)]
    assert files == [0x1FFF, 0x3FFF, 0x7FFF, 0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF]
    assert [landlock.handled(abi)[1:] for abi in (1, 3, 4, 5, 6, 7)] == [(0, 0), (0, 0), (3, 0), (3, 0), (3, 3), (3, 3)]


def test_the_structures_are_as_long_as_the_kernels() -> None:
    sizes = [ctypes.sizeof(kind) for kind in (landlock._RulesetAttr, landlock._BeneathAttr, landlock._PortAttr)]
    assert sizes == [24, 12, 16]


def restricted(rules: landlock.Rules, code: str, abi: int, words: Sequence[str] = ()) -> str:
    """Run `code` in a process of its own under these rules; return what it printed."""
    program = (
        "import ctypes, os, socket, sys\n"
        "from wirken.confine import kernel, landlock\n"
        "assert kernel.prctl(38, 1) == 0\n"
        f"landlock.restrict(landlock.Rules(*{tuple(rules)!r}), {abi})\n"
        "def tried(act):\n"
        "    try:\n        act()\n"
        "    except OSError as error:\n        return error.strerror\n"
        "    return 'yes'\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program + code, *words], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@NEEDS
def test_files_outside_the_rules_cannot_be_read_written_or_started(tmp_path: Path) -> None:
    for name in ("kept", "read", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    rules = landlock.Rules(read=(str(tmp_path / "read"),), keep=(str(tmp_path / "kept"), str(tmp_path / "absent")))
    code = (
        'acts = (\'open(place + "/file").close()\', \'open(place + "/file", "a").close()\',\n'
        '        \'open(place + "/new", "x").close()\', \'os.unlink(place + "/file")\',\n'
        '        \'os.mkfifo(place + "/fifo")\', \'os.symlink("/etc", place + "/link")\',\n'
        '        \'os.execv("/usr/bin/true", ["true"])\')\n'
        "for name in ('kept', 'read', 'other'):\n"
        "    place = sys.argv[1] + '/' + name\n"
        "    print(*(tried(lambda: eval(act)) for act in acts), sep='|')\n"
    )
    no = "Permission denied"
    assert restricted(rules, code, landlock.version(), [str(tmp_path)]).splitlines() == [
        "|".join(("yes", "yes", "yes", "yes", no, no, no)),
        "|".join(("yes", no, no, no, no, no, no)),
        "|".join((no,) * 7),
    ]


@NEEDS
def test_only_the_ports_of_the_rules_are_reached_and_none_is_opened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as known, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [str(one.getsockname()[1]) for one in (known, other)]
        code = (
            "for port in sys.argv[1:]:\n"
            "    print(tried(lambda: socket.create_connection(('127.0.0.1', int(port))).close()))\n"
            "print(tried(lambda: socket.socket().bind(('127.0.0.1', 0))))\n"
        )
        said = restricted(landlock.Rules(read=PROGRAM, connect=(int(ports[0]),)), code, landlock.version(), ports)
    assert said.splitlines() == ["yes", "Permission denied", "Permission denied"]


@NEEDS
def test_nobody_outside_is_signalled_and_no_abstract_socket_reached() -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        name = f"\0wirken-test-{os.getpid()}"
        listener.bind(name)
        listener.listen()
        code = (
            "print(tried(lambda: os.kill(int(sys.argv[1]), 0)), tried(lambda: os.kill(os.getpid(), 0)),\n"
            "      tried(lambda: socket.socket(socket.AF_UNIX).connect('\\0' + sys.argv[2])))\n"
        )
        said = restricted(landlock.Rules(), code, landlock.version(), [str(os.getpid()), name[1:]])
    assert said == "Operation not permitted yes Operation not permitted"


@NEEDS
@pytest.mark.parametrize("abi", range(1, 7))
def test_rules_for_an_older_kernel_are_taken_by_a_newer_one(abi: int, tmp_path: Path) -> None:
    rules = landlock.Rules(keep=(str(tmp_path),), write=("/dev/null",), connect=(443,))
    code = "print(tried(lambda: open('/etc/passwd').close()), tried(lambda: open('/dev/null', 'w').close()))"
    assert restricted(rules, code, abi) == "Permission denied yes"


def test_without_no_new_privileges_an_ordinary_user_gets_no_domain() -> None:
    code = (
        "import os; from wirken.confine import landlock\n"
        "if os.getuid() == 0:\n    os.setresuid(65534, 65534, 65534)\n"
        "try:\n    landlock.restrict(landlock.Rules(), 1)\n"
        "except landlock.NotRestricted as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "Landlock does not work on this machine: Operation not permitted.\n", done.stderr
