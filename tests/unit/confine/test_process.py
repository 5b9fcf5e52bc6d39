"""The walls a process puts on itself, tried from inside: each in a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wirken.confine import landlock, process, roles
from wirken.domain import limits
from wirken.domain.walls import LANDLOCK_SINCE, SECCOMP, WALLS, report

ALONE = tuple(name for name, role in roles.ROLES.items() if not role.starts_programs)
NO = "Operation not permitted"
CLOSED = "Permission denied"

PRELUDE = """
import json, os, resource, socket, subprocess, sys, threading
from wirken.confine import process

def tried(act):
    try:
        act()
    except OSError as error:
        return error.strerror
    except RuntimeError as error:
        return str(error)
    return "yes"

def status():
    return {line.split(":")[0]: line.split(":")[1].strip() for line in open("/proc/self/status")}
"""


def inside(role: str, code: str, data: Path, ground: str = "") -> Any:
    """Run `code` in a process that wears the walls of this role; return what it printed, as JSON."""
    entry = f"worn = process.enter({role!r}, process.Ground({str(data)!r}{ground}))\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", PRELUDE + entry + code], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("role", list(roles.ROLES))
def test_every_role_has_no_privilege_and_no_way_to_one(role: str, tmp_path: Path) -> None:
    code = "now = status()\nprint(json.dumps([now[name] for name in sys.argv[1:] or "
    code += "('CapInh', 'CapPrm', 'CapEff', 'CapAmb', 'NoNewPrivs', 'Seccomp')] + [int(now['CapBnd'], 16)]))"
    *sets, no_new, seccomp, bounding = inside(role, code, tmp_path)
    assert {int(each, 16) for each in sets} == {0}
    assert (no_new, seccomp) == ("1", "2")
    if os.getuid() == 0:
        assert bounding == 0


@pytest.mark.parametrize("role", ALONE)
def test_no_role_but_the_runner_starts_anything(role: str, tmp_path: Path) -> None:
    code = (
        "print(json.dumps([tried(os.fork), tried(lambda: subprocess.run(['/usr/bin/true'])),\n"
        "                  tried(lambda: os.execv('/usr/bin/true', ['true'])),\n"
        "                  tried(lambda: threading.Thread(target=int).start())]))"
    )
    assert inside(role, code, tmp_path) == [NO, NO, NO, "yes"]


def test_the_runner_still_starts_programs(tmp_path: Path) -> None:
    code = "print(json.dumps(subprocess.run(['/usr/bin/id', '-u'], capture_output=True).returncode))"
    assert inside("runner", code, tmp_path) == 0


@pytest.mark.parametrize("role", ALONE)
def test_a_role_keeps_and_reads_the_files_of_its_row_only(role: str, tmp_path: Path) -> None:
    for name in ("vault", "gateway", "agents"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    (tmp_path / "config.toml").write_text("")
    code = (
        f"base = {str(tmp_path)!r}\n"
        "names = ('vault/file', 'gateway/file', 'agents/file', 'config.toml')\n"
        "print(json.dumps([[tried(lambda: open(f'{base}/{name}', mode).close()) for mode in 'ra'] for name in names]))"
    )
    row = roles.ROLES[role]
    expected = []
    for name in ("vault", "gateway", "agents", "config.toml"):
        kept = "yes" if name in row.writable else CLOSED
        expected.append(["yes" if name in row.readable else kept, kept])
    assert inside(role, code, tmp_path) == expected


@pytest.mark.parametrize("role", ALONE)
def test_other_processes_the_home_directory_and_the_program_are_out_of_reach(role: str, tmp_path: Path) -> None:
    code = (
        "import wirken\n"
        f"parent = {os.getpid()}\n"
        "print(json.dumps([tried(lambda: os.kill(parent, 0)), tried(lambda: open(f'/proc/{parent}/status').close()),\n"
        "    tried(lambda: open('/root/x', 'w')), tried(lambda: os.listdir('/home')),\n"
        "    tried(lambda: open(wirken.__file__, 'a')), tried(lambda: open('/tmp/x', 'w')),\n"
        "    tried(lambda: open('/proc/self/status').close()), tried(lambda: open('/dev/null', 'w').close())]))"
    )
    assert inside(role, code, tmp_path) == [NO, *(CLOSED,) * 5, "yes", "yes"]


@pytest.mark.parametrize("role", list(roles.ROLES))
def test_limits_are_those_of_the_row(role: str, tmp_path: Path) -> None:
    code = "print(json.dumps([resource.getrlimit(each) for each in (4, 7, 2)]))"
    row = roles.ROLES[role]
    core, files, memory = inside(role, code, tmp_path)
    assert core == [0, 0]
    assert files == [row.files, row.files]
    assert memory == ([row.memory] * 2 if row.memory else [-1, -1])


@pytest.mark.parametrize("role", ["gateway", "outbound", "web"])
def test_threads_come_to_an_end(role: str, tmp_path: Path) -> None:
    """By their number where the process has a user namespace of its own, else by the memory of their stacks."""
    code = (
        "count, held = 0, threading.Event()\n"
        "try:\n    while count < 1000:\n"
        "        threading.Thread(target=held.wait, daemon=True).start()\n        count += 1\n"
        "except RuntimeError:\n    pass\n"
        "print(json.dumps(count), flush=True)\nos._exit(0)"
    )
    assert 32 < inside(role, code, tmp_path) < 300


def test_memory_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    code = (
        "import mmap\n"
        f"most = {limits.SMALL_MEMORY}\n"
        "small = mmap.mmap(-1, most // 2, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "print(json.dumps(tried(lambda: mmap.mmap(-1, most, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))))"
    )
    assert inside("vault", code, tmp_path) == "Cannot allocate memory"


def test_a_port_that_no_configuration_names_is_not_reached(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as known, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [one.getsockname()[1] for one in (known, other)]
        code = (
            f"to = [('127.0.0.1', port) for port in {ports}]\n"
            "print(json.dumps([tried(lambda: socket.create_connection(each).close()) for each in to]\n"
            "    + [tried(lambda: socket.socket().bind(('127.0.0.1', 0)))]))"
        )
        assert inside("outbound", code, tmp_path, f", connect=({ports[0]},)") == ["yes", CLOSED, CLOSED]


def test_a_socket_that_nobody_bound_does_not_listen(tmp_path: Path) -> None:
    code = (
        "one = socket.socket()\none.listen()\n"
        "print(json.dumps([one.getsockname()[1], one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)]))"
    )
    assert inside("outbound", code, tmp_path) == [0, 0]


def test_what_was_put_on_is_told_before_anything_else(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        entry = f"process.enter('web', process.Ground({str(tmp_path)!r}, control={theirs.fileno()}))"
        subprocess.run([sys.executable, "-I", "-c", PRELUDE + entry], pass_fds=[theirs.fileno()], check=True)
        assert ours.recv(limits.WALLS_REPORT) == report((*LANDLOCK_SINCE, SECCOMP))


def test_the_longest_report_fits() -> None:
    assert len(report(WALLS)) <= limits.WALLS_REPORT


def test_a_process_that_has_threads_is_not_confined(tmp_path: Path) -> None:
    code = "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    code += f"try:\n    process.enter('web', process.Ground({str(tmp_path)!r}))\n"
    code += "except process.NotConfined as error:\n    print(error, flush=True)\n    os._exit(0)\n"
    done = subprocess.run([sys.executable, "-I", "-c", PRELUDE + code], capture_output=True, text=True, check=True)
    assert "has threads already" in done.stdout


@pytest.mark.parametrize("role", list(roles.ROLES))
def test_a_machine_without_a_filter_is_refused_unless_that_is_allowed(role: str) -> None:
    assert SECCOMP in roles.required(roles.ROLES[role], ())
    assert SECCOMP not in roles.required(roles.ROLES[role], (SECCOMP,))
    with pytest.raises(process.WallMissing) as caught:
        process._filter(roles.ROLES[role], "riscv64", ())
    assert 'allow_missing = ["seccomp"]' in caught.value.advice
    assert not process._filter(roles.ROLES[role], "riscv64", (SECCOMP,))


def test_each_kernel_lacks_what_came_later() -> None:
    assert process.lacking(0) == tuple(LANDLOCK_SINCE)
    assert process.lacking(3) == ("landlock-tcp", "landlock-ioctl", "landlock-scope")
    assert process.lacking(6) == ()


def test_without_landlock_none_of_its_parts_is_required() -> None:
    assert roles.required(roles.ROLES["web"], ("landlock",)) == (SECCOMP,)
    assert roles.required(roles.ROLES["web"], ("landlock-tcp",)) == tuple(
        each for each in (*LANDLOCK_SINCE, SECCOMP) if each != "landlock-tcp"
    )


def test_the_kernel_of_these_tests_has_every_wall() -> None:
    assert process.lacking(landlock.version()) == ()


def test_an_adapter_connects_to_its_own_way_out_alone_and_binds_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as way_out, socket.create_server(("127.0.0.1", 0)) as other:
        ports = (way_out.getsockname()[1], other.getsockname()[1])
        code = (
            f"to = [('127.0.0.1', port) for port in {ports}]\n"
            "bind = lambda: socket.socket().bind(('127.0.0.1', 0))\n"
            "print(json.dumps([tried(lambda: socket.create_connection(each).close()) for each in to]\n"
            "                 + [tried(bind), tried(lambda: socket.socket(socket.AF_INET6))]))"
        )
        found = inside("channels", code, tmp_path, f", connect=({ports[0]},)")
    assert found == ["yes", CLOSED, NO, NO]


def test_an_adapter_keeps_files_in_its_own_folder_and_nowhere_else(tmp_path: Path) -> None:
    own, other = tmp_path / "channels/matrix", tmp_path / "channels/other"
    own.mkdir(parents=True)
    other.mkdir()
    code = (
        f"places = [{str(own)!r}, {str(other)!r}, {str(tmp_path)!r}]\n"
        "print(json.dumps([tried(lambda: open(place + '/file', 'w').close()) for place in places]))"
    )
    assert inside("channels", code, tmp_path, f", state={str(own)!r}") == ["yes", CLOSED, CLOSED]
