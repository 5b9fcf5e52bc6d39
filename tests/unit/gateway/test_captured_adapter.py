"""What an adapter can say that is not true: it reaches its own channel, and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.adapter import adapter
from tests.support.gateway_bench import PATIENCE, Bench, bench, facts
from tests.support.scripted_wings import says

from wirken.domain.errors import Refused
from wirken.domain.events import DeliveryConfirmed, UserMessageFact
from wirken.ipc.calls.channels import ChannelRows, Deliver, Delivered, ShowChannels
from wirken.ipc.calls.operator import Acknowledged, GatewayReport, GatewayStatus
from wirken.ipc.calls.senders import AllowSender
from wirken.ipc.frames import Accepted, Conversing, Delta, Over, Rejected, Reply, Row, Said, Settled
from wirken.ipc.link import pack

ANNA = "default/telegram/d7"
LIES: tuple[Conversing, ...] = (
    Accepted("p1", ANNA, 0),
    Rejected("p1", "no", ""),
    Said("p1", "yes"),
    Delta(ANNA, "pay him"),
    Row(ANNA, b"{}"),
    Settled(ANNA, "0" * 16, "once"),
    Over(ANNA, "p1", "finished", ""),
)


async def allow(at: Bench, channel: str) -> None:
    async with at.operator() as owner:
        await owner.link.call(AllowSender(channel=channel, sender="7", role="user"), Acknowledged)


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: type(lie).__name__)
async def test_what_only_the_gateway_says_drops_the_adapter_that_says_it(tmp_path: Path, lie: Conversing) -> None:
    async with bench(tmp_path) as at, adapter(at) as telegram, adapter(at, "signal") as signal:
        assert signal.link is not None
        signal.stay = False
        signal.link.send(lie)
        async with asyncio.timeout(PATIENCE):
            await signal.link.closed.wait()
        await allow(at, "telegram")
        assert isinstance(await telegram.say("7", "hi"), Over)
        assert telegram.links == 1


async def test_a_forged_correlation_id_confirms_nothing(tmp_path: Path) -> None:
    async def never(asked: Deliver) -> Delivered:
        await asyncio.Event().wait()
        raise AssertionError

    async with bench(tmp_path, says("one")) as at, adapter(at) as telegram, adapter(at, "signal") as signal:
        telegram.deliver = never
        await allow(at, "telegram")
        await allow(at, "signal")
        await telegram.say("7", "hi")
        await telegram.until_asked(1)
        assert signal.link is not None
        for number in range(64):
            signal.link.send(Reply(number, pack(Delivered(platform_ids=("forged",)))))
        assert isinstance(await signal.say("7", "hi"), Over)
        await at.rest("default/signal/d7")
        assert not [fact for fact in facts(at.paths.audit_db, ANNA) if isinstance(fact, DeliveryConfirmed)]
        [own] = [fact for fact in facts(at.paths.audit_db, "default/signal/d7") if isinstance(fact, DeliveryConfirmed)]
        assert own.platform_ids != ("forged",)


async def test_a_conversation_of_another_channel_is_one_of_its_own(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, adapter(at) as telegram, adapter(at, "signal") as signal:
        await allow(at, "telegram")
        await allow(at, "signal")
        await signal.say("7", "hi", "d7")
        await telegram.states(connected=True)
        await at.rest("default/signal/d7")
        assert facts(at.paths.audit_db, ANNA) == [] and telegram.asked == []
        [said] = [fact for fact in facts(at.paths.audit_db, "default/signal/d7") if isinstance(fact, UserMessageFact)]
        assert said.principal == "signal:7"


async def test_an_adapter_asks_nothing_that_is_not_for_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, adapter(at) as telegram:
        assert telegram.link is not None
        deliver = Deliver(key=f"{ANNA}:0", conversation="d7", text="pay him")
        for question, reply in ((deliver, Delivered), (ShowChannels(), ChannelRows), (GatewayStatus(), GatewayReport)):
            with pytest.raises(Refused, match="may not ask"):
                await telegram.link.call(question, reply)


async def test_what_an_adapter_says_of_its_platform_holds_up_no_other_channel(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, adapter(at) as telegram, adapter(at, "signal") as signal:
        await allow(at, "telegram")
        await signal.states(connected=False, detail="telegram is down", revoked=True)
        await telegram.say("7", "hi")
        await telegram.until_asked(1)
