"""Answers to interactions: Discord wants one within 3 seconds, and takes the rest for a quarter of an hour."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Final

from wirken.channels.contract import PlatformAway, Revoked, Undeliverable
from wirken.channels.discord_http import Wire
from wirken.channels.discord_pace import Route
from wirken.channels.discord_types import Interaction
from wirken.channels.render.discord import DIALECT
from wirken.channels.render.pieces import literal
from wirken.domain import channel_limits as limits

_MESSAGE, _LATER = 4, 5
"""Kinds of answers ("Interaction Callback Type")."""
_FOR_THEM_ALONE: Final = 1 << 6
"""Message flag EPHEMERAL."""
NOBODY: Final[dict[str, object]] = {"parse": []}
"""Who is called by what we send ("Allowed Mentions")."""


class Replies:
    """What only the person sees who pressed or commanded."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def at_once(self, interaction: Interaction, told: str) -> bool:
        """Say something now. Whether it arrives changes nothing."""
        return await self._call(_callback(interaction), {"type": _MESSAGE, "data": _said(told)})

    async def when_known(self, interaction: Interaction, told: Coroutine[object, object, str]) -> None:
        """Say what `told` returns, now or, if that takes longer, once it is known."""
        task = asyncio.ensure_future(told)
        try:
            await asyncio.wait({task}, timeout=limits.DISCORD_AT_ONCE)
            if task.done():
                await self.at_once(interaction, task.result())
                return
            later = {"type": _LATER, "data": {"flags": _FOR_THEM_ALONE}}
            deferred = await self._call(_callback(interaction), later)
            said = await task
        finally:
            task.cancel()
        if deferred:
            await self._call(_original(interaction), _said(said))

    async def _call(self, route: Route, body: object) -> bool:
        try:
            await self._wire.call(route, body)
        except (PlatformAway, Undeliverable, Revoked):
            return False  # too late to be told so; the message itself says what was decided
        return True


def _callback(interaction: Interaction) -> Route:
    path = f"/interactions/{interaction.id}/{interaction.token}/callback"
    return Route("POST", path, "/interactions/callback", interaction.id)


def _original(interaction: Interaction) -> Route:
    path = f"/webhooks/{interaction.application_id}/{interaction.token}/messages/@original"
    return Route("PATCH", path, "/webhooks/messages/@original", interaction.id)


def _said(told: str) -> dict[str, object]:
    pieces = literal(told, DIALECT)
    return {
        "content": pieces[0].markup if pieces else "It is done.",
        "flags": _FOR_THEM_ALONE,
        "allowed_mentions": NOBODY,
    }
