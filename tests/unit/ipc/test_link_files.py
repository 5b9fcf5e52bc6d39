"""Files beside frames: whole, in order, from those who may, and never a descriptor left behind."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import resource
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from tests.support.linked import Answer, Question, Scripted, linked, linked_raw, until

from wirken.domain import limits
from wirken.domain.errors import ProtocolError, Refused
from wirken.ipc import codec, memfd
from wirken.ipc.files import Enclosing, Files
from wirken.ipc.frames import Call, Cancel, Conversing, Delta, Failure, Frame, Item, Reply
from wirken.ipc.framing import encode_frame
from wirken.ipc.link import Answered, Emit, Link, LinkLost, pack, unpack
from wirken.ipc.memfd import NotSealed, TooManyFiles

SETTLED = 0.02
"""Seconds in which a link that is to be dropped would be."""


class Taking(Scripted):
    """A receiver that takes files and keeps those of conversing frames until it is emptied."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Files] = []
        self.read: list[bytes] = []

    async def answer_with(self, link: Link, question: bytes, files: Files, emit: Emit) -> Answered:
        asked = unpack(question, Question)
        self.began.append(asked)
        self.read += [memfd.content(handle) for handle in files.handles]
        if asked.what == "sleep":
            await asyncio.sleep(60)
        return Answer(asked.text, len(files))

    async def answer(self, link: Link, question: bytes, emit: Emit) -> Answered:
        asked = unpack(question, Question)
        if asked.what == "count":  # that many files, please
            return Enclosing(
                Answer("here", asked.number), Files(tuple(sealed(b"f%d" % n) for n in range(asked.number)))
            )
        return await super().answer(link, question, emit)

    def received_with(self, link: Link, frame: Conversing, files: Files) -> None:
        if frame == Delta("s", "refuse"):
            raise ProtocolError("not that one")
        self.frames.append(frame)
        self.held.append(files)

    def empty(self) -> None:
        for files in self.held:
            files.close()
        self.held.clear()


def sealed(data: bytes) -> int:
    return memfd.sealed(data)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
async def _nothing_leaks() -> AsyncIterator[None]:
    await asyncio.sleep(0)
    before = descriptors()
    yield
    await until(lambda: descriptors() <= before)
    assert descriptors() == before


@contextlib.contextmanager
def files(*contents: bytes) -> Iterator[tuple[int, ...]]:
    with Files(tuple(map(sealed, contents))) as made:
        yield made.handles


def wire(frame: Frame, count: int = 0) -> bytes:
    return encode_frame(codec.encode(frame, count))


def put(sock: socket.socket, data: bytes, *handles: int) -> None:
    """Send as a hostile peer may: any descriptors beside any bytes."""
    socket.send_fds(sock, [data], list(handles))


# --- they cross ---------------------------------------------------------------------------------------


async def test_files_come_with_their_frame_and_in_order() -> None:
    right = Taking()
    async with linked(Scripted(), right) as (left, _):
        with files(b"a", b"bb") as two, files(b"c") as one:
            left.send(Delta("s", "two"), two)
            left.send(Delta("s", "none"))
            left.send(Delta("s", "one"), one)
        await until(lambda: len(right.frames) == 3)
        assert right.frames == [Delta("s", "two"), Delta("s", "none"), Delta("s", "one")]
        assert [[memfd.content(each) for each in held.handles] for held in right.held] == [[b"a", b"bb"], [b"c"]]
        assert not any(os.get_inheritable(each) for held in right.held for each in held.handles)
        right.empty()


async def test_each_frame_has_its_own_files_however_slowly_they_are_read() -> None:
    """Frames larger than a socket's buffer: what was queued goes out piece by piece, files and all."""
    right = Taking()
    async with linked(Scripted(), right) as (left, _):
        for number in range(20):
            with files(b"%d" % number) as one:
                left.send(Delta("s", f"{number}" + "x" * 300_000), one)
            left.send(Delta("s", "between"))
        await until(lambda: len(right.frames) == 40)
        assert [memfd.content(held.handles[0]) for held in right.held] == [b"%d" % number for number in range(20)]
        right.empty()


async def test_a_question_brings_files_and_they_are_closed_once_it_is_answered() -> None:
    right = Taking()
    async with linked(Scripted(), right) as (left, _):
        with files(b"one", b"two") as two:
            before = descriptors()
            assert await left.call(Question("echo", "x"), Answer, two) == Answer("x", 2)
            await until(lambda: descriptors() == before)
        assert right.read == [b"one", b"two"]


@pytest.mark.parametrize("count", [0, 1, limits.LINK_FILES])
async def test_an_answer_brings_files(count: int) -> None:
    async with linked(Taking(), Taking()) as (left, _):
        answer, came = await left.fetch(Question("count", number=count), Answer)
        with came:
            assert answer == Answer("here", count)
            assert [memfd.content(each) for each in came.handles] == [b"f%d" % n for n in range(count)]


async def test_what_was_queued_with_files_is_written_before_the_link_closes() -> None:
    right = Taking()
    async with linked(Scripted(), right) as (left, _):
        with files(b"last") as one:
            left.send(Delta("s", "x" * 2_000_000))
            left.send(Delta("s", "end"), one)
        left.close()
        await until(lambda: len(right.frames) == 2)
        assert memfd.content(right.held[0].handles[0]) == b"last"
        right.empty()


# --- what is refused before it is sent ----------------------------------------------------------------


async def test_only_sealed_files_are_sent_and_the_link_lives_on() -> None:
    right = Taking()
    async with linked(Scripted(), right) as (left, _):
        with open(os.devnull, "rb") as device, files(b"x") as one, pytest.raises(NotSealed):
            left.send(Delta("s", "t"), (*one, device.fileno()))
        with files(*[b"x"] * (limits.LINK_FILES + 1)) as many, pytest.raises(ProtocolError):
            left.send(Delta("s", "t"), many)
        assert await left.call(Question("echo", "still"), Answer) == Answer("still")


async def test_a_process_that_may_open_nothing_more_says_so() -> None:
    async with linked(Scripted(), Taking()) as (left, _):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with files(b"a", b"b") as two:
            lowest = os.dup(0)
            os.close(lowest)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, hard))
            try:
                with pytest.raises(TooManyFiles):
                    left.send(Delta("s", "t"), two)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_peer_that_does_not_read_is_dropped_before_it_holds_our_descriptors() -> None:
    async with linked_raw(Scripted()) as (link, _):
        link.send(Delta("s", "x" * 2**20))  # fills what the kernel takes
        sent = 0
        with files(b"x") as one, pytest.raises(LinkLost, match="does not read"):
            while True:
                link.send(Delta("s", "t"), one)
                sent += 1
        assert sent == limits.LINK_FILES_QUEUED + 1
        await link.closed.wait()


# --- hostile peers ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _pipe() -> Iterator[int]:
    ends = os.pipe()
    try:
        yield ends[0]
    finally:
        for end in ends:
            os.close(end)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def _memfd(seals: int, size: int = 1) -> Iterator[int]:
    handle = os.memfd_create("other", os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(handle, size)
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, seals)
        yield handle
    finally:
        os.close(handle)


NO_FILES: dict[str, Callable[[], contextlib.AbstractContextManager[int]]] = {
    "a pipe": _pipe,
    "a device": lambda: _opened("/dev/zero"),
    "a folder": lambda: _opened("/"),
    "a file on disk": lambda: _opened(__file__),
    "an unsealed memfd": lambda: _memfd(0),
    "a memfd that may still grow": lambda: _memfd(memfd.SEALS & ~fcntl.F_SEAL_GROW),
    "a memfd of a byte too many": lambda: _memfd(memfd.SEALS, limits.SHARED_FILE + 1),
}


@pytest.mark.parametrize("what", NO_FILES)
async def test_a_peer_that_sends_something_else_than_a_sealed_file_is_dropped(what: str) -> None:
    right = Taking()
    async with linked_raw(right) as (link, peer):
        with NO_FILES[what]() as handle, files(b"good") as good:
            put(peer, wire(Delta("s", "t"), 2), *good, handle)
        await until(link.closed.is_set)
        assert right.frames == []


async def test_the_largest_file_is_taken() -> None:
    right = Taking()
    async with linked_raw(right) as (_, peer):
        with _memfd(memfd.SEALS, limits.SHARED_FILE) as handle:
            put(peer, wire(Delta("s", "t"), 1), handle)
        await until(lambda: len(right.held) == 1)
        assert memfd.size(right.held[0].handles[0]) == limits.SHARED_FILE
        right.empty()


@pytest.mark.parametrize(
    ("frame", "said", "sent"),
    [
        (Delta("s", "more than said"), 1, 2),
        (Delta("s", "none said"), 0, 1),
        (Delta("s", "one missing"), 2, 1),
        (Delta("s", "all missing"), 1, 0),
        (Delta("s", "refuse"), 1, 1),
        (Item(1, b""), 1, 1),
        (Failure(1, "refused", "", ""), 1, 1),
        (Cancel(1), 1, 1),
        (Call(1, pack(Question("echo"))), 0, 1),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, int) else str(value),
)
async def test_files_that_do_not_fit_their_frame_cost_the_link(frame: Frame, said: int, sent: int) -> None:
    right = Taking()
    async with linked_raw(right) as (link, peer):
        with files(*[b"x"] * sent) as handles:
            put(peer, wire(frame, said), *handles)
        await until(link.closed.is_set)
        assert right.losses == 1
        right.empty()


async def test_more_than_the_kernel_has_room_for_costs_the_link() -> None:
    for many in (limits.LINK_FILES + 1, 253):  # SCM_MAX_FD, unix(7)
        async with linked_raw(Taking()) as (link, peer):
            with files(b"x") as one:
                put(peer, wire(Delta("s", "t"), limits.LINK_FILES), *one * many)
            await until(link.closed.is_set)


async def test_a_thousand_descriptors_cost_the_link_and_leave_none() -> None:
    """Whatever it is that they are spread over: a frame that never ends, or a byte each."""
    async with linked_raw(Taking()) as (link, peer):
        before = descriptors()
        head = wire(Delta("s", "x" * 5000), limits.LINK_FILES)
        with files(b"x") as one, contextlib.suppress(OSError):
            for number in range(1000):
                put(peer, head[number : number + 1], *one)
                if number % 10 == 9:
                    await asyncio.sleep(0)
                    assert descriptors() < before + 4 * limits.LINK_FILES
        await until(link.closed.is_set)


async def test_what_comes_before_its_frame_is_complete_waits_for_it_up_to_the_limit() -> None:
    right = Taking()
    async with linked_raw(right) as (link, peer):
        data = wire(Delta("s", "slow"), limits.LINK_FILES)
        with files(b"x") as one:
            for number in range(limits.LINK_FILES):
                put(peer, data[number : number + 1], *one)
                await asyncio.sleep(0.001)
        peer.send(data[limits.LINK_FILES :])
        await until(lambda: len(right.held) == 1)
        assert len(right.held[0]) == limits.LINK_FILES
        assert not link.closed.is_set()
        right.empty()


async def test_a_half_frame_and_its_files_are_closed_with_the_link() -> None:
    async with linked_raw(Taking()) as (link, peer):
        with files(b"x") as one:
            put(peer, wire(Delta("s", "t"), 1)[:-1], *one)
        await asyncio.sleep(SETTLED)
        peer.close()
        await link.closed.wait()


async def test_a_role_that_may_send_none_is_dropped_and_no_descriptor_reaches_us() -> None:
    for count in (0, 1):
        receiver = Scripted()
        async with linked_raw(receiver) as (link, peer):
            before = descriptors()
            with files(b"x") as one:
                put(peer, wire(Delta("s", "t"), count), *one)
                await until(link.closed.is_set)
            assert descriptors() <= before
            assert receiver.frames == []
    async with linked_raw(Scripted()) as (link, peer):
        peer.send(wire(Call(1, pack(Question("echo"))), 1))
        await until(link.closed.is_set)


async def test_an_answer_with_files_that_nobody_asked_for_costs_the_link() -> None:
    async with linked(Taking(), Taking()) as (left, _):
        with pytest.raises(LinkLost):
            await left.call(Question("count", number=1), Answer)


# --- cancelled and killed -----------------------------------------------------------------------------


async def test_files_of_a_cancelled_question_are_closed_at_both_ends() -> None:
    right = Taking()
    async with linked(Scripted(), right) as (left, _):
        before = descriptors()
        with files(b"x") as one:
            asked = asyncio.ensure_future(left.call(Question("sleep"), Answer, one))
            await until(lambda: bool(right.began))
            asked.cancel()
            await asyncio.wait({asked})
        await until(lambda: descriptors() == before)
        assert await left.call(Question("echo", "still"), Answer) == Answer("still")


async def test_files_of_a_question_that_is_cancelled_before_it_began_are_closed() -> None:
    async with linked_raw(Taking()) as (link, peer):
        before = descriptors()
        with files(b"x") as one:
            put(peer, wire(Call(1, pack(Question("sleep"))), 1) + wire(Cancel(1)), *one)
        await asyncio.sleep(SETTLED)
        assert descriptors() == before
        assert not link.closed.is_set()


async def test_an_answer_that_comes_with_files_too_late_is_closed() -> None:
    async with linked_raw(Taking()) as (link, peer):
        before = descriptors()
        asked = asyncio.ensure_future(link.fetch(Question("count", number=1), Answer))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait({asked})
        with files(b"x") as one:
            put(peer, wire(Reply(1, pack(Answer())), 1), *one)
        await asyncio.sleep(SETTLED)
        assert descriptors() == before
        assert not link.closed.is_set()


async def test_an_answer_that_comes_in_the_moment_of_the_cancellation_is_closed() -> None:
    async with linked(Taking(), Taking()) as (left, _):
        before = descriptors()
        for pause in range(40):
            asked = asyncio.ensure_future(left.fetch(Question("count", number=2), Answer))
            for _ in range(pause % 20):
                await asyncio.sleep(0)
            asked.cancel()
            await asyncio.wait({asked})
            if not asked.cancelled():
                asked.result()[1].close()
        await until(lambda: descriptors() == before)


async def test_an_answer_of_a_wrong_shape_is_closed() -> None:
    async with linked(Taking(), Taking()) as (left, _):
        before = descriptors()
        with pytest.raises(ProtocolError):
            await left.fetch(Question("count", number=1), Question)
        await until(lambda: descriptors() == before)


async def test_files_that_wait_to_be_sent_are_closed_when_the_link_is_lost_or_dropped() -> None:
    for end in ("lost", "dropped"):
        async with linked_raw(Scripted()) as (link, peer):
            with files(b"x") as one:
                link.send(Delta("s", "x" * 2**20))
                link.send(Delta("s", "t"), one)
            if end == "lost":
                peer.close()
            else:
                link.drop()
            await link.closed.wait()


async def test_an_error_of_the_receiver_closes_what_came_with_the_question() -> None:
    class Refusing(Taking):
        async def answer_with(self, link: Link, question: bytes, files: Files, emit: Emit) -> Answered:
            raise Refused("no")

    async with linked(Scripted(), Refusing()) as (left, _):
        before = descriptors()
        with files(b"x") as one, pytest.raises(Refused):
            await left.call(Question("echo"), Answer, one)
        await until(lambda: descriptors() == before)


async def test_memory_and_time_do_not_grow_with_a_large_file(tmp_path: Path) -> None:
    """Fifty megabytes cross without a copy in either process."""
    right = Taking()
    async with linked(Scripted(), right) as (left, _):
        with _memfd(memfd.SEALS, 50 * 2**20) as handle:
            before = _anonymous()
            left.send(Delta("s", "t"), (handle,))
            await until(lambda: len(right.held) == 1)
            assert _anonymous() - before < 4096  # KiB
        right.empty()


def _anonymous() -> int:
    """Return the KiB of private memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
