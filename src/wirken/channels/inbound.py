"""Hands people's messages to the gateway, in each conversation's order; returns when they may be acknowledged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias

from wirken.channels.attachments import Attachments, Fetched
from wirken.channels.contract import GatewayAway, Received
from wirken.channels.gateway_link import GatewayLink
from wirken.channels.jobs import unforeseen
from wirken.channels.lanes import Lanes
from wirken.channels.outbound import Outbound
from wirken.channels.timing import Timing
from wirken.channels.underway import UnderWay
from wirken.domain import adapter_limits as limits
from wirken.domain.limits import MESSAGE
from wirken.domain.platforms import P, SessionHandle
from wirken.domain.text import clean, clip
from wirken.ipc.calls.channels import FilesTaken
from wirken.ipc.frames import Accepted, Attached, Inbound, Rejected, Said
from wirken.ipc.link import LinkLost

Outcome: TypeAlias = Accepted | Rejected | Said

_EDITED: Final = "(edited) "
_WORDS: Final = ("/", "!")
"""What begins so may be a word to the gateway. It stands as it is, and waits for no file before it."""
_ROOM: Final = 4
"""Bytes beyond MESSAGE that are handed over of a longer text, so that the gateway sees that it is too long."""


@dataclass(slots=True)
class _Waiting(Generic[P]):
    handle: SessionHandle[P]
    outcome: asyncio.Future[Outcome]


class Inbounds(Generic[P]):
    """The messages of one platform on their way to the gateway."""

    def __init__(
        self,
        gateway: GatewayLink,
        timing: Timing,
        attachments: Attachments[P],
        outbound: Outbound[P],
        underway: UnderWay[P],
    ) -> None:
        self._gateway, self._timing, self._attachments = gateway, timing, attachments
        self._outbound, self._underway = outbound, underway
        self._places = asyncio.Semaphore(limits.INBOUND)
        self._order = Lanes()
        self._taking: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, _Waiting[P]] = {}

    async def message(self, received: Received[P]) -> None:
        """Return once the message is on disk or turned away for good. Raises `GatewayAway`.

        What was not said to us in a group goes no further. The same message meanwhile joins the first.
        """
        if received.group and not received.mentioned:
            return
        task = self._taking.get(received.platform_id)
        if task is None:
            if len(self._taking) >= limits.INBOUND_WAITING:
                raise GatewayAway("Too many messages wait to be handed over.")
            task = asyncio.get_running_loop().create_task(self._take(received))
            self._taking[received.platform_id] = task
            task.add_done_callback(lambda done: self._taken(received.platform_id, done))
        await asyncio.shield(task)

    # --- from the gateway -----------------------------------------------------------------------------

    def outcome(self, frame: Outcome) -> None:
        """Take the gateway's word on a message."""
        waiting = self._waiting.get(frame.platform_id)
        if waiting is None or waiting.outcome.done():
            return
        if isinstance(frame, Accepted):
            self._underway.accepted(waiting.handle, frame.platform_id)  # before its end can come
        waiting.outcome.set_result(frame)

    def gateway_lost(self) -> None:
        """Nobody knows what became of the messages that wait; they are handed over again."""
        for waiting in self._waiting.values():
            if not waiting.outcome.done():
                waiting.outcome.set_exception(GatewayAway("The gateway went away before it answered."))

    async def end(self) -> None:
        for task in self._taking.values():
            task.cancel()
        if self._taking:
            await asyncio.wait(set(self._taking.values()))

    # --- one message ----------------------------------------------------------------------------------

    def _taken(self, platform_id: str, task: asyncio.Task[None]) -> None:
        del self._taking[platform_id]
        unforeseen(task)

    async def _take(self, received: Received[P]) -> None:
        if received.text.startswith(_WORDS):
            await self._hand_over(received)
            return
        async with self._order.of(received.conversation.conversation):
            await self._hand_over(received)

    async def _hand_over(self, received: Received[P]) -> None:
        self._gateway.now()  # before anything is fetched for nothing
        taken = await self._takes_files(received)
        async with self._attachments.fetched(received.files if taken.taken else ()) as got:
            if taken.said:
                got.refused.append(taken.said)
            if got.refused:
                self._outbound.say(received.conversation, f"files:{received.platform_id}", "\n".join(got.refused))
            if got.refused and not got.files and not received.text.strip():
                return
            outcome = await self._asked(received, got)
        if not isinstance(outcome, Accepted):
            said = outcome.text if isinstance(outcome, Said) else outcome.reason
            self._outbound.say(received.conversation, received.platform_id, said)

    async def _takes_files(self, received: Received[P]) -> FilesTaken:
        """Ask about the sender, where that matters: of a stranger the text alone goes on, to be turned away."""
        if not received.files:
            return FilesTaken(taken=True)
        return await self._gateway.takes_files_from(received.sender, self._timing)

    async def _asked(self, received: Received[P], got: Fetched) -> Outcome:
        frame = _frame(received, got)
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        async with self._places:
            return await self._handed(frame, got, _Waiting(received.conversation, outcome))

    async def _handed(self, frame: Inbound, got: Fetched, waiting: _Waiting[P]) -> Outcome:
        self._waiting[frame.platform_id] = waiting
        try:
            self._gateway.now().send(frame, [file.handle for file in got.files])
            return await self._timing.within(limits.INBOUND_TIME, _of(waiting.outcome))
        except (LinkLost, TimeoutError):
            raise GatewayAway("The gateway did not say that a message is on disk.") from None
        finally:
            del self._waiting[frame.platform_id]


async def _of(outcome: asyncio.Future[Outcome]) -> Outcome:
    return await outcome


def _frame(received: Received[P], got: Fetched) -> Inbound:
    text = received.text
    if received.edited and not text.startswith(_WORDS):
        text = f"{_EDITED}{text}"
    return Inbound(
        platform_id=clean(received.platform_id),
        conversation=received.conversation.conversation,
        text=clip(clean(text), MESSAGE + _ROOM)[0],
        sender=clean(received.sender),
        sender_name=clean(received.sender_name),
        group=received.group,
        mentioned=received.mentioned,
        files=tuple(Attached(file.name, file.media_type, file.size) for file in got.files),
    )
