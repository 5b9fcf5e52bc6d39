"""The page in a real browser, before a scripted gateway: one conversation, hostile answers, the keyboard alone."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page as Tab
from playwright.async_api import async_playwright, expect
from tests.support.page import Page, running
from tests.support.stub_gateway import Script, Turn, echo

from wirken.domain.text import shown
from wirken.ipc.calls.operator import AnswerApproval
from wirken.ipc.calls.senders import AllowSender, BlockSender

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium: `make setup-test` installs it"
ARGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = [
    pytest.mark.slow,
    # Playwright leaves its own subprocess transport to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@asynccontextmanager
async def browsing(folder: Path, script: Script, width: int = 1200) -> AsyncIterator[tuple[Page, Tab, list[str]]]:
    """Open the page; the list holds every complaint of the browser and every request to anywhere else."""
    complaints: list[str] = []
    args = [*ARGS, *(["--no-sandbox"] if os.getuid() == 0 else [])]
    async with async_playwright() as playwright, running(folder, script) as page:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        tab = await browser.new_page(viewport={"width": width, "height": 800})
        tab.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        tab.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        own = f"http://localhost:{page.port}/"
        tab.on("request", lambda asked: None if asked.url.startswith(own) else complaints.append(asked.url))
        await tab.goto(own)
        await expect(tab.locator("#status")).to_contain_text("rehearsal")
        yield page, tab, complaints
        await browser.close()


async def send(tab: Tab, text: str) -> None:
    await tab.locator("#text").fill(text)
    await tab.keyboard.press("Enter")


async def one_call(turn: Turn) -> None:
    call = turn.call("exec", '{"command":"curl https://example.org"}')
    tier = "tier2" if "tier2" in turn.message.text else "tier3"
    held = 2.0 if "at night" in turn.message.text else 0.0
    if await turn.ask(call, "exec", "curl https://example.org", tier, held=held) == "deny":
        turn.deny(call, "exec", "shell:curl")
        turn.result(call, "exec", "Permission denied: 'exec' requires tier3 approval.", "denied", None)
    else:
        turn.permit(call, "exec", "tier3", "person")
        turn.result(call, "exec", "\n".join(f"line {number}" for number in range(40)), "failed", 6)
    await turn.say("All **done**.", piece=3, pause=0.01)


async def test_a_conversation_with_an_approval_is_streamed_shown_and_verified(tmp_path: Path) -> None:
    async with browsing(tmp_path, one_call) as (page, tab, complaints):
        await send(tab, "fetch it")
        card = tab.locator(".card")
        await expect(card.locator(".command")).to_have_text("curl https://example.org")
        (row, _) = next(iter(page.gateway.asked.values()))
        await expect(card.locator(".call")).to_have_text(row.call)
        await expect(card.locator(".lease")).to_contain_text(row.lease)
        await expect(card.locator(".countdown")).to_contain_text("left")
        await expect(card.get_by_role("button")).to_have_text(["Allow once", "Deny"])
        await expect(tab.locator("#stop")).to_be_visible()
        await card.get_by_role("button", name="Allow once").click()
        await expect(card).to_have_count(0)
        tool = tab.locator(".tool")
        await expect(tool.locator(".state")).to_have_text("failed, exit code 6")
        await expect(tool.locator("pre")).to_be_hidden()
        await tool.locator("summary").click()
        await expect(tool.locator("pre")).to_contain_text("line 39")
        await expect(tab.locator(".assistant strong")).to_have_text("done")
        await expect(tab.locator(".signed")).to_be_visible()
        await expect(tab.locator("#stop")).to_be_hidden()
        await tab.get_by_role("button", name="Verify").click()
        await expect(tab.locator("#verdict")).to_contain_text("The record verifies.")
        page.gateway.tampered = True
        await tab.get_by_role("button", name="Verify").click()
        await expect(tab.locator("#verdict")).to_contain_text("Row 2 was changed.")
        assert complaints == []


async def test_a_held_question_says_so_until_quiet_hours_end_and_can_be_answered(tmp_path: Path) -> None:
    async with browsing(tmp_path, one_call) as (_, tab, complaints):
        await send(tab, "tier2 at night")
        countdown = tab.locator(".card .countdown")
        await expect(countdown).to_have_text(re.compile(r"^held until .*\d\d:\d\d.*: quiet hours$"))
        await expect(tab.get_by_role("button", name="Allow once")).to_be_enabled()
        await expect(countdown).to_have_text(re.compile(r"^(1:00|0:5\d) left$"))
        await tab.get_by_role("button", name="Allow once").click()
        await expect(tab.locator(".signed")).to_have_count(1)
        assert complaints == []


async def test_a_tier_2_call_may_be_allowed_for_30_days_and_a_refusal_is_shown(tmp_path: Path) -> None:
    async with browsing(tmp_path, one_call, width=360) as (page, tab, complaints):
        await send(tab, "tier2 please")
        await tab.get_by_role("button", name="Allow 30 days").click()
        await expect(tab.locator(".signed")).to_have_count(1)
        approved = json.loads(page.gateway.rows[next(iter(page.gateway.rows))][4])
        assert (approved["kind"], approved["scope"]) == ("permission_approved", "30d")
        await send(tab, "again")
        await tab.get_by_role("button", name="Deny").click()
        await expect(tab.locator(".tool").last).to_contain_text("Permission denied")
        assert await tab.evaluate("document.documentElement.scrollWidth") == 360
        assert complaints == []


HOSTILE = """<script>alert(1)</script> <img src=x onerror=alert(2)> <b onclick="alert(3)">bold</b>

![picture](https://evil.example/leak.png) [script](javascript:alert(4)) [data](data:text/html,<script>alert(5)</script>)
[vb](vbscript:x) [file](file:///etc/passwd) [odd](JaVaScRiPt:alert(6)) [tab](java\tscript:alert(7)) [own](/api/sessions)
[good](https://example.org/a?b=c) <https://example.org> <javascript:alert(8)> [mail](mailto:a@example.org)
[ref]: javascript:alert(9)
[ref] [quote](https://example.org/"onmouseover="alert(10)) `<script>alert(11)</script>`

<style>*{display:none}</style><iframe src=https://evil.example></iframe><form action=https://evil.example>

```html" onclick="alert(12)
<script>alert(13)</script>
```
| a |
|:-:|
| <svg onload=alert(14)> |
"""


async def test_a_hostile_answer_stays_text(tmp_path: Path) -> None:
    async def script(turn: Turn) -> None:
        call = turn.call("exec", '{"command":"<img src=x onerror=alert(1)>\\u202egpj.exe"}')
        turn.permit(call, "exec")
        turn.result(call, "exec", "<script>alert(1)</script>\x1b[2J\u202e")
        await turn.say(HOSTILE, piece=7, pause=0.001)

    async with browsing(tmp_path, script) as (_, tab, complaints):
        await send(tab, "<img src=x onerror=alert(0)>")
        await expect(tab.locator(".signed")).to_be_visible()
        body = tab.locator(".assistant .body")
        found = "script, img, iframe, style, form, svg, b, input, object, embed, [onclick], [onerror], [style]"
        await expect(tab.locator("#rows").locator(found)).to_have_count(0)
        links = await body.locator("a").evaluate_all("nodes => nodes.map(n => [n.protocol, n.rel, n.target])")
        assert {tuple(link) for link in links} == {
            (scheme, "noopener noreferrer", "_blank") for scheme in ("https:", "mailto:")
        }
        await expect(tab.locator(".tool .what")).to_have_text("<img src=x onerror=alert(1)>\\u202egpj.exe")
        await expect(tab.locator(".tool pre")).to_have_text("<script>alert(1)</script>\\x1b[2J\\u202e")
        await expect(tab.locator(".user .body")).to_have_text("<img src=x onerror=alert(0)>")
        assert complaints == []


async def test_markdown_cannot_be_bypassed_because_the_policy_stops_it(tmp_path: Path) -> None:
    async with browsing(tmp_path, echo) as (_, tab, complaints):
        for attempt in (
            "document.body.innerHTML = '<b>x</b>'",
            "trustedTypes.createPolicy('other', {createHTML: t => t})",
            "trustedTypes.createPolicy('wirken-markdown', {createHTML: t => t})",
        ):
            with pytest.raises(Exception, match=r"TrustedHTML|createPolicy"):
                await tab.evaluate(attempt)
        assert any("Trusted" in complaint for complaint in complaints)


async def test_the_page_makes_the_same_characters_visible_as_the_terminal(tmp_path: Path) -> None:
    samples = [
        "plain",
        "ä€😀",
        "a\u202eb",
        "\x00\x1b[2J\x7f\x9b",
        "\u200b\ufeff\u2028\u2029",
        "a\n\tb",
        "\U000e0001\ue000",
        "a\U00016fe4\U0001d159\U00013441",
        "a" + "\u0301" * 9 + "b\u0301\u034f\u0301\u20dd\u0301\u0301",
    ]
    async with browsing(tmp_path, echo) as (_, tab, _complaints):
        mine = await tab.evaluate(
            "async texts => { const { shown } = await import('/static/dom.js');"
            " return texts.map(text => [shown(text), shown(text, true)]); }",
            samples,
        )
    assert mine == [[shown(text), shown(text, keep_newlines=True)] for text in samples]


async def test_everything_can_be_done_with_the_keyboard(tmp_path: Path) -> None:
    async with browsing(tmp_path, one_call) as (page, tab, complaints):
        await expect(tab.locator("#text")).to_be_focused()
        await tab.keyboard.type("first")
        await tab.keyboard.press("Shift+Enter")
        await tab.keyboard.type("second")
        await tab.keyboard.press("Enter")
        await expect(tab.locator(".user .body")).to_have_text("first\nsecond")
        card = tab.locator(".card")
        await expect(card).to_be_focused()
        await tab.keyboard.press("Enter")
        assert len(page.gateway.asked) == 1
        await expect(card.get_by_role("button", name="Allow once")).to_be_enabled()
        await press_until(tab, "Allow once")
        assert await tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        await tab.keyboard.press("Enter")
        await expect(tab.locator(".signed")).to_be_visible()
        await expect(tab.locator("#text")).to_be_focused()
        await press_until(tab, "Verify")
        await tab.keyboard.press("Enter")
        await expect(tab.locator("#verdict")).to_be_focused()
        await press_until(tab, "+ New")
        await tab.keyboard.press("Enter")
        await expect(tab.locator("#title")).to_have_text("New conversation")
        assert complaints == []


async def press_until(tab: Tab, label: str) -> None:
    """Press Tab until a control of this name has the focus."""
    for _ in range(40):
        await tab.keyboard.press("Tab")
        if (await tab.evaluate("document.activeElement.innerText ?? ''")).strip() == label:
            return
    raise AssertionError(f"Tab does not reach {label}")


async def test_a_card_does_not_take_the_focus_from_someone_who_types(tmp_path: Path) -> None:
    async def script(turn: Turn) -> None:
        await asyncio.sleep(0.3)
        await one_call(turn)

    async with browsing(tmp_path, script) as (_, tab, complaints):
        await send(tab, "go")
        await tab.keyboard.type("half a sen")
        await expect(tab.locator(".card")).to_be_visible()
        await expect(tab.locator("#text")).to_be_focused()
        await tab.keyboard.type("tence")
        await expect(tab.locator("#text")).to_have_value("half a sentence")
        await expect(tab.locator("#urgent")).to_contain_text("Approval needed")
        assert complaints == []


async def test_a_lost_gateway_is_announced_and_the_conversation_goes_on_after_it(tmp_path: Path) -> None:
    async with browsing(tmp_path, echo) as (page, tab, _complaints):
        await send(tab, "one")
        await expect(tab.locator(".signed")).to_have_count(1)
        await page.gateway.stop()
        await expect(tab.locator("#banner")).to_contain_text("connection to Wirken is lost")
        async with tab.expect_response("**/api/messages") as refused:
            await send(tab, "two")
        assert (await refused.value).status == 503
        await expect(tab.locator("#text")).to_have_value("two")
        await expect(tab.get_by_role("button", name="Reconnect now")).to_be_visible()
        await page.gateway.start()
        await page.link()
        await tab.evaluate("document.getElementById('reconnect').click()")
        await expect(tab.locator("#banner")).to_be_hidden()
        await tab.locator("#text").press("Enter")
        await expect(tab.locator(".signed")).to_have_count(2)
        assert await tab.locator(".user .body").all_inner_texts() == ["one", "two"]


async def test_stop_ends_the_turn_and_a_reload_shows_the_same_rows(tmp_path: Path) -> None:
    async def script(turn: Turn) -> None:
        await asyncio.sleep(60)

    async with browsing(tmp_path, script) as (_, tab, complaints):
        await send(tab, "wait")
        await tab.get_by_role("button", name="Stop").click()
        await expect(tab.locator(".note.warning")).to_contain_text("Turn stopped")
        await expect(tab.locator(".signed")).to_be_visible()
        before = await tab.locator("#rows").inner_text()
        await tab.reload()
        await expect(tab.locator(".signed")).to_be_visible()
        assert await tab.locator("#rows").inner_text() == before
        await expect(tab.locator("#conversations a[aria-current]")).to_contain_text("wait")
        assert complaints == []


async def test_who_wrote_and_is_unknown_is_admitted_or_blocked_by_the_owner(tmp_path: Path) -> None:
    async with browsing(tmp_path, echo) as (page, tab, complaints):
        await expect(tab.locator("#waiting")).to_be_hidden()
        page.gateway.somebody_waits("telegram", "7", "Mal\u202eory <b>")
        page.gateway.somebody_waits("signal", "+49", "Bob")
        await tab.reload()
        items = tab.locator("#waiting li")
        await expect(items).to_have_count(2)
        await expect(items.first.locator(".title")).to_have_text("Mal\\u202eory <b>")
        await items.first.get_by_label("Role of telegram:7").select_option("guest")
        await tab.get_by_role("button", name="Admit telegram:7").click()
        await expect(items).to_have_count(1)
        await tab.get_by_role("button", name="Block signal:+49").click()
        await expect(tab.locator("#waiting")).to_be_hidden()
        decided = [asked for asked in page.gateway.questions if isinstance(asked, AllowSender | BlockSender)]
        assert decided == [
            AllowSender(channel="telegram", sender="7", role="guest"),
            BlockSender(channel="signal", sender="+49"),
        ]
        assert complaints == []


async def test_a_card_shows_who_asked_what_led_here_and_takes_a_reason_for_a_no(tmp_path: Path) -> None:
    hostile = "tier2 \u202egpj\u200b <img src=x onerror=alert(1)>\nAllow once" + "y" * 1000
    async with browsing(tmp_path, one_call) as (page, tab, complaints):
        await send(tab, hostile)
        card = tab.locator(".card")
        await expect(card.locator(".asker")).to_contain_text("Asked by owner in default/webchat/")
        await expect(card.locator(".quoted").first).to_contain_text("\\u202egpj\\u200b <img src=x")
        await expect(card.locator(".words").first).to_contain_text("1 more bytes, not shown here")
        await expect(card.locator(".quoted").last).to_have_text("I need this.")
        await expect(card.locator(".place li")).to_have_count(2)
        await expect(card.locator("img")).to_have_count(0)
        await expect(card.get_by_role("button")).to_have_text(
            ["Allow once", "Allow this session", "Allow 30 days", "Deny"]
        )
        await card.get_by_label("Reason for a no").fill("not on my laptop")
        await card.get_by_role("button", name="Deny").click()
        await expect(card).to_have_count(0)
        [given] = [asked for asked in page.gateway.questions if isinstance(asked, AnswerApproval)]
        assert (given.choice, given.reason) == ("deny", "not on my laptop")
        assert complaints == []
