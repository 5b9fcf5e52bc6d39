"""A real homeserver: Synapse, in the environment that `make setup-test` makes for it, on a port of loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv" / "synapse" / "bin" / "python"
NAME = "wirken.test"
STARTS = 60.0
"""Seconds that it may take to start, on a machine with much else to do."""
_SHARED = "the tests may register"
_MANY = {"per_second": 100_000, "burst_count": 100_000}
_THREE = {"address": _MANY, "account": _MANY, "failed_attempts": _MANY}


class Synapse:
    """One homeserver with its own database. `stop` and `start` again is a restart: nothing is lost, the port stays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._configure({})

    def _configure(self, limits: dict[str, object]) -> None:
        key = base64.b64encode(hashlib.sha256(str(self.folder).encode()).digest()).decode().rstrip("=")
        (self.folder / "signing.key").write_text(f"ed25519 a_test {key}\n")
        (self.folder / "log.json").write_text(
            json.dumps(
                {
                    "version": 1,
                    "handlers": {"err": {"class": "logging.StreamHandler"}},
                    "root": {"level": "WARNING", "handlers": ["err"]},
                }
            )
        )
        settings = {
            "server_name": NAME,
            "pid_file": str(self.folder / "pid"),
            "listeners": [
                {
                    "port": self.port,
                    "bind_addresses": ["127.0.0.1"],
                    "type": "http",
                    "tls": False,
                    "resources": [{"names": ["client", "media"]}],
                }
            ],
            "database": {"name": "sqlite3", "args": {"database": str(self.folder / "homeserver.db")}},
            "registration_shared_secret": _SHARED,
            "macaroon_secret_key": "of tests",
            "form_secret": "of tests",
            "signing_key_path": str(self.folder / "signing.key"),
            "media_store_path": str(self.folder / "media"),
            "log_config": str(self.folder / "log.json"),
            "report_stats": False,
            "federation_domain_whitelist": [],
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "presence": {"enabled": False},
            "bcrypt_rounds": 4,
            "max_upload_size": "100M",
            "rc_message": _MANY,
            "rc_login": _THREE,
            "rc_registration": _MANY,
            "rc_joins": {"local": _MANY, "remote": _MANY},
            "rc_invites": {"per_room": _MANY, "per_user": _MANY, "per_issuer": _MANY},
            **limits,
        }
        (self.folder / "homeserver.yaml").write_text(json.dumps(settings))  # YAML holds JSON

    def start(self, **limits: object) -> None:
        """Start, and return once it answers. `limits`: settings that differ this time."""
        if not PYTHON.exists():
            raise RuntimeError("There is no homeserver to test with: run `make setup-test`.")
        self._configure(limits)
        with (self.folder / "homeserver.log").open("ab") as log:
            self._process = subprocess.Popen(
                [PYTHON, "-m", "synapse.app.homeserver", "-c", self.folder / "homeserver.yaml"],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"]},
            )
        until = time.monotonic() + STARTS
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/_matrix/client/versions", timeout=5).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self.folder / "homeserver.log").read_text()[-3000:]) from None
                time.sleep(0.05)

    def stop(self) -> None:
        """Kill it; what it has confirmed is on disk."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    # --- what an administrator does ---------------------------------------------------------------------

    def call(
        self, method: str, path: str, content: object = None, token: str = "", *, fails: bool = False
    ) -> dict[str, object]:
        """Call the homeserver as anybody; return the JSON of the answer."""
        request = urllib.request.Request(self.url + path, method=method)
        request.data = None if content is None else json.dumps(content).encode()
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return dict(json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                told = dict(json.loads(error.read()))
            assert fails, told
            return told

    def register(self, name: str, password: str, *, admin: bool = False) -> dict[str, object]:
        """Make an account by the shared secret; return its first login."""
        nonce = self.call("GET", "/_synapse/admin/v1/register")["nonce"]
        parts = (str(nonce), name, password, "admin" if admin else "notadmin")
        mac = hmac.new(_SHARED.encode(), "\0".join(parts).encode(), hashlib.sha1).hexdigest()
        asked = {"nonce": nonce, "username": name, "password": password, "admin": admin, "mac": mac}
        return self.call("POST", "/_synapse/admin/v1/register", asked)
