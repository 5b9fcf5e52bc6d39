"""What the supervisor is to do, as JSON over an inherited pipe: the command line has read the configuration.

So the supervisor loads neither TOML nor msgspec, and stays the smallest of the processes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from wirken.confine.roles import RELAYED, role_of
from wirken.confine.views import Mount, Scene
from wirken.domain.errors import UsageError


class BadPlan(UsageError):
    """The plan is not one; the supervisor is started by `wirken`, not by hand."""

    hint = "Start Wirken with `wirken run`."


class Plan(NamedTuple):
    """Everything a supervisor needs to know. All paths are absolute, all programs are argument lists."""

    version: str
    banner: tuple[str, ...]
    """Printed once everything that can be refused was not: lock and listeners are held."""
    ready_line: str
    """Printed when all children are ready."""
    data: str
    sockets: str
    program: tuple[str, ...]
    """Read-only paths of interpreter, environment and package."""
    programs: dict[str, tuple[str, ...]]
    """Role id to the argument list that starts it, without options. The roles of this dictionary are started."""
    workspaces: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    reach: tuple[str, ...] = ()
    """Folders below which a single call may be given a path that is outside of its workspace."""
    credentials: tuple[str, ...] = ()
    """Vault entries that the outbound process may ask for."""
    keychain: tuple[str, ...] = ()
    """The keychain helper's argument list, without options; empty where no keychain can answer."""
    keychain_environment: Mapping[str, str] = MappingProxyType({})
    webhooks: Mapping[str, int] = MappingProxyType({})
    """The ports on 127.0.0.1 on which adapters are called, by role id."""
    states: Mapping[str, str] = MappingProxyType({})
    """The folders of the data directory that adapters keep, by role id."""
    port: int = 0
    """Of the page; 0 where the role `web` is not started."""
    page_uids: tuple[int, ...] = ()
    """Who may use the page beside the owner."""
    bwrap: str = ""
    """Empty: the operator turned the walls off by name."""
    setpriv: str = ""
    service_uid: int = -1
    """The uid children change to; -1 where the supervisor is not root."""
    without: tuple[str, ...] = ()
    """Walls that this machine lacks and that the operator allowed to be missing."""
    boxes: tuple[str, ...] = ()
    """What runners see for the sake of their sandboxes: a container engine's socket, or a root directory."""
    hatches: str = ""
    """Where runners make sockets that a container engine shows to containers; empty where there is no engine."""
    tools: str = ""
    """The folder whose programs commands get; empty for the machine's own."""
    engine_group: int = -1
    """The group that may speak to the engine, for runners of a supervisor that is root; -1 for none."""
    ephemeral: bool = False
    """Ends when nobody holds it any more (`wirken ask` without a daemon)."""

    @property
    def walls(self) -> bool:
        """Whether children start in views."""
        return self.bwrap != ""

    @property
    def relayed(self) -> tuple[str, ...]:
        """The role ids that have a socket to the relay."""
        own = (role for role in self.programs if role_of(role).relay)
        return (*RELAYED, *own)

    def program_of(self, role_id: str) -> tuple[str, ...]:
        """Return the argument list that starts a process: its own, or that of its role."""
        return self.programs.get(role_id) or self.programs[role_of(role_id).name]

    def scene(self, top: tuple[Mount, ...], cgroups: tuple[str, ...]) -> Scene:
        """Return what the table's names stand for here."""
        return Scene(
            data=self.data,
            sockets=self.sockets,
            program=self.program,
            workspaces=self.workspaces,
            read_only=self.read_only,
            cgroups=cgroups,
            boxes=self.boxes,
            hatches=self.hatches,
            tools=self.tools,
            top=top,
        )


def encode(plan: Plan) -> bytes:
    """Return the plan as JSON."""
    tables = ("keychain_environment", "webhooks", "states")
    return json.dumps({**plan._asdict(), **{name: dict(getattr(plan, name)) for name in tables}}).encode()


def decode(raw: bytes) -> Plan:
    """Return the plan in these bytes. Raises `BadPlan`."""
    try:
        tree: object = json.loads(raw)
    except ValueError:
        raise BadPlan("The supervisor's plan is not JSON.") from None
    if not isinstance(tree, dict) or set(tree) != set(Plan._fields):
        raise BadPlan("The supervisor's plan has not the fields of this version.")
    return Plan(
        version=_text(tree["version"]),
        banner=_texts(tree["banner"]),
        ready_line=_text(tree["ready_line"]),
        data=_text(tree["data"]),
        sockets=_text(tree["sockets"]),
        program=_texts(tree["program"]),
        programs={role: _texts(line) for role, line in _table(tree["programs"]).items()},
        workspaces=_texts(tree["workspaces"]),
        read_only=_texts(tree["read_only"]),
        reach=_texts(tree["reach"]),
        credentials=_texts(tree["credentials"]),
        keychain=_texts(tree["keychain"]),
        keychain_environment={key: _text(value) for key, value in _table(tree["keychain_environment"]).items()},
        webhooks={role: _number(port) for role, port in _table(tree["webhooks"]).items()},
        states={role: _text(folder) for role, folder in _table(tree["states"]).items()},
        port=_number(tree["port"]),
        page_uids=_numbers(tree["page_uids"]),
        bwrap=_text(tree["bwrap"]),
        setpriv=_text(tree["setpriv"]),
        service_uid=_number(tree["service_uid"]),
        without=_texts(tree["without"]),
        boxes=_texts(tree["boxes"]),
        hatches=_text(tree["hatches"]),
        tools=_text(tree["tools"]),
        engine_group=_number(tree["engine_group"]),
        ephemeral=tree["ephemeral"] is True,
    )


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise BadPlan("The supervisor's plan has a field of another type.")


def _number(value: object) -> int:
    if isinstance(value, int):
        return value
    raise BadPlan("The supervisor's plan has a field of another type.")


def _numbers(value: object) -> tuple[int, ...]:
    if isinstance(value, list):
        return tuple(_number(item) for item in value)
    raise BadPlan("The supervisor's plan has a field of another type.")


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(_text(item) for item in value)
    raise BadPlan("The supervisor's plan has a field of another type.")


def _table(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    raise BadPlan("The supervisor's plan has a field of another type.")
