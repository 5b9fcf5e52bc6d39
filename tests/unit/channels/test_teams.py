"""Our client of Bot Connector over real sockets against a simulated one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator

import pytest
from tests.support.recording_house import RecordingHouse, running
from tests.support.teams_bench import Bench, teams_bench, until
from tests.support.teams_sim import Refusal, refusal, slow
from tests.support.teams_state import Room

from wirken.channels.contract import (
    Attachment,
    GatewayAway,
    PlatformAway,
    Question,
    Revoked,
    SlowDown,
    Undeliverable,
)
from wirken.channels.render import teams as dialect
from wirken.channels.render.pieces import Piece, rendered
from wirken.channels.teams import platform
from wirken.channels.teams_convert import Handle
from wirken.domain import channel_limits as limits
from wirken.domain.ids import conversation_id
from wirken.domain.platforms import SessionHandle, Teams

HI = Piece("**hi**", "hi")
GROUP = "19:8ea0e38b-efb3-4757-924a-5f94061cf8c2_97f62344-57dc-409c-88ad-c4af14158ff5@unq.gbl.spaces"
CHANNEL = "19:253b1f341670408fb6fe51050b6e5ceb@thread.tacv2"
PLANES = "Aé Жш ا ह 中 한 😀 𠀀 𰀀 𝒳 \U000e0041 \U000f0000 \U00100000"


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with teams_bench() as made:
        yield made


def at(name: str) -> Handle:
    handle: Handle = SessionHandle(conversation_id(name))
    return handle


# --- in -------------------------------------------------------------------------------------------------


async def test_a_message_is_handed_over_and_answered_with_200(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        assert (await bench.say("hello 😀")).status == 200
    [said] = bench.house.handled
    assert (said.text, said.sender, said.sender_name) == ("hello 😀", bench.alice.aad, "Alice")
    assert said.conversation == bench.here and not said.group and not said.mentioned and not said.edited


async def test_text_of_every_plane_comes_as_it_is(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        await bench.say(PLANES)
        assert await bench.house.texts(1) == [PLANES]


async def test_nothing_is_answered_with_200_before_the_gateway_has_it(bench: Bench) -> None:
    gate = asyncio.get_running_loop().create_future()
    bench.house.gate = lambda _: gate
    async with running(bench.platform, bench.house):
        call = asyncio.ensure_future(bench.say("hello"))
        await bench.house.until(lambda: bench.house.received)
        assert not call.done()
        gate.set_result(None)
        assert (await call).status == 200


async def test_a_slow_message_is_answered_before_the_connector_gives_up_and_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TEAMS_ANSWER_BY", 0.1)
    gate = asyncio.get_running_loop().create_future()
    bench.house.gate = lambda _: gate
    async with running(bench.platform, bench.house):
        assert (await bench.say("hello")).status == 503
        gate.set_result(None)
        assert await bench.house.texts(1) == ["hello"]


async def test_a_message_is_handed_over_again_to_a_gateway_that_was_away(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TEAMS_AGAIN", 0.01)
    bench.house.trouble = [GatewayAway("gone"), GatewayAway("gone")]
    async with running(bench.platform, bench.house):
        assert (await bench.say("hello")).status == 200
    assert len(bench.house.received) == 3 and len(bench.house.handled) == 1


async def test_the_same_message_again_has_the_same_id_and_another_one_another(bench: Bench) -> None:
    _, room = bench.sim.person("Bob")
    async with running(bench.platform, bench.house):
        activity = bench.callers.text(bench.alice, bench.room, "hello")
        for again in (activity, activity, {**activity, "from": bench.sim.person("Bob")[0].wire()}):
            await bench.callers.call(again)
    first, second, other = (said.platform_id for said in bench.house.handled)
    assert first == second != other  # another conversation may count to the same number
    assert room.id != bench.room.id


async def test_an_edit_is_a_message_of_its_own(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        activity = bench.callers.text(bench.alice, bench.room, "hello")
        edit = bench.callers.edited(activity, "hello again")
        for one in (activity, edit, edit, bench.callers.edited(activity, "and again")):
            assert (await bench.callers.call(one)).status == 200
        deleted = {**edit, "channelData": {"tenant": edit["channelData"]["tenant"], "eventType": "undeleteMessage"}}  # type: ignore[index]  # JSON
        await bench.callers.call(deleted)
    ids = [said.platform_id for said in bench.house.handled]
    assert [said.text for said in bench.house.handled] == ["hello", "hello again", "hello again", "and again"]
    assert [said.edited for said in bench.house.handled] == [False, True, True, True]
    assert ids[1] == ids[2] and len(set(ids)) == 3


async def test_in_groups_a_mention_or_the_prefix_calls_the_bot(bench: Bench) -> None:
    group, callers = bench.sim.room(GROUP), bench.callers
    async with running(bench.platform, bench.house):
        for activity in (
            callers.mentioning(bench.alice, group, "what is new?"),
            callers.text(bench.alice, group, "!ai what is new?"),
            callers.text(bench.alice, group, "nothing"),
            callers.text(bench.alice, group, "<at>Wirken</at> typed by hand"),
            callers.mentioning(bench.alice, group, ""),
        ):
            await callers.call(activity)
    assert [(said.text, said.mentioned, said.group) for said in bench.house.handled] == [
        ("what is new?", True, True),
        ("what is new?", True, True),
        ("nothing", False, True),
        ("<at>Wirken</at> typed by hand", False, True),
        ("/help", True, True),
    ]
    assert {said.conversation.conversation for said in bench.house.handled} == {GROUP}


async def test_each_thread_of_a_channel_is_a_conversation_and_is_answered_there(bench: Bench) -> None:
    bench.sim.room(CHANNEL, "channel")
    thread = Room(f"{CHANNEL};messageid=1700000000001", "channel")
    async with running(bench.platform, bench.house):
        await bench.callers.call(bench.callers.mentioning(bench.alice, thread, "hello"))
        [said] = bench.house.handled
        assert said.conversation.conversation == f"{CHANNEL}=m=1700000000001"
        await bench.platform.send(said.conversation, HI, "k")
    assert [stored.text for stored in bench.sim.state.seen(thread.id)] == ["hi"]


@pytest.mark.parametrize(
    "changed",
    [
        {"from": {"id": "28:another-bot", "name": "Bot"}},
        {"from": {"id": "29:1abc", "name": "No account"}},
        {"from": {"id": "29:1abc", "aadObjectId": "not-a-guid"}},
        {"from": {"id": "29:1/../x", "aadObjectId": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"}},
        {"id": "../../x"},
        {"id": None},
        {"id": "x" * 129},
        {"type": "conversationUpdate"},
        {"type": "messageReaction"},
        {"type": "messageDelete"},
        {"type": "something new"},
        {"text": "", "attachments": []},
    ],
)
async def test_what_no_person_said_is_acknowledged_and_not_heard(bench: Bench, changed: dict[str, object]) -> None:
    async with running(bench.platform, bench.house):
        activity = {**bench.callers.text(bench.alice, bench.room, "hello"), **changed}
        assert (await bench.callers.call(activity)).status == 200
    assert bench.house.received == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b'"x"', b"\xff\xfe", b'{"type": 1}', b"[" * 100_000, b'{"type":"message","from":3}'],
)
async def test_nonsense_is_refused_and_harms_nobody(bench: Bench, body: bytes) -> None:
    from tests.support.teams_callers import post, request

    async with running(bench.platform, bench.house):
        raw = post(body, authorization=f"Bearer {bench.callers.token()}")
        assert (await request(bench.callers.port, raw)).status == 400
        assert (await bench.say("hello")).status == 200


async def test_a_channel_that_connects_again_hears_who_called_meanwhile(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        await bench.say("one")
    waiting = asyncio.ensure_future(bench.say("two"))
    async with running(bench.platform, bench.house):
        assert (await waiting).status == 200
    assert [said.text for said in bench.house.handled] == ["one", "two"]


# --- out ------------------------------------------------------------------------------------------------


async def test_a_message_is_sent_once_to_a_key_and_can_be_edited(bench: Bench) -> None:
    sent = await bench.platform.send(bench.here, HI, "k")
    assert await bench.platform.send(bench.here, HI, "k") == sent
    await bench.platform.edit(bench.here, sent, Piece("*there*", "there"))
    [stored] = bench.seen()
    assert (stored.id, stored.text, stored.raw, stored.edits) == (sent, "there", "*there*", 1)


async def test_after_a_restart_a_person_and_a_group_are_found_again(bench: Bench) -> None:
    """Nothing came yet, and nothing is kept: the Connector of all regions is asked for the conversation, once."""
    bench.sim.room(GROUP)
    for number in range(3):
        await bench.platform.send(bench.here, HI, f"k{number}")
    await bench.platform.send(at(GROUP), HI, "k")
    assert len(bench.seen()) == 3 and len(bench.sim.state.seen(GROUP)) == 1
    assert bench.sim.calls.count("POST /teams/v3/conversations") == 1


async def test_what_came_names_the_connector_that_is_answered(bench: Bench) -> None:
    await bench.sim.stop()
    async with teams_bench() as other:
        async with running(other.platform, other.house):
            nearer = f"{other.sim.url}/emea/"
            activity = other.callers.text(other.alice, other.room, "hello", serviceUrl=nearer)
            assert (await other.callers.call(activity, other.callers.token(serviceurl=nearer))).status == 200
        with pytest.raises((PlatformAway, Undeliverable)):
            await other.platform.send(other.here, HI, "k")
        assert other.sim.calls[-1].startswith("POST /emea/v3/conversations/a:1")


async def test_somebody_who_never_had_the_bot_is_told_apart(bench: Bench) -> None:
    with pytest.raises(Undeliverable):
        await bench.platform.send(at("29:1stranger"), HI, "k")


async def test_typing_is_shown(bench: Bench) -> None:
    await bench.platform.typing(bench.here)
    assert bench.sim.state.typing == [bench.room.id]


async def test_a_long_answer_arrives_whole(bench: Bench) -> None:
    source = "wörter 😀 " * 10_000
    for number, piece in enumerate(rendered(source, dialect.DIALECT)):
        await bench.platform.send(bench.here, piece, f"k{number}")
    assert " ".join(stored.text for stored in bench.seen()).split() == source.split()


@pytest.mark.parametrize("name", ["x", "29:", "29:a b", "19:a@b=m=x", "18:abc", "19:a=3B@b", "29:" + "x" * 121])
async def test_a_conversation_that_is_none_of_teams_cannot_be_written_to(bench: Bench, name: str) -> None:
    with contextlib.suppress(ValueError), pytest.raises(Undeliverable):
        await bench.platform.send(SessionHandle(conversation_id(name.replace(" ", "+"))), HI, "k")
    assert bench.sim.calls == []


async def test_an_id_that_is_no_message_never_reaches_an_address(bench: Bench) -> None:
    with pytest.raises(Undeliverable):
        await bench.platform.edit(bench.here, "../../x?y", HI)
    assert bench.sim.calls == []


# --- questions ------------------------------------------------------------------------------------------


async def test_a_question_carries_buttons_and_a_press_says_who_pressed(bench: Bench) -> None:
    question = Question("ap-1", (HI, Piece("Delete?", "Delete?")), ("once", "session", "30d", "deny"))
    bob, _ = bench.sim.person("Bob")
    async with running(bench.platform, bench.house):
        sent = await bench.platform.ask(bench.here, question, "k")
        before, stored = bench.seen()
        assert (before.text, stored.text, stored.id) == ("hi", "Delete?", sent)
        assert [one["title"] for one in stored.buttons()][-1] == "Deny" and len(stored.buttons()) == 4
        for action in stored.buttons():
            answer = await bench.press(stored, action)
            assert json.loads(answer.body) == {
                "statusCode": 200,
                "type": "application/vnd.microsoft.activity.message",
                "value": "It counts.",
            }
        await bench.press(stored, stored.buttons()[0], bob)
    assert [press.choice for press in bench.house.presses] == ["once", "session", "30d", "deny", "once"]
    assert [press.sender for press in bench.house.presses] == [bench.alice.aad] * 4 + [bob.aad]
    assert {press.approval for press in bench.house.presses} == {"ap-1"}
    assert bench.house.presses[0].message_id == sent and bench.house.presses[0].conversation == bench.here


async def test_a_press_of_an_old_client_comes_as_a_message_and_is_answered_by_one(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        await bench.platform.ask(bench.here, Question("ap-1", (HI,), ("once", "deny")), "k")
        [stored] = bench.seen()
        fallback = stored.buttons()[1]["fallback"]
        assert isinstance(fallback, dict) and fallback["type"] == "Action.Submit"
        assert (await bench.callers.call(bench.callers.press(bench.alice, stored, fallback, submit=True))).status == 200
        await until(lambda: len(bench.seen()) == 2)
    assert [press.choice for press in bench.house.presses] == ["deny"] and bench.house.received == []
    assert bench.seen()[1].text == "It counts."


async def test_an_edit_takes_the_buttons_away(bench: Bench) -> None:
    sent = await bench.platform.ask(bench.here, Question("ap-1", (HI,), ("once", "deny")), "k")
    await bench.platform.edit(bench.here, sent, Piece("Denied.", "Denied."))
    [stored] = bench.seen()
    assert stored.text == "Denied." and stored.buttons() == []


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"approval": "ap-1"},
        {"approval": "ap-1", "choice": "always"},
        {"approval": "../x", "choice": "once"},
        {"approval": 3, "choice": "once"},
        {"approval": "x" * 49, "choice": "once"},
    ],
)
async def test_a_button_that_is_none_of_ours_answers_nothing(bench: Bench, data: dict[str, object]) -> None:
    async with running(bench.platform, bench.house):
        await bench.platform.ask(bench.here, Question("ap-1", (HI,), ("once",)), "k")
        answer = await bench.press(bench.seen()[0], {"verb": "answer", "data": data})
        assert "means nothing" in json.loads(answer.body)["value"]
    assert bench.house.presses == []


async def test_a_press_while_the_gateway_is_away_says_so(bench: Bench) -> None:
    bench.house.trouble = [GatewayAway("gone")]
    async with running(bench.platform, bench.house):
        await bench.platform.ask(bench.here, Question("ap-1", (HI,), ("once",)), "k")
        stored = bench.seen()[0]
        answer = await bench.press(stored, stored.buttons()[0])
        assert "not ready" in json.loads(answer.body)["value"]


async def test_an_invoke_of_another_kind_is_told_that_nobody_has_it(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        assert (await bench.say("", type="invoke", name="task/fetch", value={})).status == 501


# --- trouble --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (refusal(403, "MessageWritesBlocked"), Undeliverable),
        (refusal(404, "ConversationNotFound"), Undeliverable),
        (refusal(400, "BadSyntax"), Undeliverable),
        (refusal(413, "MessageSizeTooBig"), Undeliverable),
        (refusal(412, "PreconditionFailed"), PlatformAway),
        (refusal(500, "ServiceError"), PlatformAway),
        (refusal(502, "BadGateway"), PlatformAway),
        (Refusal(403, b"<html>a proxy in between</html>"), PlatformAway),
        (Refusal(404, b""), PlatformAway),
        (Refusal(401, b"<html>log in to the hotel</html>"), PlatformAway),
        (Refusal(302, b""), PlatformAway),
        (Refusal(200, b"not JSON"), PlatformAway),
        (Refusal(201, b'{"id": 3}'), PlatformAway),
        (Refusal(201, b"[" * 100_000), PlatformAway),
    ],
)
async def test_what_the_connector_refuses_is_an_error_of_the_port(
    bench: Bench, said: Refusal, error: type[Exception]
) -> None:
    bench.sim.refusals = [said, said]
    with pytest.raises(error) as raised:
        await bench.platform.send(bench.here, HI, "k")
    assert not isinstance(raised.value, Revoked | SlowDown)
    assert "some words" not in str(raised.value) and raised.value.__cause__ is None


async def test_a_pause_that_is_asked_for_is_told(bench: Bench) -> None:
    bench.sim.refusals = [slow(7)]
    with pytest.raises(SlowDown) as raised:
        await bench.platform.send(bench.here, HI, "k")
    assert raised.value.seconds == 7.0


async def test_a_withdrawn_token_is_renewed_once_and_the_message_arrives(bench: Bench) -> None:
    await bench.platform.send(bench.here, HI, "k1")
    bench.sim.withdrawn = bench.sim.issued
    await bench.platform.send(bench.here, HI, "k2")
    assert len(bench.seen()) == 2 and bench.sim.issued == 2


async def test_a_bot_that_is_refused_with_a_new_token_is_revoked(bench: Bench) -> None:
    bench.sim.withdrawn = 10**6
    with pytest.raises(Revoked):
        await bench.platform.send(bench.here, HI, "k")
    assert bench.sim.issued == 2


async def test_a_refused_secret_is_revoked_at_once_and_when_a_token_ends(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TEAMS_PAUSE", 0.1)
    bench.sim.lifetime = limits.TEAMS_TOKEN_EARLY
    async with running(bench.platform, bench.house) as task:
        bench.sim.revoked = True
        with pytest.raises(Revoked) as raised:
            await asyncio.wait_for(asyncio.shield(task), 30)
        assert "AADSTS" not in str(raised.value)
    with pytest.raises(Revoked):
        await bench.platform.run(RecordingHouse())


@pytest.mark.parametrize("said", [refusal(500, "x"), Refusal(400, b"no JSON"), Refusal(200, b"{}"), slow(3)])
async def test_trouble_of_the_login_is_no_revocation(bench: Bench, said: Refusal) -> None:
    bench.sim.entra = [said]
    with pytest.raises(PlatformAway):
        await bench.platform.run(bench.house)


async def test_trouble_of_the_login_later_is_told_and_ends(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TEAMS_TOKEN_PAUSE", 0.01)
    monkeypatch.setattr(limits, "TEAMS_PAUSE", 0.1)
    bench.sim.lifetime = 0
    async with running(bench.platform, bench.house):
        bench.sim.entra = [refusal(500, "x")]
        await bench.house.until(lambda: bench.house.gone and len(bench.house.connections) > 1)
        assert (await bench.say("hello")).status == 200


async def test_an_answer_at_the_bound_is_read_and_a_longer_one_is_not(bench: Bench) -> None:
    fits = b'{"id":"1"}'.ljust(limits.TEAMS_ANSWER)
    bench.sim.refusals = [Refusal(200, fits), Refusal(200, fits + b" ")]
    assert await bench.platform.send(bench.here, HI, "k1") == "1"
    with pytest.raises(PlatformAway):
        await bench.platform.send(bench.here, HI, "k2")


async def test_a_platform_that_is_gone_is_away(bench: Bench) -> None:
    await bench.sim.stop()
    with pytest.raises(PlatformAway):
        await bench.platform.send(bench.here, HI, "k")
    with pytest.raises(PlatformAway):
        await bench.platform.run(bench.house)


async def test_without_a_port_nobody_can_call(bench: Bench) -> None:
    from dataclasses import replace

    served = platform(replace(bench.given, listener=None))
    with pytest.raises(PlatformAway):
        await served.run(RecordingHouse[Teams]())
    await served.close()


async def test_no_log_tells_a_secret_or_a_token(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(bench.platform, bench.house):
        await bench.say("hello")
        await bench.platform.send(bench.here, HI, "k")
        bench.sim.refusals = [refusal(500, "x")]
        with pytest.raises(PlatformAway):
            await bench.platform.send(bench.here, HI, "k2")
    told = caplog.text
    assert "S3cret" not in told and "token-1" not in told and bench.callers.token()[:20] not in told


# --- files ----------------------------------------------------------------------------------------------


async def got(bench: Bench, file: Attachment) -> bytes:
    return b"".join([piece async for piece in bench.platform.fetch(file)])


async def test_files_and_pictures_come_with_our_token_for_the_connector_alone(bench: Bench) -> None:
    file, picture = bench.callers.file("../a\\b.txt", b"data"), bench.callers.picture(b"picture")
    async with running(bench.platform, bench.house):
        await bench.say("look", attachments=[{"contentType": "text/html"}, file, picture])
        first, second = bench.house.handled[0].files
        assert (first.name, second.name) == ("b.txt", "image") and (first.size, second.size) == (-1, -1)
        assert await got(bench, second) == b"picture"
        bench.sim.files.clear()
        with pytest.raises(Undeliverable):
            await got(bench, first)


async def test_a_file_of_some_megabytes_comes_in_pieces(bench: Bench) -> None:
    data = bytes(5 * 2**20)
    async with running(bench.platform, bench.house):
        await bench.say("look", attachments=[bench.callers.file("a.bin", data)])
        assert await got(bench, bench.house.handled[0].files[0]) == data


@pytest.mark.parametrize("url", ["https://evil.example/x", "file:///etc/passwd", "", "http://127.0.0.1:1/x"])
async def test_a_file_that_lies_elsewhere_is_not_fetched(bench: Bench, url: str) -> None:
    with pytest.raises(Undeliverable):
        await got(bench, Attachment("a", "text/plain", 1, url))


async def test_a_file_is_offered_taken_and_shown(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        sent = await bench.platform.send_file(bench.here, "a.txt", "text/plain", b"data", HI, "k")
        assert await bench.platform.send_file(bench.here, "a.txt", "text/plain", b"data", HI, "k") == sent
        card, caption = bench.seen()
        assert caption.text == "hi" and card.id == sent
        assert (await bench.callers.call(bench.callers.consents(bench.alice, card))).status == 200
        await until(lambda: card.edits)
        assert card.attachments[0]["contentType"] == "application/vnd.microsoft.teams.card.file.info"
        assert bench.sim.uploads == {card.id: b"data"} and bench.sim.ranges == ["bytes 0-3/4"]


async def test_a_file_that_is_declined_or_forgotten_is_said_to_be(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TEAMS_OFFERED", 1)
    async with running(bench.platform, bench.house):
        for number in range(2):
            await bench.platform.send_file(bench.here, "a.txt", "text/plain", b"data", None, f"k{number}")
        old, new = bench.seen()
        takes, declines = bench.callers.consents(bench.alice, old), bench.callers.consents(bench.alice, new, "decline")
        await bench.callers.call(takes)
        await bench.callers.call(declines)
        await until(lambda: old.edits and new.edits)
    assert "not held any more" in old.text and "did not take" in new.text and bench.sim.uploads == {}


async def test_nobody_takes_somebody_elses_file(bench: Bench) -> None:
    bob, room = bench.sim.person("Bob")
    async with running(bench.platform, bench.house):
        await bench.platform.send_file(bench.here, "a.txt", "text/plain", b"data", None, "k")
        [card] = bench.seen()
        consent = bench.callers.consents(bench.alice, card)
        consent |= {"from": bob.wire(), "conversation": {"id": room.id, "conversationType": "personal"}}
        assert (await bench.callers.call(consent)).status == 200
        await bench.say("hello")
        assert bench.sim.uploads == {} and card.edits == 0


async def test_into_groups_no_file_can_be_sent(bench: Bench) -> None:
    with pytest.raises(Undeliverable):
        await bench.platform.send_file(at(GROUP), "a.txt", "text/plain", b"data", None, "k")
