from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.vault_parts import SetClock
from tests.unit.ipc.test_peer import GATEWAY, IDENTITY, ROLE, RUNNER, STRANGER, registered, shake

from wirken.domain import limits
from wirken.domain.ids import RoleName
from wirken.ipc.handshake import HandshakeFailed, Identity, public_key
from wirken.ipc.lockout import NAMELESS, LockedOut, Lockout, process_of

WRONG = Identity(ROLE, STRANGER, public_key(GATEWAY))
GUESSER, HONEST = 7, 8


class Two(Lockout):
    """Two processes connect, and the kernel tells them apart; `now` is the one that does."""

    now = GUESSER

    def __init__(self, clock: SetClock) -> None:
        super().__init__(clock, lambda _: self.now)


async def fail(lockout: Lockout, times: int = 1, identity: Identity = WRONG) -> None:
    for _ in range(times):
        with pytest.raises(HandshakeFailed):
            await shake(lockout, identity)


async def test_five_failures_lock_a_process_out_even_with_the_right_key() -> None:
    lockout = Two(SetClock())
    await fail(lockout, 4)
    assert await shake(lockout, IDENTITY) == ROLE
    await fail(lockout)
    with pytest.raises(LockedOut):
        await shake(lockout, IDENTITY)


async def test_who_claims_anothers_role_with_a_wrong_key_locks_out_nobody_but_itself() -> None:
    lockout = Two(SetClock())
    await fail(lockout, 5)
    lockout.now = HONEST
    assert await shake(lockout, IDENTITY) == ROLE
    lockout.now = GUESSER
    with pytest.raises(LockedOut):
        await shake(lockout, IDENTITY)


async def test_five_roles_claimed_once_each_are_five_failures() -> None:
    lockout = Two(SetClock())
    for number in range(4):
        await fail(lockout, 1, Identity(RoleName(f"made-up-{number}"), STRANGER, public_key(GATEWAY)))
    await fail(lockout, 1, Identity(RoleName("outbound"), RUNNER, public_key(GATEWAY)))
    with pytest.raises(LockedOut):
        await shake(lockout, IDENTITY)


async def test_a_process_that_is_locked_out_costs_no_question_to_the_vault() -> None:
    async def counted(role: RoleName) -> bytes:
        asked.append(role)
        return await registered(role)

    asked: list[RoleName] = []
    lockout = Two(SetClock())
    await fail(lockout, 5)
    with pytest.raises(LockedOut):
        await shake(lockout, IDENTITY, counted)
    assert asked == []


async def test_the_fifth_failure_counts_up_to_60_seconds_after_the_first() -> None:
    for later, locked in ((60_000, True), (60_001, False)):
        clock = SetClock()
        lockout = Two(clock)
        await fail(lockout, 4)
        clock.time += later
        await fail(lockout)
        with pytest.raises(LockedOut) if locked else contextlib.nullcontext():
            assert await shake(lockout, IDENTITY) == ROLE


async def test_a_lock_out_lasts_ten_minutes_to_the_millisecond_and_knocking_does_not_lengthen_it() -> None:
    clock = SetClock()
    lockout = Two(clock)
    await fail(lockout, 5)
    for later in (1, 300_000, 299_998):
        clock.time += later
        with pytest.raises(LockedOut):
            await shake(lockout, IDENTITY)
    clock.time += 1
    assert await shake(lockout, IDENTITY) == ROLE
    await fail(lockout, 4)
    assert await shake(lockout, IDENTITY) == ROLE


async def test_where_the_kernel_names_nobody_a_guesser_locks_out_nobody() -> None:
    """Linux before 6.9: the key alone decides, and the pace of the door."""
    lockout = Lockout(SetClock(), lambda _: NAMELESS)
    await fail(lockout, limits.HANDSHAKE_FAILURES + 1)
    assert await shake(lockout, IDENTITY) == ROLE


@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=30))
def test_a_process_is_locked_out_exactly_by_the_last_of_five_failures_within_the_window(pauses: list[int]) -> None:
    clock = SetClock()
    lockout = Lockout(clock)
    times: list[int] = []
    for pause in pauses:
        clock.time += pause
        times.append(clock.time)
        locks = len(times) >= 5 and times[-1] - times[-5] <= 60_000
        assert lockout.failed(GUESSER) == locks
        if locks:
            with pytest.raises(LockedOut):
                lockout.check(GUESSER)
            times.clear()
        lockout.check(HONEST)


def test_of_so_many_processes_the_one_that_failed_longest_ago_is_forgotten_first() -> None:
    for more, locks in ((limits.HANDSHAKE_SOURCES - 1, True), (limits.HANDSHAKE_SOURCES, False)):
        lockout = Lockout(SetClock())
        for process in [GUESSER] * 4 + list(range(1000, 1000 + more)):
            assert not lockout.failed(process)
        assert lockout.failed(GUESSER) == locks
        for process in range(5000, 5000 + limits.HANDSHAKE_SOURCES + 10):
            for _ in range(5):
                lockout.failed(process)
        assert len(lockout._failures) <= limits.HANDSHAKE_SOURCES and len(lockout._until) == limits.HANDSHAKE_SOURCES


def test_a_flood_of_refusals_is_not_all_recorded() -> None:
    clock = SetClock()
    lockout = Lockout(clock)
    assert [lockout.worth_a_row() for _ in range(40)] == [True] * limits.REFUSALS_RECORDED + [False] * 10
    clock.time += int(limits.HANDSHAKE_WINDOW * 1000) - 1
    assert not lockout.worth_a_row()
    clock.time += 1
    assert lockout.worth_a_row()


# --- who the kernel says it is ------------------------------------------------------------------------

CONNECT = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.recv(1)"
LEND = """
import os, socket, sys
one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
one.connect(sys.argv[1])
socket.send_fds(socket.socket(fileno=int(sys.argv[2])), [b"x"], [one.fileno()])
"""
NAMED = pytest.mark.skipif(
    tuple(int(part) for part in os.uname().release.split(".")[:2]) < (6, 9), reason="Linux names processes since 6.9"
)


@contextlib.contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield listener


@NAMED
def test_a_process_has_one_name_whatever_it_connects_with_and_no_other_has_it(tmp_path: Path) -> None:
    with listening(tmp_path / "s") as listener:
        names = []
        words = [sys.executable, "-I", "-c", CONNECT, str(tmp_path / "s")]
        for command in (words, ["bwrap", "--dev-bind", "/", "/", "--unshare-pid", "--unshare-user", *words]):
            with subprocess.Popen(command), listener.accept()[0] as sock:
                names += [process_of(sock), process_of(sock)]
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(str(tmp_path / "s"))
                with listener.accept()[0] as sock:
                    names.append(process_of(sock))
    assert names[0] == names[1] and names[2] == names[3] and names[4] == names[5]
    assert len(set(names)) == 3 and NAMELESS not in names


@NAMED
def test_a_socket_whose_process_is_gone_is_nobodys_or_still_that_processs(tmp_path: Path) -> None:
    """Else whoever has others connect for it would have no name."""
    with listening(tmp_path / "s") as listener:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            words = [sys.executable, "-I", "-c", LEND, str(tmp_path / "s"), str(theirs.fileno())]
            subprocess.run(words, pass_fds=[theirs.fileno()], check=True)
            _, [lent], _, _ = socket.recv_fds(ours, 1, 1)
            with socket.socket(fileno=lent), listener.accept()[0] as sock, contextlib.suppress(HandshakeFailed):
                assert process_of(sock) not in (NAMELESS, process_of(ours))


@pytest.mark.parametrize(("number", "named"), [(errno.ENOPROTOOPT, True), (errno.ESRCH, False), (errno.EINVAL, False)])
def test_a_kernel_that_cannot_say_is_no_process_that_is_gone(number: int, named: bool) -> None:
    class Old(socket.socket):
        def getsockopt(self, *asked: object) -> int:  # type: ignore[override]  # the kernel's word is what is tried
            raise OSError(number, os.strerror(number))

    with Old(socket.AF_UNIX) as sock, contextlib.nullcontext() if named else pytest.raises(HandshakeFailed):
        assert process_of(sock) == NAMELESS
