"""Telegram's way in: long polls whose offset confirms only what the gateway has."""

from __future__ import annotations

import asyncio
from typing import Final

from wirken.channels.contract import GatewayAway, House, PlatformAway, Undeliverable
from wirken.channels.side_by_side import Lanes
from wirken.channels.telegram_convert import press, received
from wirken.channels.telegram_errors import telling
from wirken.channels.telegram_http import Polls
from wirken.channels.telegram_poll import Window
from wirken.channels.telegram_types import CallbackQuery, Message, Update, User
from wirken.domain import channel_limits as limits
from wirken.domain.clock import Clock
from wirken.domain.platforms import Telegram

from telegram import Bot  # isort: skip  # after telegram_errors, which loads it without what nobody needs

_KINDS: Final = ("message", "edited_message", "callback_query")
_NOT_OURS: Final = "This button means nothing any more."
_NOT_NOW: Final = "Wirken is not ready. Please press again in a moment."


class Listening:
    """One connected time. `listen` ends by an error of the port, or by being cancelled."""

    def __init__(self, bot: Bot, polls: Polls, house: House[Telegram], me: User, prefix: str, clock: Clock) -> None:
        self._bot, self._polls, self._house = bot, polls, house
        self._me, self._prefix, self._clock = me, prefix, clock
        self._window = Window()

    async def listen(self) -> None:
        lanes = Lanes(self._handle)
        try:
            while True:
                began, idle = self._clock.monotonic(), not self._window.waits
                fresh = await self._poll()
                for update in fresh:
                    lanes.put(_lane(update), update)
                await lanes.settle(limits.TELEGRAM_RECHECK)
                if (
                    idle and not fresh
                ):  # Telegram waits for something to come; whoever answers at once must not be asked so
                    await asyncio.sleep(max(0.0, began + limits.TELEGRAM_RECHECK - self._clock.monotonic()))
        finally:
            await lanes.stop()

    async def _poll(self) -> list[Update]:
        """Confirm what is done, and return what has come and was not there before."""
        wait = 0 if self._window.waits else limits.TELEGRAM_POLL
        with telling():
            await self._bot.get_updates(
                offset=self._window.offset, limit=limits.TELEGRAM_BATCH, timeout=wait, allowed_updates=_KINDS
            )
        came = sorted(self._polls.take(), key=lambda update: update.update_id)
        fresh = self._window.new(update.update_id for update in came)
        return [update for update in came if update.update_id in fresh]

    async def _handle(self, update: Update) -> None:
        if update.callback_query is not None:
            await self._pressed(update.callback_query)
        elif update.message is not None:
            await self._message(update.message, edited=False)
        elif update.edited_message is not None:
            await self._message(update.edited_message, edited=True)
        self._window.done(update.update_id)

    async def _message(self, message: Message, *, edited: bool) -> None:
        said = received(message, self._me, self._prefix, edited=edited)
        while said is not None:
            try:
                await self._house.message(said)
            except GatewayAway:
                await asyncio.sleep(limits.TELEGRAM_AGAIN)
            else:
                return

    async def _pressed(self, query: CallbackQuery) -> None:
        pressed = press(query)
        try:
            told = _NOT_OURS if pressed is None else await self._house.pressed(pressed)
        except GatewayAway:
            told = _NOT_NOW
        try:
            with telling():
                await self._bot.answer_callback_query(query.id, text=told[: limits.TELEGRAM_TOLD])
        except (PlatformAway, Undeliverable):
            return  # too late to be told so; the message itself says what was decided


def _lane(update: Update) -> tuple[str, int]:
    """What is handled one after the other: a chat's messages, and beside them what one person presses."""
    if update.callback_query is not None:
        return "press", update.callback_query.sender.id
    message = update.message or update.edited_message
    return "say", message.chat.id if message is not None else 0
