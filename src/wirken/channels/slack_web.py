"""The way to Slack: the Web client of slack-sdk over a transport of ours, with bounds on what comes back."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypedDict
from urllib.parse import urlsplit

import msgspec

from wirken.channels.contract import Undeliverable
from wirken.channels.lean import without
from wirken.channels.slack_errors import Answered, NoAnswer, pause
from wirken.domain import channel_limits as limits

with without("aiodns", "brotli", "brotlicffi", "zstandard", "uvloop"):
    import aiohttp
    from slack_sdk.web.async_client import AsyncWebClient

_HOSTS: Final = re.compile(r"([a-z0-9-]+\.)*(slack\.com|slack-files\.com)")
_OK: Final = 200
_FAMILY: Final = 100
_PIECE: Final = 2**20


class _Told(msgspec.Struct):
    ok: bool
    error: str = ""


class _Sent(TypedDict, total=False):
    """What a request carries."""

    headers: dict[str, str]
    params: dict[str, str] | None
    json: dict[str, object] | None
    data: AsyncIterator[bytes]
    timeout: aiohttp.ClientTimeout


class Wire(AsyncWebClient):
    """Carries the library's calls. Raises `Answered` and `NoAnswer`, whose messages quote nothing that came."""

    def __init__(self, token: str, api: str, proxy: str, ca_file: str) -> None:
        for name in ("slack_sdk", "aiohttp", "aiohttp.client", "aiohttp.websocket"):
            logging.getLogger(name).setLevel(logging.ERROR)  # they tell requests at lower levels
        super().__init__(token, f"{api}/", retry_handlers=[])
        self.proxy = proxy or None  # the library would ask the environment
        self._own = urlsplit(api)
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=limits.SLACK_CONNECTIONS,
                keepalive_timeout=limits.SLACK_IDLE,
                ssl=ssl.create_default_context(cafile=ca_file or None),
                resolver=aiohttp.ThreadedResolver(),  # nothing is resolved here: the proxy is an address
            ),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=limits.SLACK_CONNECT, sock_read=limits.SLACK_ANSWER_TIME
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.close()

    async def _request(self, *, http_verb: str, api_url: str, req_args: _Sent) -> dict[str, object]:
        """Return what the library makes its answer of. `ok: false` is raised here, before it would be quoted."""
        kept = _Sent(headers=req_args["headers"], params=req_args.get("params"), json=req_args.get("json"))
        async with self._sent(http_verb, api_url, kept) as response:
            body = await _bounded(response)
        try:
            told = msgspec.json.decode(body, type=_Told)
            data = msgspec.json.decode(body, type=dict[str, object])
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            raise NoAnswer(f"Slack has trouble (status {response.status}).") from None
        if not told.ok or response.status != _OK:
            raise Answered(response.status, told.error, pause(response.headers))
        return {"data": data, "headers": dict(response.headers), "status_code": response.status}

    async def upload(self, url: str, data: bytes) -> None:
        """Put a file where Slack said that it wants it."""
        self._check(url, ("http", "https"))
        slowly = aiohttp.ClientTimeout(total=limits.SLACK_UPLOAD_TIME, sock_connect=limits.SLACK_CONNECT)
        kept = _Sent(headers={"Content-Length": str(len(data))}, data=_pieces(data), timeout=slowly)
        async with self._sent("POST", url, kept) as response:
            await _bounded(response)
        if response.status != _OK:
            raise Answered(response.status, "", pause(response.headers))

    async def download(self, url: str, media_type: str) -> AsyncIterator[bytes]:
        """Yield what stands at `url`, in pieces of at most 1 MiB, without end if the other side has none.

        Who may not have a file is shown a page to log in (docs.slack.dev, "Working with files").
        """
        self._check(url, ("http", "https"))
        async with self._sent("GET", url, {"headers": {"Authorization": f"Bearer {self.token}"}}) as response:
            if response.status // _FAMILY == 3 or (response.content_type == "text/html" != media_type):
                raise Answered(_OK, "missing_scope")
            if response.status != _OK:
                raise Answered(response.status, "file_not_found", pause(response.headers))
            async for piece in response.content.iter_chunked(_PIECE):
                yield piece

    async def websocket(self, url: str) -> aiohttp.ClientWebSocketResponse:
        """Return a connection for events. The address carries its own right, our tokens do not go there."""
        self._check(url, ("ws", "wss"))
        with _reaching():
            async with asyncio.timeout(limits.SLACK_CONNECT):
                return await self._http.ws_connect(
                    url,
                    proxy=self.proxy,
                    heartbeat=limits.SLACK_HEARTBEAT,
                    max_msg_size=limits.SLACK_ENVELOPE + 1,  # aiohttp wants less than that
                    timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                )

    def _check(self, url: str, schemes: tuple[str, str]) -> None:
        """Let nothing of ours go anywhere but to Slack, or to the server of one's own that is configured."""
        to = urlsplit(url)
        own = to.netloc == self._own.netloc and to.scheme == schemes[self._own.scheme == "https"]
        slack = to.scheme == schemes[1] and _HOSTS.fullmatch(to.netloc) is not None
        if not (own or slack):
            raise Undeliverable("Slack names an address that is none of Slack's.")

    @asynccontextmanager
    async def _sent(self, method: str, url: str, kept: _Sent) -> AsyncIterator[aiohttp.ClientResponse]:
        with _reaching():
            async with self._http.request(method, url, proxy=self.proxy, allow_redirects=False, **kept) as response:
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise NoAnswer("Slack's answer was compressed, which nobody asked for.")
                yield response


@contextmanager
def _reaching() -> Iterator[None]:
    """Turn the transport's errors into `NoAnswer`."""
    try:
        yield
    except TimeoutError:
        raise NoAnswer("Slack did not answer in time.") from None
    except (aiohttp.ClientError, OSError, ValueError):  # an address may be nonsense
        raise NoAnswer("Slack cannot be reached.") from None


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_chunked(_PIECE):
        body += piece
        if len(body) > limits.SLACK_ANSWER:
            raise NoAnswer("Slack's answer was too long.")
    return bytes(body)
