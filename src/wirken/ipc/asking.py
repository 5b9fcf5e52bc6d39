"""The questions of one end of a link that wait for their answers, and the errors that come instead of one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

from wirken.domain.errors import (
    ProtocolError,
    Refused,
    SandboxUnavailable,
    Unavailable,
    UsageError,
    WirkenError,
)
from wirken.domain.text import brief
from wirken.ipc.files import Files
from wirken.ipc.frames import Call, Cancel, Failure, Frame

Answer: TypeAlias = tuple[bytes, Files]
"""MessagePack, and what came with it."""

_KINDS: Final[tuple[tuple[str, type[WirkenError]], ...]] = (
    ("refused", Refused),
    ("sandbox", SandboxUnavailable),
    ("unavailable", Unavailable),
    ("usage", UsageError),
    ("protocol", ProtocolError),
    ("error", WirkenError),
)


class LinkLost(Unavailable):
    """The other process went away before it answered."""

    hint = "It is restarted by itself; try again in a moment."


class Send(Protocol):
    """Sends a frame with its files. Raises `LinkLost`."""

    def __call__(self, frame: Frame, files: Sequence[int] = ()) -> None: ...


class _Waiting(NamedTuple):
    future: asyncio.Future[Answer]
    on_item: Callable[[bytes], None] | None
    fetches: bool
    """The answer may bring files."""


class Asking:
    """Numbers questions and gives each its answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._next = 0
        self._waiting: dict[int, _Waiting] = {}

    async def ask(
        self,
        question: bytes,
        on_item: Callable[[bytes], None] | None = None,
        *,
        files: Sequence[int] = (),
        fetches: bool = False,
    ) -> Answer:
        """Return the answer; what came with it is the caller's. Raises what the other side raised, or `LinkLost`."""
        self._next += 1
        number = self._next
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._send(Call(number, question), files)
        self._waiting[number] = _Waiting(future, on_item, fetches)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                future.result()[1].close()  # it came in the same moment, and nobody is there to take it
            with contextlib.suppress(LinkLost):  # then there is nobody left to tell
                self._send(Cancel(number))
            raise
        finally:
            self._waiting.pop(number, None)

    def item(self, number: int, body: bytes) -> None:
        """Hand on an item of an answer that is not complete."""
        waiting = self._waiting.get(number)
        if waiting is not None and waiting.on_item is not None:
            waiting.on_item(body)

    def settle(self, number: int, result: Answer | WirkenError) -> None:
        """Give a question its answer; what came for one that waits no more is closed.

        Raises `ProtocolError` for files that were not asked for.
        """
        waiting = self._waiting.get(number)
        if waiting is None or waiting.future.done():
            if not isinstance(result, WirkenError):
                result[1].close()
        elif isinstance(result, WirkenError):
            waiting.future.set_exception(result)
        elif result[1] and not waiting.fetches:
            raise ProtocolError("The peer sent files that nobody asked for.")
        else:
            waiting.future.set_result(result)

    def lost(self, why: str) -> None:
        """End every question that waits with `LinkLost`."""
        for waiting in self._waiting.values():
            if not waiting.future.done():
                waiting.future.set_exception(LinkLost(why))


def failure(number: int, error: WirkenError) -> Failure:
    """Return what the asker is told; leaves of the error tree travel as their nearest kind."""
    kind = next(name for name, cls in _KINDS if isinstance(error, cls))
    return Failure(number, kind, brief(str(error)), brief(error.advice))


def raised(said: Failure) -> WirkenError:
    """Return the error that the other side raised."""
    cls = dict(_KINDS).get(said.kind, WirkenError)
    return cls(brief(said.message), hint=brief(said.hint))
