"""What a running command may reach, asked by outbound over its real link to a real gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.support.gateway_bench import Bench, bench
from tests.support.scripted_wings import ScriptedRunner, calls

from wirken.config.egress import SandboxEgress
from wirken.config.model import AgentConfig, ApprovalsConfig, Config
from wirken.domain import relay_limits
from wirken.domain.actions import CanonicalCall, NetworkMode
from wirken.domain.egress import EgressClosed, EgressVerdict
from wirken.domain.errors import Refused
from wirken.domain.events import PermissionDenied, ToolResultFact
from wirken.ipc.calls.egress import Caller, EgressRuling, EndedEgress, JudgeEgress, OnRecord, ReachEgress
from wirken.ipc.calls.operator import Acknowledged, AnswerApproval, ApprovalRow, ApproveGrant, StopTurn
from wirken.ipc.calls.runner import Ran, WirePermit
from wirken.ipc.link import Link

SCRIPT = calls(("exec", '{"command": "ls", "timeout": 200}'))
Does = Callable[["Sandbox"], Awaitable[Ran | None]]


class Sandbox:
    """What a command does with the network, while it runs; the questions are those of outbound."""

    def __init__(self, at: Bench, permit: WirePermit) -> None:
        self.at, self.permit = at, permit

    async def judge(self, host: str = "pypi.org", **more: object) -> EgressRuling:
        given = {"role": "runner", "port": 443, "caller": Caller(self.permit, "pip"), **more}
        return await self.link.call(JudgeEgress(host=host, **given), EgressRuling)  # type: ignore[arg-type]  # its fields

    async def reach(self, ticket: int, verdict: str = "allowed", address: str = "93.184.215.14") -> None:
        await self.link.call(ReachEgress(ticket, verdict, address), OnRecord)  # type: ignore[arg-type]  # a verdict

    async def ended(self, ticket: int, **more: object) -> None:
        await self.link.call(ended(ticket, **more), OnRecord)

    @property
    def link(self) -> Link:
        assert self.at.model.link is not None
        return self.at.model.link


def ended(ticket: int, **more: object) -> EndedEgress:
    given = {"address": "93.184.215.14", "bytes_up": 7, "bytes_down": 9, "duration_ms": 3, "ended": "closed", **more}
    return EndedEgress(ticket=ticket, **given)  # type: ignore[arg-type]  # its fields


def config(mode: NetworkMode, *domains: str, ask_seconds: int = 30) -> Config:
    entry = SandboxEgress(mode=mode, domains=domains)
    agent = AgentConfig(egress={"terminal": entry, "webchat": entry})
    return Config(agents={"default": agent}, approvals=ApprovalsConfig(ask_seconds=ask_seconds))


async def ran(at: Bench, does: Does, *, interactive: bool = False) -> ToolResultFact:
    """Let the model run one command that does this; return its result."""

    async def behave(call: CanonicalCall, runner: ScriptedRunner) -> Ran:
        done = await does(Sandbox(at, runner.ran[-1].permit))
        return done or Ran(outcome="ok", output="done", exit_code=0)

    at.runner.behave = behave
    at.model.script.append(SCRIPT)
    async with at.operator() as gateway:
        await at.spoken(gateway, at.message("go", interactive=interactive))
    return next(fact for fact in reversed(at.facts()) if isinstance(fact, ToolResultFact))


def verdicts(at: Bench) -> list[tuple[str, str, str]]:
    return [(fact.verdict, fact.host, fact.rule) for fact in at.facts() if isinstance(fact, EgressVerdict)]


async def allow_exec(at: Bench) -> None:
    """So that the command itself raises no question."""
    async with at.operator() as operator:
        await operator.link.call(ApproveGrant("default", "owner", "terminal", "shell:ls"), Acknowledged)


async def test_a_listed_host_is_on_record_with_its_call_before_and_after(tmp_path: Path) -> None:
    async def does(sandbox: Sandbox) -> None:
        ruling = await sandbox.judge()
        assert ruling.verdict == "allowed" and verdicts(sandbox.at) == []
        await sandbox.reach(ruling.ticket)
        assert verdicts(sandbox.at) == [("allowed", "pypi.org", "allowlist")]
        await sandbox.ended(ruling.ticket)

    async with bench(tmp_path, config=config("allowlist", "pypi.org")) as at:
        await allow_exec(at)
        assert (await ran(at, does)).success
        [verdict] = [fact for fact in at.facts() if isinstance(fact, EgressVerdict)]
        [closed] = [fact for fact in at.facts() if isinstance(fact, EgressClosed)]
        assert (verdict.call_id, verdict.connection, verdict.address) == ("t3r1c0", 1, "93.184.215.14")
        assert (verdict.program, verdict.port) == ("pip", 443)
        assert (closed.call_id, closed.connection, closed.bytes_up, closed.bytes_down) == ("t3r1c0", 1, 7, 9)
        assert (await at.verify()).status == "verified"


@pytest.mark.parametrize(
    ("mode", "verdict"), [("none", "mode_none"), ("allowlist", "not_allowed"), ("ask", "not_allowed")]
)
async def test_what_the_mode_does_not_allow_is_a_row(tmp_path: Path, mode: NetworkMode, verdict: str) -> None:
    async def does(sandbox: Sandbox) -> None:
        ruling = await sandbox.judge("evil.example")
        assert ruling.verdict == verdict and ruling.ticket == 0 and ruling.said

    async with bench(tmp_path, config=config(mode)) as at:
        await allow_exec(at)
        await ran(at, does)
        assert [one[:2] for one in verdicts(at)] == [(verdict, "evil.example")]
        assert (await at.verify()).status == "verified"


async def test_open_reaches_every_host(tmp_path: Path) -> None:
    async def does(sandbox: Sandbox) -> None:
        ruling = await sandbox.judge("anything.example")
        await sandbox.reach(ruling.ticket)
        await sandbox.ended(ruling.ticket)

    async with bench(tmp_path, config=config("open")) as at:
        await allow_exec(at)
        await ran(at, does)
        assert verdicts(at) == [("allowed", "anything.example", "open")]


@pytest.mark.parametrize("found", ["ip_literal", "port_not_allowed", "method_not_allowed", "malformed"])
async def test_what_the_relay_found_is_a_row(tmp_path: Path, found: str) -> None:
    async def does(sandbox: Sandbox) -> None:
        assert (await sandbox.judge("127.0.0.1", found=found, port=22)).verdict == found

    async with bench(tmp_path, config=config("open")) as at:
        await allow_exec(at)
        await ran(at, does)
        assert verdicts(at) == [(found, "127.0.0.1", "relay")]


@pytest.mark.parametrize("verdict", ["resolution_failed", "private_address"])
async def test_a_name_that_leads_nowhere_is_a_row_and_the_end(tmp_path: Path, verdict: str) -> None:
    async def does(sandbox: Sandbox) -> None:
        ticket = (await sandbox.judge()).ticket
        await sandbox.reach(ticket, verdict, "")
        with pytest.raises(Refused):
            await sandbox.reach(ticket)

    async with bench(tmp_path, config=config("open")) as at:
        await allow_exec(at)
        await ran(at, does)
        assert verdicts(at) == [(verdict, "pypi.org", "relay")]
        assert (await at.verify()).status == "verified"


async def test_another_name_in_tls_is_a_row_beside_the_allowed_one(tmp_path: Path) -> None:
    async def does(sandbox: Sandbox) -> None:
        ticket = (await sandbox.judge()).ticket
        await sandbox.reach(ticket)
        await sandbox.reach(ticket, "sni_mismatch", "")
        await sandbox.ended(ticket, ended="sni_mismatch", bytes_up=0, bytes_down=0)

    async with bench(tmp_path, config=config("open")) as at:
        await allow_exec(at)
        await ran(at, does)
        assert [one[0] for one in verdicts(at)] == ["allowed", "sni_mismatch"]
        assert (await at.verify()).status == "verified"


async def test_only_a_call_that_runs_now_reaches_anything(tmp_path: Path) -> None:
    kept: list[Sandbox] = []

    async def does(sandbox: Sandbox) -> None:
        kept.append(sandbox)
        other = WirePermit(sandbox.permit.session, sandbox.permit.seq, "0" * 64)
        for caller in (None, Caller(other), Caller(WirePermit("default/terminal/x", 1, sandbox.permit.call_sha256))):
            with pytest.raises(Refused):
                await sandbox.judge(caller=caller)

    async with bench(tmp_path, config=config("open")) as at:
        await allow_exec(at)
        await ran(at, does)
        with pytest.raises(Refused):
            await kept[0].judge()
        for number in (0, 1, 77):
            with pytest.raises(Refused):
                await kept[0].reach(number)
        assert verdicts(at) == []


async def test_what_is_open_when_a_call_ends_is_ended_and_on_record_before_its_result(tmp_path: Path) -> None:
    async def does(sandbox: Sandbox) -> None:
        ticket = (await sandbox.judge()).ticket
        await sandbox.reach(ticket)
        sandbox.at.model.unsaid = [ended(ticket, ended="stopped")]

    async with bench(tmp_path, config=config("open")) as at:
        await allow_exec(at)
        await ran(at, does)
        assert [stop.permit.seq for stop in at.model.stopped] == [at.runner.ran[-1].permit.seq]
        kinds = at.kinds()
        assert kinds.index("egress_verdict") < kinds.index("egress_closed") < kinds.index("tool_result")
        assert (await at.verify()).status == "verified"


async def test_a_connection_that_was_allowed_is_not_made_once_its_call_has_ended(tmp_path: Path) -> None:
    async def does(sandbox: Sandbox) -> None:
        ticket = (await sandbox.judge()).ticket
        sandbox.at.model.unsaid = [ReachEgress(ticket, "allowed", "93.184.215.14")]

    async with bench(tmp_path, config=config("open")) as at:
        await allow_exec(at)
        await ran(at, does)
        assert len(at.model.stopped) == 1 and verdicts(at) == []
        assert (await at.verify()).status == "verified"


async def test_an_end_that_outbound_does_not_say_is_noted_without_it(tmp_path: Path) -> None:
    async def does(sandbox: Sandbox) -> None:
        await sandbox.reach((await sandbox.judge()).ticket)

    async with bench(tmp_path, config=config("open")) as at:
        await allow_exec(at)
        await ran(at, does)
        [closed] = [fact for fact in at.facts() if isinstance(fact, EgressClosed)]
        assert closed.ended == "broken"
        assert (await at.verify()).status == "verified"


async def test_a_command_tries_so_many_connections_and_no_more(tmp_path: Path) -> None:
    async def does(sandbox: Sandbox) -> None:
        for _ in range(relay_limits.EGRESS_ATTEMPTS + 3):
            last = await sandbox.judge("evil.example")
        assert str(relay_limits.EGRESS_ATTEMPTS) in last.said

    async with bench(tmp_path, config=config("allowlist")) as at:
        await allow_exec(at)
        await ran(at, does)
        found = verdicts(at)
        assert len(found) == relay_limits.EGRESS_ATTEMPTS
        assert (found[-2][2], found[-1][2]) == ("allowlist", "limit")


# --- asking a person --------------------------------------------------------------------------------------------


async def answer(at: Bench, choice: str) -> ApprovalRow:
    async with at.operator() as operator:
        row = await at.pending(operator)
        given = AnswerApproval(approval=row.approval, lease=row.lease, choice=choice)  # type: ignore[arg-type]  # a choice
        await operator.link.call(given, Acknowledged)
        return row


async def test_an_unlisted_host_is_asked_for_while_the_connection_waits(tmp_path: Path) -> None:
    rows: list[ApprovalRow] = []

    async def does(sandbox: Sandbox) -> None:
        asking = asyncio.gather(sandbox.judge(), sandbox.judge(), answer(sandbox.at, "once"))
        one, two, row = await asking
        rows.append(row)
        assert one.verdict == two.verdict == "allowed"
        assert (await sandbox.judge()).verdict == "allowed"
        for ticket in (one.ticket, two.ticket):
            await sandbox.reach(ticket)
            await sandbox.ended(ticket)

    async with bench(tmp_path, config=config("ask", "listed.example")) as at:
        await allow_exec(at)
        await ran(at, does, interactive=True)
        [row] = rows
        assert (row.action_keys, row.tier, row.choices) == (
            ("network:pypi.org",),
            "tier2",
            ("once", "session", "30d", "deny"),
        )
        assert "pypi.org" in row.command and "443" in row.command and "pip" in row.command
        assert any("ls" in reason for reason in row.reasons) and any("s are left" in reason for reason in row.reasons)
        assert verdicts(at) == [("allowed", "pypi.org", "approval")] * 2
        assert all(fact.lease == row.lease for fact in at.facts() if isinstance(fact, EgressVerdict))
        assert len(at.house.store.grants(0)) == 1  # the command's own; once is not stored
        assert (await at.verify()).status == "verified"


@pytest.mark.parametrize("choice", ["session", "30d"])
async def test_a_yes_for_longer_serves_the_next_command(tmp_path: Path, choice: str) -> None:
    async def first(sandbox: Sandbox) -> None:
        await asyncio.gather(sandbox.judge(), answer(sandbox.at, choice))

    async def second(sandbox: Sandbox) -> None:
        ticket = (await sandbox.judge()).ticket
        await sandbox.reach(ticket)
        await sandbox.ended(ticket)

    async with bench(tmp_path, config=config("ask")) as at:
        await allow_exec(at)
        await ran(at, first, interactive=True)
        await ran(at, second)
        assert verdicts(at) == [("allowed", "pypi.org", "grant")]
        assert (await at.verify()).status == "verified"


async def test_a_no_holds_for_the_rest_of_the_command_and_ends_no_turn(tmp_path: Path) -> None:
    async def does(sandbox: Sandbox) -> None:
        for host in ("a.example", "b.example", "c.example", "d.example"):
            ruling, _ = await asyncio.gather(sandbox.judge(host), answer(sandbox.at, "deny"))
            assert (ruling.verdict, "a person said no" in ruling.said) == ("not_allowed", True)
            assert (await sandbox.judge(host)).verdict == "not_allowed"

    async with bench(tmp_path, config=config("ask")) as at:
        await allow_exec(at)
        assert (await ran(at, does, interactive=True)).success
        assert len([fact for fact in at.facts() if isinstance(fact, PermissionDenied)]) == 4
        assert at.kinds()[-2:] == ["turn_ended", "attestation"]
        assert at.facts()[-2].outcome == "finished"  # type: ignore[union-attr]  # it is the turn's end
        assert (await at.verify()).status == "verified"


async def test_no_answer_is_a_no_and_the_result_says_where_the_time_went(tmp_path: Path) -> None:
    async def does(sandbox: Sandbox) -> Ran:
        ruling = await sandbox.judge()
        assert "nobody answered in time" in ruling.said
        return Ran(outcome="failed", output="cut", ended_by="time")

    async with bench(tmp_path, config=config("ask", ask_seconds=2)) as at:
        await allow_exec(at)
        result = await ran(at, does, interactive=True)
        assert verdicts(at) == [("not_allowed", "pypi.org", "no_answer")]
        assert "[2 s of its time went by while a person was asked" in result.output
        assert (await at.verify()).status == "verified"


async def test_a_person_is_asked_for_no_longer_than_the_command_may_run(tmp_path: Path) -> None:
    async def does(sandbox: Sandbox) -> None:
        assert (await sandbox.judge()).verdict == "not_allowed"

    async with bench(tmp_path, config=config("ask", ask_seconds=300)) as at:
        await allow_exec(at)
        at.model.script.clear()
        global SCRIPT
        kept, SCRIPT = SCRIPT, calls(("exec", '{"command": "ls", "timeout": 2}'))
        try:
            await ran(at, does, interactive=True)
        finally:
            SCRIPT = kept
        assert verdicts(at) == [("not_allowed", "pypi.org", "no_answer")]


async def test_a_command_asks_for_so_many_hosts_and_no_more(tmp_path: Path) -> None:
    async def does(sandbox: Sandbox) -> None:
        asking = [asyncio.ensure_future(sandbox.judge(f"h{n}.example")) for n in range(relay_limits.EGRESS_QUESTIONS)]
        async with sandbox.at.operator() as operator:
            await sandbox.at.pending(operator)
        refused = await sandbox.judge("one-more.example")
        assert refused.verdict == "not_allowed" and "too many hosts" in refused.said
        for one in asking:
            one.cancel()

    async with bench(tmp_path, config=config("ask")) as at:
        await allow_exec(at)
        await ran(at, does, interactive=True)
        assert ("not_allowed", "one-more.example", "limit") in verdicts(at)


async def test_a_stop_takes_the_question_back(tmp_path: Path) -> None:
    judged: list[BaseException] = []

    async def does(sandbox: Sandbox) -> None:
        asking = asyncio.ensure_future(sandbox.judge())
        asking.add_done_callback(lambda done: judged.append(done.exception() or RuntimeError("allowed")))
        async with sandbox.at.operator() as operator:
            await sandbox.at.pending(operator)
            await operator.link.call(StopTurn("default/terminal/c"), Acknowledged)
        await asyncio.Event().wait()

    async with bench(tmp_path, config=config("ask")) as at:
        await allow_exec(at)
        assert (await ran(at, does, interactive=True)).outcome == "stopped"
        assert at.house.approvals.pending() == ()
        while not judged:
            await asyncio.sleep(0.01)
        assert isinstance(judged[0], Refused)
        assert (await at.verify()).status == "verified"


async def test_a_host_can_be_granted_ahead_only_where_hosts_are_asked_for(tmp_path: Path) -> None:
    async with bench(tmp_path, config=config("ask")) as at, at.operator() as operator:
        await operator.link.call(ApproveGrant("default", "owner", "terminal", "network:pypi.org"), Acknowledged)
        for channel, key in (("telegram", "network:pypi.org"), ("terminal", "network:10.0.0.1")):
            with pytest.raises(Refused, match="Tier 3"):
                await operator.link.call(ApproveGrant("default", "owner", channel, key), Acknowledged)
