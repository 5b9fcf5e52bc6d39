"""A real vault process on real socketpairs, driven as the supervisor drives it."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wirken.confine.roles import ROLES, VAULT, required
from wirken.domain import limits
from wirken.domain.walls import report
from wirken.ipc.vault_client import VaultClient


class VaultProcess:
    """`python -I -m wirken.vault` with its control socket and operator listener."""

    def __init__(
        self,
        folder: Path,
        *,
        bound: Sequence[str] = (),
        owner_uid: int | None = None,
        device_key_fd: int = -1,
        kind: int = socket.SOCK_STREAM,
    ) -> None:
        self.folder = folder
        self._clients: list[VaultClient] = []
        folder.mkdir(parents=True, exist_ok=True)
        self.address = folder.parent / "vault.sock"
        self.address.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.address))
        listener.listen(16)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, kind)
        uid = os.getuid() if owner_uid is None else owner_uid
        self.command = [
            *(sys.executable, "-I", "-m", "wirken.vault", "--data", str(folder)),
            *("--control-fd", str(theirs.fileno())),
            *("--operator-fd", str(listener.fileno()), "--owner-uid", str(uid)),
            *(item for name in bound for item in ("--outbound-credential", name)),
        ]
        passed = [theirs.fileno(), listener.fileno()]
        if device_key_fd >= 0:
            self.command += ["--device-key-fd", str(device_key_fd)]
            passed.append(device_key_fd)
        self.log = folder.parent / "vault.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env={"LANG": "C.UTF-8"},
                pass_fds=passed,
                stdin=subprocess.DEVNULL,
                stderr=log,
                stdout=log,
            )
        listener.close()
        theirs.close()

    def ready(self) -> VaultProcess:
        """Wait for the readiness byte."""
        readable, _, _ = select.select([self.control], [], [], 10)
        assert readable, "the vault did not report ready"
        heard = b""
        while not heard.endswith(b"\x01"):
            piece = self.control.recv(limits.WALLS_REPORT)
            assert piece, self.log.read_text()
            heard += piece
        assert heard == report(required(ROLES[VAULT], ())) + b"\x01", self.log.read_text()
        return self

    def pair(self, role: str) -> socket.socket:
        """Hand the vault a new pair for `role` and return the child's end."""
        ours, theirs = socket.socketpair()
        self.control.sendmsg(
            [role.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [theirs.fileno()]).tobytes())]
        )
        theirs.close()
        ours.settimeout(10)
        return ours

    def client(self, role: str) -> VaultClient:
        return self._closed_at_end(VaultClient(self.pair(role)))

    def operator(self) -> VaultClient:
        return self._closed_at_end(VaultClient.connect(self.address))

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self.process.kill()
        self.process.wait()
        self._close()

    def stop(self) -> int:
        """Close the control socket, which means: stop; return the exit code."""
        self.control.close()
        code = self.process.wait(5)
        self._close()
        return code

    def _closed_at_end(self, client: VaultClient) -> VaultClient:
        self._clients.append(client)
        return client

    def _close(self) -> None:
        self.control.close()
        for client in self._clients:
            client.close()


@contextmanager
def running(folder: Path, **options: object) -> Iterator[VaultProcess]:
    """A vault that is ready; killed at the end if it still runs."""
    vault = VaultProcess(folder, **options)  # type: ignore[arg-type]  # the constructor's own keywords
    try:
        yield vault.ready()
    finally:
        vault.kill()
