"""The gateway's line: for one call, a runner of its own that sees a workspace and single paths outside of it.

So the runner that all other calls use never sees more than workspaces, and what a call was allowed is a mount that
goes away with it. What may be reached at all is the operator's configuration; the gateway only picks from it.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket

from wirken.confine.views import Mount
from wirken.domain import limits
from wirken.domain.errors import Unavailable, WirkenError
from wirken.supervisor import reach, workspaces
from wirken.supervisor.house import House
from wirken.supervisor.questions import Leave, Lines, Reach, parse_gateway
from wirken.supervisor.runners import Further


class TooManyReach(Unavailable):
    """No further runner can be started for a call."""

    hint = "Wait until another call that reaches outside has ended."


class Reaching:
    """Holds our end of the line to the gateway that runs now, and the runners it asked for."""

    def __init__(self, house: House, selector: selectors.BaseSelector) -> None:
        self._house = house
        self._selector = selector
        self._land = workspaces.land_of(house.plan)
        self._line: socket.socket | None = None
        self._lines = Lines()
        self._runners: set[str] = set()

    def renewed(self) -> int:
        """Return the end for a gateway that is about to start. What an earlier one had opened is closed."""
        self._drop()
        self._line, theirs = socket.socketpair()
        self._line.setblocking(False)
        self._lines = Lines()
        self._selector.register(self._line, selectors.EVENT_READ, self._read)
        return theirs.detach()

    def _read(self) -> None:
        line = self._line
        if line is None:
            return
        try:
            data = line.recv(4096)
            questions = [parse_gateway(text) for text in self._lines.feed(data)]
        except BlockingIOError:
            return
        except (OSError, WirkenError):  # a gateway that says what it may not gets no further answer
            data, questions = b"", []
        for question in questions:
            if isinstance(question, Leave):
                self._leave(question.role)
            else:
                self._open(question)
        if not data:
            self._drop()

    def _open(self, question: Reach) -> None:
        role_id = ""
        try:
            if len(self._runners) >= limits.REACH_RUNNERS or self._house.phase != "open":
                raise TooManyReach("No further runner can be started now.")
            further = self._checked(question)
            role_id = self._house.runners.next()
            self._runners.add(role_id)
            self._house.add_runner(role_id, further, lambda said: self._opened(question.id, role_id, said))
        except WirkenError as error:
            self._say({"ok": False, "id": question.id, "error": str(error), "hint": error.advice})
        except OSError as error:  # the machine has no process or descriptor left
            self._runners.discard(role_id)
            said = f"That cannot be done now: {error.strerror}."
            self._say({"ok": False, "id": question.id, "error": said, "hint": ""})

    def _checked(self, question: Reach) -> Further:
        """Return what the runner will see, held open. Raises `BadReach` and its like."""
        scene, known = self._house.runners.seeing(question.workspace)
        writable, read_only = self._house.runners.given
        with contextlib.ExitStack() as opened:
            folders = [workspaces.Folder(one.path, os.dup(one.descriptor)) for one in known]
            for one in folders:
                opened.callback(os.close, one.descriptor)
            mounted: dict[str, bool] = {}
            told = []
            for wanted in question.outside:
                given = reach.given(reach.Wanted(*wanted), self._land, self._house.plan.reach)
                opened.callback(os.close, given.folder.descriptor)
                folders.append(given.folder)
                told.append(f"{given.kind}:{wanted[0]}")
                mounted[given.folder.path] = given.kind != "ro-bind" or mounted.get(given.folder.path, False)
            workspaces.apart(writable, (*mounted, *read_only))
            for path in (path for path, write in mounted.items() if write):
                workspaces.apart((path,), read_only)
            opened.pop_all()
        outside = tuple(Mount("bind" if write else "ro-bind", path, path) for path, write in mounted.items())
        return Further(scene._replace(outside=outside, reaches=tuple(told)), tuple(folders))

    def _opened(self, number: int, role_id: str, said: str) -> None:
        if said:
            self._runners.discard(role_id)
            self._say({"ok": False, "id": number, "error": said, "hint": ""})
        else:
            self._say({"ok": True, "id": number, "role": role_id})

    def _leave(self, role_id: str) -> None:
        if role_id in self._runners:
            self._runners.discard(role_id)
            self._house.remove_runner(role_id)

    def _say(self, answer: dict[str, object]) -> None:
        if self._line is not None:
            with contextlib.suppress(OSError):  # it does not read: its end of the line will tell
                self._line.sendall(json.dumps(answer).encode() + b"\n")

    def _drop(self) -> None:
        if self._line is not None:
            self._selector.unregister(self._line)
            self._line.close()
            self._line = None
        for role_id in tuple(self._runners):
            self._leave(role_id)
