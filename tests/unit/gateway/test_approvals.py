from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from tests.support.gateway_bench import facts, kind
from tests.support.vault_parts import SetClock

from wirken.config.model import Config
from wirken.domain import limits
from wirken.domain.actions import Allowed, CanonicalCall, Denied, NeedsApproval, Place, Tier, ToolCall
from wirken.domain.events import ApprovalRequested, PermissionApproved
from wirken.domain.ids import OWNER, TERMINAL, WEBCHAT, ActionKey, AgentId, CallId, ChannelId, SessionId
from wirken.domain.people import THE_OWNER
from wirken.gateway.answers import Answerer, AnswerRefused
from wirken.gateway.approvals import Approvals
from wirken.gateway.homes import homes
from wirken.gateway.hub import Hub, Surface
from wirken.gateway.log import AuditLog
from wirken.gateway.matters import Matter
from wirken.gateway.sessions import Session
from wirken.gateway.store import Holder, StateStore
from wirken.ipc.calls.operator import AnswerApproval, ApprovalRow
from wirken.ipc.frames import Asked, Conversing, Frame, Settled
from wirken.ipc.link import unpack

ID = SessionId("default/terminal/c")
LS = ActionKey("shell:ls")
TWO = NeedsApproval(Tier.TWO, (LS,), ("`ls` runs in the sandbox.",))
THREE = NeedsApproval(Tier.THREE, (ActionKey("shell:curl"),), ("`curl` is high-risk.",))
HOLDER = Holder(AgentId("default"), OWNER, TERMINAL)


class Screen:
    """A link's sending side, as the hub uses it."""

    def __init__(self) -> None:
        self.frames: list[Conversing] = []

    def send(self, frame: Frame) -> None:
        self.frames.append(frame)  # type: ignore[arg-type]  # the hub sends conversing frames only


@dataclass
class Parts:
    approvals: Approvals
    session: Session
    store: StateStore
    clock: SetClock
    screen: Screen
    database: Path

    def ask(self, needs: NeedsApproval, seconds: float = 5.0, command: str = "ls") -> asyncio.Task[Allowed | Denied]:
        canonical = call(command)
        proposed = ToolCall(CallId("c1"), canonical.tool, canonical.arguments)
        asking = self.approvals.ask(Matter(self.session, proposed, canonical, needs), seconds)
        return asyncio.get_running_loop().create_task(asking)

    async def answer(self, given: AnswerApproval, only: str = "", surface: str = "terminal") -> None:
        await self.approvals.answer(given, Answerer(THE_OWNER, surface, only))

    async def asked(self) -> ApprovalRow:
        async with asyncio.timeout(5):
            while not self.approvals.pending():
                await asyncio.sleep(0.001)
        return self.approvals.pending()[-1]

    @property
    def decisions(self) -> list[str]:
        return [frame.decision for frame in self.screen.frames if isinstance(frame, Settled)]


def call(command: str) -> CanonicalCall:
    return CanonicalCall(
        tool="exec",
        arguments=msgspec.json.encode({"command": command}).decode(),
        agent=HOLDER.agent,
        session=ID,
        principal=HOLDER.principal,
        channel=HOLDER.channel,
        place=Place("/w", "bubblewrap"),
    )


@asynccontextmanager
async def parts(folder: Path) -> AsyncIterator[Parts]:
    clock, hub, screen = SetClock(), Hub(), Screen()
    log = AuditLog(folder / "audit.db", clock, lambda: None)
    log.start()
    store = StateStore(folder / "state.db")
    hub.attach(Surface(screen, TERMINAL, False, {ID}))  # type: ignore[arg-type]  # the hub needs `send` only
    session = Session(ID, HOLDER.agent, HOLDER.channel, log)
    try:
        yield Parts(
            Approvals(hub, store, clock, log, homes(Config())), session, store, clock, screen, folder / "audit.db"
        )
    finally:
        log.close()
        store.close()


def yes(row: ApprovalRow, choice: str = "once", **changes: str) -> AnswerApproval:
    given = AnswerApproval(approval=row.approval, lease=row.lease, choice=choice)  # type: ignore[arg-type]  # tests
    return msgspec.structs.replace(given, **changes)


async def test_the_question_is_on_disk_and_shows_exactly_what_was_hashed(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        task = at.ask(TWO, seconds=30, command="ls -la")
        row = await at.asked()
        [requested] = facts(at.database, ID)
        assert isinstance(requested, ApprovalRequested)
        assert (requested.call, requested.lease) == (row.call, row.lease)
        assert row.call == call("ls -la").canonical().decode() and row.lease == call("ls -la").digest()
        assert (row.command, row.expires) == ("ls -la", at.clock.now() + 30_000)
        [frame] = at.screen.frames
        assert isinstance(frame, Asked) and unpack(frame.approval, ApprovalRow) == row
        task.cancel()


async def test_a_yes_once_allows_this_call_and_stores_nothing(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        task = at.ask(TWO)
        await at.answer(yes(await at.asked()))
        assert await task == Allowed(Tier.TWO, (LS,), "approval", OWNER)
        assert at.store.grants(at.clock.now()) == []
        assert at.decisions == ["once"] and at.approvals.pending() == ()
        approved = facts(at.database, ID)[-1]
        assert isinstance(approved, PermissionApproved)
        assert (approved.scope, approved.by, approved.surface) == ("once", OWNER, "terminal")


async def test_a_yes_for_30_days_is_remembered_for_this_holder(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        task = at.ask(TWO)
        await at.answer(yes(await at.asked(), "30d"))
        assert isinstance(await task, Allowed)
        [grant] = at.store.grants(at.clock.now())
        assert (grant.holder, grant.key) == (HOLDER, LS)
        assert grant.expires == at.clock.now() + limits.GRANT_LIFETIME * 1000


async def test_a_tier_3_call_cannot_be_remembered_and_goes_on_waiting(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        task = at.ask(THREE, command="curl x")
        row = await at.asked()
        with pytest.raises(AnswerRefused, match="Tier 3"):
            await at.answer(yes(row, "30d"))
        await at.answer(yes(row))
        assert isinstance(await task, Allowed)
        assert at.store.grants(at.clock.now()) == []


async def test_a_no_carries_its_reason_to_the_model(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        task = at.ask(THREE)
        await at.answer(yes(await at.asked(), "deny", reason="not on my laptop"))
        denied = await task
        assert isinstance(denied, Denied)
        assert denied.said == "Permission denied: 'exec' requires tier3 approval. not on my laptop"
        assert (denied.rule, denied.by) == ("denied_by_person", OWNER)


async def test_no_answer_in_time_is_a_no(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        task = at.ask(TWO, seconds=0.05)
        row = await at.asked()
        denied = await task
        assert isinstance(denied, Denied) and denied.rule == "no_answer"
        assert at.decisions == ["lapsed"] and at.approvals.pending() == ()
        with pytest.raises(AnswerRefused, match="not open any more"):
            await at.answer(yes(row))
        assert [kind(fact) for fact in facts(at.database, ID)] == [
            *("approval_requested", "permission_denied", "tool_result")
        ]


async def test_a_second_answer_changes_nothing(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        task = at.ask(TWO)
        row = await at.asked()
        await at.answer(yes(row, "deny"), surface="page")
        for choice in ("once", "30d", "deny"):
            with pytest.raises(AnswerRefused):
                await at.answer(yes(row, choice))
        assert isinstance(await task, Denied)
        with pytest.raises(AnswerRefused):
            await at.answer(yes(row))


async def test_an_answer_to_anything_else_is_refused(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        task = at.ask(TWO)
        row = await at.asked()
        for wrong in ({"lease": call("rm -rf /").digest()}, {"lease": ""}, {"approval": "0" * 16}):
            with pytest.raises(AnswerRefused):
                await at.answer(yes(row, **wrong))
        with pytest.raises(AnswerRefused, match="another channel"):
            await at.answer(yes(row), WEBCHAT, "page")
        assert not task.done()
        task.cancel()


async def test_the_page_sees_its_own_channels_questions_only(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        task = at.ask(TWO)
        await at.asked()
        assert at.approvals.pending(WEBCHAT) == ()
        assert len(at.approvals.pending(TERMINAL)) == len(at.approvals.pending()) == 1
        assert at.approvals.pending(ChannelId("term")) == ()
        task.cancel()


async def test_a_question_whose_turn_was_stopped_is_withdrawn(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        task = at.ask(TWO)
        row = await at.asked()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert at.decisions == ["withdrawn"] and at.approvals.pending() == ()
        with pytest.raises(AnswerRefused):
            await at.answer(yes(row))


async def test_two_questions_wait_side_by_side_and_are_not_mixed_up(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        first, second = at.ask(TWO, command="ls a"), at.ask(TWO, command="ls b")
        async with asyncio.timeout(5):
            while len(at.approvals.pending()) < 2:
                await asyncio.sleep(0.001)
        by_command = {row.command: row for row in at.approvals.pending()}
        mixed = yes(by_command["ls a"], lease=by_command["ls b"].lease)
        with pytest.raises(AnswerRefused):
            await at.answer(mixed)
        await at.answer(yes(by_command["ls b"]))
        await at.answer(yes(by_command["ls a"], "deny"))
        assert isinstance(await first, Denied) and isinstance(await second, Allowed)
