"""The stage of the red team: one Wirken whose processes are taken over one after the other; prints what came of it.

`stage.py FOLDER`. Started by root it is to be in mount and network namespaces of its own (`unshare --mount --net`):
then it puts an address of the internet, a container engine's socket and a message bus there to be attacked.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import tty
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.hostile.roles.attack import Scene  # the path comes first
from tests.support.supervised import descendants, free_port

import wirken
from wirken.cli import plans
from wirken.cli.daemon import Control
from wirken.config.load import load
from wirken.config.paths import Paths
from wirken.domain import limits
from wirken.ipc.calls.vault import AddCredential, Done
from wirken.ipc.vault_client import VaultClient
from wirken.supervisor.plan import Plan, encode

ROLES = ("web", "outbound", "gateway", "channel", "runner", "vault")
CHANNEL = "channel-telegram"
"""The process that is taken over as `channel`."""
MAIN = Path(__file__).with_name("main.py")
ADDRESS = "93.184.216.34"
ABSTRACT = "wirken-somebody-outside"
PATIENCE = 60.0
CONFIG = """
[agents.default]
model = "fake/gpt-test"
[providers.fake]
kind = "openai"
base_url = "https://example.com/v1"
credential = "bound"
[channels.telegram]
[channels.slack]
"""
SIOCSIFADDR, SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8916, 0x8913, 0x8914


class Stage:
    """Everything that is there to be attacked, and what was said of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = Paths(folder / "home" / "data")
        self.open: list[socket.socket] = []
        self.said: list[dict[str, object]] = []
        self.log = ""
        self.terminal, self.theirs = pty.openpty()
        tty.setraw(self.theirs)
        self.victim = subprocess.Popen(["/usr/bin/sleep", "600"], env={"CANARY": "a person's"})
        self.outside = tempfile.NamedTemporaryFile(prefix="wirken-somebody-", dir="/tmp")  # noqa: SIM115  # for long
        self.outside.write(b"another program's")
        self.outside.flush()
        os.chmod(self.outside.name, 0o644)

    def furnish(self) -> Scene:
        """Make a person's home, a configuration, and services on this machine."""
        home = self.folder / "home"
        (home / ".ssh").mkdir(parents=True)
        for name in (".bashrc", ".ssh/id_ed25519"):
            (home / name).write_text("x")
        self.paths.data.mkdir(mode=0o700)
        self.paths.config_file.write_text(CONFIG)
        (self.folder / "orders").mkdir(mode=0o755)
        for role in (*ROLES, "bare"):
            (self.folder / "orders" / role).touch()
        if os.getuid() == 0:
            self._machine()
        self._listen(socket.AF_UNIX, str(home / "agent.sock"))
        self._listen(socket.AF_UNIX, f"\0{ABSTRACT}")
        other = self._listen(socket.AF_INET, ("127.0.0.1", 0)).getsockname()[1]
        return Scene(
            role="",
            data=str(self.paths.data),
            sockets=str(self.paths.sockets_dir),
            home=str(home),
            program=str(Path(wirken.__file__).parent),
            site=str(Path(sys.prefix, "lib", f"python3.{sys.version_info.minor}", "site-packages")),
            own="/tmp",
            outside=self.outside.name,
            page=free_port(),
            other=other,
            address=ADDRESS,
            abstract=ABSTRACT,
        )

    def _machine(self) -> None:
        """Put on this machine, as far as these namespaces go, what an ordinary user could not."""
        name = b"lo".ljust(16, b"\0")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            flags = struct.unpack("16sH", fcntl.ioctl(one, SIOCGIFFLAGS, name + bytes(16))[:18])[1]
            fcntl.ioctl(one, SIOCSIFFLAGS, name + struct.pack("H", flags | 1) + bytes(14))
            alias = b"lo:1".ljust(16, b"\0") + struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(ADDRESS))
            fcntl.ioctl(one, SIOCSIFADDR, alias)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/var/spool"], check=True)
        Path("/run/dbus").mkdir()
        Path("/var/spool/cron").mkdir()
        for path in ("/run/docker.sock", "/run/dbus/system_bus_socket"):
            self._listen(socket.AF_UNIX, path)
            os.chmod(path, 0o666)
        for port in (443, 25):
            self._listen(socket.AF_INET, (ADDRESS, port))

    def _listen(self, family: socket.AddressFamily, address: object) -> socket.socket:
        one = socket.socket(family)
        one.bind(address)  # type: ignore[arg-type]  # of either family
        one.listen(16)
        self.open.append(one)
        return one

    def plan(self, scene: Scene) -> Plan:
        """Return the real plan, with a program that was taken over in the place of each."""
        found = plans.make(self.paths, load(self.paths.config_file), {}, port=scene.page, without=frozenset())
        own = {
            "vault": str(self.paths.vault_dir),
            "gateway": str(self.paths.gateway_dir),
            "runner": str(self.paths.workspace("default")),
        }
        programs = {}
        for role, program in found.programs.items():
            if role not in ROLES and role != CHANNEL:
                programs[role] = program
                continue
            name = "channel" if role == CHANNEL else role
            here = json.dumps(scene._replace(own=own.get(role, "/tmp"))._asdict())
            words = (sys.executable, "-I", str(MAIN), here, str(self.folder / "orders" / name), name)
            programs[role] = (*words, *program[4:])
        orders = str(self.folder / "orders")
        return found._replace(programs=programs, program=(*found.program, str(MAIN.parent), orders))

    def listen(self) -> None:
        """Collect what the processes say on their terminal."""
        kept = b""
        while True:
            try:
                kept += os.read(self.terminal, 65_536)
            except OSError:
                return
            *lines, kept = kept.split(b"\n")
            for line in lines:
                if line.startswith(b"HOSTILE "):
                    self.said.append(json.loads(line[8:]))
                else:
                    self.log += line.decode(errors="replace") + "\n"

    def until_over(self, role: str) -> None:
        """Wait for the last attack; a person types meanwhile."""
        os.write(self.terminal, b"typed")
        deadline = time.monotonic() + PATIENCE
        while not any(one["role"] == role and one["said"] == "over" for one in self.said):
            if time.monotonic() > deadline:
                self.log += f"stage: {role} did not come to its end\n"
                return
            time.sleep(0.02)

    def play(self, scene: Scene) -> None:
        """Take the processes over one after the other, then attack without walls."""
        plan = self.plan(scene)
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        os.write(write, encode(plan))
        os.close(write)
        supervisor = subprocess.Popen(
            [
                *(sys.executable, "-I", "-m", "wirken.supervisor"),
                *("--plan-fd", str(read), "--ready-fd", str(theirs.fileno())),
            ],
            pass_fds=(read, theirs.fileno()),
            env={},
            stdin=subprocess.DEVNULL,
            stdout=self.theirs,
            stderr=self.theirs,
        )
        theirs.close()
        try:
            if not select.select([ours], [], [], 30)[0] or ours.recv(1) != b"r":
                self.log += "stage: not ready\n"
                return
            self._store()
            self._adapters_ready()
            pids = [supervisor.pid, *descendants(supervisor.pid), self.victim.pid]
            for role in ROLES:
                (self.folder / "orders" / role).write_text(json.dumps(pids))
                self.until_over(role)
            self._survivors()
            (self.folder / "orders" / "bare").write_text(json.dumps(pids))
            self.bare(scene)
        finally:
            supervisor.send_signal(signal.SIGTERM)
            try:
                supervisor.wait(15)
            except subprocess.TimeoutExpired:
                supervisor.kill()
                self.log += "stage: the supervisor did not stop\n"

    def _store(self) -> None:
        client = VaultClient.connect(self.paths.sockets_dir / "vault.sock")
        for name in ("bound", "other", "third", "channel.slack.bot_token"):
            client.call(AddCredential(name, b"sk-secret-value"), Done)
        client.close()
        note = self.paths.workspace("default") / "note.txt"
        note.write_text("x")
        if os.getuid() == 0:
            os.chown(note, limits.SERVICE_UID, limits.SERVICE_UID)

    def _adapters_ready(self) -> None:
        """Adapters come up after the others have."""
        deadline = time.monotonic() + PATIENCE
        while any(row["state"] != "ready" for row in self._rows()) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _rows(self) -> list[dict[str, object]]:
        with Control(self.paths) as control:
            rows = control.ask({"ask": "status"})["children"]
        assert isinstance(rows, list)
        return rows

    def _survivors(self) -> None:
        """Say of each process whether it is still the one that was started."""
        for row in self._rows():
            said = "alive" if row["state"] == "ready" and row["restarts"] == 0 else f"restarted-{row['restarts']}"
            role = "channel" if row["role"] == CHANNEL else row["role"]
            self.said.append({"role": role, "attack": "survives", "said": said, "ms": 0})

    def bare(self, scene: Scene) -> None:
        """Attack as whoever started Wirken, without any wall of ours, in namespaces that are thrown away."""
        own = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
        words = ["unshare", *own, "--mount", "--uts", "--ipc", sys.executable, "-I", str(MAIN)]
        own_folder = self.folder / "bare"
        own_folder.mkdir()
        here = json.dumps(scene._replace(own=str(own_folder))._asdict())
        subprocess.run(
            [*words, here, str(self.folder / "orders" / "bare"), "bare"],
            stdin=subprocess.DEVNULL,
            stderr=self.theirs,
            check=False,
            timeout=PATIENCE,
        )
        self.until_over("bare")

    def clear(self) -> None:
        self.victim.kill()
        self.victim.wait()
        self.outside.close()
        if self.paths.sockets_dir.parent == Path("/tmp"):
            shutil.rmtree(self.paths.sockets_dir, ignore_errors=True)


def main(folder: Path) -> Mapping[str, object]:
    stage = Stage(folder)
    threading.Thread(target=stage.listen, daemon=True).start()
    try:
        stage.play(stage.furnish())
    finally:
        stage.clear()
        time.sleep(0.1)
    return {"said": stage.said, "log": stage.log}


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(main(Path(sys.argv[1]))))
