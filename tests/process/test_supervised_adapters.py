"""Adapters as the supervisor starts them: after the others, each in its own view, nobody's trouble but their own."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.supervised import ROLES, Supervised, free_port, supervised

pytestmark = pytest.mark.slow

ADAPTERS = ("channel-matrix", "channel-teams")
WEBHOOK = free_port()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    changes = {"webhooks": {"channel-teams": WEBHOOK}, "states": {"channel-matrix": "channels/matrix"}}
    with supervised(tmp_path_factory.mktemp("house"), dict.fromkeys(ADAPTERS, "well"), **changes) as one:
        one.wait_ready()
        for role in ADAPTERS:
            one.until(role, state="ready")
        yield one


def test_an_adapter_has_an_empty_network_and_no_privilege(house: Supervised) -> None:
    for role in ADAPTERS:
        sight = house.seen(role)
        assert sight["interfaces"] == ["lo"] and sight["net"] != os.readlink("/proc/self/ns/net")
        status = sight["status"]
        assert isinstance(status, dict) and int(status["CapEff"], 16) == 0


def test_an_adapter_sees_no_other_channels_socket_and_no_other_folder(house: Supervised) -> None:
    sockets = f"{house.paths.sockets_dir}/"
    for role, kept in zip(ADAPTERS, ({"channels/matrix"}, set[str]()), strict=True):
        mounts = house.seen(role)["mounts"]
        assert isinstance(mounts, list)
        assert {path.removeprefix(sockets) for path in mounts if path.startswith(sockets)} == {
            "gateway.sock",
            f"relay-{role}.sock",
        }
        data = f"{house.data}/"
        inside = {path for path in mounts if path.startswith(data) and not path.startswith(sockets)}
        assert inside == {f"{data}{folder}" for folder in kept}


def test_outbound_serves_a_socket_of_each_adapter(house: Supervised) -> None:
    options = house.seen("outbound")["options"]
    assert isinstance(options, dict)
    assert {value.partition("=")[0] for value in options["--relay-listen-fd"]} == {"runner", *ADAPTERS}


def test_a_webhook_is_bound_before_its_adapter_and_stays_while_that_is_away(house: Supervised) -> None:
    before = house.children()["channel-teams"]
    assert isinstance(before["pid"], int) and isinstance(before["restarts"], int)
    os.kill(before["pid"], signal.SIGKILL)
    socket.create_connection(("127.0.0.1", WEBHOOK), timeout=5).close()
    house.until("channel-teams", state="ready", restarts=before["restarts"] + 1)
    options = house.seen("channel-teams")["options"]
    assert isinstance(options, dict) and len(options["--listen-fd"]) == 1


def test_a_killed_adapter_comes_back_and_nobody_else_is_touched(house: Supervised) -> None:
    before = house.children()
    pid = before["channel-matrix"]["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    restarts = before["channel-matrix"]["restarts"]
    assert isinstance(restarts, int)
    house.until("channel-matrix", state="ready", restarts=restarts + 1)
    after = house.children()
    assert {role: after[role]["pid"] for role in ROLES} == {role: before[role]["pid"] for role in ROLES}


def test_a_new_vault_gives_adapters_new_pairs(house: Supervised) -> None:
    vault = house.children()["vault"]
    assert isinstance(vault["pid"], int) and isinstance(vault["restarts"], int)
    again = house.err.count("PAIR channel-matrix channel-matrix again")
    os.kill(vault["pid"], signal.SIGKILL)
    house.until("vault", state="ready", restarts=vault["restarts"] + 1)
    deadline = time.monotonic() + 15
    while house.err.count("PAIR channel-matrix channel-matrix again") == again and time.monotonic() < deadline:
        time.sleep(0.02)
    assert house.err.count("PAIR channel-matrix channel-matrix again") == again + 1


def test_an_adapter_that_dies_or_stays_silent_holds_up_nobody(tmp_path: Path) -> None:
    behave = {"channel-slack": "die", "channel-discord": "mute", "channel-telegram": "naked"}
    with supervised(tmp_path, behave) as one:
        one.wait_ready()
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            rows = one.children()
            if all(int(str(rows[role]["restarts"])) >= 2 for role in ("channel-slack", "channel-telegram")):
                break
            time.sleep(0.05)
        assert {rows[role]["state"] for role in ROLES} == {"ready"}
        assert {rows[role]["restarts"] for role in ROLES} == {0}
        assert rows["channel-discord"]["state"] == "starting"
        assert "channel-slack ended (exit code 7) and is started again" in one.err
        assert "channel-telegram ended (without its walls" in one.err
        assert one.ask({"ask": "status"})["phase"] == "open"


def test_a_stop_ends_adapters_before_runner_outbound_and_vault(tmp_path: Path) -> None:
    with supervised(tmp_path, {"channel-slack": "well"}) as one:
        one.wait_ready()
        one.until("channel-slack", state="ready")
        one.stop()
        stopped = [line.split()[1] for line in one.err.splitlines() if line.startswith("STOPPED")]
    assert stopped.index("channel-slack") < min(stopped.index(role) for role in ("runner", "outbound", "vault"))
    assert not list(one.paths.sockets_dir.glob("*.sock"))


def test_while_the_house_opens_the_loop_does_not_spin_for_adapters_that_wait(tmp_path: Path) -> None:
    with supervised(tmp_path, {"gateway": "mute", "channel-slack": "well"}) as one:
        deadline = time.monotonic() + 15
        while not one.paths.supervisor_socket.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        one.until("web", state="ready")
        spent = _processor_time(one.process.pid)
        time.sleep(1.0)
        assert _processor_time(one.process.pid) - spent < 0.5
        assert one.children()["channel-slack"]["state"] == "waiting"


def _processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
