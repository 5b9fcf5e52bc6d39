"""How long `wirken run` takes to be ready, and what its six processes weigh, idle and after many turns."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from bench import bare, model
from bench.figure import Figure, Reference, Target
from bench.house import House, Running, house, running
from bench.model import Model
from bench.options import Options
from bench.page import Conversation
from bench.stats import one as once
from bench.stats import samples
from bench.weigh import together

_SETTLE: Final = 2.0  # seconds after which start-up garbage is gone and every link stands
_CLIENTS: Final = 8  # at once
_TURNS_PER_SESSION: Final = 25


def ready(options: Options) -> list[Figure]:
    """Return the time from the command to its ready line."""
    ours, plain = [], []
    with house(options.disk) as one:
        with running(one):
            pass  # the first start of all makes configuration and keys
        for _ in range(options.times(11, 3)):
            with running(one) as up:
                ours.append(up.seconds)
            with bare.running(one) as six:
                plain.append(six.seconds)
    return [
        Figure(
            name="wirken run to ready",
            unit="s",
            samples=samples(ours),
            target=Target("at most", 0.8, assumes=0.25),
            reference=Reference("bare imports, six walled processes", samples(plain)),
        )
    ]


def memory(options: Options) -> list[Figure]:
    """Return the memory of the six processes, idle and after 1,000 turns."""
    with model.running() as fake, house(options.disk) as one:
        one.configure(fake.configuration())
        with running(one):
            pass
        plain = _bare_memory(one)
        with running(one) as up:
            return _weighed(up, fake, plain, options.times(1000, 200))


def _weighed(up: Running, fake: Model, plain: float, turns: int) -> list[Figure]:
    time.sleep(_SETTLE)
    idle, parts, monitors = _weigh(up)
    asyncio.run(_talk(up.port, turns))
    time.sleep(_SETTLE)
    after, later_parts, _ = _weigh(up)
    reference = Reference("bare imports, six walled processes", once(plain))
    return [
        Figure("idle memory (PSS)", "MB", once(idle), Target("at most", 120, assumes=108), reference, note=parts),
        Figure(
            name=f"memory after {turns:,} turns (PSS)",
            unit="MB",
            samples=once(after),
            target=Target("at most", 1.2, of="ratio"),
            reference=Reference("idle", once(idle)),
            note=later_parts,
        ),
        Figure(
            name="bubblewrap's monitors (PSS)",
            unit="MB",
            samples=once(monitors),
            note="two per walled process; not counted above",
        ),
    ]


def _weigh(up: Running) -> tuple[float, str, float]:
    """Return the MB of our processes, the same per role in words, and those of bubblewrap's."""
    each = together(up.processes())
    monitors = together({str(pid): pid for pid in up.monitors()})
    return sum(each.values()), ", ".join(f"{role} {mb:.1f}" for role, mb in each.items()), sum(monitors.values())


def _bare_memory(one: House) -> float:
    with bare.running(one) as six:
        time.sleep(_SETTLE)
        return sum(together({str(pid): pid for pid in six.pids}).values())


async def _talk(port: int, turns: int) -> None:
    """Hold that many turns, in sessions of a few turns each."""

    async def client(number: int) -> None:
        for session in range(max(1, turns // _CLIENTS // _TURNS_PER_SESSION)):
            async with Conversation(port, f"memory-{number}-{session}") as talk:
                for turn in range(_TURNS_PER_SESSION):
                    await talk.turn(f"Turn {turn} {model.WORDS_ONLY}")

    await asyncio.gather(*(client(number) for number in range(_CLIENTS)))
