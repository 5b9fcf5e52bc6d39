"""The page's API over real sockets, before a scripted gateway."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.support.page import running
from tests.support.stub_gateway import Turn

from wirken.domain import limits
from wirken.ipc.calls import operator as calls
from wirken.ipc.calls.senders import AllowSender, BlockSender


async def test_a_message_is_answered_once_its_row_is_on_disk(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        reply = await page.post("/api/messages", {"text": "hello", "conversation": "c1", "id": "m1"})
        assert reply.status == 202
        assert reply.json() == {"session": "default/webchat/c1", "seq": 0, "conversation": "c1", "id": "m1"}
        assert page.gateway.kinds("default/webchat/c1")[0] == "user_message"


async def test_a_message_without_a_conversation_gets_a_new_one(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        first = (await page.post("/api/messages", {"text": "hello"})).json()
        second = (await page.post("/api/messages", {"text": "hello"})).json()
        assert first["conversation"] != second["conversation"]
        assert first["id"] != second["id"]


async def test_the_same_message_again_is_taken_once(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        message = {"text": "hello", "conversation": "c1", "id": "m1"}
        replies = await asyncio.gather(*(page.post("/api/messages", message) for _ in range(5)))
        assert {reply.body for reply in replies} == {replies[0].body}
        assert page.gateway.kinds("default/webchat/c1").count("user_message") == 1


async def test_a_rejected_message_says_why_and_what_to_do(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        page.gateway.reject = "The queue of this conversation is full."
        reply = await page.post("/api/messages", {"text": "hello"})
        assert reply.status == 422
        assert reply.json() == {"error": page.gateway.reject, "hint": "Try something else."}


async def test_without_a_gateway_a_message_fails_with_503_and_a_hint(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        await page.gateway.stop()
        await asyncio.sleep(0.05)
        reply = await page.post("/api/messages", {"text": "hello"})
        assert reply.status == 503
        assert reply.json()["hint"]


async def test_a_gateway_that_dies_before_it_confirms_is_no_success(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        page.gateway.silent = True
        sending = asyncio.ensure_future(page.post("/api/messages", {"text": "hello", "id": "m1"}))
        while not page.gateway.inbound:
            await asyncio.sleep(0.01)
        await page.gateway.stop()
        assert (await sending).status == 503


@pytest.mark.parametrize(
    "value",
    [
        {"text": "  "},
        {"text": 7},
        {"texts": "hello"},
        {"text": "hello", "conversation": "../etc"},
        {"text": "hello", "conversation": "a/b"},
        {"text": "hello", "id": "x" * 300},
        [],
    ],
)
async def test_a_malformed_message_is_refused_before_the_gateway_hears_of_it(tmp_path: Path, value: object) -> None:
    async with running(tmp_path) as page:
        reply = await page.post("/api/messages", value)
        assert reply.status == 400
        assert set(reply.json()) == {"error", "hint"}
        assert page.gateway.inbound == []


async def test_a_body_is_refused_while_it_is_read_not_after(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        announced = await page.post("/api/messages", {}, {"Content-Length": str(limits.PAGE_BODY + 1)})
        assert announced.status == 413
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        head = (
            f"POST /api/messages HTTP/1.1\r\nHost: localhost:{page.port}\r\nOrigin: http://localhost:{page.port}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
        writer.write(head.encode() + chunk * (limits.PAGE_BODY // 0x10000 + 1))
        # No end of the body was sent: the answer comes without it.
        assert (await asyncio.wait_for(reader.readline(), 5)).split()[1] == b"413"
        writer.close()


async def test_a_message_of_the_longest_text_passes_and_one_byte_more_does_not(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        assert (await page.post("/api/messages", {"text": "x" * limits.MESSAGE})).status == 202
        assert (await page.post("/api/messages", {"text": "x" * (limits.MESSAGE + 1)})).status == 413


async def test_what_the_gateway_itself_answers_is_given_as_such(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        page.gateway.says = "You are owner."
        reply = await page.post("/api/messages", {"text": "/whoami"})
        assert (reply.status, reply.json()) == (200, {"said": "You are owner."})


async def test_rows_are_given_as_they_are_stored(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        await page.post("/api/messages", {"text": "häll\u2028o", "conversation": "c1"})
        await asyncio.sleep(0.1)
        stored = page.gateway.rows["default/webchat/c1"]
        reply = await page.get("/api/sessions/default/webchat/c1/rows?from=1")
        assert reply.body == b'{"rows":[' + b",".join(stored[1:]) + b"]}"


async def test_sessions_status_verify_and_stop_reach_the_gateway(tmp_path: Path) -> None:
    async def wait(turn: Turn) -> None:
        await asyncio.sleep(60)

    async with running(tmp_path, wait) as page:
        await page.post("/api/messages", {"text": "hello", "conversation": "c1"})
        address = "/api/sessions/default/webchat/c1"
        listed = (await page.get("/api/sessions")).json()["sessions"]
        assert isinstance(listed, list)
        assert listed[0]["session"] == "default/webchat/c1"
        assert (await page.get("/api/status")).json()["provider"] == "rehearsal/rehearsal"
        assert (await page.post(address + "/verify", {})).json()["status"] == "verified"
        assert (await page.post(address + "/stop", {})).status == 200
        await asyncio.sleep(0.05)
        assert json.loads(page.gateway.rows["default/webchat/c1"][-2])["outcome"] == "stopped"
        assert calls.ListSessions("webchat") in page.gateway.questions


async def test_an_approval_is_listed_with_hidden_characters_visible_and_answered(tmp_path: Path) -> None:
    async def script(turn: Turn) -> None:
        call = turn.call("exec", '{"command":"rm x"}')
        await turn.say(await turn.ask(call, "exec", "rm \u202etxt.exe\x1b[2J"))

    async with running(tmp_path, script) as page:
        await page.post("/api/messages", {"text": "go", "conversation": "c1"})
        await asyncio.sleep(0.05)
        cards = (await page.get("/api/approvals")).json()["approvals"]
        assert isinstance(cards, list)
        card = cards[0]
        assert card["command"] == "rm \\u202etxt.exe\\x1b[2J"
        assert "\u202e" not in card["call"]
        address = f"/api/approvals/{card['approval']}"
        wrong = await page.post(address, {"choice": "once", "lease": "0" * 64})
        assert wrong.status == 403
        assert (await page.post(address, {"choice": "always", "lease": card["lease"]})).status == 400
        assert (await page.post(address, {"choice": "once", "lease": card["lease"]})).status == 200
        again = await page.post(address, {"choice": "once", "lease": card["lease"]})
        assert again.status == 400


async def test_unknown_addresses_and_wrong_methods_say_so(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        assert (await page.get("/api/nothing")).status == 404
        assert (await page.get("/api/messages")).status == 405
        assert (await page.get("/api/sessions/default/webchat/%2e%2e/rows")).status == 400
        assert (await page.get("/static/../__main__.py")).status == 404
        assert (await page.get("/static/%2e%2e/guard.py")).status == 404


async def test_the_page_and_all_its_files_are_served_with_their_types(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        assert (await page.get("/")).headers["content-type"] == "text/html; charset=utf-8"
        for name in ("main.js", "page.css", "favicon.svg", "vendor/markdown-it.esm.min.mjs"):
            reply = await page.get(f"/static/{name}")
            assert reply.status == 200
            assert reply.headers["content-type"].startswith(("text/javascript", "text/css", "image/svg+xml"))


async def test_who_waits_is_listed_and_decided_about(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        for sender in ("7", "8"):
            page.gateway.somebody_waits("telegram", sender, "Anna")
        listed = (await page.get("/api/senders")).json()["senders"]
        assert isinstance(listed, list)
        assert [(row["channel"], row["sender"], row["name"]) for row in listed] == [
            ("telegram", "7", "Anna"),
            ("telegram", "8", "Anna"),
        ]
        admitted = {"channel": "telegram", "sender": "7", "decision": "allow", "role": "guest", "name": "anna"}
        assert (await page.post("/api/senders", admitted)).status == 200
        assert (
            await page.post("/api/senders", {"channel": "telegram", "sender": "8", "decision": "block"})
        ).status == 200
        assert page.gateway.questions[-2:] == [
            AllowSender(channel="telegram", sender="7", role="guest", principal="anna"),
            BlockSender(channel="telegram", sender="8"),
        ]
        assert (await page.post("/api/senders", admitted)).status == 403


@pytest.mark.parametrize(
    "given",
    [
        {"role": "owner"},
        {"role": "approver"},
        {"decision": "pair"},
        {"decision": "remove"},
        {"sender": 7},
        {"standing": "admitted"},
    ],
)
async def test_the_page_offers_no_other_decision(tmp_path: Path, given: dict[str, object]) -> None:
    async with running(tmp_path) as page:
        page.gateway.somebody_waits("telegram", "7", "Anna")
        body = {"channel": "telegram", "sender": "7", "decision": "allow"} | given
        assert (await page.post("/api/senders", body)).status == 400
        assert page.gateway.waiting
