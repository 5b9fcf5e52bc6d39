"""The way to the Bot API: the transport that python-telegram-bot is given, with bounds on what comes back."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import IO, Final

import msgspec

from wirken.channels.lean import without
from wirken.channels.telegram_errors import Answered, NoAnswer
from wirken.channels.telegram_types import Id, Nonsense, Update, updates
from wirken.domain import channel_limits as limits

with without("click", "rich", "pygments"):
    import httpx  # noqa: TID251  # python-telegram-bot loads it anyway; a second client would cost 7 MB more
from telegram.request import BaseRequest, RequestData

_NOTHING_CAME: Final = b'{"ok":true,"result":[]}'


class _Parameters(msgspec.Struct):
    retry_after: float = 0.0
    migrate_to_chat_id: Id = 0


class _Refusal(msgspec.Struct):
    ok: bool
    description: str = ""
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)


def client(proxy: str, ca_file: str) -> httpx.AsyncClient:
    """Return an HTTP client that goes through `proxy` if there is one, and believes `ca_file`, or the system."""
    for name in ("httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.ERROR)  # they tell addresses at lower levels: the token is in them
    return httpx.AsyncClient(
        verify=ssl.create_default_context(cafile=ca_file or None),
        proxy=proxy or None,
        trust_env=False,
        limits=httpx.Limits(
            max_connections=limits.TELEGRAM_CONNECTIONS,
            max_keepalive_connections=limits.TELEGRAM_CONNECTIONS,
            keepalive_expiry=limits.TELEGRAM_IDLE,
        ),
        headers={"Accept-Encoding": "identity", "User-Agent": "Wirken"},
    )


class Wire(BaseRequest):
    """Carries the library's calls. Raises `Answered` and `NoAnswer`, whose messages quote nothing that came."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    @property
    def read_timeout(self) -> float:
        return limits.TELEGRAM_ANSWER_TIME

    async def initialize(self) -> None:
        """Be ready; it is."""

    async def shutdown(self) -> None:
        await self._http.aclose()

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, object]:
        """Return the JSON of an answer; unlike the library's own, log nothing and bound the nesting."""
        try:
            return msgspec.json.decode(payload, type=dict[str, object])
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise NoAnswer("Telegram's answer was no JSON.") from None

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: object = None,
        write_timeout: object = None,
        connect_timeout: object = None,
        pool_timeout: object = None,
    ) -> tuple[int, bytes]:
        """Return status and body of a success. Only a poll brings a `read_timeout` of its own; the rest are ours."""
        waits = read_timeout if isinstance(read_timeout, int | float) else limits.TELEGRAM_ANSWER_TIME
        files = request_data.multipart_data if request_data else None
        data = request_data.json_parameters if request_data else None
        async with self._sent(method, url, waits, data, files) as response:
            body = await _bounded(response)
        if not response.is_success:
            raise _refused(response.status_code, body)
        return response.status_code, self._came(body)

    def _came(self, body: bytes) -> bytes:
        return body

    async def download(self, url: str) -> AsyncIterator[bytes]:
        """Yield what stands at `url`, in pieces of at most 1 MiB, without end if the other side has none."""
        async with self._sent("GET", url, limits.TELEGRAM_ANSWER_TIME) as response:
            if not response.is_success:
                raise _refused(response.status_code, await _bounded(response))
            async for piece in response.aiter_raw(2**20):
                yield piece

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        url: str,
        waits: float,
        data: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes | IO[bytes], str]] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        patience = httpx.Timeout(
            connect=limits.TELEGRAM_CONNECT,
            read=waits,
            write=limits.TELEGRAM_WRITE_TIME,
            pool=limits.TELEGRAM_WRITE_TIME,
        )
        try:
            async with self._http.stream(method, url, data=data, files=files or None, timeout=patience) as response:
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise NoAnswer("Telegram's answer was compressed, which nobody asked for.")
                yield response
        except httpx.TimeoutException:
            raise NoAnswer("Telegram did not answer in time.") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError):
            raise NoAnswer("Telegram cannot be reached.") from None


class Polls(Wire):
    """Carries `getUpdates` alone, and keeps what came: the library's own reading of updates checks no types."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        super().__init__(http)
        self._updates: list[Update] = []

    def _came(self, body: bytes) -> bytes:
        try:
            self._updates = updates(body)
        except Nonsense:
            raise NoAnswer("Telegram's answer to a poll makes no sense.") from None
        return _NOTHING_CAME

    def take(self) -> list[Update]:
        """Return what the last poll brought, once."""
        came, self._updates = self._updates, []
        return came


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > limits.TELEGRAM_ANSWER:
            raise NoAnswer("Telegram's answer was too long.")
    return bytes(body)


def _refused(status: int, body: bytes) -> Answered | NoAnswer:
    """Only the Bot API itself refuses a token or a message; whoever else stands in the way is trouble on the way."""
    try:
        told = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return NoAnswer(f"Telegram has trouble (status {status}).")
    return Answered(status, told.description, told.parameters.retry_after, told.parameters.migrate_to_chat_id)
