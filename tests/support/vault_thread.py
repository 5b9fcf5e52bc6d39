"""The real vault's server over real pairs, in a thread of the test's process instead of a process of its own."""

from __future__ import annotations

import os
import socket
import threading
from array import array
from pathlib import Path

from tests.support.vault_parts import Parts

from wirken.vault.answers import Answers
from wirken.vault.server import Server


class VaultThread:
    """Serves until `stop`. Several may follow one another on one folder, as restarted vaults do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._control, theirs = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, args=(theirs,), daemon=True)
        self._thread.start()
        assert self._control.recv(1) == b"\x01"

    def pair(self, role: str) -> socket.socket:
        """Return a new end of a pair whose other end the vault takes for `role`."""
        ours, theirs = socket.socketpair()
        passed = array("i", [theirs.fileno()]).tobytes()
        self._control.sendmsg([role.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)])
        theirs.close()
        return ours

    def stop(self) -> None:
        """End the server; every pair then says end-of-file."""
        self._control.close()
        self._thread.join()

    def _serve(self, control: socket.socket) -> None:
        parts = Parts(self._folder).started()
        with control:
            answers = Answers(parts.keyring, parts.signer, parts.credentials)
            Server(control, None, os.getuid(), answers, lambda _: None).run()
        parts.store.close()
