"""Finding a connection's program in recorded tables; real ones are in test_egress.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from wirken.domain import limits
from wirken.runner.asker import asker

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
PEER = ("127.0.0.1", 0xABCD)


def line(local: str, inode: int) -> str:
    return f"   0: {local} 0100007F:0C38 01 00000000:00000000 00:00000000 00000000  1000        0 {inode} 1 0 20 4 30\n"


def process(
    proc: Path, pid: int, parent: int, name: bytes, links: tuple[str, ...], program: str = "/usr/bin/x"
) -> None:
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "stat").write_bytes(b"%d (%s) S %d " % (pid, name, parent) + b"0 " * 15 + b"1 0 0 0 5 0\n")
    (folder / "comm").write_bytes(name + b"\n")
    (folder / "exe").symlink_to(program)
    for number, link in enumerate(links):
        (folder / "fd" / str(number)).symlink_to(link)


def tables(proc: Path, tcp: str = "", tcp6: str = "") -> None:
    (proc / "10/net").mkdir(parents=True)
    (proc / "10/net/tcp").write_text(HEAD + tcp)
    (proc / "10/net/tcp6").write_text(HEAD + tcp6)


def test_the_process_that_has_the_socket_open_is_named(tmp_path: Path) -> None:
    tables(tmp_path, line("0100007F:ABCE", 7) + line("0100007F:ABCD", 77))
    process(tmp_path, 10, 1, b"sh", ("/dev/null", "socket:[7]"), "/usr/bin/sh")
    process(tmp_path, 11, 10, b"pip", ("/dev/null", "socket:[77]"), "/usr/bin/python3.11")
    assert asker(tmp_path, 10, PEER) == "pip (python3.11)"


def test_a_connection_over_a_mapped_address_is_found_too(tmp_path: Path) -> None:
    tables(tmp_path, tcp6=line("0000000000000000FFFF00000100007F:ABCD", 9))
    process(tmp_path, 10, 1, b"node", ("socket:[9]",), "/usr/bin/node")
    assert asker(tmp_path, 10, PEER) == "node"


def test_another_address_or_sandbox_is_not_named(tmp_path: Path) -> None:
    tables(tmp_path, line("0200007F:ABCD", 9))
    process(tmp_path, 10, 1, b"sh", ("socket:[9]",))
    process(tmp_path, 20, 1, b"other", ("socket:[77]",))
    assert asker(tmp_path, 10, PEER) == ""
    (tmp_path / "10/net/tcp").write_text(HEAD + line("0100007F:ABCD", 77))
    assert asker(tmp_path, 10, PEER) == ""


def test_a_sandbox_that_is_gone_and_a_table_of_nonsense_name_nobody(tmp_path: Path) -> None:
    assert asker(tmp_path, 10, PEER) == ""
    tables(tmp_path, "x\n" + "0: 0100007F:ABCD a b c d e f g many\n")
    process(tmp_path, 10, 1, b"sh", ())
    assert asker(tmp_path, 10, PEER) == ""


@pytest.mark.parametrize(("name", "shown"), [(b"a\x1b[2J", "a\\x1b[2J (x)"), (b"\xff\xfe", "\ufffd\ufffd (x)")])
def test_a_name_cannot_drive_a_terminal(tmp_path: Path, name: bytes, shown: str) -> None:
    tables(tmp_path, line("0100007F:ABCD", 77))
    process(tmp_path, 10, 1, name, ("socket:[77]",))
    assert asker(tmp_path, 10, PEER) == shown


def test_the_search_and_the_name_are_bounded(tmp_path: Path) -> None:
    tables(tmp_path, line("0100007F:ABCD", 77))
    process(tmp_path, 10, 1, b"long", ("socket:[77]",), "/usr/bin/" + "y" * 200)
    assert len(asker(tmp_path, 10, PEER)) == limits.EGRESS_PROGRAM
    process(tmp_path, 11, 10, b"many", ("/dev/null",) * (limits.EGRESS_LINKS - 1))
    assert asker(tmp_path, 10, PEER) != ""
    (tmp_path / "11/fd/more").symlink_to("/dev/null")
    assert asker(tmp_path, 10, PEER) == ""


def test_a_socket_beyond_the_tables_start_names_nobody(tmp_path: Path) -> None:
    filler = line("0100007F:0001", 1)
    tables(tmp_path, filler * (limits.EGRESS_TABLE // len(filler)) + line("0100007F:ABCD", 77))
    process(tmp_path, 10, 1, b"sh", ("socket:[77]",))
    assert asker(tmp_path, 10, PEER) == ""
