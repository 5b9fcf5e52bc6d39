"""Which uid stands behind a TCP connection on this machine, by the kernel's own table.

`/proc/net/tcp` and `tcp6` (Documentation/networking/proc_net_tcp.rst) list both ends of a loopback
connection; the row whose local address is the peer's names the uid that made the peer's socket. The
descriptors were opened in the host's network namespace, before this process got its own, empty one.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from dataclasses import dataclass
from typing import Final

from wirken.domain import limits

_CHUNK: Final = 256 * 1024
_ESTABLISHED: Final = b"01"
# One row: slot, local, remote, state, queues, timer, retransmissions, uid, …
_ROW: Final = re.compile(
    rb"\s*[0-9]+: (?P<local>[0-9A-F]{8,32}:[0-9A-F]{4}) (?P<remote>[0-9A-F]{8,32}:[0-9A-F]{4}) "
    rb"(?P<state>[0-9A-F]{2}) [0-9A-F]{8}:[0-9A-F]{8} [0-9A-F]{2}:[0-9A-F]{8} [0-9A-F]{8} +"
    rb"(?P<uid>[0-9]{1,10}) .*"
)


@dataclass(frozen=True, slots=True)
class End:
    """One end of a connection, as the sockets API names it."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class TcpTables:
    """Descriptors of `/proc/net/tcp` and `/proc/net/tcp6`, each re-read from its start for every question."""

    tcp: int
    tcp6: int

    def uid_of(self, peer: End, ours: End) -> int | None:
        """Return the uid that owns the peer's end, or None where no established connection is listed.

        The table is read in pieces while connections come and go, so that a row may be missed once; it is
        read a second time before None is returned. A row that is there is never another connection's.
        """
        for _ in range(2):
            for descriptor, row in self._candidates(peer, ours):
                uid = search(descriptor, row)
                if uid is not None:
                    return uid
        return None

    def _candidates(self, peer: End, ours: End) -> list[tuple[int, bytes]]:
        peer_ip, our_ip = _plain(peer.address), _plain(ours.address)
        if peer_ip is None or our_ip is None or peer_ip.version != our_ip.version:
            return []
        pair = (peer_ip, peer.port), (our_ip, ours.port)
        if peer_ip.version == 6:
            return [(self.tcp6, needle(*pair, mapped=False))]
        # An IPv4 connection that was made by an IPv6 socket stands in the other table, with mapped addresses.
        return [(self.tcp, needle(*pair, mapped=False)), (self.tcp6, needle(*pair, mapped=True))]


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def needle(peer: tuple[Address, int], ours: tuple[Address, int], *, mapped: bool) -> bytes:
    """Return the table's text for an established connection from `peer` to `ours`, spaces included."""
    ends = (_written(ip, mapped) + b":%04X" % port for ip, port in (peer, ours))
    return b" " + b" ".join((*ends, _ESTABLISHED)) + b" "


def search(descriptor: int, row: bytes) -> int | None:
    """Return the uid of the first row that contains `row` and has the table's exact form, or None.

    Only established connections count: a closed one's row (TIME_WAIT, FIN_WAIT2) shows uid 0 for everybody.
    """
    kept = b""
    offset = 0
    while offset < limits.TCP_TABLE:
        # A table hands out about a page at a time, whatever is asked for; its end is an empty read.
        piece = os.pread(descriptor, _CHUNK, offset)
        if not piece:
            return _uid(kept, row)
        offset += len(piece)
        text = kept + piece
        end = text.rfind(b"\n") + 1
        uid = _uid(text[:end], row)
        if uid is not None:
            return uid
        kept = text[end:]
    return None


def _uid(text: bytes, row: bytes) -> int | None:
    at = text.find(row)
    if at < 0:
        return None
    start, stop = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
    line = text[start : stop if stop >= 0 else len(text)]
    form = _ROW.fullmatch(line)
    if form is None or b" %b %b %b " % form.group("local", "remote", "state") != row:
        return None
    return int(form["uid"])


def _plain(address: str) -> Address | None:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def _written(ip: Address, mapped: bool) -> bytes:
    """The kernel prints each 32-bit word of the network-order address in the machine's own byte order."""
    packed = b"\0" * 10 + b"\xff\xff" + ip.packed if mapped else ip.packed
    words = (int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4))
    return b"".join(b"%08X" % word for word in words)
