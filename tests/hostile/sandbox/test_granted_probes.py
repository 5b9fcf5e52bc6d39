"""Hostile programs at sockets, in every kind of sandbox with a granted network: it opens the proxy and nothing else.

The data is that of `test_probes`: each program ends as it does without a network, or, where gVisor uses the machine's
loopback instead of its own, with that kernel's word for the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_relay import FakeRelay, fake_relay
from tests.support.runner_client import Boxed, Client, runner
from tests.support.sandboxes import PROGRAM, World, compiled, fresh, open_folder, world
from tests.support.walled import owned
from tests.support.ways import WAYS, Way, boxed

pytestmark = pytest.mark.slow

DATA = Path(__file__).parent / "probes.jsonl"
PROBES: list[dict[str, Any]] = [
    probe for line in DATA.read_text().splitlines() if (probe := json.loads(line))["group"] == "sockets"
]
AROUND = {"ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"}
"""How a loopback refuses, and how gVisor says that it hands no such socket to the machine."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture(scope="module")
def box(way: Way, program: Path, request: pytest.FixtureRequest) -> Iterator[tuple[World, Client, FakeRelay]]:
    given = boxed(way, request)
    if given is not None and given.engine is not None:
        given = Boxed(given.engine, given.kind)
    with (
        open_folder() as folder,
        world(folder, program) as place,
        fake_relay(owned(folder / "relay") / "relay-runner.sock") as relay,
        runner(folder, "watchdog", relay=relay.path, boxed=given) as client,
    ):
        assert client.status().kind != "none", client.status()
        yield place, client, relay


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: str(probe["id"]))
def test_a_granted_network_opens_no_other_socket(
    probe: dict[str, Any], way: Way, box: tuple[World, Client, FakeRelay], program: Path
) -> None:
    place, client, relay = box
    fresh(place.workspace, program)
    words = [f"/workspace/{PROGRAM}", *place.filled(probe["run"])]
    answer = client.answer(client.start("exec", (), True, argv=words, timeout=20))
    said = [line for line in str(answer["output"]).splitlines() if line.startswith("= ")]
    seen = said[-1][2:] if said else f"exit {answer['exit_code']}"
    usual = probe["expected"]["gvisor" if way == "direct" else way].split("|")
    assert seen in usual or (way in ("direct", "gvisor") and seen in AROUND), probe["tries"]
    assert relay.asked == []
