"""A real session bus with an unlocked GNOME keyring on it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def desktop(folder: Path) -> Iterator[dict[str, str]]:
    """Give the environment by which programs find it; skips the test where the programs are missing."""
    if shutil.which("gnome-keyring-daemon") is None or shutil.which("dbus-daemon") is None:
        pytest.skip("needs dbus-daemon and gnome-keyring-daemon")
    home = folder / "home"
    (home / "run").mkdir(parents=True, mode=0o700)
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address=1", f"--address=unix:path={home}/bus"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert bus.stdout is not None
    address = bus.stdout.readline().decode().strip()
    if not address:
        bus.wait()
        bus.stdout.close()
        pytest.skip("dbus-daemon does not start, as for a user whom the system does not know")
    environ = {"DBUS_SESSION_BUS_ADDRESS": address, "HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}
    keyring = subprocess.Popen(
        ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
        env=environ | {"PATH": os.environ["PATH"], "XDG_DATA_HOME": str(home / "data")},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert keyring.stdin is not None
    keyring.stdin.write(b"login password")
    keyring.stdin.close()
    time.sleep(0.5)
    try:
        yield environ
    finally:
        for process in (keyring, bus):
            process.kill()
            process.wait()
        bus.stdout.close()
