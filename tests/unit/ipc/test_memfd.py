from __future__ import annotations

import fcntl
import mmap
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from wirken.domain import limits
from wirken.ipc import memfd
from wirken.ipc.memfd import NotSealed, TooLarge


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        yield ours, theirs


def opened() -> set[str]:
    return {link for name in os.listdir("/proc/self/fd") if "memfd" in (link := _link(name))}


def _link(name: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        return ""


@pytest.mark.parametrize("data", [b"", b"x", os.urandom(300_000)])
def test_a_file_crosses_unchanged(pair: tuple[socket.socket, socket.socket], data: bytes) -> None:
    handle = memfd.sealed(data)
    memfd.send(pair[0], handle)
    os.close(handle)
    received = memfd.receive(pair[1])
    assert memfd.content(received) == data
    assert not os.get_inheritable(received)
    os.close(received)


def test_nobody_can_change_it_any_more() -> None:
    handle = memfd.sealed(b"fixed")
    for attempt in (
        lambda: os.pwrite(handle, b"x", 0),
        lambda: os.ftruncate(handle, 0),
        lambda: os.ftruncate(handle, 100),
        lambda: fcntl.fcntl(handle, fcntl.F_ADD_SEALS, 0),
        lambda: mmap.mmap(handle, 5, mmap.MAP_SHARED, mmap.PROT_WRITE),
    ):
        with pytest.raises(PermissionError):
            attempt()
    os.close(handle)


def test_the_largest_file_crosses_and_one_byte_more_does_not() -> None:
    handle = memfd.sealed(bytes(limits.SHARED_FILE))
    assert memfd.size(handle) == limits.SHARED_FILE
    with pytest.raises(NotSealed, match="allowed"):
        memfd.size(handle, limits.SHARED_FILE - 1)
    os.close(handle)
    with pytest.raises(TooLarge):
        memfd.sealed(bytes(limits.SHARED_FILE + 1))


def unsealed(seals: int) -> int:
    handle = os.memfd_create("other", os.MFD_ALLOW_SEALING)
    os.write(handle, b"moves")
    fcntl.fcntl(handle, fcntl.F_ADD_SEALS, seals)
    return handle


@pytest.mark.parametrize("missing", [fcntl.F_SEAL_SEAL, fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_GROW, fcntl.F_SEAL_WRITE])
def test_each_missing_seal_is_refused_and_the_descriptor_closed(
    pair: tuple[socket.socket, socket.socket], missing: int
) -> None:
    handle = unsealed(memfd.SEALS & ~missing)
    memfd.send(pair[0], handle)
    os.close(handle)
    with pytest.raises(NotSealed, match="still change"):
        memfd.receive(pair[1])
    assert opened() == set()


def test_a_writer_that_is_mapped_already_cannot_be_sealed_away() -> None:
    """F_SEAL_FUTURE_WRITE (0x10) leaves old mappings writable, so it does not count."""
    handle = unsealed(memfd.SEALS & ~fcntl.F_SEAL_WRITE & ~fcntl.F_SEAL_SEAL)
    with mmap.mmap(handle, 5, mmap.MAP_SHARED, mmap.PROT_WRITE):
        with pytest.raises(OSError, match="busy"):
            fcntl.fcntl(handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, 0x10 | fcntl.F_SEAL_SEAL)
        with pytest.raises(NotSealed):
            memfd.size(handle)
    os.close(handle)


def test_what_is_no_memfd_is_refused(pair: tuple[socket.socket, socket.socket], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    kept = [
        os.open(tmp_path / "file", os.O_RDONLY),
        os.open(tmp_path, os.O_RDONLY),
        os.open(tmp_path / "pipe", os.O_RDWR),
        os.open("/dev/zero", os.O_RDONLY),
        os.dup(pair[0].fileno()),
        os.memfd_create("without seals", 0),
    ]
    for handle in kept:
        memfd.send(pair[0], handle)
        with pytest.raises(NotSealed):
            memfd.receive(pair[1])
        os.close(handle)
    assert opened() == set()


def test_a_sealed_memfd_that_cannot_be_read_is_refused() -> None:
    handle = memfd.sealed(b"x")
    for flags in (os.O_PATH, os.O_WRONLY):
        try:
            other = os.open(f"/proc/self/fd/{handle}", flags)
        except PermissionError:  # some kernels do not open a sealed file for writing at all
            continue
        with pytest.raises(NotSealed):
            memfd.size(other)
        os.close(other)
    os.close(handle)


def test_two_files_at_once_none_and_a_closed_peer_are_refused(pair: tuple[socket.socket, socket.socket]) -> None:
    handles = [memfd.sealed(b"a"), memfd.sealed(b"b")]
    socket.send_fds(pair[0], [b"F"], handles)
    for handle in handles:
        os.close(handle)
    with pytest.raises(NotSealed, match="exactly one"):
        memfd.receive(pair[1])
    assert opened() == set()
    pair[0].send(b"F")
    with pytest.raises(NotSealed, match="exactly one"):
        memfd.receive(pair[1])
    pair[0].close()
    with pytest.raises(NotSealed, match="exactly one"):
        memfd.receive(pair[1])


# --- growing ------------------------------------------------------------------------------------------


def test_what_grew_is_sealed_and_whole() -> None:
    filling = memfd.Filling(limit=5)
    filling.add(b"ab")
    filling.add(b"")
    filling.add(b"cde")
    handle = filling.sealed()
    filling.close()
    assert memfd.content(handle) == b"abcde" and filling.bytes == 5
    os.close(handle)


def test_a_piece_that_passes_the_limit_is_not_taken() -> None:
    filling = memfd.Filling(limit=5)
    filling.add(b"abcd")
    with pytest.raises(memfd.TooLarge):
        filling.add(b"ef")
    assert filling.bytes == 4
    filling.close()
    filling.close()
