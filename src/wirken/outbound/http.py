"""HTTP towards one provider: the only file that knows httpx2, loaded when the first question needs it."""

from __future__ import annotations

import asyncio
import errno
import http.cookiejar
import logging
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Final

import httpx2

from wirken import __version__
from wirken.domain import limits
from wirken.domain.secret import Secret
from wirken.outbound.endpoint import Endpoint
from wirken.outbound.failures import (
    BadCertificate,
    BrokenStream,
    ModelFailure,
    TookTooLong,
    Unreachable,
    Where,
    WrongKey,
)
from wirken.outbound.statuses import failure

_HEADERS: Final = {
    "User-Agent": f"wirken/{__version__}",
    "Accept-Encoding": "identity",  # nothing to decompress, so nothing that could explode
}


class Client:
    """Keeps the connections to one provider. Follows no redirect, keeps no cookie, obeys no environment."""

    def __init__(self, endpoint: Endpoint, connect_time: float) -> None:
        _quiet()
        self._url = endpoint.url
        self._http = httpx2.AsyncClient(
            headers=_HEADERS,
            cookies=http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[])),
            verify=_trust(endpoint),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(None, connect=connect_time),
            limits=httpx2.Limits(
                max_connections=limits.MODEL_CONNECTIONS,
                max_keepalive_connections=limits.MODEL_CONNECTIONS,
                keepalive_expiry=limits.MODEL_IDLE,
            ),
        )

    @asynccontextmanager
    async def ask(
        self, method: str, path: str, body: bytes, key: Secret | None, where: Where
    ) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        """Send one request; yield the answer's content type and its body as it comes.

        Any status but 200 is raised as the `ModelFailure` it means, and so is everything that goes wrong on
        the way. Leaving the block early closes the connection. Time is the caller's to measure.
        """
        headers = {"Content-Type": "application/json"} if body else {}
        if key is not None:
            headers["Authorization"] = _bearer(key, where)
        with _as_failures(where):
            request = self._http.build_request(method, self._url + path, content=body or None, headers=headers)
            response = await self._http.send(request, stream=True)
            try:
                if response.status_code != 200:
                    page = await _beginning(response)
                    raise failure(response.status_code, response.headers, page, where)
                kind = response.headers.get("content-type", "").lower()
                async with aclosing(_body(response, where)) as pieces:
                    yield kind, pieces
            finally:
                await response.aclose()

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()


def _bearer(key: Secret, where: Where) -> str:
    """Return the Authorization header (RFC 6750). Raises `WrongKey` for what no header can carry."""
    token = key.reveal().decode("latin-1").strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise WrongKey(
            f"The credential of {where.provider} has characters that no key has.",
            hint="Store the key again with `wirken credentials rotate`; nothing but the key.",
        )
    return f"Bearer {token}"


async def _body(response: httpx2.Response, where: Where) -> AsyncGenerator[bytes, None]:
    """Yield the body as it comes. A connection that breaks here is a `BrokenStream`."""
    with _as_failures(where, begun=True):
        async for piece in response.aiter_raw():
            yield piece


async def _beginning(response: httpx2.Response) -> bytes:
    """Return at most `limits.MODEL_ERROR` bytes of an error's body."""
    page = b""
    try:
        async with asyncio.timeout(limits.PROVIDER_STATUS), aclosing(response.aiter_raw()) as pieces:
            async for piece in pieces:
                page += piece
                if len(page) > limits.MODEL_ERROR:
                    return page[: limits.MODEL_ERROR]
    except (httpx2.HTTPError, TimeoutError):
        return page
    return page


@contextmanager
def _as_failures(where: Where, *, begun: bool = False) -> Iterator[None]:
    """Turn httpx2's errors into ours. `begun`: a part of the answer was there."""
    try:
        yield
    except httpx2.ConnectTimeout as error:
        raise Unreachable(f"{where.provider} at {where.origin} does not answer (time-out).") from error
    except httpx2.ConnectError as error:
        raise _no_connection(error, where) from error
    except httpx2.TimeoutException as error:
        raise TookTooLong(f"{where.provider} took too long to take the question.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
        if begun:
            raise BrokenStream(f"The connection to {where.provider} broke in the middle of the answer.") from error
        raise Unreachable(f"{where.provider} at {where.origin} closed the connection without an answer.") from error


def _no_connection(error: BaseException, where: Where) -> ModelFailure:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return BadCertificate(f"{where.origin} could not prove that it is {where.provider} (certificate).")
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return Unreachable(f"{where.origin} does not speak TLS as it should.")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Unreachable(f"The name of {where.provider} cannot be resolved ({where.origin}).")
    refused = any(isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED for cause in causes)
    if refused and where.kind == "ollama":
        return Unreachable(
            f"Ollama is not running at {where.origin} (connection refused).",
            hint="Start it with `ollama serve` or `systemctl start ollama`; get it from https://ollama.com.",
        )
    if refused:
        return Unreachable(
            f"Nothing listens at {where.origin} (connection refused).",
            hint=f"Start the server of {where.provider}, or correct its `base_url` in config.toml.",
        )
    return Unreachable(f"{where.provider} at {where.origin} cannot be reached.")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what it was raised from, and the members of groups."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _causes(member)
        error = error.__cause__ or error.__context__


def _trust(endpoint: Endpoint) -> ssl.SSLContext:
    """Return the system's CAs for https; for plain http on this machine a context that trusts nobody."""
    if not endpoint.tls:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = httpx2.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # openssl.cnf, which sets it elsewhere, is not in our view
    return context


def _quiet() -> None:
    """Keep the libraries' own logs shut: they print addresses and headers, and nothing scrubs them."""
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
