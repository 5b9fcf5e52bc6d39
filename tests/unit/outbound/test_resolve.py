from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import name_server
from tests.support.fake_names import Names

from wirken.domain import relay_limits
from wirken.outbound.resolve import (
    PrivateAddress,
    ResolutionFailed,
    Resolver,
    SystemLookup,
    Unreachable,
    connect,
    is_own,
    is_public,
)

PUBLIC = "93.184.215.14"


def resolver(names: Names, own: tuple[str, ...] = (), **pinned: str) -> Resolver:
    hosts = {host.replace("_", "."): (address,) for host, address in pinned.items()}
    return Resolver(names, hosts, lambda address: str(address) in own)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.8.8.8", "169.254.169.254"),
        *("172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1"),
        *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::ffff:8.8.8.8", "::ffff:10.0.0.1", "::8.8.8.8", "64:ff9b::808:808", "64:ff9b:1::1"),
        *("100::1", "2001::1", "2001:0:53aa:64c:0:7c2d:f1e1:1", "2001:10::1", "2001:20::1", "2001:db8::1"),
        *("2002:0a00:1::1", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1"),
        *("fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1", "2606:4700::1111%eth0"),
    ],
)
def test_an_address_that_is_not_public_is_dropped(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "1.1.1.1", "100.128.0.1", "172.32.0.1", "2606:4700:4700::1111"])
def test_a_public_address_is_kept(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_this_machine_knows_its_own_addresses() -> None:
    assert is_own(ipaddress.ip_address("127.0.0.1"))
    assert not is_own(ipaddress.ip_address(PUBLIC))


@pytest.mark.slow
def test_an_address_of_this_machine_is_its_own_however_public_it_looks() -> None:
    """In a network namespace of its own, so that the machine's stays as it is."""
    line = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c"]
    check = (
        "import ipaddress; from wirken.outbound.resolve import is_own, is_public;"
        f"address = ipaddress.ip_address('{PUBLIC}'); print(is_public(address), is_own(address))"
    )
    shell = f'ip link set lo up && ip address add {PUBLIC}/32 dev lo && exec {sys.executable} -c "{check}"'
    done = subprocess.run([*line, shell], capture_output=True, text=True, check=False)
    assert done.stdout == "True True\n", done.stderr


@pytest.mark.slow
def test_a_name_is_asked_for_as_it_is_and_search_domains_do_not_count(tmp_path: Path) -> None:
    """In network and mount namespaces of its own, with a name server of the test's."""
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\nsearch corp.example\n")
    line = ["unshare", "--net", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c"]
    shell = (
        f"ip link set lo up && mount --bind {tmp_path}/resolv.conf /etc/resolv.conf"
        f" && exec {sys.executable} -P {name_server.__file__} {name_server.KNOWN} none.example.org localhost.example"
    )
    done = subprocess.run([*line, shell], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        f"{name_server.KNOWN} {name_server.ADDRESS}",
        "none.example.org ResolutionFailed",
        "localhost.example ResolutionFailed",
        f"asked {name_server.KNOWN} localhost.example none.example.org",
    ], done.stderr


async def test_of_mixed_answers_only_the_public_ones_are_kept() -> None:
    names = Names({"a.example": ["10.0.0.1", PUBLIC, "::1", "8.8.8.8"]})
    assert [str(one) for one in await resolver(names).addresses("a.example")] == [PUBLIC, "8.8.8.8"]


async def test_a_name_that_leads_here_is_private_though_it_looks_public() -> None:
    names = Names({"a.example": [PUBLIC]})
    with pytest.raises(PrivateAddress):
        await resolver(names, own=(PUBLIC,)).addresses("a.example")


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["10.0.0.1", "fd00::1"]])
async def test_a_name_that_leads_nowhere_public_is_refused(answer: list[str]) -> None:
    with pytest.raises(PrivateAddress):
        await resolver(Names({"a.example": answer})).addresses("a.example")


async def test_a_name_without_an_address_failed() -> None:
    with pytest.raises(ResolutionFailed):
        await resolver(Names({"a.example": []})).addresses("a.example")
    with pytest.raises(ResolutionFailed):
        await resolver(Names({})).addresses("b.example")


async def test_what_the_operator_named_is_not_looked_up_and_no_other_name_leads_there() -> None:
    names = Names({"evil.example": ["10.0.0.5"], "git.example": ["8.8.8.8"]})
    known = resolver(names, git_example="10.0.0.5")
    assert [str(one) for one in await known.addresses("git.example")] == ["10.0.0.5"]
    assert names.asked == []
    with pytest.raises(PrivateAddress):
        await known.addresses("evil.example")


async def test_only_so_many_addresses_are_looked_at() -> None:
    answers = [f"8.8.{n // 200}.{n % 200}" for n in range(relay_limits.RESOLVED_ADDRESSES + 1)]
    assert len(await resolver(Names({"a.example": answers})).addresses("a.example")) == relay_limits.RESOLVED_ADDRESSES
    late = ["10.0.0.1"] * relay_limits.RESOLVED_ADDRESSES + [PUBLIC]
    with pytest.raises(PrivateAddress):
        await resolver(Names({"a.example": late})).addresses("a.example")


async def test_a_name_is_resolved_once_for_a_connection() -> None:
    names = Names({"a.example": [PUBLIC]})
    await resolver(names).addresses("a.example")
    assert names.asked == ["a.example"]


async def test_a_connection_goes_to_the_judged_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sock, address = await connect([ipaddress.ip_address("127.0.0.1")], server.getsockname()[1])
        with sock:
            assert str(address) == "127.0.0.1"
            assert sock.getpeername() == server.getsockname()


async def test_the_next_address_is_tried_where_one_takes_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        sock, address = await connect([ipaddress.ip_address(text) for text in ("127.0.0.9", "127.0.0.1")], port)
        sock.close()
        assert str(address) == "127.0.0.1"
        far = [ipaddress.ip_address("127.0.0.9")] * relay_limits.REACH_TRIES + [ipaddress.ip_address("127.0.0.1")]
        with pytest.raises(Unreachable):
            await connect(far, port)


async def test_the_machines_resolver_is_asked_for_the_whole_name_alone() -> None:
    lookup = SystemLookup()
    try:
        with pytest.raises(OSError):
            async with asyncio.timeout(30):
                await lookup("no-such-name.invalid")
    finally:
        lookup.close()
