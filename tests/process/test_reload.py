"""Another plan in the same supervisor: channels come, change and go, and everybody else lives on."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.supervised import Supervised, free_port, supervised

from wirken.supervisor.plan import Plan, encode

pytestmark = pytest.mark.slow

KEPT = ("vault", "runner", "web")
SLACK, TEAMS, MATRIX = "channel-slack", "channel-teams", "channel-matrix"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Supervised]:
    with supervised(tmp_path, {SLACK: "well"}) as one:
        one.wait_ready()
        one.until(SLACK, state="ready")
        yield one


def asked(one: Supervised, plan: Plan) -> dict[str, object]:
    return one.ask({"ask": "reload", "plan": json.loads(encode(plan))})


def given(one: Supervised, *roles: str, **changes: object) -> Plan:
    behave = dict.fromkeys(roles, "well")
    return one.plan(behave)._replace(**changes)  # type: ignore[arg-type]  # fields by name, from tests


def pids(one: Supervised) -> dict[str, object]:
    return {role: row["pid"] for role, row in one.children().items()}


def until(happened: Callable[[], bool], said: Callable[[], str]) -> None:
    deadline = time.monotonic() + 15
    while not happened():
        assert time.monotonic() < deadline, said()
        time.sleep(0.02)


def settled(one: Supervised, roles: set[str]) -> None:
    """Wait until exactly these children are there, and ready."""
    everybody = {"vault", "gateway", "runner", "outbound", "web"} | roles
    until(
        lambda: {role: row["state"] for role, row in one.children().items()} == dict.fromkeys(everybody, "ready"),
        lambda: f"{one.children()} {one.err}",
    )


def test_a_channel_comes_with_its_socket_folder_and_webhook_while_the_others_live_on(house: Supervised) -> None:
    before, port = pids(house), free_port()
    plan = given(house, SLACK, TEAMS, webhooks={TEAMS: port}, states={TEAMS: "channels/teams"})
    assert asked(house, plan) == {"ok": True}
    settled(house, {SLACK, TEAMS})
    after = pids(house)
    assert {role: after[role] for role in (*KEPT, SLACK)} == {role: before[role] for role in (*KEPT, SLACK)}
    assert all(after[role] != before[role] for role in ("gateway", "outbound"))
    assert {row["restarts"] for row in house.children().values()} == {0}
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    options = house.seen("outbound")["options"]
    assert isinstance(options, dict)
    assert {value.partition("=")[0] for value in options["--relay-listen-fd"]} == {"runner", SLACK, TEAMS}
    mounts = house.seen(TEAMS)["mounts"]
    assert isinstance(mounts, list) and f"{house.data}/channels/teams" in mounts


def test_a_channel_goes_and_takes_its_socket_and_port_with_it(house: Supervised) -> None:
    port = free_port()
    asked(house, given(house, SLACK, TEAMS, webhooks={TEAMS: port}))
    settled(house, {SLACK, TEAMS})
    assert asked(house, given(house, SLACK)) == {"ok": True}
    settled(house, {SLACK})
    until(lambda: not (house.paths.sockets_dir / f"relay-{TEAMS}.sock").exists(), lambda: house.err)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    assert (house.paths.sockets_dir / f"relay-{SLACK}.sock").exists()


def test_an_adapter_whose_settings_changed_is_started_anew_and_no_other(house: Supervised) -> None:
    asked(house, given(house, SLACK, MATRIX))
    settled(house, {SLACK, MATRIX})
    before = pids(house)
    plan = given(house, SLACK, MATRIX)
    plan.programs[MATRIX] = (*plan.programs[MATRIX], "--setting", "prefix=!ai")
    asked(house, plan)
    settled(house, {SLACK, MATRIX})
    assert pids(house)[SLACK] == before[SLACK] and pids(house)[MATRIX] != before[MATRIX]


def test_one_adapter_alone_can_be_started_anew(house: Supervised) -> None:
    before = pids(house)
    assert house.ask({"ask": "renew", "role": SLACK}) == {"ok": True}
    settled(house, {SLACK})
    after = pids(house)
    assert after.pop(SLACK) != before.pop(SLACK)
    assert after == before
    for role in ("gateway", "vault", TEAMS, ""):
        assert house.ask({"ask": "renew", "role": role})["ok"] is False


@pytest.mark.parametrize(
    "change",
    [{"data": "/elsewhere"}, {"workspaces": ("/w",)}, {"credentials": ("new",)}, {"bwrap": ""}, {"tools": "/image"}],
)
def test_whatever_else_has_changed_needs_a_new_start(house: Supervised, change: dict[str, object]) -> None:
    before = pids(house)
    answer = asked(house, given(house, SLACK, TEAMS, **change))
    assert answer["ok"] is False and next(iter(change)) in str(answer["error"])
    assert pids(house) == before


def test_a_busy_port_changes_nothing(house: Supervised) -> None:
    before = pids(house)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        answer = asked(house, given(house, SLACK, TEAMS, MATRIX, webhooks={TEAMS: port}))
    assert answer["ok"] is False and f"Port {port}" in str(answer["error"])
    assert pids(house) == before
    assert not (house.paths.sockets_dir / f"relay-{MATRIX}.sock").exists()


def test_what_is_no_plan_is_refused_and_a_second_change_waits_for_the_first(house: Supervised) -> None:
    assert house.ask({"ask": "reload", "plan": {}})["ok"] is False
    assert house.ask({"ask": "reload"})["ok"] is False
    with house.connect() as peer:
        assert house.ask({"ask": "reload", "plan": json.loads(encode(given(house, TEAMS)))}, peer) == {"ok": True}
        assert house.ask({"ask": "renew", "role": SLACK}, peer)["ok"] is False
    settled(house, {TEAMS})


def test_a_stop_in_the_middle_of_a_change_leaves_nothing_behind(tmp_path: Path) -> None:
    with supervised(tmp_path, {SLACK: "deaf"}) as one:
        one.wait_ready()
        one.until(SLACK, state="ready")
        asked(one, given(one, TEAMS))
        one.stop()
        assert one.process.returncode == 0
        assert not [name for name in os.listdir(one.paths.sockets_dir) if name.endswith(".sock")]
