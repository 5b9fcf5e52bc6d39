"""What may be reached from where: `[agents.NAME.egress.CHANNEL]` for sandboxes, `[egress]` for everything."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Callable, Mapping
from typing import Annotated

import msgspec

from wirken.config.presets import PRESETS
from wirken.domain import relay_limits
from wirken.domain.actions import NetworkMode
from wirken.domain.errors import ConfigError
from wirken.domain.hosts import BadHost, pattern
from wirken.domain.ids import BadIdentifier, channel_id

_Patterns = Annotated[tuple[str, ...], msgspec.Meta(max_length=relay_limits.EGRESS_DOMAINS)]
_Addresses = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=relay_limits.RESOLVED_ADDRESSES)]
_Own = Annotated[dict[str, _Addresses], msgspec.Meta(max_length=relay_limits.EGRESS_DOMAINS)]


class BadEgress(ConfigError):
    """The configuration names a host, a preset or an address that cannot be one."""


class SandboxEgress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[agents.NAME.egress.CHANNEL]`: what commands reach in turns of that agent on that channel.

    `domains`: names, or `*.` and a name; `presets`: names of `PRESETS`. Both count in `ask` and `allowlist` only.
    """

    mode: NetworkMode = "none"
    domains: _Patterns = ()
    presets: _Patterns = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The patterns of hosts that need no question, each once, sorted; none where the mode asks for no list."""
        if self.mode not in ("ask", "allowlist"):
            return ()
        listed = [ascii_pattern(domain) for domain in self.domains]
        return tuple(sorted({*listed, *(host for preset in self.presets for host in PRESETS.get(preset, ()))}))


class EgressConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[egress]`: for the relay as a whole.

    `own_addresses` names hosts of this machine or network that may be reached, each with its addresses: such a name
    is never resolved, and no other name leads there. `hosts` gives further hosts to one of our own processes,
    by its name: `channel-matrix`, `siem`; a host may have a port, as in `matrix.example.org:8448`.
    """

    own_addresses: _Own = msgspec.field(default_factory=dict)
    hosts: dict[str, _Patterns] = msgspec.field(default_factory=dict)

    @property
    def pinned(self) -> dict[str, tuple[str, ...]]:
        """The addresses of `own_addresses` by the one spelling of their host."""
        return {ascii_pattern(host): addresses for host, addresses in self.own_addresses.items()}

    def further(self, role: str) -> tuple[str, ...]:
        """Return what the operator adds for one of our own processes, an entry with a port or without."""
        return tuple(map(row_entry, self.hosts.get(role, ())))


NO_NETWORK = SandboxEgress()
"""For a channel that the configuration does not name."""


def ascii_pattern(text: str) -> str:
    """Return the one spelling of what an operator wrote, in ASCII (IDNA 2008, RFC 5891). Raises `BadHost`."""
    if text.isascii():
        return pattern(text)
    import idna  # a third of a megabyte of tables, for the few who write such a name

    prefix, bare = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    try:
        return pattern(prefix + idna.encode(bare, uts46=True).decode())
    except idna.IDNAError:
        raise BadHost("A host's name has letters that no name may have.") from None


def row_entry(text: str) -> str:
    """Return the one spelling of a pattern of hosts, or of `<pattern>:<port>`. Raises `BadHost`."""
    hosts, colon, port = text.rpartition(":")
    if not colon:
        return ascii_pattern(text)
    if not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) < 65_536:
        raise BadHost("A host's port is a number from 1 to 65535.")
    return f"{ascii_pattern(hosts)}:{int(port)}"


def check_sandbox(agent: str, entries: Mapping[str, SandboxEgress]) -> None:
    """Raises `BadEgress` for hosts, presets and channels that cannot be, and for lists that would never count."""
    for channel, entry in entries.items():
        try:
            channel_id(channel)
        except BadIdentifier as error:
            raise BadEgress(f"[agents.{agent}.egress] names a channel that cannot be.", hint=error.advice) from None
        where = f"[agents.{agent}.egress.{channel}]"
        _check_patterns(where, entry.domains)
        for preset in entry.presets:
            if preset not in PRESETS:
                near = difflib.get_close_matches(preset, PRESETS, n=1, cutoff=0.5)
                advice = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(PRESETS)}."
                raise BadEgress(f"{where} has no preset {preset[:64]!r}.", hint=advice)
        if entry.mode in ("none", "open") and (entry.domains or entry.presets):
            raise BadEgress(
                f"{where} lists hosts, and its mode {entry.mode!r} looks at none.",
                hint="Set mode to 'allowlist' or 'ask', or take the list out.",
            )


def check_relay(config: EgressConfig) -> None:
    """Raises `BadEgress` for own addresses that are none, and for hosts that cannot be."""
    for host, addresses in config.own_addresses.items():
        if host.startswith("*."):
            raise BadEgress("[egress] own_addresses needs whole names, and one begins with '*.'.")
        _check_patterns("[egress] own_addresses", (host,))
        for address in addresses:
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise BadEgress(f"[egress] own_addresses of {host[:64]!r} has an entry that is no address.") from None
    for role, hosts in config.hosts.items():
        _check_patterns(f"[egress] hosts of {role[:64]!r}", hosts, row_entry)


def _check_patterns(where: str, patterns: tuple[str, ...], spelled: Callable[[str], str] = ascii_pattern) -> None:
    for one in patterns:
        try:
            spelled(one)
        except BadHost as error:
            raise BadEgress(f"{where}: {one[:64]!r}: {error}", hint=error.advice) from None
