"""Discord's way in: sessions one after another, whose events count as handled once the gateway has them."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from wirken.channels.contract import GatewayAway, House, PlatformAway, Received, SlowDown, Undeliverable
from wirken.channels.discord_convert import Handle, actor, command, handle, place, press, received
from wirken.channels.discord_convert import Place as Where
from wirken.channels.discord_errors import SessionOver
from wirken.channels.discord_gateway import Again, Connection
from wirken.channels.discord_http import Wire
from wirken.channels.discord_pace import Route
from wirken.channels.discord_replies import Replies
from wirken.channels.discord_session import Session, Window
from wirken.channels.discord_state import save
from wirken.channels.discord_types import GatewayBot, Interaction, Message, decoded
from wirken.channels.side_by_side import Lanes
from wirken.domain import channel_limits as limits
from wirken.domain.clock import Clock
from wirken.domain.platforms import Discord, SessionHandle

_BOT: Final = Route("GET", "/gateway/bot", "/gateway/bot")
_NOT_NOW: Final = "Wirken is not ready. Please press again in a moment."
_NOT_OURS: Final = "This button means nothing any more."
_ASKED: Final = "The answer follows."
_EVENTS: Final = ("MESSAGE_CREATE", "MESSAGE_UPDATE", "INTERACTION_CREATE")


@dataclass(frozen=True, slots=True)
class _Item:
    """Something to handle: an event and its number, or a conversation to look after (`behind`)."""

    what: Message | Interaction | Handle
    edited: bool = False
    number: int = 0
    window: Window | None = None


class Listening:
    """The bot, as long as its adapter lives. `listen` ends by an error of the port, or by being cancelled."""

    def __init__(
        self, wire: Wire, session: Session, folder: Path | None, prefix: str, token: str, clock: Clock
    ) -> None:
        self._wire, self._session, self._folder = wire, session, folder
        self._prefix, self._token, self._clock = prefix, token, clock
        self._replies = Replies(wire)

    async def listen(self, house: House[Discord], name: str) -> None:
        """Be connected, and connect again at once where that is how connections end."""
        self._session.window.again()
        self._house, self._lanes = house, Lanes(self._handle)
        self._room = asyncio.Semaphore(limits.DISCORD_PENDING)
        for conversation in self._session.behind:
            self._look_after(conversation)
        try:
            while True:
                began = self._clock.monotonic()
                try:
                    await self._connected(name)
                except SessionOver:
                    self._session.ends()
                    continue
                except Again as ended:
                    if self._clock.monotonic() - began < limits.DISCORD_HASTY:
                        raise
                    house.away(str(ended))
        finally:
            await self._lanes.stop()

    async def _connected(self, name: str) -> None:
        """Serve one connection."""

        def stands(new: bool) -> None:
            if new:
                for conversation in self._session.behind:
                    self._look_after(conversation)
                self._keep()
            self._house.connected(name)

        url = self._session.url if self._session.id and self._session.url else await self._address()
        socket = await self._wire.socket(url)
        await Connection(
            socket, self._session, self._clock, self._token, self._wire.trusted, self._take, stands
        ).serve()

    async def _address(self) -> str:
        bot = await self._wire.get(_BOT, GatewayBot)
        limit = bot.session_start_limit
        if limit.remaining < limits.DISCORD_IDENTIFIES and not self._session.id:
            raise SlowDown(
                "The bot has begun too many sessions today; Discord bears no more.", limit.reset_after / 1000
            )
        if not (url := self._wire.trusted(bot.url)):
            raise PlatformAway("Discord names a gateway that is not its own.")
        return url

    # --- one event --------------------------------------------------------------------------------------

    async def _take(self, kind: str, data: msgspec.Raw, number: int) -> None:
        """Put an event into its lane; wait where too many are under way."""
        window = self._session.window
        item = _item(kind, data, number, window)
        if item is None:
            window.done(number)
            return
        await self._room.acquire()
        self._lanes.put(_lane(item), item)
        await self._lanes.settle(0.0)  # raises what was not foreseen

    def _look_after(self, conversation: str) -> None:
        item = _Item(_handle(conversation))
        self._lanes.put(_lane(item), item)

    async def _handle(self, item: _Item) -> None:
        if isinstance(item.what, SessionHandle):
            await self._missed(item.what)
            return
        try:
            if isinstance(item.what, Message):
                await self._message(item.what, guild=item.what.guild_id is not None, edited=item.edited)
            else:
                await self._interaction(item.what)
        finally:
            self._room.release()
        if item.window is not None:
            item.window.done(item.number)
        self._keep()

    def _keep(self) -> None:
        save(self._folder, self._session.kept())

    async def _message(self, message: Message, *, guild: bool, edited: bool = False) -> None:
        said = received(message, self._session.me, self._prefix, guild=guild, edited=edited)
        if said is not None:
            await self._hand_over(said)
        addressed = said is not None and (said.mentioned or not said.group)
        self._session.handled(
            handle(Where(message.channel_id, guild)).conversation, message.id, learn=addressed and not edited
        )

    async def _hand_over(self, said: Received[Discord]) -> None:
        while True:
            try:
                await self._house.message(said)
            except GatewayAway:
                await asyncio.sleep(limits.DISCORD_AGAIN)
            else:
                return

    async def _interaction(self, interaction: Interaction) -> None:
        asked = command(interaction)
        if asked is not None:
            await self._replies.at_once(interaction, _ASKED)
            await self._hand_over(asked)
            return
        pressed = press(interaction)
        if pressed is None:
            await self._replies.at_once(interaction, _NOT_OURS)
            return

        async def told() -> str:
            try:
                return await self._house.pressed(pressed)
            except GatewayAway:
                return _NOT_NOW

        await self._replies.when_known(interaction, told())

    # --- what was missed --------------------------------------------------------------------------------

    async def _missed(self, conversation: Handle) -> None:
        """Hand over what was said while no session stood: Discord hands a new one nothing of it."""
        name = conversation.conversation
        for _ in range(limits.DISCORD_MISSED // limits.DISCORD_PAGE):
            came = await self._page(conversation)
            for message in sorted(came, key=lambda one: int(one.id)):
                await self._message(message, guild=place(conversation).guild)
            if len(came) < limits.DISCORD_PAGE:
                break
        self._session.behind.discard(name)
        self._keep()

    async def _page(self, conversation: Handle) -> list[Message]:
        where, name = place(conversation), conversation.conversation
        while True:
            query = f"?after={self._session.last(name)}&limit={limits.DISCORD_PAGE}"
            path = f"/channels/{where.channel}/messages"
            route = Route("GET", f"{path}{query}", "/channels/messages", where.channel)
            try:
                parts = await self._wire.get(route, list[msgspec.Raw])
            except Undeliverable:
                self._session.forget(name)
                return []
            except PlatformAway as error:
                await asyncio.sleep(error.seconds if isinstance(error, SlowDown) else limits.DISCORD_AGAIN)
                continue
            return [message for part in parts if (message := decoded(part, Message)) is not None]


def _item(kind: str, data: msgspec.Raw, number: int, window: Window) -> _Item | None:
    """Return what an event says, if it says anything to us."""
    if kind not in _EVENTS:
        return None
    what: Message | Interaction | None
    what = decoded(data, Interaction) if kind == "INTERACTION_CREATE" else decoded(data, Message)
    return None if what is None else _Item(what, kind == "MESSAGE_UPDATE", number, window)


def _lane(item: _Item) -> Hashable:
    """What is handled one after the other: a channel's messages, and beside them what one person presses."""
    match item.what:
        case Message():
            return "say", item.what.channel_id
        case Interaction():
            user = actor(item.what)
            return "press", user.id if user is not None else ""
        case _:
            return "say", place(item.what).channel


def _handle(conversation: str) -> Handle:
    guild = conversation.startswith("g")
    return handle(Where(conversation.removeprefix("g"), guild))
