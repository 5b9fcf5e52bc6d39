"""SIGKILL of the gateway, or loss of the adapter, at every step of an answer's way: one turn, one confirmed answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.adapter import Adapter, at_gateway, came_through
from tests.support.gateway_bench import PATIENCE, facts, kind, verified
from tests.support.gateway_process import GatewayProcess, gateway_process
from tests.support.linked import until
from tests.support.scripted_wings import ScriptedModel, says

from wirken.cli.gateway import connected
from wirken.domain.events import AssistantMessageFact, DeliveryConfirmed, DeliveryFailed, TurnEnded, UserMessageFact
from wirken.ipc.calls.channels import Deliver, Delivered
from wirken.ipc.calls.operator import Acknowledged
from wirken.ipc.calls.senders import AllowSender
from wirken.ipc.frames import Accepted, Inbound
from wirken.record.verify import Status

pytestmark = pytest.mark.slow
SESSION = "default/telegram/d7"
CONFIG = '[agents.default]\nmodel = "ollama/x"\n'
MOMENTS = ("at once", "accepted", "user_message", "turn_ended", "asked", "answered")


@asynccontextmanager
async def conversing(folder: Path) -> AsyncIterator[tuple[GatewayProcess, ScriptedModel, Adapter]]:
    async with gateway_process(folder, CONFIG, says("the answer")) as (gateway, model, _):
        async with connected(gateway.paths.operator_socket) as owner:
            await owner.link.call(AllowSender(channel="telegram", sender="7", role="user"), Acknowledged)
        async with at_gateway(gateway.vault, gateway.paths, "telegram") as telegram:
            yield gateway, model, telegram


class Moment:
    """Is over once it has happened: what the adapter sees, or a row of that kind.

    The answers to deliveries wait until `go`.
    """

    def __init__(self, name: str, telegram: Adapter, gateway: GatewayProcess) -> None:
        self.name, self.telegram, self.gateway = name, telegram, gateway
        self.go = asyncio.Event()
        self.answered = asyncio.Event()

    async def deliver(self, asked: Deliver) -> Delivered:
        if self.name == "answered":
            asyncio.get_running_loop().call_soon(self.answered.set)  # with the reply on its way
        elif not self.go.is_set():
            await self.go.wait()
        return Delivered(platform_ids=("1",))

    async def happens(self) -> None:
        match self.name:
            case "at once":
                return
            case "asked":
                await self.telegram.until_asked(1)
            case "answered":
                async with asyncio.timeout(PATIENCE):
                    await self.answered.wait()
            case "accepted":
                await self.telegram.until(lambda: any(isinstance(frame, Accepted) for frame in self.telegram.seen))
            case _:  # rows do not go to adapters
                database = self.gateway.paths.audit_db
                await until(lambda: self.name in map(kind, facts(database, SESSION)), PATIENCE)


async def comes_to_rest(gateway: GatewayProcess, telegram: Adapter, message: Inbound) -> None:
    """Hand the message over again, as a platform does that was not answered, until its answer is on record."""
    async with asyncio.timeout(PATIENCE * 2):
        while True:
            telegram.take()
            if any(isinstance(frame, Accepted) for frame in telegram.seen):
                break
            if telegram.link is not None and not telegram.link.closed.is_set():
                telegram.put(message)
            await asyncio.sleep(0.1)
        while (await verified(gateway.paths.audit_db, gateway.vault, SESSION)).status is not Status.VERIFIED or not [
            fact for fact in facts(gateway.paths.audit_db, SESSION) if isinstance(fact, DeliveryConfirmed)
        ]:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("again", ["", "asked", "answered"])
@pytest.mark.parametrize("name", MOMENTS)
async def test_a_killed_gateway_answers_once(tmp_path: Path, name: str, again: str) -> None:
    async with conversing(tmp_path) as (gateway, _, telegram):
        message = telegram.message("7", "hi")
        moment = Moment(name, telegram, gateway)
        telegram.deliver = moment.deliver
        telegram.put(message)
        await moment.happens()
        second = Moment(again or "at once", telegram, gateway)
        await killed(gateway, telegram, second.deliver if again else came_through)
        if again and not done(gateway):
            telegram.put(message)
            await second.happens()
            await killed(gateway, telegram, came_through)
        await comes_to_rest(gateway, telegram, message)
        look(gateway, telegram)


async def killed(
    gateway: GatewayProcess, telegram: Adapter, deliver: Callable[[Deliver], Awaitable[Delivered]]
) -> None:
    """Kill the gateway, start it again, and return once the adapter is back, with `deliver` from then on."""
    links = telegram.links
    gateway.kill()
    telegram.deliver = deliver
    telegram.asked.clear()
    await gateway.start()
    async with asyncio.timeout(PATIENCE):
        while telegram.links == links:
            await asyncio.sleep(0.01)
    telegram.take()
    telegram.seen.clear()


@pytest.mark.parametrize("name", MOMENTS[1:])
async def test_a_lost_adapter_is_asked_again_and_answers_once(tmp_path: Path, name: str) -> None:
    async with conversing(tmp_path) as (gateway, model, telegram):
        message = telegram.message("7", "hi")
        moment = Moment(name, telegram, gateway)
        telegram.deliver = moment.deliver
        telegram.put(message)
        await moment.happens()
        assert telegram.link is not None
        telegram.link.drop()
        await telegram.link.closed.wait()
        moment.go.set()
        telegram.seen.clear()
        await comes_to_rest(gateway, telegram, message)
        look(gateway, telegram)
        assert len(model.questions) == 1


def done(gateway: GatewayProcess) -> bool:
    return any(isinstance(fact, DeliveryConfirmed) for fact in facts(gateway.paths.audit_db, SESSION))


def look(gateway: GatewayProcess, telegram: Adapter) -> None:
    rows = facts(gateway.paths.audit_db, SESSION)
    kinds = [type(fact) for fact in rows]
    assert [kinds.count(one) for one in (UserMessageFact, TurnEnded, DeliveryConfirmed, DeliveryFailed)] == [1, 1, 1, 0]
    [confirmed] = [fact for fact in rows if isinstance(fact, DeliveryConfirmed)]
    assert isinstance(rows[confirmed.about_seq], AssistantMessageFact | TurnEnded)
    assert {asked.key for asked in telegram.asked} <= {f"{SESSION}:{confirmed.about_seq}"}
