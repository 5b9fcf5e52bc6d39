"""What a command can and cannot do, in a real sandbox inside a real view."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path

import pytest
from tests.support.runner_client import Client, runner
from tests.support.walled import owned

from wirken.domain import limits
from wirken.runner.masks import HIDDEN

pytestmark = pytest.mark.slow


def processes_named(word: str) -> list[str]:
    """Return the command lines on this machine that contain `word`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if word in line:
                found.append(line)
    return found


def test_the_probe_reports_who_holds_the_limits(sandbox: Client) -> None:
    report = sandbox.status()
    assert (report.kind, report.limits) == ("bubblewrap", sandbox.held_by)


def test_a_command_and_an_argv_run_as_given(sandbox: Client) -> None:
    assert sandbox.sh("echo $((6*7))").output == "42\n"
    assert sandbox.run("exec", argv=["printf", "%s|", "a b", "$HOME", "*"]).output == "a b|$HOME|*|"


def test_both_outputs_arrive_in_their_order(sandbox: Client) -> None:
    assert sandbox.sh("echo 1; echo 2 >&2; echo 3").output == "1\n2\n3\n"


def test_the_exit_code_is_the_commands_own(sandbox: Client) -> None:
    ran = sandbox.sh("exit 7")
    assert (ran.outcome, ran.exit_code, ran.ended_by, ran.place) == ("failed", 7, "", "bubblewrap")
    assert sandbox.sh("true").outcome == "ok"


def test_a_program_that_does_not_exist_is_127(sandbox: Client) -> None:
    ran = sandbox.run("exec", argv=["/no/such/program"])
    assert (ran.outcome, ran.exit_code) == ("failed", 127)
    assert "No such file or directory" in ran.output


def test_a_program_that_is_not_executable_is_126(sandbox: Client) -> None:
    assert sandbox.run("exec", argv=["/etc/passwd"]).exit_code == 126


def test_the_environment_is_ours_only(sandbox: Client) -> None:
    names = {line.partition("=")[0] for line in sandbox.run("exec", argv=["env"]).output.splitlines()}
    assert names == {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "PWD"}


def test_no_descriptor_leaks_into_the_sandbox(sandbox: Client) -> None:
    assert sandbox.run("exec", argv=["ls", "/proc/self/fd"]).output.split() == ["0", "1", "2", "3"]
    assert sandbox.sh("readlink /proc/self/fd/0").output == "/dev/null\n"


def test_a_file_has_a_largest_size(sandbox: Client) -> None:
    """One byte at the end: nothing else of the file takes room."""
    last = "dd if=/dev/zero of=/workspace/large bs=1 count=1 seek=%d 2>/dev/null"
    assert sandbox.sh(last % (limits.EXEC_FILE_SIZE - 1)).exit_code == 0
    (sandbox.workspace / "large").unlink()
    assert sandbox.sh(last % limits.EXEC_FILE_SIZE).exit_code != 0
    (sandbox.workspace / "large").unlink()


def test_the_root_is_read_only(sandbox: Client) -> None:
    ran = sandbox.sh(
        "touch /x /usr/x /etc/x /dev/x /readonly 2>&1; echo ws > /workspace/f && echo tmp > /tmp/f && cat f /tmp/f"
    )
    assert ran.output.count("Read-only file system") == 5
    assert ran.output.endswith("ws\ntmp\n")


def test_nothing_of_the_host_is_visible_but_usr(sandbox: Client) -> None:
    ran = sandbox.sh("ls -A / && ls -A /etc && ls -A /tmp /home /root /var /run /sys 2>/dev/null")
    top, _, rest = ran.output.partition("alternatives\n")
    assert set(top.split()) <= set("bin dev etc lib lib32 lib64 libx32 proc sbin tmp usr workspace".split())
    assert set(rest.split()) <= {"group", "hosts", "ld.so.cache", "localtime", "nsswitch.conf", "passwd", "/tmp:"}


def test_nothing_that_is_hidden_of_proc_can_be_opened(sandbox: Client) -> None:
    names = " ".join(HIDDEN)
    script = (
        f"for n in {names}; do for how in '<' '>>'; do (eval \": $how /proc/$n\") && echo $n; done; done 2>/dev/null"
    )
    assert sandbox.sh(f"{script}; (: < /proc/stat) && echo stat").output == "stat\n"
    assert sandbox.sh(f"{script.replace(names, 'stat')}; true").output == "stat\n"


def test_a_command_is_not_root_and_has_no_capabilities(sandbox: Client) -> None:
    status = sandbox.sh("id -u; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status").output.split()
    assert status[0] == "1000"
    values = dict(zip(status[1::2], status[2::2], strict=True))
    assert {values[f"Cap{name}:"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0000000000000000"}
    assert (values["NoNewPrivs:"], values["Seccomp:"]) == ("1", "2")


def test_every_namespace_is_the_commands_own(sandbox: Client) -> None:
    """The runner already has a view of its own; a sandbox shares none of it."""
    kinds = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
    inside = sandbox.run("exec", argv=["readlink", *(f"/proc/self/ns/{kind}" for kind in kinds)]).output.split()
    assert len(inside) == len(kinds)
    runners: set[str] = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # other processes may end meanwhile
            if entry.name.isdigit() and b"runner_bench.py" in (entry / "cmdline").read_bytes():
                runners |= {os.readlink(entry / "ns" / kind) for kind in kinds}
    assert len(runners) >= len(kinds)
    assert runners.isdisjoint(inside)


def test_the_network_is_unreachable(sandbox: Client) -> None:
    script = (
        "import socket\n"
        "print(sorted(name for _, name in socket.if_nameindex()))\n"
        "for address in ('192.0.2.1', '10.0.0.1'):\n"
        "    try: socket.create_connection((address, 80), 2)\n"
        "    except OSError as error: print(error.errno)\n"
    )
    assert sandbox.run("exec", argv=["/usr/bin/python3", "-c", script]).output == "['lo']\n101\n101\n"


def test_a_service_on_the_hosts_loopback_is_out_of_reach(sandbox: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"import socket; print(socket.socket().connect_ex(('127.0.0.1', {port})))"
        assert sandbox.run("exec", argv=["/usr/bin/python3", "-c", script]).output == "111\n"


@pytest.mark.parametrize(
    "attempt",
    [
        "import fcntl; fcntl.ioctl(0, 0x5412, b'x')",
        "import fcntl; fcntl.ioctl(0, 0x541C, b'x')",
        "import socket; socket.socket(40, 1)",
        "import socket; socket.socket(38, 5)",
        "import socket; socket.socket(16, 3, 12)",
        "import socket; socket.socket(2, 1, 132)",
        "import ctypes, os; c = ctypes.CDLL(None, use_errno=True); r = c.unshare(0x10000000);"
        " r and (_ for _ in ()).throw(OSError(ctypes.get_errno(), 'x'))",
        "import ctypes, os; c = ctypes.CDLL(None, use_errno=True); r = c.ptrace(0, 0, 0, 0);"
        " r and (_ for _ in ()).throw(OSError(ctypes.get_errno(), 'x'))",
        "import ctypes, os; c = ctypes.CDLL(None, use_errno=True); r = c.personality(0x0040000);"
        " r == -1 and (_ for _ in ()).throw(OSError(ctypes.get_errno(), 'x'))",
    ],
)
def test_the_filter_refuses(sandbox: Client, attempt: str) -> None:
    ran = sandbox.run("exec", argv=["/usr/bin/python3", "-c", attempt])
    assert ran.exit_code == 1
    assert "Errno 1]" in ran.output, ran.output


def test_a_memory_hog_is_ended(sandbox: Client) -> None:
    script = "held = []\nwhile True: held.append(bytearray(10**7))"
    ran = sandbox.run("exec", argv=["/usr/bin/python3", "-c", script])
    assert ran.outcome == "failed"
    assert ran.ended_by == "memory" or "MemoryError" in ran.output


def test_the_memory_of_the_whole_tree_counts(sandbox: Client) -> None:
    hog = "python3 -c 'import time; held = bytearray(150 * 2**20); time.sleep(20)' & "
    ran = sandbox.sh(hog * 5 + "wait; echo survived")
    assert (ran.outcome, ran.ended_by) == ("failed", "memory")
    assert ran.duration_ms < 10_000
    assert "512 MiB" in ran.output


def test_a_fork_bomb_stays_inside_and_everything_is_gone_afterwards(sandbox: Client) -> None:
    ran = sandbox.sh("bomb() { bomb | bomb & }; bomb; sleep 3; echo $(ls -d /proc/[0-9]* | wc -l)", timeout=10)
    assert "Cannot fork" in ran.output or "Resource temporarily unavailable" in ran.output
    assert processes_named("bomb() {") == []


def test_more_processes_than_allowed_cannot_be_started(sandbox: Client) -> None:
    script = (
        "import os, signal, sys\n"
        "made = []\n"
        "try:\n"
        "    while True:\n"
        "        child = os.fork()\n"
        "        if not child: signal.pause()\n"
        "        made.append(child)\n"
        "except BlockingIOError: print(len(made)); sys.exit(3)\n"
    )
    ran = sandbox.run("exec", argv=["/usr/bin/python3", "-c", script])
    assert limits.EXEC_PROCESSES - 4 <= int(ran.output.split()[0]) < limits.EXEC_PROCESSES
    assert ran.exit_code == 3
    assert ran.ended_by == ("processes" if sandbox.held_by.startswith("cgroup") else "")


def test_a_gigabyte_of_output_is_cut_and_counted(sandbox: Client) -> None:
    ran = sandbox.sh("head -c 1000000000 /dev/zero | tr '\\0' x; echo the end")
    assert ran.outcome == "ok"
    kept = ran.output.encode()
    assert len(kept) <= limits.EXEC_OUTPUT_HEAD + limits.EXEC_OUTPUT_TAIL
    assert kept.endswith(b"xthe end\n")
    note = f"\n[… {ran.truncated_bytes} bytes of output left out …]\n".encode()
    assert len(kept) - len(note) + ran.truncated_bytes == 1_000_000_008


def test_tmp_and_shared_memory_have_a_size(sandbox: Client) -> None:
    ran = sandbox.sh("for d in /tmp /dev/shm; do head -c 100M /dev/zero > $d/x; stat -c %s $d/x; done; stat -c %a /tmp")
    assert ran.output.count("No space left on device") == 2
    sizes = [line for line in ran.output.splitlines() if line.isdigit()]
    assert sizes == [str(limits.EXEC_TMP), str(limits.EXEC_TMP), "1777"]


def test_tmp_is_fresh_for_every_command(sandbox: Client) -> None:
    sandbox.sh("touch /tmp/left")
    assert sandbox.sh("ls /tmp").output == ""


def test_daemons_do_not_survive_their_command(sandbox: Client) -> None:
    ran = sandbox.sh("setsid -f sleep 98765; (setsid nohup sleep 98765 >/dev/null 2>&1 &); sleep 98765 & echo done")
    assert ran.output == "done\n"
    assert ran.duration_ms < 5_000
    assert processes_named("sleep 98765") == []


def test_a_command_that_takes_too_long_is_ended_with_all_its_children(sandbox: Client) -> None:
    ran = sandbox.sh("trap '' TERM INT HUP; setsid -f sleep 98766; echo before; sleep 98766", timeout=0.5)
    assert (ran.outcome, ran.ended_by, ran.exit_code) == ("failed", "time", None)
    assert ran.output.startswith("before\n[ended: ")
    assert 500 <= ran.duration_ms < 2_500
    assert processes_named("sleep 98766") == []


def test_cancelling_kills_within_a_second(sandbox: Client) -> None:
    number = sandbox.start("exec", command="setsid -f sleep 98767; sleep 98767; true")
    while len(processes_named("sleep 98767")) < 2:
        time.sleep(0.01)
    began = time.monotonic()
    sandbox.control(do="cancel", id=number)
    assert sandbox.answer(number) == {"cancelled": True}
    assert time.monotonic() - began < 1.0
    assert processes_named("sleep 98767") == []


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.002, 0.004, 0.008])
def test_cancelling_while_the_sandbox_is_being_made_leaves_nothing(sandbox: Client, delay: float) -> None:
    numbers = [sandbox.start("exec", command="sleep 98768; true") for _ in range(4)]
    time.sleep(delay)
    for number in numbers:
        sandbox.control(do="cancel", id=number)
    assert [sandbox.answer(number) for number in numbers] == [{"cancelled": True}] * 4
    assert processes_named("sleep 98768") == []


def test_the_runners_death_takes_the_sandboxes_along(tmp_path: Path) -> None:
    with runner(tmp_path, "watchdog") as client:
        client.start("exec", command="setsid -f sleep 98769; sleep 98769; true")
        while len(processes_named("sleep 98769")) < 2:
            time.sleep(0.01)
        client.kill()
        deadline = time.monotonic() + 2
        while processes_named("sleep 98769") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert processes_named("sleep 98769") == []


def test_stopping_ends_running_commands_and_starts_no_more(tmp_path: Path) -> None:
    with runner(tmp_path, "watchdog") as client:
        number = client.start("exec", command="echo here; sleep 98770")
        while not processes_named("sleep 98770"):
            time.sleep(0.01)
        client.control(do="stop")
        stopped = client.answer(number)
        assert (stopped["outcome"], stopped["ended_by"]) == ("stopped", "stopped")
        assert client.sh("echo more").outcome == "stopped"
        assert processes_named("sleep 98770") == []


def test_more_commands_than_places_wait_for_one(sandbox: Client) -> None:
    numbers = [sandbox.start("exec", command=f"sleep 0.2; echo {n}") for n in range(limits.EXEC_PARALLEL + 4)]
    answers = [sandbox.answer(number)["output"] for number in numbers]
    assert answers == [f"{n}\n" for n in range(limits.EXEC_PARALLEL + 4)]


def test_read_only_folders_can_be_read_and_not_written(tmp_path: Path) -> None:
    docs = owned(tmp_path / "docs")
    (docs / "a.txt").write_text("from docs\n")
    with runner(tmp_path, "watchdog", (str(docs),)) as client:
        shown = (str(docs),)
        ran = client.run("exec", shown, command="cat /readonly/1-docs/a.txt; touch /readonly/1-docs/b")
        assert ran.output.startswith("from docs\n")
        assert "Read-only file system" in ran.output
        assert client.run("read_file", shown, path="/readonly/1-docs/a.txt").output == "from docs\n"
        refused = client.run("write_file", shown, path="/readonly/1-docs/b", content="x")
        assert (refused.outcome, (docs / "b").exists()) == ("denied", False)
        assert client.run("read_file", (), path="/readonly/1-docs/a.txt").outcome == "denied"


def test_what_a_command_writes_a_file_tool_reads(sandbox: Client) -> None:
    sandbox.sh("mkdir -p made && printf 'héllo\\n' > made/it.txt && ln -s it.txt made/link")
    assert sandbox.run("read_file", path="/workspace/made/link").output == "héllo\n"
    assert sandbox.run("write_file", path="made/new.sh", content="echo new\n").outcome == "ok"
    assert sandbox.sh("sh made/new.sh; rm -r made").output == "new\n"


def test_a_command_too_long_for_the_kernel_is_said_to_be_so(sandbox: Client) -> None:
    ran = sandbox.sh("true " + "x" * 200_000)
    assert (ran.outcome, ran.exit_code) == ("failed", 126)
    assert "too long" in ran.output


def test_descriptors_and_cgroups_are_given_back(sandbox: Client) -> None:
    first = sandbox.answer(sandbox.send(do="time", count=5))
    second = sandbox.answer(sandbox.send(do="time", count=20))
    assert first["open"] == second["open"]
    left = [path for path in Path("/sys/fs/cgroup").glob(f"**/wirken-{os.getpid()}/command-*")]
    assert left == []


def test_ordinary_tools_work_under_the_filter(sandbox: Client) -> None:
    ran = sandbox.sh(
        "set -e; rm -rf tools; mkdir -p tools/a/b; cd tools; echo x > a/b/f; chmod 700 a/b; chmod u+rwx a/b/f;"
        " cp -a a c; tar -cf t.tar a; mkdir d; tar -xpf t.tar -C d; install -D -m 755 a/b/f e/f; mkfifo p;"
        " mkdir -m 1777 s;"
        ' python3 -c \'import tempfile, shutil; tempfile.TemporaryFile(dir="."); tempfile.mkdtemp(); '
        'shutil.copytree("a", "g")\';'
        " diff -r a c; diff -r a d/a; diff -r a g; if command -v git; then git init -q r; cd r; git add .;"
        " git -c user.name=a -c user.email=a@b commit -qm x --allow-empty; fi; echo done",
        steering=True,
    )
    assert ran.outcome == "ok" and ran.output.endswith("done\n"), ran.output


def test_a_command_cannot_leave_a_program_that_lends_its_rights(sandbox: Client) -> None:
    ran = sandbox.sh(
        "rm -rf lent; mkdir lent; cd lent; cp /bin/true f; chmod 4755 f; chmod g+s f; chmod 2755 .;"
        " install -m 4755 /bin/true i; mkdir -m 2755 d; python3 -c '\nimport os\n"
        'for make in (lambda: os.open("o", os.O_CREAT | os.O_WRONLY, 0o4755),'
        ' lambda: os.open(".", os.O_TMPFILE | os.O_WRONLY, 0o2755), lambda: os.mknod("n", 0o104755),'
        ' lambda: os.mkdir("m", 0o2755), lambda: os.fchmod(os.open("f", 0), 0o6755)):\n'
        '    try:\n        make()\n        print("made")\n    except PermissionError:\n        print("refused")\n\';'
        " find . -perm /6000"
    )
    folder = sandbox.workspace / "lent"
    lent = [path.name for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o6000]
    assert not lent and ran.output.count("refused") == 5 and "made" not in ran.output, ran.output
