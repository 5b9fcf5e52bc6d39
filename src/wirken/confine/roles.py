"""The table of roles: one row per process, saying all that its view contains beside the program itself.

The same table stands in DESIGN.md section 1 and in the import contracts. Plain tuples, because the supervisor
loads this and must stay small.
"""

from __future__ import annotations

from typing import Final, NamedTuple

CERTIFICATES: Final = (
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls",
    "/etc/pki/ca-trust",
    "/etc/ca-certificates",
)
RESOLVER: Final = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf")


class Role(NamedTuple):
    """One row. `writable` and `readable` name parts of the data directory, `sockets` some sockets."""

    name: str
    writable: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    """Files of the machine, shown read-only where they exist."""
    network: bool = False
    """Shares the machine's network namespace; every other role has an empty one."""
    workspaces: bool = False
    """Sees the agents' workspaces, their read-only folders and its cgroup directories."""
    dials: bool = False
    """Shakes hands on the gateway's socket."""


VAULT: Final[str] = "vault"
GATEWAY: Final[str] = "gateway"
RUNNER: Final[str] = "runner"
OUTBOUND: Final[str] = "outbound"
WEB: Final[str] = "web"

ROLES: Final[dict[str, Role]] = {
    role.name: role
    for role in (
        Role(VAULT, writable=("vault",)),
        Role(GATEWAY, writable=("gateway",), readable=("config.toml",), system=("/etc/alternatives",)),
        Role(
            RUNNER,
            sockets=("gateway.sock",),
            system=("/etc/alternatives", *CERTIFICATES),
            workspaces=True,
            dials=True,
        ),
        Role(
            OUTBOUND,
            readable=("config.toml",),
            sockets=("gateway.sock",),
            system=(*CERTIFICATES, *RESOLVER),
            network=True,
            dials=True,
        ),
        Role(WEB, sockets=("gateway.sock",), dials=True),
    )
}

START_ORDER: Final = (VAULT, GATEWAY, RUNNER, OUTBOUND, WEB)

STOP_STAGES: Final = (frozenset({WEB, GATEWAY}), frozenset({RUNNER, OUTBOUND}), frozenset({VAULT}))
"""The gateway stops its turns while runner and vault still answer: the stop is recorded and attested."""


def role_of(role_id: str) -> Role:
    """Return the row of a role id: a role's name, or `<name>-<n>` for a further process of that role."""
    return ROLES[role_id.partition("-")[0]]
