"""A command on a terminal of its own: what it shows, and what a person types."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import NoReturn


class Terminal:
    """Runs `line` in a new session whose controlling terminal is a pseudo-terminal that the test holds."""

    def __init__(self, line: Sequence[str], environ: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            line,
            env=dict(environ),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.shown = ""
        self._seen = 0

    def see(self, text: str, seconds: float = 15.0) -> None:
        """Wait until `text` is shown, behind what was seen before."""
        until = time.monotonic() + seconds
        while text not in self.shown[self._seen :]:
            if time.monotonic() >= until:
                self._fail(f"{text!r} was not shown in {seconds:.0f} s")
            if not self._read(0.1) and self.process.poll() is not None:
                self._read(0.1)
                if text not in self.shown[self._seen :]:
                    self._fail(f"{text!r} was not shown before the end")
        self._seen = self.shown.index(text, self._seen) + len(text)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self, seconds: float = 15.0) -> int:
        """Wait until the command ends and return its exit code."""
        until = time.monotonic() + seconds
        while self._read(0.1) or self.process.poll() is None:
            if time.monotonic() >= until:
                self._fail("it did not end")
        os.close(self._ours)
        return self.process.returncode

    def _fail(self, said: str) -> NoReturn:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        raise AssertionError(f"{said}: {self.shown!r}")

    def _read(self, patience: float) -> bool:
        if not select.select([self._ours], [], [], patience)[0]:
            return False
        with contextlib.suppress(OSError):  # the other side is closed: EIO (pty(7))
            data = os.read(self._ours, 65_536)
            self.shown += data.decode("utf-8", "replace").replace("\r\n", "\n")
            return bool(data)
        return False
