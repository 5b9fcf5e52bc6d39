"""Which file serves which platform: a closed table. A library is loaded in the process of its own channel alone."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from wirken.channels.contract import Platform
from wirken.channels.given import Given
from wirken.domain.errors import Refused
from wirken.domain.ids import ChannelId
from wirken.domain.platforms import Discord, Matrix, P, Slack, Teams, Telegram, WhatsApp


class NotServed(Refused):
    """This version has no adapter for the channel."""

    hint = "Take its table out of config.toml, or set `enabled = false`."


class Serves(Protocol):
    """Serves a platform until cancelled. Generic, so that what is of one platform never meets another's."""

    def __call__(self, platform: Platform[P]) -> Awaitable[None]: ...


async def opened(channel: ChannelId, given: Given, serve: Serves) -> None:
    """Make the channel's platform of what it is given, loading its library, and have it served. Raises `NotServed`."""
    match channel:
        case Telegram.CHANNEL:
            from wirken.channels import telegram

            await serve(telegram.platform(given))
        case Matrix.CHANNEL:
            from wirken.channels import matrix

            await serve(matrix.platform(given))
        case Discord.CHANNEL:
            from wirken.channels import discord

            await serve(discord.platform(given))
        case Teams.CHANNEL:
            from wirken.channels import teams

            await serve(teams.platform(given))
        case Slack.CHANNEL:
            from wirken.channels import slack

            await serve(slack.platform(given))
        case WhatsApp.CHANNEL:
            from wirken.channels import whatsapp

            await serve(whatsapp.platform(given))
        case _:
            raise NotServed(f"This version of Wirken has no adapter for {channel}.")
