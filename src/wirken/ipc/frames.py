"""The frames of `wirken.capnp` as plain values; what the rest of the house sees of the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Attached:
    """A file beside a message, as its adapter reports it."""

    name: str
    """As the sender called it: hostile text."""
    media_type: str
    """As the platform says, or empty; a claim."""
    size: int
    """Bytes, and exactly those of the memfd."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A person's message. Whose it is comes from the connection, never from here."""

    platform_id: str
    conversation: str
    text: str
    agent: str = ""
    sender: str = ""
    sender_name: str = ""
    interactive: bool = False
    runner: str = ""
    workspace: str = ""
    group: bool = False
    mentioned: bool = False
    files: tuple[Attached, ...] = ()
    """Of channels only. The frame brings as many sealed memfds, in this order."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message's row is on disk, at `seq` of `session`."""

    platform_id: str
    session: str
    seq: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """The message was not taken; nothing will come of it. `reason` is for its sender; empty: say nothing."""

    platform_id: str
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Said:
    """What the gateway itself answers to the message `platform_id`: plain text for its sender. No turn comes of it.

    It stands in the place of `Accepted` and `Rejected`: the message is done with.
    """

    platform_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Delta:
    """A further piece of the answer, as a preview."""

    session: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A committed row of the record, as stored; to an adapter without its content."""

    session: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """A person is asked; `approval` is MessagePack of `ipc.calls.operator.ApprovalRow`."""

    session: str
    approval: bytes


@dataclass(frozen=True, slots=True)
class Settled:
    """An approval was answered, lapsed or withdrawn."""

    session: str
    approval: str
    decision: str
    by: str = ""
    """The person who decided, empty where nobody did."""


@dataclass(frozen=True, slots=True)
class Over:
    """The turn for message `platform_id` has ended; `outcome` is a domain.events.TurnOutcome."""

    session: str
    platform_id: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class Call:
    id: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Item:
    id: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    id: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    id: int
    kind: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Cancel:
    id: int


Conversing: TypeAlias = Inbound | Accepted | Rejected | Said | Delta | Row | Asked | Settled | Over
Asking: TypeAlias = Call | Item | Reply | Failure | Cancel
Frame: TypeAlias = Conversing | Asking
