"""What all need who take a peer's words: to read its questions, hold on to work, say why something was not taken."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from typing import Final, TypeVar

import msgspec

from wirken.domain.errors import Refused, WirkenError
from wirken.domain.people import has_senders
from wirken.gateway.hub import Surface
from wirken.gateway.intake import Intake
from wirken.gateway.log import RecordFailed
from wirken.ipc.frames import Inbound, Rejected

T = TypeVar("T")

_BROKEN: Final = "Something is wrong here just now. Please try again later."


def asked_in(decoder: msgspec.msgpack.Decoder[T], question: bytes) -> T:
    """Return what a role asks. Raises `Refused` for anything that is not among its questions."""
    try:
        return decoder.decode(question)
    except (msgspec.DecodeError, RecursionError):
        raise Refused("This role may not ask that.") from None


def keep(tasks: set[asyncio.Task[None]], work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Start work and hold on to it until it is done: the loop itself does not."""
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


@contextlib.contextmanager
def telling(surface: Surface, message: Inbound, intake: Intake) -> Iterator[None]:
    """Tell the surface why its message was not taken; a record that cannot be written ends the gateway.

    What is wrong with our disk is no platform's business.
    """
    try:
        yield
    except RecordFailed as error:
        ours = not has_senders(surface.channel)
        reason, advice = (str(error), error.advice) if ours else (_BROKEN, "")
        surface.tell(Rejected(message.platform_id, reason, advice))
        intake.turns.failed()
    except WirkenError as error:
        surface.tell(Rejected(message.platform_id, str(error), error.advice))
