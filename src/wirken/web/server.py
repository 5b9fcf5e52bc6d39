"""HTTP over the inherited listeners: uvicorn's protocol, after a look at the peer's uid."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from wirken.domain import limits
from wirken.domain.clock import Clock
from wirken.web.guard import HEADERS
from wirken.web.peeruid import End
from wirken.web.stream import ABORT

UidOf = Callable[[End, End], int | None]

_BODY: Final = (
    b'{"error":"This connection comes from another user of this machine.",'
    b'"hint":"Only the user who started Wirken may open the page."}'
)
_LINES: Final = (
    b"HTTP/1.1 403 Forbidden",
    b"content-type: application/json",
    b"content-length: %d" % len(_BODY),
    b"connection: close",
    *(name + b": " + value for name, value in HEADERS),
)
REFUSAL: Final = b"\r\n".join(_LINES) + b"\r\n\r\n" + _BODY


class Admission:
    """Decides once per connection whether its peer is one of `uids`; logs refusals, but no flood of them.

    There is no way to switch it off: `uid_of` answers None where it cannot tell, and that refuses.
    """

    def __init__(self, uid_of: UidOf, uids: frozenset[int], clock: Clock, say: Callable[[str], None]) -> None:
        self._uid_of: Final = uid_of
        self._uids: Final = uids
        self._clock: Final = clock
        self._say: Final = say
        self._said = float("-inf")
        self.refused = 0

    def admits(self, peer: End, ours: End) -> bool:
        uid = self._uid_of(peer, ours)
        if uid is not None and uid in self._uids:
            return True
        self.refused += 1
        now = self._clock.monotonic()
        if now - self._said >= limits.PAGE_REFUSED_LINES:
            self._said = now
            who = "an unknown user" if uid is None else f"uid {uid}"
            self._say(f"refused a connection from {who}, port {peer.port} ({self.refused} so far)")
        return False


class _PageProtocol(H11Protocol):
    """One connection. A refused one is told so and its bytes are dropped unread."""

    def __init__(self, config: Config, state: ServerState, admission: Admission) -> None:
        super().__init__(config, state, {})
        self._admission: Final = admission
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        self.app_state[ABORT] = transport.abort
        if self._admission.admits(_end(transport, "peername"), _end(transport, "sockname")):
            return
        self._refused = True
        transport.write(REFUSAL)
        with contextlib.suppress(OSError):  # who connects and leaves at once has no end to close any more
            transport.write_eof()
        self.loop.call_later(limits.PAGE_REFUSED, transport.abort)

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)


def _end(transport: asyncio.Transport, name: str) -> End:
    address = transport.get_extra_info(name)
    # A peer that is gone already has no name; the empty one is in no table.
    return End(str(address[0]), int(address[1])) if address else End("", 0)


class PageServer:
    """Serves an ASGI application on listening TCP sockets."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._config: Final = Config(
            app,
            http=H11Protocol,
            loop="none",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=int(limits.PAGE_KEEP_ALIVE),
        )
        self._config.load()
        self._admission: Final = admission
        self._state: Final = ServerState()
        self._servers: Final[list[asyncio.Server]] = []

    async def listen(self, listeners: list[socket.socket]) -> None:
        """Start to accept on sockets that are bound and listening already."""
        loop = asyncio.get_running_loop()
        for listener in listeners:
            listener.setblocking(False)
            server = await loop.create_server(
                lambda: _PageProtocol(self._config, self._state, self._admission), sock=listener
            )
            self._servers.append(server)

    async def stop(self) -> None:
        """Accept no more, let answers end for `limits.PAGE_ENDING`, then drop what is left."""
        for server in self._servers:
            server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=limits.PAGE_ENDING)
        for connection in list(self._state.connections):
            connection.transport.abort()
