"""How one child is started: its options, its view, its uid, its descriptors, an environment from nothing."""

# Strings and os.path, because pathlib would cost the supervisor a megabyte.
# ruff: noqa: PTH110

from __future__ import annotations

import contextlib
import os
import signal
from typing import Final, NamedTuple

from wirken.confine import roles, views
from wirken.confine.bpf import NoFilter, machine_named
from wirken.confine.wing_filter import wing_filter
from wirken.domain.walls import SECCOMP
from wirken.supervisor.listeners import Listeners
from wirken.supervisor.plan import Plan

ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
_TCP_TABLES: Final = ("/proc/net/tcp", "/proc/net/tcp6")


class Tools(NamedTuple):
    """The programs that make the walls, and the uid that children change to (-1: the caller's own)."""

    bwrap: str
    setpriv: str
    service_uid: int


class Start(NamedTuple):
    """A program to start: its argument list, and the descriptors it keeps under their own numbers."""

    argv: tuple[str, ...]
    keep: tuple[int, ...]


class Descriptors(NamedTuple):
    """A child's own ends. `pair` is -1 for the vault; `device_key` is -1 where no keychain is asked.

    `line` is the gateway's, to the supervisor (`reaching`); `filter` is for bubblewrap's own process in the runner's
    view (`first_filter`).
    """

    control: int
    pair: int = -1
    device_key: int = -1
    line: int = -1
    tcp_tables: tuple[int, ...] = ()
    filter: int = -1


class Launcher(NamedTuple):
    """What all starts have in common. `cgroups` are the runner's options about them."""

    plan: Plan
    listeners: Listeners
    cgroups: tuple[tuple[str, str], ...] = ()


def start_of(role_id: str, launcher: Launcher, scene: views.Scene, own: Descriptors) -> Start:
    """Return how the child of this role id is started."""
    plan = launcher.plan
    role = roles.row_of(role_id, plan.states.get(role_id, ""))
    options = _options(role_id, launcher, scene, own)
    if role.name == roles.RUNNER:
        options.append(("--role-id", role_id))
    keep = tuple(
        int(number.rpartition("=")[2])
        for flag, value in options
        if flag.endswith(("-fd", "-fds"))
        for number in value.split(",")
    )
    program = (*plan.program_of(role_id), *(word for option in options for word in option))
    if own.filter == -1:
        return Start(_walled(role, plan, scene, program), keep)
    return Start(_walled(role, plan, scene, program, ("--seccomp", str(own.filter))), (*keep, own.filter))


def tcp_tables() -> tuple[int, ...]:
    """Open the host namespace's TCP tables: they name the uid of whoever connects to the page."""
    return tuple(os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in _TCP_TABLES if os.path.exists(path))


def first_filter(role_id: str, plan: Plan) -> int:
    """Return a descriptor with the system call filter for the first process of a view; -1 where it needs none.

    That process is bubblewrap's. Who has Landlock cannot reach it. The runner, which has none, could write into its
    memory where both have one uid, and so lose its own filter.
    """
    role = roles.role_of(role_id)
    if not plan.walls or not role.starts_programs or SECCOMP in plan.without:
        return -1
    traces = "--runsc" in plan.program_of(role_id)
    try:
        code = wing_filter(role._replace(traces=traces), machine_named(os.uname().machine))
    except NoFilter:
        return -1  # the process itself then stops, unless config.toml allows it to go without
    descriptor = os.memfd_create("filter")
    os.write(descriptor, code)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def spawn(start: Start) -> int:
    """Start the program and return its pid.

    It gets /dev/null to read, our standard error to write, a session of its own (so that the terminal's
    Ctrl+C reaches only us), and the descriptors of `start.keep`; everything else is closed.
    """
    words = _words()
    files = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, words, 1),
        (os.POSIX_SPAWN_DUP2, words, 2),
        *((os.POSIX_SPAWN_DUP2, number, number) for number in start.keep),
    ]
    try:
        return os.posix_spawn(
            start.argv[0],
            start.argv,
            ENVIRONMENT,
            file_actions=files,
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXFSZ),
        )
    finally:
        if words != 2:
            os.close(words)


def _words() -> int:
    """Return our standard error for a child: of a terminal a descriptor that cannot read what is typed there.

    A terminal that we may not open anew (after `su`, say) is given as it is.
    """
    if os.isatty(2):
        with contextlib.suppress(OSError):
            return os.open("/proc/self/fd/2", os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
    return 2


def _options(role_id: str, launcher: Launcher, scene: views.Scene, own: Descriptors) -> list[tuple[str, str]]:
    role, plan, listeners = roles.role_of(role_id), launcher.plan, launcher.listeners
    options = [("--control-fd", str(own.control))]
    if plan.without:
        options.append(("--without", ",".join(plan.without)))
    if role.name == roles.VAULT:
        options += [("--data", f"{plan.data}/vault"), ("--operator-fd", str(listeners.vault.fileno()))]
        options += [("--owner-uid", str(os.getuid()))]
        options += [("--outbound-credential", name) for name in plan.credentials]
        if own.device_key != -1:
            options.append(("--device-key-fd", str(own.device_key)))
        return options
    options += [("--data", plan.data), ("--vault-fd", str(own.pair))]
    if role.dials:
        options.append(("--gateway-socket", f"{scene.sockets}/gateway.sock"))
    if role.name == roles.CHANNELS:
        return options + _adapters(role_id, launcher, scene)
    return options + _further(role, launcher, scene, own)


def _adapters(role_id: str, launcher: Launcher, scene: views.Scene) -> list[tuple[str, str]]:
    """Return the options of an adapter: its way out, its webhook and its folder."""
    webhook, state = launcher.listeners.webhooks.get(role_id), launcher.plan.states.get(role_id)
    return [
        ("--relay-socket", f"{scene.sockets}/{roles.relay_socket(role_id)}"),
        *([("--listen-fd", str(webhook.fileno()))] if webhook is not None else []),
        *([("--state", f"{scene.data}/{state}")] if state else []),
    ]


def _further(role: roles.Role, launcher: Launcher, scene: views.Scene, own: Descriptors) -> list[tuple[str, str]]:
    """Return the options that only one role has."""
    plan, listeners = launcher.plan, launcher.listeners
    owner = ("--owner-uid", str(os.getuid()))
    root = (("--tools", plan.tools),) if plan.tools else ()
    match role.name:
        case roles.GATEWAY:
            return [
                ("--gateway-listen-fd", str(listeners.gateway.fileno())),
                ("--operator-listen-fd", str(listeners.operator.fileno())),
                ("--line-fd", str(own.line)),
                *(("--reach", root) for root in plan.reach),
                *root,
                owner,
            ]
        case roles.RUNNER:
            return [
                *(("--workspace", path) for path in scene.workspaces),
                *(("--read-only", path) for path in scene.read_only),
                *(("--outside", path) for path in scene.reaches),
                *launcher.cgroups,
                *root,
                ("--skills", f"{plan.data}/skills"),
                ("--relay-socket", f"{scene.sockets}/{roles.relay_socket(roles.RUNNER)}"),
            ]
        case roles.OUTBOUND:
            return [("--relay-listen-fd", f"{name}={listener.fileno()}") for name, listener in listeners.relays]
        case roles.WEB:
            return [
                ("--listen-fds", ",".join(str(listener.fileno()) for listener in listeners.web)),
                ("--tcp-table-fds", ",".join(str(number) for number in own.tcp_tables)),
                owner,
                *([("--also-uids", ",".join(map(str, plan.page_uids)))] if plan.page_uids else []),
            ]
        case _:
            return []


def _walled(
    role: roles.Role, plan: Plan, scene: views.Scene, program: tuple[str, ...], more: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return the argument list that starts `program` behind its walls; `more` are further words for bubblewrap."""
    if not plan.walls:
        return _unwalled(role, plan, program)
    tools = Tools(plan.bwrap, plan.setpriv, plan.service_uid)
    return (*viewing(tools), *views.arguments(role, scene), *more, "--", *dropped(tools, _group(role, plan)), *program)


def _unwalled(role: roles.Role, plan: Plan, program: tuple[str, ...]) -> tuple[str, ...]:
    """Return `program` without a view: where none can be made and config.toml allows it. It still dies with us."""
    if not plan.setpriv:
        return program
    if plan.service_uid == -1:
        return (plan.setpriv, "--pdeathsig", "KILL", "--no-new-privs", "--", *program)
    drop = dropped(Tools("", plan.setpriv, plan.service_uid), _group(role, plan))
    return (*drop[:-1], "--pdeathsig", "KILL", "--", *program)


def viewing(tools: Tools) -> tuple[str, ...]:
    """Return the words that start a view, before its arguments.

    As root, bubblewrap is started without CAP_DAC_OVERRIDE: with it, it would cover parts of /proc, and then
    the kernel lets nobody below mount a /proc of their own, as the runner's sandboxes must.
    """
    if tools.service_uid == -1:
        return (tools.bwrap, "--unshare-user")
    return (tools.setpriv, "--bounding-set=-dac_override", tools.bwrap)


def _group(role: roles.Role, plan: Plan) -> int:
    return plan.engine_group if role.name == roles.RUNNER else -1


def dropped(tools: Tools, group: int = -1) -> tuple[str, ...]:
    """Return the words before a program that take root from it, and each way to regain a capability.

    It belongs to no group but its own, and `group` where that is one.
    """
    if tools.service_uid == -1:
        return ()
    return (
        tools.setpriv,
        f"--reuid={tools.service_uid}",
        f"--regid={tools.service_uid}",
        "--clear-groups" if group == -1 else f"--groups={group}",
        "--no-new-privs",
        "--inh-caps=-all",
        "--bounding-set=-all",
        "--",
    )
