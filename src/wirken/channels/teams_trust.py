"""Who calls: the signed tokens of Bot Connector, checked before anything else of a call is looked at.

Bot Framework, "Authentication with the Bot Connector API", requests from the Connector to a bot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from wirken.channels.contract import PlatformAway
from wirken.channels.teams_addresses import Addresses
from wirken.channels.teams_http import Answered, Wire
from wirken.channels.teams_types import Key, Keys, Metadata, Nonsense, read
from wirken.domain import channel_limits as limits
from wirken.domain.clock import Clock
from wirken.domain.errors import Unavailable

ISSUER: Final = "https://api.botframework.com"
CHANNEL: Final = "msteams"
_SIGNED: Final = "RS256"
_OPTIONS: Final[jwt.types.Options] = {
    "require": ["exp", "nbf", "iss", "aud"],
    "strict_aud": True,
    "verify_exp": False,  # times are checked here, by the clock that this process was given
    "verify_nbf": False,
    "verify_iat": False,
}


class Untrusted(Exception):
    """This call is not the Connector's, or not for us, with the HTTP status that says so."""

    def __init__(self, status: int) -> None:
        super().__init__("untrusted")
        self.status: Final = status


@dataclass(frozen=True, slots=True)
class Caller:
    """A Connector that proved to be one. `service` is where it is answered."""

    service: str


class Signers:
    """The keys that sign for Teams, by their ids: fetched, believed for a day, looked for again for an unknown one."""

    def __init__(self, wire: Wire, addresses: Addresses, clock: Clock) -> None:
        self._wire, self._addresses, self._clock = wire, addresses, clock
        self._fetching = asyncio.Lock()
        self._keys: Mapping[str, RSAPublicKey] = {}
        self._fetched = 0.0
        self._looked: float | None = None

    async def load(self) -> None:
        """Fetch the keys. Raises errors of the port."""
        async with self._fetching:
            await self._load()

    async def key(self, kid: str) -> RSAPublicKey:
        """Return a key. Raises `Untrusted`: 403 for a key that is none, 503 where nobody can say just now."""
        if (found := self._known(kid)) is not None:
            return found
        async with self._fetching:
            if (found := self._known(kid)) is not None:
                return found
            now = self._clock.monotonic()
            if self._looked is not None and now - self._looked < limits.TEAMS_KEYS_AGAIN:
                raise Untrusted(503)
            try:
                await self._load()
            except Unavailable:
                raise Untrusted(503) from None
            if (found := self._known(kid)) is None:
                raise Untrusted(403)
            return found

    def _known(self, kid: str) -> RSAPublicKey | None:
        if self._clock.now() / 1000 - self._fetched > limits.TEAMS_KEYS_LIFETIME:
            return None
        return self._keys.get(kid)

    async def _load(self) -> None:
        self._looked = self._clock.monotonic()
        try:
            about = read(await self._wire.ask("GET", self._addresses.metadata, {}), Metadata)
            if about.issuer != ISSUER or not self._addresses.is_keys(about.jwks_uri):
                raise Nonsense
            said = read(await self._wire.ask("GET", about.jwks_uri, {}), Keys)
        except Answered as told:
            raise PlatformAway(f"Bot Framework's signing keys cannot be had (status {told.status}).") from None
        except Nonsense:
            raise PlatformAway("Bot Framework's description of its keys makes no sense.") from None
        keys = (_key(raw) for raw in said.keys[: limits.TEAMS_KEYS])
        self._keys = dict(found for found in keys if found is not None)
        self._fetched = self._clock.now() / 1000


def _key(raw: msgspec.Raw) -> tuple[str, RSAPublicKey] | None:
    """Return a key that may sign for Teams; None for any other."""
    try:
        said = read(raw, Key)
        if said.kty != "RSA" or CHANNEL not in said.endorsements:
            return None
        key = jwt.PyJWK({"kty": "RSA", "n": said.n, "e": said.e}, _SIGNED).key
    except (Nonsense, jwt.PyJWTError, ValueError, TypeError):
        return None
    if not isinstance(key, RSAPublicKey) or not limits.TEAMS_KEY_LEAST <= key.key_size <= limits.TEAMS_KEY_MOST:
        return None
    return said.kid, key


@dataclass(frozen=True, slots=True)
class Trust:
    """Judges the `Authorization` header of a call."""

    signers: Signers
    addresses: Addresses
    app_id: str
    clock: Clock

    async def caller(self, authorization: str) -> Caller:
        """Return who calls. Raises `Untrusted`."""
        scheme, _, token = authorization.partition(" ")
        if scheme.casefold() != "bearer" or not token or len(token) > limits.TEAMS_TOKEN:
            raise Untrusted(401)
        try:
            head = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Untrusted(401) from None
        kid = head.get("kid")
        if head.get("alg") != _SIGNED or not isinstance(kid, str) or "crit" in head:
            raise Untrusted(403)
        return self._checked(token, await self.signers.key(kid))

    def _checked(self, token: str, key: RSAPublicKey) -> Caller:
        try:
            claims = jwt.decode(token, key, algorithms=[_SIGNED], audience=self.app_id, issuer=ISSUER, options=_OPTIONS)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise Untrusted(403) from None
        now, begins, ends = self.clock.now() / 1000, claims["nbf"], claims["exp"]
        if not isinstance(begins, int) or not isinstance(ends, int):
            raise Untrusted(403)
        if now < begins - limits.TEAMS_SKEW or now >= ends + limits.TEAMS_SKEW:
            raise Untrusted(403)
        service = claims.get("serviceurl")
        if not isinstance(service, str) or not self.addresses.is_service(service):
            raise Untrusted(403)
        return Caller(service)
