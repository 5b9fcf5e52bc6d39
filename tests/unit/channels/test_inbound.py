from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import pytest
from tests.support.fake_platform import FakePlatform, Hangs
from tests.support.scripted_gateway import Joined, accepted, joined
from tests.support.virtual_time import settled, until

from wirken.channels.attachments import file_name
from wirken.channels.contract import Attachment, GatewayAway, PlatformAway, SlowDown, Traits, Undeliverable
from wirken.domain import adapter_limits as limits
from wirken.domain.errors import Refused
from wirken.domain.limits import MESSAGE
from wirken.ipc.calls.channels import FilesTaken
from wirken.ipc.frames import Accepted, Attached, Inbound, Rejected, Said


def later(work: Coroutine[object, object, None]) -> asyncio.Task[None]:
    async def run() -> None:
        await work

    return asyncio.get_running_loop().create_task(run())


async def test_a_message_is_acknowledged_once_it_is_on_disk_and_not_before() -> None:
    async with joined() as at:
        at.gateway.says = lambda message: None
        handing = later(at.platform.says("hello", group=True, mentioned=True))
        await until(lambda: bool(at.gateway.heard))
        await at.time.passes(limits.INBOUND_TIME - 1)
        assert not handing.done()
        at.tells(Accepted("m1", "default/telegram/c", 3))
        await handing
        assert at.gateway.heard == [
            Inbound("m1", "c", "hello", sender="7", sender_name="Anna", group=True, mentioned=True)
        ]


async def test_a_gateway_that_says_nothing_in_time_leaves_it_unacknowledged() -> None:
    async with joined() as at:
        at.gateway.says = lambda message: None
        handing = later(at.platform.says("hello"))
        await at.time.passes(limits.INBOUND_TIME)
        with pytest.raises(GatewayAway):
            await handing
        at.gateway.says = accepted
        await at.platform.says("hello")
        assert [message.platform_id for message in at.gateway.heard] == ["m1", "m1"]


async def test_a_gateway_that_goes_away_leaves_it_unacknowledged() -> None:
    async with joined() as at:
        at.gateway.says = lambda message: None
        handing = later(at.platform.says("hello"))
        await until(lambda: bool(at.gateway.heard))
        await at.loses_the_gateway()
        with pytest.raises(GatewayAway):
            await handing
        with pytest.raises(GatewayAway):
            await at.platform.says("hello")
        at.gateway.says = accepted
        await at.dials()
        await at.platform.says("hello")


async def test_the_same_message_meanwhile_joins_the_first() -> None:
    async with joined() as at:
        at.gateway.says = lambda message: None
        both = [later(at.platform.says("hello")), later(at.platform.says("hello"))]
        await until(lambda: bool(at.gateway.heard))
        await settled()
        at.tells(Accepted("m1", "default/telegram/c", 3))
        await asyncio.gather(*both)
        assert len(at.gateway.heard) == 1


async def test_whoever_stops_handing_it_over_does_not_stop_it() -> None:
    async with joined() as at:
        at.gateway.says = lambda message: None
        handing = later(at.platform.says("hello"))
        await until(lambda: bool(at.gateway.heard))
        handing.cancel()
        again = later(at.platform.says("hello"))
        await settled()
        at.tells(Accepted("m1", "default/telegram/c", 3))
        await again
        assert len(at.gateway.heard) == 1


async def test_a_message_that_is_turned_away_is_acknowledged_and_its_sender_told_once() -> None:
    async with joined() as at:
        at.gateway.says = lambda message: Rejected(message.platform_id, "Not *now*, @all.", "")
        await at.platform.says("hello")
        await at.platform.says("hello")
        await until(lambda: bool(at.platform.posts))
        await settled()
        [post] = at.platform.posts.values()
        assert (post.text, post.reply_to) == ("Not *now*, @\u200ball.", "m1")


async def test_a_message_that_is_turned_away_without_a_word_gets_none() -> None:
    async with joined() as at:
        at.gateway.says = lambda message: Rejected(message.platform_id, "", "")
        await at.platform.says("hello")
        await at.time.passes(60)
        assert not at.platform.posts


async def test_what_was_not_said_to_the_bot_in_a_group_goes_no_further() -> None:
    async with joined() as at:
        await at.platform.says("chatter", group=True, files=(Attachment("a", "", 1, "f"),))
        assert not at.gateway.heard and at.platform.calls == []


@pytest.mark.parametrize(
    ("text", "heard"), [("better", "(edited) better"), ("/stop", "/stop"), ("!approve 1", "!approve 1")]
)
async def test_an_edit_is_a_message_that_says_so_unless_it_is_a_word(text: str, heard: str) -> None:
    async with joined() as at:
        await at.platform.says(text, "m1.e1", edited=True)
        assert at.gateway.heard[0].text == heard


async def test_a_text_that_is_too_long_arrives_as_too_long_and_no_longer() -> None:
    async with joined() as at:
        for number, text in enumerate(("x" * MESSAGE, "x" * (MESSAGE + 1), "\U0001f600" * MESSAGE)):
            await at.platform.says(text, f"m{number}")
        sizes = [len(message.text.encode()) for message in at.gateway.heard]
        assert sizes == [MESSAGE, MESSAGE + 1, MESSAGE + 4]


async def test_text_that_is_no_unicode_is_made_so() -> None:
    async with joined() as at:
        await at.platform.says("a\ud800b\x00", sender_name="\udfff")
        assert at.gateway.heard[0].text == "a?b\x00" and at.gateway.heard[0].sender_name == "?"


async def test_a_conversation_is_in_order_and_a_word_does_not_wait() -> None:
    async with joined() as at:
        at.platform.files["f"] = [b"x"]
        at.platform.trouble.append(PlatformAway("Not now."))
        first = later(at.platform.says("with a file", "m1", files=(Attachment("a", "", 1, "f"),)))
        await settled()
        second = later(at.platform.says("after it", "m2"))
        other = later(at.platform.says("elsewhere", "m3", conversation="d"))
        stop = later(at.platform.says("/stop", "m4"))
        await asyncio.gather(other, stop)
        assert not first.done() and not second.done()
        await at.time.passes(limits.SEND_FIRST)
        await asyncio.gather(first, second)
        assert [message.platform_id for message in at.gateway.heard] == ["m3", "m4", "m1", "m2"]


async def test_no_more_messages_than_the_gateway_takes_are_on_their_way() -> None:
    async with joined() as at:
        at.gateway.says = lambda message: None
        tasks = [later(at.platform.says("x", f"m{number}", f"c{number}")) for number in range(limits.INBOUND + 1)]
        await until(lambda: len(at.gateway.heard) == limits.INBOUND)
        await at.time.passes()
        assert len(at.gateway.heard) == limits.INBOUND
        at.gateway.says = accepted
        at.tells(Accepted("m0", "default/telegram/c0", 1))
        await until(lambda: len(at.gateway.heard) == limits.INBOUND + 1)
        for number in range(limits.INBOUND):
            at.tells(Accepted(f"m{number}", f"default/telegram/c{number}", 1))
        await asyncio.gather(*tasks)


async def test_who_waits_for_a_file_holds_up_nobody_else_and_no_more_wait_than_allowed() -> None:
    async with joined() as at:
        at.platform.files["f"] = [b"x"]
        at.platform.trouble.append(Hangs())
        waiting = [later(at.platform.says("x", "m0", files=(Attachment("a", "", 1, "f"),)))]
        await settled()
        waiting += [later(at.platform.says("x", f"m{number}")) for number in range(1, limits.INBOUND_WAITING - 1)]
        await settled()
        await at.platform.says("elsewhere", "other", "d")
        waiting.append(later(at.platform.says("the last that fits", "last")))
        await settled()
        with pytest.raises(GatewayAway, match="Too many"):
            await at.platform.says("one more", "more", "e")
        await at.time.passes(limits.FETCH_TIME + limits.SEND_FIRST)
        await asyncio.wait_for(asyncio.gather(*waiting), 20)
        assert len(at.gateway.heard) == limits.INBOUND_WAITING + 1


# --- typing -------------------------------------------------------------------------------------------


def typed(at: Joined) -> int:
    return [name for name, _ in at.platform.calls].count("typing")


async def test_somebody_types_from_acceptance_to_the_end_of_the_turn() -> None:
    async with joined() as at:
        await at.platform.says("hello")
        await at.time.passes(10.0)
        assert typed(at) == 3
        at.over("m1")
        await at.time.passes(60.0)
        assert typed(at) == 3


async def test_an_end_that_comes_with_the_acceptance_leaves_nobody_typing() -> None:
    async with joined() as at:

        def at_once(message: Inbound) -> None:
            at.tells(accepted(message))
            at.over(message.platform_id)

        at.gateway.says = at_once
        await at.platform.says("hello")
        await at.time.passes(60.0)
        assert typed(at) <= 1


async def test_typing_goes_on_for_the_message_that_waits_and_survives_trouble() -> None:
    async with joined() as at:
        await at.platform.says("one", "m1")
        await at.platform.says("two", "m2")
        at.over("m1")
        await at.time.passes(20.0)
        assert typed(at) == 5
        at.over("m2")
        await at.time.passes(20.0)
        assert typed(at) == 5


async def test_a_turn_that_nobody_hears_of_any_more_ends_the_typing() -> None:
    async with joined(FakePlatform(Traits(dialect="telegram", typing_every=10.0))) as at:
        await at.platform.says("hello")
        await at.time.passes(limits.TYPING_SILENT - 20.0)
        at.streams("a sign of life")
        await at.time.passes(limits.TYPING_SILENT - 5.0)
        before = typed(at)
        await at.time.passes(limits.TYPING_SILENT)
        assert before > 60 and typed(at) <= before + 1


async def test_where_there_is_no_such_sign_nobody_types() -> None:
    async with joined(FakePlatform(Traits(dialect="slack"))) as at:
        await at.platform.says("hello")
        await at.time.passes(60.0)
        assert typed(at) == 0


async def test_a_crowd_of_conversations_is_not_remembered_for_ever() -> None:
    async with joined() as at:
        for number in range(limits.UNDERWAY + 1):
            await at.platform.says("x", f"m{number}", f"c{number}")
        assert at.adapter.receiver.underway.current("c0") == ""
        assert at.adapter.receiver.underway.current("c1") == "m1"


async def test_what_the_gateway_itself_answers_is_said_as_it_stands() -> None:
    async with joined() as at:
        at.gateway.says = lambda message: Said(message.platform_id, "Say `!approve ID`.")
        await at.platform.says("/help")
        await until(lambda: bool(at.platform.posts))
        [post] = at.platform.posts.values()
        assert (post.text, post.reply_to) == ("Say `!approve ID`.", "m1")


# --- files --------------------------------------------------------------------------------------------


async def fetched(at: Joined, *files: Attachment, text: str = "look") -> list[str]:
    """Hand over a message with files; return what its sender is told."""
    handing = later(at.platform.says(text, files=files))
    await at.time.passes(600.0)
    await handing
    await settled()
    return at.platform.shown()


async def test_a_file_that_is_claimed_too_large_is_not_fetched_and_the_text_goes_through() -> None:
    async with joined() as at:
        told = await fetched(at, Attachment("big.iso", "", limits.ATTACHMENT + 1, "f"))
        assert len(told) == 1 and "big.iso" in told[0] and "MiB" in told[0]
        assert at.gateway.heard[0].text == "look" and at.platform.calls[0][0] == "send"


async def test_a_file_that_lies_about_its_size_is_stopped_where_it_passes_the_limit() -> None:
    async with joined() as at:
        at.platform.files["f"] = [b"x" * 2**20] * (limits.ATTACHMENT // 2**20)
        at.platform.files["f"] += [b"y", *[b"z" * 2**20] * 100]
        told = await fetched(at, Attachment("a.bin", "", 10, "f"))
        assert "a.bin" in told[0] and at.gateway.heard[0].text == "look"
        assert at.platform.fetched == limits.ATTACHMENT + 1


async def test_exactly_as_much_as_allowed_is_taken() -> None:
    async with joined() as at:
        at.platform.files["f"] = [b"x" * 2**20] * (limits.ATTACHMENT // 2**20)
        assert await fetched(at, Attachment("a.bin", "", -1, "f")) == []
        assert at.platform.fetched == limits.ATTACHMENT


async def test_nothing_is_fetched_for_a_stranger_whose_words_go_on_to_be_turned_away() -> None:
    async with joined() as at:
        at.gateway.takes_files = FilesTaken(taken=False)
        for text in ("look", ""):
            assert await fetched(at, Attachment("a", "", 1, "f"), text=text) == []
        assert at.platform.fetched == 0 and at.gateway.files_from == ["7", "7"]
        assert [(message.text, message.files) for message in at.gateway.heard] == [("look", ()), ("", ())]


async def test_nothing_is_fetched_for_a_guest_who_is_told_so_and_whose_words_count() -> None:
    async with joined() as at:
        at.gateway.takes_files = FilesTaken(taken=False, said="No files, please.")
        assert await fetched(at, Attachment("a", "", 1, "f")) == ["No files, please."]
        assert at.platform.fetched == 0 and [message.text for message in at.gateway.heard] == ["look"]
        await fetched(at, Attachment("a", "", 1, "f"), text="")
        assert len(at.gateway.heard) == 1


async def test_nothing_is_fetched_while_nobody_knows_who_that_is() -> None:
    async with joined() as at:
        at.gateway.refuses = Refused("No.")
        await fetched(at, Attachment("a", "", 1, "f"))
        assert at.platform.fetched == 0 and [message.files for message in at.gateway.heard] == [()]
        at.gateway.silent = True
        handing = later(at.platform.says("look", files=(Attachment("a", "", 1, "f"),)))
        await at.time.passes(limits.PRESS_TIME)
        with pytest.raises(GatewayAway):
            await handing
        assert at.platform.fetched == 0 and len(at.gateway.heard) == 1


async def test_all_files_of_a_message_share_the_limit() -> None:
    async with joined() as at:
        at.platform.files["f"] = [b"x" * 2**20] * (limits.ATTACHMENT // 2**20)
        at.platform.files["g"] = [b"y"]
        told = await fetched(at, Attachment("a", "", -1, "f"), Attachment("b", "", -1, "g"))
        assert "“b”" in told[0]


async def test_more_files_than_people_send_are_left_and_said() -> None:
    async with joined() as at:
        at.platform.files["f"] = [b"x"]
        assert await fetched(at, *[Attachment("a", "", 1, "f")] * limits.ATTACHMENTS) == []
        told = await fetched(at, *[Attachment("a", "", 1, "f")] * (limits.ATTACHMENTS + 1))
        assert at.platform.fetched == 2 * limits.ATTACHMENTS
        assert told == [f"Only the first {limits.ATTACHMENTS} files were taken."]


async def test_a_platform_that_is_away_for_a_moment_is_asked_for_the_file_again() -> None:
    async with joined() as at:
        at.platform.files["f"] = [b"x", PlatformAway("Gone.")]
        at.platform.trouble.extend([SlowDown("Too fast.", 2.0), Hangs(), None])
        told = await fetched(at, Attachment("a", "", 1, "f"))
        assert "“a”" in told[0] and "Send it again" in told[0]
        assert [name for name, _ in at.platform.calls].count("fetch") == limits.FETCH_TRIES


async def test_a_file_that_is_gone_is_said_and_where_nothing_else_was_sent_nothing_goes_on() -> None:
    async with joined() as at:
        at.platform.files["f"] = [Undeliverable("It is gone.")]
        told = await fetched(at, Attachment("a", "", 1, "f"), text="  ")
        assert "“a”" in told[0] and not at.gateway.heard


async def test_files_come_with_their_message_sealed_and_under_harmless_names() -> None:
    async with joined() as at:
        at.platform.files["f"], at.platform.files["g"] = [b"ab", b"c"], [b""]
        files = (Attachment("../../etc/pass\u202ewd.txt", "text/pl\nain", 3, "f"), Attachment("", "", -1, "g"))
        assert await fetched(at, *files) == []
        assert at.gateway.files == [[b"abc", b""]]
        assert at.gateway.heard[0].files == (
            Attached("pass_wd.txt", "text/pl\\x0aain", 3),
            Attached("file-2", "", 0),
        )


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("a" * 60 + ".pdf", "a" * 56 + ".pdf"),
        ("a" * 56 + ".pdf", "a" * 56 + ".pdf"),
        ("x." + "y" * 16, "x." + "y" * 16),
        ("x." + "y" * 59, "x." + "y" * 58),
        ("C:\\Users\\a\\b.png", "b.png"),
        ("...", "file-7"),
        ("..\x00", "_"),
        ("/", "file-7"),
        (".bashrc", "bashrc"),
        ("a b é.txt ", "a b é.txt"),
        ("\ud800.txt", "?.txt"),
    ],
)
def test_names_of_files_do_no_harm(name: str, made: str) -> None:
    assert file_name(name, 7) == made
    assert len(made.encode()) <= 255
