"""Frames to Cap'n Proto bytes and back. The only file that imports pycapnp."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Final

import capnp

from wirken.domain import limits
from wirken.domain.errors import ProtocolError
from wirken.ipc import frames
from wirken.ipc.frames import Frame

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
    )
}


def encode(frame: Frame) -> bytes:
    """Return the frame as one Cap'n Proto message (unpacked, with its segment table).

    Raises `BadFrame` for text that is not Unicode and for numbers outside 0 to 2^64 - 1.
    """
    member = type(frame).__name__.lower()
    message = _schema.Frame.new_message()
    body = message.init(member)
    try:
        for name, wire_name in _MEMBERS[member][1]:
            setattr(body, wire_name, getattr(frame, name))
    except (capnp.KjException, UnicodeEncodeError, OverflowError) as error:
        raise BadFrame("A value cannot be put into a frame.") from error
    return bytes(message.to_bytes())


def decode(payload: bytes) -> Frame:
    """Return the frame in `payload`. Raises `BadFrame` for anything else, within the bounds of `limits`."""
    try:
        with _schema.Frame.from_bytes(
            payload, traversal_limit_in_words=limits.TRAVERSAL, nesting_limit=limits.NESTING
        ) as message:
            member = str(message.which())
            body = getattr(message, member)
            shape, names = _MEMBERS[member]
            return shape(**{name: getattr(body, wire_name) for name, wire_name in names})
    except (capnp.KjException, UnicodeDecodeError, KeyError, ValueError) as error:
        raise BadFrame("The peer sent bytes that are no frame.") from error
