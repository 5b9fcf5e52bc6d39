"""A tool call's arguments, parsed and checked once more: the runner trusts nobody."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from wirken.domain import limits
from wirken.domain.errors import WirkenError
from wirken.ipc.permitted import Unusable, arguments


class BadArguments(WirkenError):
    """The arguments do not fit the tool; the message is one for the model."""


class ExecArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`command` is a line for /bin/sh, `argv` a program with its arguments; exactly one of them."""

    command: str | None = None
    argv: tuple[str, ...] | None = None
    timeout: float = limits.EXEC_TIME

    def words(self) -> tuple[str, ...]:
        """Return what is started, byte for byte. Raises `BadArguments`."""
        if (self.command is None) == (self.argv is None):
            raise BadArguments("exec takes either 'command' or 'argv'.")
        if not 0 < self.timeout <= limits.EXEC_TIME:
            raise BadArguments(f"exec: 'timeout' is more than 0 and at most {limits.EXEC_TIME:.0f} seconds.")
        if self.argv is not None and not 0 < len(self.argv) <= limits.EXEC_ARGV:
            raise BadArguments(f"exec: 'argv' has 1 to {limits.EXEC_ARGV} elements.")
        words = self.argv if self.argv is not None else ("/bin/sh", "-c", self.command or "")
        for word in words:
            if "\0" in word or any("\ud800" <= letter <= "\udfff" for letter in word):
                raise BadArguments("exec: a command cannot hold NUL bytes or half a surrogate pair.")
        if not words[0]:
            raise BadArguments("exec: the program's name is empty.")
        return words


class ReadArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`offset` is the first line, counted from 1; `limit` a number of lines."""

    path: str
    offset: int = 1
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.offset < 1 or (self.limit is not None and self.limit < 1):
            raise ValueError("'offset' and 'limit' are at least 1")


class WriteArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole new content of one file."""

    path: str
    content: str


class ListArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The folder to list; the workspace by default."""

    path: str = "."


class SendArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file to send; what is said beside it is not the runner's matter."""

    path: str
    caption: str = ""


Arguments: TypeAlias = ExecArguments | ReadArguments | WriteArguments | ListArguments | SendArguments

_TYPES: dict[str, type[Arguments]] = {
    "exec": ExecArguments,
    "read_file": ReadArguments,
    "write_file": WriteArguments,
    "list_files": ListArguments,
    "send_file": SendArguments,
}


def parsed(tool: str, text: str) -> Arguments:
    """Return the arguments of one of the four tools.

    Raises `BadArguments` for another tool, for what is not its JSON, and for a key that stands there twice:
    two readers could take different ones.
    """
    if tool not in _TYPES:
        raise BadArguments(f"The runner knows no tool '{tool}'.")
    try:
        return arguments(text, _TYPES[tool])
    except Unusable as error:
        raise BadArguments(f"{tool}: the arguments cannot be used: {error}") from error
