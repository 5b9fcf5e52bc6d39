"""Put the table of a channel into the text of `config.toml`, or take it out; all else stays byte for byte.

Whatever the text looks like, it is read again as Wirken would read it, and must then differ in that channel alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from wirken.config.channels import ChannelConfig
from wirken.config.load import ConfigInvalid, parse
from wirken.config.model import Config

_Value: TypeAlias = str | int | bool

_TABLE: Final = re.compile(r"^\s*\[")
_SET: Final = re.compile(r"""^\s*(?P<key>[A-Za-z0-9_-]+|"[^"]*"|'[^']*')\s*=""")
_LINE: Final = re.compile(
    r"""^(?P<lead>\s*)(?P<key>[A-Za-z0-9_-]+)\s*=\s*("(\\.|[^"\\])*"|'[^']*'|[^#\s]+)(?P<rest>\s*(\#.*)?)$""",
    re.VERBOSE,
)


class NotEdited(ConfigInvalid):
    """The text says what it says about channels in a way that is not changed by itself."""

    hint = "Write it as a table of its own, [channels.NAME] with one key a line, or change it by hand."


def with_channel(text: str, channel: str, entry: ChannelConfig, name: str) -> str:
    """Return the text in which this channel is `entry`. `name` is the file's. Raises `ConfigInvalid`, `NotEdited`."""
    before = parse(text.encode(), name)
    old = before.channels.get(channel)
    lines = text.splitlines(keepends=True)
    place = _place(lines, channel)
    wanted = _changed(old or ChannelConfig(), entry)
    if place is None:
        gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
        body = "".join(f"{key} = {_written(value)}\n" for key, value in wanted.items())
        changed = f"{text}{gap}[channels.{channel}]\n{body}"
    else:
        changed = "".join(_edited(lines, place, wanted))
    _must_be(changed, before, {**before.channels, channel: entry}, name)
    return changed


def without_channel(text: str, channel: str, name: str) -> str:
    """Return the text without this channel's table. Raises `ConfigInvalid`, `NotEdited`."""
    before = parse(text.encode(), name)
    lines = text.splitlines(keepends=True)
    place = _place(lines, channel)
    if place is not None:
        start, end = place
        if start and not lines[start - 1].strip() and (end == len(lines) or not lines[end].strip()):
            start -= 1
        lines = lines[:start] + lines[end:]
    changed = "".join(lines)
    _must_be(changed, before, {key: one for key, one in before.channels.items() if key != channel}, name)
    return changed


def replace(path: Path, text: str, expected: str) -> None:
    """Write the file anew (0600), whole or not at all, where it still says `expected`. Raises `ConfigInvalid`."""
    target = Path(os.path.realpath(path))
    half = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        if target.read_bytes() != expected.encode():
            raise NotEdited(f"{path} was changed meanwhile.", hint="Look at it, and try again.")
        try:
            descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                _give_to_owner_of(target, file.fileno())
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            half.replace(target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                half.unlink()
    except OSError as error:
        raise ConfigInvalid(f"{path} cannot be written: {error.strerror}.") from None


def _give_to_owner_of(target: Path, descriptor: int) -> None:
    """As root: let it belong to whom the old one belongs, the user of Wirken's processes, who read it."""
    seen = target.stat()
    if (seen.st_uid, seen.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, seen.st_uid, seen.st_gid)


def _place(lines: list[str], channel: str) -> tuple[int, int] | None:
    """Return the lines of a channel's table: its header's, and the one behind its last key."""
    header = re.compile(rf"""^\s*\[\s*channels\s*\.\s*(["']?){re.escape(channel)}\1\s*\]\s*(#.*)?$""")
    start = next((number for number, line in enumerate(lines) if header.match(line)), None)
    if start is None:
        return None
    end = start + 1
    for number in range(start + 1, len(lines)):
        if _TABLE.match(lines[number]):
            break
        if _SET.match(lines[number]):
            end = number + 1
    return start, end


def _edited(lines: list[str], place: tuple[int, int], wanted: dict[str, _Value]) -> list[str]:
    start, end = place
    left = dict(wanted)
    inside = []
    for line in lines[start:end]:
        found = _LINE.match(line.rstrip("\r\n"))
        if found is not None and found["key"] in left:
            key, ending = found["key"], line[len(line.rstrip("\r\n")) :]
            inside.append(f"{found['lead']}{key} = {_written(left.pop(key))}{found['rest']}{ending}")
        else:
            inside.append(line if line.endswith("\n") else f"{line}\n")
    added = [f"{key} = {_written(value)}\n" for key, value in left.items()]
    return [*lines[:start], *inside, *added, *lines[end:]]


def _changed(old: ChannelConfig, new: ChannelConfig) -> dict[str, _Value]:
    """Return the lines that make `new` out of `old`."""
    own = ("enabled", "agent", "stream", "port")
    common = {key: getattr(new, key) for key in own if getattr(new, key) != getattr(old, key)}
    return common | {key: value for key, value in new.settings.items() if old.settings.get(key) != value}


def _written(value: _Value) -> str:
    """Return a value as TOML; JSON's strings are TOML's once DEL is not bare (toml.io, "String")."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _must_be(changed: str, before: Config, channels: dict[str, ChannelConfig], name: str) -> None:
    """Raises `NotEdited` unless the changed text means just what was meant; `ConfigInvalid` where it means nothing."""
    try:
        after = parse(changed.encode(), name)
    except ConfigInvalid as error:
        if "is not valid TOML" in str(error):
            raise NotEdited(f"{name} cannot be changed by this command.") from None
        raise
    if after != msgspec.structs.replace(before, channels=channels):
        raise NotEdited(f"{name} cannot be changed by this command.")
