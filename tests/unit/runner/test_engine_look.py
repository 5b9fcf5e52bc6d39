"""What an engine tells about itself, and what follows: fit or not, and as whom commands run."""

from __future__ import annotations

import pytest

from wirken.domain import limits
from wirken.runner.containers import Identity
from wirken.runner.engine_look import Info, Runtime, Unfit, User, fit, identity, ways

RUNC, RUNSC = Runtime("runc"), Runtime("/usr/bin/runsc", ["--network=none"])
AROUND = Runtime("/usr/bin/runsc", ["--network=host"])
GOOD = Info(security=["name=seccomp,profile=default"], runtimes={"runc": RUNC, "runsc": RUNSC}, memory=True, pids=True)
USER = User(1234, 1235)


def test_an_engine_with_all_walls_is_fit() -> None:
    fit(GOOD, "")
    fit(GOOD, "runsc")


@pytest.mark.parametrize(
    ("info", "runtime", "said"),
    [
        (Info(security=GOOD.security, memory=False, pids=True), "", "cannot limit"),
        (Info(security=GOOD.security, memory=True, pids=False), "", "cannot limit"),
        (Info(security=[], memory=True, pids=True), "", "filters no system calls"),
        (Info(security=["name=seccomp,profile=unconfined"], memory=True, pids=True), "", "filters no system calls"),
        (GOOD, "kata", "no runtime 'kata'"),
    ],
)
def test_an_engine_that_would_leave_out_a_wall_is_refused(info: Info, runtime: str, said: str) -> None:
    with pytest.raises(Unfit, match=said):
        fit(info, runtime)


def test_commands_run_as_the_owner_of_the_workspace() -> None:
    assert identity(GOOD, USER, podman=False) == Identity("1234:1235")
    remapped = Info(security=[*GOOD.security, "name=userns"])
    assert identity(remapped, USER, podman=False) == Identity("1234:1235", "host")


def test_a_rootless_engine_shows_its_owner_as_root_and_podman_as_itself() -> None:
    rootless = Info(security=[*GOOD.security, "name=rootless"])
    assert identity(rootless, USER, podman=False) == Identity("0:0")
    assert identity(rootless, USER, podman=True) == Identity("1234:1235", "keep-id", limits.PODMAN_PROCESSES)


@pytest.mark.parametrize(
    ("runtimes", "usual", "runtime", "command", "hatch"),
    [
        ({"runc": RUNC}, "runc", "", "", "runc"),
        ({"crun": Runtime("/usr/bin/crun")}, "crun", "", "", "crun"),
        ({"runc": RUNC, "runsc": RUNSC, "online": AROUND}, "runc", "runsc", "online", "runc"),
        ({"runc": RUNC, "runsc": AROUND}, "runc", "runsc", "runsc", "runc"),
        ({"runc": RUNC, "runsc": RUNSC, "online": AROUND}, "runsc", "", "online", "runc"),
    ],
)
def test_a_command_with_a_network_joins_its_hatchs(
    runtimes: dict[str, Runtime], usual: str, runtime: str, command: str, hatch: str
) -> None:
    found = ways(Info(runtimes=runtimes, usual=usual), runtime)
    assert (found.command, found.hatch, found.refused) == (command, hatch, "")


@pytest.mark.parametrize(
    ("runtimes", "runtime", "said"),
    [
        ({"runc": RUNC, "runsc": RUNSC}, "runsc", "leads nowhere"),
        ({"runc": RUNC, "runsc": RUNSC, "other": Runtime("/opt/runsc", ["--network=host"])}, "runsc", "leads nowhere"),
        ({"runc": RUNC, "kata": Runtime("/usr/bin/kata-runtime")}, "kata", "not known"),
        ({"runsc": RUNSC, "online": AROUND}, "runsc", "neither runc nor crun"),
    ],
)
def test_where_no_network_can_be_joined_the_reason_is_told(
    runtimes: dict[str, Runtime], runtime: str, said: str
) -> None:
    assert said in ways(Info(runtimes=runtimes, usual="runc"), runtime).refused
