from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest
from tests.support.gateway_bench import bench
from tests.support.scripted_wings import Runs, ScriptedRunner, calls, runs_well, says

from wirken.config.model import AgentConfig, Config
from wirken.domain import limits
from wirken.domain.actions import CanonicalCall
from wirken.domain.errors import Refused
from wirken.domain.events import PermissionDenied, ToolPermitted, ToolResultFact
from wirken.ipc.calls.runner import Ran, SandboxReport
from wirken.record.verify import Status

WRITE = ("write_file", '{"path":"a.txt","content":"x"}')


async def result_of(folder: Path, name: str, arguments: str, behave: Runs = runs_well) -> ToolResultFact:
    """Have the model propose one call; return its result row, after looking that the session verifies."""
    script = calls((name, arguments)), says("done")
    async with bench(folder, *script, behave=behave) as at:
        await at.say("go")
        [result] = [fact for fact in at.facts() if isinstance(fact, ToolResultFact)]
        assert (await at.verify()).status is Status.VERIFIED
        permits = [fact for fact in at.facts() if isinstance(fact, ToolPermitted)]
        assert len(permits) == len(at.runner.ran), "what runs has its permit, and what has none does not run"
        return result


async def test_a_call_runs_with_a_permit_of_exactly_its_bytes(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(WRITE), says("done")) as at:
        await at.say("go")
        [permit] = [fact for fact in at.facts() if isinstance(fact, ToolPermitted)]
        [run] = at.runner.ran
        assert run.call.decode() == permit.call
        assert run.permit.call_sha256 == permit.call_sha256 == hashlib.sha256(run.call).hexdigest()
        assert at.facts()[run.permit.seq] == permit
        assert json.loads(permit.call)["arguments"] == WRITE[1]


async def test_the_permits_row_is_on_disk_when_the_runner_hears_of_the_call(tmp_path: Path) -> None:
    seen: list[str] = []

    async def looks(call: CanonicalCall, runner: ScriptedRunner) -> Ran:
        seen.extend(at.kinds())
        return Ran(outcome="ok", output="")

    async with bench(tmp_path, calls(WRITE), says("done"), behave=looks) as at:
        await at.say("go")
    assert seen[-2:] == ["assistant_tool_calls", "tool_permitted"]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        (
            "rm_rf",
            "{}",
            "There is no such tool. Tools: read_file, write_file, list_files, exec, http_request, web_search.",
        ),
        ("", "{}", "There is no such tool"),
        ("Exec", '{"command":"ls"}', "There is no such tool"),
        ("exec", "ls", "not valid JSON"),
        ("exec", "", "not valid JSON"),
        ("exec", "[]", "Invalid arguments at the arguments"),
        ("exec", "{}", "Invalid arguments"),
        ("exec", '{"command":"ls","argv":["rm"]}', "Invalid arguments"),
        ("exec", '{"command":"ls","command":"rm -rf /"}', "name a key twice"),
        ("exec", '{"argv":["ls"],"\\u0061rgv":["rm"]}', "name a key twice"),
        ("exec", '{"command":"ls","sudo":true}', "Invalid arguments"),
        ("exec", '{"command":7}', "Invalid arguments at command"),
        ("exec", '{"argv":[]}', "Invalid arguments at argv"),
        ("exec", '{"argv":["ls",1]}', "Invalid arguments at argv/1"),
        ("exec", '{"command":"ls","timeout":301}', "Invalid arguments at timeout"),
        ("exec", '{"command":"ls","timeout":1e400}', "cannot be used|Invalid arguments"),
        ("exec", '{"command":"ls","timeout":NaN}', "Invalid|cannot be used|not valid"),
        ("exec", '{"command":"\\ud800"}', "no Unicode text"),
        ("read_file", '{"path":""}', "Invalid arguments at path"),
        ("read_file", '{"path":"a","offset":-1}', "Invalid arguments at offset"),
        ("write_file", '{"path":"a"}', "Invalid arguments"),
        ("exec", "[" * 100_000, "not valid JSON"),
    ],
)
async def test_a_call_that_fits_no_tool_goes_back_to_the_model(
    tmp_path: Path, name: str, arguments: str, said: str
) -> None:
    result = await result_of(tmp_path, name, arguments)
    assert (result.outcome, result.success) == ("invalid", False)
    assert any(part in result.output for part in said.split("|")), result.output
    assert len(result.output) < 1000


async def test_a_refused_call_has_its_denial_and_its_result_in_one_commit(tmp_path: Path) -> None:
    result = await result_of(tmp_path, "exec", '{"command":"curl https://httpbin.org/get"}')
    assert result.outcome == "denied"
    assert result.output == "Permission denied: 'exec' requires tier3 approval."


async def test_nobody_is_asked_where_nobody_can_answer(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(("exec", '{"command":"ls"}')), says("done")) as at:
        frames = await at.say("go", interactive=False)
        assert not [frame for frame in frames if type(frame).__name__ == "Asked"]
        [denied] = [fact for fact in at.facts() if isinstance(fact, PermissionDenied)]
        assert (denied.rule, denied.action_key, denied.tier) == ("not_interactive", "shell:ls", "tier2")
        assert at.runner.ran == []


async def test_a_gate_refuses_what_no_approval_could_lift(tmp_path: Path) -> None:
    result = await result_of(tmp_path, "read_file", '{"path":"../../etc/passwd"}')
    assert result.outcome == "denied" and "'outside_workspace'" in result.output


async def test_without_a_sandbox_exec_is_not_offered_and_not_run(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(("exec", '{"command":"ls"}')), says("done"), wings=False) as at:
        at.runner.report = SandboxReport(kind="none", limits="", reason="No bwrap.", fix="Install it.")
        await at.runner.start()
        await at.model.start()
        await at.say("go", interactive=True)
        [denied] = [fact for fact in at.facts() if isinstance(fact, PermissionDenied)]
        assert denied.rule == "no_sandbox" and at.runner.ran == []
        assert b'"exec"' not in at.model.questions[0].tools


async def test_a_runner_that_was_lost_leaves_an_unknown_outcome_and_nothing_runs_twice(tmp_path: Path) -> None:
    async def dies(call: CanonicalCall, runner: ScriptedRunner) -> Ran:
        assert runner.link is not None
        runner.link.close()
        await asyncio.Event().wait()
        raise AssertionError

    async with bench(tmp_path, calls(WRITE), says("sorry"), behave=dies) as at:
        await at.say("go")
        [result] = [fact for fact in at.facts() if isinstance(fact, ToolResultFact)]
        assert (result.outcome, result.success) == ("unknown", False)
        assert "not run again" in result.output
        assert len(at.runner.ran) == 1
        assert (await at.verify()).status is Status.VERIFIED


async def test_what_the_runner_refuses_is_a_failure_the_model_reads(tmp_path: Path) -> None:
    async def refuses(call: CanonicalCall, runner: ScriptedRunner) -> Ran:
        raise Refused("The permit was used before.")

    result = await result_of(tmp_path, *WRITE, behave=refuses)
    assert (result.outcome, result.output) == ("failed", "The permit was used before.")


async def test_a_result_is_clipped_and_says_so(tmp_path: Path) -> None:
    async def floods(call: CanonicalCall, runner: ScriptedRunner) -> Ran:
        return Ran(outcome="ok", output="ä" * limits.TOOL_OUTPUT, truncated_bytes=7)

    result = await result_of(tmp_path, *WRITE, behave=floods)
    assert len(result.output.encode()) <= limits.TOOL_OUTPUT
    assert result.truncated_bytes == 7 + limits.TOOL_OUTPUT


async def test_a_runner_that_answers_nonsense_fails_the_turn_and_not_the_gateway(tmp_path: Path) -> None:
    async def nonsense(call: CanonicalCall, runner: ScriptedRunner) -> Ran:
        return SandboxReport(kind="none", limits="")  # type: ignore[return-value]  # the point

    async with bench(tmp_path, calls(WRITE), says("done"), behave=nonsense) as at:
        await at.say("go")
        [result] = [fact for fact in at.facts() if isinstance(fact, ToolResultFact)]
        assert result.outcome == "unknown"
        at.runner.behave = _well
        at.model.script.extend([calls(WRITE), says("done")])
        frames = await at.say("again")
        assert frames[-1].outcome == "finished"  # type: ignore[union-attr]  # Over
        assert (await at.verify()).status is Status.VERIFIED


async def _well(call: CanonicalCall, runner: ScriptedRunner) -> Ran:
    return Ran(outcome="ok", output="")


async def test_a_call_is_decided_for_the_folder_it_will_run_in(tmp_path: Path) -> None:
    config = Config(agents={"default": AgentConfig(workspace="/srv/own", read_only=("/srv/ro",))})
    async with bench(tmp_path, calls(WRITE), says("done"), config=config) as at:
        await at.say("go")
        [permit] = [fact for fact in at.facts() if isinstance(fact, ToolPermitted)]
        place = json.loads(permit.call)["place"]
        assert (place["workspace"], place["read_only"]) == ("/srv/own", ["/srv/ro"])
