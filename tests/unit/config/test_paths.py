from __future__ import annotations

import os
from pathlib import Path

from wirken.config.channel_kinds import CHANNEL_KINDS
from wirken.config.channels import role_of
from wirken.config.paths import LONGEST_SOCKET, Paths, data_dir, for_people
from wirken.confine.roles import RELAYED, relay_socket
from wirken.domain import limits


def test_the_data_directory_is_the_one_of_the_environment_else_below_home(tmp_path: Path) -> None:
    assert data_dir({"WIRKEN_DATA_DIR": str(tmp_path), "HOME": "/h"}) == tmp_path
    assert data_dir({"HOME": str(tmp_path)}) == tmp_path / ".wirken"
    assert data_dir({"WIRKEN_DATA_DIR": "", "HOME": str(tmp_path)}) == tmp_path / ".wirken"


def test_a_relative_data_directory_becomes_absolute() -> None:
    assert data_dir({"WIRKEN_DATA_DIR": "here"}) == Path.cwd() / "here"


def test_links_in_the_data_directorys_path_are_resolved(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert data_dir({"WIRKEN_DATA_DIR": str(tmp_path / "link")}) == tmp_path / "real"


def test_sockets_lie_in_the_data_directory_where_their_address_fits() -> None:
    assert Paths(Path("/home/me/.wirken")).gateway_socket == Path("/home/me/.wirken/sockets/gateway.sock")


def test_the_longest_address_that_fits_is_used_and_one_byte_more_is_not() -> None:
    rest = len(f"/sockets/{LONGEST_SOCKET}")
    fits = Paths(Path("/" + "d" * (limits.SOCKET_ADDRESS - rest - 1)))
    assert len(os.fsencode(fits.sockets_dir / LONGEST_SOCKET)) == limits.SOCKET_ADDRESS
    assert fits.sockets_dir.parent == fits.data
    longer = Paths(Path("/" + "d" * (limits.SOCKET_ADDRESS - rest)))
    assert longer.sockets_dir.parent == Path("/tmp")
    assert len(os.fsencode(longer.sockets_dir / LONGEST_SOCKET)) <= limits.SOCKET_ADDRESS


def test_no_sockets_name_is_longer_than_the_one_that_is_measured() -> None:
    paths = Paths(Path("/d"))
    ours = (paths.gateway_socket, paths.operator_socket, paths.vault_socket, paths.supervisor_socket)
    relays = [relay_socket(role) for role in (*RELAYED, *map(role_of, CHANNEL_KINDS))]
    assert max(map(len, (*(one.name for one in ours), *relays))) == len(LONGEST_SOCKET)


def test_bytes_count_and_not_characters() -> None:
    assert Paths(Path("/" + "ä" * 45)).sockets_dir.parent == Path("/tmp")


def test_short_directories_of_different_data_directories_differ() -> None:
    one, other = (Paths(Path("/" + letter * 200)).sockets_dir for letter in "ab")
    assert one != other
    assert one.name.startswith(f"wirken-{os.getuid()}-")


def test_people_see_their_home_as_a_tilde() -> None:
    assert for_people(Path("/home/me/.wirken/x"), "/home/me") == "~/.wirken/x"
    assert for_people(Path("/home/meanwhile"), "/home/me") == "/home/meanwhile"
    assert for_people(Path("/etc"), "/") == "/etc"
    assert for_people(Path("/etc"), "") == "/etc"
