from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.gateway_bench import Bench, bench, facts, kind
from tests.support.scripted_wings import Step, calls, says

from wirken.cli.gateway import Gateway
from wirken.config.model import AgentConfig, Config
from wirken.domain import limits
from wirken.domain.events import SessionOpened, ToolResultFact, TurnEnded, TurnStarted, UserMessageFact
from wirken.gateway.agent.model import Answer
from wirken.gateway.agent.seat import Seat
from wirken.gateway.sessions import Session
from wirken.ipc.calls.operator import Acknowledged, CloseSession
from wirken.ipc.frames import Accepted, Inbound, Over, Rejected
from wirken.record.verify import Status

SESSION = "default/terminal/c"

STARTED = ("gateway_started", "configuration_read", "attestation")
"""What a start leaves in the record of operations."""


async def rejection(at: Bench, message: Inbound) -> Rejected:
    async with at.operator() as gateway:
        [frame] = await at.spoken(gateway, message)
        assert isinstance(frame, Rejected)
        assert frame.platform_id == message.platform_id and frame.reason
        return frame


async def test_a_message_is_on_disk_when_it_is_acknowledged(tmp_path: Path) -> None:
    async with bench(tmp_path, Step(gate=asyncio.Event())) as at, at.operator() as gateway:
        message = at.message("hello")
        accepted = await at.accepted(gateway, message)
        said = at.facts()[accepted.seq]
        assert isinstance(said, UserMessageFact)
        assert (said.text, said.platform_id, said.principal) == ("hello", "m1", "owner")


async def test_a_message_is_not_acknowledged_while_it_is_not_on_disk(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, at.operator() as gateway:
        await at.spoken(gateway, at.message("first"))
        message = at.message("second")
        with at.disk_stands_still():
            for _ in range(3):  # its repetitions neither
                gateway.link.send(message)
            await asyncio.sleep(0.1)
            assert gateway._terminal.frames.empty()
        await at.over(gateway, message)


async def test_a_message_that_comes_again_is_not_said_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, at.operator() as gateway:
        message = at.message("once")
        first = await at.accepted(gateway, message)
        await at.over(gateway, message)
        for _ in range(3):
            assert await at.accepted(gateway, message) == first
        async with at.operator() as other:
            assert await at.accepted(other, message) == first
        assert at.kinds().count("user_message") == at.kinds().count("turn_started") == 1


async def test_a_flood_of_one_message_is_one_message(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, at.operator() as gateway:
        message = at.message("once")
        for _ in range(50):
            gateway.link.send(message)
        await at.over(gateway, message)
        assert at.kinds().count("user_message") == at.kinds().count("turn_ended") == 1


async def test_messages_of_a_session_have_their_turns_in_order_one_at_a_time(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with bench(tmp_path, says("one", gate=gate), says("two"), says("three")) as at, at.operator() as gateway:
        messages = [at.message(text) for text in ("1", "2", "3")]
        for message in messages:
            await at.accepted(gateway, message)
        assert len(at.model.questions) == 1
        gate.set()
        for message in messages:
            await at.over(gateway, message)
        started = [fact.message_seq for fact in at.facts() if isinstance(fact, TurnStarted)]
        said = [seq for seq, fact in enumerate(at.facts()) if isinstance(fact, UserMessageFact)]
        assert started == said and len(said) == 3
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_message_that_arrives_in_a_turn_does_not_part_a_call_from_its_result(tmp_path: Path) -> None:
    gate = asyncio.Event()
    slow = Step(calls(("list_files", "{}")).events, gate=gate)
    async with bench(tmp_path, slow, says("done"), says("two")) as at, at.operator() as gateway:
        first, second = at.message("1"), at.message("2")
        await at.accepted(gateway, first)
        await at.accepted(gateway, second)
        gate.set()
        await at.over(gateway, second)
        assert b'"2"' not in at.model.questions[1].messages
        assert (await at.verify()).status is Status.VERIFIED


async def test_two_sessions_run_side_by_side(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with bench(tmp_path, says("slow", gate=gate), says("fast")) as at, at.operator() as gateway:
        slow = at.message("1", "slow")
        await at.accepted(gateway, slow)
        await at.spoken(gateway, at.message("2", "fast"))
        assert at.kinds("default/terminal/slow")[-1] == "llm_request"
        gate.set()
        await at.over(gateway, slow)
        for name in ("slow", "fast"):
            assert (await at.verify(f"default/terminal/{name}")).status is Status.VERIFIED


async def test_eight_clients_at_once_get_their_own_answers(tmp_path: Path) -> None:
    async def converse(number: int) -> None:
        async with at.operator() as gateway:
            for text in ("one", "two", "three"):
                frames = await at.spoken(gateway, at.message(text, f"n{number}"))
                named = {getattr(frame, "session", f"default/terminal/n{number}") for frame in frames}
                assert named == {f"default/terminal/n{number}"}

    async with bench(tmp_path) as at:
        await asyncio.gather(*map(converse, range(8)))
        for number in range(8):
            report = await at.verify(f"default/terminal/n{number}")
            assert (report.status, report.attestations) == (Status.VERIFIED, 3)


async def test_a_full_queue_refuses_one_more(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with bench(tmp_path, says("one", gate=gate)) as at, at.operator() as gateway:
        await at.accepted(gateway, at.message("running"))
        for number in range(limits.TURN_QUEUE):
            await at.accepted(gateway, at.message(str(number)))
        refused = await rejection(at, at.message("one too many"))
        assert "wait in this conversation" in refused.reason
        assert "one too many" not in str(at.facts())
        gate.set()


async def test_a_closed_session_takes_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, at.operator() as gateway:
        first = at.message("hi")
        await at.spoken(gateway, first)
        assert (await gateway.link.call(CloseSession(SESSION), Acknowledged)).said == "Closed."
        assert (await rejection(at, at.message("more"))).hint == "Start a new conversation."
        assert (await at.accepted(gateway, first)).session == SESSION, "what was said before is still acknowledged"
        assert at.kinds()[-2:] == ["session_closed", "attestation"]
        assert (await at.verify()).status is Status.VERIFIED


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": ""}, "empty"),
        ({"text": " \n "}, "empty"),
        ({"text": "x" * (limits.MESSAGE + 1)}, "longer than"),
        ({"text": "ä" * (limits.MESSAGE // 2 + 1)}, "longer than"),
        ({"platform_id": ""}, "no usable id"),
        ({"platform_id": "x" * (limits.PLATFORM_ID + 1)}, "no usable id"),
        ({"platform_id": "a\nb"}, "no usable id"),
        ({"platform_id": "a\u202eb"}, "no usable id"),
        ({"sender": "x" * (limits.SENDER_ID + 1)}, "too long"),
        ({"sender_name": "x" * (limits.SENDER_NAME + 1)}, "too long"),
        ({"conversation": ""}, "conversation id"),
        ({"conversation": "../x"}, "conversation id"),
        ({"conversation": "a/b"}, "conversation id"),
        ({"conversation": "x" * 129}, "conversation id"),
        ({"conversation": "a\0"}, "conversation id"),
        ({"agent": "nobody"}, "no agent"),
        ({"agent": "../default"}, "no agent"),
    ],
)
async def test_what_is_no_message_is_refused_and_leaves_no_row(
    tmp_path: Path, change: dict[str, str], said: str
) -> None:
    async with bench(tmp_path) as at:
        given = {"text": "hi", **change}
        refused = await rejection(at, at.message(given.pop("text"), **given))
        assert said in refused.reason
        assert at.house.log.count() == 3, "the gateway's own start, nothing else"


async def test_the_longest_message_is_taken(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        frames = await at.say("x" * limits.MESSAGE, platform_id="i" * limits.PLATFORM_ID)
        assert isinstance(frames[-1], Over)


async def test_the_channel_is_the_connections_and_never_the_messages(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.web.start()
        assert at.web.link is not None
        at.web.link.send(at.message("hi", runner="runner-9", workspace="/etc", interactive=False))
        async with asyncio.timeout(5):
            while not isinstance(await at.web.frames.get(), Over):
                pass
        [opened] = [fact for fact in at.facts("default/webchat/c") if isinstance(fact, SessionOpened)]
        assert (opened.channel, opened.workspace) == ("webchat", str(at.paths.workspace("default")))
        assert at.kinds(SESSION) == []


async def test_a_runner_that_is_not_there_fails_the_call_and_not_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "READY_TIME", 0.2)
    async with bench(tmp_path, calls(("list_files", "{}")), says("done")) as at:
        await at.say("hi", runner="runner-7", workspace="/somewhere")
        [result] = [fact for fact in at.facts() if isinstance(fact, ToolResultFact)]
        assert not result.success and at.runner.ran == []
        assert (await at.verify()).status is Status.VERIFIED


# --- attestations ------------------------------------------------------------------------------------


async def attested(at: Bench, session: str = SESSION) -> None:
    async with asyncio.timeout(8):
        while at.kinds(session)[-1:] != ["attestation"] or at.kinds(session).count("turn_ended") < at.kinds(
            session
        ).count("user_message"):
            await asyncio.sleep(0.02)


async def test_while_the_vault_is_away_no_turn_follows_an_unattested_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "VAULT_WAIT", 0.3)
    gate = asyncio.Event()
    async with bench(tmp_path, says("one", gate=gate), says("two")) as at, at.operator() as gateway:
        first, second = at.message("1"), at.message("2")
        await at.accepted(gateway, first)
        await at.accepted(gateway, second)
        at.lose_vault()
        gate.set()
        assert "not attested yet" in (await at.over(gateway, first)).reason
        await asyncio.sleep(0.2)
        assert at.kinds()[-1] == "turn_ended" and len(at.model.questions) == 1
        refused = await rejection(at, at.message("3"))
        assert "vault" in refused.reason
        at.new_vault()
        assert (await at.over(gateway, second)).outcome == "finished"
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_turn_is_attested_when_the_vault_comes_back_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "VAULT_WAIT", 0.1)
    async with bench(tmp_path) as at:
        await at.say("warm up")
        at.lose_vault()
        await at.say("hi")
        assert at.kinds()[-1] == "turn_ended"
        at.new_vault()
        await attested(at)
        assert (await at.verify()).status is Status.VERIFIED


async def test_several_messages_to_an_unattested_session_attest_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "VAULT_WAIT", 0.1)
    async with bench(tmp_path) as at:
        await at.say("warm up")
        at.lose_vault()
        await at.say("hi")
        at.new_vault()
        async with at.operator() as gateway:
            messages = [at.message(str(number)) for number in range(5)]
            for message in messages:
                gateway.link.send(message)
            for message in messages:
                await at.over(gateway, message)
        kinds = at.kinds()
        assert kinds.count("attestation") == kinds.count("turn_ended") == 7
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_head_that_the_vault_refuses_stops_the_session_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record was set back behind what the vault signed."""
    async with bench(tmp_path / "a") as at:
        for text in "123":
            await at.say(text)
        await at.stop()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "vault").rename(tmp_path / "b" / "vault")
    async with bench(tmp_path / "b") as at:
        frames = await at.say("hi")
        assert "The vault signed another row" in frames[-1].reason  # type: ignore[union-attr]  # Rejected
        refused = await rejection(at, at.message("more"))
        assert "The vault signed another row" in refused.reason and "sessions verify" in refused.hint
        assert at.kinds().count("user_message") == 0


async def test_a_turn_that_fails_in_an_unforeseen_way_harms_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks(seat: Seat, session: Session, messages: bytes, tools: bytes) -> Answer:
        if session.id.endswith("/bad"):
            raise ZeroDivisionError("nobody thought of that")
        return await at.house._ask(seat, session, messages, tools)

    gate = asyncio.Event()
    async with bench(tmp_path, says("fine", gate=gate)) as at, at.operator() as gateway:
        at.house.turns.runner = replace(at.house.turns.runner, ask=breaks)
        good = at.message("hi", "good")
        await at.accepted(gateway, good)
        over = (await at.say("hi", "bad"))[-1]
        assert isinstance(over, Over) and over.outcome == "failed" and "inside Wirken" in over.reason
        assert "nobody thought of that" in caplog.text and "nobody thought" not in str(at.facts("default/terminal/bad"))
        gate.set()
        assert (await at.over(gateway, good)).outcome == "finished"
        for name in ("good", "bad"):
            assert (await at.verify(f"default/terminal/{name}")).status is Status.VERIFIED


async def test_a_message_to_an_agent_that_is_gone_after_a_restart_fails_its_turn_and_not_the_gateway(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()
    config = Config(agents={"default": AgentConfig(), "gone": AgentConfig()})
    async with bench(tmp_path, says("slow", gate=gate), config=config) as at, at.operator() as gateway:
        for _ in range(2):
            await at.accepted(gateway, at.message("hi", agent="gone"))
        await at.stop()
    async with bench(tmp_path) as at:
        await attested(at, "gone/terminal/c")
        ended = [fact for fact in at.facts("gone/terminal/c") if isinstance(fact, TurnEnded)]
        assert [fact.outcome for fact in ended] == ["stopped", "failed"] and "no agent" in ended[1].reason
        assert (await at.verify("gone/terminal/c")).status is Status.VERIFIED
        assert (await at.say("hi"))[-1].outcome == "finished"  # type: ignore[union-attr]  # Over


# --- the end -----------------------------------------------------------------------------------------


async def test_a_stop_of_the_gateway_ends_records_and_attests_every_turn(tmp_path: Path) -> None:
    gates = [Step(gate=asyncio.Event()) for _ in range(3)]
    async with bench(tmp_path, *gates) as at, at.operator() as gateway:
        for number in range(3):
            await at.accepted(gateway, at.message("hi", f"n{number}"))
        queued = at.message("waits", "n0")
        await at.accepted(gateway, queued)
        for gate in gates:
            await gate.asked.wait()
        await at.stop()
        for number in range(3):
            session = f"default/terminal/n{number}"
            assert at.kinds(session)[-2:] == ["turn_ended", "attestation"]
            assert (await at.verify(session)).status is Status.VERIFIED
        operations = [kind(fact) for fact in facts(at.paths.audit_db, "gateway/operations/log")]
        assert operations == [*STARTED, "gateway_stopped", "attestation"]
    async with bench(tmp_path) as again:
        async with asyncio.timeout(5):
            while again.kinds("default/terminal/n0").count("turn_ended") < 2:
                await asyncio.sleep(0.01)
        await attested(again, "default/terminal/n0")
        assert (await again.verify("default/terminal/n0")).status is Status.VERIFIED


async def test_a_message_while_the_gateway_stops_is_refused_or_kept(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, at.operator() as gateway:
        await at.spoken(gateway, at.message("hi"))
        at.control.shutdown(socket.SHUT_RDWR)
        for _ in range(100):
            gateway.link.send(at.message("late"))
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await at.running
        frames = gateway._terminal.frames
        seen = [frames.get_nowait() for _ in range(frames.qsize())]
        acknowledged = [frame for frame in seen if isinstance(frame, Accepted)]
        assert at.kinds().count("user_message") >= 1 + len(acknowledged)
        assert at.kinds()[-1] in ("attestation", "user_message")


async def test_a_record_that_fails_ends_the_gateway_and_acknowledges_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, at.operator() as gateway:
        await _say_until_gone(at, gateway)
        async with asyncio.timeout(5):
            await at.running
        assert at.house.failed.is_set()
        assert at.kinds().count("user_message") == 1


async def _say_until_gone(at: Bench, gateway: Gateway) -> None:
    await at.spoken(gateway, at.message("hi"))
    at.house.log._writer.pragma("max_page_count", 1)
    frames = await at.spoken(gateway, at.message("x" * 100_000))
    assert isinstance(frames[-1], Rejected) and "could not be written" in frames[-1].reason
