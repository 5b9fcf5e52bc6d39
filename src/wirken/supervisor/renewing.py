"""Another plan in the same supervisor: who must read it anew is stopped in order and started again, the others live on.

What may differ is channels: their adapters, and what gateway and outbound read of them. Vault, runner and page stay, so
that nothing has to be unlocked; whatever else has changed needs a new start of Wirken.
"""

from __future__ import annotations

from typing import Final

from wirken.confine import roles
from wirken.confine.roles import role_of
from wirken.domain.errors import Refused, Unavailable
from wirken.supervisor import listeners, tree
from wirken.supervisor.house import House
from wirken.supervisor.launch import Launcher
from wirken.supervisor.plan import Plan

READING: Final = (roles.GATEWAY, roles.OUTBOUND)
"""Who reads config.toml itself. Outbound also has the listeners of the channels."""

_COMPARED: Final = (
    *("version", "data", "sockets", "program", "workspaces", "read_only", "reach", "credentials", "page_uids"),
    *("bwrap", "setpriv", "service_uid", "without", "tools"),
)
"""What a plan may not change. The rest is channels, what is printed, or made anew for each start."""


class NeedsStart(Refused):
    """More has changed than channels."""

    hint = "wirken stop, then wirken run."


class NotNow(Unavailable):
    """Something is being started or stopped."""

    hint = "Try again in a moment."


class Renewing:
    """One change at a time. `plan` is what the command line gave when this supervisor was started."""

    def __init__(self, house: House, plan: Plan) -> None:
        self._house = house
        self._given = plan
        self._stopping: list[tuple[str, ...]] = []
        """Who is stopped, stage by stage; the first are being stopped now."""
        self._next: Launcher | None = None
        self._anew: tuple[str, ...] = ()

    def reload(self, given: Plan) -> None:
        """Go on with another plan. Raises `NeedsStart`, `NotNow`, `BadDirectory`, `BusyPort`, `NoSocket`."""
        self._must_be_free()
        changed = [name for name in _COMPARED if _value(given, name) != _value(self._given, name)]
        if changed:
            raise NeedsStart(f"More has changed than channels: {', '.join(changed)}.")
        before = self._house.plan
        plan = _merged(before, given)
        tree.kept(plan.data, plan.service_uid, plan.states.values())
        bound = listeners.rebound(self._house.launcher.listeners, plan, before)
        other = [role for role in _adapters(before) if _start(before, role) != _start(plan, role)]
        anew = [role for role in _adapters(plan) if _start(before, role) != _start(plan, role)]
        reading = [role for role in READING if role in plan.programs]
        self._begin(
            self._house.launcher._replace(plan=plan, listeners=bound),
            [(*other, *reading[:1]), tuple(reading[1:])],
            (*reading, *anew),
        )
        self._given = given

    def renew(self, role_id: str) -> None:
        """Start one adapter anew. Raises `NeedsStart`, `NotNow`."""
        self._must_be_free()
        if role_id not in self._house.children or not role_of(role_id).apart:
            raise NeedsStart("There is no adapter of that name.")
        self._begin(self._house.launcher, [(role_id,)], (role_id,))

    def tick(self) -> None:
        """Go on where everybody has stopped who was to; a stop of all ends the change."""
        if self._next is not None and self._house.phase in ("closing", "closed"):
            listeners.drop(self._next.listeners, self._house.launcher.listeners, self._house.plan.sockets)
            self._next = None
        while self._next is not None and self._house.phase == "open" and not self._waits():
            if self._stopping:
                self._house.end(self._stopping[0])
                continue
            then, self._next = self._next, None
            before = self._house.launcher.listeners
            self._house.renew(then, self._anew)
            listeners.drop(before, then.listeners, then.plan.sockets)

    def _must_be_free(self) -> None:
        if self._house.phase != "open" or self._next is not None:
            raise NotNow("Wirken is starting or stopping something just now.")

    def _begin(self, then: Launcher, stages: list[tuple[str, ...]], anew: tuple[str, ...]) -> None:
        self._next, self._anew = then, anew
        self._stopping = [stage for stage in stages if stage]
        self._house.end(self._stopping[0])
        self.tick()

    def _waits(self) -> bool:
        """Return whether somebody of this stage still runs; go on to the next stage where nobody does."""
        if self._stopping and any(self._house.children[role].running for role in self._stopping[0]):
            return True
        del self._stopping[:1]
        return False


def _merged(before: Plan, given: Plan) -> Plan:
    """Return the plan that runs, with the channels of another, and with what reads the configuration."""
    kept = {role: line for role, line in before.programs.items() if not role_of(role).apart}
    reading = {role: given.programs[role] for role in READING if role in kept and role in given.programs}
    adapters = {role: line for role, line in given.programs.items() if role_of(role).apart}
    return before._replace(
        programs={**kept, **reading, **adapters}, webhooks=given.webhooks, states=given.states, banner=given.banner
    )


def _value(plan: Plan, name: str) -> object:
    """Return what a plan says, without the order of paths and names, which is that of a set."""
    value: object = getattr(plan, name)
    return frozenset(value) if isinstance(value, tuple) else value


def _adapters(plan: Plan) -> list[str]:
    return [role for role in plan.programs if role_of(role).apart]


def _start(plan: Plan, role: str) -> tuple[object, ...]:
    """Return all that an adapter's start depends on."""
    return plan.programs.get(role), plan.webhooks.get(role), plan.states.get(role)
