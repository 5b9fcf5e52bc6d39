"""One child as the supervisor sees it, and the hand-over of vault pairs.

The control descriptor is one end of a stream socket pair. What travels on it:

- child to supervisor: before it reads anything, a line with the walls it has put on (`confine.process.report`);
- child to supervisor: one byte, once, when it is ready;
- supervisor to the vault: the role id of a peer (ASCII), with the vault's end of that peer's pair
  (SCM_RIGHTS). A role id that comes again means a new pair: the old one's process is gone;
- supervisor to any other child: `V` with its end of a new vault pair (SCM_RIGHTS). It comes after the vault
  was restarted, only to children that are ready; they go on with it, since the old pair says end-of-file;
- end-of-file: stop gracefully. It also comes when the supervisor has died.
"""

from __future__ import annotations

import os
import signal
import socket
from typing import Final, Literal

from wirken.domain import limits
from wirken.supervisor import backoff

State = Literal["starting", "ready", "waiting", "stopping", "stopped"]
NEW_PAIR: Final = b"V"


class Child:
    """A role id, the process that fills it now, and what is due for it. Times are monotonic seconds."""

    def __init__(self, role_id: str) -> None:
        self.role_id = role_id
        self.state: State = "waiting"
        self.due = 0.0
        """When a waiting child is started, or a starting or stopping one is killed."""
        self.restarts = 0
        self.ready_ms = -1
        self.pid = 0
        self.pidfd = -1
        self.control: socket.socket | None = None
        self.worn: tuple[str, ...] = ()
        """The walls that the process says it has put on; `walls` as the first word, once it has said so."""
        self._said = b""
        self._started = 0.0
        self._delay = 0.0

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self.pid != 0

    def started(self, pid: int, control: socket.socket, now: float, deadline: float) -> None:
        """Note the process that was started just now."""
        self.pid, self.pidfd, self.control = pid, os.pidfd_open(pid), control
        self.state, self._started, self.due = "starting", now, deadline
        self.worn, self._said = (), b""

    def hear(self, data: bytes) -> bool:
        """Take what came over the control descriptor; return whether the process says that it is ready."""
        if self.worn:
            return True
        line, ended, after = (self._said + data).partition(b"\n")
        self._said = line[: limits.WALLS_REPORT]
        if ended or len(line) > limits.WALLS_REPORT:
            self.worn = tuple(self._said.decode("ascii", "replace").split()) or ("",)
            return bool(after)
        return False

    def ready(self, now: float) -> None:
        self.state, self.ready_ms = "ready", round((now - self._started) * 1000)

    def died(self, now: float, *, again: bool) -> str:
        """Reap the process and return how it ended, in words. `again`: start it anew, after a back-off."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.pidfd)
        self.close_control()
        self.pid, self.pidfd = 0, -1
        if again:
            self._delay = backoff.next_delay(self._delay, now - self._started)
            self.state, self.due = "waiting", now + self._delay
            self.restarts += 1
        else:
            self.state = "stopped"
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def ask_to_stop(self) -> None:
        """Let it end by itself: it reads end-of-file."""
        self.state = "stopping" if self.running else "stopped"
        self.close_control()

    def kill(self) -> None:
        """End it and everything below it now: with its view's first process the whole namespace goes."""
        if self.running:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def hand_over(self, message: bytes, descriptor: int) -> bool:
        """Send a descriptor over the control pair; False where the child does not take it."""
        if self.control is None:
            return False
        try:
            socket.send_fds(self.control, [message], [descriptor])
        except OSError:
            return False
        return True

    def close_control(self) -> None:
        if self.control is not None:
            self.control.close()
            self.control = None
