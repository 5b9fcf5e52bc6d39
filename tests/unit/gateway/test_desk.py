from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import msgspec
import pytest
from tests.support.gateway_bench import Bench, bench, facts, kind
from tests.support.scripted_wings import Step, calls, says

from wirken.domain import limits
from wirken.domain.errors import Refused, WirkenError
from wirken.domain.ids import ActionKey, AgentId, ChannelId, PrincipalId
from wirken.gateway.store import Holder
from wirken.ipc.calls import operator as ask
from wirken.ipc.frames import Conversing, Over
from wirken.ipc.link import Link
from wirken.record.canonical import decode

TERMINAL, PAGE = "default/terminal/c", "default/webchat/c"
LS = ("exec", '{"command":"ls"}')


@asynccontextmanager
async def both(folder: Path, *script: Step) -> AsyncIterator[tuple[Bench, Link, Link]]:
    """A gateway with one session of a terminal and one of the page; the links of both."""
    async with bench(folder) as at, at.operator() as gateway:
        await at.web.start()
        assert at.web.link is not None
        await at.spoken(gateway, at.message("from the terminal"))
        await said_on_page(at, "from the page")
        at.model.script.extend(script)
        yield at, gateway.link, at.web.link


async def said_on_page(at: Bench, text: str) -> list[Conversing | None]:
    assert at.web.link is not None
    message = at.message(text)
    at.web.link.send(message)
    seen: list[Conversing | None] = []
    async with asyncio.timeout(5):
        while not (seen and isinstance(seen[-1], Over) and seen[-1].platform_id == message.platform_id):
            seen.append(await at.web.frames.get())
    return seen


async def test_the_operator_sees_all_sessions_and_the_page_its_own(tmp_path: Path) -> None:
    async with both(tmp_path) as (_, operator, page):
        rows = (await operator.call(ask.ListSessions(), ask.SessionRows)).sessions
        assert [row.session for row in rows] == [PAGE, TERMINAL], "newest first, and no operations log"
        assert [row.title for row in rows] == ["from the page", "from the terminal"]
        for channel in ("", "terminal", "webchat", "gateway"):
            rows = (await page.call(ask.ListSessions(channel), ask.SessionRows)).sessions
            assert [row.session for row in rows] == [PAGE]


@pytest.mark.parametrize(
    "question",
    [
        ask.ReadRows(TERMINAL),
        ask.VerifySession(TERMINAL),
        ask.StopTurn(TERMINAL),
        ask.ReadRows("gateway/operations/log"),
        ask.VerifySession("gateway/operations/log"),
        ask.ReadRows("default/webchat/c/../../terminal/c"),
        ask.ReadRows("default/Webchat/c"),
        ask.ReadRows(""),
    ],
)
async def test_the_page_reaches_no_session_of_another_channel(tmp_path: Path, question: msgspec.Struct) -> None:
    async with both(tmp_path) as (_, _, page):
        with pytest.raises(WirkenError) as refusal:
            await page.call(question, ask.RowPage)
        assert "terminal" not in str(refusal.value)


@pytest.mark.parametrize(
    "question",
    [
        ask.ListGrants(),
        ask.ApproveGrant("default", "owner", "webchat", "shell:ls"),
        ask.RevokeGrant("default", "owner", "terminal", "shell:ls"),
        ask.CloseSession(PAGE),
    ],
)
async def test_the_page_may_not_ask_what_is_the_operators(tmp_path: Path, question: msgspec.Struct) -> None:
    async with both(tmp_path) as (at, _, page):
        with pytest.raises(Refused, match="may not ask that"):
            await page.call(question, ask.Acknowledged)
        assert at.house.store.grants(0) == []


@pytest.mark.parametrize("garbage", [b"", b"\xc1", b"\x81\xa4type\xa3???", b"\x91" * 5000, b"\x80"])
async def test_garbage_for_a_question_is_refused_and_the_link_stays(tmp_path: Path, garbage: bytes) -> None:
    async with both(tmp_path) as (_, operator, page):
        for link in (operator, page):
            with pytest.raises(Refused):
                await link.call(msgspec.Raw(garbage), ask.Acknowledged)  # type: ignore[arg-type]  # the point
            assert (await link.call(ask.GatewayStatus(), ask.GatewayReport)).version


async def test_the_page_answers_its_own_questions_and_no_others(tmp_path: Path) -> None:
    async with both(tmp_path, calls(LS), says("done"), calls(LS), says("done")) as (at, operator, page):
        async with at.operator() as other:
            asked = at.message("run", interactive=True)
            await at.accepted(other, asked)
            row = await at.pending(other)
            assert (await page.call(ask.PendingApprovals(), ask.ApprovalRows)).approvals == ()
            yes = ask.AnswerApproval(approval=row.approval, lease=row.lease, choice="once")
            with pytest.raises(Refused, match="another channel"):
                await page.call(yes, ask.Acknowledged)
            await operator.call(yes, ask.Acknowledged)
            await at.over(other, asked)
        page.send(at.message("run"))
        async with asyncio.timeout(5):
            while not (rows := (await page.call(ask.PendingApprovals(), ask.ApprovalRows)).approvals):
                await asyncio.sleep(0.005)
        no = ask.AnswerApproval(approval=rows[0].approval, lease=rows[0].lease, choice="deny", reason="no")
        await page.call(no, ask.Acknowledged)
        async with asyncio.timeout(5):
            while at.kinds(PAGE).count("turn_ended") < 2:
                await asyncio.sleep(0.005)
        assert at.runner.tools == ["exec"]


async def test_rows_come_as_they_are_stored_a_page_at_a_time(tmp_path: Path) -> None:
    async with both(tmp_path) as (at, operator, page):
        stored = at.facts(PAGE)
        rows = (await page.call(ask.ReadRows(PAGE), ask.RowPage)).payloads
        assert [decode(row).fact for row in rows] == stored
        rest = (await page.call(ask.ReadRows(PAGE, 3), ask.RowPage)).payloads
        assert rest == rows[3:]
        assert (await operator.call(ask.ReadRows(PAGE, 10**6), ask.RowPage)).payloads == ()
        assert (await operator.call(ask.ReadRows("default/terminal/none"), ask.RowPage)).payloads == ()
        assert len(rows) < limits.ROWS_PER_PAGE


async def test_verification_over_the_link_asks_the_vault(tmp_path: Path) -> None:
    async with both(tmp_path) as (_, operator, page):
        for link, session in ((operator, TERMINAL), (page, PAGE)):
            said = await link.call(ask.VerifySession(session), ask.Verification)
            assert (said.status, said.attestations, said.findings) == ("verified", 1, ())


async def test_verifying_what_does_not_exist_makes_no_key(tmp_path: Path) -> None:
    async with both(tmp_path) as (at, _, page):
        for number in range(5):
            said = await page.call(ask.VerifySession(f"made-up-{number}/webchat/x"), ask.Verification)
            assert said.status == "empty"
        await at.stop()
        at.lose_vault()
        db = apsw.Connection(str(at.paths.vault_db), flags=apsw.SQLITE_OPEN_READONLY)
        stored = str(db.execute("SELECT * FROM sqlite_schema").fetchall())
        for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            stored += str(db.execute(f"SELECT * FROM {table}").fetchall())
        db.close()
        assert "made-up" not in stored and "default" in stored


async def test_stopping_what_does_not_run_says_so_and_keeps_nothing(tmp_path: Path) -> None:
    async with both(tmp_path) as (at, operator, page):
        loaded = len(at.house.intake.sessions.loaded())
        for number in range(20):
            for link, channel in ((operator, "terminal"), (page, "webchat")):
                said = await link.call(ask.StopTurn(f"default/{channel}/x{number}"), ask.Acknowledged)
                assert said.said == "No turn runs in this session."
        assert len(at.house.intake.sessions.loaded()) == loaded


async def test_grants_are_rows_first_and_tier_3_is_never_stored(tmp_path: Path) -> None:
    async with both(tmp_path) as (at, operator, _):
        approve = ask.ApproveGrant("default", "owner", "terminal", "shell:ls")
        await operator.call(approve, ask.Acknowledged)
        [grant] = (await operator.call(ask.ListGrants(), ask.GrantRows)).grants
        assert (grant.action_key, grant.channel, grant.by) == ("shell:ls", "terminal", "owner")
        assert grant.expires - grant.approved == limits.GRANT_LIFETIME * 1000
        for key in (
            "shell:curl",
            "shell:rm",
            "shell:sudo",
            "shell::dynamic:",
            "tool:x",
            "mcp:a/b",
            "network:x",
            "",
            "shell:",
        ):
            with pytest.raises(Refused, match="Tier 3"):
                await operator.call(msgspec.structs.replace(approve, action_key=key), ask.Acknowledged)
        assert len(at.house.store.grants(0)) == 1
        revoke = ask.RevokeGrant("default", "owner", "terminal", "shell:ls")
        await operator.call(revoke, ask.Acknowledged)
        with pytest.raises(Refused, match="no such grant"):
            await operator.call(revoke, ask.Acknowledged)
        kinds = [kind(fact) for fact in facts(at.paths.audit_db, "gateway/operations/log")]
        assert kinds[3:] == ["permission_approved", "attestation", "grant_revoked", "attestation"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"action_key": "shell:*"}, "No call has this key"),
        ({"action_key": "shell:l\u200bs"}, "No call has this key"),
        ({"principal": ""}, "name cannot be used"),
        ({"principal": "x\x1b[2J"}, "name cannot be used"),
        ({"agent": "No One"}, "agent name cannot be used"),
        ({"channel": ""}, "channel name cannot be used"),
    ],
)
async def test_what_can_serve_no_call_is_no_grant(tmp_path: Path, change: dict[str, str], says: str) -> None:
    async with both(tmp_path) as (at, operator, _):
        approve = ask.ApproveGrant("default", "owner", "terminal", "shell:ls")
        with pytest.raises(WirkenError, match=says):
            await operator.call(msgspec.structs.replace(approve, **change), ask.Acknowledged)
        assert at.house.store.grants(0) == []


async def test_a_grant_serves_its_channel_only(tmp_path: Path) -> None:
    script = calls(LS), says("done"), calls(LS), says("done")
    async with both(tmp_path, *script) as (at, operator, _):
        await operator.call(ask.ApproveGrant("default", "owner", "webchat", "shell:ls"), ask.Acknowledged)
        await at.say("run")
        assert at.runner.ran == [], "the terminal was granted nothing"
        await said_on_page(at, "run")
        assert at.runner.tools == ["exec"]
        assert at.house.store.is_granted(
            Holder(AgentId("default"), PrincipalId("owner"), ChannelId("webchat")), ActionKey("shell:ls"), 0
        )


async def test_a_session_with_a_running_turn_is_not_closed(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with both(tmp_path, says("slow", gate=gate)) as (at, operator, _):
        async with at.operator() as gateway:
            message = at.message("hi")
            await at.accepted(gateway, message)
            with pytest.raises(Refused, match="A turn runs"):
                await operator.call(ask.CloseSession(TERMINAL), ask.Acknowledged)
            gate.set()
            await at.over(gateway, message)
        await operator.call(ask.CloseSession(TERMINAL), ask.Acknowledged)
        said = await operator.call(ask.CloseSession(TERMINAL), ask.Acknowledged)
        assert "already" in said.said
        with pytest.raises(Refused, match="no such session"):
            await operator.call(ask.CloseSession("default/terminal/none"), ask.Acknowledged)


async def test_the_status_says_what_is_up(tmp_path: Path) -> None:
    async with both(tmp_path) as (_, operator, page):
        report = await operator.call(ask.GatewayStatus(), ask.GatewayReport)
        assert report.peers == ("outbound", "runner") and report.sandbox == "bubblewrap"
        assert (report.turns_running, report.approvals_pending, report.vault_sealed) == (0, 0, False)
        assert report.provider == "rehearsal/rehearsal" and report.rows > 10
        assert (await page.call(ask.GatewayStatus(), ask.GatewayReport)).version == report.version
