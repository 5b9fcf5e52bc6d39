"""One HTTP request to addresses that were judged: loaded with the first tool call that makes one.

The library gets no say in where a name leads, follows no redirect, keeps no cookie and obeys no environment.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import httpcore2

from wirken import __version__
from wirken.domain import relay_limits, request_limits
from wirken.outbound.fetching import Answer, FetchFailed, Wanted
from wirken.outbound.resolve import Address

Trust: TypeAlias = Callable[[], ssl.SSLContext]

_OWN: Final = (
    (b"User-Agent", f"wirken/{__version__}".encode()),
    (b"Accept-Encoding", b"identity"),  # nothing to decompress, so nothing that could explode
)
_SOCKET_OPTIONS: TypeAlias = Iterable[httpcore2.SOCKET_OPTION] | None


def system_trust() -> ssl.SSLContext:
    """Return a context with the system's certificate authorities and TLS 1.2 at least."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def fetch(wanted: Wanted, trust: Trust = system_trust, patience: float = request_limits.REQUEST_TIME) -> Answer:
    """Make one request over a connection of its own, within `patience` seconds. Raises `FetchFailed`."""
    context = trust() if wanted.scheme == "https" else None
    backend = _Judged(wanted.addresses)
    pool = httpcore2.AsyncConnectionPool(
        ssl_context=context, network_backend=backend, max_connections=1, http1=True, http2=False
    )
    try:
        async with asyncio.timeout(patience), pool:
            return replace(await _answered(pool, wanted), address=backend.taken)
    except TimeoutError:
        raise FetchFailed(f"{wanted.host} did not answer completely within {patience:.0f} s.") from None
    except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
        raise FetchFailed(f"{wanted.host}: {_no_connection(error)}") from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as error:
        raise FetchFailed(f"{wanted.host} broke the connection or does not speak HTTP: {_words(error)}.") from None


async def _answered(pool: httpcore2.AsyncConnectionPool, wanted: Wanted) -> Answer:
    named = {name.lower() for name, _ in wanted.headers}
    headers = [*((name, value) for name, value in _OWN if name.lower() not in named), *wanted.headers]
    url = httpcore2.URL(
        scheme=wanted.scheme.encode(), host=wanted.host.encode(), port=wanted.port, target=wanted.path.encode()
    )
    content = wanted.body if wanted.body or wanted.method in ("POST", "PUT", "PATCH") else None
    async with pool.stream(wanted.method, url, headers=headers, content=content) as response:
        body, cut = bytearray(), False
        async for piece in response.aiter_stream():
            body += piece
            if len(body) > request_limits.RESPONSE_BODY:
                cut = True
                del body[request_limits.RESPONSE_BODY :]
                break
        kept: dict[str, str] = {}
        for name, value in response.headers:
            kept.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        reason = response.extensions.get("reason_phrase", b"")
        return Answer(response.status, bytes(reason).decode("latin-1"), kept, bytes(body), cut)


class _Judged(httpcore2.AsyncNetworkBackend):
    """Connects to given addresses, whatever name the library asks for. TLS still proves the name."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses
        self._backend = httpcore2.AnyIOBackend()
        self.taken = ""
        """The address that took the connection."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the library's port has it
        local_address: str | None = None,
        socket_options: _SOCKET_OPTIONS = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception = httpcore2.ConnectError("no address")
        for address in self._addresses[: relay_limits.REACH_TRIES]:
            try:
                stream = await self._backend.connect_tcp(str(address), port, relay_limits.REACH_TIME)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                self.taken = str(address)
                return stream
        raise failure

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _no_connection(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "it could not prove that it is this host (certificate)."
        if isinstance(cause, ssl.SSLError):
            return "it does not speak TLS as it should."
        cause = cause.__cause__ or cause.__context__
    return "none of its addresses takes a connection."


def _words(error: BaseException) -> str:
    return type(error).__name__
