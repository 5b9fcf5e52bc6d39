"""The webhook over real sockets: who is believed, what a call becomes, and when it is acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging

import pytest
from tests.support.whatsapp_bench import Bench, at_home, whatsapp
from tests.support.whatsapp_state import Delivery, Json, Stored

from wirken.channels.contract import GatewayAway, Question
from wirken.channels.questions import COUNTS
from wirken.channels.render.pieces import Piece
from wirken.domain import channel_limits as limits

from tests.support.recording_house import running  # isort: skip

HI = Piece("*hi*", "hi")


async def acknowledged(delivery: Delivery) -> None:
    async with asyncio.timeout(30):
        while not delivery.acknowledged:
            await asyncio.sleep(0.01)


def text(at: Bench, said: str) -> Json:
    return at.sim.message(at.alice, {"type": "text", "text": {"body": said}})


# --- setting it up --------------------------------------------------------------------------------------


async def verified(at: Bench, query: str) -> tuple[int, bytes]:
    said = await at.sim.talk(f"GET /?{query} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    head, _, body = said.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


async def test_the_webhook_is_verified_by_our_token_alone() -> None:
    async with at_home() as at:
        good = f"hub.mode=subscribe&hub.verify_token={at.sim.verify_token}&hub.challenge=1158201444"
        assert await verified(at, good) == (200, b"1158201444")
        assert await verified(at, good.replace(at.sim.verify_token, "another")) == (403, b"")
        assert await verified(at, good.replace(at.sim.verify_token, "")) == (403, b"")
        assert await verified(at, good.replace("subscribe", "unsubscribe")) == (403, b"")
        assert await verified(at, "") == (403, b"")
        assert await verified(at, "&".join(["a=b"] * 100)) == (400, b"")


@pytest.mark.parametrize("challenge", ["", "%3Cscript%3E", "a%0d%0aSet-Cookie:%20a", "1" * 129])
async def test_a_challenge_is_a_plain_word(challenge: str) -> None:
    async with at_home() as at:
        query = f"hub.mode=subscribe&hub.verify_token={at.sim.verify_token}&hub.challenge="
        assert await verified(at, query + challenge) == (400, b"")
        assert await verified(at, query + "1" * 128) == (200, b"1" * 128)


# --- who is believed ------------------------------------------------------------------------------------


async def test_who_cannot_sign_is_not_heard(caplog: pytest.LogCaptureFixture) -> None:
    async with at_home() as at:
        body = at.sim.body({"messages": [text(at, "let me in")]})
        good = at.sim.signature(body)
        for signature in (
            "",
            "sha256=",
            good.removeprefix("sha256="),
            good.upper(),
            good.replace("sha256", "sha1"),
            good[:-1],
            good + "0",
            "sha256=" + "0" * 64,
            at.sim.signature(body, "another secret"),
            at.sim.signature(body + b" "),
            at.sim.signature(b""),
            f"{good}\r\nX-Hub-Signature-256: {at.sim.signature(body, 'another')}",
        ):
            assert await at.sim.post(body, signature) == 401, signature
        assert at.house.received == []
        assert await at.sim.post(body, good) == 200
        assert [said.text for said in at.house.received] == ["let me in"]
    assert at.sim.app_secret not in caplog.text and "let me in" not in caplog.text


async def test_a_body_is_not_read_before_it_is_proven(caplog: pytest.LogCaptureFixture) -> None:
    async with at_home() as at:
        for body in (b"[" * 1_000_000, b"no json", b"\xff"):
            assert await at.sim.post(body, at.sim.signature(body, "another")) == 401
            assert await at.sim.post(body, at.sim.signature(body)) == 400
        assert at.house.received == []


async def test_a_call_is_as_long_as_whatsapp_makes_it_and_no_longer() -> None:
    async with at_home() as at:
        body = at.sim.body({"messages": [text(at, "long")]})
        whole = body.ljust(limits.WHATSAPP_CALL)
        assert await at.sim.post(whole, at.sim.signature(whole)) == 200
        longer = body.ljust(limits.WHATSAPP_CALL + 1)
        assert await at.sim.post(longer, at.sim.signature(longer)) == 413
        assert len(at.house.received) == 1


async def test_a_call_that_breaks_off_is_none() -> None:
    async with at_home() as at:
        body = at.sim.body({"messages": [text(at, "half")]})
        assert await at.sim.post(body, at.sim.signature(body), claims=len(body) + 1) in (0, 400)
        assert at.house.received == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_other_methods_are_refused(method: str) -> None:
    async with at_home() as at:
        assert await at.sim.raw(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode()) == 405


# --- what is acknowledged -------------------------------------------------------------------------------


async def test_a_call_is_acknowledged_once_the_gateway_has_all_of_it() -> None:
    async with at_home() as at:
        stuck = asyncio.get_running_loop().create_future()
        at.house.gate = lambda received: stuck if received.text == "two" else None
        delivery = at.sim.call([text(at, word) for word in ("one", "two", "three")], [at.alice])
        await at.house.texts(2)
        assert delivery.answers == []
        stuck.set_result(None)
        await acknowledged(delivery)
        assert sorted(await at.house.texts(3)) == ["one", "three", "two"]
        assert [said.text for said in at.house.received] == ["one", "two", "three"], "in their order"


async def test_what_the_gateway_has_not_comes_again() -> None:
    async with at_home() as at:
        at.house.trouble = [GatewayAway("gone")]
        delivery = at.sim.call([text(at, "one"), text(at, "two")], [at.alice])
        await acknowledged(delivery)
        assert delivery.answers == [503, 200]
        assert [said.text for said in at.house.received] == ["one", "two", "one", "two"]
        first, _, again, _ = at.house.received
        assert first == again


async def test_what_takes_too_long_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WHATSAPP_ANSWER_BY", 0.05)
    async with at_home() as at:
        stuck = asyncio.get_running_loop().create_future()
        at.house.gate = lambda _: asyncio.shield(stuck)
        delivery = at.sim.call([text(at, "one")], [at.alice])
        await at.house.until(lambda: len(at.house.received) >= 2)
        assert set(delivery.answers) == {503}
        stuck.set_result(None)
        await acknowledged(delivery)


async def test_what_came_while_nobody_was_there_comes_in_the_end() -> None:
    async with whatsapp() as at:
        delivery = at.sim.call([text(at, "early")], [at.alice])
        async with running(at.platform, at.house):
            await acknowledged(delivery)
        later = at.sim.call([text(at, "between")], [at.alice])
        async with running(at.platform, at.house):
            await acknowledged(later)
        assert [said.text for said in at.house.handled] == ["early", "between"]


async def test_the_same_call_again_has_the_same_ids() -> None:
    async with at_home() as at:
        said = at.sim.say(at.alice, "hello")
        await at.house.texts(1)
        await acknowledged(at.sim.again(said))
        first, second = at.house.received
        assert first == second


# --- what a call becomes --------------------------------------------------------------------------------


async def test_one_bad_part_hides_no_good_one(caplog: pytest.LogCaptureFixture) -> None:
    async with at_home() as at:
        bad: list[Json] = [{"id": 5, "type": "text"}, {"type": "text"}, {"id": "wamid.x", "type": ["text"]}]
        value: Json = {"contacts": [3, at.sim.contact(at.alice)], "messages": [*bad, text(at, "good")], "statuses": [7]}
        body = at.sim.body(value)
        assert await at.sim.post(body, at.sim.signature(body)) == 200
        (said,) = at.house.received
        assert (said.text, said.sender_name) == ("good", "Alice")
        assert "4 parts" in caplog.text


async def test_calls_about_other_numbers_and_fields_say_nothing_to_us() -> None:
    async with at_home() as at:
        body = at.sim.body({"messages": [text(at, "for another")]})
        for other in (
            body.replace(at.sim.phone_id.encode(), b"999"),
            body.replace(b'"field": "messages"', b'"field": "account_update"'),
            b'{"object": "whatsapp_business_account", "entry": []}',
        ):
            assert await at.sim.post(other, at.sim.signature(other)) == 200
        page = b'{"object": "page", "entry": []}'
        assert await at.sim.post(page, at.sim.signature(page)) == 400
        assert at.house.received == []


# --- buttons --------------------------------------------------------------------------------------------


async def asked(at: Bench) -> Stored:
    await at.platform.ask(at.here, Question("a1", (HI,), ("once", "session", "30d", "deny")), "k1")
    return at.sim.state.messages[-1]


async def test_a_press_tells_who_and_what_and_a_counting_one_is_not_commented() -> None:
    async with at_home() as at:
        question = await asked(at)
        at.house.told = COUNTS["30d"]
        pressed = at.sim.press(at.alice, question, "a1:30d")
        await at.house.until(lambda: at.house.presses)
        (press,) = at.house.presses
        assert (press.sender, press.approval, press.choice) == (at.alice.id, "a1", "30d")
        assert (press.conversation, press.message_id) == (at.here, question.id)
        await acknowledged(next(one for one in at.sim.state.deliveries if pressed in one.names))
        assert at.sim.state.messages == [question] and at.house.received == []


async def test_a_press_that_does_not_count_is_answered() -> None:
    async with at_home() as at:
        question = await asked(at)
        at.house.told = "This is *not open* any more."
        pressed = at.sim.press(at.alice, question, "a1:once")
        await acknowledged(next(one for one in at.sim.state.deliveries if pressed in one.names))
        told = at.sim.state.messages[-1]
        assert (told.context, told.to) == (pressed, at.alice.id) and "not open" in told.text


async def test_the_same_press_again_counts_once() -> None:
    async with at_home() as at:
        pressed = at.sim.press(at.alice, await asked(at), "a1:once")
        await at.house.until(lambda: at.house.presses)
        await acknowledged(at.sim.again(pressed))
        assert len(at.house.presses) == 1


async def test_a_press_while_the_gateway_is_away_is_answered_and_none_is_kept() -> None:
    async with at_home() as at:
        question = await asked(at)
        at.house.trouble = [GatewayAway("gone")]
        pressed = at.sim.press(at.alice, question, "a1:once")
        await acknowledged(next(one for one in at.sim.state.deliveries if pressed in one.names))
        assert "not ready" in at.sim.state.messages[-1].text


async def test_a_press_is_acknowledged_where_nobody_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_home() as at:
        question = await asked(at)
        at.sim.refusals = [(131016, 503)]
        pressed = at.sim.press(at.alice, question, "a1:once")
        await acknowledged(next(one for one in at.sim.state.deliveries if pressed in one.names))
        assert at.sim.state.messages == [question]


# --- what becomes of messages ---------------------------------------------------------------------------


async def test_a_message_that_fails_after_it_was_sent_on_is_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with at_home() as at:
        await at.platform.send(at.here, HI, "k1")
        (message,) = at.sim.state.messages
        for status, code in (("delivered", 0), ("read", 0), ("failed", 131026), ("sent", 0)):
            at.sim.status(message, status, code)
        for delivery in at.sim.state.deliveries:
            await acknowledged(delivery)
        assert "131026" in caplog.text and message.id not in caplog.text


async def test_a_fate_may_come_before_the_message_has_its_id() -> None:
    async with at_home() as at:
        at.sim.hold.at("sent")
        sending = asyncio.create_task(at.platform.send(at.here, HI, "k1"))
        await at.sim.hold.reached.wait()
        await acknowledged(at.sim.state.deliveries[-1])
        at.sim.cut = lambda: None  # type: ignore[method-assign]  # held, and not lost
        at.sim.hold.release()
        assert await sending == at.sim.state.messages[0].id


async def test_deep_and_odd_json_ends_nothing() -> None:
    async with at_home() as at:
        deep = b'{"object": "whatsapp_business_account", "entry": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        odd = json.dumps({"object": "whatsapp_business_account", "entry": [{"changes": [{"value": None}]}]}).encode()
        for body in (deep, odd, b"null", b'{"object": 1}'):
            assert await at.sim.post(body, at.sim.signature(body)) in (200, 400)
        at.sim.say(at.alice, "still there")
        assert await at.house.texts(1) == ["still there"]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.sleep(0)), 1)
