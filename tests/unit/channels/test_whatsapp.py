"""pywa over real sockets against a simulated Graph API: what goes out, files both ways, and what WhatsApp refuses."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from dataclasses import replace

import pytest
from tests.support.channel_child import listening
from tests.support.recording_house import running
from tests.support.whatsapp_bench import Bench, Tap, at_home, given, whatsapp
from tests.support.whatsapp_sim import WhatsApp as Simulated
from tests.support.whatsapp_state import Media

from wirken.channels.contract import Attachment, PlatformAway, Question, Revoked, SlowDown, Undeliverable
from wirken.channels.render import whatsapp as dialect
from wirken.channels.render.pieces import Piece, rendered
from wirken.channels.whatsapp import NoPort, NotProven, platform
from wirken.channels.whatsapp_convert import handle
from wirken.domain import channel_limits as limits
from wirken.domain.secret import Secret

HI = Piece("*hi*", "hi")
PLANES = "Aé Жш ا ह 中 한 😀 𠀀 𰀀 𝒳 \U000e0041 \U000f0000 \U00100000"


# --- being there ----------------------------------------------------------------------------------------


async def test_it_is_connected_once_the_token_is_found_good() -> None:
    async with whatsapp() as at, running(at.platform, at.house):
        assert at.house.connections == ["+1 555-078-3881 Wirken"]


@pytest.mark.parametrize("name", ["app_secret", "verify_token"])
async def test_without_a_secret_it_does_not_start(name: str) -> None:
    with listening(0) as listener:
        good = given(Simulated(), listener)
        for secrets in ({**good.secrets, name: Secret(b"")}, {k: v for k, v in good.secrets.items() if k != name}):
            with pytest.raises(NotProven):
                platform(replace(good, secrets=secrets))
        with pytest.raises(NoPort):
            platform(replace(good, listener=None))


async def test_a_token_that_was_revoked_is_found_out_while_nobody_says_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "WHATSAPP_CHECK", 0.01)
    async with whatsapp() as at, running(at.platform, at.house) as task:
        at.sim.revoked = True
        with pytest.raises(Revoked, match="expired or was revoked"):
            await asyncio.wait_for(task, 30)


async def test_calls_are_taken_while_the_graph_api_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WHATSAPP_CHECK_AGAIN", 0.01)
    async with whatsapp() as at:
        at.sim.garbage = [b"no json"] * 3
        async with running(at.platform, at.house):
            at.sim.say(at.alice, "hello")
            assert await at.house.texts(1) == ["hello"]
        assert at.house.gone


@pytest.mark.parametrize("code", [10, 200, 100])
async def test_a_number_that_is_not_ours_is_said(code: int) -> None:
    async with whatsapp() as at:
        at.sim.phone_id = "999999"
        with pytest.raises(Revoked):
            await at.platform.run(at.house)


# --- text -----------------------------------------------------------------------------------------------


async def test_text_of_every_plane_is_sent_and_its_fate_is_awaited() -> None:
    async with at_home() as at:
        for piece in (Piece(f"*{PLANES}*", PLANES),):
            await at.platform.send(at.here, piece, "k1")
        (message,) = at.sim.state.messages
        assert message.raw == f"*{PLANES}*" and message.text == PLANES and message.to == at.alice.number
        assert not message.content["preview_url"]


async def test_the_longest_piece_is_taken() -> None:
    async with at_home() as at:
        for piece in rendered("𝒳" * 5000, dialect.DIALECT):
            await at.platform.send(at.here, piece, piece.plain[:1] + str(len(piece.plain)))
        assert [len(one.raw.encode("utf-16-le")) // 2 for one in at.sim.state.messages] == [
            limits.WHATSAPP_TEXT,
            10_000 - 2 * 4096,
        ]


async def test_the_same_key_again_is_the_same_message() -> None:
    async with at_home() as at:
        first = await at.platform.send(at.here, HI, "k1")
        assert await at.platform.send(at.here, HI, "k1") == first
        assert len(at.sim.state.messages) == 1


async def test_an_answer_quotes_what_it_answers_unless_it_follows_it() -> None:
    async with at_home() as at:
        first = at.sim.say(at.alice, "one")
        await at.house.texts(1)
        await at.platform.send(at.here, HI, "k1", first)
        second = at.sim.say(at.alice, "two")
        await at.house.texts(2)
        await at.platform.send(at.here, HI, "k2", first)
        await at.platform.send(at.here, HI, "k3", second)
        assert [one.context for one in at.sim.state.messages] == ["", first, ""]


async def test_what_is_quoted_may_be_gone() -> None:
    async with at_home() as at:
        for number, gone in enumerate(("wamid.gone", "files:wamid.gone", "5:7", "")):
            await at.platform.send(at.here, HI, f"k{number}", gone)
        assert [one.context for one in at.sim.state.messages] == ["", "", "", ""]


async def test_who_shows_no_number_is_answered_by_user_id() -> None:
    async with at_home() as at:
        at.sim.say(at.nameless, "hello")
        await at.house.texts(1)
        (said,) = at.house.received
        assert (said.sender, said.sender_name) == (at.nameless.user_id, "Nobody")
        await at.platform.send(said.conversation, HI, "k1")
        assert at.sim.state.messages[-1].to == at.nameless.user_id


async def test_typing_is_shown_under_the_newest_message() -> None:
    async with at_home() as at:
        await at.platform.typing(at.here)
        assert at.sim.state.typing == []
        said = at.sim.say(at.alice, "hello")
        await at.house.texts(1)
        await at.platform.typing(at.here)
        assert at.sim.state.typing == [said]


# --- questions ------------------------------------------------------------------------------------------


async def test_two_answers_are_buttons_and_four_are_a_list() -> None:
    async with at_home() as at:
        await at.platform.ask(at.here, Question("a1", (HI,), ("once", "deny")), "k1")
        await at.platform.ask(at.here, Question("a2", (HI, HI), ("once", "session", "30d", "deny")), "k2")
        buttons, before, rows = at.sim.state.messages
        assert (buttons.content["type"], before.kind, rows.content["type"]) == ("button", "text", "list")
        assert buttons.carried == ["a1:once", "a1:deny"]
        assert rows.carried == ["a2:once", "a2:session", "a2:30d", "a2:deny"]


async def test_a_question_at_the_edge_of_what_fits_over_buttons() -> None:
    async with at_home() as at:
        for size in (limits.WHATSAPP_QUESTION, limits.WHATSAPP_QUESTION + 1, limits.WHATSAPP_TEXT):
            await at.platform.ask(at.here, Question("a", (Piece("x" * size, "x"),), ("once", "deny")), f"k{size}")
        assert [one.content["type"] for one in at.sim.state.messages] == ["button", "list", "list"]


async def test_how_a_question_ended_is_said_under_it() -> None:
    async with at_home() as at:
        asked = await at.platform.ask(at.here, Question("a1", (HI,), ("once", "deny")), "k1")
        await at.platform.edit(at.here, asked, Piece("Denied", "Denied"))
        await at.platform.edit(at.here, asked, Piece("Denied", "Denied"))
        assert [(one.text, one.context) for one in at.sim.state.messages[1:]] == [("Denied", asked)]


# --- files ----------------------------------------------------------------------------------------------


async def test_a_file_comes_whole_and_checked() -> None:
    data = b"all is well\n" * 200_000
    async with at_home() as at:
        at.sim.send_file(at.alice, data, "../report.txt", "look")
        await at.house.texts(1)
        (file,) = at.house.received[0].files
        assert (file.name, file.media_type) == ("report.txt", "text/plain")
        assert await fetched(at, file) == data


async def test_a_file_whose_digest_is_another_does_not_come() -> None:
    async with at_home() as at:
        for digest in ("0" * 64, "nonsense", ""):
            known = at.sim.keep(Media(b"data", "text/plain", digest=digest or " "))
            with pytest.raises(PlatformAway):
                await fetched(at, Attachment("a", "text/plain", -1, known))


async def test_a_digest_may_be_told_in_base64() -> None:
    async with at_home() as at:
        told = base64.b64encode(hashlib.sha256(b"data").digest()).decode()
        known = at.sim.keep(Media(b"data", "text/plain", digest=told))
        assert await fetched(at, Attachment("a", "text/plain", -1, known)) == b"data"


@pytest.mark.parametrize(
    "where", ["http://evil.example/a", "{url}@evil.example/", "{url}.evil.example/", "https://127.0.0.1/", "nonsense"]
)
async def test_a_file_is_fetched_from_whatsapp_alone(where: str) -> None:
    async with at_home() as at:
        known = at.sim.keep(Media(b"data", "text/plain"))
        at.sim.elsewhere = where.format(url=at.sim.url)
        asked = len(at.sim.requests)
        with pytest.raises((Undeliverable, PlatformAway)):
            await fetched(at, Attachment("a", "text/plain", -1, known))
        assert len(at.sim.requests) == asked + 1, "where it lies was asked, and nothing else"


async def test_a_file_that_is_gone_is_said_so() -> None:
    async with at_home() as at:
        with pytest.raises(Undeliverable):
            await fetched(at, Attachment("a", "text/plain", -1, "404"))


async def test_files_are_sent_as_what_they_are() -> None:
    async with at_home() as at:
        send = at.platform.send_file
        await send(at.here, "a.txt", "text/plain", b"text", HI, "k1")
        await send(at.here, "a.png", "image/png", b"\x89PNG", HI, "k2")
        await send(at.here, "a.mp3", "audio/mpeg", b"ID3", HI, "k3")
        await send(at.here, "a.json", "application/json", b"{}", None, "k4")
        shown = [(one.kind, one.file_name, one.raw, one.data) for one in at.sim.state.messages]
        assert shown == [
            ("document", "a.txt", "*hi*", b"text"),
            ("image", "a.png", "*hi*", b"\x89PNG"),
            ("audio", "a.mp3", "", b"ID3"),
            ("text", "", "*hi*", b""),
            ("document", "a.json", "", b"{}"),
        ]


async def test_a_caption_at_the_edge() -> None:
    async with at_home() as at:
        for size in (limits.WHATSAPP_CAPTION, limits.WHATSAPP_CAPTION + 1):
            await at.platform.send_file(at.here, "a", "text/plain", b"a", Piece("x" * size, "x"), f"k{size}")
        assert [len(one.raw) for one in at.sim.state.messages] == [1024, 0, 1025]


async def test_a_file_is_uploaded_once_however_often_it_is_tried() -> None:
    async with at_home() as at:
        at.sim.refusals = [(131016, 503)]
        with pytest.raises(PlatformAway):
            await at.platform.send_file(at.here, "a.txt", "text/plain", b"text", None, "k1")
        await at.platform.send_file(at.here, "a.txt", "text/plain", b"text", None, "k1")
        assert len(at.sim.state.media) == 1 and len(at.sim.state.messages) == 1


# --- refusals -------------------------------------------------------------------------------------------


async def test_after_24_hours_it_is_said_that_they_are_over() -> None:
    async with at_home() as at:
        at.sim.state.open.clear()
        with pytest.raises(Undeliverable, match="24 hours"):
            await at.platform.send(at.here, HI, "k1")
        assert at.sim.state.messages == []
        at.sim.say(at.alice, "hello")
        await at.house.texts(1)
        await at.platform.send(at.here, HI, "k1")
        assert len(at.sim.state.messages) == 1


@pytest.mark.parametrize(
    ("code", "status", "kind", "says"),
    [
        (190, 401, Revoked, "expired or was revoked"),
        (0, 401, Revoked, "expired or was revoked"),
        (130429, 429, SlowDown, "pause"),
        (80007, 400, SlowDown, "pause"),
        (131056, 400, SlowDown, "pause"),
        (131048, 400, SlowDown, "pause"),
        (131047, 400, Undeliverable, "24 hours"),
        (131026, 400, Undeliverable, "cannot deliver"),
        (131030, 400, Undeliverable, "list of recipients"),
        (131000, 500, PlatformAway, "131000"),
        (131016, 503, PlatformAway, "131016"),
        (10, 403, Undeliverable, "permit"),
        (299, 403, Undeliverable, "permit"),
        (999999, 400, Undeliverable, "999999"),
    ],
)
@pytest.mark.parametrize("later", [False, True])
async def test_each_refusal_means_what_it_says_at_once_or_later(
    code: int, status: int, kind: type[Exception], says: str, later: bool
) -> None:
    async with at_home() as at:
        if later:
            at.sim.failures = [code or 190]
        else:
            at.sim.refusals = [(code, status)]
        with pytest.raises(kind, match=says) as caught:
            await at.platform.send(at.here, HI, "k1")
        assert type(caught.value) is kind and caught.value.__cause__ is None
        await at.platform.send(at.here, HI, "k1")
        assert len(at.sim.state.messages) == 1, "the same key may be tried again"


async def test_a_pause_for_one_person_is_none_for_all() -> None:
    async with at_home() as at:
        for code, everywhere in ((131056, False), (130429, True)):
            at.sim.refusals = [(code, 400)]
            with pytest.raises(SlowDown) as caught:
                await at.platform.send(at.here, HI, "k1")
            assert caught.value.everywhere == everywhere and caught.value.seconds > 0


async def test_whatsapp_may_say_nothing_of_what_became_of_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WHATSAPP_FATE", 0.05)
    async with at_home() as at:
        at.sim.silent = True
        for number in range(3):
            assert await at.platform.send(at.here, HI, f"k{number}")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"no json",
        b"[]",
        b'{"messages": []}',
        b'{"messages": [{"id": 5}]}',
        b'{"messages": 3}',
        b"[" * 100_000,
        b'{"messages": ' + b'{"a":' * 100_000,
        b'"' + b"x" * limits.WHATSAPP_ANSWER,
    ],
)
async def test_nonsense_is_an_outage(said: bytes) -> None:
    async with at_home() as at:
        at.sim.garbage = [said]
        with pytest.raises(PlatformAway):
            await at.platform.send(at.here, HI, "k1")
        await at.platform.send(at.here, HI, "k1")


async def test_an_answer_may_have_as_many_bytes_as_are_said_and_no_more() -> None:
    async with at_home() as at:
        good = b'{"messages":[{"id":"wamid.x"}]}'
        at.sim.garbage = [good.ljust(limits.WHATSAPP_ANSWER), good.ljust(limits.WHATSAPP_ANSWER + 1)]
        assert await at.platform._taken(at.here, "text", {}, "") == "wamid.x"
        with pytest.raises(PlatformAway, match="too long"):
            await at.platform._taken(at.here, "text", {}, "")


async def test_whoever_stands_in_the_way_cannot_revoke_the_token() -> None:
    async with Tap(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 21\r\n\r\n<html>Log in.</html> ") as tap:
        with listening(0) as listener:
            away = Simulated()
            away.port = tap.port
            served = platform(given(away, listener))
            with pytest.raises(PlatformAway, match="status 401"):
                await served.send(handle("4915700000001"), HI, "k1")
            await served.close()


async def test_nothing_listens_there() -> None:
    async with at_home() as at:
        await at.sim.stop()
        with pytest.raises(PlatformAway, match="cannot be reached"):
            await at.platform.send(at.here, HI, "k1")


@pytest.mark.parametrize("hostile", ["..", "me", "GROUP-1", "4915700000001/x", "US.1/../2", "g123", "1" * 21, "DE.x y"])
async def test_conversations_of_others_are_refused(hostile: str) -> None:
    async with at_home() as at:
        with pytest.raises(Undeliverable):
            await at.platform.send(replace(at.here, conversation=hostile), HI, "k1")  # type: ignore[arg-type]  # hostile


async def test_no_log_tells_a_token_a_message_or_a_file(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with at_home() as at:
        at.sim.send_file(at.alice, b"data", "a.txt", "a secret")
        await at.house.texts(1)
        await fetched(at, at.house.received[0].files[0])
        await at.platform.send(at.here, HI, "k1")
        at.sim.refusals = [(190, 401)]
        with pytest.raises(Revoked):
            await at.platform.send(at.here, Piece("secret", "secret"), "k2")
        told = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("aiohttp"))
        for word in (at.sim.token, at.sim.app_secret, at.sim.verify_token, "secret", "/files/", at.alice.number):
            assert word not in told


async def fetched(at: Bench, file: Attachment) -> bytes:
    return b"".join([piece async for piece in at.platform.fetch(file)])
