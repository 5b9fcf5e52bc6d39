"""One connection of Slack's Socket Mode (docs.slack.dev/apis/events-api/using-socket-mode)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import msgspec

from wirken.channels.contract import PlatformAway
from wirken.channels.slack_errors import NoAnswer, telling
from wirken.channels.slack_types import Envelope, Nonsense, decoded
from wirken.channels.slack_web import Wire
from wirken.domain import channel_limits as limits
from wirken.domain.secret import Secret

from aiohttp import ClientError, ClientWebSocketResponse, WSMsgType  # isort: skip  # after slack_web: lean

_NOTHING: Final = Envelope("")


class Socket:
    """A connection that has said "hello"."""

    def __init__(self, wire: ClientWebSocketResponse) -> None:
        self._wire = wire

    async def next(self) -> Envelope | None:
        """Return what comes next; None where the connection has ended. What is nonsense has an empty type."""
        with suppress(ClientError, OSError):
            came = await self._wire.receive()
            if came.type is WSMsgType.TEXT:
                try:
                    return decoded(came.data, Envelope)
                except Nonsense:
                    return _NOTHING
            if came.type is WSMsgType.BINARY:
                return _NOTHING
        return None

    async def acknowledge(self, envelope_id: str) -> None:
        """Say that an envelope has arrived; over a connection that has ended that is not said, and it comes again."""
        with suppress(ClientError, OSError):
            await self._wire.send_str(msgspec.json.encode({"envelope_id": envelope_id}).decode())

    async def close(self) -> None:
        with suppress(ClientError, OSError):
            await self._wire.close()


async def connected(wire: Wire, token: Secret) -> Socket:
    """Open one more connection of the app. Raises what the port raises."""
    with telling(app=True):
        opened = await wire.apps_connections_open(app_token=token.reveal().decode())
        url = opened.get("url")
        if not isinstance(url, str):
            raise NoAnswer("Slack's answer names no address to connect to.")
        socket = Socket(await wire.websocket(url))
        try:
            async with asyncio.timeout(limits.SLACK_CONNECT):
                hello = await socket.next()
        except TimeoutError:
            hello = None
        except BaseException:
            await socket.close()
            raise
        if hello is None or hello.type != "hello":
            await socket.close()
            raise _refused(hello)
    return socket


def _refused(hello: Envelope | None) -> PlatformAway:
    return switched_off() if hello is not None and hello.reason == "link_disabled" else PlatformAway("Slack hung up.")


def switched_off() -> PlatformAway:
    return PlatformAway("Socket Mode is switched off for this app, or its permissions are being changed.")
