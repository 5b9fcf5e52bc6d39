"""Files between real processes: an adapter's end, the gateway's own process, the runner's parts in a view."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.adapter import at_gateway
from tests.support.gateway_bench import PATIENCE, facts, verified
from tests.support.gateway_process import GatewayProcess, gateway_process
from tests.support.linked import Scripted, until
from tests.support.scripted_wings import calls, says
from tests.support.walled import owned, service_ids, walled

from wirken.cli.gateway import connected
from wirken.domain.actions import CanonicalCall, Place
from wirken.domain.errors import ProtocolError, WirkenError
from wirken.domain.events import FilesKept, UserMessageFact
from wirken.domain.ids import AgentId, ChannelId, PrincipalId, RoleName, SessionId
from wirken.domain.inbox import Keeping, path_of
from wirken.ipc import memfd
from wirken.ipc.calls.operator import Acknowledged
from wirken.ipc.calls.runner import Keep, KeptIt, Ran, Run, SandboxReport, SandboxStatus, WirePermit
from wirken.ipc.calls.senders import AllowSender
from wirken.ipc.files import Files
from wirken.ipc.frames import Delta, Over
from wirken.ipc.link import Answered, Emit, Link
from wirken.ipc.peer import adopt

pytestmark = pytest.mark.slow

LARGE = 50 * 2**20
GROWTH = 12 * 1024
"""KiB that the gateway may grow by while a LARGE file passes: buffers of a thread that hashes, not the file."""
SESSION = SessionId("default/telegram/d7")
CONFIG = """
[agents.default]
model = "fake/gpt-test"
[providers.fake]
kind = "openai"
base_url = "http://127.0.0.1:1"
"""


def peak(pid: int) -> int:
    """Return the largest private memory that a process ever had resident, in KiB: its peak without shared files."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) - int(lines["RssFile"].split()[0]) - int(lines["RssShmem"].split()[0])


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


async def allowed(gateway: GatewayProcess) -> None:
    async with connected(gateway.paths.operator_socket) as owner:
        question = AllowSender(channel="telegram", sender="7", principal="", role="user")
        await owner.link.call(question, Acknowledged)


async def test_fifty_megabytes_pass_the_gateway_both_ways_and_it_does_not_grow(tmp_path: Path) -> None:
    send = calls(("send_file", json.dumps({"path": "large"})))
    async with (
        gateway_process(tmp_path, CONFIG, says("small"), send, says("there")) as (gateway, _, runner),
        at_gateway(gateway.vault, gateway.paths, "telegram") as telegram,
    ):
        await allowed(gateway)
        assert gateway.process is not None
        pid = gateway.process.pid
        await telegram.outcome(telegram.bring(telegram.message("7", "warm up"), b"small"))
        before, open_before = peak(pid), descriptors(pid)
        data = os.urandom(2**20) * (LARGE // 2**20)
        runner.gives["large"] = data
        assert isinstance(await telegram.outcome(telegram.bring(telegram.message("7", "look"), data)), Over)
        said = [fact for fact in facts(gateway.paths.audit_db, SESSION) if isinstance(fact, UserMessageFact)][1]
        assert said.files[0].sha256 == hashlib.sha256(data).hexdigest()
        kept = gateway.paths.workspace("default") / said.files[0].path
        assert kept.read_bytes() == data
        assert telegram.got == [data]
        assert peak(pid) - before < GROWTH
        await until(lambda: descriptors(pid) <= open_before, PATIENCE)
        assert (await verified(gateway.paths.audit_db, gateway.vault, SESSION)).status.value == "verified"


async def test_a_gateway_that_is_killed_before_the_file_is_written_gets_it_again(tmp_path: Path) -> None:
    killed = asyncio.Event()

    async def kill(*_: object) -> None:
        if not killed.is_set():
            killed.set()
            gateway.kill()
            await asyncio.Event().wait()

    async with (
        gateway_process(tmp_path, CONFIG) as (gateway, _, runner),
        at_gateway(gateway.vault, gateway.paths, "telegram") as telegram,
    ):
        await allowed(gateway)
        runner.keeps = kill
        message = telegram.bring(telegram.message("7", "look"), b"data")
        await killed.wait()
        links = telegram.links
        await gateway.start()
        await until(lambda: telegram.links > links, PATIENCE)
        telegram.bring(message, b"data")
        assert isinstance(await telegram.outcome(message), Over)
        rows = facts(gateway.paths.audit_db, SESSION)
        assert [sum(isinstance(row, kind) for row in rows) for kind in (UserMessageFact, FilesKept)] == [1, 1]
        [said] = [row for row in rows if isinstance(row, UserMessageFact)]
        assert (gateway.paths.workspace("default") / said.files[0].path).read_bytes() == b"data"


@pytest.mark.parametrize("hostile", ["a pipe", "a device", "an unsealed memfd", "a thousand descriptors"])
async def test_a_captured_adapter_loses_its_link_and_leaves_nothing_in_the_gateway(
    tmp_path: Path, hostile: str
) -> None:
    async with (
        gateway_process(tmp_path, CONFIG) as (gateway, _, _),
        at_gateway(gateway.vault, gateway.paths, "telegram") as telegram,
        at_gateway(gateway.vault, gateway.paths, "matrix") as matrix,
    ):
        await allowed(gateway)
        assert gateway.process is not None and telegram.link is not None
        pid, link, links = gateway.process.pid, telegram.link, telegram.links
        open_before = descriptors(pid)
        kinds: dict[str, Callable[[], list[int]]] = {
            "a pipe": lambda: list(os.pipe()),
            "a device": lambda: [os.open("/dev/zero", os.O_RDONLY)],
            "an unsealed memfd": lambda: [os.memfd_create("x", os.MFD_ALLOW_SEALING)],
            "a thousand descriptors": lambda: [memfd.sealed(b"x")] * 1000,
        }
        handles = kinds[hostile]()
        raw = link._stream._sock  # as who writes to the socket without our own checks
        for at in range(0, len(handles), 250):
            try:
                socket.send_fds(raw, [b"\0"], handles[at : at + 250])
            except OSError:
                break
        await until(link.closed.is_set, PATIENCE)
        await until(lambda: telegram.links > links, PATIENCE)
        await until(lambda: descriptors(pid) <= open_before, PATIENCE)
        assert matrix.links == 1
        assert isinstance(await telegram.say("7", "still there"), Over)
        for handle in set(handles):
            os.close(handle)


# --- the runner ---------------------------------------------------------------------------------------


class Asker(Scripted):
    """The gateway's end: it takes files with answers."""

    async def answer_with(self, link: Link, question: bytes, files: Files, emit: Emit) -> Answered:
        raise ProtocolError("The runner asks nothing.")

    def received_with(self, link: Link, frame: object, files: Files) -> None:
        raise ProtocolError("The runner does not converse.")


@asynccontextmanager
async def walled_runner(workspace: Path) -> AsyncIterator[Link]:
    """Give a link to a runner in its view, which sees `workspace` and nothing else of the machine's files."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    program = str(Path(__file__).parents[1] / "support" / "runner_link.py")
    line = walled([program, str(theirs.fileno()), str(workspace)], writable=[str(workspace)])
    with subprocess.Popen(line, pass_fds=(theirs.fileno(),), env={"PATH": "/usr/bin:/bin"}) as process:
        theirs.close()
        link = adopt(ours, RoleName("runner"), Asker())
        try:
            async with asyncio.timeout(PATIENCE):
                await link.call(SandboxStatus(), SandboxReport)
            yield link
        finally:
            link.close()
            await link.closed.wait()
            process.wait(PATIENCE)


def keep_of(place: Path, data: bytes, **more: object) -> Keep:
    given = {
        "session": SESSION,
        "workspace": str(place),
        "path": path_of(SESSION, 3, 0, "large.bin"),
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        **more,
    }
    keeping = Keeping(**given)  # type: ignore[arg-type]  # Keeping's own fields
    return Keep(WirePermit(SESSION, 3, keeping.digest()), keeping.canonical())


async def test_the_runner_in_its_view_writes_what_came_and_gives_what_is_sent(tmp_path: Path) -> None:
    workspace = owned(tmp_path / "workspace")
    data = os.urandom(2**20) * (LARGE // 2**20)
    async with walled_runner(workspace) as link:
        with Files((memfd.sealed(data),)) as files:
            question = keep_of(workspace, data)
            await link.call(question, KeptIt, files.handles)
            await link.call(question, KeptIt, files.handles)  # the platform sent it again
            for lie in ({"size": 1}, {"sha256": "0" * 64}, {"path": "x"}, {"workspace": "/etc"}):
                with pytest.raises(WirkenError):
                    await link.call(keep_of(workspace, data, **lie), KeptIt, files.handles)
        kept = workspace / path_of(SESSION, 3, 0, "large.bin")
        assert kept.read_bytes() == data
        assert (kept.stat().st_uid, kept.stat().st_gid) == service_ids()
        call = CanonicalCall(
            tool="send_file",
            arguments=json.dumps({"path": str(kept.relative_to(workspace))}),
            agent=AgentId("default"),
            session=SESSION,
            principal=PrincipalId("owner"),
            channel=ChannelId("telegram"),
            place=Place(str(workspace), "bubblewrap"),
        )
        ran, came = await link.fetch(Run(WirePermit(SESSION, 9, call.digest()), call.canonical()), Ran)
        with came:
            assert (ran.outcome, ran.output) == ("ok", f"{LARGE} bytes")
            assert memfd.content(came.handles[0]) == data
        link.send(Delta("s", "the runner does not converse"))
        await until(link.closed.is_set, PATIENCE)
