"""Redirects of a tool's request: real servers, the real outbound part, a real gateway that judges each hop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from tests.support.fake_http import HttpServer, Recorded, Step, head, whole
from tests.support.fake_names import Names
from tests.support.gateway_bench import Bench, bench
from tests.support.scripted_wings import calls

from wirken.config.egress import SandboxEgress
from wirken.config.load import parse
from wirken.config.model import AgentConfig, ApprovalsConfig, Config
from wirken.domain import request_limits
from wirken.domain.actions import NetworkMode
from wirken.domain.egress import EgressVerdict, HttpRedirect
from wirken.domain.errors import Refused
from wirken.domain.events import ToolResultFact
from wirken.domain.secret import Secret
from wirken.ipc.calls.egress import Caller, EgressRuling, JudgeEgress, Redirect
from wirken.ipc.calls.operator import Acknowledged, AnswerApproval, ApprovalRow, ApproveGrant, StopTurn
from wirken.ipc.calls.outbound import Perform
from wirken.ipc.calls.runner import Ran
from wirken.outbound.fetch import fetch
from wirken.outbound.fetching import Answer, Wanted
from wirken.outbound.judging import GatewayJudge
from wirken.outbound.performing import Performing
from wirken.outbound.resolve import Resolver

pytestmark = pytest.mark.slow

KEY = "canary-A1b2C3d4E5f6"
ONE, TWO = "one.example", "two.example"
BOUND = b"""
[http_credentials.mine]
credential = "mine"
host = "one.example"
path = "/mine"
tier = "tier2"
"""


class Web:
    """Two hosts on one real server: a path `/to/STATUS/LOCATION` redirects, any other is a page."""

    def __init__(self) -> None:
        self.server = HttpServer(self._answer)
        self.schemes: list[str] = []

    def _answer(self, request: Recorded) -> list[Step]:
        _, _, place = request.path.partition("/to/")
        if not place:
            return whole(200, f"{request.method} {request.path}".encode(), {"Content-Type": "text/plain"})
        status, _, location = place.partition("/")
        return [head(int(status), {"Location": location, "Content-Length": "0"})]

    async def fetch(self, wanted: Wanted) -> Answer:
        """Make the very request, at the server's port and without TLS."""
        self.schemes.append(wanted.scheme)
        return await fetch(replace(wanted, scheme="http", port=self.server.port))

    @property
    def asked(self) -> list[tuple[str, str]]:
        return [(one.headers["host"].partition(":")[0], one.path) for one in self.server.requests]


@asynccontextmanager
async def up(
    folder: Path, network: NetworkMode, *domains: str, ask_seconds: int = 30, more: bytes = b""
) -> AsyncIterator[tuple[Bench, Web]]:
    entry = SandboxEgress(mode=network, domains=domains)
    config = Config(
        agents={"default": AgentConfig(egress={"terminal": entry})},
        approvals=ApprovalsConfig(ask_seconds=ask_seconds),
        http_credentials=parse(more, "config.toml").http_credentials,
    )
    web, judge = Web(), GatewayJudge()
    named = parse(f'[egress.own_addresses]\n"{ONE}" = ["127.0.0.1"]\n"{TWO}" = ["127.0.0.1"]\n'.encode(), "config.toml")

    async def credentials(name: str) -> Secret | None:
        return Secret(KEY.encode())

    async with bench(folder, config=config) as at, web.server:
        resolver = Resolver(Names({}), named.egress.pinned, lambda address: False)
        performing = Performing(config, resolver, credentials, web.fetch, judge)

        async def perform(asked: Perform) -> Ran:
            assert at.model.link is not None
            judge.dialled(at.model.link)
            return await performing.perform(asked)

        at.model.performs = perform
        yield at, web


async def requested(at: Bench, url: str, *, interactive: bool = False, **more: object) -> ToolResultFact:
    at.model.script.append(calls(("http_request", json.dumps({"url": url, **more}))))
    async with at.operator() as gateway:
        await at.spoken(gateway, at.message("go", interactive=interactive))
    return next(fact for fact in reversed(at.facts()) if isinstance(fact, ToolResultFact))


async def grant(at: Bench, *keys: str) -> None:
    async with at.operator() as operator:
        for key in keys:
            await operator.link.call(ApproveGrant("default", "owner", "terminal", key), Acknowledged)


async def answer(at: Bench, choice: Literal["once", "30d", "deny"]) -> ApprovalRow:
    async with at.operator() as operator:
        row = await at.pending(operator)
        given = AnswerApproval(approval=row.approval, lease=row.lease, choice=choice)
        await operator.link.call(given, Acknowledged)
        return row


def verdicts(at: Bench) -> list[tuple[str, str, str]]:
    return [(fact.verdict, fact.host, fact.rule) for fact in at.facts() if isinstance(fact, EgressVerdict)]


def hops(at: Bench) -> list[tuple[int, int, str, str]]:
    return [(fact.hop, fact.status, fact.method, fact.url) for fact in at.facts() if isinstance(fact, HttpRedirect)]


async def test_a_granted_host_is_followed_and_every_hop_is_on_record_before_it_happens(tmp_path: Path) -> None:
    async with up(tmp_path, "allowlist", ONE, TWO) as (at, web):
        await grant(at, f"network:{ONE}", f"network:{TWO}")
        found = await requested(at, f"https://{ONE}/to/302/https://{TWO}/to/307//there")
        assert found.success and "GET /there" in found.output and "[after 2 redirects" in found.output
        assert web.asked == [(ONE, f"/to/302/https://{TWO}/to/307//there"), (TWO, "/to/307//there"), (TWO, "/there")]
        assert hops(at) == [
            (1, 302, "GET", f"https://{TWO}/to/307//there"),
            (2, 307, "GET", f"https://{TWO}/there"),
        ]
        assert verdicts(at) == [("allowed", ONE, "call"), ("allowed", TWO, "grant"), ("allowed", TWO, "grant")]
        wanted = ["egress_verdict", "egress_closed", *["http_redirect", "egress_verdict", "egress_closed"] * 2]
        assert [kind for kind in at.kinds() if kind in wanted] == wanted
        assert (await at.verify()).status == "verified"


async def test_a_host_off_the_list_is_not_followed_and_nobody_is_asked(tmp_path: Path) -> None:
    async with up(tmp_path, "allowlist", ONE) as (at, web):
        await grant(at, f"network:{ONE}")
        found = await requested(at, f"https://{ONE}/to/302/https://{TWO}/", interactive=True)
        assert "not followed" in found.output and "'not_allowed'" in found.output
        assert [host for host, _ in web.asked] == [ONE]
        assert verdicts(at) == [("allowed", ONE, "call"), ("not_allowed", TWO, "not_allowed")]
        assert "approval_requested" not in at.kinds()
        assert (await at.verify()).status == "verified"


async def test_a_person_is_asked_about_the_whole_request_while_it_waits(tmp_path: Path) -> None:
    async with up(tmp_path, "ask", ONE) as (at, web):
        await grant(at, f"network:{ONE}")
        url, place = f"https://{ONE}/to/307/https://{TWO}/x", f"https://{TWO}/x"
        asking = requested(at, url, interactive=True, method="POST", body="the body", headers={"X-Key": "k"})
        found, row = await asyncio.gather(asking, answer(at, "once"))
        assert found.success and "POST /x" in found.output
        assert (row.tier, row.action_keys, row.choices) == ("tier3", (f"network:{TWO}",), ("once", "deny"))
        assert row.command == f"POST {place}" and "the body" in row.call and "X-Key" not in row.call
        assert any("redirect 1" in reason and url in reason for reason in row.reasons)
        assert web.server.requests[-1].body == b"the body" and "x-key" not in web.server.requests[-1].headers
        assert verdicts(at) == [("allowed", ONE, "call"), ("allowed", TWO, "approval")]
        assert (await at.verify()).status == "verified"


async def test_a_yes_for_longer_is_the_hosts(tmp_path: Path) -> None:
    async with up(tmp_path, "ask", ONE) as (at, _):
        await grant(at, f"network:{ONE}")
        url = f"https://{ONE}/to/302/https://{TWO}/x"
        _, row = await asyncio.gather(requested(at, url, interactive=True), answer(at, "30d"))
        assert row.tier == "tier2"
        assert (await requested(at, url)).success
        assert verdicts(at)[-1] == ("allowed", TWO, "grant")
        assert (await at.verify()).status == "verified"


async def test_a_no_sends_nothing_and_the_model_reads_where_it_led(tmp_path: Path) -> None:
    async with up(tmp_path, "ask", ONE) as (at, web):
        await grant(at, f"network:{ONE}")
        asking = requested(at, f"https://{ONE}/to/302/https://{TWO}/x", interactive=True)
        found, _ = await asyncio.gather(asking, answer(at, "deny"))
        assert "HTTP 302" in found.output and "a person said no" in found.output and TWO in found.output
        assert [host for host, _ in web.asked] == [ONE]
        assert verdicts(at)[-1] == ("not_allowed", TWO, "denied_by_person")
        assert (await at.verify()).status == "verified"


async def test_no_answer_and_nobody_there_are_a_no(tmp_path: Path) -> None:
    async with up(tmp_path, "ask", ONE, ask_seconds=1) as (at, web):
        await grant(at, f"network:{ONE}")
        url = f"https://{ONE}/to/302/https://{TWO}/x"
        assert "nobody answered" in (await requested(at, url, interactive=True)).output
        assert "nobody is there" in (await requested(at, url)).output
        assert {host for host, _ in web.asked} == {ONE}
        assert [rule for _, host, rule in verdicts(at) if host == TWO] == ["no_answer", "not_interactive"]


async def test_another_scheme_is_another_place(tmp_path: Path) -> None:
    async with up(tmp_path, "ask", ONE) as (at, web):
        await grant(at, f"network:{ONE}")
        asking = requested(at, f"http://{ONE}/to/301/https://{ONE}/x", interactive=True)
        found, _ = await asyncio.gather(asking, answer(at, "once"))
        assert found.success and web.schemes == ["http", "https"]
        assert verdicts(at) == [("allowed", ONE, "call"), ("allowed", ONE, "grant")]


async def test_out_of_a_credentials_place_it_is_judged_again_and_goes_without(tmp_path: Path) -> None:
    async with up(tmp_path, "allowlist", ONE, more=BOUND) as (at, web):
        await grant(at, f"network:{ONE}", "credential:mine")
        inside = await requested(at, f"https://{ONE}/mine/to/302//mine/x")
        assert inside.success and verdicts(at)[-1] == ("allowed", ONE, "call")
        outside = await requested(at, f"https://{ONE}/mine/to/302//other")
        assert outside.success and verdicts(at)[-1] == ("allowed", ONE, "grant")
        assert ["authorization" in one.headers for one in web.server.requests] == [True, True, True, False]
        assert [fact.credential for fact in at.facts() if isinstance(fact, HttpRedirect)] == ["mine", ""]
        assert (await at.verify()).status == "verified"


async def test_a_stopped_turn_takes_the_question_back(tmp_path: Path) -> None:
    async with up(tmp_path, "ask", ONE) as (at, web):
        await grant(at, f"network:{ONE}")

        async def stop() -> None:
            async with at.operator() as operator:
                await at.pending(operator)
                await operator.link.call(StopTurn("default/terminal/c"), Acknowledged)

        asking = requested(at, f"https://{ONE}/to/302/https://{TWO}/x", interactive=True)
        found, _ = await asyncio.gather(asking, stop())
        assert found.outcome == "stopped" and at.house.approvals.pending() == ()
        assert [host for host, _ in web.asked] == [ONE]
        assert (await at.verify()).status == "verified"


async def test_the_gateway_counts_and_works_out_redirects_by_itself(tmp_path: Path) -> None:
    """What outbound says of a redirect is what a server answered, and no more."""
    async with up(tmp_path, "allowlist", ONE, TWO) as (at, _):
        await grant(at, f"network:{ONE}", f"network:{TWO}")
        rulings: list[EgressRuling] = []

        async def perform(asked: Perform) -> Ran:
            link = at.model.link
            assert link is not None

            async def judged(host: str, location: str, status: int = 302, port: int = 443) -> None:
                hop, caller = Redirect(status, location), Caller(asked.permit)
                question = JudgeEgress(role="outbound", host=host, port=port, caller=caller, redirect=hop)
                rulings.append(await link.call(question, EgressRuling))

            await judged(TWO, f"https://{ONE}/x")
            await judged(ONE, f"http://{ONE}/x", port=80)
            await judged(ONE, f"https://u@{ONE}/x")
            for number in range(request_limits.REDIRECTS - 3):
                await judged(ONE, f"/{number}")
            await judged(ONE, "/once-more")
            with pytest.raises(Refused):
                await judged(ONE, "x" * (request_limits.URL + 1))
            return Ran(outcome="ok", output="done")

        at.model.performs = perform
        await requested(at, f"https://{ONE}/")
        assert [one.verdict for one in rulings] == [
            *("not_allowed", "malformed", "malformed"),
            *["allowed"] * (request_limits.REDIRECTS - 3),
            "not_allowed",
        ]
        assert str(request_limits.REDIRECTS) in rulings[-1].said
