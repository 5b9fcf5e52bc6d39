"""From paths and configuration to the supervisor's plan."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from wirken import __version__
from wirken.cli import boxes
from wirken.config.channel_kinds import CHANNEL_KINDS
from wirken.config.channels import ChannelConfig, webhook_port
from wirken.config.load import Loaded
from wirken.config.model import REHEARSAL, Config
from wirken.config.paths import Paths, for_people
from wirken.config.policy_file import encode, read
from wirken.config.programs import Unpacked
from wirken.confine import roles, sitefiles
from wirken.confine.pyenv import program_paths
from wirken.domain import limits
from wirken.domain.errors import ConfigError
from wirken.domain.ids import DEFAULT_AGENT, WEBCHAT, ChannelId
from wirken.domain.walls import VIEW
from wirken.supervisor import trial
from wirken.supervisor.launch import Tools
from wirken.supervisor.plan import Plan

_TOOLS: Final = "/usr/bin:/bin:/usr/local/bin"
_BUS: Final = ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "HOME")


class BadReachRoot(ConfigError):
    """A folder of `reach`, or of `tools`, is none."""

    hint = "Write absolute folders, or such as begin with ~/."


def tools() -> Tools:
    """Return the programs that make walls on this machine; empty where one is missing."""
    return Tools(
        bwrap=shutil.which("bwrap", path=_TOOLS) or "",
        setpriv=shutil.which("setpriv", path=_TOOLS) or "",
        service_uid=limits.SERVICE_UID if os.getuid() == 0 else -1,
    )


def make(paths: Paths, loaded: Loaded, environ: Mapping[str, str], *, port: int, without: frozenset[str]) -> Plan:
    """Return the plan of a supervisor on this data directory. `port` is the page's, 0 for none.

    Tries the walls first. Raises `trial.NoWalls` or `process.WallMissing` where one cannot be had that must be, and
    `sitefiles.ForeignCode` for code in the environment that would run before every wall.
    """
    sitefiles.refuse_foreign()
    config, found = loaded.config, tools()
    missing, trouble = _walls(found, config)
    chosen = boxes.choose(config.sandbox, trouble, str(paths.data), os.urandom(8).hex())
    started = [role for role in roles.START_ORDER if role not in {*without, roles.CHANNELS}]
    served = {} if roles.CHANNELS in without else config.adapters
    policy = ("--policy", encode(read(config.policy.file))) if config.policy.file else ()
    further = {roles.GATEWAY: policy, roles.RUNNER: chosen.options}
    root = tool_root(config, environ)
    return Plan(
        version=__version__,
        banner=_banner(paths, config, environ.get("HOME", ""), (missing, chosen, root), port),
        ready_line="Wirken running. Press Ctrl+C to stop.",
        data=str(paths.data),
        sockets=str(paths.sockets_dir),
        program=program_paths(),
        programs={role: (*_program(role), *further.get(role, ())) for role in started}
        | {role: _adapter(channel, config.channels[channel]) for role, channel in served.items()},
        workspaces=_unique(entry.workspace or str(paths.workspace(name)) for name, entry in config.agents.items()),
        read_only=_unique(folder for entry in config.agents.values() for folder in entry.read_only),
        reach=roots(config, environ),
        credentials=config.credentials,
        keychain=_keychain(environ),
        keychain_environment={name: environ[name] for name in _BUS if name in environ} | {"LANG": "C.UTF-8"},
        webhooks={
            role: bound
            for role, channel in served.items()
            if (bound := webhook_port(channel, config.channels[channel]))
        },
        states={
            role: state_folder(channel)
            for role, channel in served.items()
            if CHANNEL_KINDS[ChannelId(channel)].keeps_state
        },
        port=port,
        page_uids=config.web.uids,
        bwrap="" if VIEW in missing else found.bwrap,
        setpriv=found.setpriv,
        service_uid=found.service_uid,
        without=missing,
        boxes=chosen.shown,
        hatches=chosen.hatches,
        tools=root if chosen.rooted else "",
        engine_group=chosen.group if found.service_uid != -1 else -1,
    )


def state_folder(channel: str) -> str:
    """Return where a channel that keeps something keeps it, below the data directory."""
    return f"channels/{channel}"


def tool_root(config: Config, environ: Mapping[str, str]) -> str:
    """Return the folder whose programs commands get; empty for the machine's own. Raises `BadReachRoot`."""
    path = _at_home(config.sandbox.tools, environ)
    if path.startswith("~"):
        raise BadReachRoot("`tools` under [sandbox] begins with ~, and HOME is not set.")
    return path.rstrip("/")


def without_shell(root: str) -> str:
    """Return what is wrong with a tool root in which text commands cannot run; empty where they can."""
    if not root or Unpacked(root).real("/bin/sh") is not None:
        return ""
    return "it has no /bin/sh, which text commands need"


def _at_home(path: str, environ: Mapping[str, str]) -> str:
    return environ.get("HOME", "~") + path[1:] if path == "~" or path.startswith("~/") else path


def roots(config: Config, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the folders below which a call may be given a path, links resolved. Raises `BadReachRoot`."""
    found = []
    for root in config.sandbox.reach:
        path = _at_home(root, environ)
        if not Path(path).is_absolute():
            if root.startswith("~"):
                continue  # nobody's home is known, so nothing below it is opened
            raise BadReachRoot(f"`reach` under [sandbox] names {root}, which is no absolute path.")
        found.append(os.path.realpath(path))
    return _unique(found)


def _walls(found: Tools, config: Config) -> tuple[tuple[str, ...], str]:
    """Return the walls that our processes go without, and why no command can be run; "" where it can."""
    allowed = config.confine.allow_missing
    without = trial.without(allowed)
    try:
        trouble = trial.walls(found)
    except trial.NoWalls as error:
        if VIEW not in allowed:
            raise
        without, trouble = (VIEW, *without), str(error)
    return without, "switched off in config.toml" if config.sandbox.mode == "off" else trouble


def _program(role: str) -> tuple[str, ...]:
    return sys.executable, "-I", "-m", f"wirken.{role}"


def _adapter(channel: str, entry: ChannelConfig) -> tuple[str, ...]:
    """Return what starts an adapter. Its settings are no secrets: who sees our arguments sees config.toml."""
    settings = (("--setting", f"{name}={value}") for name, value in sorted(entry.settings.items()))
    stream = () if entry.stream else ("--no-stream",)
    return (*_program(roles.CHANNELS), channel, *stream, *(word for pair in settings for word in pair))


def _banner(
    paths: Paths, config: Config, home: str, walls: tuple[tuple[str, ...], boxes.Chosen, str], port: int
) -> tuple[str, ...]:
    model = config.agent(DEFAULT_AGENT).model
    absent, chosen, root = walls
    trouble = chosen.trouble.rstrip(".")
    sandbox = (
        f"none ({trouble}); no command is run" if trouble else f"{chosen.kind} ({_network(config)}, read-only root)"
    )
    return (
        f"wirken {__version__}",
        f"Provider: {REHEARSAL if model.startswith(f'{REHEARSAL}/') else model}",
        f"Route:    {WEBCHAT} -> agent:{DEFAULT_AGENT}",
        *(f"Route:    {name} -> agent:{config.channels[name].agent}" for name in config.adapters.values()),
        f"Sandbox:  {sandbox}",
        *([f"Tools:    {_programs(root, chosen)}"] if root and chosen.kind != "none" else ()),
        f"Socket:   {for_people(paths.gateway_socket, home)}",
        f"WebChat:  http://localhost:{port}",
        *([f"Missing:  {', '.join(absent)} (walls of our own processes)"] if absent else ()),
    )


def _network(config: Config) -> str:
    """Return whether any command reaches out, in words."""
    granted = [
        f"{agent} on {channel}"
        for agent, entry in config.agents.items()
        for channel, egress in sorted(entry.egress.items())
        if egress.mode != "none"
    ]
    return f"network for {', '.join(granted)}" if granted else "no network"


def _programs(root: str, chosen: boxes.Chosen) -> str:
    if not chosen.rooted:
        return f"those of the engine's image; {root} is for bubblewrap and not used"
    trouble = without_shell(root)
    return f"{root} ({trouble})" if trouble else root


def _keychain(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keychain helper, where there is a bus on which a keychain could answer."""
    bus = environ.get("DBUS_SESSION_BUS_ADDRESS") or Path(f"/run/user/{os.getuid()}/bus").exists()
    return (sys.executable, "-I", "-m", "wirken.vault.keychain") if bus else ()


def _unique(folders: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(folders))
