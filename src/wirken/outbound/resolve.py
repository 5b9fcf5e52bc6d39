"""From a host's name to a connection: resolve it here, drop what is not public, connect to what was judged.

Everything in this process that follows somebody else's wish goes this way: the relay, and requests of tools. A name
is resolved once, and the connection goes to one of the very addresses that were judged, so a second answer of the
resolver counts for nothing (rebinding).

    addresses = await resolver.addresses("pypi.org")     # raises ResolutionFailed, PrivateAddress
    sock = await connect(addresses, 443)                 # raises Unreachable

"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeAlias

from wirken.domain import relay_limits
from wirken.domain.errors import Refused, Unavailable

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""Resolves a name to addresses as text; an empty answer where there are none. Raises OSError, TimeoutError."""

Connects: TypeAlias = Callable[[Sequence[Address], int], Awaitable[tuple[socket.socket, Address]]]
"""Connects to judged addresses, as `connect` does."""

_CLOSED: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
"""IPv4 that is not public (IANA's special-purpose registry, and multicast): closed here by name, because what
`is_global` says changes between versions of Python."""

_OPEN: Final = ipaddress.ip_network("2000::/3")
"""The only part of IPv6 that is given out as global unicast (RFC 4291, 2.4)."""

_CLOSED_6: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)  # fmt: skip
"""Inside of that: protocol assignments with Teredo and ORCHID, documentation, and 6to4, which carries an IPv4 address.
NAT64's prefixes (64:ff9b::/96, 64:ff9b:1::/48) and mapped IPv4 lie outside of `_OPEN`."""


class ResolutionFailed(Unavailable):
    """A name has no address, or the resolver does not answer."""


class PrivateAddress(Refused):
    """A name leads to this machine, its network, or nowhere public."""

    hint = "If it is meant to be reached, name it under [egress] own_addresses in config.toml."


class Unreachable(Unavailable):
    """None of a host's addresses takes a connection."""


@dataclass(frozen=True, slots=True)
class Resolver:
    """`pinned` are the hosts that the operator gave addresses of this machine or network; they are not looked up.

    `is_own` tells whether an address is one of this machine, whatever it looks like.
    """

    lookup: Lookup
    pinned: Mapping[str, Sequence[str]]
    is_own: Callable[[Address], bool]

    async def addresses(self, host: str) -> tuple[Address, ...]:
        """Return the addresses of a host (`domain.hosts.host_name`) that may be connected to, in order.

        Raises `ResolutionFailed`, `PrivateAddress`.
        """
        if host in self.pinned:
            return tuple(ipaddress.ip_address(text) for text in self.pinned[host])
        try:
            async with asyncio.timeout(relay_limits.RESOLVE_TIME):
                answers = await self.lookup(host)
        except (OSError, TimeoutError, UnicodeError):
            raise ResolutionFailed(f"{host} could not be resolved.") from None
        found = [ipaddress.ip_address(text) for text in answers[: relay_limits.RESOLVED_ADDRESSES]]
        if not found:
            raise ResolutionFailed(f"{host} has no address.")
        public = tuple(address for address in found if is_public(address) and not self.is_own(address))
        if not public:
            raise PrivateAddress(f"{host} leads to no public address.")
        return public


def is_public(address: Address) -> bool:
    """Tell whether an address is one that the whole internet knows as somebody's machine, by its own form alone."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in network for network in _CLOSED)
    if address.scope_id is not None or address not in _OPEN:
        return False
    return address.is_global and not any(address in network for network in _CLOSED_6)


def is_own(address: Address) -> bool:
    """Tell whether an address is one of this machine: the kernel would talk to it from itself (nothing is sent)."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), 9))
        except OSError:
            return False  # there is no way there at all
        return ipaddress.ip_address(probe.getsockname()[0]) == address


class SystemLookup:
    """The machine's resolver, in threads of its own, so that slow names hold up nobody else's."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(relay_limits.RESOLVERS, thread_name_prefix="resolve")

    async def __call__(self, host: str) -> list[str]:
        """The dot at the end keeps search domains out (resolv.conf(5)), and /etc/hosts with them."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _getaddrinfo, f"{host}.")
        return list(dict.fromkeys(found))

    def close(self) -> None:
        """Wait for nobody: a thread that the resolver holds ends with the process."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _getaddrinfo(host: str) -> list[str]:
    flags = socket.AI_ADDRCONFIG
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=flags)]


async def connect(addresses: Sequence[Address], port: int) -> tuple[socket.socket, Address]:
    """Return a non-blocking connection to the first address that takes one, and that address.

    Raises `Unreachable`. Nothing is resolved here: an address is no name.
    """
    for address in addresses[: relay_limits.REACH_TRIES]:
        with contextlib.suppress(OSError, TimeoutError), contextlib.ExitStack() as undo:
            family = socket.AF_INET if address.version == 4 else socket.AF_INET6
            sock = undo.enter_context(socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(relay_limits.REACH_TIME):
                await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
            undo.pop_all()
            return sock, address
    raise Unreachable("None of the host's addresses takes a connection.")
