"""Slack's way in: envelopes, acknowledged once the gateway has what is in them, over connections that Slack renews."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from html import escape
from typing import Final, NamedTuple

from wirken.channels.contract import GatewayAway, House, PlatformAway, Press, Received, Revoked, Undeliverable
from wirken.channels.jobs import unforeseen
from wirken.channels.lanes import Lanes
from wirken.channels.slack_convert import Me, commanded, place, press, received, said
from wirken.channels.slack_errors import telling
from wirken.channels.slack_people import Names, Threads
from wirken.channels.slack_socket import Socket, connected, switched_off
from wirken.channels.slack_types import Command, Envelope, Events, Interaction, Lifecycle, Nonsense, decoded
from wirken.channels.slack_web import Wire
from wirken.domain import channel_limits as limits
from wirken.domain.clock import Clock
from wirken.domain.platforms import Slack
from wirken.domain.secret import Secret

_NOT_NOW: Final = "Wirken is not ready. Please press again in a moment."
_WORDS: Final = ("/", "!")
_REMOVED: Final = ("tokens_revoked", "app_uninstalled")


class _Told(NamedTuple):
    """What somebody who pressed a button is told."""

    press: Press[Slack]
    told: str


class Listening:
    """One connected time. `listen` ends by an error of the port, or by being cancelled."""

    def __init__(
        self,
        wire: Wire,
        token: Secret,
        house: House[Slack],
        me: Me,
        names: Names,
        threads: Threads,
        clock: Clock,
    ) -> None:
        self._wire, self._token, self._house = wire, token, house
        self._me, self._names, self._threads, self._clock = me, names, threads, clock
        self._order = Lanes()
        self._places = asyncio.Semaphore(limits.SLACK_OPEN_ENVELOPES)
        self._handling: set[asyncio.Task[None]] = set()
        self._replaced: dict[asyncio.Task[None], Socket] = {}
        self._removed = asyncio.Event()

    async def listen(self, socket: Socket) -> None:
        """Read from `socket`, and from those that take its place, each opened before the one before it is left."""
        try:
            while True:
                opened, tired = self._clock.monotonic(), asyncio.Event()
                reading = asyncio.ensure_future(self._read(socket, tired))
                self._replaced[reading] = socket
                await self._until(reading, tired)
                await asyncio.sleep(max(0.0, opened + limits.SLACK_REOPEN - self._clock.monotonic()))
                socket = await connected(self._wire, self._token)
                reading.add_done_callback(self._left)
                asyncio.get_running_loop().call_later(limits.SLACK_OVERLAP, reading.cancel)
                await self._fewer()
        finally:
            await self._end()

    async def _until(self, reading: asyncio.Task[None], tired: asyncio.Event) -> None:
        """Return once the connection wants to be replaced. Raises `PlatformAway` where it ended before that."""
        signs = [asyncio.ensure_future(event.wait()) for event in (tired, self._removed)]
        try:
            await asyncio.wait({reading, *signs}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for sign in signs:
                sign.cancel()
        if self._removed.is_set():
            raise PlatformAway("Slack says that the app was removed.")
        if not tired.is_set():
            reading.result()
            raise PlatformAway("Slack closed the connection.")

    # --- connections ------------------------------------------------------------------------------------

    async def _read(self, socket: Socket, tired: asyncio.Event) -> None:
        try:
            while (envelope := await socket.next()) is not None:
                if envelope.type == "disconnect":
                    if envelope.reason == "link_disabled":
                        raise switched_off()
                    tired.set()
                elif envelope.envelope_id:
                    await self._places.acquire()
                    self._begin(self._handle(socket, envelope))
        finally:
            await socket.close()

    def _left(self, reading: asyncio.Task[None]) -> None:
        self._replaced.pop(reading, None)
        if not reading.cancelled():
            reading.exception()  # whatever ended it, another one is there

    async def _fewer(self) -> None:
        while len(self._replaced) > limits.SLACK_REPLACED:
            oldest = next(iter(self._replaced))
            oldest.cancel()
            await asyncio.wait({oldest})
            self._left(oldest)

    async def _end(self) -> None:
        for reading in self._replaced:
            reading.cancel()
        if self._replaced:
            await asyncio.wait(set(self._replaced))
        for socket in self._replaced.values():
            await socket.close()  # one whose reading never began
        for task in self._handling:
            task.cancel()
        if self._handling:
            await asyncio.wait(set(self._handling))

    # --- envelopes --------------------------------------------------------------------------------------

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._handling.add(task)
        task.add_done_callback(self._handled)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._handling.discard(task)
        self._places.release()
        unforeseen(task)

    async def _handle(self, socket: Socket, envelope: Envelope) -> None:
        """Handle and acknowledge; what makes no sense is acknowledged, or it would come again."""
        told: _Told | None = None
        with suppress(Nonsense):
            match envelope.type:
                case "events_api":
                    await self._event(envelope)
                case "interactive":
                    told = await self._pressed(envelope)
                case "slash_commands":
                    command = decoded(envelope.payload, Command)
                    await self._hand_over(commanded(command, await self._names.of(command.user_id)))
        await socket.acknowledge(envelope.envelope_id)
        if told is not None:
            await self._tell(*told)

    async def _event(self, envelope: Envelope) -> None:
        if decoded(envelope.payload, Lifecycle).event.type in _REMOVED:
            self._removed.set()
            return
        event = decoded(envelope.payload, Events).event
        message = said(event)
        if message is None:
            return
        got = received(event, message, self._me)
        if got is None or (got.group and not got.mentioned and not message.thread_ts):
            return
        if got.text.startswith(_WORDS):  # waits for no file before it
            await self._say(got)
            return
        async with self._order.of(got.conversation.conversation):
            await self._say(got)

    async def _say(self, got: Received[Slack]) -> None:
        """Hand over what is said to the bot, by name or in a thread that it is part of."""
        if got.group:
            if not got.mentioned and not await self._threads.ours(got.conversation, self._me.user):
                return
            self._threads.joined(got.conversation)
            got = replace(got, mentioned=True)
        await self._hand_over(replace(got, sender_name=await self._names.of(got.sender)))

    async def _hand_over(self, got: Received[Slack]) -> None:
        while True:
            try:
                await self._house.message(got)
            except GatewayAway:
                await asyncio.sleep(limits.SLACK_AGAIN)
            else:
                return

    async def _pressed(self, envelope: Envelope) -> _Told | None:
        pressed = press(decoded(envelope.payload, Interaction))
        if pressed is None:
            return None
        try:
            return _Told(pressed, await self._house.pressed(pressed))
        except GatewayAway:
            return _Told(pressed, _NOT_NOW)

    async def _tell(self, pressed: Press[Slack], told: str) -> None:
        """Tell who pressed alone; where that fails, the message itself says what was decided."""
        at = place(pressed.conversation)
        with suppress(PlatformAway, Undeliverable, Revoked), telling():
            await self._wire.chat_postEphemeral(
                channel=at.channel,
                user=pressed.sender,
                text=escape(told, quote=False),
                thread_ts=at.thread or None,
                link_names=False,
                parse="none",
            )
