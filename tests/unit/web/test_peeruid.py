"""The kernel's TCP table: recorded ones, written ones, and the real one with real sockets of two uids."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.web.peeruid import End, TcpTables, needle, search

HEAD = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
    "                                                     \n"
)
# As Linux 6.18 prints them on x86_64: a listener, both ends of a connection, two that are closed.
TAIL = " 1 00000000d5421198 20 4 30 10 -1                    \n"
ROWS = (
    "   0: 0100007F:4966 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 30 1" + TAIL,
    "   1: 0100007F:4966 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 31 1" + TAIL,
    "   2: 0100007F:C350 0100007F:4966 01 00000000:00000000 00:00000000 00000000  1001        0 32 1" + TAIL,
    "   3: 0100007F:C351 0100007F:4966 06 00000000:00000000 03:00001770 00000000     0        0 0 3" + TAIL,
    "   4: 0100007F:C352 0100007F:4966 05 00000000:00000000 03:00000EA6 00000000     0        0 0 3" + TAIL,
)
MAPPED = (
    "   0: 0000000000000000FFFF00000100007F:C353 0000000000000000FFFF00000100007F:4966 01 00000000:00000000"
    " 00:00000000 00000000  1002        0 33 1" + TAIL
)
SIX = (
    "   1: 00000000000000000000000001000000:C354 00000000000000000000000001000000:4966 01 00000000:00000000"
    " 00:00000000 00000000  1003        0 34 1" + TAIL
)
OURS = End("127.0.0.1", 18790)


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[TcpTables]:
    (tmp_path / "tcp").write_text(HEAD + "".join(ROWS))
    (tmp_path / "tcp6").write_text(HEAD + MAPPED + SIX)
    tcp, tcp6 = (os.open(tmp_path / name, os.O_RDONLY) for name in ("tcp", "tcp6"))
    yield TcpTables(tcp, tcp6)
    os.close(tcp)
    os.close(tcp6)


little = pytest.mark.skipif(sys.byteorder != "little", reason="recorded on a little-endian machine")


@little
def test_the_peers_end_names_its_uid_and_not_our_own_end(tables: TcpTables) -> None:
    assert tables.uid_of(End("127.0.0.1", 50000), OURS) == 1001


@little
def test_ipv6_and_an_ipv4_connection_of_an_ipv6_socket_are_found(tables: TcpTables) -> None:
    assert tables.uid_of(End("::1", 50004), End("::1", 18790)) == 1003
    assert tables.uid_of(End("127.0.0.1", 50003), OURS) == 1002
    assert tables.uid_of(End("::ffff:127.0.0.1", 50003), End("::ffff:127.0.0.1", 18790)) == 1002


@little
@pytest.mark.parametrize("port", [50001, 50002])
def test_a_closed_connections_row_which_shows_uid_0_for_everybody_does_not_count(tables: TcpTables, port: int) -> None:
    assert tables.uid_of(End("127.0.0.1", port), OURS) is None


@little
@pytest.mark.parametrize(
    ("peer", "ours"),
    [
        (End("127.0.0.1", 50009), OURS),
        (End("127.0.0.1", 50000), End("127.0.0.1", 18791)),
        (End("127.0.0.2", 50000), OURS),
        (End("::1", 50000), OURS),
        (End("", 0), OURS),
        (End("localhost", 50000), OURS),
    ],
)
def test_what_is_not_listed_has_no_uid(tables: TcpTables, peer: End, ours: End) -> None:
    assert tables.uid_of(peer, ours) is None


def written(tmp_path: Path, text: bytes) -> int:
    path = tmp_path / "table"
    path.write_bytes(text)
    return os.open(path, os.O_RDONLY)


ROW = needle((ipaddress.ip_address("127.0.0.1"), 50000), (ipaddress.ip_address("127.0.0.1"), 18790), mapped=False)


@pytest.mark.parametrize(
    "line",
    [
        b"   2:" + ROW + b"00000000:00000000 00:00000000 00000000  -1001 0 32 1",
        b"   2:" + ROW + b"00000000:00000000 00:00000000 00000000  0x10 0 32 1",
        b"   2:" + ROW + b"1001",
        b"xx" + ROW + b"00000000:00000000 00:00000000 00000000  1001 0 32 1",
        b"   2: 0:0 0:0 0A 00000000:00000000 00:00000000 00000000  1001 0 32 1" + ROW,
    ],
)
def test_a_line_of_another_form_is_not_believed(tmp_path: Path, line: bytes) -> None:
    descriptor = written(tmp_path, HEAD.encode() + line + b"\n")
    assert search(descriptor, ROW) is None
    os.close(descriptor)


@given(st.integers(0, 9000), st.integers(0, 2**32 - 1))
def test_a_row_is_found_wherever_in_a_long_table_it_stands(before: int, uid: int) -> None:
    filler = b"   9: 0100007F:0001 0100007F:0002 01 00000000:00000000 00:00000000 00000000  7 0 1 1\n"
    wanted = b"   2:" + ROW + b"00000000:00000000 00:00000000 00000000  %d 0 32 1\n" % uid
    descriptor = os.memfd_create("table")
    os.write(descriptor, HEAD.encode() + filler * before + wanted + filler * 3)
    assert search(descriptor, ROW) == uid
    os.close(descriptor)


CLIENT = (
    "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])));"
    "print('up', flush=True); sys.stdin.read()"
)


def connected(address: str, uid: int) -> int | None:
    """Return what the real tables say of a client process of this uid."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listened = "127.0.0.1" if family == socket.AF_INET or "ffff" in address else address
    listener = socket.create_server(
        (listened, 0), family=socket.AF_INET if listened == "127.0.0.1" else socket.AF_INET6
    )
    tables = [os.open(f"/proc/net/{name}", os.O_RDONLY) for name in ("tcp", "tcp6")]
    # The system's own interpreter, since another uid may not be able to read ours.
    command = ["/usr/bin/python3", "-I", "-c", CLIENT, address, str(listener.getsockname()[1])]
    if uid != os.getuid():
        command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *command]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/") as client:
        peer, name = listener.accept()
        own = peer.getsockname()
        found = TcpTables(*tables).uid_of(End(name[0], name[1]), End(own[0], own[1]))
        client.communicate(b"")
        closed = TcpTables(*tables).uid_of(End(name[0], name[1]), End(own[0], own[1]))
    peer.close()
    listener.close()
    for table in tables:
        os.close(table)
    assert closed is None
    return found


LOOPBACKS = ["127.0.0.1", "::1", "::ffff:127.0.0.1"]
system_python = pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="needs the system's Python")


@system_python
@pytest.mark.parametrize("address", LOOPBACKS)
def test_the_real_table_names_our_own_uid_until_the_peer_has_gone(address: str) -> None:
    assert connected(address, os.getuid()) == os.getuid()


@system_python
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another uid")
@pytest.mark.parametrize("address", LOOPBACKS)
def test_the_real_table_names_another_users_uid(address: str) -> None:
    assert connected(address, 65534) == 65534
