"""The relay's times and places, each at its edge: real sockets, and a clock that the test moves."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support import hellos
from tests.support.frozen import FrozenLoop, frozen
from tests.support.linked import Scripted, linked_raw
from tests.support.relay_house import CONNECT, PERMIT, House, house, status

from wirken.domain import limits, relay_limits
from wirken.domain.egress import Ending
from wirken.ipc.calls.egress import Caller, JudgeEgress
from wirken.ipc.calls.runner import WirePermit
from wirken.ipc.framing import encode_frame
from wirken.ipc.link import pack
from wirken.outbound import relay
from wirken.outbound.judging import GatewayJudge, NoJudge
from wirken.outbound.resolve import ResolutionFailed, Resolver, SystemLookup, Unreachable, connect
from wirken.outbound.splice import Counted, splice

HELLO = hellos.real("pypi.org")


# --- how long may somebody take to say what it wants? ------------------------------------------------------------


CALLER = encode_frame(pack(Caller(PERMIT, "pip")))


@pytest.mark.parametrize(
    ("said", "known"),
    [(b"", False), (CALLER[:-1], False), (CALLER, True), (CALLER + CONNECT[:-1], True)],
    ids=["nothing", "half a caller", "no head", "half a head"],
)
def test_who_does_not_say_what_it_wants_has_so_long(tmp_path: Path, said: bytes, known: bool) -> None:
    async def test(loop: FrozenLoop) -> None:
        async with house(tmp_path) as at, at.dial(caller=False) as (reader, writer):
            writer.write(said)
            await loop.until(lambda: list(at.relay._serving.values()) == [PERMIT if known else None])
            await loop.over(reader.read(-1), relay_limits.RELAY_ASKING)
            assert at.gateway.asked == [] and at.server.heard == []

    frozen(test)


def test_a_byte_now_and_then_buys_no_time(tmp_path: Path) -> None:
    async def test(loop: FrozenLoop) -> None:
        async with house(tmp_path) as at, at.dial() as (reader, writer):
            await loop.until(lambda: list(at.relay._serving.values()) == [PERMIT])
            for number in range(int(relay_limits.RELAY_ASKING)):
                writer.write(CONNECT[number : number + 1])
                await loop.skip(1.0)
            await loop.until(reader.at_eof)
            assert at.gateway.asked == []

    frozen(test)


def test_a_first_message_of_tls_has_as_long_again(tmp_path: Path) -> None:
    async def test(loop: FrozenLoop) -> None:
        async with house(tmp_path) as at, at.dial() as (reader, writer):
            await loop.until(lambda: list(at.relay._serving.values()) == [PERMIT])
            await loop.skip(relay_limits.RELAY_ASKING - 1.0)
            writer.write(CONNECT + HELLO[:-1])
            await loop.soon(reader.readuntil(b"\r\n\r\n"))
            await loop.over(reader.read(-1), relay_limits.RELAY_ASKING)
            await loop.until(lambda: at.gateway.ends)
            assert [said.verdict for said in at.gateway.reached] == ["allowed", "sni_mismatch"]
            assert at.server.heard == [b""]

    frozen(test)


def test_whoever_hurries_is_served_at_the_last_moment(tmp_path: Path) -> None:
    async def test(loop: FrozenLoop) -> None:
        async with house(tmp_path) as at, at.dial() as (reader, writer):
            await loop.until(lambda: list(at.relay._serving.values()) == [PERMIT])
            await loop.skip(relay_limits.RELAY_ASKING - 0.001)
            writer.write(CONNECT)
            await loop.soon(reader.readuntil(b"\r\n\r\n"))
            await loop.skip(relay_limits.RELAY_ASKING - 0.001)
            writer.write(HELLO)
            assert await loop.soon(reader.readexactly(len(HELLO))) == HELLO.upper()

    frozen(test)


# --- how long may the rest take? ---------------------------------------------------------------------------------


def test_a_refused_program_has_so_long_to_read_why(tmp_path: Path) -> None:
    async def test(loop: FrozenLoop) -> None:
        one, other = socket.socketpair()
        with one, other:
            one.setblocking(False)
            await loop.over(relay.answer(one, b"no"), relay_limits.RELAY_REFUSAL)
            assert other.recv(9) == b"no"

    frozen(test)


@pytest.mark.parametrize(("limit", "ending"), [("RELAY_IDLE", "idle"), ("RELAY_LONGEST", "time")])
def test_a_connection_ends_when_nothing_moves_or_after_so_long_whatever_does(limit: str, ending: Ending) -> None:
    seconds: float = getattr(relay_limits, limit)

    async def test(loop: FrozenLoop) -> None:
        pairs = [socket.socketpair(), socket.socketpair()]
        with contextlib.ExitStack() as open_ones:
            for sock in (sock for pair in pairs for sock in pair):
                open_ones.enter_context(sock).setblocking(False)
            (client, inner), (_, outer) = pairs
            counted = Counted()
            passing = asyncio.create_task(splice(inner, outer, counted))
            await loop.skip(0.0)
            if ending == "time":
                await _chat(loop, client, counted, seconds)
            await loop.skip(relay_limits.RELAY_IDLE - 0.001 if ending == "idle" else 0.0)
            assert not passing.done()
            await loop.skip(0.001)
            await loop.until(passing.done)
            assert passing.result() == ending

    frozen(test)


async def _chat(loop: FrozenLoop, client: socket.socket, counted: Counted, seconds: float) -> None:
    """Say something before each pause would be too long, until a millisecond before `seconds` are over."""
    pause = relay_limits.RELAY_IDLE / 2
    for number in range(1, int(seconds / pause)):
        await loop.skip(pause)
        client.send(b"x")
        await loop.until(lambda expected=number: counted.up == expected)  # type: ignore[misc]  # a bound argument
    await loop.skip(pause - 0.001)


def test_a_name_has_so_long_to_be_resolved() -> None:
    async def test(loop: FrozenLoop) -> None:
        async def lookup(host: str) -> Sequence[str]:
            await asyncio.Event().wait()
            return []

        async def fails() -> None:
            with pytest.raises(ResolutionFailed):
                await Resolver(lookup, {}, lambda _: False).addresses("slow.example")

        await loop.over(fails(), relay_limits.RESOLVE_TIME)

    frozen(test)


def test_each_of_so_many_addresses_has_so_long_to_take_a_connection() -> None:
    """A listener whose queue is full lets connections wait, as a host that drops packets does."""

    async def test(loop: FrozenLoop) -> None:
        with contextlib.ExitStack() as open_ones:
            full = open_ones.enter_context(socket.socket())
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            port = full.getsockname()[1]
            for _ in range(8):
                waiting = open_ones.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", port))

            async def fails() -> None:
                with pytest.raises(Unreachable):
                    await connect([ipaddress.ip_address("127.0.0.1")] * (relay_limits.REACH_TRIES + 2), port)

            trying = asyncio.create_task(fails())
            await loop.skip(0.0)
            for _ in range(relay_limits.REACH_TRIES - 1):
                await loop.skip(relay_limits.REACH_TIME)
                assert not trying.done()
            await loop.over(trying, relay_limits.REACH_TIME)

    frozen(test)


def test_the_gateway_has_longer_to_decide_than_a_person_can_have_and_not_for_ever() -> None:
    async def test(loop: FrozenLoop) -> None:
        async with linked_raw(Scripted()) as (link, _):  # its other end never answers
            judge = GatewayJudge(link)

            async def fails() -> None:
                with pytest.raises(NoJudge, match="in time"):
                    await judge.judge(JudgeEgress(role="runner", host="pypi.org", port=443))

            assert relay_limits.RELAY_PATIENCE > limits.APPROVAL_LONGEST
            await loop.over(fails(), relay_limits.RELAY_PATIENCE)

    frozen(test)


# --- how many at once? -------------------------------------------------------------------------------------------


async def _wait_for_judging(loop: FrozenLoop, at: House, count: int) -> None:
    await loop.until(lambda: len(at.gateway.asked) == count)


def test_all_sandboxes_together_have_so_many_places_and_leave_the_others(tmp_path: Path) -> None:
    async def test(loop: FrozenLoop) -> None:
        async with house(tmp_path) as at, contextlib.AsyncExitStack() as open_ones:
            at.gateway.gate.clear()

            async def dialled(number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
                caller = Caller(WirePermit("default/terminal/c", number // relay_limits.RELAY_PARALLEL, "ab" * 32))
                reader, writer = await open_ones.enter_async_context(at.dial(caller=False))
                writer.write(encode_frame(pack(caller)) + CONNECT)
                return reader, writer

            ones = [await dialled(number) for number in range(relay_limits.RELAY_SANDBOXES)]
            await _wait_for_judging(loop, at, relay_limits.RELAY_SANDBOXES)
            reader, _ = await dialled(10_000)
            assert "429" in status(await loop.soon(reader.readuntil(b"\r\n\r\n")))
            assert len(at.gateway.asked) == relay_limits.RELAY_SANDBOXES
            ones[0][1].close()
            await loop.until(lambda: len(at.relay._serving) <= relay_limits.RELAY_SANDBOXES)
            await loop.until(lambda: sum(isinstance(one, WirePermit) for one in at.relay._serving.values()) < len(ones))
            await dialled(20_000)
            await _wait_for_judging(loop, at, relay_limits.RELAY_SANDBOXES + 1)

    frozen(test)


def test_all_together_have_so_many_and_one_beyond_is_closed_unheard(tmp_path: Path) -> None:
    """Connections whose caller is not known yet count too: nobody fills the relay by saying nothing."""

    async def test(loop: FrozenLoop) -> None:
        async with house(tmp_path) as at, contextlib.AsyncExitStack() as open_ones:
            silent = []
            for number in range(relay_limits.RELAY_CONNECTIONS):
                silent.append(await open_ones.enter_async_context(at.dial(caller=False)))
                await loop.until(lambda expected=number + 1: len(at.relay._serving) == expected)  # type: ignore[misc]  # a bound argument
            reader, _ = await open_ones.enter_async_context(at.dial(caller=False))
            assert await loop.soon(reader.read(1)) == b""
            assert len(at.relay._serving) == relay_limits.RELAY_CONNECTIONS
            silent[0][1].close()
            await loop.until(lambda: len(at.relay._serving) < relay_limits.RELAY_CONNECTIONS)
            at.gateway.verdict = "not_allowed"
            reader, writer = await open_ones.enter_async_context(at.dial())
            writer.write(CONNECT)
            assert "403" in status(await loop.soon(reader.readuntil(b"\r\n\r\n")))

    frozen(test)


async def test_so_many_names_are_resolved_at_once() -> None:
    lookup = SystemLookup()
    try:
        assert lookup._threads._max_workers == relay_limits.RESOLVERS
    finally:
        lookup.close()
