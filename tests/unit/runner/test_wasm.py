"""Skills in WebAssembly, run for real: in wasmtime, in a process of its own, in a sandbox, in the runner's view."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import wasmtime
from tests.support.runner_client import Client, runner

from wirken.domain import limits
from wirken.ipc.calls.runner import Ran

pytestmark = pytest.mark.slow

WASI = "wasi_snapshot_preview1"
BAD_DESCRIPTOR = 8  # WASI's errno badf
IMPORTS = f"""
  (import "{WASI}" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "{WASI}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "{WASI}" "proc_exit" (func $exit (param i32)))
  (import "{WASI}" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "{WASI}" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
  (import "{WASI}" "environ_sizes_get" (func $environ (param i32 i32) (result i32)))
  (import "{WASI}" "args_sizes_get" (func $args (param i32 i32) (result i32)))
  (import "{WASI}" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
  (import "{WASI}" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
"""
SAY = """
  (func $say (param $at i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $size))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func $digit (param $value i32)
    (i32.store8 (i32.const 16) (i32.add (i32.const 48) (i32.rem_u (local.get $value) (i32.const 10))))
    (local.set $value (i32.div_u (local.get $value) (i32.const 10)))
    (i32.store8 (i32.const 15) (i32.add (i32.const 48) (i32.rem_u (local.get $value) (i32.const 10))))
    (i32.store8 (i32.const 14) (i32.const 49))
    (call $say (i32.const 14) (i32.const 3)))
"""

ECHO = f"""(module {IMPORTS} (memory (export "memory") 32)
  (func (export "_start")
    (loop $more
      (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 65536))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (if (i32.load (i32.const 8)) (then
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (br $more))))))"""


def command(body: str, data: str = "", pages: int = 1) -> str:
    return f"""(module {IMPORTS} (memory (export "memory") {pages}) {data} {SAY} (func (export "_start") {body}))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("installation") / "skills"
    place.mkdir()
    for parent in (place, place.parent):
        parent.chmod(0o755)
    return place


@pytest.fixture(scope="module", params=["cgroup", "watchdog"])
def client(request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with runner(tmp_path_factory.mktemp("runner"), request.param, skills=folder) as client:
        if request.param == "cgroup" and client.held_by == "watchdog":
            pytest.skip("no cgroup can be written here")
        yield client


def install(folder: Path, source: str | bytes, name: str = "probe") -> str:
    """Put a module into the folder and return its hash."""
    raw = bytes(wasmtime.wat2wasm(source)) if isinstance(source, str) else source
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "skill.wasm").write_bytes(raw)
    return hashlib.sha256(raw).hexdigest()


def place(sha256: str, name: str = "probe", limited: dict[str, int] | None = None) -> dict[str, object]:
    usual = {"fuel": limits.SKILL_FUEL, "memory": limits.SKILL_MEMORY, "seconds": limits.SKILL_TIME}
    return {"workspace": "", "sandbox": "wasm", "module": {"skill": name, "sha256": sha256, **usual, **(limited or {})}}


def call(client: Client, where: dict[str, object], arguments: str = "{}", tool: str = "wasm_probe") -> Ran:
    said = client.answer(client.send(do="run", tool=tool, arguments=arguments, place=where))
    assert "raised" not in said, said
    return msgspec.convert(said, Ran)


def run(client: Client, folder: Path, source: str | bytes, arguments: str = "{}", **limited: int) -> Ran:
    return call(client, place(install(folder, source), "probe", limited), arguments)


def test_a_module_reads_json_and_answers_json(client: Client, folder: Path) -> None:
    said = json.dumps({"text": "ä" * 40_000 + "\n"}, ensure_ascii=False)
    ran = run(client, folder, ECHO, '{"a": [1, 2]}')
    assert (ran.outcome, ran.exit_code, ran.ended_by, ran.output, ran.place) == ("ok", 0, "", '{"a": [1, 2]}', "wasm")
    assert run(client, folder, ECHO, said).truncated_bytes > 0


def test_what_a_failing_module_complains_is_told_and_a_working_one_is_not_heard(client: Client, folder: Path) -> None:
    complain = """(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 5))
                  (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))"""
    data = '(data (i32.const 64) "sorry")'
    assert run(client, folder, command(f"{complain} (call $exit (i32.const 1))", data)).output == "sorry\n"
    assert run(client, folder, command(f"{complain} (call $digit (i32.const 0))", data)).output == "100"


def test_its_own_exit_code_is_kept_and_others_cannot_be_feigned(client: Client, folder: Path) -> None:
    ran = run(client, folder, command("(call $exit (i32.const 7))"))
    assert (ran.outcome, ran.exit_code, ran.ended_by) == ("failed", 7, "")
    for code in (126, 200, 201, 202, -1):
        ran = run(client, folder, command(f"(call $exit (i32.const {code}))"))
        assert (ran.outcome, ran.exit_code, ran.ended_by) == ("failed", None, ""), code


def test_a_loop_without_end_uses_up_its_fuel(client: Client, folder: Path) -> None:
    ran = run(client, folder, command("(loop $again (br $again))"))
    assert (ran.outcome, ran.exit_code, ran.ended_by) == ("failed", None, "fuel")
    assert "units of fuel" in ran.output


def test_a_loop_with_much_fuel_uses_up_its_time(client: Client, folder: Path) -> None:
    ran = run(client, folder, command("(loop $again (br $again))"), fuel=limits.SKILL_FUEL_MOST, seconds=1)
    assert (ran.ended_by, ran.exit_code) == ("time", None)
    assert ran.duration_ms < 8000


def test_a_module_that_sleeps_uses_up_its_time_too(client: Client, folder: Path) -> None:
    # struct __wasi_subscription_t at 64: a relative time-out of 60 s on the monotonic clock
    sleep = """(i32.store (i32.const 80) (i32.const 1)) (i64.store (i32.const 88) (i64.const 60000000000))
               (drop (call $poll (i32.const 64) (i32.const 256) (i32.const 1) (i32.const 0)))"""
    ran = run(client, folder, command(sleep), seconds=1)
    assert ran.ended_by == "time"
    assert ran.duration_ms < 8000


def test_what_computes_is_interrupted_and_what_sleeps_is_ended_with_its_process(client: Client, folder: Path) -> None:
    """wasmtime's epoch stops a module between two instructions, and what it complained of can still be told; in a
    call of WASI's nothing counts epochs, and only the process's own deadline helps, which tells nothing more."""
    complain = """(i32.store (i32.const 0) (i32.const 32)) (i32.store (i32.const 4) (i32.const 5))
                  (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))"""
    data = '(data (i32.const 32) "sorry")'
    sleep = """(i32.store (i32.const 80) (i32.const 1)) (i64.store (i32.const 88) (i64.const 60000000000))
               (drop (call $poll (i32.const 64) (i32.const 256) (i32.const 1) (i32.const 0)))"""
    computing = command(f"{complain} (loop $again (br $again))", data)
    computes = run(client, folder, computing, fuel=limits.SKILL_FUEL_MOST, seconds=1)
    sleeps = run(client, folder, command(f"{complain} {sleep}", data), seconds=1)
    assert (computes.ended_by, "sorry" in computes.output) == ("time", True)
    assert (sleeps.ended_by, "sorry" in sleeps.output) == ("time", False)


def test_memory_grows_to_its_limit_and_no_further(client: Client, folder: Path) -> None:
    bomb = """(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable"""
    ran = run(client, folder, command(bomb))
    assert (ran.outcome, ran.ended_by) == ("failed", "memory")
    to_the_edge = command(
        """(if (i32.ne (memory.grow (i32.const 31)) (i32.const 1)) (then unreachable))
           (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
           (i32.store8 (i32.const 2097151) (i32.const 1)) (call $digit (i32.const 42))"""
    )
    assert run(client, folder, to_the_edge, memory=2 * 2**20).output == "142"


@pytest.mark.parametrize("pages", [32, 1000, 65_535])
def test_a_growth_that_was_refused_at_once_is_told_where_the_module_then_fails(
    client: Client, folder: Path, pages: int
) -> None:
    grown = f"(i32.ne (memory.grow (i32.const {pages})) (i32.const -1))"
    for end in ("unreachable", "(call $exit (i32.const 3))"):
        ran = run(client, folder, command(f"(if {grown} (then (call $exit (i32.const 9)))) {end}"), memory=2 * 2**20)
        assert (ran.outcome, ran.exit_code, ran.ended_by) == ("failed", None, "memory"), end
    content = run(
        client, folder, command(f"(if {grown} (then unreachable)) (call $digit (i32.const 42))"), memory=2 * 2**20
    )
    assert (content.outcome, content.output) == ("ok", "142")


def test_a_growth_beyond_what_the_module_itself_declares_is_not_the_limits(client: Client, folder: Path) -> None:
    source = f"""(module {IMPORTS} (memory (export "memory") 1 2) (func (export "_start")
      (if (i32.ne (memory.grow (i32.const 2)) (i32.const -1)) (then (call $exit (i32.const 9))))
      (call $exit (i32.const 3))))"""
    ran = run(client, folder, source)
    assert (ran.exit_code, ran.ended_by) == (3, "")


def test_memory_that_is_not_there_traps_and_what_grew_is_kept_and_empty(client: Client, folder: Path) -> None:
    for beyond in (131_069, 131_072, 0x7FFF_FFFF):
        ran = run(client, folder, command(f"(drop (memory.grow (i32.const 1))) (drop (i32.load (i32.const {beyond})))"))
        assert (ran.outcome, ran.ended_by) == ("failed", "") and "out of bounds" in ran.output, beyond
    data = '(data (i32.const 65535) "\\2a")'
    grown = """(drop (memory.grow (i32.const 1)))
               (if (i32.load (i32.const 131068)) (then unreachable))
               (i32.store8 (i32.const 131071) (i32.load8_u (i32.const 65535)))
               (call $digit (i32.load8_u (i32.const 131071)))"""
    assert run(client, folder, command(grown, data)).output == "142"


def test_a_module_that_starts_too_large_is_ended_by_memory(client: Client, folder: Path) -> None:
    assert run(client, folder, command("", pages=1025)).ended_by == "memory"
    assert run(client, folder, command("(call $digit (i32.const 1))", pages=1024)).outcome == "ok"


def test_tables_and_complaints_have_an_end(client: Client, folder: Path) -> None:
    table = '(module (table %d funcref) (func (export "_start")))'
    assert "cannot be used" not in run(client, folder, table % limits.SKILL_TABLE).output
    assert "cannot be used" in run(client, folder, table % (limits.SKILL_TABLE + 1)).output
    complain = """(memory.fill (i32.const 64) (i32.const 120) (i32.const %d))
                  (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const %d))
                  (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
                  (call $exit (i32.const 1))"""
    for size in (limits.SKILL_SAID, limits.SKILL_SAID + 1):
        assert run(client, folder, command(complain % (size, size))).output == "x" * limits.SKILL_SAID + "\n"


def test_recursion_without_end_overflows_its_own_stack_only(client: Client, folder: Path) -> None:
    deep = f"""(module {IMPORTS} (memory (export "memory") 1)
      (func $deep (param i64 i64 i64 i64) (call $deep (local.get 3) (local.get 2) (local.get 1) (local.get 0)))
      (func (export "_start") (call $deep (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4))))"""
    ran = run(client, folder, deep)
    assert (ran.outcome, ran.exit_code, ran.ended_by) == ("failed", None, "")
    assert "call stack exhausted" in ran.output


def test_a_flood_of_output_keeps_head_and_tail_and_is_no_answer(client: Client, folder: Path) -> None:
    flood = """(local $n i32)
      (memory.fill (i32.const 64) (i32.const 120) (i32.const 60000))
      (loop $again (call $say (i32.const 64) (i32.const 60000))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $n) (i32.const 200))))"""
    ran = run(client, folder, command(flood))
    assert ran.outcome == "failed"
    kept = limits.EXEC_OUTPUT_HEAD + limits.EXEC_OUTPUT_TAIL - limits.EXEC_OUTPUT_NOTES
    assert ran.truncated_bytes == 200 * 60_000 - kept  # so all of it was written before the process ended
    assert len(ran.output) < limits.EXEC_OUTPUT_HEAD + limits.EXEC_OUTPUT_TAIL + 200
    assert "longer than what is kept" in ran.output


def test_an_endless_flood_is_ended(client: Client, folder: Path) -> None:
    ran = run(
        client, folder, command("(loop $again (call $say (i32.const 64) (i32.const 60000)) (br $again))"), seconds=2
    )
    assert ran.ended_by in ("fuel", "time")


def test_what_is_no_json_is_no_answer(client: Client, folder: Path) -> None:
    ran = run(client, folder, command("(call $say (i32.const 64) (i32.const 5))", '(data (i32.const 64) "hello")'))
    assert (ran.outcome, ran.output) == ("failed", "hello\n[the skill's answer is no JSON]")
    nested = command(
        "(memory.fill (i32.const 64) (i32.const 91) (i32.const 40000)) (call $say (i32.const 64) (i32.const 40000))"
    )
    assert "no JSON" in run(client, folder, nested).output


def test_the_largest_input_arrives_whole(client: Client, folder: Path) -> None:
    counts = """(local $sum i32)
      (loop $more
        (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 60000))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (local.set $sum (i32.add (local.get $sum) (i32.load (i32.const 8))))
        (br_if $more (i32.load (i32.const 8))))
      (if (i32.ne (local.get $sum) (i32.const %d)) (then unreachable)) (call $digit (i32.const 0))"""
    text = json.dumps("x" * (limits.ARGUMENTS - 2))
    assert run(client, folder, command(counts % limits.ARGUMENTS), text).outcome == "ok"


@pytest.mark.parametrize(
    "asked",
    [
        """$open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 10) (i32.const 0) (i64.const 2) (i64.const 0)
           (i32.const 0) (i32.const 96)""",
        "$accept (i32.const 3) (i32.const 0) (i32.const 96)",
        "$prestat (i32.const 3) (i32.const 96)",
    ],
)
def test_there_is_no_folder_file_or_socket(client: Client, folder: Path, asked: str) -> None:
    ran = run(client, folder, command(f"(call $digit (call {asked}))", '(data (i32.const 64) "/etc/passwd")'))
    assert ran.output == f"1{BAD_DESCRIPTOR:02}"


def test_there_is_no_variable_and_no_argument(client: Client, folder: Path) -> None:
    for function in ("environ", "args"):
        body = f"""(if (call ${function} (i32.const 96) (i32.const 100)) (then unreachable))
                   (call $digit (i32.load (i32.const 96)))"""
        assert run(client, folder, command(body)).output == "100"


@pytest.mark.parametrize(
    "imported",
    [
        '(import "env" "system" (func (param i32) (result i32)))',
        f'(import "{WASI}" "sock_open" (func (param i32 i32 i32) (result i32)))',
        '(import "wasi:http/types" "fields" (func))',
        '(import "env" "memory" (memory 1))',
    ],
)
def test_an_import_that_does_not_exist_is_refused(client: Client, folder: Path, imported: str) -> None:
    ran = run(client, folder, f'(module {imported} (func (export "_start")))')
    assert (ran.outcome, ran.exit_code) == ("failed", None)
    assert "unknown import" in ran.output


@pytest.mark.parametrize(
    "source",
    [
        "(module)",
        '(module (memory (export "_start") 1))',
        '(module (memory 1) (memory 1) (func (export "_start")))',
        '(module (memory i64 1) (func (export "_start")))',
        '(module (memory 1 1 shared) (func (export "_start")))',
        '(module (table 100001 funcref) (func (export "_start")))',
        b"\0asm\1\0\0\0" + b"\xff" * 100,
        b"\0asm\x0d\0\1\0",
        b"(module)",
        b"",
    ],
)
def test_a_module_of_another_kind_is_refused_in_words(client: Client, folder: Path, source: str | bytes) -> None:
    ran = run(client, folder, source)
    assert ran.outcome in ("failed", "denied")
    assert "cannot be used" in ran.output or "no binary" in ran.output or "cannot be read" in ran.output


def test_a_start_function_is_counted_too(client: Client, folder: Path) -> None:
    source = '(module (func $s (loop $again (br $again))) (start $s) (func (export "_start")))'
    assert run(client, folder, source).ended_by == "fuel"


def test_a_module_that_takes_long_to_compile_is_bounded(client: Client, folder: Path) -> None:
    body = "(drop (i32.const 1))" * 50_000
    functions = "".join(f"(func (param i32) {body})" for _ in range(8))
    ran = run(client, folder, f'(module {functions} (func (export "_start")))')
    assert ran.outcome in ("ok", "failed")
    assert ran.duration_ms < (limits.SKILL_COMPILE + 5) * 1000


def test_a_module_that_was_changed_does_not_run(client: Client, folder: Path) -> None:
    before = install(folder, command("(call $digit (i32.const 1))"))
    install(folder, command("(call $digit (i32.const 2))"))
    ran = call(client, place(before))
    assert ran.outcome == "denied"
    assert "it was changed" in ran.output


@pytest.mark.parametrize("name", ["../probe", "probe/..", "/etc", "Probe", "", "missing", "p" * 49])
def test_only_a_skills_own_name_leads_to_a_module(client: Client, folder: Path, name: str) -> None:
    ran = call(client, place(install(folder, ECHO), name), tool=f"wasm_{name}")
    assert ran.outcome == "denied"


def test_a_link_is_no_module(client: Client, folder: Path) -> None:
    digest = install(folder, ECHO)
    (folder / "linked").symlink_to(folder / "probe")
    (folder / "file").mkdir()
    (folder / "file/skill.wasm").symlink_to(folder / "probe/skill.wasm")
    for name in ("linked", "file"):
        assert call(client, place(digest, name), tool=f"wasm_{name}").outcome == "denied"
    (folder / "linked").unlink()
    shutil.rmtree(folder / "file")


@pytest.mark.parametrize(
    "change",
    [
        {"workspace": "/etc"},
        {"network": "open"},
        {"read_only": ["/etc"]},
        {"outside": [{"path": "/etc/passwd"}]},
        {"sandbox": "bubblewrap"},
    ],
)
def test_a_call_that_reaches_more_than_a_skill_does_is_refused(
    client: Client, folder: Path, change: dict[str, object]
) -> None:
    where = place(install(folder, ECHO)) | change
    said = client.answer(client.send(do="run", tool="wasm_probe", arguments="{}", place=where))
    assert said["raised"] == "Refused"


@pytest.mark.parametrize(
    "limited",
    [
        {"fuel": limits.SKILL_FUEL_MOST + 1},
        {"memory": limits.SKILL_MEMORY_MOST + 1},
        {"seconds": limits.SKILL_TIME_MOST + 1},
        {"fuel": 0},
    ],
)
def test_limits_beyond_the_hard_ones_are_refused(client: Client, folder: Path, limited: dict[str, int]) -> None:
    where = place(install(folder, ECHO), "probe", limited)
    said = client.answer(client.send(do="run", tool="wasm_probe", arguments="{}", place=where))
    assert said["raised"] == "Refused"
    where = place(install(folder, ECHO))
    said = client.answer(client.send(do="run", tool="exec", arguments="{}", place=where))
    assert said["raised"] == "Refused"


def test_a_module_can_be_stopped(client: Client, folder: Path) -> None:
    digest = install(folder, command("(loop $again (br $again))"))
    where = place(digest, "probe", {"fuel": limits.SKILL_FUEL_MOST, "seconds": 60})
    number = client.send(do="run", tool="wasm_probe", arguments="{}", place=where)
    assert client.sh("sleep 1").outcome == "ok"
    client.control(do="cancel", id=number)
    assert client.answer(number) == {"cancelled": True}
