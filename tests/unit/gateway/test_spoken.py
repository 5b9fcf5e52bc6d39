from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.adapter import Adapter, adapter
from tests.support.gateway_bench import Bench, bench, facts
from tests.support.scripted_wings import calls, says

from wirken.config.model import Config, LimitsConfig
from wirken.domain.events import (
    ApprovalRefused,
    Compaction,
    Fact,
    NewRequested,
    PermissionApproved,
    PermissionDenied,
    UserMessageFact,
)
from wirken.domain.ids import ActionKey, AgentId, ChannelId, PrincipalId
from wirken.gateway.people import REFUSAL
from wirken.gateway.store import Holder
from wirken.gateway.words import HELP, USAGE
from wirken.ipc.calls.operator import Acknowledged, ApprovalRow
from wirken.ipc.calls.senders import AllowSender
from wirken.ipc.frames import Accepted, Rejected, Said
from wirken.record.verify import Status

ANNA = "default/telegram/d7"
EXEC = ("exec", json.dumps({"command": "ls"}))
WORDS = ("/new", "/status", "/help", "/whoami", "!approve x", "!deny x", "!approve")


async def allow(at: Bench, sender: str, role: str = "user", name: str = "") -> None:
    async with at.operator() as owner:
        question = AllowSender(channel="telegram", sender=sender, principal=name, role=role)
        await owner.link.call(question, Acknowledged)


def of(at: Bench, kind: type[Fact], session: str = ANNA) -> list[Fact]:
    return [fact for fact in facts(at.paths.audit_db, session) if isinstance(fact, kind)]


async def asked(at: Bench, telegram: Adapter, role: str = "owner") -> ApprovalRow:
    await allow(at, "7", role, "owner" if role == "owner" else "")
    telegram.put(telegram.message("7", "run ls"))
    return await telegram.question()


# --- who ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", WORDS)
async def test_a_stranger_hears_of_no_word_more_than_of_anything_else(tmp_path: Path, said: str) -> None:
    async with bench(tmp_path) as at, adapter(at) as telegram:
        assert await telegram.say("9", said) == Rejected("p1", REFUSAL, "")
        assert await telegram.say("9", said) == Rejected("p2", "", "")
        assert await telegram.say("9", said, "g", group=True) == Rejected("p3", "", "")


async def test_in_a_group_a_word_that_is_not_said_to_the_bot_is_not_heard(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, adapter(at) as telegram:
        await allow(at, "7")
        assert await telegram.say("7", "/help", "g", group=True) == Rejected("p1", "", "")
        assert await telegram.answered("7", "/help", "g", group=True, mentioned=True) == HELP


async def test_words_come_of_no_model_and_leave_no_turn(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, adapter(at) as telegram:
        await allow(at, "7", "guest", "anna")
        assert await telegram.answered("7", "/help") == HELP
        assert await telegram.answered("7", "/whoami") == "You are anna (guest) here, known as telegram:7."
        assert await telegram.answered("7", "!approve") == USAGE
        said = await telegram.answered("7", "/status")
        assert said.startswith("Agent: default, model: ") and "nothing to do, 0 messages wait" in said
        assert at.model.questions == [] and facts(at.paths.audit_db, ANNA) == []
        assert not any(isinstance(frame, Accepted) for frame in telegram.seen)


async def test_words_count_towards_the_pace_of_messages(tmp_path: Path) -> None:
    config = Config(limits=LimitsConfig(messages_per_minute=2))
    async with bench(tmp_path, config=config) as at, adapter(at) as telegram:
        await allow(at, "7")
        for _ in range(2):
            await telegram.answered("7", "/help")
        refused = await telegram.say("7", "/help")
        assert isinstance(refused, Rejected) and "More than 2 messages" in refused.reason


async def test_the_owner_says_them_at_a_terminal_too(tmp_path: Path) -> None:
    async with bench(tmp_path, says("one")) as at, at.operator() as gateway:
        await at.spoken(gateway, at.message("hi"))
        for said, answer in (("/whoami", "You are owner (owner) here, known as terminal."), ("/help", HELP)):
            message = at.message(said)
            gateway.link.send(message)
            while not isinstance(frame := await gateway.frame(), Said):
                pass
            assert frame == Said(message.platform_id, answer)


# --- /new ---------------------------------------------------------------------------------------------


async def test_after_new_the_model_knows_nothing_of_what_was_said_and_the_record_does(tmp_path: Path) -> None:
    async with bench(tmp_path, says("one"), says("two")) as at, adapter(at) as telegram:
        await allow(at, "7")
        assert "Nothing was said" in await telegram.answered("7", "/new")
        await telegram.say("7", "my name is Anna")
        assert "anew" in await telegram.answered("7", "/new")
        assert "Nothing was said" in await telegram.answered("7", "/new")
        await telegram.say("7", "who am I?")
        messages = json.loads(at.model.questions[1].messages)
        assert [one["content"] for one in messages[1:]] == ["who am I?"]
        assert len(of(at, UserMessageFact)) == 2
        assert of(at, NewRequested) == [NewRequested(by="telegram:7", platform_id="p3")]
        [left_out] = of(at, Compaction)
        assert isinstance(left_out, Compaction) and left_out.left_out == 2
        assert (await at.verify(ANNA)).status is Status.VERIFIED


async def test_a_new_that_the_platform_repeats_forgets_nothing_that_was_said_since(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, adapter(at) as telegram:
        await allow(at, "7")
        await telegram.say("7", "one")
        assert "anew" in await telegram.answered("7", "/new", platform_id="n")
        await telegram.say("7", "two")
        await at.stop()
    async with bench(tmp_path) as at, adapter(at) as telegram:
        assert "anew" in await telegram.answered("7", "/new", platform_id="n")
        await telegram.say("7", "three", platform_id="later")
        contents = [one["content"] for one in json.loads(at.model.questions[0].messages)]
        assert contents[1:] == ["two", "ok", "three"] and len(of(at, NewRequested)) == 1


async def test_new_is_attested_though_nothing_follows(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, adapter(at) as telegram:
        await allow(at, "7")
        await telegram.say("7", "one")
        await at.rest(ANNA)
        await telegram.answered("7", "/new")
        report = await at.verify(ANNA)
        assert report.status is Status.VERIFIED and report.attestations == 3
        assert at.house.log.unfinished() == []


async def test_while_a_turn_runs_there_is_no_new(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(EXEC)) as at, adapter(at) as telegram:
        await asked(at, telegram)
        assert "Say /stop first" in await telegram.answered("7", "/new")
        assert "at work" in (said := await telegram.answered("7", "/status")) and "answer: 1" in said
        assert of(at, NewRequested) == []


async def test_what_was_allowed_for_the_session_ends_with_new(tmp_path: Path) -> None:
    holder = Holder(AgentId("default"), PrincipalId("telegram:7"), ChannelId("telegram"))
    async with bench(tmp_path) as at, adapter(at) as telegram:
        await allow(at, "7")
        await telegram.say("7", "one")
        for session in ("", ANNA):
            at.house.store.remember(holder, ActionKey("shell:ls"), at.house.clock.now(), "owner", session=session)
        await telegram.answered("7", "/new")
        assert [grant.session for grant in at.house.store.grants(at.house.clock.now())] == [""]


# --- answering in words -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "scope", "answer"),
    [("", "once", "Allowed once."), (" session", "session", "for this session"), (" 30d", "30d", "for 30 days")],
)
async def test_a_question_is_approved_in_words(tmp_path: Path, choice: str, scope: str, answer: str) -> None:
    async with bench(tmp_path, calls(EXEC), says("done")) as at, adapter(at) as telegram:
        question = await asked(at, telegram)
        assert answer in await telegram.answered("7", f"!approve {question.approval}{choice}")
        await telegram.outcome(telegram.message("7", "", platform_id="p1"))
        [approved] = of(at, PermissionApproved)
        assert isinstance(approved, PermissionApproved)
        assert (approved.scope, approved.by, approved.surface) == (scope, "owner", "telegram:7")
        assert (approved.approval, approved.lease) == (question.approval, question.lease)
        again = await telegram.answered("7", f"!approve {question.approval}")
        assert again.startswith("This question is not open any more: it was allowed")


async def test_a_question_is_denied_in_words_with_the_reason_for_the_model(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(EXEC), says("done")) as at, adapter(at) as telegram:
        question = await asked(at, telegram)
        assert await telegram.answered("7", f"!deny {question.approval} not on a Friday") == "Denied."
        await telegram.outcome(telegram.message("7", "", platform_id="p1"))
        assert len(of(at, PermissionDenied)) == 1 and at.runner.ran == []
        assert "not on a Friday" in at.model.questions[1].messages.decode()


async def test_words_of_who_may_not_answer_or_elsewhere_count_for_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(EXEC)) as at, adapter(at) as telegram, adapter(at, "signal") as signal:
        question = await asked(at, telegram)
        await allow(at, "8", "user")
        await allow(at, "2", "approver")
        async with at.operator() as owner:
            await owner.link.call(
                AllowSender(channel="signal", sender="7", principal="", role="approver"), Acknowledged
            )
        words = f"!approve {question.approval}"
        assert "Only owners and approvers" in await telegram.answered("8", words)
        assert "another conversation" in await telegram.answered("2", words)
        assert "another channel" in await signal.answered("7", words)
        assert "not open" in await telegram.answered("7", words[:-1])
        assert len(of(at, ApprovalRefused, "gateway/operations/log")) == 4
        assert at.runner.ran == [] and of(at, PermissionApproved) == []
