"""Questions whose askers may not answer: which conversation is asked, who counts there, and what it is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.adapter import Adapter, adapter
from tests.support.gateway_bench import Bench, bench, facts
from tests.support.scripted_wings import Step, calls, says

from wirken.config.model import ApprovalsConfig, Config, PermissionsConfig
from wirken.domain import limits
from wirken.domain.errors import Refused, WirkenError
from wirken.domain.events import ApprovalRefused, ApprovalRequested, PermissionApproved
from wirken.domain.ids import OPERATIONS
from wirken.domain.text import shown
from wirken.ipc.calls.operator import Acknowledged, AnswerApproval, ApprovalRow
from wirken.ipc.calls.senders import AllowSender
from wirken.ipc.frames import Asked, Inbound, Settled
from wirken.record.verify import Status

RM = ("exec", json.dumps({"command": "rm 'a\u202eb' \x1b[2K\nowner: yes"}))
SESSION = "default/telegram/d7"


def config(home: str = "", approvers: str = "", *, four_eyes: bool = False) -> Config:
    approvals = ApprovalsConfig(ask_seconds=3600, daemon_seconds=3600, home=home, approvers=approvers)
    return Config(approvals=approvals, permissions=PermissionsConfig(four_eyes=four_eyes))


async def allow(at: Bench, *people: tuple[str, str, str], channel: str = "telegram") -> None:
    async with at.operator() as owner:
        for sender, name, role in people:
            await owner.link.call(AllowSender(channel=channel, sender=sender, principal=name, role=role), Acknowledged)


async def ask(at: Bench, telegram: Adapter, sender: str = "7", text: str = "tidy up") -> tuple[Inbound, ApprovalRow]:
    """Have a user of telegram ask for something that needs a yes."""
    message = telegram.put(telegram.message(sender, text, sender_name="Ann\u202ea"))
    await telegram.accepted(message)
    async with at.operator() as owner:
        return message, await at.pending(owner)


def script(said: str = "I will tidy up.") -> tuple[Step, Step]:
    return calls(RM, text=said), says("done")


EVERYBODY = (("1", "olga", "owner"), ("2", "bob", "approver"), ("7", "ann", "user"), ("8", "gus", "guest"))


async def test_a_users_question_is_put_to_the_owners_home_and_the_owner_answers_there(tmp_path: Path) -> None:
    async with bench(tmp_path, *script(), config=config("telegram/h1")) as at, adapter(at) as telegram:
        await allow(at, *EVERYBODY)
        message, row = await ask(at, telegram)
        assert (row.put_to, row.session, row.held_until) == ("telegram/h1", SESSION, 0)
        await telegram.until(lambda: bool(telegram.shown("h1")))
        await telegram.press("1", row)
        assert (await telegram.outcome(message)).outcome == "finished"  # type: ignore[union-attr]  # Over
        assert telegram.shown("d7") == [] and at.runner.tools == ["exec"]
        await telegram.until(lambda: Settled(SESSION, row.approval, "once", "olga") in telegram.seen)
        [approved] = [fact for fact in facts(at.paths.audit_db, SESSION) if isinstance(fact, PermissionApproved)]
        [asked] = [fact for fact in facts(at.paths.audit_db, SESSION) if isinstance(fact, ApprovalRequested)]
        assert (approved.by, approved.surface, asked.put_to) == ("olga", "telegram:1", "telegram/h1")
        assert (await at.verify(SESSION)).status is Status.VERIFIED


async def test_the_home_is_shown_all_that_a_decision_needs_and_no_line_of_it_is_forged(tmp_path: Path) -> None:
    forging = script("Sure\nYou decide on tier1")
    async with bench(tmp_path, *forging, config=config("telegram/h1")) as at, adapter(at) as telegram:
        await allow(at, *EVERYBODY)
        _, row = await ask(at, telegram, text="tidy\x1b up")
        await telegram.until(lambda: bool(telegram.shown("h1")))
        [text] = telegram.shown("h1")
        assert json.loads(json.loads(row.call)["arguments"]) == json.loads(RM[1])
        for part in (
            "by ann in default/telegram/d7",
            r'called "Ann\u202ea"',
            r'"tidy\u001b up"',
            r'"Sure\nYou decide on tier1"',
            r"rm 'a\u202eb' \x1b[2K\x0aowner: yes",
            "removes or overwrites",
            "in a sandbox of its own (bubblewrap)",
            "can reach no network",
            shown(row.call),
            row.lease,
        ):
            assert part in text, part
        lines = text.split("\n")
        assert all(map(str.isprintable, lines)) and len(lines) == 8 + 1 + len(row.reasons) + len(row.place)


@pytest.mark.parametrize(
    ("places", "asker", "put_to"),
    [
        (("telegram/h", ""), "7", "telegram/h"),
        (("", "matrix/a"), "7", "matrix/a"),
        (("telegram/h", "matrix/a"), "7", "matrix/a"),
        (("", ""), "7", "telegram/d7"),
        (("telegram/h", "matrix/a"), "2", "telegram/d2"),
        (("telegram/h", "matrix/a"), "1", "telegram/d1"),
    ],
)
async def test_it_goes_to_the_approvers_else_home_and_stays_where_the_asker_may_answer(
    tmp_path: Path, places: tuple[str, str], asker: str, put_to: str
) -> None:
    async with (
        bench(tmp_path, *script(), config=config(*places)) as at,
        adapter(at) as telegram,
        adapter(at, "matrix") as matrix,
    ):
        await allow(at, *EVERYBODY)
        _, row = await ask(at, telegram, asker)
        assert row.put_to == put_to
        channel, _, conversation = put_to.partition("/")
        there, other = (telegram, matrix) if channel == "telegram" else (matrix, telegram)
        await there.until(lambda: bool(there.shown(conversation)))
        other.take()
        assert not [frame for frame in other.seen if isinstance(frame, Asked)]


@pytest.mark.parametrize(("asker", "put_to"), [("1", "telegram/a"), ("2", "telegram/h"), ("7", "telegram/a")])
async def test_with_four_eyes_somebody_else_is_asked(tmp_path: Path, asker: str, put_to: str) -> None:
    careful = config("telegram/h", "telegram/a", four_eyes=True)
    async with bench(tmp_path, *script(), config=careful) as at, adapter(at) as telegram:
        await allow(at, *EVERYBODY)
        _, row = await ask(at, telegram, asker)
        assert row.put_to == put_to
        if asker != "7":
            with pytest.raises(Refused, match="four eyes"):
                await telegram.press(asker, row)


async def test_with_four_eyes_a_terminals_question_is_answered_from_the_approvers_conversation(tmp_path: Path) -> None:
    careful = config(approvers="telegram/a", four_eyes=True)
    async with bench(tmp_path, *script(), config=careful) as at, adapter(at) as telegram, at.operator() as owner:
        await allow(at, *EVERYBODY)
        message = at.message("tidy up", interactive=True)
        await at.accepted(owner, message)
        await telegram.until(lambda: bool(telegram.shown("a")))
        await telegram.press("2", await telegram.question())
        assert (await at.over(owner, message)).outcome == "finished" and at.runner.tools == ["exec"]


async def test_who_may_not_answer_is_refused_told_why_and_on_record(tmp_path: Path) -> None:
    async with bench(tmp_path, *script(), config=config("telegram/h1")) as at, adapter(at) as telegram:
        await allow(at, *EVERYBODY)
        message, row = await ask(at, telegram)
        for sender, why in (("7", "Only owners"), ("8", "Only owners"), ("66", "do not know you"), ("66", "not known")):
            with pytest.raises(WirkenError, match=why):
                await telegram.press(sender, row)
        with pytest.raises(WirkenError, match="sender id"):
            await telegram.press("a\nb" * 1000, row)
        noted = [fact for fact in facts(at.paths.audit_db, OPERATIONS) if isinstance(fact, ApprovalRefused)]
        assert [(fact.by, fact.surface[:11], fact.asked_in) for fact in noted] == [
            ("ann", "telegram:7", SESSION),
            ("gus", "telegram:8", SESSION),
            ("", "telegram:66", SESSION),
            ("", "telegram:66", SESSION),
            ("", "telegram:a\\", SESSION),
        ]
        assert at.runner.ran == [] and len(noted[-1].surface) == limits.SENDER_ID
        await telegram.press("2", row, "deny")
        await telegram.outcome(message)
        assert at.runner.ran == []


async def test_a_home_that_is_not_connected_is_asked_when_it_is_and_again_when_it_comes_back(tmp_path: Path) -> None:
    async with bench(tmp_path, *script(), config=config("matrix/h")) as at, adapter(at) as telegram:
        await allow(at, *EVERYBODY)
        await allow(at, ("@olga:x", "olga", "owner"), channel="matrix")
        message, row = await ask(at, telegram)
        for _ in range(2):
            async with adapter(at, "matrix") as matrix:
                await matrix.until(lambda: len(matrix.shown("h")) == 1)  # awaited in this round
                assert (await matrix.question()).approval == row.approval
        async with adapter(at, "matrix") as matrix:
            await matrix.press("@olga:x", row)
            await telegram.outcome(message)
        async with adapter(at, "matrix") as matrix:
            await allow(at)
            matrix.take()
            assert matrix.shown("h") == [] and at.runner.tools == ["exec"]


async def test_every_owners_surface_can_answer_what_was_put_to_a_home(tmp_path: Path) -> None:
    async with bench(tmp_path, *script(), config=config("matrix/h")) as at, adapter(at) as telegram:
        await allow(at, *EVERYBODY)
        await at.web.start()
        message, row = await ask(at, telegram)
        frame = await at.web.frames.get()
        assert isinstance(frame, Asked) and at.web.link is not None
        given = AnswerApproval(approval=row.approval, lease=row.lease, choice="once")
        await at.web.link.call(given, Acknowledged)
        await telegram.outcome(message)
        assert at.runner.tools == ["exec"]


async def test_a_home_that_was_changed_is_asked_after_a_restart_and_the_old_one_is_not(tmp_path: Path) -> None:
    async with bench(tmp_path, *script(), config=config("telegram/old")) as at, adapter(at) as telegram:
        await allow(at, *EVERYBODY)
        _, row = await ask(at, telegram)
        await at.stop()
    async with bench(tmp_path, says("done"), config=config("telegram/new")) as at, adapter(at) as telegram:
        await telegram.until(lambda: bool(telegram.shown("new")))
        again = await telegram.question()
        assert (again.approval, again.lease, again.put_to) == (row.approval, row.lease, "telegram/new")
        assert telegram.shown("old") == []
        await telegram.press("1", again)
        async with at.operator() as owner:
            await at.spoken(owner, at.message("and?", "c"))
        assert at.runner.tools == ["exec"]
