"""The relay from outside: real sockets on both sides, a scripted gateway, TLS by the ssl module where it matters."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from tests.support import hellos
from tests.support.relay_house import CONNECT, GET, PERMIT, house, status

from wirken.config.channel_kinds import CHANNEL_KINDS
from wirken.domain import limits, relay_limits
from wirken.ipc.calls.egress import Caller
from wirken.ipc.calls.runner import WirePermit
from wirken.ipc.framing import encode_frame
from wirken.ipc.link import pack


async def test_a_tunnel_carries_bytes_both_ways_once_tls_names_its_host(tmp_path: Path) -> None:
    hello = hellos.real("pypi.org")
    async with house(tmp_path) as at, at.dial() as (reader, writer):
        writer.write(CONNECT)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert at.gateway.on_reach == [0]
        writer.write(hello)
        assert await reader.readexactly(len(hello)) == hello.upper()
        writer.write(b"more")
        assert await reader.readexactly(4) == b"MORE"
        writer.write_eof()
        assert await reader.read(-1) == b"bye"
        end = await at.end()
        assert (end.ended, end.bytes_up, end.bytes_down) == ("closed", len(hello) + 4, len(hello) + 7)
        assert end.address == "127.0.0.1"
        [asked], [said] = at.gateway.asked, at.gateway.reached
        assert (asked.role, asked.host, asked.port, asked.caller) == ("runner", "pypi.org", 443, Caller(PERMIT, "pip"))
        assert (said.verdict, said.address) == ("allowed", "127.0.0.1")
        assert bytes(at.server.heard[0]) == hello + b"more"


@pytest.mark.parametrize(
    "first",
    [
        hellos.real("evil.example"),
        hellos.real(None),
        b"GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
        hellos.records(hellos.hello(hellos.server_name(b"pypi.org."))),
        hellos.records(hellos.hello(hellos.server_name(b"pypi.org\x00.evil.example"))),
    ],
)
async def test_not_one_byte_goes_out_where_tls_names_another_host(tmp_path: Path, first: bytes) -> None:
    async with house(tmp_path) as at:
        answer = await at.said(CONNECT + first)
        assert status(answer).startswith("HTTP/1.1 200") and answer.endswith(b"\r\n\r\n")
        assert (await at.end()).ended == "sni_mismatch"
        assert [said.verdict for said in at.gateway.reached] == ["allowed", "sni_mismatch"]
        assert all(not heard for heard in at.server.heard)


async def test_a_first_message_in_pieces_is_read_as_one(tmp_path: Path) -> None:
    hello = hellos.records(hellos.hello(hellos.server_name(b"pypi.org")), 7)
    async with house(tmp_path) as at, at.dial() as (reader, writer):
        writer.write(CONNECT)
        await reader.readuntil(b"\r\n\r\n")
        for at_byte in range(len(hello)):
            assert all(not heard for heard in at.server.heard)
            writer.write(hello[at_byte : at_byte + 1])
            await writer.drain()
            await asyncio.sleep(0)
        assert await reader.readexactly(len(hello)) == hello.upper()


async def test_a_plain_request_is_sent_alone_and_its_answer_comes_back(tmp_path: Path) -> None:
    async with house(tmp_path) as at:
        at.server.greets = b"HTTP/1.1 200 OK\r\n\r\n"
        async with at.dial() as (reader, writer):
            writer.write(GET + b"GET http://pypi.org/second HTTP/1.1\r\nHost: pypi.org\r\n\r\n")
            sent = b"GET /simple HTTP/1.1\r\nHost: pypi.org\r\nConnection: close\r\n\r\n"
            assert await reader.readexactly(19 + len(sent)) == b"HTTP/1.1 200 OK\r\n\r\n" + sent.upper()
            await asyncio.sleep(0.05)
            assert bytes(at.server.heard[0]) == sent
        assert [asked.port for asked in at.gateway.asked] == [80]


async def test_a_body_goes_on_as_long_as_was_said_and_no_longer(tmp_path: Path) -> None:
    post = b"POST http://pypi.org/ HTTP/1.1\r\nHost: pypi.org\r\nContent-Length: 5\r\n\r\n"
    async with house(tmp_path) as at, at.dial() as (reader, writer):
        writer.write(post + b"he")
        await asyncio.sleep(0.02)
        writer.write(b"lloGET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"HELLO")
        await asyncio.sleep(0.05)
        assert bytes(at.server.heard[0]).endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (b"CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: 127.0.0.1:443\r\n\r\n", "ip_literal"),
        (b"CONNECT pypi.org:22 HTTP/1.1\r\nHost: pypi.org:22\r\n\r\n", "port_not_allowed"),
        (b"TRACE http://pypi.org/ HTTP/1.1\r\nHost: pypi.org\r\n\r\n", "method_not_allowed"),
        (b"GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n", "malformed"),
        (b"A" * (relay_limits.RELAY_HEAD + 1), "malformed"),
    ],
)
async def test_what_is_no_plain_request_is_told_so_and_on_record(tmp_path: Path, words: bytes, verdict: str) -> None:
    async with house(tmp_path) as at:
        assert f"by Wirken ({verdict})" in status(await at.said(words))
        assert [asked.found for asked in at.gateway.asked] == [verdict]
        assert at.server.heard == [] and at.names.asked == []


async def test_a_host_that_is_not_allowed_is_not_even_resolved(tmp_path: Path) -> None:
    async with house(tmp_path, pinned=False, names={"pypi.org": ["8.8.8.8"]}) as at:
        at.gateway.verdict = "not_allowed"
        answer = await at.said(CONNECT)
        assert status(answer) == "HTTP/1.1 403 Forbidden by Wirken (not_allowed)"
        assert answer.endswith(b"Wirken did not connect: because\n")
        assert at.names.asked == [] and at.gateway.reached == []


@pytest.mark.parametrize(
    ("names", "verdict"),
    [
        ({}, "resolution_failed"),
        ({"pypi.org": ["127.0.0.1"]}, "private_address"),
        ({"pypi.org": ["169.254.169.254", "10.0.0.1", "::1"]}, "private_address"),
    ],
)
async def test_a_name_that_leads_here_or_nowhere_is_refused(
    tmp_path: Path, names: dict[str, list[str]], verdict: str
) -> None:
    async with house(tmp_path, pinned=False, names=names) as at:
        assert f"({verdict})" in status(await at.said(CONNECT))
        assert [said.verdict for said in at.gateway.reached] == [verdict]
        assert at.server.heard == [] and at.gateway.ends == []


async def test_a_name_that_changes_its_mind_changes_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, pinned=False, names={"pypi.org": ["10.0.0.1", "93.184.215.14"]}) as at:
        at.gateway.on_record = lambda: at.names.table.update({"pypi.org": ["127.0.0.1"]})
        await at.said(CONNECT + hellos.real("evil.example"))
        assert at.led == [["93.184.215.14"]] and at.names.asked == ["pypi.org"]
        assert at.gateway.reached[0].address == "93.184.215.14"


async def test_a_server_that_takes_no_connection_is_told_so(tmp_path: Path) -> None:
    async with house(tmp_path) as at:
        at.server.port = 1
        assert status(await at.said(CONNECT)) == "HTTP/1.1 502 Bad Gateway by Wirken (unreachable)"
        assert (await at.end()).ended == "unreachable"


async def test_without_a_judge_nothing_is_reached(tmp_path: Path) -> None:
    async with house(tmp_path) as at:
        at.gateway.away = True
        assert status(await at.said(CONNECT)) == "HTTP/1.1 503 Service Unavailable by Wirken"
        assert at.server.heard == []


@pytest.mark.parametrize(
    "first",
    [
        encode_frame(b"\xff not a caller"),
        (relay_limits.RELAY_CALLER + 1).to_bytes(4, "big") + b"x" * 10,
        b"\x00\x00\x00\x00",
        CONNECT,
    ],
)
async def test_the_runner_says_first_whose_a_connection_is(tmp_path: Path, first: bytes) -> None:
    async with house(tmp_path) as at:
        assert await at.said(first, caller=False) == b""
        assert at.gateway.asked == []


async def test_another_role_speaks_for_itself(tmp_path: Path) -> None:
    async with house(tmp_path, role="channel-test") as at:
        at.gateway.verdict = "not_allowed"
        assert "403" in status(await at.said(CONNECT, caller=False))
        assert (at.gateway.asked[0].role, at.gateway.asked[0].caller) == ("channel-test", None)


async def test_a_stranger_of_another_uid_is_not_heard(tmp_path: Path) -> None:
    async with house(tmp_path, own_uid=12345) as at:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            async with at.dial() as (reader, writer):
                writer.write(CONNECT)
                await writer.drain()
                await reader.readexactly(1)
        assert at.gateway.asked == []


async def test_a_client_that_gives_up_asks_no_longer(tmp_path: Path) -> None:
    async with house(tmp_path) as at:
        at.gateway.gate.clear()
        async with at.dial() as (_, writer):
            writer.write(CONNECT)
            while not at.gateway.asked:
                await asyncio.sleep(0.005)
        async with asyncio.timeout(5):
            while at.relay._serving:
                await asyncio.sleep(0.005)
        assert at.server.heard == []


async def test_a_call_that_is_over_loses_its_connections_and_what_passed_is_said(tmp_path: Path) -> None:
    hello = hellos.real("pypi.org")
    async with house(tmp_path) as at, at.dial() as (reader, writer):
        writer.write(CONNECT + hello)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(hello))
        await at.relay.stop(WirePermit("default/terminal/c", 5, "ab" * 32))
        assert at.gateway.ends == []
        await at.relay.stop(PERMIT)
        [end] = at.gateway.ends
        assert (end.ended, end.bytes_up, end.bytes_down) == ("stopped", len(hello), len(hello))
        assert await reader.read(-1) == b""


async def test_one_caller_has_so_many_connections_and_no_more(tmp_path: Path) -> None:
    async with house(tmp_path) as at, contextlib.AsyncExitStack() as open_ones:
        at.gateway.gate.clear()
        for _ in range(relay_limits.RELAY_PARALLEL):
            _, writer = await open_ones.enter_async_context(at.dial())
            writer.write(CONNECT)
        while len(at.gateway.asked) < relay_limits.RELAY_PARALLEL:
            await asyncio.sleep(0.005)
        assert "429" in status(await at.said(CONNECT))
        other = Caller(WirePermit("default/terminal/c", 5, "ab" * 32))
        _, writer = await open_ones.enter_async_context(at.dial(caller=False))
        writer.write(encode_frame(pack(other)) + CONNECT)
        async with asyncio.timeout(5):
            while len(at.gateway.asked) == relay_limits.RELAY_PARALLEL:
                await asyncio.sleep(0.005)


async def test_one_process_has_so_many_connections_and_those_beyond_are_closed_unheard(tmp_path: Path) -> None:
    async with house(tmp_path, role="channel-test") as at, contextlib.AsyncExitStack() as open_ones:
        dialled = [
            await open_ones.enter_async_context(at.dial(caller=False)) for _ in range(relay_limits.RELAY_PROCESS)
        ]
        async with asyncio.timeout(5):
            while len(at.relay._serving) < relay_limits.RELAY_PROCESS:
                await asyncio.sleep(0.005)
        with contextlib.suppress(ConnectionError):  # or an end of file, as the kernel likes
            assert await at.said(CONNECT, caller=False) == b""
        assert at.gateway.asked == []
        dialled[0][1].close()
        async with asyncio.timeout(5):
            while len(at.relay._serving) == relay_limits.RELAY_PROCESS:
                await asyncio.sleep(0.005)
        at.gateway.verdict = "not_allowed"
        assert "403" in status(await at.said(CONNECT, caller=False))


def test_every_process_of_ours_has_its_places_whatever_sandboxes_and_the_others_do() -> None:
    adapters = len(CHANNEL_KINDS)
    ours = (adapters + 1) * relay_limits.RELAY_PROCESS
    assert relay_limits.RELAY_SANDBOXES + ours <= relay_limits.RELAY_CONNECTIONS < limits.LINK_QUESTIONS
    assert relay_limits.FORWARD_PARALLEL < relay_limits.RELAY_PROCESS


async def test_a_lost_gateway_ends_everything(tmp_path: Path) -> None:
    hello = hellos.real("pypi.org")
    async with house(tmp_path) as at, at.dial() as (reader, writer):
        writer.write(CONNECT + hello)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(hello))
        await at.relay.drop()
        assert await reader.read(-1) == b"" and at.relay._serving == {}


async def test_much_passes_whole_and_counted(tmp_path: Path) -> None:
    hello, much = hellos.real("pypi.org"), bytes(range(256)) * 40_000
    async with house(tmp_path) as at:
        at.server.silent = True
        async with at.dial() as (reader, writer):
            writer.write(CONNECT + hello)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(much)
            await writer.drain()
            writer.write_eof()
            assert await reader.read(-1) == b"bye"
        assert (await at.end()).bytes_up == len(hello) + len(much)
        assert bytes(at.server.heard[0]) == hello + much
