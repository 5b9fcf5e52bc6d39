"""All children together: started in parallel, watched, restarted, stopped in order. Never blocks."""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Callable, Iterable
from typing import Final, Literal

from wirken.confine import roles
from wirken.confine.roles import required, role_of
from wirken.domain import limits
from wirken.domain.errors import Unavailable
from wirken.domain.walls import REPORT
from wirken.supervisor import keychain, launch, pairs, stages, workspaces
from wirken.supervisor.child import Child
from wirken.supervisor.runners import Further, Runners

Phase = Literal["opening", "open", "closing", "closed"]
_NEVER: Final = float("inf")


class ChildFailed(Unavailable):
    """A process ended, or stayed silent, before the house was open."""

    hint = "What it said stands above; `wirken doctor` looks for the reason."


class House:
    """The children, by role id. `say` gets one sentence for the operator at a time."""

    def __init__(
        self,
        launcher: launch.Launcher,
        given: Runners,
        selector: selectors.BaseSelector,
        clock: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self.plan = launcher.plan
        self.scene = given.first
        self.phase: Phase = "opening"
        self.failure: ChildFailed | None = None
        self.children = {role: Child(role) for role in stages.start_order(launcher.plan.programs)}
        self.launcher = launcher
        self._selector = selector
        self._clock = clock
        self._say = say
        self.runners = given
        self._refused: dict[str, str] = {}
        """Why a child that runs, and is about to be killed, must not."""
        self._closing_since = 0.0
        self.gateway_line: Callable[[], int] = lambda: -1
        """Gives the descriptor of a new line to us, for a gateway that is about to start (`reaching`)."""

    # --- what is due -----------------------------------------------------------------------------------

    def tick(self) -> None:
        """Start who is due, kill who is overdue, go on with the stop."""
        now = self._clock()
        for child in list(self.children.values()):
            if now < child.due:
                continue
            if child.state == "waiting" and self._may_start(child):
                self._start(child, now)
            elif child.state == "starting":
                self._say(f"{child.role_id} was not ready in {limits.READY_TIME:.0f} s and is ended")
                child.due = _NEVER
                child.kill()
            elif child.state == "stopping" and self.phase != "closing":
                child.due = _NEVER
                child.kill()
        if self.phase == "closing":
            self._go_on_closing(now)

    def patience(self) -> float | None:
        """Return the seconds until something is due; None while nothing is."""
        now = self._clock()
        if self.phase == "closing":
            return stages.next_deadline(now - self._closing_since)
        due = min((child.due for child in self.children.values() if self._is_awaited(child)), default=_NEVER)
        return None if due == _NEVER else max(0.0, due - now)

    def _is_awaited(self, child: Child) -> bool:
        """Return whether something is done with this child as soon as it is due."""
        return child.state in ("starting", "stopping") or (child.state == "waiting" and self._may_start(child))

    def _may_start(self, child: Child) -> bool:
        """Return whether all are there that have to be before this child."""
        if child.role_id == roles.VAULT:
            return True
        return self._vault.running and (self.phase == "open" or not role_of(child.role_id).apart)

    # --- further runners -------------------------------------------------------------------------------

    def add_runner(self, role_id: str, further: Further, answer: Callable[[str], None]) -> None:
        """Start a further runner. `answer` gets "" when it is ready, else why not.

        The descriptors are closed with it.
        """
        self.children[role_id] = Child(role_id)
        self.runners.add(role_id, further, answer)
        self.tick()

    def remove_runner(self, role_id: str) -> None:
        """Stop a further runner and forget it once it is gone."""
        child = self.children.get(role_id)
        if child is None or self.phase in ("closing", "closed"):
            return
        self.runners.unasked(role_id)
        self.end([role_id])
        if not child.running:
            self._forget(child)

    # --- another plan ----------------------------------------------------------------------------------

    def end(self, role_ids: Iterable[str]) -> None:
        """Ask children to stop; they stay stopped until `renew`."""
        for child in map(self.children.__getitem__, role_ids):
            self._unwatch(child.control)
            child.ask_to_stop()
            child.due = self._clock() + limits.STOP_TIME

    def renew(self, launcher: launch.Launcher, anew: Iterable[str]) -> None:
        """Go on with another plan: forget the stopped adapters that it lacks, and start these children anew."""
        self.plan, self.launcher = launcher.plan, launcher
        kept = {
            one: child for one, child in self.children.items() if one in self.plan.programs or not role_of(one).apart
        }
        self.children = kept | {role_id: Child(role_id) for role_id in anew}
        self.tick()

    # --- stop ------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Begin to stop everything; a second call ends all at once."""
        if self.phase == "closing":
            self._closing_since = -_NEVER
        elif self.phase != "closed":
            self.phase, self._closing_since = "closing", self._clock()
        self.tick()

    def _go_on_closing(self, now: float) -> None:
        elapsed = now - self._closing_since
        reached = stages.stage_reached(self._running(), elapsed)
        for child in self.children.values():
            if not child.running:
                child.ask_to_stop()
            elif reached == len(stages.DEADLINES):
                child.kill()
            elif stages.stage_of(child.role_id) <= reached and child.state != "stopping":
                self._unwatch(child.control)
                child.ask_to_stop()
        if not self._running():
            self.phase = "closed"

    # --- one child -------------------------------------------------------------------------------------

    @property
    def _vault(self) -> Child:
        return self.children[roles.VAULT]

    def _running(self) -> list[str]:
        return [child.role_id for child in self.children.values() if child.running]

    def _start(self, child: Child, now: float) -> None:
        try:
            workspaces.unmoved(self.runners.folders(child.role_id))
        except workspaces.Moved as error:
            self._not_started(child, now, f"{error} {error.advice}")
            return
        ours, theirs = socket.socketpair()
        os.set_blocking(ours.fileno(), False)
        opened = [theirs.detach()]
        own = launch.Descriptors(control=opened[0])
        helper = keychain.ask(self.plan) if child.role_id == roles.VAULT else None
        if helper is not None:
            own = own._replace(device_key=helper.key)
            opened.append(helper.key)
            self._selector.register(helper.pidfd, selectors.EVENT_READ, lambda: self._helped(helper))
        if child.role_id != roles.VAULT:
            own = own._replace(pair=pairs.for_start(self._vault, child.role_id).detach())
            opened.append(own.pair)
        if child.role_id == roles.WEB:
            own = own._replace(tcp_tables=launch.tcp_tables())
            opened += own.tcp_tables
        if child.role_id == roles.GATEWAY:
            own = own._replace(line=self.gateway_line())
            opened.append(own.line)
        own = own._replace(filter=launch.first_filter(child.role_id, self.plan))
        if own.filter != -1:
            opened.append(own.filter)
        scene = self.runners.scene(child.role_id)
        try:
            pid = launch.spawn(launch.start_of(child.role_id, self.launcher, scene, own))
        except OSError as error:
            ours.close()
            self._not_started(child, now, f"{error.strerror}.")
            return
        finally:
            for descriptor in opened:
                os.close(descriptor)
        deadline = _NEVER if keychain.may_be_sealed(self.plan) else now + limits.READY_TIME
        child.started(pid, ours, now, deadline)
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._heard(child))
        self._selector.register(child.pidfd, selectors.EVENT_READ, lambda: self._ended(child))
        if child.role_id == roles.VAULT:
            self._introduce_again()

    def _not_started(self, child: Child, now: float, reason: str) -> None:
        said = f"{child.role_id} cannot be started: {reason}"
        child.due = now + limits.RESTART_LONGEST
        if self.phase == "opening":
            self.failure = ChildFailed(said)
            self.close()
        elif self.runners.waited_for(child.role_id):
            self.runners.answer(child.role_id, said)
            self._forget(child)
        else:
            self._say(said)

    def _helped(self, helper: keychain.Helper) -> None:
        self._selector.unregister(helper.pidfd)
        helper.reap()

    def _introduce_again(self) -> None:
        """The vault is a new process: give everyone else a pair with it, or a new start."""
        for child in self.children.values():
            if child.role_id == roles.VAULT or not child.running or child.state == "stopping":
                continue
            if child.state != "ready" or not pairs.renew(self._vault, child):
                child.kill()

    def _heard(self, child: Child) -> None:
        control = child.control
        if control is None:
            return
        try:
            said = control.recv(limits.WALLS_REPORT)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            self._unwatch(control)
        elif child.state == "starting" and child.hear(said) and self._walled(child) and self._sees_its_own(child):
            child.ready(self._clock())
            self.runners.answer(child.role_id, "")
            waited_for = (one for one in self.children.values() if not role_of(one.role_id).apart)
            if self.phase == "opening" and all(one.state == "ready" for one in waited_for):
                self.phase = "open"

    def _walled(self, child: Child) -> bool:
        """Return whether the child has said that it wears the walls of its row; end it where it has not."""
        missing = [each for each in required(role_of(child.role_id), self.plan.without) if each not in child.worn]
        if missing or REPORT not in child.worn:
            self._refused[child.role_id] = f"without its walls: {', '.join(missing) or 'it told of none'}"
            child.kill()
        return child.role_id not in self._refused

    def _sees_its_own(self, child: Child) -> bool:
        """Return whether the child's view holds the folders that were checked; end it where it does not."""
        try:
            if self.plan.walls and (folders := self.runners.folders(child.role_id)):
                workspaces.shown_to(child.pid, folders)
        except workspaces.Moved as error:
            self._refused[child.role_id] = str(error)
            child.kill()
            return False
        return True

    def _ended(self, child: Child) -> None:
        self._selector.unregister(child.pidfd)
        self._unwatch(child.control)
        early = child.state == "starting"
        again = self.phase in ("opening", "open") and child.state != "stopping"
        how = child.died(self._clock(), again=again)
        said = f"{child.role_id} ended ({self._refused.pop(child.role_id, how)})"
        if not again:
            if self.runners.is_further(child.role_id):
                self._forget(child)
        elif self.phase == "opening" and not keychain.may_be_sealed(self.plan):
            self.failure = ChildFailed(f"{said} before it was ready.")
            self.close()
        elif early and self.runners.waited_for(child.role_id):
            self.runners.answer(child.role_id, f"{said} before it was ready.")
            self._forget(child)
        else:
            self._say(f"{said} and is started again in {child.due - self._clock():.1f} s")
        self.tick()

    def _forget(self, child: Child) -> None:
        self.children.pop(child.role_id, None)
        self.runners.forget(child.role_id)

    def _unwatch(self, control: socket.socket | None) -> None:
        if control is not None and control in self._selector.get_map():
            self._selector.unregister(control)
