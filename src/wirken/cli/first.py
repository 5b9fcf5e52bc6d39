"""The configuration that any first command makes."""

from __future__ import annotations

import re
from typing import Final

from wirken.cli.output import Output
from wirken.config import default
from wirken.config.load import ConfigMissing, Loaded, load
from wirken.config.model import OLLAMA, REHEARSAL
from wirken.config.paths import Paths
from wirken.domain import limits
from wirken.domain.errors import ConfigError

_OURS: Final = frozenset(
    {"config.toml", "vault", "gateway", "agents", "skills", "hatches", "channels", "sockets", "wirken.lock"}
)
_ADDRESS: Final = ("127.0.0.1", 11434)
_ANSWER: Final = 2**20  # bytes of a model list that are read
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")


class ForeignFolder(ConfigError):
    """The data directory would be a folder that is used for something else."""

    hint = "Name an empty or a new folder in WIRKEN_DATA_DIR."


def configured(paths: Paths, out: Output) -> Loaded:
    """Return the configuration; where there is none yet, make one and say so."""
    try:
        return load(paths.config_file)
    except ConfigMissing:
        _refuse_foreign(paths)
        model = first_model(*_ADDRESS)
        chosen = f"{OLLAMA}/{model}" if model else f"{REHEARSAL}/{REHEARSAL}"
        why = "the first model of the Ollama on this machine" if model else "no Ollama answers on this machine"
        if default.write(paths.config_file, chosen):
            out.note(f"Made {paths.config_file} with the model {chosen} ({why}).")
        return load(paths.config_file)


def _refuse_foreign(paths: Paths) -> None:
    """Refuse a folder that holds somebody's files: its modes would be tightened, as root its owner changed."""
    try:
        found = {entry.name for entry in paths.data.iterdir()}
    except FileNotFoundError:
        return
    if found - _OURS:
        raise ForeignFolder(f"{paths.data} holds other files and is no data directory of Wirken.")


def first_model(host: str, port: int) -> str:
    """Return the first model installed in the Ollama at this address; empty where none answers in time."""
    import http.client
    import json

    connection = http.client.HTTPConnection(host, port, timeout=limits.OLLAMA_PROBE)
    try:
        connection.request("GET", "/api/tags")
        tree: object = json.loads(connection.getresponse().read(_ANSWER))
    except (OSError, ValueError, http.client.HTTPException):
        return ""
    finally:
        connection.close()
    match tree:
        case {"models": [{"name": str(name)}, *_]} if _MODEL.fullmatch(name):
            return name
    return ""
