"""What an engine tells about itself, and what follows: fit or not, and as whom commands run."""

from __future__ import annotations

import pytest

from wirken.domain import limits
from wirken.runner.containers import Identity
from wirken.runner.engine_look import Info, Unfit, User, fit, identity

GOOD = Info(security=["name=seccomp,profile=default"], runtimes={"runc": {}, "runsc": {}}, memory=True, pids=True)
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
