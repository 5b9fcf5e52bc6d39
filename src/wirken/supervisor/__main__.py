"""`python -I -m wirken.supervisor --plan-fd N [--ready-fd M]`: wires the parts, turns the loop."""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import socket
import sys
import time

from wirken.confine import delegate, views
from wirken.domain.errors import WirkenError
from wirken.supervisor import keychain, listeners, lock, toolroot, tree, workspaces
from wirken.supervisor.control import Control
from wirken.supervisor.house import House
from wirken.supervisor.launch import Launcher
from wirken.supervisor.parent import KEPT, READY, Parent
from wirken.supervisor.plan import BadPlan, Plan, decode
from wirken.supervisor.reaching import Reaching
from wirken.supervisor.renewing import Renewing
from wirken.supervisor.runners import Runners


def main(words: list[str]) -> int:
    """Supervise until told to stop; return the exit code."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        return _supervise(*_arguments(words))
    except WirkenError as error:
        _complain(error)
        return error.exit_code


def _arguments(words: list[str]) -> tuple[Plan, int]:
    options = dict(zip(words[::2], words[1::2], strict=False))
    if not set(options) <= {"--plan-fd", "--ready-fd"} or not options.get("--plan-fd", "").isdigit():
        raise BadPlan("The supervisor is told its plan with --plan-fd.")
    with open(int(options["--plan-fd"]), "rb") as file:
        plan = decode(file.read())
    ready = int(options.get("--ready-fd", "-1"))
    if ready != -1:
        os.set_inheritable(ready, False)
    return plan, ready


def _supervise(plan: Plan, ready: int) -> int:
    tree.prepare(plan.data, plan.sockets, plan.service_uid, plan.states.values())
    held = lock.take(f"{plan.data}/wirken.lock")
    given = plan
    plan, root = _with_tool_root(plan)
    plan, folders = _with_workspaces(plan)
    bound = listeners.bind(plan)
    if plan.port and len(bound.web) < len(listeners.LOOPBACKS):
        _say("this machine has no [::1]; the page listens on 127.0.0.1 alone")
    _print(*plan.banner)
    delegate.sweep()
    delegated = delegate.delegate(os.getpid(), *_runs_as(plan))
    try:
        with selectors.DefaultSelector() as selector:
            scene = plan.scene(views.top_level(), delegated.binds)
            runners = Runners(scene, folders, root)
            house = House(Launcher(plan, bound, delegated.options), runners, selector, time.monotonic, _say)
            house.gateway_line = Reaching(house, selector).renewed
            try:
                _turn(house, Renewing(house, given), selector, ready)
            finally:
                bound = house.launcher.listeners
    finally:
        delegate.remove(delegated, os.getpid())
        listeners.unbind(bound, plan.sockets)
        os.close(held)
    if house.failure is not None:
        raise house.failure
    return 0


def _turn(house: House, renewing: Renewing, selector: selectors.BaseSelector, ready: int) -> None:
    """The loop: sleeps until a descriptor or a deadline wakes it."""
    control = Control(house.launcher.listeners.control, house, selector, renewing)
    _watch_signals(house, selector)
    parent = Parent(ready, selector)
    control.on_release = lambda: _released(house, control, parent)
    if house.plan.ephemeral:
        parent.watch(control.on_release)
    announced = False
    house.tick()
    if keychain.may_be_sealed(house.plan) and not house.plan.ephemeral:  # that one's parent asks for itself
        _say("the vault may be sealed; if so, everyone else waits for `wirken unlock`")
    while house.phase != "closed":
        for key, _ in selector.select(house.patience()):
            key.data()
        house.tick()
        renewing.tick()
        if house.phase == "open" and not announced:
            announced = True
            _announce(house.plan)
            parent.tell(READY)


def _watch_signals(house: House, selector: selectors.BaseSelector) -> None:
    """Have SIGINT, SIGTERM and SIGHUP wake the loop; the second one ends everything at once."""
    read, write = socket.socketpair()
    for end in (read, write):
        end.setblocking(False)
    signal.set_wakeup_fd(write.detach(), warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)

    def woken() -> None:
        for _ in read.recv(16):
            house.close()

    selector.register(read, selectors.EVENT_READ, woken)


def _released(house: House, control: Control, parent: Parent) -> None:
    """Somebody who needed us has gone. An ephemeral supervisor goes with the last."""
    if not house.plan.ephemeral or parent.present:
        return
    if control.held:
        parent.tell(KEPT)
    else:
        house.close()


def _runs_as(plan: Plan) -> tuple[int, int]:
    """Return uid and gid of the children."""
    return (os.getuid(), os.getgid()) if plan.service_uid == -1 else (plan.service_uid, plan.service_uid)


def _with_tool_root(plan: Plan) -> tuple[Plan, tuple[workspaces.Folder, ...]]:
    """Return the plan, and its tool root, checked and held open, where it has one."""
    if not plan.tools:
        return plan, ()
    root = toolroot.checked(plan.tools, workspaces.land_of(plan), (0, os.getuid()))
    return plan, (root,)


def _with_workspaces(plan: Plan) -> tuple[Plan, tuple[workspaces.Folder, ...]]:
    """Return the plan with its folders made, checked, and free of links, and these folders held open."""
    for path in plan.workspaces:
        if path.startswith(f"{plan.data}/agents/"):
            tree.workspace(path, plan.service_uid)
    here = workspaces.land_of(plan)
    writable = tuple(workspaces.checked(path, here, write=True) for path in plan.workspaces)
    read_only = tuple(workspaces.checked(path, here, write=False) for path in plan.read_only)
    paths = tuple(folder.path for folder in writable), tuple(folder.path for folder in read_only)
    workspaces.apart(*paths)
    return plan._replace(workspaces=paths[0], read_only=paths[1]), (*writable, *read_only)


def _announce(plan: Plan) -> None:
    if not plan.ready_line:
        return
    if os.path.lexists(f"{plan.data}/vault/device.key"):
        _say("the vault's device key is a file (0600) that nothing else protects; see `wirken keys protect`")
    _print(plan.ready_line)


def _complain(error: WirkenError) -> None:
    _say(str(error))
    if error.advice:
        _say(f"  {error.advice}")


def _say(sentence: str) -> None:
    _write(2, f"wirken: {sentence}\n")


def _print(*lines: str) -> None:
    if lines:
        _write(1, "".join(f"{line}\n" for line in lines))


def _write(descriptor: int, text: str) -> None:
    with contextlib.suppress(OSError):  # whoever read our words has gone; the work goes on
        os.write(descriptor, text.encode("utf-8", "replace"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
