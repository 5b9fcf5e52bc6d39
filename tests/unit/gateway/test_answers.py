"""Who may answer, what an answer may give, and what becomes of answers that do not count."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from tests.support.gateway_bench import PATIENCE, Bench, bench
from tests.support.scripted_wings import Step, calls, runs_well, says

from wirken.cli.gateway import Gateway
from wirken.config.model import ApprovalsConfig, Config, PermissionsConfig
from wirken.domain import limits
from wirken.domain.errors import Refused
from wirken.domain.events import (
    ApprovalRefused,
    PermissionApproved,
    PermissionDenied,
    StopRequested,
    ToolPermitted,
    ToolResultFact,
    TurnEnded,
)
from wirken.domain.ids import OPERATIONS, OWNER, TERMINAL, ActionKey, AgentId, PrincipalId
from wirken.domain.people import THE_OWNER, Person, Role
from wirken.gateway.answers import Answerer, AnswerRefused
from wirken.gateway.questions import choices
from wirken.gateway.store import Holder
from wirken.ipc.calls import operator as ask
from wirken.ipc.frames import Asked, Inbound, Over, Rejected, Settled
from wirken.ipc.link import unpack
from wirken.record.verify import Status

SESSION = "default/terminal/c"
LS, RM = ("exec", '{"command":"ls"}'), ("exec", '{"command":"rm x"}')
WRITE = ("write_file", '{"path":"a.txt","content":"x"}')
HOUR = Config(approvals=ApprovalsConfig(ask_seconds=3600, daemon_seconds=3600))
BOB = Person(PrincipalId("bob"), Role.APPROVER)


def answer(row: ask.ApprovalRow, choice: str = "once", **more: str) -> ask.AnswerApproval:
    return ask.AnswerApproval(
        **{"approval": row.approval, "lease": row.lease, "choice": choice, **more}  # type: ignore[arg-type]  # tests
    )


async def asked(at: Bench, gateway: Gateway, conversation: str = "c") -> tuple[Inbound, ask.ApprovalRow]:
    message = at.message("please do this", conversation, interactive=True, sender_name="Ann")
    await at.accepted(gateway, message)
    return message, await at.pending(gateway)


def refused(at: Bench) -> list[ApprovalRefused]:
    return [fact for fact in at.facts(OPERATIONS) if isinstance(fact, ApprovalRefused)]


# --- what is shown ------------------------------------------------------------------------------------


async def test_a_question_shows_who_asked_what_led_here_and_where_it_will_run(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(RM, text="I will tidy up."), says("ok"), config=HOUR) as at, at.operator() as one:
        _, row = await asked(at, one)
        assert (row.principal, row.channel, row.sender_name) == (OWNER, TERMINAL, "Ann")
        assert (row.message, row.message_cut, row.said) == ("please do this", 0, "I will tidy up.")
        assert any("no network" in line for line in row.place) and any("/workspace" in line for line in row.place)


async def test_long_words_are_cut_and_the_question_counts_what_is_missing(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(RM, text="ä" * 9000), says("ok"), config=HOUR) as at, at.operator() as one:
        message = at.message("x" * 9000, interactive=True)
        await at.accepted(one, message)
        row = await at.pending(one)
        assert len(row.message) + row.message_cut == 9000 and len(row.message) == limits.QUESTION_TEXT
        assert len(row.said.encode()) + row.said_cut == 18_000 and row.said_cut > 0


# --- who may answer -----------------------------------------------------------------------------------


async def test_users_and_guests_may_not_answer_and_it_is_on_record(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(RM), says("ok"), config=HOUR) as at, at.operator() as gateway:
        message, row = await asked(at, gateway)
        for role in (Role.USER, Role.GUEST):
            eve = Answerer(Person(PrincipalId("eve"), role), "chat:1", TERMINAL)
            with pytest.raises(AnswerRefused, match="Only owners and approvers"):
                await at.house.approvals.answer(answer(row), eve)
        assert {(fact.by, fact.approval, fact.asked_in) for fact in refused(at)} == {("eve", row.approval, SESSION)}
        await at.house.approvals.answer(answer(row), Answerer(BOB, "chat:2"))
        await at.over(gateway, message)
        [approved] = [fact for fact in at.facts() if isinstance(fact, PermissionApproved)]
        assert (approved.by, approved.surface) == ("bob", "chat:2")


async def test_with_four_eyes_nobody_answers_for_what_they_asked(tmp_path: Path) -> None:
    careful = Config(approvals=HOUR.approvals, permissions=PermissionsConfig(four_eyes=True))
    async with bench(tmp_path, calls(RM), says("ok"), config=careful) as at, at.operator() as gateway:
        message, row = await asked(at, gateway)
        with pytest.raises(AnswerRefused, match="four eyes"):
            await at.house.approvals.answer(answer(row), Answerer(THE_OWNER, "page"))
        await at.house.approvals.answer(answer(row), Answerer(BOB, "chat:2"))
        await at.over(gateway, message)
        assert at.runner.tools == ["exec"]


async def test_late_doubled_and_forged_answers_are_recorded_and_a_flood_is_not(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(RM), says("ok"), config=HOUR) as at, at.operator() as gateway:
        message, row = await asked(at, gateway)
        approvals, by = at.house.approvals, Answerer(THE_OWNER, "terminal")
        with pytest.raises(AnswerRefused, match="another call"):
            await approvals.answer(answer(row, lease="0" * 64), by)
        await approvals.answer(answer(row, "deny"), by)
        with pytest.raises(AnswerRefused, match="it was denied"):
            await approvals.answer(answer(row), by)
        await at.over(gateway, message)
        with pytest.raises(AnswerRefused, match="never was"):
            await approvals.answer(answer(row, approval="x" * 10_000), by)
        for _ in range(100):
            with pytest.raises(AnswerRefused):
                await approvals.answer(answer(row), by)
        found = refused(at)
        assert len(found) == limits.ANSWERS_REFUSED and len(found[2].approval) == limits.APPROVAL_ID
        assert at.runner.ran == []


async def test_an_acknowledged_answer_is_on_disk(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(RM), says("ok"), config=HOUR) as at, at.operator() as gateway:
        message, row = await asked(at, gateway)
        with at.disk_stands_still():
            given = asyncio.get_running_loop().create_task(gateway.link.call(answer(row), ask.Acknowledged))
            await asyncio.sleep(0.1)
            assert not given.done() and at.runner.ran == []
        await given
        assert any(isinstance(fact, PermissionApproved) for fact in at.facts())
        await at.over(gateway, message)


# --- what an answer gives -----------------------------------------------------------------------------


async def test_a_yes_for_the_session_counts_there_and_nowhere_else(tmp_path: Path) -> None:
    script = (calls(LS), says("1"), calls(LS), says("2"), calls(LS), says("3"))
    async with bench(tmp_path, *script, config=HOUR) as at, at.operator() as gateway:
        message, row = await asked(at, gateway)
        await gateway.link.call(answer(row, "session"), ask.Acknowledged)
        await at.over(gateway, message)
        await at.say("again", interactive=True)
        rules = [fact.rule for fact in at.facts() if isinstance(fact, ToolPermitted)]
        assert rules == ["approval", "grant"]
        [grant] = (await gateway.link.call(ask.ListGrants(), ask.GrantRows)).grants
        assert (grant.session, grant.action_key) == (SESSION, "shell:ls")
        other, question = await asked(at, gateway, "other")
        assert question.session == "default/terminal/other"
        await gateway.link.call(answer(question, "deny"), ask.Acknowledged)
        await at.over(gateway, other)
        await gateway.link.call(ask.CloseSession(SESSION), ask.Acknowledged)
        assert (await gateway.link.call(ask.ListGrants(), ask.GrantRows)).grants == ()
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_tier_3_call_is_not_allowed_for_a_session(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(RM), says("ok"), config=HOUR) as at, at.operator() as gateway:
        _, row = await asked(at, gateway)
        for choice in ("session", "30d"):
            with pytest.raises(AnswerRefused, match="Tier 3"):
                await at.house.approvals.answer(answer(row, choice), Answerer(THE_OWNER, "page"))


@pytest.mark.parametrize("text", ["# only a comment", " "])
async def test_a_text_that_runs_nothing_is_allowed_once_at_a_time_and_no_grant_serves_it(
    tmp_path: Path, text: str
) -> None:
    nothing = ("exec", json.dumps({"command": text}))
    async with bench(tmp_path, calls(nothing), says("ok"), config=HOUR) as at, at.operator() as gateway:
        holder = Holder(AgentId("default"), OWNER, TERMINAL)  # what an earlier version let people store
        at.house.store.remember(holder, ActionKey("shell::nothing:"), at.house.clock.now(), OWNER)
        message, row = await asked(at, gateway)
        assert (row.tier, row.action_keys, row.choices) == ("tier2", ("shell::nothing:",), ("once", "deny"))
        for choice in ("session", "30d"):
            with pytest.raises(Refused, match="no grant can be stored"):
                await gateway.link.call(answer(row, choice), ask.Acknowledged)
        await gateway.link.call(answer(row), ask.Acknowledged)
        await at.over(gateway, message)
        assert at.runner.tools == ["exec"]


async def test_a_call_is_offered_to_be_remembered_only_if_all_its_keys_may_be(tmp_path: Path) -> None:
    assert choices("tier2", ("shell:ls", "shell:wc")) == ("once", "session", "30d", "deny")
    for tier, keys in (("tier3", ("shell:ls",)), ("tier2", ("shell:ls", "shell::nothing:")), ("tier2", ())):
        assert choices(tier, keys) == ("once", "deny")


async def test_uses_are_counted_down_before_the_call_runs(tmp_path: Path) -> None:
    left: list[int | None] = []

    async def looks(call: object, runner: object) -> object:
        left.extend(grant.uses for grant in at.house.store.grants(at.house.clock.now()))
        return await runs_well(call, runner)  # type: ignore[arg-type]  # passed on

    script = (calls(LS, LS, LS), says("done"))
    async with bench(tmp_path, *script, behave=looks) as at, at.operator() as gateway:  # type: ignore[arg-type]  # above
        grant = ask.ApproveGrant("default", OWNER, TERMINAL, "shell:ls", seconds=7 * 86_400, uses=2)
        said = await gateway.link.call(grant, ask.Acknowledged)
        assert said.said == "Remembered: 7d, 2 uses."
        await at.say("go", interactive=False)
        assert left == [1]  # the second run leaves none, and such a grant is no longer listed
        assert at.runner.tools == ["exec", "exec"]
        [denied] = [fact for fact in at.facts() if isinstance(fact, PermissionDenied)]
        assert denied.rule == "not_interactive"


# --- pushing ------------------------------------------------------------------------------------------


async def test_three_denials_end_the_turn_and_person_and_model_are_told(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(RM, RM), calls(RM, WRITE), says("never"), says("next")) as at:
        over = (await at.say("go", interactive=False))[-1]
        assert isinstance(over, Over) and over.outcome == "failed" and "3 calls were denied" in over.reason
        results = [fact for fact in at.facts() if isinstance(fact, ToolResultFact)]
        assert [fact.outcome for fact in results] == ["denied", "denied", "denied", "stopped"]
        assert len(at.model.questions) == 2 and at.runner.ran == []
        await at.say("and now?")
        assert b"the turn ends here" in at.model.questions[2].messages
        assert (await at.verify()).status is Status.VERIFIED


# --- /stop --------------------------------------------------------------------------------------------


async def hangs(call: object, runner: object) -> object:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize("stage", ["model", "tool", "question"])
async def test_stop_as_a_message_ends_the_turn_at_once_without_a_model(tmp_path: Path, stage: str) -> None:
    script = {"model": Step(gate=asyncio.Event()), "tool": calls(WRITE), "question": calls(RM)}[stage]
    async with bench(tmp_path, script, config=HOUR, behave=hangs) as at, at.operator() as gateway:  # type: ignore[arg-type]  # hangs
        message = at.message("go", interactive=True)
        await at.accepted(gateway, message)
        async with asyncio.timeout(PATIENCE):
            await script.asked.wait()
            if stage == "tool":
                await at.runner.started.wait()
        if stage == "question":
            await at.pending(gateway)
        stop = at.message(" /STOP ")
        started = time.monotonic()
        gateway.link.send(stop)
        ends = {message.platform_id: "", stop.platform_id: ""}
        async with asyncio.timeout(PATIENCE):
            while not all(ends.values()):
                frame = await gateway.frame()
                assert not isinstance(frame, Rejected)
                if isinstance(frame, Over):
                    ends[frame.platform_id] = frame.outcome
        assert time.monotonic() - started < 1.0
        assert list(ends.values()) == ["stopped", "finished"]
        assert len(at.model.questions) == 1
        [said] = [fact for fact in at.facts() if isinstance(fact, StopRequested)]
        assert said.by == OWNER and sum(isinstance(fact, TurnEnded) for fact in at.facts()) == 1
        assert (await at.verify()).status is Status.VERIFIED


async def test_stop_where_nothing_runs_says_so_and_leaves_no_row(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        [frame] = await at.say("/stop")
        assert isinstance(frame, Rejected) and "No turn runs" in frame.reason
        assert at.facts() == [] and at.model.questions == []


# --- watching -----------------------------------------------------------------------------------------


async def test_a_watching_terminal_hears_every_question_and_its_end_and_others_do_not(tmp_path: Path) -> None:
    async with (
        bench(tmp_path, calls(RM), says("ok"), config=HOUR) as at,
        at.operator() as watcher,
        at.operator() as idle,
        at.operator() as gateway,
    ):
        assert (await watcher.link.call(ask.WatchApprovals(), ask.ApprovalRows)).approvals == ()
        message, row = await asked(at, gateway)
        async with asyncio.timeout(PATIENCE):
            frame = await watcher.frame()
            assert isinstance(frame, Asked) and unpack(frame.approval, ask.ApprovalRow) == row
            await watcher.link.call(answer(row), ask.Acknowledged)
            assert await watcher.frame() == Settled(SESSION, row.approval, "once", "owner")
        await at.over(gateway, message)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await idle.frame()


async def test_the_page_may_not_watch(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.web.start()
        assert at.web.link is not None
        with pytest.raises(Exception, match="may not ask"):
            await at.web.link.call(ask.WatchApprovals(), ask.ApprovalRows)


async def test_a_grant_for_what_nobody_knows_is_stored_with_a_warning(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, at.operator() as gateway:
        grant = ask.ApproveGrant("nobody", "ann", TERMINAL, "shell:ls")
        said = (await gateway.link.call(grant, ask.Acknowledged)).said
        assert said.startswith("Remembered: 30d.")
        assert "no agent nobody" in said and "no account belongs to ann" in said
        assert len((await gateway.link.call(ask.ListGrants(), ask.GrantRows)).grants) == 1
