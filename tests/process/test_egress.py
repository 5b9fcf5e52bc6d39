"""A command's way out through all of Wirken: the sandbox, the runner, outbound's relay behind its walls, the gateway.

The server is on this machine, at an address that the configuration names for its host, as an operator would. Its ports
are those that may be reached, 443 and 80, which only root may bind: as another user these tests are not run.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.spine import Spine, spine, wirken
from tests.support.tls_files import Ports, authority, served
from tests.support.ways import WAYS, Way, boxed, with_curl

from wirken.cli.gateway import connected
from wirken.domain.egress import EgressClosed, EgressVerdict
from wirken.domain.events import ToolResultFact
from wirken.ipc.calls.operator import (
    Acknowledged,
    AnswerApproval,
    ApprovalRow,
    ApprovalRows,
    Choice,
    PendingApprovals,
    StopTurn,
)
from wirken.ipc.frames import Inbound, Over

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root may bind the ports 443 and 80"),
]

ADDRESS = "127.0.0.9"
HOST, OTHER, UNLISTED, STRAY = "www.test.example", "other.test.example", "unlisted.test.example", "stray.test.example"
CONFIG = f"""
[agents.default.egress.terminal]
mode = "allowlist"
domains = ["{HOST}", "{STRAY}"]

[agents.asking.egress.terminal]
mode = "ask"
domains = ["{HOST}"]

[agents.closed]

[egress.own_addresses]
"{HOST}" = ["{ADDRESS}"]
"{OTHER}" = ["{ADDRESS}"]
"{UNLISTED}" = ["{ADDRESS}"]
"""
Answers = Callable[[ApprovalRow], Choice]


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture(scope="module")
def up(way: Way, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    box = boxed(way, request)
    sandbox = "" if box is None else '[sandbox]\nmode = "gvisor"\ndocker_socket = "/nonexistent"\n'
    if box is not None and box.engine is not None:
        image = with_curl(box.engine)
        sandbox = f'[sandbox]\nmode = "{way}"\nimage = "{image}"\ndocker_socket = "{box.engine.socket}"\n'
    folder = tmp_path_factory.mktemp("egress")
    keys = folder / "ca"
    keys.mkdir()
    context = authority(keys, (HOST, OTHER, UNLISTED))
    for host in (HOST, OTHER, UNLISTED):
        (folder / "www" / host).mkdir(parents=True)
        (folder / "www" / host / "page.txt").write_text(f"page of {host}")
    (folder / "www" / HOST / "large.bin").write_bytes(bytes(3_000_000))
    with (
        served(folder / "www", context, ADDRESS, Ports(443, 80)),
        spine(folder / "wirken", CONFIG + sandbox) as one,
    ):
        yield one


def once(row: ApprovalRow) -> Choice:
    return "once"


def run(one: Spine, agent: str, conversation: str, command: str, answers: Answers = once) -> list[ApprovalRow]:
    """Have the model run a command, and answer what is asked; return the questions."""
    return asyncio.run(_run(one, agent, conversation, command, answers))


async def _run(one: Spine, agent: str, conversation: str, command: str, answers: Answers) -> list[ApprovalRow]:
    asked: list[ApprovalRow] = []
    async with connected(one.paths.operator_socket) as gateway, asyncio.timeout(40):
        text = f"run: {command}"
        number = f"m{len(one.facts(f'{agent}/terminal/{conversation}'))}"
        gateway.link.send(Inbound(number, conversation, text, agent=agent, interactive=True))
        over = asyncio.ensure_future(_over(gateway, number))
        while not over.done():
            rows = (await gateway.link.call(PendingApprovals(), ApprovalRows)).approvals
            for row in rows:
                asked.append(row)
                given = AnswerApproval(approval=row.approval, lease=row.lease, choice=answers(row))
                await gateway.link.call(given, Acknowledged)
            await asyncio.sleep(0.02)
    return asked


async def _over(gateway, number: str) -> None:  # type: ignore[no-untyped-def]  # a connected terminal
    while True:
        frame = await gateway.frame()
        if isinstance(frame, Over) and frame.platform_id == number:
            return


def result(one: Spine, session: str) -> ToolResultFact:
    return next(fact for fact in reversed(one.facts(session)) if isinstance(fact, ToolResultFact))


def verdicts(one: Spine, session: str) -> list[tuple[str, str, int]]:
    return [(fact.verdict, fact.host, fact.port) for fact in one.facts(session) if isinstance(fact, EgressVerdict)]


def test_a_listed_host_is_reached_over_tls_and_in_the_clear_and_is_on_record(up: Spine, way: Way) -> None:
    run(up, "default", "listed", f"curl -sSk https://{HOST}/page.txt && curl -sS http://{HOST}/page.txt")
    session = "default/terminal/listed"
    assert result(up, session).output == f"page of {HOST}" * 2
    assert verdicts(up, session) == [("allowed", HOST, 443), ("allowed", HOST, 80)]
    closed = [fact for fact in up.facts(session) if isinstance(fact, EgressClosed)]
    assert [fact.address for fact in closed] == [ADDRESS, ADDRESS]
    assert all(fact.bytes_up > 50 and fact.bytes_down > 100 for fact in closed)
    program = "curl" if way == "bubblewrap" else ""
    assert [fact.program for fact in up.facts(session) if isinstance(fact, EgressVerdict)] == [program] * 2
    done = wirken(up.data, "sessions", "verify", session)
    assert done.returncode == 0, done.stdout + done.stderr


def test_much_arrives_whole(up: Spine) -> None:
    run(up, "default", "large", f"curl -sSk https://{HOST}/large.bin | wc -c")
    assert result(up, "default/terminal/large").output.strip() == "3000000"
    [closed] = [fact for fact in up.facts("default/terminal/large") if isinstance(fact, EgressClosed)]
    assert closed.bytes_down > 3_000_000


@pytest.mark.parametrize(
    ("name", "arguments", "verdict"),
    [
        ("unlisted", f"https://{UNLISTED}/page.txt", "not_allowed"),
        ("plain", f"http://{UNLISTED}/page.txt", "not_allowed"),
        ("literal", f"https://{ADDRESS}/page.txt", "ip_literal"),
        ("decimal", "--proxytunnel http://2130706441:443/page.txt", "ip_literal"),
        ("metadata", "http://169.254.169.254/latest/meta-data", "ip_literal"),
        ("port", f"https://{HOST}:8443/", "port_not_allowed"),
        ("nowhere", f"https://{STRAY}/", "resolution_failed"),
        ("front", f"--connect-to {OTHER}:443:{HOST}:443 https://{OTHER}/page.txt", "sni_mismatch"),
        ("trace", f"-X TRACE http://{HOST}/", "method_not_allowed"),
    ],
)
def test_what_may_not_be_is_refused_and_on_record(up: Spine, name: str, arguments: str, verdict: str) -> None:
    run(up, "default", name, f"curl -sSk {arguments}")
    session = f"default/terminal/{name}"
    assert f"page of {UNLISTED}" not in result(up, session).output
    assert verdict in [found for found, _, _ in verdicts(up, session)]
    assert "page of" not in result(up, session).output
    done = wirken(up.data, "sessions", "verify", session)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_refused_program_shows_why(up: Spine) -> None:
    run(up, "default", "why", f"curl -sS http://{UNLISTED}/; curl -svk https://{UNLISTED}/ 2>&1")
    output = result(up, "default/terminal/why").output
    assert f"Wirken did not connect: {UNLISTED} is not on the list of this agent and channel." in output
    assert "403 Forbidden by Wirken (not_allowed)" in output


def test_an_agent_without_a_mode_has_no_network(up: Spine) -> None:
    run(up, "closed", "none", f"curl -sSk --max-time 3 https://{HOST}/page.txt")
    assert result(up, "closed/terminal/none").exit_code != 0
    assert verdicts(up, "closed/terminal/none") == []


def test_an_unlisted_host_is_asked_for_once_and_remembered_for_the_session(up: Spine, way: Way) -> None:
    def answers(row: ApprovalRow) -> Choice:
        return "session" if row.tool == "network" else "once"

    asked = run(up, "asking", "ask", f"curl -sSk https://{UNLISTED}/page.txt", answers)
    assert [row.tool for row in asked] == ["exec", "network"]
    wanted = ", as curl wants" if way == "bubblewrap" else ""
    assert asked[1].command == f"connect to {UNLISTED} on port 443{wanted}"
    assert asked[0].place[-1].endswith(HOST), "the command's own question says what it reaches"
    session = "asking/terminal/ask"
    assert result(up, session).output == f"page of {UNLISTED}"
    asked = run(up, "asking", "ask", f"curl -sSk https://{UNLISTED}/page.txt", answers)
    assert [row.tool for row in asked] == ["exec"]
    rules = [fact.rule for fact in up.facts(session) if isinstance(fact, EgressVerdict)]
    assert rules == ["approval", "grant"]
    done = wirken(up.data, "sessions", "verify", session)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_no_reaches_the_program(up: Spine) -> None:
    def answers(row: ApprovalRow) -> Choice:
        return "deny" if row.tool == "network" else "once"

    run(up, "asking", "no", f"curl -sS http://{OTHER}/page.txt", answers)
    assert "a person said no" in result(up, "asking/terminal/no").output


def test_a_stop_ends_a_connection_that_waits_for_a_person(up: Spine) -> None:
    async def stopped() -> None:
        async with connected(up.paths.operator_socket) as gateway, asyncio.timeout(30):
            command = f"run: curl -sSk https://{OTHER}/page.txt"
            gateway.link.send(Inbound("m1", "stop", command, agent="asking", interactive=True))
            over = asyncio.ensure_future(_over(gateway, "m1"))
            while not over.done():
                for row in (await gateway.link.call(PendingApprovals(), ApprovalRows)).approvals:
                    if row.tool == "network":
                        await gateway.link.call(StopTurn("asking/terminal/stop"), Acknowledged)
                    else:
                        given = AnswerApproval(approval=row.approval, lease=row.lease, choice="once")
                        await gateway.link.call(given, Acknowledged)
                await asyncio.sleep(0.02)
            assert (await gateway.link.call(PendingApprovals(), ApprovalRows)).approvals == ()

    asyncio.run(stopped())
    assert result(up, "asking/terminal/stop").outcome == "stopped"
    done = wirken(up.data, "sessions", "verify", "asking/terminal/stop")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_relays_socket_belongs_to_the_runner_alone(up: Spine) -> None:
    for role in ("vault", "gateway", "outbound", "web", "runner"):
        sockets = Path(f"/proc/{up.pid(role)}/root{up.paths.sockets_dir}")
        seen = sorted(path.name for path in sockets.iterdir()) if sockets.exists() else []
        assert ("relay-runner.sock" in seen) == (role == "runner"), (role, seen)
