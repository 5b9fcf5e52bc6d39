"""The way to Discord: its REST interface, its files and its gateway's socket, with bounds on what comes back."""

from __future__ import annotations

import io
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from wirken.channels.contract import PlatformAway, SlowDown, Undeliverable
from wirken.channels.discord_errors import refused
from wirken.channels.discord_pace import Paces, Route
from wirken.channels.discord_types import decoded
from wirken.domain import channel_limits as limits
from wirken.domain.clock import Clock

T = TypeVar("T")

_HOSTED: Final = "https://discord.com"
_VERSION: Final = "/api/v10"
_FILES: Final = ("cdn.discordapp.com", "media.discordapp.net")
_GATEWAY: Final = "discord.gg"
_AGENT: Final = "DiscordBot (https://wirken.invalid, 0.1)"
"""The form is prescribed ("User Agent"); who does not keep it is turned away."""


class Upload(NamedTuple):
    """A file that goes with a message."""

    name: str
    media_type: str
    data: bytes


class Wire:
    """Connections to Discord, or to what `api_url` names. Raises the errors of the port alone."""

    def __init__(self, token: str, api_url: str, proxy: str, ca_file: str, clock: Clock) -> None:
        for name in ("aiohttp", "asyncio"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._token, self._proxy, self._clock = token, proxy or None, clock
        self._api = (api_url or _HOSTED).rstrip("/")
        self._own = bool(api_url)
        self._tls = ssl.create_default_context(cafile=ca_file or None)
        self._paces = Paces()
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections; the end of the process does that as well."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- calls ------------------------------------------------------------------------------------------

    async def get(self, route: Route, type_: type[T]) -> T:
        """Return the object that a call answers."""
        return _object(await self.call(route), type_)

    async def put(self, route: Route, body: object, type_: type[T], file: Upload | None = None) -> T:
        """Send an object, whatever the method, and return the one that comes back."""
        return _object(await self.call(route, body, file), type_)

    async def call(self, route: Route, body: object = None, file: Upload | None = None) -> bytes:
        """Call Discord and return the body of a success."""
        now = self._clock.monotonic()
        self._paces.check(route, now)
        data = _form(body, file) if file is not None else msgspec.json.encode(body) if body is not None else None
        headers = {"Authorization": f"Bot {self._token}"}
        if file is None and body is not None:
            headers["Content-Type"] = "application/json"
        async with self._sent(route.method, f"{self._api}{_VERSION}{route.path}", headers, data) as response:
            answer = await _bounded(response)
        now = self._clock.monotonic()
        self._paces.answered(route, response.headers, now)
        if 200 <= response.status < 300:
            return answer
        error = refused(response.status, answer, response.headers.get("Retry-After", ""))
        if isinstance(error, SlowDown):
            self._paces.slowed(route, error, now)
        raise error

    # --- files ------------------------------------------------------------------------------------------

    async def download(self, url: str) -> AsyncIterator[bytes]:
        """Yield what stands at the address of a file, in pieces of at most 1 MiB."""
        if not self._is_file(url):
            raise Undeliverable("Discord says that the file lies somewhere else.")
        async with self._sent("GET", url, {}, None) as response:
            if response.status in (403, 404):
                raise Undeliverable("Discord no longer has this file.")
            if response.status != 200:
                raise PlatformAway(f"Discord has trouble (status {response.status}).")
            async for piece in response.content.iter_chunked(2**20):
                yield piece

    def _is_file(self, url: str) -> bool:
        try:
            found = urlsplit(url)
            hosted = found.scheme == "https" and found.hostname in _FILES and found.port in (None, 443)
        except ValueError:
            return False
        return (hosted and "@" not in found.netloc) or (self._own and url.startswith(f"{self._api}/"))

    # --- the gateway ------------------------------------------------------------------------------------

    def trusted(self, url: str) -> str:
        """Return a gateway's address, or "" for one that is neither Discord's nor that of `api_url`."""
        try:
            found = urlsplit(url)
            host, port = found.hostname or "", found.port
        except ValueError:
            return ""
        if "@" in found.netloc:
            return ""
        if found.scheme == "wss" and port in (None, 443) and (host == _GATEWAY or host.endswith(f".{_GATEWAY}")):
            return f"wss://{host}"
        own = urlsplit(self._api)
        scheme = "wss" if own.scheme == "https" else "ws"
        if self._own and found.scheme == scheme and found.netloc == own.netloc:
            return f"{scheme}://{own.netloc}"
        return ""

    async def socket(self, url: str) -> aiohttp.ClientWebSocketResponse:
        """Return a WebSocket to a gateway that is `trusted`. A text is `DISCORD_FRAME` bytes at most."""
        with _telling():
            return await self._open().ws_connect(
                f"{url}/?v=10&encoding=json",
                proxy=self._proxy,
                autoping=True,
                autoclose=True,
                max_msg_size=limits.DISCORD_FRAME + 1,  # the library refuses what is as long
                timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
            )

    # --- one request ------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _sent(
        self, method: str, url: str, headers: dict[str, str], data: bytes | aiohttp.FormData | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        with _telling():
            async with self._open().request(
                method, url, headers=headers, data=data, proxy=self._proxy, allow_redirects=False
            ) as response:
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise PlatformAway("Discord's answer was compressed, which nobody asked for.")
                yield response

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self._tls, limit=limits.DISCORD_CONNECTIONS, keepalive_timeout=limits.DISCORD_IDLE
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": _AGENT, "Accept-Encoding": "identity"},
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(
                    total=limits.DISCORD_CALL_TIME,
                    sock_connect=limits.DISCORD_CONNECT,
                    sock_read=limits.DISCORD_ANSWER_TIME,
                ),
            )
        return self._session


@contextmanager
def _telling() -> Iterator[None]:
    """Turn the library's errors into those of the port; they quote addresses and what was said."""
    try:
        yield
    except TimeoutError:
        raise PlatformAway("Discord did not answer in time.") from None
    except (aiohttp.ClientError, OSError, ValueError):
        raise PlatformAway("Discord cannot be reached.") from None


def _object(body: bytes, type_: type[T]) -> T:
    found = decoded(body, type_)
    if found is None:
        raise PlatformAway("Discord answered in a form that is not its own.")
    return found


def _form(body: object, file: Upload) -> aiohttp.FormData:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("payload_json", msgspec.json.encode(body).decode(), content_type="application/json")
    form.add_field("files[0]", io.BytesIO(file.data), filename=file.name, content_type=file.media_type)
    return form


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_chunked(2**16):
        body += piece
        if len(body) > limits.DISCORD_ANSWER:
            raise PlatformAway("Discord's answer was too long.")
    return bytes(body)
