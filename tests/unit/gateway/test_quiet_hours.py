"""Quiet hours: a question to somebody who did not ask waits for their end, and its time runs from there."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.adapter import adapter
from tests.support.gateway_bench import PATIENCE, Bench, bench, facts
from tests.support.scripted_wings import calls, says

from wirken.config.model import ApprovalsConfig, Config
from wirken.domain import limits
from wirken.domain.clock import SystemClock
from wirken.domain.events import ApprovalRequested, PermissionDenied
from wirken.ipc.calls.operator import Acknowledged, AnswerApproval, ApprovalRow
from wirken.ipc.calls.senders import AllowSender
from wirken.ipc.frames import Asked
from wirken.ipc.link import unpack
from wirken.record.verify import Status

RM = ("exec", '{"command":"rm x"}')
SESSION = "default/telegram/d7"
MINUTE = 60_000
SECONDS = 60
NIGHT = Config(
    approvals=ApprovalsConfig(
        ask_seconds=SECONDS, daemon_seconds=SECONDS, home="matrix/h", quiet="22:00-07:00", zone="Etc/UTC"
    )
)


def at_night(clock: str) -> int:
    return int(datetime.fromisoformat(f"2026-11-21T{clock}").replace(tzinfo=UTC).timestamp() * 1000)


class Moved(SystemClock):
    """A wall clock that says what a test set it to."""

    def __init__(self, clock: str) -> None:
        self.set(clock)

    def set(self, clock: str) -> None:
        self._now = at_night(clock)

    def now(self) -> int:
        return self._now


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "APPROVAL_LOOK", 0.01)


async def people(at: Bench) -> None:
    async with at.operator() as owner:
        for channel, sender, name, role in (("telegram", "7", "ann", "user"), ("matrix", "1", "olga", "owner")):
            question = AllowSender(channel=channel, sender=sender, principal=name, role=role)
            await owner.link.call(question, Acknowledged)


async def pending(at: Bench) -> ApprovalRow:
    async with at.operator() as owner:
        return await at.pending(owner)


async def some_looks() -> None:
    await asyncio.sleep(0.1)


def yes(row: ApprovalRow) -> AnswerApproval:
    return AnswerApproval(approval=row.approval, lease=row.lease, choice="once")


async def test_a_question_at_night_is_held_and_put_in_the_morning_with_all_its_time(tmp_path: Path) -> None:
    clock = Moved("03:00")
    async with (
        bench(tmp_path, calls(RM), says("done"), config=NIGHT, clock=clock) as at,
        adapter(at) as telegram,
        adapter(at, "matrix") as matrix,
    ):
        await people(at)
        message = telegram.put(telegram.message("7", "tidy up"))
        row = await pending(at)
        assert (row.held_until, row.expires) == (at_night("07:00"), at_night("07:00") + SECONDS * 1000)
        clock.set("06:59:59.999")
        await some_looks()
        matrix.take()
        assert matrix.shown("h") == [] and not [frame for frame in telegram.seen if isinstance(frame, Asked)]
        clock.set("07:00")
        await matrix.until(lambda: bool(matrix.shown("h")))
        again = await matrix.question()
        assert (again.held_until, again.expires) == (0, row.expires)
        clock.set("07:00:59.999")
        await matrix.press("1", again)
        await telegram.outcome(message)
        [asked] = [fact for fact in facts(at.paths.audit_db, SESSION) if isinstance(fact, ApprovalRequested)]
        assert (asked.held_until, asked.put_to) == (at_night("07:00"), "matrix/h")
        assert at.runner.tools == ["exec"] and (await at.verify(SESSION)).status is Status.VERIFIED


async def test_a_held_question_lapses_only_after_its_time_in_the_morning(tmp_path: Path) -> None:
    clock = Moved("22:00")
    clock.set("06:00")
    async with bench(tmp_path, calls(RM), says("done"), config=NIGHT, clock=clock) as at, adapter(at) as telegram:
        await people(at)
        message = telegram.put(telegram.message("7", "tidy up"))
        await pending(at)
        clock.set("07:00:59.999")
        await some_looks()
        assert (await pending(at)).held_until == 0
        clock.set("07:01")
        await telegram.outcome(message)
        [denied] = [fact for fact in facts(at.paths.audit_db, SESSION) if isinstance(fact, PermissionDenied)]
        assert denied.rule == "no_answer" and at.runner.ran == []


async def test_page_and_terminal_show_and_answer_a_held_question_and_home_hears_nothing_of_it(tmp_path: Path) -> None:
    clock = Moved("03:00")
    async with (
        bench(tmp_path, calls(RM), says("done"), config=NIGHT, clock=clock) as at,
        adapter(at) as telegram,
        adapter(at, "matrix") as matrix,
    ):
        await people(at)
        await at.web.start()
        message = telegram.put(telegram.message("7", "tidy up"))
        async with asyncio.timeout(PATIENCE):
            frame = await at.web.frames.get()
        assert isinstance(frame, Asked) and unpack(frame.approval, ApprovalRow).held_until == at_night("07:00")
        async with at.operator() as owner:
            await owner.link.call(yes(await at.pending(owner)), Acknowledged)
        await telegram.outcome(message)
        matrix.take()
        assert matrix.shown("h") == [] and at.runner.tools == ["exec"]


async def test_who_asks_and_may_answer_is_there_and_is_asked_at_night_too(tmp_path: Path) -> None:
    script = (calls(RM), says("done"), calls(RM), says("done"))
    async with (
        bench(tmp_path, *script, config=NIGHT, clock=Moved("03:00")) as at,
        adapter(at, "matrix") as matrix,
        at.operator() as owner,
    ):
        await people(at)
        message = at.message("tidy up", interactive=True)
        await at.accepted(owner, message)
        row = await at.pending(owner)
        assert (row.held_until, row.put_to, row.expires) == (0, "terminal/c", at_night("03:01"))
        await owner.link.call(yes(row), Acknowledged)
        await at.over(owner, message)
        in_chat = matrix.put(matrix.message("1", "tidy up"))
        await matrix.until(lambda: bool(matrix.shown("d1")))
        asked = await matrix.question()
        assert asked.held_until == 0
        await matrix.press("1", asked)
        await matrix.outcome(in_chat)


async def test_a_held_question_is_held_after_a_restart_as_well(tmp_path: Path) -> None:
    clock = Moved("03:00")
    async with bench(tmp_path, calls(RM), config=NIGHT, clock=clock) as at, adapter(at) as telegram:
        await people(at)
        telegram.put(telegram.message("7", "tidy up"))
        before = await pending(at)
        await at.stop()
    clock.set("05:00")
    async with (
        bench(tmp_path, says("done"), config=NIGHT, clock=clock) as at,
        adapter(at, "matrix") as matrix,
    ):
        assert await pending(at) == before
        await some_looks()
        matrix.take()
        assert matrix.shown("h") == []
        clock.set("07:00")
        await matrix.until(lambda: bool(matrix.shown("h")))
        await matrix.press("1", await matrix.question())
        async with asyncio.timeout(PATIENCE):
            while not at.runner.ran:
                await asyncio.sleep(0.01)


async def test_a_channel_that_comes_back_at_night_is_not_asked_what_waits_before_morning(tmp_path: Path) -> None:
    patient = Config(
        approvals=ApprovalsConfig(daemon_seconds=86_400, home="matrix/h", quiet="22:00-07:00", zone="Etc/UTC")
    )
    clock = Moved("00:00")
    clock._now -= 121 * MINUTE  # 21:59 of the evening before
    async with bench(tmp_path, calls(RM), config=patient, clock=clock) as at, adapter(at) as telegram:
        await people(at)
        telegram.put(telegram.message("7", "tidy up"))
        row = await pending(at)
        assert row.held_until == 0 and row.expires == clock.now() + 86_400_000
        async with adapter(at, "matrix") as matrix:
            await matrix.until(lambda: bool(matrix.shown("h")))
        clock.set("01:00")
        async with adapter(at, "matrix") as matrix:
            await some_looks()
            matrix.take()
            assert matrix.shown("h") == [] and (await pending(at)).held_until == at_night("07:00")
            clock.set("07:00")
            await matrix.until(lambda: bool(matrix.shown("h")))
