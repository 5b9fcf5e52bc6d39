"""What a compromised page, outbound process or runner sends is cut at the edge: no turn hangs, nobody is kept out."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import apsw
import pytest
from tests.support.gateway_bench import Bench, bench
from tests.support.linked import until
from tests.support.scripted_wings import ScriptedRunner, Step, Wing, calls, says
from tests.support.vault_parts import SetClock

from wirken.domain import limits
from wirken.domain.actions import CanonicalCall
from wirken.domain.conversation import CallProposed, Completed, TextDelta
from wirken.domain.errors import Refused
from wirken.domain.events import (
    AssistantToolCalls,
    LlmResponse,
    SessionClosed,
    ToolPermitted,
    ToolResultFact,
    Trust,
    TurnEnded,
)
from wirken.domain.ids import SessionId
from wirken.gateway.desk import Asker
from wirken.gateway.hub import Hub
from wirken.gateway.log import AuditLog, Stored
from wirken.gateway.surfaces import surface_peer
from wirken.ipc.calls import operator as ask
from wirken.ipc.calls.runner import Ran, SandboxReport
from wirken.ipc.frames import Inbound, Over
from wirken.ipc.link import Link, pack
from wirken.record.canonical import decode
from wirken.record.verify import Status

PAGE = "default/webchat/c"
FLOOD = "\x01" * (3 * 2**20)
"""As JSON it takes 18 MiB, which no frame can carry."""


async def page(at: Bench) -> Link:
    await at.web.start()
    assert at.web.link is not None
    return at.web.link


async def over(at: Bench) -> Over:
    async with asyncio.timeout(10):
        while True:
            frame = await at.web.frames.get()
            if isinstance(frame, Over):
                return frame


async def test_a_reason_of_megabytes_from_the_page_ends_no_turn(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(("exec", '{"command":"ls"}')), says("done")) as at:
        link = await page(at)
        link.send(at.message("run"))
        async with asyncio.timeout(10):
            while not (rows := (await link.call(ask.PendingApprovals(), ask.ApprovalRows)).approvals):
                await asyncio.sleep(0.005)
        no = ask.AnswerApproval(approval=rows[0].approval, lease=rows[0].lease, choice="deny", reason=FLOOD)
        await link.call(no, ask.Acknowledged)
        assert (await over(at)).outcome == "finished"
        [result] = [fact for fact in at.facts(PAGE) if isinstance(fact, ToolResultFact)]
        assert len(result.output) < limits.SENTENCE + 200 and "bytes left out" in result.output
        assert (await at.verify(PAGE)).status is Status.VERIFIED


async def test_an_error_of_megabytes_from_outbound_ends_the_turn(tmp_path: Path) -> None:
    async with bench(tmp_path, Step(error=FLOOD), says("again")) as at:
        frames = await at.say("hi")
        assert isinstance(frames[-1], Over) and frames[-1].outcome == "failed"
        [ended] = [fact for fact in at.facts() if isinstance(fact, TurnEnded)]
        [response] = [fact for fact in at.facts() if isinstance(fact, LlmResponse)]
        assert ended.reason == response.error and len(response.error) < limits.SENTENCE + 100
        assert (await at.say("more"))[-1] == Over("default/terminal/c", "m2", "finished", "")


async def test_names_and_numbers_of_the_model_are_cut_to_what_a_row_holds(tmp_path: Path) -> None:
    step = Step((CallProposed(FLOOD, "x" * 2**20, "{}"), Completed(FLOOD, 2**63, -7)))
    async with bench(tmp_path, step, says("done")) as at:
        assert (await at.say("hi"))[-1] == Over("default/terminal/c", "m1", "finished", "")
        [said] = [fact for fact in at.facts() if isinstance(fact, AssistantToolCalls)]
        response = next(fact for fact in at.facts() if isinstance(fact, LlmResponse))
        assert [call.name for call in said.calls] == ["x" * limits.TOOL_NAME]
        assert (response.input_tokens, response.output_tokens) == (-1, -1)
        assert response.stop_reason == "\x01" * limits.STOP_REASON


async def test_an_answer_is_counted_in_bytes(tmp_path: Path) -> None:
    piece = "\U0001f512" * 2**16  # 256 KiB
    step = Step((*[TextDelta(piece)] * 5, Completed("stop")))
    async with bench(tmp_path, step) as at:
        frames = await at.say("hi")
        assert isinstance(frames[-1], Over) and frames[-1].outcome == "failed"
        assert str(limits.ANSWER) in frames[-1].reason


async def test_what_ended_a_command_is_a_word_however_long_the_runner_makes_it(tmp_path: Path) -> None:
    async def lies(call: CanonicalCall, runner: ScriptedRunner) -> Ran:
        return Ran(
            outcome="failed", output="x", ended_by=FLOOD, exit_code=2**63, truncated_bytes=2**63, duration_ms=-(2**62)
        )

    async with bench(tmp_path, calls(("list_files", "{}")), says("done"), behave=lies) as at:
        assert (await at.say("hi"))[-1] == Over("default/terminal/c", "m1", "finished", "")
        [result] = [fact for fact in at.facts() if isinstance(fact, ToolResultFact)]
        assert result.ended_by == "\x01" * limits.ENDED_BY
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_runner_that_reports_megabytes_reports_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, wings=False) as at, at.operator() as gateway:
        at.runner.report = SandboxReport(kind="bubblewrap", limits="watchdog", reason=FLOOD * 5)
        await at.runner.start()
        await at.model.start()
        await at.say("hi")
        report = await gateway.link.call(ask.GatewayStatus(), ask.GatewayReport)
        assert report.sandbox == "none" and len(report.sandbox_reason) < limits.SENTENCE


async def test_the_largest_call_that_is_taken_fits_into_its_rows(tmp_path: Path) -> None:
    room = limits.ANSWER - 100
    content = '"' * (room // 2)  # each takes 2, 4 and 8 bytes in the arguments, the call and the row
    arguments = json.dumps({"path": "a", "content": content}, separators=(",", ":"))
    assert limits.ANSWER - 200 < len(arguments) <= limits.ANSWER
    async with bench(tmp_path, calls(("write_file", arguments)), says("done")) as at:
        assert (await at.say("hi", interactive=False))[-1] == Over("default/terminal/c", "m1", "finished", "")
        for fact in at.facts():
            if isinstance(fact, ToolPermitted):
                assert len(fact.call) > 2 * room


async def test_an_observer_that_fails_keeps_no_append_waiting(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.db", SetClock(), lambda: None)
    seen: list[int] = []

    def fails(stored: Stored) -> None:
        raise RuntimeError("a bug")

    troubles: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context["exception"]))
    log.observers.extend((fails, lambda stored: seen.append(stored.row.seq)))
    log.start()
    try:
        async with asyncio.timeout(5):
            for number in range(3):
                await log.append(SessionId("default/terminal/a"), (Trust.GATEWAY, SessionClosed(by="x")))
                assert seen == list(range(number + 1)), "whoever follows hears of a row before whoever wrote it"
    finally:
        log.close()
    assert [type(trouble) for trouble in troubles] == [RuntimeError] * 3


# --- pages of rows ------------------------------------------------------------------------------------


async def test_a_long_conversation_is_read_page_by_page(tmp_path: Path) -> None:
    async def long(call: CanonicalCall, runner: ScriptedRunner) -> Ran:
        return Ran(outcome="ok", output="x" * limits.TOOL_OUTPUT)

    step = calls(*[("list_files", "{}")] * 20)
    async with bench(tmp_path, *[step] * 3, says("done"), behave=long) as at, at.operator() as gateway:
        await at.say("hi")
        found: list[int] = []
        pages = 0
        while True:
            question = ask.ReadRows("default/terminal/c", len(found))
            rows = (await gateway.link.call(question, ask.RowPage)).payloads
            if not rows:
                break
            assert sum(map(len, rows)) <= limits.ROW_PAGE and len(rows) <= limits.ROWS_PER_PAGE
            found += [decode(row).seq for row in rows]
            pages += 1
        assert found == list(range(len(at.facts()))) and pages >= 5


async def test_a_row_longer_than_a_page_is_a_page_of_its_own(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, at.operator() as gateway:
        await at.say("hi")
        await at.house.log.flushed()
        rows = len(at.facts())
        db = apsw.Connection(str(at.paths.audit_db))
        db.execute("UPDATE session_events SET payload = zeroblob(?) WHERE session_id LIKE '%/c'", (limits.ROW,))
        db.close()
        for seq in range(rows):
            page = await gateway.link.call(ask.ReadRows("default/terminal/c", seq), ask.RowPage)
            assert [len(payload) for payload in page.payloads] == [limits.ROW]


@pytest.mark.parametrize("first", [-1, -(2**63), 2**53 + 1, 2**63, 2**64 - 1])
async def test_a_rows_number_that_cannot_be_is_refused(tmp_path: Path, first: int) -> None:
    async with bench(tmp_path, wings=False) as at, at.operator() as gateway:
        with pytest.raises(Refused, match="row's number"):
            await gateway.link.call(ask.ReadRows(PAGE, first), ask.RowPage)


class CountingDesk:
    """Answers after a while, and notes how many it answers at once."""

    def __init__(self) -> None:
        self.running = self.most = 0

    async def answer(self, question: ask.OperatorQuestion, asker: Asker) -> ask.RowPage:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.005)
        self.running -= 1
        return ask.RowPage(())


async def test_one_peer_has_two_pages_read_at_a_time() -> None:
    desk = CountingDesk()
    peer = surface_peer(Hub(), None, desk, None, operator=False)  # type: ignore[arg-type]  # only the desk is needed
    question = pack(ask.ReadRows(PAGE))
    await asyncio.gather(*(peer.answer(None, question, print) for _ in range(30)))  # type: ignore[arg-type]  # as above
    assert desk.most == limits.ROW_READS


# --- links --------------------------------------------------------------------------------------------


async def test_a_newer_link_of_the_page_drops_the_older_one(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        links = [await page(at)]
        at.web.stay = False
        for _ in range(limits.CONNECTIONS + 5):
            await at.web._dial()
            assert at.web.link is not None
            links.append(at.web.link)
        async with asyncio.timeout(5):
            for link in links[:-1]:
                await link.closed.wait()
        assert not links[-1].closed.is_set()
        assert (await links[-1].call(ask.GatewayStatus(), ask.GatewayReport)).version
        other = Wing(at.runner._identity, at.paths.gateway_socket)
        await other._dial()
        assert other.link is not None
        await other.stop()
        assert isinstance(at.house.hub.following(SessionId(PAGE)), list)
        assert len(list(at.house.hub.following(SessionId(PAGE)))) == 1


async def test_a_page_that_does_not_read_cannot_stay_beside_a_newer_one(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        older = await page(at)
        at.web.stay = False
        asyncio.get_running_loop().remove_reader(older._stream._sock)  # it reads nothing more
        for _ in range(8):
            at.house.hub.tell(SessionId(PAGE), Inbound("m", "c", "x" * 2**20))
        [surface] = at.house.hub.following(SessionId(PAGE))
        await at.web._dial()
        await until(surface.link.closed.is_set)
        older.close()


async def test_a_name_of_megabytes_in_a_message_costs_the_link(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        for field in ("agent", "conversation", "platform_id", "runner", "workspace"):
            link = await page(at)
            message = {"platform_id": "m", "conversation": "c", "text": "hi", field: "x" * 2**20}
            link.send(Inbound(**message))  # type: ignore[arg-type]  # Inbound's fields
            async with asyncio.timeout(5):
                await link.closed.wait()
            await at.web.stop()
