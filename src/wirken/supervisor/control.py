"""The supervisor's own socket: for the operator alone, who is told from others by the kernel."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import struct
from collections.abc import Callable
from typing import assert_never

from wirken.domain import limits
from wirken.domain.errors import Unavailable, WirkenError
from wirken.supervisor import workspaces
from wirken.supervisor.house import House
from wirken.supervisor.plan import decode
from wirken.supervisor.questions import Hold, Lines, Question, Reload, Renew, Status, Stop, Workspace, parse
from wirken.supervisor.renewing import Renewing
from wirken.supervisor.runners import Further


class TooMany(Unavailable):
    """No further runner can be started."""

    hint = "Wait until another `wirken ask --workspace` has ended."


class Connection:
    """One terminal: what it said so far, and what lives as long as it."""

    def __init__(self, peer: socket.socket) -> None:
        self.peer = peer
        self.lines = Lines(limits.CONTROL_PLAN)
        self.holds = False
        self.runner = ""


class Control:
    """Accepts, answers and drops terminals."""

    def __init__(
        self, listener: socket.socket, house: House, selector: selectors.BaseSelector, renewing: Renewing
    ) -> None:
        self._listener = listener
        self._house = house
        self._renewing = renewing
        self._selector = selector
        self.on_release: Callable[[], None] = lambda: None
        """Called whenever a holder has gone."""
        self._connections: dict[int, Connection] = {}
        self._land = workspaces.land_of(house.plan)
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ, self._accept)

    @property
    def held(self) -> bool:
        """Whether a terminal needs this supervisor to stay."""
        return any(connection.holds for connection in self._connections.values())

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:
            return  # the peer has gone, or we are out of descriptors: the next one may do
        uid = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
        if uid != os.getuid() or len(self._connections) >= limits.CONTROL_CONNECTIONS:
            peer.close()
            return
        peer.setblocking(False)
        connection = Connection(peer)
        self._connections[peer.fileno()] = connection
        self._selector.register(peer, selectors.EVENT_READ, lambda: self._read(connection))

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.peer.recv(4096)
            questions = [parse(line) for line in connection.lines.feed(data)]
        except BlockingIOError:
            return
        except OSError:
            data, questions = b"", []
        except WirkenError as error:
            self._refuse(connection, error)
            self._drop(connection)
            return
        for question in questions:
            try:
                self._follow(connection, question)
            except WirkenError as error:
                self._refuse(connection, error)
            except OSError as error:  # the machine has no process or descriptor left; one question fails, not we
                self._refuse(connection, Unavailable(f"That cannot be done now: {error.strerror}."))
        if not data:
            self._drop(connection)

    def _follow(self, connection: Connection, question: Question) -> None:
        match question:
            case Status():
                self._say(connection, {"ok": True, **self._status()})
            case Stop():
                self._say(connection, {"ok": True})
                self._house.close()
            case Hold():
                connection.holds = True
                self._say(connection, {"ok": True})
            case Workspace():
                self._open_workspace(connection, question)
            case Reload(plan):
                self._renewing.reload(decode(plan))
                self._say(connection, {"ok": True})
            case Renew(role):
                self._renewing.renew(role)
                self._say(connection, {"ok": True})
            case _:
                assert_never(question)

    def _status(self) -> dict[str, object]:
        plan = self._house.plan
        children = [
            {
                "role": child.role_id,
                "pid": child.pid,
                "state": child.state,
                "restarts": child.restarts,
                "ready_ms": child.ready_ms,
                "worn": child.worn[1:],
            }
            for child in self._house.children.values()
        ]
        return {
            "version": plan.version,
            "pid": os.getpid(),
            "data": plan.data,
            "port": plan.port,
            "walls": plan.walls,
            "without": plan.without,
            "ephemeral": plan.ephemeral,
            "phase": self._house.phase,
            "children": children,
        }

    def _open_workspace(self, connection: Connection, question: Workspace) -> None:
        started = sum(1 for one in self._connections.values() if one.runner)
        if connection.runner or started >= limits.WORKSPACES or self._house.phase != "open":
            raise TooMany("No further workspace can be opened now.")
        folders = self._checked(question)
        paths = tuple(folder.path for folder in folders)
        scene = self._house.scene._replace(workspaces=paths[:1], read_only=paths[1:])
        connection.runner = self._house.runners.next()
        self._house.add_runner(connection.runner, Further(scene, folders), lambda said: self._opened(connection, said))

    def _checked(self, question: Workspace) -> tuple[workspaces.Folder, ...]:
        """Return the folders asked for, the workspace first; all are apart from those that runners have."""
        writable, read_only = self._house.runners.given
        with contextlib.ExitStack() as opened:
            folders = []
            for path, write in ((question.path, True), *((path, False) for path in question.read_only)):
                folders.append(workspaces.checked(path, self._land, write=write))
                opened.callback(os.close, folders[-1].descriptor)
            paths = [folder.path for folder in folders]
            workspaces.apart((*paths[:1], *writable), (*paths[1:], *read_only))
            opened.pop_all()
        return tuple(folders)

    def _opened(self, connection: Connection, said: str) -> None:
        if said:
            connection.runner = ""
            self._say(connection, {"ok": False, "error": said, "hint": ""})
        else:
            self._say(connection, {"ok": True, "role": connection.runner})

    def _refuse(self, connection: Connection, error: WirkenError) -> None:
        self._say(connection, {"ok": False, "error": str(error), "hint": error.advice})

    def _say(self, connection: Connection, answer: dict[str, object]) -> None:
        with contextlib.suppress(OSError):  # it does not read: its end of the connection will tell
            connection.peer.sendall(json.dumps(answer).encode() + b"\n")

    def _drop(self, connection: Connection) -> None:
        self._selector.unregister(connection.peer)
        self._connections.pop(connection.peer.fileno())
        connection.peer.close()
        if connection.runner:
            self._house.remove_runner(connection.runner)
        if connection.holds:
            self.on_release()
