"""The supervisor's rules that touch nothing: back-off, stages, questions, plans, launch lines."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.confine import views
from wirken.confine.bpf import machine_named
from wirken.confine.roles import ROLES
from wirken.confine.wing_filter import wing_filter
from wirken.domain import limits
from wirken.supervisor import launch, stages
from wirken.supervisor.backoff import next_delay
from wirken.supervisor.launch import Descriptors, Launcher
from wirken.supervisor.listeners import Listeners
from wirken.supervisor.plan import BadPlan, Plan, decode, encode
from wirken.supervisor.questions import (
    BadQuestion,
    Hold,
    Leave,
    Lines,
    Reach,
    Reload,
    Renew,
    Status,
    Stop,
    Workspace,
    parse,
    parse_gateway,
)

PLAN = Plan(
    version="1",
    banner=("a", "b"),
    ready_line="r",
    data="/d",
    sockets="/s",
    program=("/p",),
    programs={role: ("/py", "-m", role) for role in ("vault", "gateway", "runner", "outbound", "web", "channel-teams")},
    webhooks={"channel-teams": 3978},
    states={"channel-teams": "channels/teams"},
    workspaces=("/w",),
    credentials=("key",),
    keychain_environment={"X": "y"},
    bwrap="/usr/bin/bwrap",
    setpriv="/usr/bin/setpriv",
    without=("landlock-tcp", "seccomp"),
    page_uids=(1001, 1002),
)


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    ends = [socket.socket(socket.AF_UNIX) for _ in range(8)]
    relays = (("runner", ends[5]), ("channel-teams", ends[6]))
    yield Listeners(ends[0], ends[1], ends[2], ends[3], (ends[4],), relays, {"channel-teams": ends[7]})
    for end in ends:
        end.close()


def test_the_wait_doubles_up_to_its_longest_and_a_long_life_forgets_it() -> None:
    waits, wait = [], 0.0
    for _ in range(12):
        wait = next_delay(wait, 1.0)
        waits.append(wait)
    assert waits[:4] == [0.1, 0.2, 0.4, 0.8]
    assert waits[-1] == limits.RESTART_LONGEST
    assert next_delay(30.0, limits.RESTART_FORGET) == limits.RESTART_FIRST
    assert next_delay(4.0, limits.RESTART_FORGET - 0.1) == 8.0


def test_stages_follow_one_another_when_their_children_are_gone_or_late() -> None:
    everyone = ["vault", "gateway", "runner", "runner-2", "outbound", "web"]
    assert stages.stage_reached(everyone, 0.0) == 0
    assert stages.stage_reached(["vault", "runner-2"], 0.0) == 1
    assert stages.stage_reached(["vault"], 0.0) == 2
    assert stages.stage_reached([], 0.0) == 3
    assert stages.stage_reached(everyone, limits.STOP_CONVERSING) == 1
    assert stages.stage_reached(everyone, limits.STOP_WORKING) == 2
    assert stages.stage_reached(everyone, limits.STOP_TIME) == 3
    assert limits.STOP_CONVERSING < limits.STOP_WORKING < limits.STOP_TIME < 2.0
    assert stages.next_deadline(0.0) == limits.STOP_CONVERSING
    assert stages.next_deadline(limits.STOP_TIME) is None


def test_each_question_is_understood_in_its_exact_form_only() -> None:
    assert parse(b'{"ask": "status"}') == Status()
    assert parse(b'{"ask": "stop"}') == Stop()
    assert parse(b'{"ask": "hold"}') == Hold()
    asked = {"ask": "workspace", "path": "/w", "read_only": ["/r"]}
    assert parse(json.dumps(asked).encode()) == Workspace("/w", ("/r",))
    for wrong in (
        b"",
        b"[]",
        b'{"ask": "status", "more": 1}',
        b'{"ask": "workspace", "path": 1, "read_only": []}',
        b'{"ask": "workspace", "path": "/w", "read_only": [1]}',
        b'{"ask": "workspace", "path": "/w"}',
        b'{"ask": "workspace", "path": "/\\u0000", "read_only": []}',
        b'{"ask": "workspace", "path": "/\\udc80", "read_only": []}',
        b'{"ask": "workspace", "path": "/w", "read_only": ["/r\\u0000"]}',
        b'{"ask": "workspace", "path": "/w", "read_only": ["/\\ud800"]}',
        b"[" * 10_000,
        b"\xff",
    ):
        with pytest.raises(BadQuestion):
            parse(wrong)


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line), max_size=6), st.data())
def test_lines_come_out_whole_however_they_arrive(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    splitter, out = Lines(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        out += splitter.feed(stream[:size])
        stream = stream[size:]
    assert out == lines


@pytest.mark.parametrize("most", [limits.CONTROL_LINE, limits.CONTROL_PLAN])
def test_a_line_without_end_is_refused(most: int) -> None:
    splitter = Lines(most)
    splitter.feed(b"x" * most)
    with pytest.raises(BadQuestion):
        splitter.feed(b"x")


def test_a_plan_with_the_longest_policy_fits_into_a_question() -> None:
    policy = json.dumps("\N{SNOWMAN}" * (limits.POLICY_FILE // 3))
    plan = PLAN._replace(programs={**PLAN.programs, "gateway": ("/py", "--policy", policy)})
    line = json.dumps({"ask": "reload", "plan": json.loads(encode(plan))}).encode()
    assert len(line) < limits.CONTROL_PLAN
    [whole] = Lines(limits.CONTROL_PLAN).feed(line + b"\n")
    asked = parse(whole)
    assert isinstance(asked, Reload) and decode(asked.plan) == plan


def test_only_a_whole_reload_or_renewal_is_understood() -> None:
    assert parse(b'{"ask": "renew", "role": "channel-slack"}') == Renew("channel-slack")
    for line in (
        b'{"ask": "reload"}',
        b'{"ask": "reload", "plan": []}',
        b'{"ask": "renew"}',
        b'{"ask": "renew", "role": 1}',
    ):
        with pytest.raises(BadQuestion):
            parse(line)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (
            {"ask": "reach", "id": 1, "workspace": "/w", "outside": [["/a", True, ""]]},
            Reach(1, "/w", (("/a", True, ""),)),
        ),
        (
            {"ask": "reach", "id": 1, "workspace": "/w", "outside": [["/a", True, "named"], ["/b", True, "into"]]},
            Reach(1, "/w", (("/a", True, "named"), ("/b", True, "into"))),
        ),
        ({"ask": "reach", "id": 1, "workspace": "/w", "outside": [["/a", True]]}, None),
        ({"ask": "reach", "id": 1, "workspace": "/w", "outside": [["/a", True, "all"]]}, None),
        ({"ask": "leave", "role": "runner-1"}, Leave("runner-1")),
        ({"ask": "reach", "id": 1, "workspace": "/w", "outside": []}, None),
        (
            {"ask": "reach", "id": 1, "workspace": "/w", "outside": [["/a", True, ""]] * (limits.OUTSIDE_PATHS + 1)},
            None,
        ),
        ({"ask": "reach", "id": 1, "workspace": "/w", "outside": [["/a", 1, ""]]}, None),
        ({"ask": "reach", "id": 1, "workspace": "/w", "outside": [["/a\0", True, ""]]}, None),
        ({"ask": "reach", "id": "1", "workspace": "/w", "outside": [["/a", True, ""]]}, None),
        ({"ask": "reach", "id": 1, "workspace": "/w", "outside": [["/a", True, ""]], "more": 1}, None),
        ({"ask": "stop"}, None),
        ({"ask": "workspace", "path": "/w", "read_only": []}, None),
        ({"ask": "status"}, None),
    ],
)
def test_the_gateway_may_ask_two_things_and_nothing_of_the_operators(said: object, meant: object) -> None:
    line = json.dumps(said).encode()
    if meant is None:
        with pytest.raises(BadQuestion):
            parse_gateway(line)
    else:
        assert parse_gateway(line) == meant
        with pytest.raises(BadQuestion):
            parse(line)


def test_a_plan_survives_the_pipe() -> None:
    assert decode(encode(PLAN)) == PLAN


@pytest.mark.parametrize(
    "change",
    [
        {"banner": "text"},
        {"page_uids": ["1"]},
        {"page_uids": 1},
        {"without": [1]},
        {"port": "1"},
        {"programs": []},
        {"data": 1},
    ],
)
def test_a_plan_of_another_form_is_refused(change: dict[str, object]) -> None:
    tree = json.loads(encode(PLAN))
    with pytest.raises(BadPlan):
        decode(json.dumps(tree | change).encode())
    with pytest.raises(BadPlan):
        decode(json.dumps({key: value for key, value in tree.items() if key != "banner"}).encode())
    with pytest.raises(BadPlan):
        decode(b"{")


def line(role: str, plan: Plan, listeners: Listeners) -> launch.Start:
    launcher = Launcher(plan, listeners, (("--cgroup", "v2=/g"),))
    own = Descriptors(control=90, pair=91, device_key=92, line=95, tcp_tables=(93, 94))
    return launch.start_of(role, launcher, plan.scene((), ("/g",)), own)


def test_a_user_gets_a_user_namespace_and_root_a_service_uid(listeners: Listeners) -> None:
    user = line("web", PLAN, listeners).argv
    assert user[:2] == ("/usr/bin/bwrap", "--unshare-user")
    assert "/usr/bin/setpriv" not in user
    root = line("web", PLAN._replace(service_uid=7), listeners).argv
    assert root[:3] == ("/usr/bin/setpriv", "--bounding-set=-dac_override", "/usr/bin/bwrap")
    inside = root[root.index("--chdir") :]
    assert {"--reuid=7", "--regid=7", "--no-new-privs", "--bounding-set=-all"} <= set(inside)


def test_without_walls_the_program_is_started_plainly_and_still_dies_with_us(listeners: Listeners) -> None:
    plain = line("web", PLAN._replace(bwrap=""), listeners).argv
    assert plain[:6] == ("/usr/bin/setpriv", "--pdeathsig", "KILL", "--no-new-privs", "--", "/py")
    dropped = line("web", PLAN._replace(bwrap="", service_uid=7), listeners).argv
    assert dropped[dropped.index("--pdeathsig") + 1] == "KILL"
    assert "--reuid=7" in dropped
    assert line("web", PLAN._replace(bwrap="", setpriv=""), listeners).argv[0] == "/py"


def test_each_child_keeps_its_own_descriptors_and_no_other(listeners: Listeners) -> None:
    gateway, operator, vault, _, web = (
        *(end.fileno() for end in listeners[:4]),
        listeners.web[0].fileno(),
    )
    assert set(line("vault", PLAN, listeners).keep) == {90, 92, vault}
    assert set(line("gateway", PLAN, listeners).keep) == {90, 91, 95, gateway, operator}
    assert set(line("runner", PLAN, listeners).keep) == {90, 91}
    relays = {listener.fileno() for _, listener in listeners.relays}
    assert set(line("outbound", PLAN, listeners).keep) == {90, 91, *relays}
    assert set(line("channel-teams", PLAN, listeners).keep) == {90, 91, listeners.webhooks["channel-teams"].fileno()}
    assert set(line("web", PLAN, listeners).keep) == {90, 91, 93, 94, web}


@pytest.mark.parametrize("traces", [False, True])
def test_the_first_process_of_the_runners_view_wears_the_runners_filter(traces: bool, listeners: Listeners) -> None:
    words = ("/py", "--runsc", "/r") if traces else ("/py",)
    plan = PLAN._replace(without=(), programs={"runner": words})
    descriptor = launch.first_filter("runner-2", plan)
    role = ROLES["runner"]._replace(traces=traces)
    assert os.read(descriptor, 65_536) == wing_filter(role, machine_named(os.uname().machine))
    os.close(descriptor)
    own = Descriptors(control=90, pair=91, filter=96)
    start = launch.start_of("runner", Launcher(PLAN, listeners), PLAN.scene((), ()), own)
    assert start.argv[start.argv.index("--") - 2 : start.argv.index("--")] == ("--seccomp", "96")
    assert 96 in start.keep


def test_no_other_view_needs_a_filter_and_one_that_may_be_missing_is_not_asked_for() -> None:
    plan = PLAN._replace(without=())
    assert {launch.first_filter(role, plan) for role in plan.programs if role != "runner"} == {-1}
    assert launch.first_filter("runner", PLAN) == launch.first_filter("runner", plan._replace(bwrap="")) == -1


def test_options_are_those_of_the_contract(listeners: Listeners) -> None:
    def options(role: str) -> list[str]:
        argv = line(role, PLAN, listeners).argv
        return [word for word in argv[argv.index("--") + 4 :] if word.startswith("--")]

    assert options("vault") == [
        "--control-fd",
        "--without",
        "--data",
        "--operator-fd",
        "--owner-uid",
        "--outbound-credential",
        "--device-key-fd",
    ]
    common = ["--control-fd", "--without", "--data", "--vault-fd"]
    gateway = ["--gateway-listen-fd", "--operator-listen-fd", "--line-fd", "--owner-uid"]
    assert options("gateway") == [*common, *gateway]
    runner = ["--gateway-socket", "--workspace", "--cgroup", "--skills", "--relay-socket", "--role-id"]
    assert options("runner") == [*common, *runner]
    assert options("outbound") == [*common, "--gateway-socket", "--relay-listen-fd", "--relay-listen-fd"]
    adapter = [*common, "--gateway-socket", "--relay-socket"]
    assert options("channel-teams") == [*adapter, "--listen-fd", "--state"]
    words = line("channel-teams", PLAN, listeners).argv
    assert words[words.index("--relay-socket") + 1] == "/s/relay-channel-teams.sock"
    assert words[words.index("--state") + 1] == "/d/channels/teams"
    assert options("web") == [
        *common,
        "--gateway-socket",
        "--listen-fds",
        "--tcp-table-fds",
        "--owner-uid",
        "--also-uids",
    ]


def test_an_adapter_without_webhook_or_folder_is_told_of_none(listeners: Listeners) -> None:
    plan = PLAN._replace(programs={"channel-slack": ("/py",)}, webhooks={}, states={})
    words = line("channel-slack", plan, listeners).argv
    assert not {"--listen-fd", "--state"} & set(words)
    assert plan.relayed == ("runner", "channel-slack")


def test_adapters_are_started_last_and_stopped_first() -> None:
    ids = ["channel-slack", "web", "channel-discord", "vault", "gateway"]
    assert stages.start_order(ids) == ["vault", "gateway", "web", "channel-slack", "channel-discord"]
    assert {stages.stage_of(role) for role in ("channel-slack", "gateway", "web")} == {0}


def test_what_need_not_be_said_is_left_out(listeners: Listeners) -> None:
    plan = PLAN._replace(without=(), page_uids=())
    for role in ("vault", "web"):
        assert not {"--without", "--also-uids"} & set(line(role, plan, listeners).argv)


def test_a_scene_takes_its_places_from_the_plan() -> None:
    scene = PLAN.scene((), ("/g",))
    assert scene == views.Scene("/d", "/s", ("/p",), ("/w",), (), (), ("/g",), ())
