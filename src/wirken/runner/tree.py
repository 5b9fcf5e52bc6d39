"""One sandbox as a tree of processes: held before its command starts, released, and cleared to the last one.

bubblewrap starts the first process of a new pid namespace, reports its pid, and waits at a gate until a byte
arrives. Meanwhile the limits are put around that process, and a descriptor on it is opened: a signal
through it ends the whole namespace, and it reports an end only once every process in there is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Callable

import msgspec

from wirken.domain import limits
from wirken.domain.errors import SandboxUnavailable
from wirken.runner.bubblewrap import ENVIRONMENT, Descriptors

_REPORT = 64 * 1024  # bytes; bubblewrap's two lines have 200


class NotStarted(SandboxUnavailable):
    """bubblewrap ended before it had made a sandbox; its own words are in the output."""


class _Status(msgspec.Struct, rename="kebab"):
    """A line of `bwrap --json-status-fd`; unknown fields are left out."""

    child_pid: int | None = None
    exit_code: int | None = None


class Tree:
    """A bubblewrap and what hangs below it."""

    def __init__(
        self,
        options: Callable[[Descriptors], list[str]],
        argv: tuple[str, ...],
        stdin: int,
        output: int,
        program: bytes,
    ) -> None:
        """Make what bubblewrap will inherit; `start` runs `argv` byte for byte in it. Raises `OSError`.

        It reads from `stdin`, and both outputs go to the descriptor `output`. The options travel in a file: a command
        can read bubblewrap's command line, and with it the host's paths.
        """
        self._argv = argv
        self._stdin = stdin
        self._output = output
        self._bwrap: subprocess.Popen[bytes] | None = None
        self._status, status = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        gate, self._gate = os.pipe2(os.O_CLOEXEC)
        self._given = [status, gate]
        self._first = -1
        self._report = b""
        self._watched = -1
        try:
            self._given.append(_file_of(program))
            words = options(Descriptors(*self._given))
            self._given.append(_file_of(b"".join(os.fsencode(word) + b"\0" for word in words)))
        except OSError:
            self.close()
            raise

    def start(self) -> None:
        """Start bubblewrap, which ends at the latest with the thread that calls this. Raises `OSError`.

        `clear` has to be called afterwards, whether it was started or not.
        """
        self._bwrap = subprocess.Popen(
            ["bwrap", "--args", str(self._given[-1]), "--", *self._argv],
            executable="/usr/bin/bwrap",
            env=ENVIRONMENT,
            cwd="/",
            stdin=self._stdin,
            stdout=self._output,
            stderr=self._output,
            pass_fds=self._given,
        )
        self._close_given()
        self._watched = os.pidfd_open(self._bwrap.pid)

    async def held(self) -> int:
        """Wait until the sandbox's first process exists and return its pid. Raises `NotStarted`."""
        if self._first < 0:
            while b"\n" not in self._report:
                await readable(self._status)
                data = os.read(self._status, _REPORT)
                if not data:
                    raise NotStarted("bubblewrap could not make a sandbox.")
                self._report += data
            pid = self._lines()[0].child_pid
            if pid is None:
                raise NotStarted("bubblewrap reported no sandbox.")
            self._pid = pid
            self._first = os.pidfd_open(pid)
        return self._pid

    def network(self) -> int:
        """Open the network namespace of the held sandbox and return the descriptor. Raises `OSError`."""
        handle = os.open(f"/proc/{self._pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            signal.pidfd_send_signal(self._first, 0)  # it still lives, so the number was its own
        except OSError:
            os.close(handle)
            raise
        return handle

    def release(self) -> None:
        """Let the command start."""
        os.write(self._gate, b"\n")

    async def ended(self) -> int | None:
        """Wait for the command's end and return its exit code, 128 + n for signal n.

        None: the command never started, or its sandbox was killed.
        """
        await readable(self._watched)
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._status, _REPORT):
                self._report += data
        return next((line.exit_code for line in self._lines() if line.exit_code is not None), None)

    def over(self) -> bool:
        """Has the sandbox ended, or never been?"""
        return self._first < 0 or bool(select.select([self._first], [], [], 0)[0])

    def kill(self) -> None:
        """Kill every process of the sandbox, daemons included. Does nothing before `held` has returned."""
        if self._first >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first, signal.SIGKILL)

    async def clear(self) -> None:
        """Kill what is left and return once the kernel has cleared it away; at once if nothing was started.

        A sandbox that is still being built is waited for: bubblewrap killed earlier could leave its child.
        """
        if self._bwrap is None:
            return
        with contextlib.suppress(NotStarted, ProcessLookupError, TimeoutError):
            async with asyncio.timeout(limits.EXEC_SETUP):
                await self.held()
        self.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limits.EXEC_CLEAR):
                if self._first >= 0:
                    await readable(self._first)
                if self._watched >= 0:
                    await readable(self._watched)
        self._bwrap.kill()
        self._bwrap.wait()

    def close(self) -> None:
        """Close the descriptors; the tree is cleared."""
        self._close_given()
        for handle in (self._status, self._gate, self._first, self._watched):
            if handle >= 0:
                os.close(handle)

    def _close_given(self) -> None:
        while self._given:
            os.close(self._given.pop())

    def _lines(self) -> list[_Status]:
        whole = self._report[: self._report.rfind(b"\n") + 1]
        return [_decoder.decode(line) for line in whole.splitlines()]


def _file_of(data: bytes) -> int:
    """Return a descriptor of a file without a name, to be read from its start."""
    handle = os.memfd_create("options", os.MFD_CLOEXEC)
    try:
        os.write(handle, data)
        os.lseek(handle, 0, os.SEEK_SET)
    except OSError:
        os.close(handle)
        raise
    return handle


async def readable(handle: int) -> None:
    """Wait until a descriptor has something to read, its end included."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(handle, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(handle)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


_decoder = msgspec.json.Decoder(_Status)
