from __future__ import annotations

import asyncio

import msgspec
from tests.support.scripted_gateway import Joined, joined
from tests.support.virtual_time import START, settled, until

from wirken.channels.contract import PlatformAway, Undeliverable
from wirken.channels.questions import COUNTS
from wirken.domain import adapter_limits as limits
from wirken.domain.errors import Refused
from wirken.ipc.calls.operator import AnswerApproval, AnswerAs, ApprovalRow

ROW = ApprovalRow(
    approval="0123456789abcdef",
    session="default/telegram/c",
    call_id="call_1",
    tool="exec",
    command="rm -rf *everything* @all `here`",
    call='{"tool":"exec","arguments":{"command":"rm -rf *everything* @all `here`"}}',
    lease="ab" * 32,
    action_keys=("shell:rm",),
    tier="tier3",
    reasons=("It deletes files.",),
    expires=START + 300_000,
    put_to="telegram/c",
)


def row(**changes: object) -> ApprovalRow:
    return msgspec.structs.replace(ROW, **changes)


async def shown(at: Joined, given: ApprovalRow = ROW) -> str:
    """Put a question; return the id of the message that carries its buttons."""
    at.puts(given)
    await until(lambda: any(post.approval == given.approval for post in at.platform.posts.values()))
    await settled()
    return next(name for name, post in at.platform.posts.items() if post.approval == given.approval)


async def test_a_question_is_shown_in_full_with_its_buttons_and_how_else_it_is_answered() -> None:
    async with joined() as at:
        post = at.platform.posts[await shown(at)]
        assert post.buttons == ("once", "deny") and post.conversation == "c"
        text = post.text.replace("\u200b", "")
        assert ROW.call in text and ROW.lease in text and "It deletes files." in text and "300 s" in text
        assert "!approve 0123456789abcdef, or: !deny 0123456789abcdef and why" in text


async def test_choices_of_a_lower_tier_are_all_offered() -> None:
    async with joined() as at:
        post = at.platform.posts[await shown(at, row(choices=("once", "session", "30d", "deny")))]
        assert post.buttons == ("once", "session", "30d", "deny")
        assert "!approve 0123456789abcdef [once|session|30d]" in post.text


async def test_a_question_for_another_channel_or_that_cannot_be_is_not_shown() -> None:
    async with joined() as at:
        for put_to in ("discord/c", "", "telegram/", "telegram/../x", "telegramx/c"):
            at.puts(row(put_to=put_to))
        await at.time.passes(10)
        assert at.platform.calls == []


async def test_a_question_is_shown_once_by_one_process() -> None:
    async with joined() as at:
        await shown(at)
        at.puts(ROW)
        await at.loses_the_gateway()
        await at.dials()
        at.puts(ROW)
        await at.time.passes(10)
        assert len(at.platform.posts) == 1


async def test_a_press_carries_the_lease_of_what_was_shown_and_who_pressed_where() -> None:
    async with joined() as at:
        message_id = await shown(at)
        assert await at.platform.presses(ROW.approval, "once", "99", message_id) == COUNTS["once"]
        given = AnswerApproval(approval=ROW.approval, lease=ROW.lease, choice="once")
        assert at.gateway.answers == [AnswerAs(given, "99", "c")]


async def test_what_the_gateway_says_to_a_press_is_what_the_person_is_told() -> None:
    async with joined() as at:
        await shown(at)
        at.gateway.refuses = Refused("Only owners and approvers answer questions.", hint="Ask one.")
        assert await at.platform.presses(ROW.approval) == "Only owners and approvers answer questions. Ask one."


async def test_a_press_on_what_this_process_never_showed_is_put_to_the_gateway() -> None:
    async with joined() as at:
        at.gateway.refuses = Refused("This question is not open any more: it was answered.")
        assert "not open any more" in await at.platform.presses("f" * 100_000, "deny")
        [asked] = at.gateway.answers
        assert asked.answer.lease == "" and len(asked.answer.approval) == 64


async def test_a_press_while_the_gateway_is_away_or_silent_says_so() -> None:
    async with joined() as at:
        await shown(at)
        await at.loses_the_gateway()
        assert "restarting" in await at.platform.presses(ROW.approval)


async def test_the_message_is_rewritten_to_what_was_decided_and_loses_its_buttons() -> None:
    async with joined() as at:
        message_id = await shown(at)
        at.settles(ROW.approval, "deny", "anna\u202e")
        at.settles(ROW.approval, "once")
        await until(lambda: at.platform.posts[message_id].text.startswith("Denied by anna\\u202e: exec"))
        post = at.platform.posts[message_id]
        assert post.buttons == () and "exec" in post.text and "rm -rf" in post.text.replace("\u200b", "")
        await at.time.passes(60)
        assert len(post.texts) == 1


async def test_a_question_that_is_settled_before_it_could_be_shown_is_not_shown() -> None:
    async with joined() as at:
        at.platform.trouble.append(PlatformAway("Not now."))
        busy = at.asks("first")
        await at.time.passes()
        at.puts(ROW)
        at.settles(ROW.approval, "withdrawn")
        await at.time.passes(limits.SEND_FIRST)
        await busy
        await at.time.passes(60)
        assert at.platform.shown() == ["first"]


async def test_a_question_that_is_settled_while_it_is_being_shown_is_rewritten_after() -> None:
    async with joined() as at:
        at.platform.trouble.append(PlatformAway("Not now."))
        at.puts(ROW)
        await at.time.passes()
        at.settles(ROW.approval, "lapsed")
        await at.time.passes(limits.SEND_FIRST)
        await until(lambda: [text for text in at.platform.shown() if text.startswith("Nobody answered")] != [])
        assert len(at.platform.posts) == 1


async def test_the_message_of_an_earlier_process_is_rewritten_too_once_somebody_presses_it() -> None:
    async with joined() as at:
        message_id = await shown(at)
        old = await at.asks("An older question.")
        for number in range(limits.QUESTION_MESSAGES + 5):
            await at.platform.presses(ROW.approval, message_id=old.platform_ids[0] if number == 0 else f"x{number}")
        at.settles(ROW.approval, "once")
        await at.time.passes(60)
        texts = [at.platform.posts[name].text for name in (message_id, old.platform_ids[0])]
        assert all(text.startswith("Allowed once") for text in texts)
        assert [name for name, _ in at.platform.calls].count("edit") == limits.QUESTION_MESSAGES


async def test_a_question_that_cannot_be_shown_is_given_up() -> None:
    async with joined() as at:
        at.platform.trouble.append(Undeliverable("The chat is gone."))
        at.puts(ROW)
        at.settles(ROW.approval, "once")
        await at.time.passes(60)
        assert at.platform.posts == {}


async def test_a_long_question_fills_several_messages_and_the_last_has_the_buttons() -> None:
    async with joined() as at:
        at.platform.trouble.extend([None, PlatformAway("Not now.")])
        given = row(call='{"text":"' + "word " * 2000 + '"}')
        at.puts(given)
        await until(lambda: len(at.platform.posts) == 1)
        await at.time.passes(limits.SEND_FIRST)
        await until(lambda: any(post.approval for post in at.platform.posts.values()))
        posts = list(at.platform.posts.values())
        assert 2 < len(posts) <= limits.QUESTION_PIECES and posts[-1].approval and not posts[0].approval
        assert "".join(post.text for post in posts).count("word ") >= 1990


async def test_a_question_that_no_chat_can_hold_can_only_be_denied_there() -> None:
    async with joined() as at:
        message_id = await shown(at, row(call="x" * 4000 * limits.QUESTION_PIECES))
        post = at.platform.posts[message_id]
        assert post.buttons == ("deny",) and "too long" in post.text and len(at.platform.posts) == 1


async def test_of_many_questions_the_oldest_are_forgotten_and_presses_on_them_still_asked() -> None:
    async with joined() as at:
        for number in range(limits.QUESTIONS + 1):
            await shown(at, row(approval=f"{number:016x}"))
        await at.platform.presses(f"{1:016x}")
        await at.platform.presses(f"{0:016x}")
        assert [asked.answer.lease for asked in at.gateway.answers] == [ROW.lease, ""]


async def test_a_gateway_that_is_silent_is_not_waited_for_with_a_finger_on_the_button() -> None:
    async with joined() as at:
        message_id = await shown(at)
        at.gateway.silent = True
        pressing = asyncio.ensure_future(at.platform.presses(ROW.approval, message_id=message_id))
        await at.time.passes(limits.PRESS_TIME)
        assert "restarting" in await pressing
