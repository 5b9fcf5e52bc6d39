"""An organisation's policy: read by the command that starts Wirken, handed to the gateway, which cannot see it."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Final

import msgspec

from wirken.config.model import ToolLists
from wirken.domain import limits
from wirken.domain.errors import ConfigError
from wirken.domain.text import shown

_SAID: Final = 300  # characters of a parser's words in a sentence


class Organisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a policy file said when Wirken started. `trouble` is one sentence, and then nothing is allowed."""

    path: str
    sha256: str = ""
    """Hex, over the file's bytes; empty where it could not be read."""
    lists: ToolLists = ToolLists()
    trouble: str = ""


class BadPolicy(ConfigError):
    """What should be a policy for the gateway is none; the gateway is started by `wirken`, not by hand."""

    hint = "Start Wirken with `wirken run`."


def read(path: str) -> Organisation:
    """Return what the file says; one that is missing, too long or not understood says so in `trouble`."""
    try:
        with Path(path).open("rb") as file:
            raw = file.read(limits.POLICY_FILE + 1)
    except OSError as error:
        return Organisation(path=path, trouble=f"It cannot be read: {error.strerror}.")
    if len(raw) > limits.POLICY_FILE:
        return Organisation(path=path, trouble=f"It is longer than {limits.POLICY_FILE} bytes.")
    sha256 = hashlib.sha256(raw).hexdigest()
    try:
        lists = msgspec.convert(tomllib.loads(raw.decode()), ToolLists)
    except UnicodeDecodeError:
        return Organisation(path=path, sha256=sha256, trouble="It is not UTF-8 text.")
    except tomllib.TOMLDecodeError as error:
        return Organisation(path=path, sha256=sha256, trouble=f"It is not valid TOML: {_short(error)}.")
    except msgspec.ValidationError as error:
        return Organisation(path=path, sha256=sha256, trouble=f"It says something unknown: {_short(error)}.")
    return Organisation(path=path, sha256=sha256, lists=lists)


def _short(error: Exception) -> str:
    return shown(str(error))[:_SAID]


def encode(organisation: Organisation) -> str:
    """Return it as one argument for the gateway: JSON in ASCII, so that no locale can change it."""
    return json.dumps(msgspec.to_builtins(organisation), separators=(",", ":"))


def decode(text: str) -> Organisation:
    """Return what `encode` made. Raises `BadPolicy`."""
    try:
        return msgspec.json.decode(text, type=Organisation)
    except msgspec.DecodeError:
        raise BadPolicy("The policy that the gateway was given cannot be understood.") from None
