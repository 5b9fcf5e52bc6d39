"""Meets whoever connects: kernel uid, handshake, and then a receiver that fits the proven role."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from wirken.domain import limits, pace_limits
from wirken.domain.errors import WirkenError
from wirken.domain.events import PeerRefused, Trust
from wirken.domain.ids import RoleName
from wirken.domain.text import shown
from wirken.gateway.operations import Operations
from wirken.ipc import handshake, peer
from wirken.ipc.calls.vault import KeyReply, PeerKey
from wirken.ipc.lifeline import Lifeline
from wirken.ipc.link import Link, Receiver
from wirken.ipc.lockout import Lockout
from wirken.ipc.pace import Pace

_log: Final = logging.getLogger("wirken.gateway")
OPERATOR: Final = RoleName("operator")

Strangers: TypeAlias = dict[asyncio.Task[None], None]
"""Meetings whose peer has not proved anything yet, in the order in which they came."""

ReceiverFor = Callable[[RoleName], Receiver]
"""Gives what stands behind a link of a role. Raises `ProtocolError` for a role that has no business here."""


@dataclass(slots=True)
class Door:
    """Two listeners: `gateway.sock` for wings and channels, `operator.sock` for the owner's terminals.

    On the first the peer proves its role with the key that the vault registered. The second lies in no
    process's view, and the kernel's word on the uid is the proof (docs/adr/0003).
    """

    operations: Operations
    lifeline: Lifeline
    seed: handshake.Identity
    lockout: Lockout
    owner_uid: int
    own_uid: int
    receiver_for: ReceiverFor
    welcome: Callable[[Link], Awaitable[None]]
    _meeting: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, listener: socket.socket, *, operators: bool) -> None:
        """Accept until cancelled; each meeting is a task, so that a slow stranger holds up nobody."""
        listener.setblocking(False)
        loop = asyncio.get_running_loop()
        places = asyncio.Semaphore(limits.CONNECTIONS)  # of this listener: a crowd at one door leaves the other free
        pace = Pace(pace_limits.DOOR_CALLERS, pace_limits.DOOR_BURST)
        strangers: Strangers = {}
        while True:
            sock, _ = await loop.sock_accept(listener)
            await asyncio.sleep(pace.took(1, loop.time()))
            if places.locked() and strangers:
                next(iter(strangers)).cancel()  # who has not proved anything for longest; a handshake takes 3 ms
            elif places.locked():
                peer.close_quietly(sock)
                continue
            await places.acquire()
            self._begin(sock, places, strangers, operators=operators)

    def _begin(self, sock: socket.socket, places: asyncio.Semaphore, strangers: Strangers, *, operators: bool) -> None:
        def proven() -> None:
            del strangers[task]

        task = asyncio.get_running_loop().create_task(self._meet(sock, proven, operators=operators))

        def ended(_: asyncio.Task[None]) -> None:
            self._meeting.discard(task)
            if task in strangers:
                del strangers[task]
                peer.close_quietly(sock)
            places.release()

        strangers[task] = None
        self._meeting.add(task)
        task.add_done_callback(ended)

    async def _meet(self, sock: socket.socket, proven: Callable[[], None], *, operators: bool) -> None:
        """Let a peer in, and stay until its link is closed. `proven` is called once it is known who that is."""
        sock.setblocking(False)
        socket_name = "operator.sock" if operators else "gateway.sock"
        try:
            role = await self._role(sock, operators=operators)
            receiver = self.receiver_for(role)
        except (WirkenError, OSError) as error:
            peer.close_quietly(sock)
            await self._refused(socket_name, str(error))
            return
        proven()
        link = peer.adopt(sock, role, receiver)
        await self.welcome(link)
        await link.closed.wait()

    async def _role(self, sock: socket.socket, *, operators: bool) -> RoleName:
        uid = peer.credentials(sock).uid
        if uid not in ({self.owner_uid} if operators else {self.own_uid}):
            raise peer.StrangerRefused(f"A process of uid {uid} tried to connect.")
        if operators:
            return OPERATOR
        return await peer.meet(sock, self.seed.seed, self._key_of, self.lockout)

    async def _key_of(self, role: RoleName) -> bytes:
        return (await self.lifeline.vault.call(PeerKey(role), KeyReply)).key

    async def _refused(self, socket_name: str, reason: str) -> None:
        if not self.lockout.worth_a_row():
            return
        _log.warning("refused a connection on %s: %s", socket_name, reason)
        await self.operations.record((Trust.GATEWAY, PeerRefused(peer=socket_name, reason=shown(reason))))
        await self.operations.attest()
