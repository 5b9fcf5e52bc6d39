"""Read `config.toml` strictly: a complaint names the file, where it can the line, and the nearest word."""

from __future__ import annotations

import difflib
import hashlib
import posixpath
import re
import tomllib
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from wirken.config import channels, requests
from wirken.config.egress import BadEgress, check_relay, check_sandbox
from wirken.config.model import (
    OLLAMA,
    REHEARSAL,
    AgentConfig,
    ApprovalsConfig,
    BudgetConfig,
    Config,
    PriceConfig,
    ProviderConfig,
)
from wirken.config.zones import quiet, zone
from wirken.domain import limits
from wirken.domain.errors import ConfigError, WirkenError
from wirken.domain.ids import DEFAULT_AGENT, OPERATIONS, BadIdentifier, agent_id
from wirken.domain.money import micros
from wirken.domain.nesting import clash
from wirken.domain.people import spot

_TABLES: Final[dict[str, type[msgspec.Struct]]] = {
    "agents": AgentConfig,
    "providers": ProviderConfig,
    "budgets": BudgetConfig,
    "prices": PriceConfig,
    "http_credentials": requests.HttpCredential,
}
"""Tables of named tables: the type of each entry."""

_WHERE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")


class ConfigMissing(ConfigError):
    """There is no `config.toml` yet."""

    hint = "Any `wirken run` or `wirken ask` makes one."


class ConfigInvalid(ConfigError):
    """`config.toml` says something Wirken cannot follow."""

    hint = "Correct the file; nothing was changed."


class Loaded(msgspec.Struct, frozen=True):
    """A configuration, and the hex SHA-256 of the bytes it was read from."""

    config: Config
    sha256: str


def load(path: Path) -> Loaded:
    """Return the configuration in `path`. Raises `ConfigMissing`, `ConfigInvalid`."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigMissing(f"There is no {path}.") from None
    except OSError as error:
        raise ConfigInvalid(f"{path} cannot be read: {error.strerror}.") from None
    return Loaded(parse(raw, str(path)), hashlib.sha256(raw).hexdigest())


def parse(raw: bytes, name: str) -> Config:
    """Return the configuration in these bytes of the file `name`. Raises `ConfigInvalid`."""
    try:
        text = raw.decode()
        tree: dict[str, object] = tomllib.loads(text)
    except UnicodeDecodeError:
        raise ConfigInvalid(f"{name} is not UTF-8 text.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid(f"{name} is not valid TOML: {error}.") from None
    complaint = _unknown_key(tree)
    if complaint is not None:
        key, said, advice = complaint
        raise ConfigInvalid(f"{name}{_line(text, key)}: {said}", hint=advice)
    try:
        config = msgspec.convert(channels.folded(tree), Config)
    except msgspec.ValidationError as error:
        raise _invalid(name, text, str(error)) from None
    _check(config, name)
    if DEFAULT_AGENT in config.agents:
        return config
    return msgspec.structs.replace(config, agents={str(DEFAULT_AGENT): AgentConfig(), **config.agents})


def _unknown_key(tree: dict[str, object]) -> tuple[str, str, str] | None:
    """Return the first unknown key with the sentence and the advice about it."""
    types = {field.name: field.type for field in msgspec.structs.fields(Config)}
    for name, value in tree.items():
        if name not in types:
            return name, *_complaint(name, "the file", types)
        if not isinstance(value, dict):
            continue
        if name == "channels":
            if found := channels.complaint(value):
                return found
            continue
        entries = (
            [(f"[{name}.{key}]", entry, _TABLES[name]) for key, entry in value.items()]
            if name in _TABLES
            else [(f"[{name}]", value, types[name])]
        )
        for label, entry, table in entries:
            known = [field.name for field in msgspec.structs.fields(table)]
            unknown = next((key for key in entry if key not in known), None) if isinstance(entry, dict) else None
            if unknown is not None:
                return unknown, *_complaint(unknown, label, known)
    return None


def _complaint(key: str, where: str, known: Collection[str]) -> tuple[str, str]:
    near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)
    advice = f"Did you mean {near[0]!r}?" if near else f"Known there: {', '.join(sorted(known))}."
    return f"{where} has no key {key[:64]!r}.", advice


def _line(text: str, key: str) -> str:
    """Return `:N` for the first line that sets `key` or opens it as a table; empty where none is found."""
    form = re.compile(rf'^\s*(?:{re.escape(key)}|"{re.escape(key)}")\s*=|^\s*\[[^\]]*\b{re.escape(key)}\b[^\]]*\]')
    for number, line in enumerate(text.splitlines(), 1):
        if form.match(line):
            return f":{number}"
    return ""


def _invalid(name: str, text: str, said: str) -> ConfigInvalid:
    match = _WHERE.search(said)
    path = match["path"] if match else ""
    key = path.rpartition(".")[2].partition("[")[0]
    sentence = said[: match.start()] if match else said
    return ConfigInvalid(f"{name}{_line(text, key) if key else ''}: {path or 'the file'}: {sentence}.")


def _check(config: Config, name: str) -> None:
    """Refuse what the types alone cannot: names, references, relative folders."""
    if REHEARSAL in config.providers:
        raise ConfigInvalid(f"{name}: 'rehearsal' is built in; call the provider something else.")
    for agent, entry in config.agents.items():
        try:
            agent_id(agent)
        except BadIdentifier as error:
            raise ConfigInvalid(f"{name}: an agent's name cannot be used.", hint=error.advice) from None
        if agent == OPERATIONS.partition("/")[0]:
            raise ConfigInvalid(f"{name}: the name {agent!r} belongs to the gateway's own record; choose another.")
        if not entry.model_name:
            raise ConfigInvalid(f"{name}: the model of agent {agent!r} must have the form provider/model.")
        if entry.provider != REHEARSAL:
            config.provider(entry.provider)
        for folder in (*filter(None, [entry.workspace]), *entry.read_only):
            if not PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts:
                raise ConfigInvalid(f"{name}: the folders of agent {agent!r} must be absolute, without '..'.")
    if config.policy.file and not PurePosixPath(config.policy.file).is_absolute():
        raise ConfigInvalid(f"{name}: the file of [policy] must be absolute.")
    _check_approvals(config.approvals, name)
    _check_budgets(config, name)
    _check_prices(config, name)
    _check_egress(config, name)
    _check_channels(config, name)
    _check_apart(config, name)


def _check_approvals(approvals: ApprovalsConfig, name: str) -> None:
    """Refuse conversations that no adapter could have, and quiet hours that nobody could tell."""
    try:
        for text in filter(None, (approvals.home, approvals.approvers)):
            spot(text)
        if quiet(approvals) is None and approvals.zone:
            zone(approvals.zone)
    except WirkenError as error:
        raise ConfigInvalid(f"{name}: [approvals]: {error}", hint=error.advice) from None


def _check_budgets(config: Config, name: str) -> None:
    """Refuse budgets that would never count: for an agent that is not there, or without any number."""
    if len(config.budgets) > limits.BUDGETS:
        raise ConfigInvalid(f"{name}: there are more than {limits.BUDGETS} budgets.")
    for budget, entry in config.budgets.items():
        try:
            agent_id(budget)
        except BadIdentifier as error:
            raise ConfigInvalid(f"{name}: a budget's name cannot be used.", hint=error.advice) from None
        if entry.agent not in ("", "*", str(DEFAULT_AGENT), *config.agents):
            raise ConfigInvalid(f"{name}: budget {budget!r} is for an agent that does not exist.")
        if not (entry.tokens or entry.model_calls or entry.tool_calls or micros(entry.money)):
            raise ConfigInvalid(
                f"{name}: budget {budget!r} limits nothing.", hint="Set tokens, model_calls, tool_calls or money in it."
            )


def _check_prices(config: Config, name: str) -> None:
    """Refuse prices that would never count: for a provider that is not there, or with a `*` inside the name."""
    if len(config.prices) > limits.PRICES:
        raise ConfigInvalid(f"{name}: there are more than {limits.PRICES} prices.")
    known = {*config.providers, OLLAMA, REHEARSAL}
    for model in config.prices:
        provider, slash, _ = model.partition("/")
        if "*" in model[:-1] or (model != "*" and (not slash or provider not in known)):
            raise ConfigInvalid(
                f"{name}: a price is for {model[:64]!r}, which names no model.",
                hint=f"Write provider/model; a '*' may stand at the end. Providers: {', '.join(sorted(known))}.",
            )


def _check_egress(config: Config, name: str) -> None:
    """Refuse hosts, presets, addresses, bound credentials and a search that cannot be."""
    try:
        for agent, entry in config.agents.items():
            check_sandbox(agent, entry.egress)
        check_relay(config.egress)
        requests.check(config.http_credentials, config.web_search)
    except (BadEgress, requests.BadRequests) as error:
        raise ConfigInvalid(f"{name}: {error}", hint=error.advice) from None


def _check_channels(config: Config, name: str) -> None:
    """Refuse channels that could not be served."""
    try:
        channels.check(config.channels, {str(DEFAULT_AGENT), *config.agents}, config.egress.pinned)
    except channels.BadChannel as error:
        raise ConfigInvalid(f"{name}: {error}", hint=error.advice) from None


def _check_apart(config: Config, name: str) -> None:
    """Refuse folders inside one another by name; the supervisor looks again with links resolved."""
    entries = config.agents.values()
    writable = [_plain(entry.workspace) for entry in entries if entry.workspace]
    read_only = [_plain(folder) for entry in entries for folder in entry.read_only]
    found = clash(writable, read_only)
    if found is not None:
        raise ConfigInvalid(
            f"{name}: {found[0]} and the workspace {found[1]} lie inside one another: a command in the workspace"
            " could put a link in place of a folder.",
            hint="Choose folders that lie beside one another.",
        )


def _plain(path: str) -> str:
    """Return an absolute path without doubled or trailing slashes."""
    return "/" + posixpath.normpath(path).lstrip("/")
