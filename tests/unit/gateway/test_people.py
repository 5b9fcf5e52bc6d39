from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.gateway_bench import facts
from tests.support.vault_parts import SetClock

from wirken.domain import limits
from wirken.domain.errors import WirkenError
from wirken.domain.events import SenderChanged, SenderRefused
from wirken.domain.ids import OPERATIONS, TERMINAL, WEBCHAT, BadIdentifier, ChannelId, PrincipalId
from wirken.domain.people import THE_OWNER, Person, Role, Standing
from wirken.gateway.log import AuditLog
from wirken.gateway.people import REFUSAL, WELCOME, People, TurnedAway
from wirken.gateway.senders import SenderStore
from wirken.ipc.calls.senders import AllowSender, BlockSender, ListSenders, OfferPairing, PairingCode, SenderRows
from wirken.ipc.frames import Inbound

TELEGRAM = ChannelId("telegram")
HOUR = int(limits.SENDER_REFUSED_EVERY * 1000)
ALICE = Person(PrincipalId("alice"), Role.USER)


@dataclass
class Parts:
    people: People
    clock: SetClock
    folder: Path

    async def says(self, sender: str, text: str = "hello", channel: ChannelId = TELEGRAM, **more: object) -> object:
        given = {"sender": sender, **more}
        return await self.people.meet(channel, Inbound("p", "c", text, **given))  # type: ignore[arg-type]  # fields

    async def allow(self, sender: str, role: str = "user", name: str = "alice") -> None:
        wanted = AllowSender(channel=TELEGRAM, sender=sender, role=role, principal=name)
        await self.people.answer(wanted, "terminal", pending_only=False)

    async def code(self, **more: str) -> PairingCode:
        wanted = OfferPairing(**{"role": "user", **more})
        reply = await self.people.answer(wanted, "terminal", pending_only=False)
        assert isinstance(reply, PairingCode)
        return reply

    def rows(self) -> list[object]:
        return list(facts(self.folder / "audit.db", OPERATIONS))


@asynccontextmanager
async def parts(folder: Path) -> AsyncIterator[Parts]:
    clock = SetClock()
    log = AuditLog(folder / "audit.db", clock, lambda: None)
    log.start()
    people = People(SenderStore(folder / "state.db"), log, clock)
    try:
        yield Parts(people, clock, folder)
    finally:
        log.close()
        people.store.close()


async def test_an_unknown_sender_is_told_once_an_hour(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        assert await at.says("7") == TurnedAway(REFUSAL)
        at.clock.time += HOUR - 1
        assert await at.says("7") == TurnedAway()
        at.clock.time += 1
        assert await at.says("7") == TurnedAway(REFUSAL)
        assert len(at.rows()) == 2 and all(isinstance(row, SenderRefused) for row in at.rows())


async def test_a_crowd_of_unknown_accounts_is_listed_but_told_nothing_more(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        said = [await at.says(str(number)) for number in range(limits.SENDERS_REFUSED + 10)]
        assert said.count(TurnedAway(REFUSAL)) == limits.SENDERS_REFUSED == len(at.rows())
        assert len(at.people.store.accounts(Standing.PENDING)) == limits.SENDERS_REFUSED + 10
        assert await at.says("1", channel=ChannelId("signal")) == TurnedAway(REFUSAL)
        at.clock.time += HOUR
        assert await at.says("late") == TurnedAway(REFUSAL)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(["owner", "alice", "7", "8"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        Inbound,
        platform_id=TEXTS,
        conversation=TEXTS,
        text=TEXTS,
        agent=TEXTS,
        sender=st.sampled_from(["7", "8", "9", " 7", "7 ", "７", "alice", "owner", ""]) | TEXTS,
        sender_name=TEXTS,
        interactive=st.booleans(),
        runner=TEXTS,
        workspace=TEXTS,
        group=st.booleans(),
        mentioned=st.booleans(),
    )
)
async def test_nothing_in_a_frame_but_its_sender_decides_who_somebody_is(tmp_path: Path, message: Inbound) -> None:
    async with parts(tmp_path) as at:
        await at.allow("7")
        await at.allow("8", "owner", "owner")
        known = {"7": ALICE, "8": THE_OWNER}
        try:
            met = await at.people.meet(TELEGRAM, message)
        except BadIdentifier:
            assert message.sender not in known
            return
        heard = not message.group or message.mentioned
        assert (met if isinstance(met, Person) else None) == (known.get(message.sender) if heard else None)
        elsewhere = await at.people.meet(ChannelId("signal"), message)
        assert isinstance(elsewhere, TurnedAway)


async def test_a_code_is_good_for_its_time_and_for_its_channel(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        given = await at.code(channel="telegram")
        assert given.expires == at.clock.time + limits.PAIRING_LIFETIME * 1000
        assert await at.says("7", given.code, ChannelId("signal")) == TurnedAway(REFUSAL)
        at.clock.time = given.expires
        assert await at.says("7", given.code) == TurnedAway(REFUSAL)
        given = await at.code(channel="telegram")
        at.clock.time = given.expires - 1
        assert await at.says("7", given.code) == TurnedAway(WELCOME)
        assert await at.says("7") == Person(PrincipalId("telegram:7"), Role.USER)


@pytest.mark.parametrize("change", ["lower", "dashes", "spaces around", "O for 0"])
async def test_a_code_may_be_typed_as_people_type(tmp_path: Path, change: str) -> None:
    async with parts(tmp_path) as at:
        code = (await at.code()).code
        typed = {
            "lower": code.lower(),
            "dashes": code.replace("-", "\u2013"),
            "spaces around": f"  {code}\n",
            "O for 0": code.replace("0", "o").replace("1", "l"),
        }[change]
        assert await at.says("7", typed) == TurnedAway(WELCOME)


async def test_a_code_inside_other_words_is_no_code(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        code = (await at.code()).code
        for text in (f"my code is {code}", f"{code} {code}", code.replace("-", ""), code[:-1], f"{code}1", f"/{code}"):
            assert await at.says("7", text) in (TurnedAway(REFUSAL), TurnedAway())
        assert await at.says("7", code) == TurnedAway(WELCOME)


async def test_many_wrong_codes_of_many_senders_void_the_code(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        code = (await at.code()).code
        for number in range(limits.PAIRING_GUESSES):
            await at.says(f"s{number // limits.PAIRING_TRIES}", "AAAA-AAAA-AAAA")
        assert not isinstance(await at.says("7", code), Person)
        assert await at.says("7") == TurnedAway()


async def test_an_admitted_senders_new_name_is_what_the_list_shows(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        await at.allow("7")
        for name in ("Ann", "Ann", "Anna\u202e"):
            assert await at.says("7", sender_name=name) == ALICE
        listed = await at.people.answer(ListSenders(), "terminal", pending_only=False)
        assert isinstance(listed, SenderRows)
        [row] = listed.senders
        assert (row.name, row.standing, row.principal, row.role, row.by) == (
            "Anna\\u202e",
            "admitted",
            "alice",
            "user",
            "owner",
        )


async def test_a_role_that_changes_is_a_row_and_counts_from_the_next_message(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        await at.allow("7")
        await at.allow("7", "guest")
        assert await at.says("7") == replace(ALICE, role=Role.GUEST)
        rows = [row for row in at.rows() if isinstance(row, SenderChanged)]
        assert [(row.change, row.role) for row in rows] == [("allowed", "user"), ("allowed", "guest")]


async def test_who_a_sender_is_now_decides_about_a_message_that_waited(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        await at.allow("7")
        assert at.people.still(TELEGRAM, "7", "alice") == ALICE
        assert at.people.still(TELEGRAM, "7", "bob") is None
        assert at.people.still(TELEGRAM, "8", "alice") is None
        assert at.people.still(ChannelId("signal"), "7", "alice") is None
        await at.people.answer(BlockSender(channel=TELEGRAM, sender="7"), "terminal", pending_only=False)
        assert at.people.still(TELEGRAM, "7", "alice") is None
        for channel in (TERMINAL, WEBCHAT):
            assert at.people.still(channel, "", "owner") == THE_OWNER


async def test_the_list_knows_its_standings_only(tmp_path: Path) -> None:
    async with parts(tmp_path) as at:
        for standing in ("admitted", "pending", "blocked", ""):
            await at.people.answer(ListSenders(standing), "terminal", pending_only=False)
        with pytest.raises(WirkenError, match="standing"):
            await at.people.answer(ListSenders("all"), "terminal", pending_only=False)
