from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.bpf import verdict

from wirken.confine import wing_filter as wings
from wirken.confine.bpf import ABSENT, ALLOW, KILL, PRETEND, REFUSE
from wirken.confine.roles import ROLES
from wirken.confine.seccomp import DENIED, MODE_ARGUMENTS
from wirken.confine.syscalls import AUDIT_ARCH, Machine, names, number

MACHINES: tuple[Machine, ...] = get_args(Machine)
ALONE = tuple(name for name, role in ROLES.items() if not role.starts_programs)
UNUSED_HIGH_HALF = 0xDEAD_BEEF_0000_0000


def answer(role: str, machine: Machine, name: str, *arguments: int) -> int | None:
    """Return the filter's answer; None where the machine does not have the call."""
    call = number(name, machine)
    if call is None:
        return None
    return verdict(wings.wing_filter(ROLES[role], machine), AUDIT_ARCH[machine], call, arguments)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("role", ALONE)
def test_all_but_the_runner_start_nothing_and_reach_no_other_process(role: str, machine: Machine) -> None:
    for name in (*DENIED, *wings.NEVER_NEEDED, *wings.NEW_PROGRAMS):
        assert answer(role, machine, name) in (REFUSE, None), name
    assert answer(role, machine, "clone3") == ABSENT
    assert answer(role, machine, "openat2", 3, 4, 5, 24) == ABSENT


@pytest.mark.parametrize("machine", MACHINES)
def test_all_but_the_runner_make_threads_and_no_processes(machine: Machine) -> None:
    assert answer("web", machine, "clone", 0x3D0F00) == ALLOW
    for flags in (17, 0x4111, 0x01200011, 0x3D0F00 | 0x1000_0000, 0x0001_0000 | 0x0002_0000):
        assert answer("web", machine, "clone", flags) == REFUSE


@pytest.mark.parametrize("machine", MACHINES)
def test_a_runner_with_gvisor_may_trace_and_change_its_root_and_no_more_than_that(machine: Machine) -> None:
    tracing = wings.wing_filter(ROLES["runner"]._replace(traces=True), machine)
    for name in DENIED:
        call = number(name, machine)
        if call is not None and name in wings.MAKING_KERNELS:
            assert answer("runner", machine, name) == REFUSE
            assert verdict(tracing, AUDIT_ARCH[machine], call, ()) == ALLOW
        elif call is not None:
            assert verdict(tracing, AUDIT_ARCH[machine], call, ()) == answer("runner", machine, name), name
    assert not any(role.traces for role in ROLES.values())


@pytest.mark.parametrize("machine", MACHINES)
def test_the_runner_makes_sandboxes_and_nothing_else_that_a_command_may_not(machine: Machine) -> None:
    for name in wings.MAKING_SANDBOXES:
        assert answer("runner", machine, name) == ALLOW
    for name in wings.NEW_MOUNTS:
        assert answer("runner", machine, name) == ABSENT
    for name in set(DENIED) - wings.MAKING_SANDBOXES - wings.NEW_MOUNTS:
        assert answer("runner", machine, name) in (REFUSE, None), name
    assert answer("runner", machine, "clone", 0x7E02_0011) == ALLOW
    assert [answer("runner", machine, "setns", 3, kind) for kind in (0x1000_0000, 0x4000_0000)] == [ALLOW, ALLOW]
    assert [answer("runner", machine, "setns", 3, kind) for kind in (0, 0x0002_0000, 0x5000_0000)] == [REFUSE] * 3
    assert answer("runner", machine, "openat2", 3, 4, 5, 24) == ALLOW
    assert answer("runner", machine, "execve") == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("role", list(ROLES))
def test_sockets_are_of_the_rows_families_only(role: str, machine: Machine) -> None:
    number_of = {"unix": 1, "inet": 2, "inet6": 10, "netlink": 16}
    for name, family in number_of.items():
        expected = ALLOW if name in ROLES[role].families else REFUSE
        assert answer(role, machine, "socket", family | UNUSED_HIGH_HALF, 1, 0) == expected
    for other in (17, 38, 40, 31, 44):
        assert answer(role, machine, "socket", other, 3, 0) == REFUSE


@pytest.mark.parametrize("machine", MACHINES)
def test_what_was_inherited_is_served_and_nothing_else_listens(machine: Machine) -> None:
    for role in ALONE:
        assert answer(role, machine, "listen", 3, 64) == PRETEND
        assert answer(role, machine, "bind", 3) == (ALLOW if ROLES[role].network else REFUSE)
        assert answer(role, machine, "connect", 3) == (ALLOW if ROLES[role].families else REFUSE)


@pytest.mark.parametrize("machine", MACHINES)
def test_only_stream_pairs_are_made_because_others_can_be_pointed_elsewhere(machine: Machine) -> None:
    assert answer("vault", machine, "socketpair", 1, 1 | 0o2_000_000) == ALLOW
    assert answer("vault", machine, "socketpair", 1, 2) == REFUSE
    assert answer("vault", machine, "socketpair", 1, 5) == REFUSE
    assert answer("vault", machine, "socketpair", 2, 1) == REFUSE


@pytest.mark.parametrize("machine", MACHINES)
def test_the_memory_is_not_opened_again(machine: Machine) -> None:
    for option in wings.PRCTL_REFUSED:
        assert answer("vault", machine, "prctl", option | UNUSED_HIGH_HALF) == REFUSE
    assert answer("vault", machine, "prctl", 15) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_nobody_elses_limits_are_changed(machine: Machine) -> None:
    assert answer("web", machine, "prlimit64", 0) == ALLOW
    assert answer("web", machine, "prlimit64", 4711) == REFUSE


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("role", list(ROLES))
def test_no_file_lends_the_rights_of_its_owner(role: str, machine: Machine) -> None:
    for name, index in MODE_ARGUMENTS.items():
        assert answer(role, machine, name, *(0,) * index, 0o4755) in (REFUSE, None)
        assert answer(role, machine, name, *(0,) * index, 0o755) in (ALLOW, None)
    assert answer(role, machine, "ioctl", 0, 0x5412) == REFUSE
    assert answer(role, machine, "personality", 0x0004_0000) == REFUSE


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("role", list(ROLES))
@given(call=st.integers(0, 600), arguments=st.tuples(*[st.integers(0, 2**64 - 1)] * 6))
def test_every_call_gets_one_of_the_known_answers(
    role: str, machine: Machine, call: int, arguments: tuple[int, ...]
) -> None:
    named = {number(name, machine) for name in names()}
    program = wings.wing_filter(ROLES[role], machine)
    got = verdict(program, AUDIT_ARCH[machine], call, arguments)
    assert got in ({ALLOW} if call not in named else {ALLOW, REFUSE, ABSENT, PRETEND})
    assert verdict(program, AUDIT_ARCH[machine] ^ 1, call, arguments) == KILL
