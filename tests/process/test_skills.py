"""A wasm skill from its folder to the model: offered, asked for, recorded with its hash, run, answered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import wasmtime
from tests.support.spine import WIRKEN, Spine, environment, spine, wirken
from tests.support.terminal import Terminal
from tests.unit.runner.test_wasm import ECHO

from wirken.domain.actions import CanonicalCall
from wirken.domain.events import ToolPermitted, ToolResultFact

pytestmark = pytest.mark.slow

MODULE = bytes(wasmtime.wat2wasm(ECHO))
CONFIG = '[approvals]\nask_seconds = 20\n[skills.wasm.echo]\ntier = "tier2"\n'


def install(data: Path, name: str, **manifest: object) -> Path:
    place = data / "skills" / name
    place.mkdir(parents=True)
    shape = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    usual = {"name": name, "description": "Says it again.", "parameters": shape}
    (place / "skill.json").write_text(json.dumps(usual | manifest))
    (place / "skill.wasm").write_bytes(MODULE)
    return place


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    folder = tmp_path_factory.mktemp("skills")
    (folder / "data").mkdir(mode=0o700)
    for name in ("echo", "again"):
        install(folder / "data", name)
    install(folder / "data", "greedy", memory_mib=100_000)
    install(folder / "data", "shapeless", parameters={"type": "object", "properties": 7})
    with spine(folder, CONFIG) as one:
        yield one


def asked(one: Spine, session: str, message: str) -> Terminal:
    return Terminal([*WIRKEN, "ask", "-m", message, "--session", session], environment(one.data))


def test_a_call_shows_the_module_before_it_runs_and_its_hash_is_on_record(up: Spine) -> None:
    at = asked(up, "once", 'call: wasm_again {"text": "hello"}')
    at.see("Allow? [o]nce, [d]eny: ")
    digest = hashlib.sha256(MODULE).hexdigest()
    assert "the skill again" in at.shown
    assert digest in at.shown.replace("\r", "").replace("\n", "").replace(" ", "")
    assert "can reach: its input, nothing else" in at.shown
    at.type("o\n")
    assert at.end() == 0
    facts = up.facts("default/terminal/once")
    [permit] = [fact for fact in facts if isinstance(fact, ToolPermitted)]
    call = json.loads(permit.call)
    assert call["place"]["module"]["sha256"] == digest
    assert (call["place"]["workspace"], call["place"]["sandbox"], permit.tier) == ("", "wasm", "tier3")
    assert set(call) == set(CanonicalCall.__struct_fields__)
    [result] = [fact for fact in facts if isinstance(fact, ToolResultFact)]
    assert (result.success, result.output) == (True, '{"text": "hello"}')


def test_a_skill_that_the_operator_made_tier_2_can_be_allowed_for_30_days(up: Spine) -> None:
    at = asked(up, "days", 'call: wasm_echo {"text": "one"}')
    at.see("Allow? [o]nce, this [s]ession, [30] days, [d]eny: ")
    at.type("30\n")
    assert at.end() == 0
    done = wirken(up.data, "ask", "-m", 'call: wasm_echo {"text": "two"}', "--session", "days")
    assert "ran: wasm_echo (exit code 0)" in done.stderr
    listed = json.loads(wirken(up.data, "permissions", "list", "--json").stdout)
    key = f"tool:wasm_echo@{hashlib.sha256(MODULE).hexdigest()[:16]}"
    assert key in json.dumps(listed)


def test_arguments_that_break_the_skills_schema_reach_no_module(up: Spine) -> None:
    done = wirken(up.data, "ask", "-m", 'call: wasm_echo {"text": 7}', "--session", "shape")
    assert "Invalid arguments" in "".join(
        fact.output for fact in up.facts("default/terminal/shape") if isinstance(fact, ToolResultFact)
    )
    assert done.returncode == 0


def test_a_module_that_was_changed_meanwhile_is_not_run(up: Spine) -> None:
    place = up.data / "skills/echo/skill.wasm"
    try:
        place.write_bytes(MODULE + b"\0\1\0")
        wirken(up.data, "ask", "-m", 'call: wasm_echo {"text": "three"}', "--session", "changed")
    finally:
        place.write_bytes(MODULE)
    [result] = [fact for fact in up.facts("default/terminal/changed") if isinstance(fact, ToolResultFact)]
    assert (result.success, result.outcome) == (False, "denied")
    assert "it was changed" in result.output


def test_a_skill_that_cannot_be_used_is_named_in_the_log_and_not_offered(up: Spine) -> None:
    assert "a skill is left out: The skill.json of 'greedy'" in up.err
    assert "wasm_shapeless are no JSON Schema" in up.err
    wirken(up.data, "ask", "-m", 'call: wasm_greedy {"text": "x"}', "--session", "greedy")
    [result] = [fact for fact in up.facts("default/terminal/greedy") if isinstance(fact, ToolResultFact)]
    assert "There is no such tool" in result.output


def test_explaining_knows_skills_and_their_tier(up: Spine) -> None:
    for name, tier in (("echo", "tier2"), ("again", "tier3")):
        done = wirken(up.data, "permissions", "explain", f"wasm_{name}", '{"text": "x"}', "--json")
        assert json.loads(done.stdout)["tier"] == tier
