"""The sockets that the supervisor binds and hands down: Unix sockets, and loopback ones of the page and of webhooks."""

# Strings and os.path, because pathlib would cost the supervisor a megabyte.
# ruff: noqa: PTH101, PTH108

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from wirken.confine.roles import relay_socket
from wirken.domain import limits
from wirken.domain.errors import Unavailable
from wirken.supervisor.plan import Plan

LOOPBACKS: Final = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_BACKLOG: Final = 64


class BusyPort(Unavailable):
    """A port of the page or of a webhook is taken by another program."""


class NoSocket(Unavailable):
    """A Unix socket cannot be bound."""

    hint = "Move away what lies there, or choose another place with WIRKEN_DATA_DIR."


class Listeners(NamedTuple):
    """All listening sockets; we hold them all along, so that a restarted child finds them waiting."""

    gateway: socket.socket
    operator: socket.socket
    vault: socket.socket
    control: socket.socket
    web: tuple[socket.socket, ...]
    relays: tuple[tuple[str, socket.socket], ...] = ()
    """For outbound: the role id that each one is for, and the listener."""
    webhooks: Mapping[str, socket.socket] = MappingProxyType({})
    """By the role id of the adapter that is called there."""


def bind(plan: Plan) -> Listeners:
    """Bind everything; the ports first, because they are what may be taken. A plan's port 0 binds no page.

    The socket files are 0600 and belong to the children's uid; the supervisor's own stays the caller's.
    Raises `BusyPort`, `NoSocket`.
    """
    sockets, uid = plan.sockets, plan.service_uid
    web = loopback(plan.port) if plan.port else ()
    webhooks = {role: webhook(role, port) for role, port in plan.webhooks.items()}
    return Listeners(
        gateway=unix(f"{sockets}/gateway.sock", uid),
        operator=unix(f"{sockets}/operator.sock", uid),
        vault=unix(f"{sockets}/vault.sock", uid),
        control=unix(f"{sockets}/supervisor.sock", -1),
        web=web,
        relays=tuple((role, unix(f"{sockets}/{relay_socket(role)}", uid)) for role in plan.relayed),
        webhooks=webhooks,
    )


def unix(path: str, uid: int) -> socket.socket:
    """Return a listener at `path`; a socket left there by an earlier run is replaced. Raises `NoSocket`."""
    if len(os.fsencode(path)) > limits.SOCKET_ADDRESS:
        raise NoSocket(f"{path} is too long for the address of a Unix socket.")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass
    try:
        listener.bind(path)
        os.chmod(path, 0o600)
        if uid != -1:
            os.chown(path, uid, uid)
    except OSError as error:
        listener.close()
        raise NoSocket(f"{path} cannot be bound: {error.strerror}.") from None
    listener.listen(_BACKLOG)
    return listener


def loopback(port: int) -> tuple[socket.socket, ...]:
    """Return listeners on 127.0.0.1 and, where the kernel has it, [::1]. Raises `BusyPort`."""
    bound: list[socket.socket] = []
    for family, address in LOOPBACKS:
        try:
            bound.append(_tcp(family, address, port))
        except OSError as error:
            for listener in bound:
                listener.close()
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise _refusal(address, port, error) from None
    return tuple(bound)


def webhook(role_id: str, port: int) -> socket.socket:
    """Return a listener on 127.0.0.1, where the operator's tunnel ends. Raises `BusyPort`."""
    try:
        return _tcp(socket.AF_INET, "127.0.0.1", port)
    except OSError as error:
        channel = role_id.partition("-")[2]
        hint = f"Stop the program that uses it, or set another `port` under [channels.{channel}] in config.toml."
        raise BusyPort(f"Port {port} of {channel} on 127.0.0.1 cannot be bound: {error.strerror}.", hint=hint) from None


def rebound(listeners: Listeners, plan: Plan, before: Plan) -> Listeners:
    """Return the listeners for a plan with other channels; those that it shares with the plan before stay as they are.

    What it has no more is still open (`drop`). Raises `BusyPort`, `NoSocket`; then nothing is changed.
    """
    relays, webhooks = dict(listeners.relays), dict(listeners.webhooks)
    with contextlib.ExitStack() as undo:
        for role, port in plan.webhooks.items():
            if port != before.webhooks.get(role):
                webhooks[role] = undo.enter_context(webhook(role, port))
        for role in plan.relayed:
            if role not in relays:
                relays[role] = undo.enter_context(unix(f"{plan.sockets}/{relay_socket(role)}", plan.service_uid))
        undo.pop_all()
    return listeners._replace(
        relays=tuple((role, relays[role]) for role in plan.relayed),
        webhooks={role: webhooks[role] for role in plan.webhooks},
    )


def drop(before: Listeners, now: Listeners, sockets: str) -> None:
    """Close what the listeners before had and those of now have not, and remove its files."""
    kept = {*now.webhooks.values(), *(listener for _, listener in now.relays)}
    for listener in (*before.webhooks.values(), *(listener for _, listener in before.relays)):
        if listener not in kept:
            listener.close()
    for role, _ in before.relays:
        if role not in dict(now.relays):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{sockets}/{relay_socket(role)}")


def unbind(listeners: Listeners, sockets: str) -> None:
    """Close all listeners and remove their files."""
    for listener in (
        listeners.gateway,
        listeners.operator,
        listeners.vault,
        listeners.control,
        *listeners.web,
        *listeners.webhooks.values(),
        *(listener for _, listener in listeners.relays),
    ):
        listener.close()
    relays = (relay_socket(role) for role, _ in listeners.relays)
    for name in ("gateway.sock", "operator.sock", "vault.sock", "supervisor.sock", *relays):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{sockets}/{name}")


def _tcp(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _refusal(address: str, port: int, error: OSError) -> BusyPort:
    shown = f"[{address}]" if ":" in address else address
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65_535 else port - 1
        advice = f"Stop the program that uses it, or choose another: `wirken run --port {other}`."
        return BusyPort(f"Port {port} on {shown} is already in use.", hint=advice)
    return BusyPort(f"Port {port} on {shown} cannot be bound: {error.strerror}.", hint="Choose another: `--port N`.")
