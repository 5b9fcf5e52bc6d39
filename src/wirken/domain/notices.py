"""Rows about the gateway itself, and about what it noticed; part of `events.py`, which names all kinds."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from wirken.domain.fact import _Fact


class Flag(msgspec.Struct, frozen=True):
    """Something in a text that looks like an injection. `what` is override, role, encoded, tool_call or hidden.

    `start` and `end` count characters of the text.
    """

    what: str
    reason: str
    start: int
    end: int


class InjectionFlag(_Fact, frozen=True, kw_only=True, tag="injection_flag"):
    """The text of the row `about_seq` looks as if it were to steer the model; that decides nothing."""

    about_seq: int
    flags: tuple[Flag, ...]


class RateLimited(_Fact, frozen=True, kw_only=True, tag="rate_limited"):
    """Messages were turned away for coming too fast; one row a minute for each person or channel."""

    what: str
    whose: str
    name: str
    per_minute: int


class BudgetAlert(_Fact, frozen=True, kw_only=True, tag="budget_alert"):
    """So much of a budget is used; once in each of its windows. `until`: ms since the epoch, when it begins anew."""

    budget: str
    agent: str
    principal: str
    unit: str
    used: int
    limit: int
    per: str
    mode: str
    until: int


class GatewayStarted(_Fact, frozen=True, kw_only=True, tag="gateway_started"):
    version: str
    config_sha256: str


class GatewayStopped(_Fact, frozen=True, kw_only=True, tag="gateway_stopped"):
    reason: str


class ConfigurationRead(_Fact, frozen=True, kw_only=True, tag="configuration_read"):
    """What the operator's configuration says, where it bears on decisions."""

    config_sha256: str
    agents: tuple[str, ...]
    models: tuple[str, ...]
    policy_sha256: str
    """Of the organisation's policy file; empty without one, `unreadable` where it could not be used."""
    walls_missing: tuple[str, ...] = ()
    """Walls of our own processes that the machine cannot make and the configuration allows to be missing."""


class PeerRefused(_Fact, frozen=True, kw_only=True, tag="peer_refused"):
    """A connection or a frame was turned away."""

    peer: str
    reason: str


class GrantRevoked(_Fact, frozen=True, kw_only=True, tag="grant_revoked"):
    agent: str
    principal: str
    channel: str
    action_key: str
    by: str
    only_in: str = ""
    """The session it counted in; empty: whatever this holder had for the key."""


SenderChange: TypeAlias = Literal["allowed", "blocked", "removed", "code", "paired"]
"""`code`: a pairing code was handed out; `paired`: somebody sent it."""


class SenderRefused(_Fact, frozen=True, kw_only=True, tag="sender_refused"):
    """Somebody whom nobody admitted wrote and was told so; no model saw it. `name` is what the platform shows."""

    channel: str
    sender: str
    name: str


class SenderChanged(_Fact, frozen=True, kw_only=True, tag="sender_changed"):
    """What was decided about a platform's account, and on which surface. `by` is empty where a code decided."""

    channel: str
    sender: str
    change: SenderChange
    principal: str
    role: str
    by: str
    surface: str
