from __future__ import annotations

import asyncio
import logging
import socket

import msgspec
import pytest
from tests.support.linked import Answer, Question, Scripted, linked, linked_raw, until

from wirken.domain import limits
from wirken.domain.errors import (
    ConfigError,
    ProtocolError,
    Refused,
    SandboxUnavailable,
    Unavailable,
    UsageError,
    WirkenError,
)
from wirken.ipc import codec
from wirken.ipc.frames import Accepted, Call, Cancel, Delta, Failure, Frame, Inbound, Item, Reply
from wirken.ipc.framing import FrameDecoder, encode_frame
from wirken.ipc.link import Emit, Link, LinkLost, pack, unpack


def wire(frame: Frame) -> bytes:
    return encode_frame(codec.encode(frame))


async def heard(sock: socket.socket) -> list[Frame]:
    """Return the frames that one read gives."""
    data = await asyncio.get_running_loop().sock_recv(sock, 1 << 20)
    return [codec.decode(payload) for payload in FrameDecoder().feed(data)]


# --- questions and answers ----------------------------------------------------------------------------


async def test_a_question_gets_its_answer_in_either_direction() -> None:
    async with linked(Scripted(), Scripted()) as (left, right):
        assert await left.call(Question("echo", "to the right", 1), Answer) == Answer("to the right", 1)
        assert await right.call(Question("echo", "to the left", 2), Answer) == Answer("to the left", 2)


async def test_many_questions_at_once_each_get_their_own_answer() -> None:
    async with linked(Scripted(), Scripted()) as (left, right):
        asked = [end.call(Question("echo", str(n)), Answer) for n in range(100) for end in (left, right)]
        assert [answer.text for answer in await asyncio.gather(*asked)] == [str(n) for n in range(100) for _ in "lr"]


async def test_a_handler_may_ask_back_before_it_answers() -> None:
    async with linked(Scripted(), Scripted()) as (left, _):
        assert await left.call(Question("ask_back", "and back"), Answer) == Answer("and back")


async def test_a_slow_question_holds_up_no_other() -> None:
    async with linked(Scripted(), Scripted()) as (left, _):
        slow = asyncio.ensure_future(left.call(Question("sleep"), Answer))
        assert await left.call(Question("echo", "quick"), Answer) == Answer("quick")
        slow.cancel()
        await asyncio.wait({slow})


async def test_items_come_in_order_and_before_the_answer_that_ends_them() -> None:
    async with linked(Scripted(), Scripted()) as (left, _):
        got: list[int] = []
        end = await left.stream(
            Question("count", number=500), lambda raw: got.append(unpack(raw, Answer).number), Answer
        )
        assert got == list(range(500))
        assert end == Answer("end", 500)


async def test_items_nobody_asked_for_are_dropped() -> None:
    async with linked(Scripted(), Scripted()) as (left, _):
        assert await left.call(Question("count", number=3), Answer) == Answer("end", 3)


async def test_frames_of_a_conversation_reach_the_receiver_in_order() -> None:
    right = Scripted()
    sent: list[Inbound | Delta | Accepted] = [Inbound("m", "c", "hi"), Delta("s", "a"), Accepted("m", "s", 1)]
    async with linked(Scripted(), right) as (left, _):
        for frame in sent:
            left.send(frame)
        await until(lambda: len(right.frames) == 3)
        assert right.frames == sent


# --- failures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (Refused("No, because.", hint="Ask nicely."), Refused),
        (SandboxUnavailable("No sandbox."), SandboxUnavailable),
        (Unavailable("Sealed.", hint="Unlock."), Unavailable),
        (UsageError("Wrong."), UsageError),
        (ProtocolError("Strange."), ProtocolError),
        (WirkenError("Plain."), WirkenError),
        (ConfigError("A leaf travels as its nearest kind.", hint=""), UsageError),
        (LinkLost("A leaf of another link."), Unavailable),
    ],
)
async def test_an_error_comes_back_as_its_kind_with_its_sentence_and_its_hint(
    raised: WirkenError, kind: type[WirkenError]
) -> None:
    async def fail(link: Link, asked: Question, emit: Emit) -> Answer:
        raise raised

    async with linked(Scripted(), Scripted(fail)) as (left, _):
        with pytest.raises(WirkenError) as caught:
            await left.call(Question("fail"), Answer)
        assert type(caught.value) is kind
        assert str(caught.value) == str(raised)
        assert caught.value.advice == raised.advice


async def test_an_error_of_an_unknown_kind_is_still_an_error() -> None:
    async with linked_raw(Scripted()) as (link, peer):
        asked = asyncio.ensure_future(link.call(Question("echo"), Answer))
        await asyncio.sleep(0)
        peer.send(wire(Failure(1, "kind of the future", "It is so.", "Update.")))
        with pytest.raises(WirkenError, match="It is so"):
            await asked


async def test_an_unforeseen_failure_is_answered_and_logged_and_tells_the_peer_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(link: Link, asked: Question, emit: Emit) -> Answer:
        raise KeyError("a detail that is nobody else's business")

    async with linked(Scripted(), Scripted(fail)) as (left, _):
        with caplog.at_level(logging.ERROR), pytest.raises(WirkenError, match="its log says what") as caught:
            await left.call(Question("fail"), Answer)
        assert "detail" not in str(caught.value)
        assert "not foreseen" in caplog.text
        with pytest.raises(WirkenError):
            await left.call(Question("fail"), Answer)


async def test_an_error_whose_sentence_holds_half_a_character_is_answered_all_the_same() -> None:
    async def fail(link: Link, asked: Question, emit: Emit) -> Answer:
        raise Refused("no file \udcff", hint="look at \ud800")

    async with linked(Scripted(), Scripted(fail)) as (left, _):
        with pytest.raises(Refused, match=r"no file \?"):
            await left.call(Question("fail"), Answer)


async def test_an_answer_that_no_frame_can_carry_is_an_error_for_the_asker() -> None:
    async def too_long(link: Link, asked: Question, emit: Emit) -> Answer:
        return Answer("x" * (limits.FRAME + 1))

    async with linked(Scripted(), Scripted(too_long)) as (left, _):
        with pytest.raises(ProtocolError, match="passes the limit"):
            await left.call(Question("echo"), Answer)
        assert not left.closed.is_set()


async def test_a_question_of_a_wrong_shape_is_refused_and_the_link_lives_on() -> None:
    async with linked(Scripted(), Scripted()) as (left, _):
        with pytest.raises(ProtocolError):
            await left.call(Answer("no question"), Answer)
        with pytest.raises(ProtocolError):
            await left.call(Question("echo", "x"), Question)
        assert await left.call(Question("echo", "x"), Answer) == Answer("x")


# --- cancelling ---------------------------------------------------------------------------------------


async def test_a_cancelled_question_is_cancelled_at_the_other_end() -> None:
    right = Scripted()
    async with linked(Scripted(), right) as (left, _):
        asked = asyncio.ensure_future(left.call(Question("sleep"), Answer))
        await until(lambda: bool(right.began))
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await until(lambda: right.cancelled == [Question("sleep")])
        assert await left.call(Question("echo", "still here"), Answer) == Answer("still here")


async def test_a_question_that_runs_out_of_time_is_cancelled_at_the_other_end() -> None:
    right = Scripted()
    async with linked(Scripted(), right) as (left, _):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await left.call(Question("sleep"), Answer)
        await until(lambda: bool(right.cancelled))


async def test_questions_cancelled_before_they_began_take_no_place() -> None:
    """Call and Cancel in one piece of the stream: the task never takes its first step."""
    async with linked_raw(Scripted()) as (_, peer):
        for number in range(1, limits.LINK_QUESTIONS + 2):
            peer.send(wire(Call(number, pack(Question("sleep")))) + wire(Cancel(number)))
            await asyncio.sleep(0.0005)
        peer.send(wire(Call(9999, pack(Question("echo", "room left")))))
        assert await heard(peer) == [Reply(9999, pack(Answer("room left")))]


async def test_cancelling_what_is_not_asked_or_already_answered_does_nothing() -> None:
    async with linked_raw(Scripted()) as (link, peer):
        peer.send(wire(Cancel(5)) + wire(Reply(5, b"")) + wire(Item(5, b"")) + wire(Failure(5, "refused", "", "")))
        peer.send(wire(Call(1, pack(Question("echo", "x")))))
        assert await heard(peer) == [Reply(1, pack(Answer("x")))]
        assert not link.closed.is_set()


async def test_cancelling_while_the_connection_closes_is_still_a_cancellation() -> None:
    right = Scripted()
    async with linked(Scripted(), right) as (left, _):
        asked = asyncio.ensure_future(left.call(Question("sleep"), Answer))
        await until(lambda: bool(right.began))
        left.close()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked


# --- losing the connection ----------------------------------------------------------------------------


async def test_a_lost_connection_fails_everything_that_waits_and_says_so_once() -> None:
    left, right = Scripted(), Scripted()
    async with linked(left, right) as (one, other):
        asked = [asyncio.ensure_future(one.call(Question("sleep"), Answer)) for _ in range(5)]
        await until(lambda: len(right.began) == 5)
        other.close()
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(result, LinkLost) for result in results)
        await until(lambda: len(right.cancelled) == 5)
        assert one.closed.is_set()
        assert (left.losses, right.losses) == (1, 1)
        with pytest.raises(LinkLost):
            await one.call(Question("echo"), Answer)
        with pytest.raises(LinkLost):
            one.send(Delta("s", "x"))


async def test_an_answer_for_a_peer_that_has_gone_is_dropped_quietly(caplog: pytest.LogCaptureFixture) -> None:
    gate = asyncio.Event()

    async def late(link: Link, asked: Question, emit: Emit) -> Answer:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            return Answer("too late")
        raise AssertionError("it is cancelled")

    right = Scripted(late)
    async with linked(Scripted(), right) as (left, other):
        asked = asyncio.ensure_future(left.call(Question("echo"), Answer))
        await until(lambda: bool(right.began))
        left.close()
        with pytest.raises(LinkLost):
            await asked
        await other.closed.wait()
        await asyncio.sleep(0.01)
    assert "not foreseen" not in caplog.text


async def test_a_question_that_needs_a_second_link_is_answered_when_that_one_is_lost() -> None:
    """The gateway asks the runner for the page: the page must hear that the runner is gone."""
    async with linked(Scripted(), Scripted()) as (onward, far):

        async def pass_on(link: Link, asked: Question, emit: Emit) -> msgspec.Struct:
            return await onward.call(Question("sleep"), Answer)

        async with linked(Scripted(), middle := Scripted(pass_on)) as (asker, _):
            asked = asyncio.ensure_future(asker.call(Question("echo"), Answer))
            await until(lambda: bool(middle.began))
            await asyncio.sleep(0.01)
            far.close()
            async with asyncio.timeout(2):
                with pytest.raises(Unavailable, match="lost"):
                    await asked


async def test_a_frame_that_was_queued_is_written_before_the_link_closes() -> None:
    right = Scripted()
    async with linked(Scripted(), right) as (left, _):
        left.send(Delta("s", "x" * 2_000_000))
        left.close()
        await until(lambda: len(right.frames) == 1)


# --- peers that misbehave -----------------------------------------------------------------------------


async def test_a_peer_that_does_not_read_is_dropped_before_it_fills_our_memory() -> None:
    receiver = Scripted()
    async with linked_raw(receiver) as (link, _):
        piece = Delta("s", "x" * (limits.FRAME // 2))
        sent = 0
        with pytest.raises(LinkLost, match="does not read"):
            for _ in range(100):
                link.send(piece)
                sent += limits.FRAME // 2
        assert limits.LINK_BUFFER < sent <= limits.LINK_BUFFER + 2 * limits.FRAME
        await until(link.closed.is_set)
        assert receiver.losses == 1


async def test_a_peer_that_asks_too_much_at_once_is_dropped_and_its_questions_end() -> None:
    receiver = Scripted()
    async with linked_raw(receiver) as (link, peer):
        for number in range(limits.LINK_QUESTIONS):
            peer.send(wire(Call(number, pack(Question("sleep")))))
        await until(lambda: len(receiver.began) == limits.LINK_QUESTIONS)
        assert not link.closed.is_set()
        peer.send(wire(Call(100_000, pack(Question("sleep")))))
        await until(link.closed.is_set)
        await until(lambda: len(receiver.cancelled) == limits.LINK_QUESTIONS)


async def test_a_number_that_is_asked_twice_at_once_drops_the_peer() -> None:
    async with linked_raw(Scripted()) as (link, peer):
        peer.send(wire(Call(1, pack(Question("sleep")))) * 2)
        await until(link.closed.is_set)


@pytest.mark.parametrize(
    "said",
    [
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
        encode_frame(b"no frame of ours"),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        wire(Delta("s", "t"))[:-1] + b"\xff\0\0\0\0",
        wire(Delta("s", "needle")).replace(b"needle", b"nee\xff\xff\xff"),
    ],
)
async def test_unknown_bytes_end_the_link(said: bytes) -> None:
    receiver = Scripted()
    async with linked_raw(receiver) as (link, peer):
        asked = asyncio.ensure_future(link.call(Question("sleep"), Answer))
        await asyncio.sleep(0)
        peer.send(said)
        await until(link.closed.is_set)
        with pytest.raises(LinkLost):
            await asked
        assert receiver.losses == 1


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x93" * 100_000, pack(Question("echo"))[:-1]])
def test_a_body_that_is_no_message_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        unpack(body, Question)


async def test_a_failure_of_megabytes_is_cut_on_either_side() -> None:
    async def fail(link: Link, asked: Question, emit: Emit) -> Answer:
        raise Refused("\x01" * 2**24, hint="y" * 2**20)

    async with linked(Scripted(), Scripted(fail)) as (left, _):
        with pytest.raises(Refused) as caught:
            await left.call(Question("fail"), Answer)
        assert max(len(str(caught.value)), len(caught.value.advice)) < limits.SENTENCE + 100
    async with linked_raw(Scripted()) as (link, theirs):
        asking = asyncio.ensure_future(link.call(Question("echo"), Answer))
        [asked] = await heard(theirs)
        assert isinstance(asked, Call)
        failure = wire(Failure(asked.id, "refused", "x" * 2**20, "y" * 2**20))
        await asyncio.get_running_loop().sock_sendall(theirs, failure)
        with pytest.raises(Refused) as caught:
            await asking
        assert max(len(str(caught.value)), len(caught.value.advice)) < limits.SENTENCE + 100
