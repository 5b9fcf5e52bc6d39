"""Answers that come too late, from elsewhere, or for what was never asked: none of them lets anything run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.adapter import Adapter, adapter
from tests.support.gateway_bench import Bench, bench, facts
from tests.support.later import Later
from tests.support.scripted_wings import calls, says

from wirken.config.model import ApprovalsConfig, Config
from wirken.domain.errors import Refused
from wirken.domain.events import ApprovalRefused, PermissionApproved, PermissionDenied
from wirken.ipc.calls.operator import Acknowledged, AnswerApproval, AnswerAs, ApprovalRow
from wirken.ipc.calls.senders import AllowSender
from wirken.ipc.frames import Settled

ANNA = "default/telegram/d7"
EXEC = ("exec", json.dumps({"command": "ls"}))


async def allow(at: Bench, sender: str, role: str, channel: str = "telegram") -> None:
    name = "owner" if role == "owner" else ""
    async with at.operator() as owner:
        question = AllowSender(channel=channel, sender=sender, principal=name, role=role)
        await owner.link.call(question, Acknowledged)


async def asked(at: Bench, telegram: Adapter, role: str = "owner") -> ApprovalRow:
    await allow(at, "7", role)
    telegram.put(telegram.message("7", "run ls"))
    return await telegram.question()


def refused(at: Bench) -> list[str]:
    rows = facts(at.paths.audit_db, "gateway/operations/log")
    return [fact.reason for fact in rows if isinstance(fact, ApprovalRefused)]


async def test_a_press_after_a_night_asleep_is_refused_with_a_sentence(tmp_path: Path) -> None:
    clock = Later()
    async with bench(tmp_path, calls(EXEC), says("done"), clock=clock) as at, adapter(at) as telegram:
        question = await asked(at, telegram)
        clock.ahead = 8 * 3600
        for press in range(2):
            with pytest.raises(Refused, match="not open any more: it has lapsed"):
                await telegram.press("7", question)
            assert len(refused(at)) == press + 1
        assert at.runner.ran == []


async def test_what_lapsed_while_an_adapter_was_away_is_taken_away_where_it_is_pressed_late(tmp_path: Path) -> None:
    config = Config(approvals=ApprovalsConfig(daemon_seconds=1))
    async with bench(tmp_path, calls(EXEC), says("done"), config=config) as at:
        async with adapter(at) as before:
            question = await asked(at, before)
        async with adapter(at) as after:
            await after.until_asked(1)  # the answer of the turn, in which nobody had answered in time
            with pytest.raises(Refused, match="not open any more: nobody answered in time"):
                await after.press("7", question)
            assert not any(isinstance(frame, Settled) and frame.decision == "once" for frame in after.seen)
        [denied] = [fact for fact in facts(at.paths.audit_db, ANNA) if isinstance(fact, PermissionDenied)]
        assert denied.rule == "no_answer" and at.runner.ran == []


@pytest.mark.parametrize("where", ["d8", "g", "", "D7", "d7 ", "../telegram/d7", "telegram/d7"])
async def test_a_press_in_another_conversation_does_not_count(tmp_path: Path, where: str) -> None:
    async with bench(tmp_path, calls(EXEC)) as at, adapter(at) as telegram:
        question = await asked(at, telegram)
        given = AnswerApproval(approval=question.approval, lease=question.lease, choice="once")
        assert telegram.link is not None
        with pytest.raises(Refused, match="another conversation"):
            await telegram.link.call(AnswerAs(given, "7", where), Acknowledged)
        assert len(refused(at)) == 1 and at.runner.ran == []
        await telegram.press("7", question)


@pytest.mark.parametrize("where", ["home", "approvers", "d7"])
async def test_a_press_where_the_question_is_at_home_or_comes_from_counts(tmp_path: Path, where: str) -> None:
    config = Config(approvals=ApprovalsConfig(home="telegram/home", approvers="telegram/approvers"))
    async with bench(tmp_path, calls(EXEC), says("done"), config=config) as at, adapter(at) as telegram:
        await allow(at, "1", "owner")
        question = await asked(at, telegram, "user")
        assert question.put_to == "telegram/approvers"
        with pytest.raises(Refused, match="another conversation"):
            await telegram.press("1", question, conversation="d1")
        await telegram.press("1", question, conversation=where)
        await telegram.until_asked(1)
        [approved] = [fact for fact in facts(at.paths.audit_db, ANNA) if isinstance(fact, PermissionApproved)]
        assert approved.by == "owner"


async def test_an_adapter_answers_no_question_of_another_channel_wherever_it_says_that_it_is(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(EXEC)) as at, adapter(at) as telegram, adapter(at, "signal") as signal:
        question = await asked(at, telegram)
        await allow(at, "7", "approver", "signal")
        for where in ("d7", "telegram/d7"):
            with pytest.raises(Refused, match="another channel"):
                await signal.press("7", question, conversation=where)
        forged = AnswerApproval(approval="0" * 16, lease=question.lease, choice="once")
        assert signal.link is not None
        with pytest.raises(Refused, match="never was"):
            await signal.link.call(AnswerAs(forged, "7", "d7"), Acknowledged)
        assert at.runner.ran == []
