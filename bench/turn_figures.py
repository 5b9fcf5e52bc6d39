"""What a turn costs beyond the model: alone, with a command, eight at once, and late in a long session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from bench import model
from bench.figure import Figure, Reference, Target
from bench.house import House, house, running
from bench.model import WITH_COMMAND, WORDS_ONLY, Model
from bench.options import Options
from bench.page import Conversation
from bench.plain import Disk, Needed, requests_per_second
from bench.request import bare_size, prefix, stable
from bench.stats import around, percentile, samples
from bench.stats import one as once

# Durable steps that have to wait for one another in a turn: message, request, answer, the head the vault signed,
# attestation; with a command also the proposed call, its permit, its result and the second request.
_PLAIN: Final = Needed(steps=5, requests=1)
_COMMAND: Final = Needed(steps=9, requests=2, sandboxes=1)
_CLIENTS: Final = 8
_WARM: Final = 10  # turns before anything counts: the first one loads the HTTP client
_PER_SESSION: Final = 20
_EARLY, _LATE, _REACH = 5, 500, 2  # turns 3 to 7 against turns 498 to 502


@dataclass(frozen=True, slots=True)
class _Bench:
    one: House
    port: int
    fake: Model
    disk: Disk


@contextmanager
def _bench(options: Options) -> Iterator[_Bench]:
    with model.running() as fake, house(options.disk) as one, Disk(one.home) as disk:
        one.configure(fake.configuration())
        with running(one) as up:
            one.wirken("permissions", "approve", "shell:true", "--channel", "webchat")
            asyncio.run(_warm_up(up.port))
            yield _Bench(one, up.port, fake, disk)


async def _warm_up(port: int) -> None:
    async with Conversation(port, "warm") as talk:
        for turn in range(_WARM):
            await talk.turn(f"Warm up {WITH_COMMAND if turn % 2 else WORDS_ONLY}")


def overhead(options: Options) -> list[Figure]:
    """Return the cost of one turn at a time, without and with a command."""
    with _bench(options) as bench:
        count = options.times(200, 40)
        return [
            asyncio.run(_one_at_a_time(bench, "turn overhead", WORDS_ONLY, _PLAIN, 10, count)),
            asyncio.run(_one_at_a_time(bench, "turn overhead with `exec true`", WITH_COMMAND, _COMMAND, 30, count)),
        ]


async def _one_at_a_time(bench: _Bench, name: str, text: str, needed: Needed, bound: float, count: int) -> Figure:
    bench.fake.report()
    took, plain, body = [], [], b""
    for session in range(count // _PER_SESSION):
        async with Conversation(bench.port, f"alone-{needed.requests}-{session}") as talk:
            for turn in range(_PER_SESSION):
                seconds = await talk.turn(f"Turn {turn} {text}")
                inside = bench.fake.report()
                body = body or inside.bodies[0]
                took.append(1000 * (seconds - sum(inside.inside)))
                seconds = needed.seconds(bench.disk, bench.fake, body)
                plain.append(1000 * (seconds - sum(bench.fake.report().inside)))
    return Figure(
        name=name,
        unit="ms",
        samples=samples(took),
        target=Target("at most", bound),
        reference=Reference(needed.said, samples(plain)),
        note=f"95 of 100 turns within {percentile(took, 0.95):.1f} ms",
    )


def throughput(options: Options) -> list[Figure]:
    """Return how many turns eight clients get through in a second."""
    with _bench(options) as bench:
        return [asyncio.run(_at_once(bench, options.times(5, 2), options.times(60, 20)))]


async def _at_once(bench: _Bench, runs: int, turns: int) -> Figure:
    bench.fake.report()
    rates, plain, shares = [], [], []
    for run in range(runs):
        cpu, fake_cpu = time.process_time(), bench.fake.report().cpu
        started = time.perf_counter()
        await asyncio.gather(*(_talk(bench.port, f"many-{run}-{client}", turns) for client in range(_CLIENTS)))
        wall = time.perf_counter() - started
        report = bench.fake.report()
        rates.append(_CLIENTS * turns / wall)
        shares.append(((time.process_time() - cpu) / wall, (report.cpu - fake_cpu) / wall))
        plain.append(await requests_per_second(bench.fake.port, report.bodies[0], _CLIENTS, 10 * turns))
    own, fakes = (100 * samples(column).median for column in zip(*shares, strict=True))
    return Figure(
        name="8 clients at once",
        unit="turns/s",
        samples=samples(rates),
        target=Target("at least", 100),
        reference=Reference("bare requests, 8 at once", samples(plain)),
        note=f"the load generator took {own:.0f} % of a core, the fake model {fakes:.0f} %",
    )


async def _talk(port: int, name: str, turns: int) -> None:
    async with Conversation(port, name) as talk:
        for turn in range(turns):
            await talk.turn(f"Turn {turn} {WORDS_ONLY}")


def long_session(options: Options) -> list[Figure]:
    """Return what a late turn costs against an early one, both without the time inside the fake.

    Early turns of a fresh session alternate with the late ones, so that noise meets both.
    """
    late: list[float] = []
    early: list[float] = []
    last = options.times(_LATE, 100)
    with _bench(options) as bench:
        for session in range(options.times(5, 2)):
            longs, shorts = asyncio.run(_long(bench, session, last))
            late += around(longs, last, _REACH)
            early += around(shorts, _EARLY, _REACH)
    return [
        Figure(
            name=f"turn {last} of a session",
            unit="ms",
            samples=samples(late),
            target=Target("at most", 1.3, of="ratio"),
            reference=Reference("turn 5 of a session", samples(early)),
        )
    ]


async def _long(bench: _Bench, number: int, last: int) -> tuple[list[float], list[float]]:
    first_paired = last - _EARLY
    longs, shorts = [], []
    async with (
        Conversation(bench.port, f"long-{number}") as long,
        Conversation(bench.port, f"short-{number}") as short,
    ):
        bench.fake.report()
        for turn in range(1, last + _REACH + 1):
            longs.append(await _cost(bench, long))
            if turn > first_paired:
                shorts.append(await _cost(bench, short))
    return longs, shorts


async def _cost(bench: _Bench, talk: Conversation) -> float:
    seconds = await talk.turn(f"Say something {WORDS_ONLY}")
    return 1000 * (seconds - sum(bench.fake.report().inside))


def request(options: Options) -> list[Figure]:
    """Return the size of a first request for "hello", and how many different beginnings requests have."""
    with _bench(options) as bench:
        bench.fake.report()
        asyncio.run(_hellos(bench.port))
        return _judged(bench.fake.report().bodies)


async def _hellos(port: int) -> None:
    for session in range(3):
        async with Conversation(port, f"hello-{session}") as talk:
            await talk.turn("hello")
            await talk.turn(f"And now {WITH_COMMAND}")
            await talk.turn(f"And again {WORDS_ONLY}")


def _judged(bodies: list[bytes]) -> list[Figure]:
    return [
        Figure(
            name='first request for "hello"',
            unit="bytes",
            samples=once(len(bodies[0])),
            target=Target("at most", 12_000),
            reference=Reference("message alone", once(bare_size(bodies[0]))),
            note=f"of these, system prompt and tools: {len(prefix(bodies[0])):,} bytes",
        ),
        Figure(
            name="different beginnings of requests (system prompt and tools)",
            unit="",
            samples=once(len({prefix(body) for body in bodies})),
            target=Target("at most", 1),
            note=f"{len(bodies)} requests of 3 sessions; "
            + (
                "each continues the one before byte for byte" if stable(bodies) else "some rewrite what was sent before"
            ),
        ),
    ]
