"""Which hosts one running call may reach, as far as that is decided: by its place, by a grant, by a person."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from wirken.domain import limits, relay_limits
from wirken.domain.actions import Allowed, CanonicalCall, Denied, NeedsApproval, Tier, ToolCall
from wirken.domain.clock import Clock
from wirken.domain.egress import Verdict
from wirken.domain.errors import Refused
from wirken.domain.ids import CallId
from wirken.domain.text import clip
from wirken.domain.urls import target
from wirken.gateway.agent.results import denial_row
from wirken.gateway.agent.seat import Seat
from wirken.gateway.matters import Matter
from wirken.gateway.sessions import Session
from wirken.gateway.store import StateStore
from wirken.gateway.tools.catalogue import HOST, IN_OUTBOUND, command_line
from wirken.permissions import egress, keys
from wirken.record.permit import Permit

_OVER: Final = "The command has ended."


class CallOver(Refused):
    """The call that wanted a connection does not run any more, or never did."""


class Asks(Protocol):
    """Whoever asks a person; a refusal is on record when it returns."""

    async def ask(self, matter: Matter, seconds: float) -> Allowed | Denied: ...


@dataclass(frozen=True, slots=True)
class Answered:
    """What was decided about a host. `rule`, `by` and `lease` as in `EgressVerdict`; `said` is for the program."""

    verdict: Verdict
    rule: str
    said: str = ""
    by: str = ""
    lease: str = ""


@dataclass(slots=True)
class Hosts:
    """One call's decisions. What was decided about a host holds for the rest of the call, a no as much as a yes."""

    permit: Permit
    seat: Seat
    session: Session
    asks: Asks
    store: StateStore
    clock: Clock
    waited: float = 0.0
    """Seconds in which a person was asked while the command's own time ran on."""
    _deciding: dict[str, asyncio.Task[Answered]] = field(default_factory=dict)
    _started: float = 0.0

    def __post_init__(self) -> None:
        self._started = self.clock.monotonic()

    async def answered(self, host: str, port: int, program: str) -> Answered:
        """Return what is decided about a host, after a person's answer where one is needed. Raises `CallOver`."""
        call = self.permit.call
        if call.tool in IN_OUTBOUND:
            return _requested(call, host)
        if call.tool != "exec":
            return Answered("mode_none", "none", "Only commands reach hosts.")
        ruling = egress.judge(call.place, host)
        if ruling.verdict != "ask":
            return Answered(ruling.verdict, ruling.rule, ruling.said)
        deciding = self._deciding.get(host)
        if deciding is None:
            if len(self._deciding) >= relay_limits.EGRESS_QUESTIONS:
                return Answered("not_allowed", "limit", "This command has asked for too many hosts already.")
            deciding = asyncio.get_running_loop().create_task(self._decided(host, port, program))
            self._deciding[host] = deciding
        await asyncio.wait({deciding})
        if deciding.cancelled():
            raise CallOver(_OVER)
        return deciding.result()

    def close(self) -> None:
        """Take back the questions that are open."""
        for deciding in self._deciding.values():
            deciding.cancel()

    async def _decided(self, host: str, port: int, program: str) -> Answered:
        key, now = keys.of_host(host), self.clock.now()
        if self.store.is_granted(self.seat.holder, key, now, self.seat.session):
            self.store.use(self.seat.holder, (key,), now, self.seat.session)
            return Answered("allowed", "grant")
        if not self.seat.interactive:
            return Answered("not_allowed", "not_interactive", f"{host} needs approval, and nobody is there to ask.")
        seconds = min(self.seat.patience, self._left())
        if seconds < 1:
            return Answered("not_allowed", "no_answer", f"{host} needs approval, and the command has no time left.")
        matter = self._matter(host, port, program)
        started = self.clock.monotonic()
        try:
            verdict = await self.asks.ask(matter, seconds)
        finally:
            self.waited += self.clock.monotonic() - started
        if isinstance(verdict, Allowed):
            return Answered("allowed", "approval", by=verdict.by, lease=matter.canonical.digest())
        return Answered("not_allowed", verdict.rule, _refused(host, verdict), verdict.by, matter.canonical.digest())

    def _left(self) -> float:
        """Return the seconds that the command may still run: a person's time to answer is taken from them."""
        timeout = json.loads(self.permit.call.arguments).get("timeout", limits.EXEC_TIME)
        return float(timeout) - (self.clock.monotonic() - self._started)

    def _matter(self, host: str, port: int, program: str) -> Matter:
        """Return the question about a host: a call of its own, so that its hash is of what is shown."""
        number = len(self._deciding)
        arguments = json.dumps({"host": host, "port": port, "program": program})
        call = ToolCall(CallId(f"{self.permit.call_id}/{HOST}{number}"), HOST, arguments)
        canonical: CanonicalCall = msgspec.structs.replace(self.permit.call, tool=HOST, arguments=arguments)
        command, _ = clip(command_line(self.permit.call), limits.QUESTION_TEXT)
        left = int(self._left())
        reasons = (
            f"This host is not on the list of agent {self.seat.agent} on channel {self.seat.channel}.",
            f"It is wanted by the command that runs now: {command}",
            f"The command waits, and its own time runs on: {left} s are left.",
            "A yes allows this host alone: once is for the rest of this command.",
        )
        needs = NeedsApproval(Tier.TWO, (keys.of_host(host),), reasons)
        return Matter(self.session, call, canonical, needs, rows=denial_row)


def _requested(call: CanonicalCall, host: str) -> Answered:
    """Return that a request reaches the host it was permitted for, and a search the engine it is configured for."""
    if call.tool == "web_search":
        return Answered("allowed", "search")
    if host == target(json.loads(call.arguments)["url"]).host:
        return Answered("allowed", "call")
    return Answered("not_allowed", "call", f"{host} is not the host that was decided about.")


def _refused(host: str, verdict: Denied) -> str:
    why = "a person said no" if verdict.rule == "denied_by_person" else "nobody answered in time"
    return f"{host} was not allowed: {why}."


MakesHosts = Callable[[Permit, Seat, Session], Hosts]
"""Begins a call's decisions."""
