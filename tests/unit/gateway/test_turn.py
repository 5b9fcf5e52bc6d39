from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest
from tests.support.gateway_bench import Bench, bench
from tests.support.scripted_wings import ScriptedRunner, Step, calls, says

from wirken.config.model import AgentConfig, Config, ProviderConfig
from wirken.domain import limits
from wirken.domain.actions import CanonicalCall
from wirken.domain.conversation import CallProposed, Completed, TextDelta
from wirken.domain.events import (
    AssistantToolCalls,
    Compaction,
    LlmRequest,
    LlmResponse,
    ToolResultFact,
    TurnEnded,
)
from wirken.ipc.calls.operator import Acknowledged, AnswerApproval, StopTurn
from wirken.ipc.calls.runner import Ran
from wirken.ipc.frames import Delta, Over, Row
from wirken.record.canonical import decode
from wirken.record.verify import Status

LIST = ("list_files", "{}")
SESSION = "default/terminal/c"


def ended(at: Bench) -> TurnEnded:
    [fact] = [fact for fact in at.facts() if isinstance(fact, TurnEnded)]
    return fact


def results(at: Bench) -> list[ToolResultFact]:
    return [fact for fact in at.facts() if isinstance(fact, ToolResultFact)]


async def test_text_streams_and_then_stands_in_the_record(tmp_path: Path) -> None:
    step = Step((TextDelta("Hel"), TextDelta("lo"), Completed("stop", 11, 2)))
    async with bench(tmp_path, step) as at:
        frames = await at.say("hi")
        assert "".join(frame.text for frame in frames if isinstance(frame, Delta)) == "Hello"
        rows = [decode(frame.payload).seq for frame in frames if isinstance(frame, Row)]
        assert rows == sorted(rows) and at.kinds()[rows[-1]] == "attestation"
        assert frames[-1] == Over(SESSION, "m1", "finished", "")
        [response] = [fact for fact in at.facts() if isinstance(fact, LlmResponse)]
        assert (response.input_tokens, response.output_tokens, response.stop_reason) == (11, 2, "stop")


async def test_what_is_sent_is_what_was_hashed(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(LIST, text="Let me look."), says("done"), says("again")) as at:
        await at.say("one")
        await at.say("two")
        requests = [fact for fact in at.facts() if isinstance(fact, LlmRequest)]
        assert len(requests) == len(at.model.questions) == 3
        for request, asked in zip(requests, at.model.questions, strict=True):
            assert request.messages_sha256 == hashlib.sha256(asked.messages).hexdigest()
            assert request.tools_sha256 == hashlib.sha256(asked.tools).hexdigest()
        roles = [message["role"] for message in json.loads(at.model.questions[-1].messages)]
        assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
        assert (await at.verify()).status is Status.VERIFIED


async def test_the_beginning_of_a_request_is_byte_stable_between_turns(tmp_path: Path) -> None:
    async with bench(tmp_path, says("one"), says("two")) as at:
        await at.say("hello")
        await at.say("more")
        first, second = at.model.questions
        assert second.messages.startswith(first.messages[:-1]) and first.tools == second.tools
        assert len(first.messages) + len(first.tools) <= 12_000


async def test_a_turn_ends_after_its_rounds(tmp_path: Path) -> None:
    async with bench(tmp_path, *[calls(LIST) for _ in range(limits.TOOL_ROUNDS + 5)]) as at:
        await at.say("loop")
        assert (ended(at).outcome, ended(at).rounds) == ("failed", limits.TOOL_ROUNDS)
        assert len(at.runner.ran) == len(at.model.questions) == limits.TOOL_ROUNDS
        assert (await at.verify()).status is Status.VERIFIED


async def test_calls_beyond_the_limit_are_answered_and_not_run(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(*[LIST] * (limits.TOOL_CALLS + 10)), says("done")) as at:
        await at.say("many")
        assert len(at.runner.ran) == limits.TOOL_CALLS
        [proposed] = [fact for fact in at.facts() if isinstance(fact, AssistantToolCalls)]
        assert len(results(at)) == len(proposed.calls) == limits.TOOL_CALLS + 1
        assert results(at)[-1].outcome == "invalid"
        assert (await at.verify()).status is Status.VERIFIED


async def test_calls_of_one_round_run_in_order_under_ids_of_ours(tmp_path: Path) -> None:
    same = (CallProposed("x", *LIST), CallProposed("x", *LIST), Completed("tool_calls"))
    async with bench(tmp_path, Step(same), says("done")) as at:
        await at.say("twice")
        first, second = results(at)
        assert first.call_id != second.call_id
        kinds = [name for name in at.kinds() if name.startswith("tool_") and name != "tools_set"]
        assert kinds == ["tool_permitted", "tool_result"] * 2


@pytest.mark.parametrize("text", ["", " \n\t "])
async def test_an_empty_answer_fails_the_turn(tmp_path: Path, text: str) -> None:
    async with bench(tmp_path, Step((TextDelta(text), Completed("stop")))) as at:
        frames = await at.say("hi")
        assert frames[-1] == Over(SESSION, "m1", "failed", "The model gave an empty answer.")
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_models_error_fails_the_turn_and_the_next_one_works(tmp_path: Path) -> None:
    broken = Step((TextDelta("half an ans"),), error="The provider answered 500.")
    async with bench(tmp_path, broken, says("better")) as at:
        frames = await at.say("hi")
        assert frames[-1] == Over(SESSION, "m1", "failed", "The provider answered 500.")
        assert "assistant_message" not in at.kinds()
        assert (await at.say("again"))[-1].outcome == "finished"  # type: ignore[union-attr]  # Over
        assert (await at.verify()).status is Status.VERIFIED


async def test_calls_that_came_before_an_error_are_not_run(tmp_path: Path) -> None:
    broken = Step((CallProposed("", *LIST),), error="The stream ended early.")
    async with bench(tmp_path, broken) as at:
        await at.say("hi")
        assert at.runner.ran == [] and ended(at).outcome == "failed"


async def test_an_answer_that_is_too_long_is_dropped(tmp_path: Path) -> None:
    flood = Step((*[TextDelta("x" * 100_000)] * 12, Completed("stop")))
    async with bench(tmp_path, flood) as at:
        await at.say("hi")
        assert ended(at).outcome == "failed" and "passed" in ended(at).reason
        assert max(map(len, map(str, at.facts()))) < 100_000


async def test_outbound_lost_before_its_answer_is_asked_again(tmp_path: Path) -> None:
    lost = Step((TextDelta("half"),), lose=True)
    async with bench(tmp_path, lost, lost, says("whole")) as at:
        await at.say("hi")
        assert ended(at).outcome == "finished"
        assert at.kinds().count("llm_request") == at.kinds().count("llm_response") == 3
        assert {bytes(asked.messages) for asked in at.model.questions} == {at.model.questions[0].messages}
        assert (await at.verify()).status is Status.VERIFIED


async def test_outbound_that_keeps_failing_fails_the_turn(tmp_path: Path) -> None:
    async with bench(tmp_path, *[Step(lose=True)] * limits.MODEL_TRIES) as at:
        await at.say("hi")
        assert ended(at).outcome == "failed" and "keeps failing" in ended(at).reason
        assert at.kinds().count("llm_request") == at.kinds().count("llm_response") == limits.MODEL_TRIES
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_stop_while_the_model_is_asked_is_recorded_and_attested(tmp_path: Path) -> None:
    waits = Step(gate=asyncio.Event())
    async with bench(tmp_path, waits) as at, at.operator() as gateway:
        message = at.message("hi")
        await at.accepted(gateway, message)
        await waits.asked.wait()
        await gateway.link.call(StopTurn(SESSION), Acknowledged)
        assert (await at.over(gateway, message)).outcome == "stopped"
        assert at.kinds()[-3:] == ["llm_response", "turn_ended", "attestation"]
        assert at.model.cancelled == 1
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_stop_while_a_person_is_asked_withdraws_the_question(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(("exec", '{"command":"ls"}'))) as at, at.operator() as gateway:
        message = at.message("hi", interactive=True)
        await at.accepted(gateway, message)
        row = await at.pending(gateway)
        assert (await gateway.link.call(StopTurn(SESSION), Acknowledged)).said == "Stopped."
        assert (await at.over(gateway, message)).outcome == "stopped"
        [result] = results(at)
        assert result.outcome == "stopped" and at.runner.ran == []
        late = AnswerApproval(approval=row.approval, lease=row.lease, choice="once")
        with pytest.raises(Exception, match="not open any more"):
            await gateway.link.call(late, Acknowledged)
        assert (await at.verify()).status is Status.VERIFIED


async def hangs(call: CanonicalCall, runner: ScriptedRunner) -> Ran:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_stop_while_a_tool_runs_ends_it_and_says_so(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(LIST, LIST), behave=hangs) as at, at.operator() as gateway:
        message = at.message("hi")
        await at.accepted(gateway, message)
        await at.runner.started.wait()
        await gateway.link.call(StopTurn(SESSION), Acknowledged)
        assert (await at.over(gateway, message)).outcome == "stopped"
        assert [result.outcome for result in results(at)] == ["stopped", "stopped"]
        async with asyncio.timeout(5):
            while not at.runner.cancelled:
                await asyncio.sleep(0.005)
        assert len(at.runner.ran) == 1
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_turn_that_is_stopped_twice_ends_once(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(LIST), behave=hangs) as at, at.operator() as gateway:
        message = at.message("hi")
        await at.accepted(gateway, message)
        await at.runner.started.wait()
        with at.disk_stands_still():
            stops = [asyncio.ensure_future(gateway.link.call(StopTurn(SESSION), Acknowledged)) for _ in range(3)]
            await asyncio.gather(*stops)
            await asyncio.sleep(0.05)
            await asyncio.gather(*[gateway.link.call(StopTurn(SESSION), Acknowledged) for _ in range(3)])
        assert (await at.over(gateway, message)).outcome == "stopped"
        assert at.kinds().count("turn_ended") == 1 and at.kinds()[-1] == "attestation"
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_stop_that_comes_while_the_end_is_written_changes_nothing(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with bench(tmp_path, says("done", gate=gate)) as at, at.operator() as gateway:
        message = at.message("hi")
        await at.accepted(gateway, message)
        await asyncio.sleep(0.05)
        with at.disk_stands_still():
            gate.set()
            await asyncio.sleep(0.1)
            await gateway.link.call(StopTurn(SESSION), Acknowledged)
            await asyncio.sleep(0.05)
        assert (await at.over(gateway, message)).outcome == "finished"
        assert at.kinds().count("turn_ended") == 1
        assert (await at.verify()).status is Status.VERIFIED


async def test_the_oldest_exchanges_are_left_out_where_the_window_is_full(tmp_path: Path) -> None:
    agents = {"default": AgentConfig(model="small/m")}
    providers = {"small": ProviderConfig(kind="ollama", base_url="http://127.0.0.1:1", num_ctx=512)}
    answers = [says("y" * 300) for _ in range(6)]
    async with bench(tmp_path, *answers, config=Config(agents=agents, providers=providers)) as at:
        for number in range(6):
            await at.say(f"{number} " + "x" * 300)
        budget = 512 * limits.CHARACTERS_PER_TOKEN * 4 // 5
        assert [fact for fact in at.facts() if isinstance(fact, Compaction)]
        for asked in at.model.questions:
            messages = json.loads(asked.messages)
            assert messages[0]["role"] == "system" and messages[1]["role"] == "user"
            assert sum(len(json.dumps(message)) for message in messages[1:]) <= budget + 100
        assert json.loads(at.model.questions[-1].messages)[-1]["content"].startswith("5 ")
        assert (await at.verify()).status is Status.VERIFIED


async def test_instructions_of_the_operator_end_the_system_prompt(tmp_path: Path) -> None:
    config = Config(agents={"default": AgentConfig(instructions="Answer in rhymes.")})
    async with bench(tmp_path, config=config) as at:
        await at.say("hi")
        [system, _] = json.loads(at.model.questions[0].messages)
        assert system["content"].endswith("\n\nAnswer in rhymes.")


async def test_text_without_meaning_in_utf8_does_not_stop_a_turn(tmp_path: Path) -> None:
    async with bench(tmp_path, says("\x00\x1b[2J\u202e \U0010ffff")) as at:
        frames = await at.say("\x00 \u202e \x1b]0;x\x07 \U0010ffff")
        assert frames[-1].outcome == "finished"  # type: ignore[union-attr]  # Over
        assert (await at.verify()).status is Status.VERIFIED
