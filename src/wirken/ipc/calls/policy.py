"""What the operator asks about policy, pace and budgets."""

from __future__ import annotations

import msgspec

from wirken.domain.actions import NetworkMode


class ShowPolicy(msgspec.Struct, frozen=True, tag="show_policy"):
    """Which gates are in force, and how far limits and budgets are used (operator)."""


class RulesRow(msgspec.Struct, frozen=True, kw_only=True):
    """One source of rules. `allowed` None: whatever is not blocked. `idle`: patterns that match no tool there is."""

    source: str
    sha256: str
    trouble: str
    allowed: tuple[str, ...] | None
    blocked: tuple[str, ...]
    idle: tuple[str, ...]


class ToolRow(msgspec.Struct, frozen=True, kw_only=True):
    """A tool, and the rule that forbids it, or nothing."""

    tool: str
    rule: str
    said: str


class LimitRow(msgspec.Struct, frozen=True, kw_only=True):
    """`per_minute` 0: no limit. `left`: what the one who used most of it may do at once."""

    what: str
    whose: str
    per_minute: int
    left: int


class BudgetRow(msgspec.Struct, frozen=True, kw_only=True):
    """`agent` and `principal`: whose use this is; `*` where nobody used any yet, empty where all count together.

    `used` and `limit` of the unit `money` are millionths of the currency of the prices.
    """

    budget: str
    agent: str
    principal: str
    unit: str
    used: int
    limit: int
    per: str
    mode: str
    until: int
    """ms since the epoch, when the count begins anew."""


class PriceRow(msgspec.Struct, frozen=True):
    """What a million tokens of an agent's model cost, in millionths of the prices' currency; -1: it has no price."""

    model: str
    input: int = -1
    output: int = -1
    cached_input: int = -1


class NetworkRow(msgspec.Struct, frozen=True):
    """What commands of an agent reach in turns on a channel; `*` stands for every channel without a row of its own."""

    agent: str
    channel: str
    mode: NetworkMode
    hosts: tuple[str, ...] = ()


class PolicyReport(msgspec.Struct, frozen=True, kw_only=True):
    rules: tuple[RulesRow, ...]
    tools: tuple[ToolRow, ...]
    limits: tuple[LimitRow, ...]
    budgets: tuple[BudgetRow, ...]
    prices: tuple[PriceRow, ...]
    network: tuple[NetworkRow, ...] = ()
