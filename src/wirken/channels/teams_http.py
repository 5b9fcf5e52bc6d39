"""The way to Microsoft: one HTTP client with bounds on what comes back, whose errors quote nothing that came."""

from __future__ import annotations

import http.cookiejar
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx2

from wirken.channels.contract import PlatformAway
from wirken.domain import channel_limits as limits

_FORBIDDEN: Final = "403"
"""How the way out answers for a host that is in no row of ours; the client begins its error with it."""


class Answered(Exception):
    """Somebody answered with a status other than success."""

    def __init__(self, status: int, body: bytes, retry_after: float) -> None:
        super().__init__("refused")
        self.status: Final = status
        self.body: Final = body
        self.retry_after: Final = retry_after


class NotAllowed(PlatformAway):
    """The way out leads to no such host: none of this channel's, and the operator named it nowhere."""


class Wire:
    """Follows no redirect, keeps no cookie, obeys no environment. Raises `Answered` and errors of the port."""

    def __init__(self, proxy: str, ca_file: str) -> None:
        for name in ("httpx2", "httpcore2", "h11"):
            logging.getLogger(name).setLevel(logging.ERROR)  # at lower levels they tell headers: our token is in them
        self._http = httpx2.AsyncClient(
            verify=ssl.create_default_context(cafile=ca_file or None),
            proxy=proxy or None,
            trust_env=False,
            follow_redirects=False,
            cookies=http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[])),
            limits=httpx2.Limits(
                max_connections=limits.TEAMS_CONNECTIONS,
                max_keepalive_connections=limits.TEAMS_CONNECTIONS,
                keepalive_expiry=limits.TEAMS_IDLE,
            ),
            timeout=httpx2.Timeout(
                connect=limits.TEAMS_CONNECT,
                read=limits.TEAMS_ANSWER_TIME,
                write=limits.TEAMS_WRITE_TIME,
                pool=limits.TEAMS_WRITE_TIME,
            ),
            headers={"Accept-Encoding": "identity", "User-Agent": "Wirken"},
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
        """Return what is answered, whole."""
        async with self._sent(method, url, headers, body) as response:
            return await _bounded(response)

    async def download(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Yield what stands at `url`, in pieces of at most 1 MiB, without end if the other side has none."""
        async with self._sent("GET", url, headers) as response:
            async for piece in response.aiter_raw(2**20):
                yield piece

    @asynccontextmanager
    async def _sent(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> AsyncIterator[httpx2.Response]:
        try:
            async with self._http.stream(method, url, headers=headers, content=body or None) as response:
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise PlatformAway("Microsoft's answer was compressed, which nobody asked for.")
                if not response.is_success:
                    raise Answered(response.status_code, await _bounded(response), _pause(response))
                yield response
        except httpx2.TimeoutException:
            raise PlatformAway("Microsoft did not answer in time.") from None
        except httpx2.ProxyError as error:
            if str(error).startswith(_FORBIDDEN):
                raise NotAllowed("This channel may not reach that host.") from None
            raise PlatformAway("Microsoft cannot be reached.") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError):
            raise PlatformAway("Microsoft cannot be reached.") from None


async def _bounded(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > limits.TEAMS_ANSWER:
            raise PlatformAway("Microsoft's answer was too long.")
    return bytes(body)


def _pause(response: httpx2.Response) -> float:
    """Return the seconds of `Retry-After`, 0 where it says none (RFC 9110, 10.2.3; a date is none)."""
    said = response.headers.get("Retry-After", "").strip()
    return float(said) if said.isascii() and said.isdigit() and len(said) <= 6 else 0.0
