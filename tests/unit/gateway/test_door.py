from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.gateway_bench import PATIENCE, Bench, bench, facts, identity_of
from tests.support.scripted_wings import ScriptedRunner, Wing, calls, says

from wirken.domain import limits
from wirken.domain.errors import WirkenError
from wirken.domain.events import PeerRefused, ToolResultFact
from wirken.domain.ids import RoleName
from wirken.domain.secret import Secret
from wirken.ipc import handshake, peer
from wirken.ipc.calls.operator import ApprovalRows, GatewayReport, GatewayStatus, PendingApprovals
from wirken.ipc.frames import Over
from wirken.ipc.framing import encode_frame


def refusals(at: Bench) -> list[PeerRefused]:
    found = facts(at.paths.audit_db, "gateway/operations/log")
    return [fact for fact in found if isinstance(fact, PeerRefused)]


async def refused(at: Bench, count: int = 1) -> PeerRefused:
    async with asyncio.timeout(5):
        while len(refusals(at)) < count:
            await asyncio.sleep(0.005)
    return refusals(at)[-1]


async def talk(path: Path, data: bytes) -> bytes:
    """Send bytes to a socket and return all that comes back until it is closed."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(data)
    try:
        async with asyncio.timeout(limits.HANDSHAKE_TIME + 1):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        encode_frame(b"\x02" + bytes(32) + b"runner"),
        encode_frame(b"\x01" + bytes(31)),
        encode_frame(b"\x01" + bytes(32) + b"Runner"),
        encode_frame(b"\x01" + bytes(32) + b"r" * 65),
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
    ],
)
async def test_garbage_at_the_door_is_refused_and_recorded(tmp_path: Path, data: bytes) -> None:
    async with bench(tmp_path, wings=False) as at:
        assert await talk(at.paths.gateway_socket, data) == b""
        row = await refused(at)
        assert row.peer == "gateway.sock" and row.reason.isprintable()


async def test_a_role_that_is_claimed_without_its_key_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        true = await identity_of(at.vault, "runner")
        for role in ("runner", "outbound", "web", "gateway", "operator", "nobody"):
            forged = handshake.Identity(RoleName(role), Secret(os.urandom(32)), true.gateway_key)
            with pytest.raises(WirkenError):
                await peer.dial(at.paths.gateway_socket, forged, Wing(forged, at.paths.gateway_socket))
        await refused(at, 6)
        assert (await at.say("hi"))[-1].outcome == "finished"  # type: ignore[union-attr]  # Over


async def test_one_roles_key_does_not_open_the_door_for_another(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        web = await identity_of(at.vault, "web")
        forged = handshake.Identity(RoleName("outbound"), web.seed, web.gateway_key)
        with pytest.raises(WirkenError):
            await peer.dial(at.paths.gateway_socket, forged, Wing(forged, at.paths.gateway_socket))
        assert "outbound" in (await refused(at)).reason


@pytest.mark.parametrize("role", ["telegram", "vault", "gateway", "operator2"])
async def test_a_role_with_no_business_here_is_sent_away_after_its_proof(tmp_path: Path, role: str) -> None:
    async with bench(tmp_path, wings=False) as at:
        own = await identity_of(at.vault, role if role != "vault" else "siem")
        wing = Wing(own, at.paths.gateway_socket)
        link = await peer.dial(at.paths.gateway_socket, own, wing)
        async with asyncio.timeout(5):
            await link.closed.wait()
        assert "no business" in (await refused(at)).reason


async def test_a_flood_of_refusals_is_bounded_in_the_record(tmp_path: Path) -> None:
    async with bench(tmp_path, wings=False) as at:
        for _ in range(limits.REFUSALS_RECORDED + 50):
            await talk(at.paths.gateway_socket, b"\0\0\0\0")
        await asyncio.sleep(0.05)
        assert len(refusals(at)) == limits.REFUSALS_RECORDED


async def test_a_crowd_of_silent_strangers_keeps_nobody_out(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        strangers = [socket.socket(socket.AF_UNIX) for _ in range(limits.CONNECTIONS)]
        for stranger in strangers:
            stranger.connect(str(at.paths.gateway_socket))
            stranger.settimeout(PATIENCE)
        assert (await at.say("hi"))[-1].outcome == "finished"  # type: ignore[union-attr]  # Over
        one_more = await identity_of(at.vault, "runner-1")
        link = await peer.dial(at.paths.gateway_socket, one_more, Wing(one_more, at.paths.gateway_socket))
        assert await asyncio.to_thread(strangers[0].recv, 1) == b""  # who waited for longest gave way
        strangers[-1].setblocking(False)
        with pytest.raises(BlockingIOError):
            strangers[-1].recv(1)
        link.drop()
        for stranger in strangers:
            stranger.close()


async def test_who_is_known_gives_way_to_nobody(tmp_path: Path) -> None:
    async with bench(tmp_path, wings=False) as at, contextlib.AsyncExitStack() as stack:
        known = [await stack.enter_async_context(at.operator()) for _ in range(limits.CONNECTIONS)]
        for one in known:
            await one.link.call(PendingApprovals(), ApprovalRows)
        with socket.socket(socket.AF_UNIX) as one_more:
            one_more.settimeout(PATIENCE)
            one_more.connect(str(at.paths.operator_socket))
            assert await asyncio.to_thread(one_more.recv, 1) == b""
        assert not any(one.link.closed.is_set() for one in known)


async def test_a_program_of_another_user_is_refused_on_both_sockets(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root, to be somebody else")
    async with bench(tmp_path, wings=False) as at:
        for place in (at.paths.sockets_dir, *at.paths.sockets_dir.parents):
            if place.is_relative_to(tmp_path.parents[1]):
                place.chmod(0o711)
        for path in (at.paths.gateway_socket, at.paths.operator_socket):
            path.chmod(0o666)
            program = (
                "import socket,sys;s=socket.socket(socket.AF_UNIX);s.settimeout(3);s.connect(sys.argv[1]);"
                "print(repr(s.recv(99)))"
            )
            done = await asyncio.to_thread(
                subprocess.run,
                ["setpriv", "--reuid=12345", "--clear-groups", "/usr/bin/python3", "-I", "-c", program, str(path)],
                capture_output=True,
                text=True,
                cwd="/",
            )
            assert done.stdout == "b''\n" or "ConnectionReset" in done.stderr, done
        rows = [await refused(at, 2), *refusals(at)]
        assert {row.peer for row in rows} == {"gateway.sock", "operator.sock"}
        assert all("uid 12345" in row.reason for row in rows)


async def test_the_owner_of_another_uid_is_not_the_operator_here(tmp_path: Path) -> None:
    async with bench(tmp_path, wings=False, owner_uid=os.getuid() + 1) as at:
        assert await talk(at.paths.operator_socket, b"") == b""
        assert "tried to connect" in (await refused(at)).reason


async def test_a_wing_may_neither_ask_nor_converse(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        for wing in (at.runner, at.model):
            assert wing.link is not None
            with pytest.raises(WirkenError, match="may not ask"):
                await wing.link.call(GatewayStatus(), GatewayReport)
            before = wing.links
            wing.link.send(at.message("I am the owner"))
            async with asyncio.timeout(5):
                while wing.links == before:
                    await asyncio.sleep(0.005)
        assert at.house.log.count() == 3


async def test_a_surface_that_sends_what_only_the_gateway_says_is_dropped(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, at.operator() as gateway:
        gateway.link.send(Over("default/terminal/c", "m1", "finished", ""))
        async with asyncio.timeout(5):
            await gateway.link.closed.wait()


async def test_a_message_in_the_first_bytes_of_a_connection_is_heard(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        for number in range(20):
            async with at.operator() as gateway:
                gateway.link.send(at.message("hi", f"n{number}"))
                async with asyncio.timeout(5):
                    await gateway.frame()


async def test_the_latest_runner_replaces_an_older_one(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(("list_files", "{}")), says("done")) as at:
        at.runner.stay = False
        second = ScriptedRunner(await identity_of(at.vault, "runner"), at.paths.gateway_socket)
        await second.start()
        assert at.runner.link is not None
        async with asyncio.timeout(5):
            await at.runner.link.closed.wait()
        await at.say("hi")
        assert second.tools == ["list_files"] and at.runner.ran == []
        await second.stop()


async def test_further_runners_serve_the_messages_that_name_them(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(("list_files", "{}")), says("done")) as at:
        own = ScriptedRunner(await identity_of(at.vault, "runner-1"), at.paths.gateway_socket)
        await own.start()
        await at.say("hi", runner="runner-1", workspace="/home/me/project")
        assert own.tools == ["list_files"] and at.runner.ran == []
        assert b"/home/me/project" in own.ran[0].call
        await own.stop()


async def test_no_wing_can_be_made_to_run_a_call_by_naming_it_as_runner(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(("list_files", "{}")), says("done")) as at:
        before = len(at.model.questions)
        await at.say("hi", runner="outbound")
        [result] = [fact for fact in at.facts() if isinstance(fact, ToolResultFact)]
        assert not result.success and at.runner.ran == []
        assert len(at.model.questions) >= before


GUESS = """
import asyncio, os, sys
from pathlib import Path
from wirken.domain.errors import WirkenError
from wirken.domain.ids import RoleName
from wirken.domain.secret import Secret
from wirken.ipc import handshake, peer

async def main():
    key = bytes.fromhex(sys.argv[2])
    for role in sys.argv[3:]:
        forged = handshake.Identity(RoleName(role), Secret(os.urandom(32)), key)
        try:
            await peer.dial(Path(sys.argv[1]), forged, None)
        except WirkenError as error:
            print(type(error).__name__, flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_a_guesser_is_locked_out_and_the_roles_that_it_claimed_come_in(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        true = await identity_of(at.vault, "runner-1")
        claims = ["runner-1"] * 4 + ["outbound", "runner-1", "outbound"]
        words = ["-c", GUESS, str(at.paths.gateway_socket), true.gateway_key.hex(), *claims]
        guesser = await asyncio.create_subprocess_exec(sys.executable, "-I", *words, stdout=subprocess.PIPE)
        said, _ = await guesser.communicate()
        assert said.decode().split() == ["HandshakeFailed"] * 5 + ["Unavailable"] * 2
        link = await peer.dial(at.paths.gateway_socket, true, Wing(true, at.paths.gateway_socket))
        link.close()
        await link.closed.wait()
        reasons = [row.reason for row in refusals(at)]
        assert sum("too often" in reason for reason in reasons) == 2
