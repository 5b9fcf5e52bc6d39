"""Our own token for the Connector (OAuth 2.0 client credentials of one tenant), kept until shortly before its end."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import urlencode

from wirken.channels.contract import PlatformAway
from wirken.channels.teams_errors import no_token
from wirken.channels.teams_http import Answered, Wire
from wirken.channels.teams_types import Nonsense, Token, read
from wirken.domain import channel_limits as limits
from wirken.domain.clock import Clock
from wirken.domain.secret import Secret

_SCOPE: Final = "https://api.botframework.com/.default"
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class Login:
    """`token` asks for one at most once at a time. Raises errors of the port."""

    def __init__(self, wire: Wire, url: str, app_id: str, secret: Secret, clock: Clock) -> None:
        self._wire, self._url, self._app_id, self._secret, self._clock = wire, url, app_id, secret, clock
        self._asking = asyncio.Lock()
        self._token = ""
        self._until = 0.0

    @property
    def left(self) -> float:
        """Seconds until the token should be renewed."""
        return self._until - self._clock.now() / 1000

    @property
    def ended(self) -> bool:
        """Is the token of no use any more?"""
        return self.left <= -limits.TEAMS_TOKEN_EARLY

    async def token(self) -> str:
        async with self._asking:
            if not self._token or self.ended:
                await self._renew()
            return self._token

    def refused(self, token: str) -> None:
        """The Connector does not take `token`: forget it, unless there is another already."""
        if self._token == token:
            self._token = ""

    async def renew(self) -> None:
        """Have another token, whatever there is."""
        async with self._asking:
            await self._renew()

    async def _renew(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._app_id,
            "client_secret": self._secret.reveal().decode(),
            "scope": _SCOPE,
        }
        try:
            said = read(await self._wire.ask("POST", self._url, _FORM, urlencode(form).encode()), Token)
        except Answered as told:
            raise no_token(told) from None
        except Nonsense:
            raise PlatformAway("Microsoft Entra's answer makes no sense.") from None
        if not said.access_token.isascii() or not said.access_token.isprintable() or not said.access_token:
            raise PlatformAway("Microsoft Entra's answer makes no sense.")
        lasts = min(max(said.expires_in, 0), limits.TEAMS_TOKEN_LONGEST)
        self._token = said.access_token
        self._until = self._clock.now() / 1000 + lasts - limits.TEAMS_TOKEN_EARLY
