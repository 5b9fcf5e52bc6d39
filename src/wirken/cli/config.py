"""`wirken config`: where the configuration lies, what is in force, and whether it can be used."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import click
import msgspec

from wirken.cli.output import Output
from wirken.config.channels import flat
from wirken.config.load import ConfigInvalid, ConfigMissing, load
from wirken.config.model import Config
from wirken.config.paths import Paths, data_dir
from wirken.domain.errors import ConfigError, WirkenError
from wirken.domain.text import shown

if TYPE_CHECKING:
    from wirken.supervisor.workspaces import Land

_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


@click.group("config")
def command() -> None:
    """Show and check the configuration. It is edited as a file; a running Wirken reads it when it starts."""


@command.command("path")
@_JSON
def path_command(as_json: bool) -> None:
    """Print where config.toml lies, whether or not it exists yet."""
    paths, out = _here(as_json)
    file = paths.config_file
    out.show({"path": str(file), "exists": file.exists()}, [str(file)])


@command.command("show")
@_JSON
def show_command(as_json: bool) -> None:
    """Print every setting in force, defaults included. It holds names of credentials, never values."""
    paths, out = _here(as_json)
    try:
        config = load(paths.config_file).config
    except ConfigMissing:
        config = Config()
        out.note(f"There is no {paths.config_file} yet; these are the defaults.")
    tree = flat(msgspec.to_builtins(config))
    out.show(tree, dotted(tree))


@command.command("check")
@_JSON
def check_command(as_json: bool) -> int:
    """Read config.toml as `wirken run` would, folders and addresses included. Exit code 0, or 78 with each problem."""
    paths, out = _here(as_json)
    problems: list[WirkenError] = []
    sha256 = ""
    try:
        loaded = load(paths.config_file)
    except ConfigInvalid as error:
        problems.append(error)
    else:
        sha256 = loaded.sha256
        problems += troubles(paths, loaded.config)
    data = {
        "path": str(paths.config_file),
        "valid": not problems,
        "sha256": sha256,
        "problems": [{"said": str(problem), "hint": problem.advice} for problem in problems],
    }
    lines = [f"{paths.config_file} can be used."] if not problems else []
    for problem in problems:
        lines += [str(problem), f"  {problem.advice}"] if problem.advice else [str(problem)]
    out.show(data, lines)
    return ConfigError.exit_code if problems else 0


def troubles(paths: Paths, config: Config) -> list[WirkenError]:
    """Return what the file's form does not show: folders that cannot be used, addresses that must not be."""
    from wirken.cli.plans import tools
    from wirken.config.policy_file import read
    from wirken.confine.pyenv import program_paths
    from wirken.outbound.endpoint import endpoint
    from wirken.supervisor import workspaces

    found: list[WirkenError] = []
    home, uid = os.environ.get("HOME", ""), tools().service_uid
    here = workspaces.land(str(paths.data), str(paths.sockets_dir), program_paths(), home, uid)
    here = here._replace(tools=config.sandbox.tools and _tool_root(config, here, found))
    seen: dict[bool, list[str]] = {True: [], False: []}
    for name, entry in config.agents.items():
        if not entry.workspace:
            seen[True].append(str(paths.workspace(name)))
        for folder, write in ((entry.workspace, True), *((place, False) for place in entry.read_only)):
            if folder:
                try:
                    one = workspaces.checked(folder, here, write=write)
                    os.close(one.descriptor)
                    seen[write].append(one.path)
                except WirkenError as error:
                    found.append(error)
    if config.policy.file and (trouble := read(config.policy.file).trouble):
        hint = "Until it can be used, no tool is allowed."
        found.append(ConfigInvalid(f"The policy in {config.policy.file}: {trouble}", hint=hint))
    try:
        workspaces.apart(seen[True], seen[False])
    except WirkenError as error:
        found.append(error)
    for name, provider in config.providers.items():
        try:
            endpoint(name, provider.base_url)
        except WirkenError as error:
            found.append(error)
    return found


def _tool_root(config: Config, here: Land, found: list[WirkenError]) -> str:
    """Return the tool root of a configuration that names one; what is wrong with it is added to `found`."""
    from wirken.cli.plans import tool_root
    from wirken.supervisor import toolroot

    try:
        root = tool_root(config, os.environ)
        os.close(toolroot.checked(root, here, (0, os.getuid())).descriptor)
    except WirkenError as error:
        found.append(error)
        return ""
    return root


def dotted(tree: Mapping[str, object], above: str = "") -> Iterator[str]:
    """Yield a tree as TOML, one dotted key a line (toml.io, "Dotted keys")."""
    for key, value in tree.items():
        name = above + (key if _BARE.fullmatch(key) else _written(key))
        if isinstance(value, Mapping):
            yield from dotted(value, f"{name}.")
        else:
            yield f"{name} = {_written(value)}"


def _written(value: object) -> str:
    """Return a value as JSON, which is TOML as well once what cannot be seen is escaped in TOML's way."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(one if shown(one) == one else _escaped(ord(one)) for one in text)


def _escaped(point: int) -> str:
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _here(as_json: bool) -> tuple[Paths, Output]:
    return Paths(data_dir(os.environ)), Output(as_json, sys.stdout, sys.stderr, os.environ)
