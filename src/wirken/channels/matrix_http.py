"""Requests to a homeserver (client-server API), with bounds on what comes back and a login that mends itself."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from wirken.channels.lean import without
from wirken.channels.matrix_errors import NOT_FOUND, UNKNOWN_TOKEN, Answered, NoAnswer, refused_login
from wirken.domain import channel_limits as limits
from wirken.domain.secret import Secret

with without("click", "rich", "pygments"):
    import httpx2

T = TypeVar("T")

_CLIENT: Final = "/_matrix/client/v3"
_MEDIA: Final = "/_matrix/client/v1/media"
_OLD_MEDIA: Final = "/_matrix/media/v3"


class _Refusal(msgspec.Struct):
    errcode: str = ""
    retry_after_ms: float = 0.0


class _LoggedIn(msgspec.Struct):
    user_id: str
    device_id: str
    access_token: str


class _Uploaded(msgspec.Struct):
    content_uri: str


def client(proxy: str, ca_file: str) -> httpx2.AsyncClient:
    """Return an HTTP client that goes through `proxy` if there is one, and believes `ca_file`, or the system."""
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.ERROR)  # they tell addresses at lower levels: rooms are in them
    return httpx2.AsyncClient(
        verify=ssl.create_default_context(cafile=ca_file or None),
        proxy=proxy or None,
        trust_env=False,
        limits=httpx2.Limits(
            max_connections=limits.MATRIX_CONNECTIONS,
            max_keepalive_connections=limits.MATRIX_CONNECTIONS,
            keepalive_expiry=limits.MATRIX_IDLE,
        ),
        headers={"Accept-Encoding": "identity", "User-Agent": "Wirken"},
    )


def path(*parts: str) -> str:
    """Return a path below the client API; each part is one step of it, whatever it contains."""
    return _CLIENT + "".join(f"/{quote(part, safe='')}" for part in parts)


class Wire:
    """Carries calls. Raises `Answered` and `NoAnswer`, and what `refused_login` makes of a login that is refused."""

    def __init__(self, http: httpx2.AsyncClient, homeserver: str, user: str, password: Secret) -> None:
        self._http, self._home, self._user, self._password = http, homeserver, user, password
        self._token = Secret(b"")
        self.logins = 0
        """How often; after each the homeserver may have forgotten the device's keys."""
        self._login = asyncio.Lock()
        self.device = ""
        """The device's id; empty before the first login of all, in which the homeserver gives one."""

    async def close(self) -> None:
        await self._http.aclose()

    async def log_in(self) -> str:
        """Log in as the device; return the user id in the homeserver's own writing."""
        asked = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self._user},
            "password": self._password.reveal().decode(),
            "initial_device_display_name": "Wirken",
        }
        if self.device:
            asked["device_id"] = self.device
        try:
            answer = await self._once("POST", path("login"), asked, limits.MATRIX_ANSWER_TIME, token=False)
        except Answered as told:
            raise refused_login(told) from None
        known = read(answer, _LoggedIn)
        self._token, self.device = Secret(known.access_token.encode()), known.device_id
        self.logins += 1
        return known.user_id

    async def call(
        self,
        method: str,
        where: str,
        content: Mapping[str, object] | None = None,
        *,
        waits: float = limits.MATRIX_ANSWER_TIME,
    ) -> bytes:
        """Return the body of a success. A token that is no longer known is replaced once, by the password."""
        before = self.logins
        try:
            return await self._once(method, where, content, waits)
        except Answered as told:
            if told.code not in UNKNOWN_TOKEN:
                raise
        async with self._login:
            if self.logins == before:
                await self.log_in()
        return await self._once(method, where, content, waits)

    async def _once(
        self, method: str, where: str, content: Mapping[str, object] | None, waits: float, *, token: bool = True
    ) -> bytes:
        body = None if content is None else msgspec.json.encode(content)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        async with self._sent(method, where, waits, headers, body, token=token) as response:
            return await _bounded(response)

    # --- files ------------------------------------------------------------------------------------------

    async def upload(self, data: bytes, media_type: str) -> str:
        """Return the `mxc://` address of an uploaded file."""
        headers = {"Content-Type": media_type}
        async with self._sent("POST", f"{_OLD_MEDIA}/upload", limits.MATRIX_WRITE_TIME, headers, data) as response:
            return read(await _bounded(response), _Uploaded).content_uri

    async def download(self, server: str, media: str) -> AsyncGenerator[bytes, None]:
        """Yield a file, in pieces of at most 1 MiB; from an older homeserver where it has no newer address."""
        place = f"/download/{quote(server, safe='')}/{quote(media, safe='')}"
        try:
            async for piece in self._pieces(f"{_MEDIA}{place}"):
                yield piece
        except Answered as told:
            if told.status != NOT_FOUND or told.code == "M_NOT_FOUND":
                raise
            async for piece in self._pieces(f"{_OLD_MEDIA}{place}"):
                yield piece

    async def _pieces(self, where: str) -> AsyncIterator[bytes]:
        async with self._sent("GET", where, limits.MATRIX_ANSWER_TIME, {}, None) as response:
            async for piece in response.aiter_raw(2**20):
                yield piece

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        where: str,
        waits: float,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        token: bool = True,
    ) -> AsyncIterator[httpx2.Response]:
        """Give the response of a success."""
        patience = httpx2.Timeout(
            connect=limits.MATRIX_CONNECT,
            read=waits,
            write=limits.MATRIX_WRITE_TIME,
            pool=limits.MATRIX_WRITE_TIME,
        )
        if token and self._token:
            headers = {**headers, "Authorization": f"Bearer {self._token.reveal().decode()}"}
        asked = self._http.stream(method, self._home + where, headers=headers, content=body, timeout=patience)
        try:
            async with asked as response:
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise NoAnswer("The homeserver's answer was compressed, which nobody asked for.")
                if not response.is_success:
                    raise _refused(response.status_code, await _bounded(response), response.headers)
                yield response
        except httpx2.TimeoutException:
            raise NoAnswer("The homeserver did not answer in time.") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError):
            raise NoAnswer("The homeserver cannot be reached.") from None


def read(body: bytes, kind: type[T]) -> T:
    """Return an answer as what it has to be. Raises `NoAnswer`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise NoAnswer("The homeserver answered in a form that is none of Matrix's.") from None


async def _bounded(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > limits.MATRIX_ANSWER:
            raise NoAnswer("The homeserver's answer was too long.")
    return bytes(body)


def _refused(status: int, body: bytes, headers: Mapping[str, str]) -> Answered:
    """Only a homeserver itself refuses a token or a message; whoever else stands in the way names no code."""
    try:
        told = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return Answered(status, "")
    after = headers.get("Retry-After", "")
    seconds = float(after) if after.isascii() and after.isdigit() else told.retry_after_ms / 1000
    return Answered(status, told.errcode, seconds)
