"""A file that an agent sends: from the runner through the gateway to the conversation it is bound to, and no other."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.support.adapter import Adapter, adapter
from tests.support.gateway_bench import PATIENCE, Bench, bench, facts
from tests.support.linked import until
from tests.support.scripted_wings import Step, calls, says
from tests.unit.gateway.test_inbox import allow, none_left

from wirken.domain import file_limits
from wirken.domain.actions import CanonicalCall
from wirken.domain.events import PermissionDenied, ToolPermitted, ToolResultFact, ToolsSet
from wirken.gateway.tools.catalogue import SEND_FILE
from wirken.ipc.calls.channels import ChannelState, Deliver, Delivered
from wirken.ipc.calls.operator import Acknowledged
from wirken.ipc.calls.runner import Ran
from wirken.ipc.frames import Over

SESSION = "default/telegram/d7"


def sends(path: str, caption: str = "", **more: str) -> Step:
    return calls((SEND_FILE, json.dumps({"path": path, **({"caption": caption} if caption else {}), **more})))


def results(at: Bench, session: str = SESSION) -> list[ToolResultFact]:
    return [fact for fact in facts(at.paths.audit_db, session) if isinstance(fact, ToolResultFact)]


def filed(telegram: Adapter) -> list[Deliver]:
    return [asked for asked in telegram.asked if asked.file]


async def test_a_file_reaches_its_conversation_and_the_result_says_under_which_id(tmp_path: Path) -> None:
    async with bench(tmp_path, sends("out/Report.pdf", "The *report*."), says("Sent.")) as at, adapter(at) as telegram:
        await allow(at)
        at.runner.gives["out/Report.pdf"] = b"x" * 2_000_000
        assert isinstance(await telegram.say("7", "send it"), Over)
        [asked] = filed(telegram)
        permit = next(
            seq for seq, fact in enumerate(facts(at.paths.audit_db, SESSION)) if isinstance(fact, ToolPermitted)
        )
        assert asked == Deliver(
            key=f"{SESSION}:{permit}",
            conversation="d7",
            text="The *report*.",
            file="Report.pdf",
            media_type="application/pdf",
        )
        assert telegram.got == [b"x" * 2_000_000]
        [result] = results(at)
        assert result.outcome == "ok"
        assert result.output == f"Sent Report.pdf to this conversation (the platform's id: sent-{asked.key})."
        assert (await at.verify(SESSION)).status.value == "verified"
        await none_left()


async def test_it_is_offered_on_channels_only_and_refused_elsewhere(tmp_path: Path) -> None:
    async with bench(tmp_path, says("ok"), sends("a"), says("no")) as at, adapter(at) as telegram:
        await allow(at)
        await telegram.say("7", "hello")
        await at.say("send it")
        for session, offered in ((SESSION, True), ("default/terminal/c", False)):
            rows = facts(at.paths.audit_db, session)
            names = [tool.name for fact in rows if isinstance(fact, ToolsSet) for tool in fact.tools]
            assert (SEND_FILE in names) is offered
        [result] = results(at, "default/terminal/c")
        assert result.outcome == "invalid" and at.runner.ran == []


async def test_a_guest_has_it_not(tmp_path: Path) -> None:
    async with bench(tmp_path, sends("a"), says("no")) as at, adapter(at) as telegram:
        await allow(at, role="guest")
        await telegram.say("7", "send it")
        assert [result.outcome for result in results(at)] == ["invalid"]


async def test_a_hidden_file_waits_for_a_yes_and_a_no_sends_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, sends(".env"), says("no")) as at, adapter(at) as telegram:
        await allow(at, role="owner")
        message = telegram.put(telegram.message("7", "send it"))
        row = await telegram.question()
        assert set(row.choices) == {"once", "deny"}
        await telegram.press("7", row, "deny")
        assert isinstance(await telegram.outcome(message), Over)
        assert any(isinstance(fact, PermissionDenied) for fact in facts(at.paths.audit_db, SESSION))
        assert filed(telegram) == [] and at.runner.ran == []


async def test_what_the_runner_refuses_is_the_result(tmp_path: Path) -> None:
    async def refuses(call: CanonicalCall, _: object) -> Ran:
        return Ran(outcome="denied", output="Cannot send a. It leads to another file; name that one.")

    async with bench(tmp_path, sends("a"), says("no"), behave=refuses) as at, adapter(at) as telegram:
        await allow(at)
        await telegram.say("7", "send it")
        assert [result.output for result in results(at)] == ["Cannot send a. It leads to another file; name that one."]
        assert filed(telegram) == []


async def test_what_the_platform_will_not_take_is_the_result(tmp_path: Path) -> None:
    async def refuses(asked: Deliver) -> Delivered:
        return Delivered(failed="The file has 9 bytes; this platform takes 8.") if asked.file else Delivered()

    async with bench(tmp_path, sends("a"), says("no")) as at, adapter(at) as telegram:
        await allow(at)
        telegram.deliver = refuses
        at.runner.gives["a"] = b"123456789"
        await telegram.say("7", "send it")
        [result] = results(at)
        assert (result.outcome, result.output) == ("failed", "Not sent: The file has 9 bytes; this platform takes 8.")
        await none_left()


async def test_an_adapter_that_dies_meanwhile_is_asked_again_with_the_same_key(tmp_path: Path) -> None:
    tries: list[Deliver] = []

    async def dies_once(asked: Deliver) -> Delivered:
        if asked.file:
            tries.append(asked)
            if len(tries) == 1:
                assert telegram.link is not None
                telegram.link.close()
                await asyncio.Event().wait()
        return Delivered(platform_ids=("m1",))

    async with bench(tmp_path, sends("a"), says("ok")) as at, adapter(at) as telegram:
        await allow(at)
        telegram.deliver = dies_once
        at.runner.gives["a"] = b"data"
        telegram.put(telegram.message("7", "send it"))
        await until(lambda: bool(results(at)), PATIENCE)
        assert len(tries) == 2 and tries[0] == tries[1]
        assert telegram.got == [b"data", b"data"]
        assert results(at)[0].outcome == "ok"
        await none_left()


@pytest.mark.parametrize(("begun", "outcome"), [(False, "failed"), (True, "unknown")])
async def test_a_channel_that_stays_away_ends_the_wait_and_says_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bool, outcome: str
) -> None:
    async def hangs(asked: Deliver) -> Delivered:
        if asked.file:
            await asyncio.Event().wait()
        return Delivered(platform_ids=("m1",))

    monkeypatch.setattr(file_limits, "SEND_WAIT", 0.2)
    async with bench(tmp_path, sends("a"), says("ok")) as at, adapter(at) as telegram:
        await allow(at)
        telegram.deliver = hangs
        at.runner.gives["a"] = b"data"
        if not begun:
            assert telegram.link is not None
            await telegram.link.call(ChannelState(connected=False, detail="no network"), Acknowledged)
        telegram.put(telegram.message("7", "send it"))
        await until(lambda: bool(results(at)), PATIENCE)
        assert results(at)[0].outcome == outcome
        await none_left()


async def test_a_stop_meanwhile_leaves_no_descriptor(tmp_path: Path) -> None:
    async def hangs(asked: Deliver) -> Delivered:
        await asyncio.Event().wait()
        return Delivered()

    async with bench(tmp_path, sends("a"), says("ok")) as at, adapter(at) as telegram:
        await allow(at)
        telegram.deliver = hangs
        at.runner.gives["a"] = b"data"
        message = telegram.put(telegram.message("7", "send it"))
        await until(lambda: bool(filed(telegram)), PATIENCE)
        telegram.put(telegram.message("7", "/stop"))
        assert isinstance(await telegram.outcome(message), Over)
        assert [result.outcome for result in results(at)] == ["stopped"]
        await none_left()
