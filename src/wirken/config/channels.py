"""`[channels.NAME]`: which platforms are served, by which agent, with which of the platform's settings.

In the file a table is flat; in `ChannelConfig` the platform's own keys stand apart, under `settings`. Secrets are never
in the file: they lie in the vault, as `channel.<channel>.<setting>`.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from wirken.config.channel_kinds import CHANNEL_KINDS, ChannelKind
from wirken.domain.errors import ConfigError
from wirken.domain.hosts import BadHost, host_name
from wirken.domain.ids import DEFAULT_AGENT, ChannelId, RoleName

_ROLE: Final = "channel-"
_SECURE: Final = {"https": 443, "http": 80}
"""The port of an address that names none, by its scheme."""


class BadChannel(ConfigError):
    """A table `[channels.NAME]` names no platform, or says something that its platform cannot follow."""


class ChannelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One platform. `port`: of its webhook on loopback, 0 for the kind's own."""

    enabled: bool = True
    agent: str = str(DEFAULT_AGENT)
    """Who answers there."""
    stream: bool = True
    """An answer that is being written is shown by editing one message, where the platform allows that."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    settings: dict[str, str] = msgspec.field(default_factory=dict)
    """What is no secret of `ChannelKind.settings`, by name, as far as it is set."""


class Complaint(NamedTuple):
    """The key that is wrong, the sentence about it, and the advice."""

    key: str
    said: str
    advice: str


def role_of(channel: str) -> RoleName:
    """Return the role id of a channel's adapter."""
    return RoleName(f"{_ROLE}{channel}")


def credential(channel: str, setting: str) -> str:
    """Return the name under which the vault keeps a secret setting."""
    return f"channel.{channel}.{setting}"


def keys(kind: ChannelKind) -> tuple[str, ...]:
    """Return what may stand in the table of a kind."""
    port = ("port",) if kind.port else ()
    return ("enabled", "agent", "stream", *port, *(one.name for one in kind.settings if not one.secret))


def complaint(channels: object) -> Complaint | None:
    """Return what is wrong with the names in `[channels]`, as the file has it; None where nothing is."""
    for channel, entry in channels.items() if isinstance(channels, dict) else ():
        kind = CHANNEL_KINDS.get(channel)
        if kind is None:
            return Complaint(channel, f"There is no channel {channel[:64]!r}.", _advice(channel, CHANNEL_KINDS))
        for key, value in entry.items() if isinstance(entry, dict) else ():
            if found := _about(kind, key, value):
                return found
    return None


def folded(tree: dict[str, object]) -> dict[str, object]:
    """Return the file's tree with the platforms' own keys under `settings`; what has another form stays as it is."""
    channels = tree.get("channels")
    if not isinstance(channels, dict):
        return tree
    return {**tree, "channels": {name: _folded(entry) for name, entry in channels.items()}}


def flat(tree: dict[str, object]) -> dict[str, object]:
    """Return a tree of `Config` as the file writes it: the opposite of `folded`."""
    channels = tree.get("channels")
    if not isinstance(channels, dict):
        return tree
    found = {}
    for name, entry in channels.items():
        own = {key: value for key, value in entry.items() if key != "settings"}
        if not CHANNEL_KINDS[name].port:
            del own["port"]
        found[name] = {**own, **entry["settings"]}
    return {**tree, "channels": found}


def check(channels: Mapping[str, ChannelConfig], agents: Collection[str], own: Mapping[str, Sequence[str]]) -> None:
    """Refuse what the keys alone do not show. `own` are the pinned addresses. Raises `BadChannel`.

    A channel that is switched off may be incomplete.
    """
    ports: dict[int, str] = {}
    for channel, entry in channels.items():
        kind = CHANNEL_KINDS[ChannelId(channel)]
        if entry.agent not in agents:
            raise BadChannel(
                f"[channels.{channel}] is answered by an agent that does not exist.", hint=_advice(entry.agent, agents)
            )
        _check_settings(kind, entry)
        for name in kind.host_of:
            if name in entry.settings:
                _check_origin(f"[channels.{channel}] {name}", entry.settings[name], own)
        port = webhook_port(channel, entry)
        if port and entry.enabled and ports.setdefault(port, channel) != channel:
            raise BadChannel(f"[channels.{channel}] and [channels.{ports[port]}] have the same port {port}.")


def webhook_port(channel: str, entry: ChannelConfig) -> int:
    """Return the port of a channel's webhook; 0 where the platform never calls."""
    kind = CHANNEL_KINDS[ChannelId(channel)]
    return entry.port or kind.port if kind.port else 0


def hosts(channel: str, entry: ChannelConfig) -> tuple[str, ...]:
    """Return what an adapter reaches: its platform's hosts, and `host:port` of the servers that its settings name."""
    kind = CHANNEL_KINDS[ChannelId(channel)]
    servers = (entry.settings[name] for name in kind.host_of if name in entry.settings)
    return (*kind.hosts, *(f"{host}:{port}" for _, host, port in map(_origin, servers)))


def _about(kind: ChannelKind, key: str, value: object) -> Complaint | None:
    """Return what is wrong with one line of a kind's table, as far as its key shows it."""
    where, known = f"[channels.{kind.channel}]", keys(kind)
    own = next((one for one in kind.settings if one.name == key), None)
    if own is not None and own.secret:
        advice = f"Take it out, then: `wirken credentials add {credential(kind.channel, key)}`."
        return Complaint(key, f"{where} has {key!r}, which is a secret and no part of this file.", advice)
    if key not in known:
        return Complaint(key, f"{where} has no key {key[:64]!r}.", _advice(key, known))
    if own is not None and not isinstance(value, str):
        return Complaint(key, f"{where} {key}: this is a text.", "Write it in quotes.")
    return None


def _check_settings(kind: ChannelKind, entry: ChannelConfig) -> None:
    for one in kind.settings:
        value = entry.settings.get(one.name)
        where = f"[channels.{kind.channel}]"
        if value is not None and re.fullmatch(one.form, value) is None:
            raise BadChannel(f"{where} {one.name}: the value has not the form of a {one.label}.", hint=one.help)
        if value is None and one.needed and not one.secret and entry.enabled:
            raise BadChannel(f"{where} needs {one.name!r}, the {one.label}.", hint=one.help)


def _check_origin(where: str, address: str, own: Mapping[str, Sequence[str]]) -> None:
    """Raises `BadChannel` for a server that the relay would never reach, or that others could read along with."""
    try:
        scheme, host, port = _origin(address)
    except (ValueError, BadHost):
        raise BadChannel(
            f"{where}: this address names no host that the relay can reach.",
            hint='Give it a name: own_addresses = {"matrix.home.arpa" = ["127.0.0.1"]} under [egress], and use that.',
        ) from None
    if not 0 < port < 65_536:
        raise BadChannel(f"{where}: the port is none.")
    loopback = [ipaddress.ip_address(one).is_loopback for one in own.get(host, ())]
    if scheme == "http" and not (loopback and all(loopback)):
        raise BadChannel(
            f"{where}: http:// is for this machine only; elsewhere others could read along.",
            hint="Use https://, or name the host under [egress] own_addresses with an address of 127.0.0.0/8 or ::1.",
        )


def _origin(address: str) -> tuple[str, str, int]:
    """Return scheme, host in its one spelling, and port. Raises `ValueError`, `BadHost`."""
    parts = urlsplit(address)
    port = _SECURE[parts.scheme] if parts.port is None else parts.port
    return parts.scheme, host_name(parts.hostname or ""), port


def _folded(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    common = {key: value for key, value in entry.items() if key in ("enabled", "agent", "stream", "port")}
    return {**common, "settings": {key: value for key, value in entry.items() if key not in common}}


def _advice(word: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known there: {', '.join(sorted(known))}."
