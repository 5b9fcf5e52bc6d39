"""The gateway as a process of its own, which a test may kill, between a real vault and real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.gateway_bench import PATIENCE, identity_of, listener
from tests.support.scripted_wings import ScriptedModel, ScriptedRunner, Step
from tests.support.vault_thread import VaultThread

from wirken.config.paths import Paths
from wirken.domain import limits
from wirken.ipc.lifeline import READY


class GatewayProcess:
    """`python -I -m wirken.gateway` on a folder. Its listeners are the test's, as they are the supervisor's."""

    def __init__(self, folder: Path, config: str) -> None:
        self.paths = Paths(folder)
        for place in (self.paths.gateway_dir, self.paths.vault_dir, self.paths.sockets_dir):
            place.mkdir(parents=True, exist_ok=True)
        self.paths.config_file.write_text(config)
        self.vault = VaultThread(self.paths.vault_dir)
        self._listeners = listener(self.paths.gateway_socket), listener(self.paths.operator_socket)
        self._control: socket.socket | None = None
        self._line: socket.socket | None = None
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, again after a kill, and return once it is ready."""
        self._control, theirs = socket.socketpair()
        self._line, line = socket.socketpair()
        pair = self.vault.pair("gateway")
        descriptors = {
            "--control-fd": theirs.fileno(),
            "--vault-fd": pair.fileno(),
            "--line-fd": line.fileno(),
            "--gateway-listen-fd": self._listeners[0].fileno(),
            "--operator-listen-fd": self._listeners[1].fileno(),
        }
        options = [word for name, number in descriptors.items() for word in (name, str(number))]
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-m", "wirken.gateway", "--data", str(self.paths.data)),
                *(*options, "--owner-uid", str(os.getuid())),
            ],
            pass_fds=tuple(descriptors.values()),
            env={},
        )
        for passed in (theirs, pair, line):
            passed.close()
        self._control.settimeout(PATIENCE)
        heard = b""
        while not heard.endswith(READY):  # before it, the walls that it wears
            piece = await asyncio.to_thread(self._control.recv, limits.WALLS_REPORT)
            assert piece, "the gateway ended"
            heard += piece

    def kill(self) -> None:
        """SIGKILL, as the kernel's memory killer would."""
        assert self.process is not None and self._control is not None and self._line is not None
        self.process.kill()
        self.process.wait()
        self._control.close()
        self._line.close()

    def close(self) -> None:
        with contextlib.suppress(AssertionError):
            self.kill()
        for one in self._listeners:
            one.close()
        self.vault.stop()


@asynccontextmanager
async def gateway_process(
    folder: Path, config: str, *script: Step
) -> AsyncIterator[tuple[GatewayProcess, ScriptedModel, ScriptedRunner]]:
    """Run a gateway with a scripted model and runner, which dial again whenever it is started again."""
    gateway = GatewayProcess(folder, config)
    await gateway.start()
    model = ScriptedModel(await identity_of(gateway.vault, "outbound"), gateway.paths.gateway_socket)
    model.script.extend(script)
    runner = ScriptedRunner(await identity_of(gateway.vault, "runner"), gateway.paths.gateway_socket)
    try:
        await runner.start()
        await model.start()
        yield gateway, model, runner
    finally:
        await model.stop()
        await runner.stop()
        gateway.close()
