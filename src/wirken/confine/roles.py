"""The table of roles: one row per process, saying all that it sees and may ask of the kernel.

The same table stands in DESIGN.md section 1 and in the import contracts; docs/confinement.md is made from it.
Plain tuples, because the supervisor loads this and must stay small.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from wirken.domain import limits
from wirken.domain.walls import LANDLOCK_SINCE, SECCOMP, covered

CERTIFICATES: Final = (
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls",
    "/etc/pki/ca-trust",
    "/etc/ca-certificates",
)
RESOLVER: Final = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf")


EVERYBODY: Final = ("/etc/ld.so.cache", "/etc/localtime")
"""Files of the machine that every process sees."""
INTERNET: Final = ("unix", "inet", "inet6", "netlink")
"""Socket families of who resolves names and connects, or starts programs that may try."""


class Role(NamedTuple):
    """One row. `writable` and `readable` name parts of the data directory, `sockets` some sockets."""

    name: str
    holds: str = ""
    """What it knows, in words, for the documentation."""
    writable: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    """Files of the machine, shown read-only where they exist."""
    network: bool = False
    """Shares the machine's network namespace; every other role has an empty one."""
    relay: bool = False
    """Reaches the hosts of its row through outbound's relay, by a socket of its process's own, and only so."""
    apart: bool = False
    """Started once the others are ready, and nobody waits for it: its end is no trouble of theirs."""
    workspaces: bool = False
    """Sees the agents' workspaces, their read-only folders and its cgroup directories."""
    tools: bool = False
    """Starts or judges the programs that commands get, so it sees the operator's tool root, where there is one."""
    dials: bool = False
    """Shakes hands on the gateway's socket."""
    starts_programs: bool = False
    """May fork, execute, make namespaces and mount; so it has no Landlock, under which nobody can mount."""
    traces: bool = False
    """May trace its children and change their root, as gVisor does; the runner, where config.toml chose that."""
    families: tuple[str, ...] = ()
    """Families of sockets it may make; listeners and vault pairs are inherited, ready-made."""
    memory: int = limits.WING_MEMORY
    """Bytes of private memory; 0 where what it starts would inherit the limit."""
    files: int = limits.WING_FILES


VAULT: Final[str] = "vault"
GATEWAY: Final[str] = "gateway"
RUNNER: Final[str] = "runner"
OUTBOUND: Final[str] = "outbound"
WEB: Final[str] = "web"
CHANNELS: Final[str] = "channels"
MCP: Final[str] = "mcp"
SIEM: Final[str] = "siem"
WITNESS: Final[str] = "witness"

ROLES: Final[dict[str, Role]] = {
    role.name: role
    for role in (
        Role(
            VAULT,
            "the device key, `vault.db`, every signing key",
            writable=("vault",),
            memory=limits.SMALL_MEMORY,
            files=limits.SMALL_FILES,
        ),
        Role(
            GATEWAY,
            "`state.db`, `audit.db`",
            writable=("gateway",),
            readable=("config.toml", "skills"),
            system=("/etc/alternatives",),
            tools=True,
            memory=limits.GATEWAY_MEMORY,
        ),
        Role(
            RUNNER,
            "nothing",
            readable=("skills",),
            sockets=("gateway.sock", "relay-runner.sock"),
            system=("/etc/alternatives", *CERTIFICATES),
            workspaces=True,
            tools=True,
            dials=True,
            starts_programs=True,
            families=INTERNET,
            memory=0,
        ),
        Role(
            OUTBOUND,
            "one model key or HTTP credential per request",
            readable=("config.toml",),
            sockets=("gateway.sock",),
            system=(*CERTIFICATES, *RESOLVER),
            network=True,
            dials=True,
            families=INTERNET,
        ),
        Role(WEB, "nothing", sockets=("gateway.sock",), dials=True, families=("unix",)),
        Role(
            CHANNELS,
            "its own channel's token and key",
            sockets=("gateway.sock",),
            system=CERTIFICATES,
            relay=True,
            apart=True,
            dials=True,
            families=("unix", "inet"),
            files=limits.SMALL_FILES,
        ),
        Role(
            MCP,
            "the credentials its entries name",
            sockets=("gateway.sock",),
            system=CERTIFICATES,
            relay=True,
            dials=True,
            families=("unix",),
        ),
        Role(
            SIEM,
            "its targets' tokens",
            readable=("gateway",),
            sockets=("gateway.sock",),
            system=CERTIFICATES,
            relay=True,
            dials=True,
            families=("unix",),
        ),
        Role(
            WITNESS,
            "nothing",
            readable=("gateway",),
            sockets=("gateway.sock",),
            system=CERTIFICATES,
            relay=True,
            dials=True,
            families=("unix",),
        ),
    )
}
"""The last three are walled like this from their first day on; they are not started yet."""

RELAYED: Final = (RUNNER,)
"""The roles that always reach out through outbound's relay; adapters do while their channel is configured."""

_ADAPTER: Final = "channel"
"""What the role id of an adapter begins with: `channel-<channel>`, a process of the role CHANNELS."""


def relay_socket(role_id: str) -> str:
    """Return the file name of a process's socket to the relay, which says who asks."""
    return f"relay-{role_id}.sock"


START_ORDER: Final = (VAULT, GATEWAY, RUNNER, OUTBOUND, WEB, CHANNELS)

STOP_STAGES: Final = (frozenset({WEB, GATEWAY, CHANNELS}), frozenset({RUNNER, OUTBOUND}), frozenset({VAULT}))
"""The gateway stops its turns while runner and vault still answer: the stop is recorded and attested."""


def role_of(role_id: str) -> Role:
    """Return the role of a role id: a role's name, `<name>-<n>` for a further process of it, `channel-<channel>`."""
    name = role_id.partition("-")[0]
    return ROLES[CHANNELS if name == _ADAPTER else name]


def row_of(role_id: str, state: str = "") -> Role:
    """Return the row of one process: its role's, and what is its own of sockets, and of the data directory (`state`).

    No process sees another's socket to the relay.
    """
    role = role_of(role_id)
    if not role.relay:
        return role
    own = (*role.writable, state) if state else role.writable
    return role._replace(sockets=(*role.sockets, relay_socket(role_id)), writable=own)


def required(role: Role, without: Iterable[str]) -> tuple[str, ...]:
    """Return the walls that a process of this role puts on itself; `without` are those that may be missing."""
    missing = covered(without)
    own = (SECCOMP,) if role.starts_programs else (*LANDLOCK_SINCE, SECCOMP)
    return tuple(each for each in own if each not in missing)
