"""What bounds everyone beside the tiers, put together: policy, pace and budgets, each with what is used of it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator
from typing import Final

import msgspec

from wirken.config.egress import NO_NETWORK
from wirken.config.model import Config, ToolLists
from wirken.config.policy_file import Organisation
from wirken.domain import limits
from wirken.domain.actions import CanonicalCall
from wirken.domain.clock import Clock
from wirken.domain.errors import Refused
from wirken.domain.events import RateLimited, Trust
from wirken.domain.ids import OPERATIONS
from wirken.gateway.agent.seat import Seat
from wirken.gateway.budget import Ledger, told
from wirken.gateway.log import AuditLog, RecordFailed, Stored
from wirken.gateway.ratelimit import Paces
from wirken.ipc.calls.policy import BudgetRow, LimitRow, NetworkRow, PolicyReport, PriceRow, RulesRow, ToolRow
from wirken.permissions.budget import State, blocking
from wirken.permissions.gates import Snapshot
from wirken.permissions.policy import ToolRules, matches, objection
from wirken.permissions.prices import prices
from wirken.record.canonical import Unreadable, decode
from wirken.record.reader import StoredRow

OWN: Final = "config.toml"


class TooFast(Refused):
    """Messages come faster than they may."""

    hint = "Wait a moment. The operator sets the pace under [limits] in config.toml."


class BudgetSpent(Refused):
    """A budget is used up, so the model is not asked."""


class NoPrice(Refused):
    """A budget limits money, and nobody said what the model costs; so it is not asked."""


class Bounds:
    """Made at start from configuration and policy, which stay as they are; what was used follows the rows."""

    def __init__(
        self, config: Config, organisation: Organisation | None, tools: Collection[str], log: AuditLog, clock: Clock
    ) -> None:
        self._organisation = _handed(config.policy.file, organisation)
        self._rules = (
            _rules(f"[policy] of {OWN}", config.policy, ""),
            *([] if self._organisation is None else [_of(self._organisation)]),
        )
        self._tools, self._log, self._clock = tools, log, clock
        self._ledger = Ledger(config.budgets)
        self._config, self.prices = config, prices(config)
        self._paces = Paces(config.limits, clock)

    @property
    def policy_sha256(self) -> str:
        """For the record: the hash of the organisation's policy, nothing without one, `unreadable`."""
        if self._organisation is None:
            return ""
        return "unreadable" if self._organisation.trouble else self._organisation.sha256

    # --- counting -------------------------------------------------------------------------------------

    @property
    def counted_since(self) -> int | None:
        """From when on (ms) the record has to be read to know what is used; None where there is no budget."""
        return self._clock.now() - limits.BUDGET_LOOK_BACK * 1000 if self._ledger.counts else None

    def read(self, rows: Iterable[StoredRow]) -> None:
        """Count what the record says already. Rows that cannot be read count nothing."""
        for stored in rows:
            with contextlib.suppress(Unreadable):
                self._ledger.follow(decode(stored.payload))

    def committed(self, stored: Stored) -> None:
        """Count a row that is on disk, and put the alerts that follow from it into its session."""
        if not self._ledger.counts:
            return
        for alert in self._ledger.follow(stored.row):
            with contextlib.suppress(RecordFailed):  # then nothing more happens here anyway
                self._log.begin(stored.row.session, (Trust.GATEWAY, alert))

    # --- bounding -------------------------------------------------------------------------------------

    def snapshot(self, call: CanonicalCall) -> Snapshot:
        """Return what the gates judge this call by; it counts towards the pace of tool calls."""
        held = self._paces.tool_call(call.principal, call.channel)
        states = self._ledger.states(call.agent, call.principal, self._clock.now())
        return Snapshot(self._rules, held.said if held else "", blocking(states, ("tool_calls",)))

    async def message(self, principal: str, channel: str) -> None:
        """Take one more message. Raises `TooFast`; the first in a minute for each person or channel gets a row."""
        held = self._paces.message(principal, channel)
        if held is None:
            return
        if held.first:
            fact = RateLimited(what=held.what, whose=held.whose, name=held.name, per_minute=held.per_minute)
            await self._log.append(OPERATIONS, (Trust.GATEWAY, fact))
        raise TooFast(held.said)

    def model(self, seat: Seat) -> None:
        """Return if the model may be asked now. Raises `BudgetSpent`, `NoPrice`."""
        states = self._ledger.states(seat.agent, seat.principal, self._clock.now())
        self._priced(seat, states)
        spent = blocking(states, ("tokens", "model_calls", "money"))
        if spent is not None:
            name = spent.subject.budget
            said = f"Refused by rule 'budget:{name}': the model was not asked. {spent.said}"
            raise BudgetSpent(said, hint=f"The operator could raise it under [budgets.{name}] in {OWN}.")

    def _priced(self, seat: Seat, states: Iterable[State]) -> None:
        """A budget that cannot be counted is not one that is never spent. Raises `NoPrice`."""
        name = next((one.subject.budget for one in states if one.unit == "money" and one.mode == "block"), None)
        if name is not None and self.prices.of(seat.provider, seat.model) is None:
            model = f"{seat.provider}/{seat.model}"
            said = f"Refused by rule 'budget:{name}': the model was not asked. There is no price for {model}."
            raise NoPrice(said, hint=f'The operator could set it: [prices."{model}"] with input and output, in {OWN}.')

    # --- telling --------------------------------------------------------------------------------------

    def report(self) -> PolicyReport:
        """Return what is in force and how much of it is used."""
        return PolicyReport(
            rules=tuple(map(self._rules_row, self._rules)),
            tools=tuple(map(self._tool_row, self._tools)),
            limits=tuple(
                LimitRow(what=use.what, whose=use.whose, per_minute=use.per_minute, left=use.left)
                for use in self._paces.uses()
            ),
            budgets=tuple(told(state, BudgetRow) for state in self._ledger.everything(self._clock.now())),
            prices=tuple(map(self._price_row, sorted({agent.model for agent in self._config.agents.values()}))),
            network=tuple(_network(self._config)),
        )

    def _rules_row(self, rules: ToolRules) -> RulesRow:
        patterns = (*(rules.allowed or ()), *rules.blocked)
        of_file = self._organisation is not None and rules.source == self._organisation.path
        return RulesRow(
            source=rules.source,
            sha256=self._organisation.sha256 if self._organisation is not None and of_file else "",
            trouble=rules.trouble,
            allowed=rules.allowed,
            blocked=rules.blocked,
            idle=tuple(one for one in patterns if not any(matches(tool, one) for tool in self._tools)),
        )

    def _price_row(self, model: str) -> PriceRow:
        provider, _, name = model.partition("/")
        price = self.prices.of(provider, name)
        return PriceRow(model=model) if price is None else PriceRow(model, price.input, price.output, price.cached)

    def _tool_row(self, tool: str) -> ToolRow:
        no = objection(tool, self._rules)
        return ToolRow(tool=tool, rule=no.rule if no else "", said=no.said if no else "")


def _network(config: Config) -> Iterator[NetworkRow]:
    for agent, entry in config.agents.items():
        for channel, network in entry.egress.items():
            yield NetworkRow(agent, channel, network.mode, network.hosts)
        yield NetworkRow(agent, "*", NO_NETWORK.mode)


def _handed(file: str, organisation: Organisation | None) -> Organisation | None:
    """Return the policy that applies: one that config.toml names and that was not handed over is unreadable."""
    if not file or (organisation is not None and organisation.path == file):
        return organisation
    trouble = "It was not read when Wirken started; stop Wirken and start it again."
    return Organisation(path=file, trouble=trouble)


def _of(organisation: Organisation) -> ToolRules:
    return _rules(organisation.path, organisation.lists, organisation.trouble)


def _rules(source: str, lists: ToolLists, trouble: str) -> ToolRules:
    allowed = None if isinstance(lists.allowed_tools, msgspec.UnsetType) else lists.allowed_tools
    return ToolRules(source, allowed, lists.blocked_tools, trouble)
