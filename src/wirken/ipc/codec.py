"""Frames to Cap'n Proto bytes and back. The only file that imports pycapnp."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import fields
from pathlib import Path
from typing import Final, NamedTuple

import capnp

from wirken.domain import limits
from wirken.domain.errors import ProtocolError
from wirken.ipc import frames
from wirken.ipc.frames import Attached, Frame

capnp.remove_import_hook()
_schema: Final = capnp.load(str(Path(__file__).with_name("wirken.capnp")))


class BadFrame(ProtocolError):
    """The bytes are no frame of `wirken.capnp` or pass its bounds, or a value cannot be put into one."""


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


# The union's member name, the class, and its fields as (Python name, schema name). Read off the classes once,
# so that a field stands in two places only: the schema and the dataclass; a test holds the two equal.
_MEMBERS: Final[dict[str, tuple[Callable[..., Frame], tuple[tuple[str, str], ...]]]] = {
    cls.__name__.lower(): (cls, tuple((field.name, _camel(field.name)) for field in fields(cls)))
    for cls in (
        frames.Inbound,
        frames.Accepted,
        frames.Rejected,
        frames.Delta,
        frames.Row,
        frames.Asked,
        frames.Settled,
        frames.Over,
        frames.Call,
        frames.Item,
        frames.Reply,
        frames.Failure,
        frames.Cancel,
        frames.Said,
    )
}


_LIST: Final = "files"
"""The one field that is a list, of `Attached`."""
_BRINGING: Final = frames.Inbound.__name__.lower()
_LIST_AT: Final = [name for name, _ in _MEMBERS[_BRINGING][1]].index(_LIST)
_ATTACHED: Final = tuple((field.name, _camel(field.name)) for field in fields(Attached))


class Opened(NamedTuple):
    """What a message holds."""

    frame: Frame
    files: int
    """Descriptors that belong to the frame, at most limits.LINK_FILES."""


def encode(frame: Frame, files: int = 0) -> bytes:
    """Return the frame as one Cap'n Proto message (unpacked, with its segment table); `files` come beside it.

    Raises `BadFrame` for text that is not Unicode, for numbers outside 0 to 2^64 - 1 and for too many files.
    """
    member = type(frame).__name__.lower()
    message = _schema.Frame.new_message()
    body = message.init(member)
    try:
        for name, wire_name in _MEMBERS[member][1]:
            value = getattr(frame, name)
            setattr(body, wire_name, _listed(value) if name == _LIST else value)
        if files:
            message.files = _few(files)
    except (capnp.KjException, UnicodeEncodeError, OverflowError, ValueError) as error:
        raise BadFrame("A value cannot be put into a frame.") from error
    return bytes(message.to_bytes())


def decode(payload: bytes) -> Frame:
    """Return the frame in `payload`. Raises `BadFrame` for anything else, within the bounds of `limits`."""
    return opened(payload).frame


def opened(payload: bytes) -> Opened:
    """Return the frame in `payload` with what comes beside it. Raises `BadFrame`."""
    try:
        with _schema.Frame.from_bytes(
            payload, traversal_limit_in_words=limits.TRAVERSAL, nesting_limit=limits.NESTING
        ) as message:
            member = str(message.which())
            body = getattr(message, member)
            shape, names = _MEMBERS[member]
            values = [getattr(body, wire_name) for _, wire_name in names]
            if member == _BRINGING:
                values[_LIST_AT] = _read(values[_LIST_AT])
            return Opened(shape(*values), _few(message.files))
    except (capnp.KjException, UnicodeDecodeError, KeyError, ValueError) as error:
        raise BadFrame("The peer sent bytes that are no frame.") from error


def _listed(files: tuple[Attached, ...]) -> list[dict[str, object]]:
    _few(len(files))
    return [{wire_name: getattr(file, name) for name, wire_name in _ATTACHED} for file in files]


def _read(found: Collection[object]) -> tuple[Attached, ...]:
    _few(len(found))  # before each is looked at: a short message can announce millions that take no bytes
    return tuple(Attached(**{name: getattr(file, wire_name) for name, wire_name in _ATTACHED}) for file in found)


def _few(count: int) -> int:
    if count > limits.LINK_FILES:
        raise ValueError("too many files for one frame")
    return count
