"""What Slack calls people (users.info), and the threads that the bot is part of: remembered, both."""

from __future__ import annotations

import asyncio

import msgspec

from wirken.channels.contract import PlatformAway, Revoked, Undeliverable
from wirken.channels.recent import Recent
from wirken.channels.slack_errors import telling
from wirken.channels.slack_web import Wire
from wirken.domain import channel_limits as limits
from wirken.domain.limits import SENDER_NAME
from wirken.domain.text import clean


class _Profile(msgspec.Struct):
    display_name: str = ""
    real_name: str = ""


class _User(msgspec.Struct):
    name: str = ""
    profile: _Profile = msgspec.field(default_factory=_Profile)


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
