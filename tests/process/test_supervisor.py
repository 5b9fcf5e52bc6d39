"""The supervisor's children as they look from outside, in their real views."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.supervised import ROLES, Supervised, descendants, supervised, until_gone

from wirken.domain import limits

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    with supervised(tmp_path_factory.mktemp("house")) as one:
        one.wait_ready()
        yield one


@pytest.mark.parametrize("role", ROLES)
def test_a_child_starts_with_an_environment_built_from_nothing(house: Supervised, role: str) -> None:
    raw = Path(f"/proc/{house.inner(role)}/environ").read_bytes().decode()
    names = {entry.partition("=")[0] for entry in raw.split("\0") if entry}
    assert names == {"PATH", "LANG", "PWD"}


@pytest.mark.parametrize("role", ROLES)
def test_a_child_is_nobody_who_could_become_root(house: Supervised, role: str) -> None:
    sight = house.seen(role)
    status = sight["status"]
    assert isinstance(status, dict)
    assert sight["uid"] == (limits.SERVICE_UID if os.getuid() == 0 else os.getuid())
    assert status["NoNewPrivs"] == "1"
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert not sight["writable"]


@pytest.mark.parametrize("role", ROLES)
def test_only_outbound_has_a_network_interface(house: Supervised, role: str) -> None:
    sight = house.seen(role)
    ours = os.readlink("/proc/self/ns/net")
    if role == "outbound":
        assert sight["net"] == ours
    else:
        assert sight["net"] != ours
        assert sight["interfaces"] == ["lo"]


@pytest.mark.parametrize("role", ROLES)
def test_a_child_has_only_the_descriptors_it_was_given(house: Supervised, role: str) -> None:
    sight = house.seen(role)
    options = sight["options"]
    assert isinstance(options, dict)
    given = {0, 1, 2}
    for flag, values in options.items():
        if flag.endswith(("-fd", "-fds")):
            given |= {int(number.rpartition("=")[2]) for value in values for number in value.split(",")}
    assert sight["fds"] == sorted(given)


SEES = {
    "vault": {"vault"},
    "gateway": {"gateway", "config.toml", "skills"},
    "runner": {"agents/default/workspace", "skills"},
    "outbound": {"config.toml"},
    "web": set[str](),
}


@pytest.mark.parametrize("role", ROLES)
def test_a_view_shows_of_the_data_directory_only_its_row(house: Supervised, role: str) -> None:
    mounts = house.seen(role)["mounts"]
    assert isinstance(mounts, list)
    base, sockets = f"{house.data}/", f"{house.paths.sockets_dir}/"
    own = {path.removeprefix(base) for path in mounts if path.startswith(base) and not path.startswith(sockets)}
    assert own == SEES[role]
    dialled = {path.removeprefix(sockets) for path in mounts if path.startswith(sockets)}
    relay = {"relay-runner.sock"} if role == "runner" else set()
    assert dialled == ({"gateway.sock", *relay} if role in ("runner", "outbound", "web") else set())


@pytest.mark.parametrize("role", ROLES)
def test_a_view_shows_no_home_and_no_other_process(house: Supervised, role: str) -> None:
    sight = house.seen(role)
    root, pids = sight["root"], sight["pids"]
    assert isinstance(root, list)
    assert isinstance(pids, list)
    assert not {"var", "run", "sys", "boot", "mnt"} & set(root) - {"sys"}
    assert pids[0] == 1
    assert len(pids) <= 3


@pytest.mark.parametrize("role", ROLES)
def test_a_child_has_a_session_of_its_own_which_the_terminals_keys_do_not_reach(house: Supervised, role: str) -> None:
    outer = house.children()[role]["pid"]
    assert isinstance(outer, int)
    assert len({os.getsid(pid) for pid in (house.process.pid, outer, house.inner(role))}) == 3


def test_a_sandbox_can_be_made_inside_the_runners_view(house: Supervised) -> None:
    assert house.seen("runner")["nested"] == 0


def test_each_child_is_known_to_the_vault_by_the_role_of_its_pair(house: Supervised) -> None:
    for role in ROLES[1:]:
        assert f"PAIR {role} {role}\n" in house.err


def test_all_sockets_are_private_and_the_page_listens_on_loopback_only(house: Supervised) -> None:
    for place in house.paths.sockets_dir.iterdir():
        assert place.stat().st_mode & 0o777 == 0o600
    assert house.paths.sockets_dir.stat().st_mode & 0o777 == 0o700
    with socket.create_connection(("127.0.0.1", house.port)):
        pass
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", house.port))  # would fail if the page were bound to every address


def test_the_banner_comes_before_the_last_line(house: Supervised) -> None:
    assert house.out == "banner\nready\n"


def test_status_tells_who_runs_and_how_long_it_took(house: Supervised) -> None:
    rows = house.children()
    assert set(rows) == set(ROLES)
    assert all(row["state"] == "ready" and row["restarts"] == 0 for row in rows.values())


def test_a_garbled_question_is_refused_and_the_connection_closed(house: Supervised) -> None:
    with house.connect() as peer:
        peer.sendall(b"not json\n")
        assert b'"ok": false' in peer.recv(4096)
        assert peer.recv(4096) == b""
    assert house.ask({"ask": "status"})["ok"] is True


def test_a_further_runner_sees_its_own_workspace_and_lives_as_long_as_its_connection(
    house: Supervised, tmp_path: Path
) -> None:
    place, other = tmp_path / "project", tmp_path / "reference"
    for folder in (place, other):
        folder.mkdir()
        folder.chmod(0o777)
    with house.connect() as peer:
        answer = house.ask({"ask": "workspace", "path": str(place), "read_only": [str(other)]}, peer)
        assert answer["ok"] is True, answer
        role = str(answer["role"])
        assert f"PAIR runner {role}\n" in house.err
        sight = next(place.glob("seen-runner-*.json")).read_text()
        assert str(house.paths.workspace("default")) not in sight
        pid = house.children()[role]["pid"]
        assert isinstance(pid, int)
        below = [pid, *descendants(pid)]
    assert until_gone(below, 2.5) == []
    assert role not in house.children()


def test_a_workspace_around_the_data_directory_is_refused(house: Supervised) -> None:
    answer = house.ask({"ask": "workspace", "path": str(house.folder), "read_only": []})
    assert answer["ok"] is False
    assert "data" in str(answer["error"])


def test_a_dead_child_is_started_again_with_a_new_pair(house: Supervised) -> None:
    before = house.children()["outbound"]["pid"]
    assert isinstance(before, int)
    os.kill(house.inner("outbound"), signal.SIGKILL)
    house.until("outbound", restarts=1, state="ready")
    assert house.err.count("PAIR outbound outbound\n") == 2
    assert house.children()["web"]["restarts"] == 0


def test_a_new_vault_gets_new_pairs_and_the_others_live_on(house: Supervised) -> None:
    before = {role: row["pid"] for role, row in house.children().items() if role != "vault"}
    os.kill(house.inner("vault"), signal.SIGKILL)
    house.until("vault", restarts=1, state="ready")
    deadline = time.monotonic() + 5
    while "PAIR web web again" not in house.err and time.monotonic() < deadline:
        time.sleep(0.02)
    assert all(f"PAIR {role} {role} again" in house.err for role in before)
    assert {role: row["pid"] for role, row in house.children().items() if role != "vault"} == before
