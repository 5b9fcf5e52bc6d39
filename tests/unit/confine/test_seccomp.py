from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.bpf import verdict

from wirken.confine import bpf, seccomp
from wirken.confine.bpf import ABSENT, ALLOW, KILL, REFUSE
from wirken.confine.seccomp import command_filter
from wirken.confine.syscalls import AUDIT_ARCH, Machine, names, number

MACHINES: tuple[Machine, ...] = get_args(Machine)
HEADERS = {
    "x86_64": (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), r"#define __NR_(\w+)\s+(\d+)"),
    "aarch64": (Path("/usr/include/asm-generic/unistd.h"), r"#define __NR(?:3264)?_(\w+)\s+(\d+)"),
}
UNUSED_HIGH_HALF = 0xDEAD_BEEF_0000_0000


def answer(machine: Machine, name: str, *arguments: int) -> int:
    call = number(name, machine)
    assert call is not None
    return verdict(command_filter(machine), AUDIT_ARCH[machine], call, arguments)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_denied_call_is_answered_with_eperm(machine: Machine) -> None:
    present = [name for name in seccomp.DENIED if number(name, machine) is not None]
    assert len(present) > 45
    assert {name: answer(machine, name) for name in present} == dict.fromkeys(present, REFUSE)


@pytest.mark.parametrize("machine", MACHINES)
def test_clone3_is_said_not_to_exist_so_that_libc_uses_clone(machine: Machine) -> None:
    assert answer(machine, "clone3") == ABSENT


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    "flag", [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000]
)
def test_clone_into_a_new_namespace_is_refused(machine: Machine, flag: int) -> None:
    assert answer(machine, "clone", flag | 17) == REFUSE


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("flags", [17, 0x3D0F00, 0x4111, 0x01200011])
def test_processes_and_threads_can_be_started(machine: Machine, flags: int) -> None:
    assert answer(machine, "clone", flags) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_typing_into_the_terminal_is_refused_whatever_the_high_half_says(machine: Machine) -> None:
    for request in (0x5412, 0x541C):
        assert answer(machine, "ioctl", 0, request) == REFUSE
        assert answer(machine, "ioctl", 0, request | UNUSED_HIGH_HALF) == REFUSE
    assert answer(machine, "ioctl", 0, 0x5401) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((1, 1, 0), ALLOW),  # unix
        ((2, 1, 0), ALLOW),  # tcp
        ((2, 2, 17), ALLOW),  # udp
        ((10, 1, 6), ALLOW),  # tcp6
        ((16, 3, 0), ALLOW),  # routing netlink, asked by getaddrinfo
        ((16, 3, 12), REFUSE),  # netfilter netlink
        ((2, 1, 132), REFUSE),  # sctp
        ((2, 6, 33), REFUSE),  # dccp
        ((10, 1, 262), REFUSE),  # mptcp
        ((17, 3, 0), REFUSE),  # packet
        ((38, 5, 0), REFUSE),  # alg
        ((40, 1, 0), REFUSE),  # vsock
        ((40 | UNUSED_HIGH_HALF, 1, 0), REFUSE),
        ((31, 1, 0), REFUSE),  # bluetooth
    ],
)
def test_sockets_by_family_and_protocol(machine: Machine, arguments: tuple[int, ...], expected: int) -> None:
    assert answer(machine, "socket", *arguments) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_socket_pairs_are_unix_only(machine: Machine) -> None:
    assert answer(machine, "socketpair", 1, 1, 0) == ALLOW
    assert answer(machine, "socketpair", 30, 1, 0) == REFUSE


@pytest.mark.parametrize("machine", MACHINES)
def test_only_the_default_personality_can_be_set(machine: Machine) -> None:
    assert [answer(machine, "personality", value) for value in (0, 0xFFFF_FFFF)] == [ALLOW, ALLOW]
    assert answer(machine, "personality", 0x0004_0000) == REFUSE


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", list(seccomp.MODE_ARGUMENTS))
def test_no_file_or_folder_gets_the_rights_of_its_owner(machine: Machine, name: str) -> None:
    if number(name, machine) is None:
        return
    before = (3,) * seccomp.MODE_ARGUMENTS[name]
    for mode in (0o4755, 0o2755, 0o6000, 0o2700 | UNUSED_HIGH_HALF, 0o104755):
        assert answer(machine, name, *before, mode) == REFUSE
    for mode in (0o755, 0o1777, 0o100644, 0o010600, 0o060600):
        assert answer(machine, name, *before, mode, 0o6000) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", list(seccomp.OPENING))
def test_a_mode_counts_only_where_opening_makes_a_file(machine: Machine, name: str) -> None:
    if number(name, machine) is None:
        return
    before = (0o6777,) * seccomp.OPENING[name]
    for flags in (0o101, 0o20_200_001, 0o101 | UNUSED_HIGH_HALF):
        assert answer(machine, name, *before, flags, 0o4755) == REFUSE
        assert answer(machine, name, *before, flags, 0o2644 | UNUSED_HIGH_HALF) == REFUSE
        assert answer(machine, name, *before, flags, 0o1644) == ALLOW
    for flags in (0, 0o2, 0o200_000, 0o2_000_000):
        assert answer(machine, name, *before, flags, 0o6777) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_openat2_whose_mode_no_filter_can_read_is_said_not_to_exist(machine: Machine) -> None:
    assert answer(machine, "openat2", 3, 4, 5, 24) == ABSENT


@pytest.mark.parametrize("machine", MACHINES)
@given(call=st.integers(0, 0xFFFF_FFFF), arch=st.integers(0, 0xFFFF_FFFF))
def test_another_architecture_is_killed(machine: Machine, call: int, arch: int) -> None:
    if arch != AUDIT_ARCH[machine]:
        assert verdict(command_filter(machine), arch, call) == KILL


@given(call=st.integers(0x4000_0000, 0xFFFF_FFFF))
def test_x32_calls_do_not_exist(call: int) -> None:
    assert verdict(command_filter("x86_64"), AUDIT_ARCH["x86_64"], call) == ABSENT


@pytest.mark.parametrize("machine", MACHINES)
@given(call=st.integers(0, 600), arguments=st.tuples(*[st.integers(0, 2**64 - 1)] * 6))
def test_every_call_gets_one_of_the_four_answers(machine: Machine, call: int, arguments: tuple[int, ...]) -> None:
    named = {number(name, machine) for name in names()}
    got = verdict(command_filter(machine), AUDIT_ARCH[machine], call, arguments)
    assert got in ({ALLOW} if call not in named else {ALLOW, REFUSE, ABSENT})


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_those_of_the_kernels_headers(machine: Machine) -> None:
    header, form = HEADERS[machine]
    if not header.exists():
        pytest.skip("the kernel's headers are not installed here")
    known = {name: int(value) for name, value in re.findall(form, header.read_text())}
    ours = {name: number(name, machine) for name in names()}
    assert {name: value for name, value in ours.items() if name in known} == {
        name: known[name] for name in ours if name in known
    }
    # A header may be older than a call, never the other way round.
    assert {name for name, value in ours.items() if value is not None} - set(known) <= {"open_tree_attr", "fchmodat2"}


def test_the_program_is_small() -> None:
    assert all(len(command_filter(machine)) < 2048 for machine in MACHINES)


def test_an_unknown_processor_has_no_filter() -> None:
    assert bpf.machine_named("aarch64") == "aarch64"
    with pytest.raises(bpf.NoFilter):
        bpf.machine_named("riscv64")
