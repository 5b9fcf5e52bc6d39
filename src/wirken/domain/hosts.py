"""Host names as they are judged: one spelling each, never an address, and the patterns that stand for several.

A name is lower case ASCII without a dot at its end; what is not ASCII was turned into it before (RFC 5890).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from wirken.domain.errors import UsageError

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123, 2.1; RFC 1035, 2.3.4
_LONGEST: Final = 253  # characters of a name: 255 bytes on the wire (RFC 1035, 2.3.4)
_NUMBER: Final = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)")
_ANY: Final = "*."
WEB_PORTS: Final = (443, 80)
"""Of TLS and of plain HTTP: what an entry of a row without a port stands for."""


class BadHost(UsageError):
    """A text is no host name that could be asked for."""

    hint = "Write a name such as `pypi.org`, or `*.example.org` for every name below one."


class IpLiteral(BadHost):
    """A text is an address, in whatever spelling: only names are judged, and addresses have none."""

    hint = "Write the host's name instead of its address."


def host_name(text: str) -> str:
    """Return the one spelling of a host's name. Raises `IpLiteral`, `BadHost`.

    A name whose last label is a number is an address to some reader: `127.1`, `0x7f000001`, `2130706433`
    (inet_aton(3); WHATWG URL, "ends in a number checker"). A name without a dot means another host on each network.
    """
    if not text.isascii():  # before lower(): the Kelvin sign would become a plain k
        raise BadHost("This host name is not ASCII.")
    name = text.lower().removesuffix(".")
    if ":" in name or "[" in name or "%" in name or _NUMBER.fullmatch(name.rpartition(".")[2]):
        raise IpLiteral("An address stands where a host's name is wanted.")
    labels = name.split(".")
    if len(name) > _LONGEST or len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadHost("This is no full host name.")
    return name


def pattern(text: str) -> str:
    """Return the one spelling of a host's name, or of `*.` and a name of at least two labels. Raises `BadHost`."""
    if text.startswith(_ANY):
        return _ANY + host_name(text.removeprefix(_ANY))
    return host_name(text)


def covers(patterns: Iterable[str], host: str) -> bool:
    """Tell whether one of these patterns stands for a host; `*.example.org` does not stand for `example.org`."""
    return any(host == one or (one.startswith(_ANY) and host.endswith(one[1:])) for one in patterns)


def port_of(entry: str) -> int:
    """Return the port of an entry of a row, `<pattern>` or `<pattern>:<port>`; 0 where it has none."""
    return int(entry.rpartition(":")[2]) if ":" in entry else 0


def reaches(row: Iterable[str], host: str, port: int) -> bool:
    """Tell whether an entry of a row stands for this host at this port."""
    entries = (entry for entry in row if port == port_of(entry) or (not port_of(entry) and port in WEB_PORTS))
    return covers((entry.partition(":")[0] for entry in entries), host)
