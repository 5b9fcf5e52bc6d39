"""The loop: who may connect, whose turn it is, and that nobody holds up anybody else.

Everything is non-blocking except the work of one answer. A peer that breaks the protocol is told so and
closed; the others notice nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import socket
import struct
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from wirken.domain import limits
from wirken.domain.errors import ProtocolError, Refused, WirkenError
from wirken.domain.ids import RoleName
from wirken.ipc.calls.vault import VaultQuestion
from wirken.ipc.vault_wire import ok_frame, read_question, refusal_frame
from wirken.vault.asks import OPERATOR
from wirken.vault.peer import Peer, PeerGone

_ROLE: Final = re.compile(rb"[a-z0-9][a-z0-9_:-]{0,63}")
_UCRED: Final = struct.Struct("3i")
_RESERVED: Final = frozenset({b"operator", b"vault", b"supervisor"})
"""Names that no pair may bear: the operator comes through its own socket, the others never ask."""


class Answering(Protocol):
    """What gives the answers."""

    def answer(self, role: RoleName, question: VaultQuestion, attached: int | None) -> msgspec.Struct: ...


class StrangerRefused(Refused):
    """The kernel says that the peer runs as another user."""

    hint = "Only the user who started Wirken may ask its vault."


class Server:
    """Serves until the control socket ends. `say` takes one line for the log, free of secrets."""

    def __init__(
        self,
        control: socket.socket,
        operator: socket.socket | None,
        owner_uid: int,
        answers: Answering,
        say: Callable[[str], None],
    ) -> None:
        self._control = control
        self._operator = operator
        self._owner_uid = owner_uid
        self._answers = answers
        self._say = say
        self._selector = selectors.DefaultSelector()
        self._peers: dict[Peer, None] = {}
        self._stopping = False

    def run(self) -> None:
        """Report ready with one byte, then answer until the control socket is closed at its other end."""
        self._control.setblocking(False)
        self._selector.register(self._control, selectors.EVENT_READ, self._new_pair)
        if self._operator is not None:
            self._operator.setblocking(False)
            self._selector.register(self._operator, selectors.EVENT_READ, self._new_operator)
        self._control.send(b"\x01")
        while not self._stopping:
            for key, _ in self._selector.select():
                key.data()
        for peer in tuple(self._peers):
            self._close(peer)
        self._selector.close()

    # --- who comes ------------------------------------------------------------------------------------

    def _new_pair(self) -> None:
        """Take a child's pair from the supervisor: the role's name, and one descriptor."""
        try:
            name, descriptors, _, _ = socket.recv_fds(self._control, 256, 4, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            name, descriptors = b"", []
        if not name and not descriptors:
            self._stopping = True
            return
        pairs = sum(1 for peer in self._peers if peer.role != OPERATOR)
        if len(descriptors) != 1 or not _is_role(name) or pairs >= limits.VAULT_PAIRS:
            for descriptor in descriptors:
                os.close(descriptor)
            self._say("a pair from the supervisor was not usable and was closed")
            return
        self._admit(socket.socket(fileno=descriptors[0]), RoleName(name.decode("ascii")))

    def _new_operator(self) -> None:
        """Take a connection of the operator's socket, if the kernel says it is the owner's."""
        assert self._operator is not None
        try:
            sock, _ = self._operator.accept()
        except OSError:
            return
        _, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        if uid != self._owner_uid:
            self._say(f"refused a connection of uid {uid}")
            with contextlib.suppress(OSError):
                sock.setblocking(False)
                sock.send(refusal_frame(StrangerRefused("This vault belongs to another user.")))
            sock.close()
            return
        operators = [peer for peer in self._peers if peer.role == OPERATOR]
        if len(operators) >= limits.VAULT_OPERATORS:
            self._close(operators[0])
        self._admit(sock, OPERATOR)

    def _admit(self, sock: socket.socket, role: RoleName) -> None:
        peer = Peer(sock, role, takes_descriptors=role == OPERATOR)
        self._peers[peer] = None
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._serve(peer))

    # --- serving --------------------------------------------------------------------------------------

    def _serve(self, peer: Peer) -> None:
        if peer not in self._peers:  # closed earlier in this round of events
            return
        try:
            if peer.writing:
                peer.write()
            else:
                self._take(peer)
        except PeerGone:
            self._close(peer)
            return
        except ProtocolError as error:
            self._say(f"closed the connection of {peer.role}: {error}")
            with contextlib.suppress(PeerGone):
                peer.write(refusal_frame(error))
            self._close(peer)
            return
        wanted = selectors.EVENT_WRITE if peer.writing else selectors.EVENT_READ
        key = self._selector.get_key(peer.socket)
        if key.events != wanted:
            self._selector.modify(peer.socket, wanted, key.data)

    def _take(self, peer: Peer) -> None:
        payload = peer.read()
        if payload is None:
            return
        question = read_question(payload)  # what cannot be read ends the connection; a refusal does not
        try:
            frame = ok_frame(self._answers.answer(peer.role, question, peer.attached()))
        except WirkenError as error:
            frame = refusal_frame(error)
        finally:
            peer.drop_attached()
        peer.write(frame)

    def _close(self, peer: Peer) -> None:
        del self._peers[peer]
        self._selector.unregister(peer.socket)
        peer.close()


def _is_role(name: bytes) -> bool:
    return _ROLE.fullmatch(name) is not None and name not in _RESERVED
