"""What Slack calls people (users.info), and which threads the bot is part of: looked up once, and remembered."""

from __future__ import annotations

import asyncio

import msgspec

from wirken.channels.contract import PlatformAway, Revoked, Undeliverable
from wirken.channels.recent import Recent
from wirken.channels.slack_convert import Handle, place
from wirken.channels.slack_errors import telling
from wirken.channels.slack_pace import Pace
from wirken.channels.slack_web import Wire
from wirken.domain import channel_limits as limits
from wirken.domain.clock import Clock
from wirken.domain.limits import SENDER_NAME
from wirken.domain.text import clean


class _Profile(msgspec.Struct):
    display_name: str = ""
    real_name: str = ""


class _User(msgspec.Struct):
    name: str = ""
    profile: _Profile = msgspec.field(default_factory=_Profile)


class _Parent(msgspec.Struct):
    """The message that began a thread."""

    user: str = ""
    text: str = ""
    reply_users: tuple[str, ...] = ()


class Names:
    """What people are called; a message waits for it once."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._known = Recent[str, str](limits.SLACK_NAMES)

    async def of(self, user: str) -> str:
        """Return a name, or the id of somebody whose name cannot be had now."""
        known = self._known.get(user, None)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(limits.SLACK_NAME_TIME):
                return self._known.put(user, await self._asked(user))
        except (TimeoutError, PlatformAway, Revoked):
            return user  # another time
        except Undeliverable:
            return self._known.put(user, user)

    async def _asked(self, user: str) -> str:
        with telling():
            told = await self._wire.users_info(user=user)
        try:
            found = msgspec.convert(told.get("user"), _User)
        except msgspec.ValidationError:
            return user
        return clean(found.profile.display_name or found.profile.real_name or found.name)[:SENDER_NAME] or user


class Threads:
    """The threads of channels that the bot was called into, or has written in."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self._wire = wire
        self._known = Recent[str, bool](limits.SLACK_REMEMBERED)
        self._pace = Pace(clock, limits.SLACK_LOOKUPS, limits.SLACK_LOOKUP_GAP)

    def joined(self, conversation: Handle) -> None:
        self._known.put(conversation.conversation, True)

    async def ours(self, conversation: Handle, me: str) -> bool:
        """Is the bot part of a thread? One that this process knows nothing of is looked at; what fails is no."""
        known = self._known.get(conversation.conversation, None)
        if known is not None:
            return known
        if self._pace.take() > 0:
            return False
        try:
            async with asyncio.timeout(limits.SLACK_NAME_TIME):
                found = await self._looked_at(conversation, me)
        except (TimeoutError, PlatformAway, Revoked):
            return False  # another time
        except Undeliverable:
            found = False
        return self._known.put(conversation.conversation, found)

    async def _looked_at(self, conversation: Handle, me: str) -> bool:
        at = place(conversation)
        with telling():
            told = await self._wire.conversations_replies(channel=at.channel, ts=at.thread, limit=1)
        try:
            parents = msgspec.convert(told.get("messages"), list[_Parent])
        except msgspec.ValidationError:
            return False
        return any(me in (one.user, *one.reply_users) or f"<@{me}" in one.text for one in parents[:1])
