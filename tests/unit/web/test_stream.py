"""The event stream over real sockets: order, resuming, slow and many browsers, a gateway that goes away."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.support.page import Page, running
from tests.support.stub_gateway import Turn

from wirken.domain import events as facts
from wirken.domain import limits

SESSION = "default/webchat/c1"


async def talk(page: Page, text: str = "hello", identity: str = "m1") -> None:
    assert (await page.post("/api/messages", {"text": text, "conversation": "c1", "id": identity})).status == 202


async def test_a_turn_arrives_in_order_with_the_stored_bytes_and_row_ids(tmp_path: Path) -> None:
    async with running(tmp_path) as page, page.events("conversation=c1") as reader:
        await talk(page)
        seen = await reader.until("over")
        stored = [json.loads(row) for row in page.gateway.rows[SESSION]]
        rows = [(number, data) for name, number, data in seen if name == "row"]
        assert rows == [(str(row["seq"]), row) for row in stored]
        previews = "".join(str(data["text"]) for name, _, data in seen if name == "delta")
        assert previews == "You said: hello"
        assert seen[-1][2] == {"session": SESSION, "platform_id": "m1", "outcome": "finished", "reason": ""}


async def test_another_conversations_events_stay_away(tmp_path: Path) -> None:
    async with running(tmp_path) as page, page.events("conversation=c2") as reader:
        await talk(page)
        await page.post("/api/messages", {"text": "mine", "conversation": "c2"})
        assert {data["session"] for _, _, data in await reader.until("over")} == {"default/webchat/c2"}


async def test_a_stream_starts_with_what_is_stored_and_goes_on_without_gap_or_repeat(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        for number in range(1203):
            page.gateway.add(SESSION, facts.SessionClosed(by=str(number)))
        async with page.events(f"session={SESSION}") as reader:
            page.gateway.add(SESSION, facts.SessionClosed(by="later"))
            numbers = [int((await reader.next())[1]) for _ in range(1204)]
            # Past the last, empty page of the history: what came meanwhile waits in the queue and is known already.
            await asyncio.sleep(0.1)
            page.gateway.add(SESSION, facts.SessionClosed(by="last"))
            numbers.append(int((await reader.next())[1]))
        assert numbers == list(range(1205))


@pytest.mark.parametrize("query", [f"session={SESSION}", "conversation=c1"])
async def test_last_event_id_resumes_after_the_row_that_was_seen(tmp_path: Path, query: str) -> None:
    async with running(tmp_path) as page:
        for number in range(5):
            page.gateway.add(SESSION, facts.SessionClosed(by=str(number)))
        async with page.events(query, "Last-Event-ID: 2\r\n") as reader:
            assert [(await reader.next())[1] for _ in range(2)] == ["3", "4"]


async def test_from_says_where_a_reader_wants_to_start(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        for number in range(5):
            page.gateway.add(SESSION, facts.SessionClosed(by=str(number)))
        async with page.events(f"session={SESSION}&from=4") as reader:
            assert (await reader.next())[1] == "4"


@pytest.mark.parametrize("query", ["", "session=x", "session=a/b/c&from=-1", "conversation=%2e%2e", "conversation="])
async def test_a_malformed_question_is_no_stream(tmp_path: Path, query: str) -> None:
    async with running(tmp_path) as page:
        async with page.events(query) as reader:
            assert reader.status == 400
        assert page.hub.streams == 0


async def test_a_question_to_the_person_reaches_every_tab_and_its_answer_too(tmp_path: Path) -> None:
    async def script(turn: Turn) -> None:
        await turn.say(await turn.ask(turn.call("exec", "{}"), "exec", "curl \u202ex"))

    async with running(tmp_path, script) as page, page.events("conversation=other") as reader:
        await talk(page)
        name, _, card = await reader.next()
        assert name == "asked"
        assert card["command"] == "curl \\u202ex"
        assert isinstance(card["now"], int)
        await page.post(f"/api/approvals/{card['approval']}", {"choice": "deny", "lease": card["lease"]})
        settled = {"session": SESSION, "approval": card["approval"], "decision": "denied"}
        assert (await reader.next())[::2] == ("settled", settled)


async def test_a_browser_that_does_not_read_is_told_to_reload_and_the_others_go_on(tmp_path: Path) -> None:
    async with running(tmp_path) as page, page.events("conversation=c1") as slow:
        blob = "x" * 20_000
        async with page.events("conversation=c1") as quick:
            for number in range(limits.PAGE_QUEUE + 400):
                page.gateway.add(SESSION, facts.SessionClosed(by=blob))
                assert (await quick.next())[1] == str(number)
        seen = await slow.until("reload")
        assert len(seen) < limits.PAGE_QUEUE + 400
        with pytest.raises(EOFError):
            await slow.next()


async def test_previews_of_a_long_answer_do_not_use_up_the_queue(tmp_path: Path) -> None:
    async def script(turn: Turn) -> None:
        await turn.say("word " * 5000, piece=5)

    async with running(tmp_path, script) as page, page.events("conversation=c1") as reader:
        await talk(page)
        seen = await reader.until("over")
        assert "".join(str(data["text"]) for name, _, data in seen if name == "delta") == "word " * 5000


async def test_only_so_many_streams_are_open_and_a_closed_one_makes_room(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        readers = [page.events(f"conversation=c{number}") for number in range(limits.PAGE_STREAMS)]
        for reader in readers:
            assert (await reader.__aenter__()).status == 200
        async with page.events("conversation=more") as refused:
            assert refused.status == 503
        await readers[0].__aexit__(None, None, None)
        while page.hub.streams == limits.PAGE_STREAMS:
            await asyncio.sleep(0.01)
        async with page.events("conversation=more") as taken:
            assert taken.status == 200
        for reader in readers[1:]:
            await reader.__aexit__(None, None, None)


async def test_a_gateway_that_goes_away_ends_the_streams_and_the_rest_is_read_after_it_is_back(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as page:
        page.gateway.add(SESSION, facts.SessionClosed(by="one"))
        async with page.events(f"session={SESSION}") as reader:
            assert (await reader.next())[1] == "0"
            await page.gateway.stop()
            assert (await reader.next())[0] == "away"
            with pytest.raises(EOFError):
                await reader.next()
        async with page.events(f"session={SESSION}") as reader:
            assert reader.status == 503
        page.gateway.add(SESSION, facts.SessionClosed(by="two"))
        await page.gateway.start()
        await page.link()
        async with page.events(f"session={SESSION}&from=1") as reader:
            assert (await reader.next())[1] == "1"


async def test_open_streams_do_not_hold_up_the_end(tmp_path: Path) -> None:
    async with running(tmp_path) as page, page.events("conversation=c1") as reader:
        loop = asyncio.get_running_loop()
        started = loop.time()
        page.hub.close()
        await page.server.stop()
        assert loop.time() - started < 0.3
        with pytest.raises(EOFError):
            await reader.next()


async def test_a_row_that_would_forge_events_is_not_passed_on(tmp_path: Path) -> None:
    async with running(tmp_path) as page, page.events("conversation=c1") as reader:
        from wirken.ipc.frames import Row

        page.gateway.show(Row(SESSION, b'{"seq":0}\n\nevent: asked\ndata: {}'))
        assert (await reader.next())[0] == "away"
