"""A child of the supervisor that does nothing but tell what it sees: stands in for any role in process tests.

It speaks the control descriptor's protocol, writes what it sees as JSON to the file `seen-<role>.json` where its view
lets it write, else to standard error, and does what `--behave` says: `well`, `die` before it is ready, `crash` (die
0.2 s after it was ready), `naked` (tells of no walls), `thin` (tells of too few), `deaf` (never stop by itself), `mute`
(never ready), `linger` (leave a process behind).
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time

from wirken.confine.roles import required, role_of
from wirken.domain.walls import report

PROBE = ["bwrap", "--unshare-all", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib"]
PROBE += ["--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "/usr/bin/true"]


def seen(role: str, options: dict[str, list[str]]) -> dict[str, object]:
    """Return what this process can see of the machine."""
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    return {
        "role": role,
        "options": options,
        "uid": os.getuid(),
        "environ": dict(os.environ),
        "root": sorted(os.listdir("/")),
        "interfaces": sorted(line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line),
        "fds": sorted(number for number in numbers if os.path.exists(f"/proc/self/fd/{number}")),
        "status": {line.split(":")[0]: line.split(":")[1].strip() for line in open("/proc/self/status")},
        "mounts": sorted(line.split()[4] for line in open("/proc/self/mountinfo")),
        "net": os.readlink("/proc/self/ns/net"),
        "pids": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
        "nested": subprocess.run(PROBE, capture_output=True).returncode if role == "runner" else -1,
        "writable": [path for path in ("/", "/usr", "/etc") if os.access(path, os.W_OK)],
    }


def main(role: str, behave: str, words: list[str]) -> None:
    options: dict[str, list[str]] = {}
    for flag, value in zip(words[::2], words[1::2], strict=True):
        options.setdefault(flag, []).append(value)
    if behave == "die":
        sys.exit(7)
    sight = json.dumps(seen(role, options))
    place = {"vault": options["--data"][0], "gateway": f"{options['--data'][0]}/gateway"}.get(role)
    if role == "runner":
        place = options["--workspace"][0]
    if place:
        with open(f"{place}/seen-{role}-{time.monotonic_ns()}.json", "w") as file:
            file.write(sight)
    else:
        sys.stderr.write(f"SEEN {sight}\n")
    if behave == "mute":
        time.sleep(60)
    serve(role, behave, socket.socket(fileno=int(options["--control-fd"][0])), options)


def serve(role: str, behave: str, control: socket.socket, options: dict[str, list[str]]) -> None:
    """Be ready, then wait for end-of-file; the vault says to each peer which role came with its pair."""
    pairs: list[socket.socket] = []
    if role == "vault":
        os.set_blocking(control.fileno(), True)
    else:
        pair = socket.socket(fileno=int(options["--vault-fd"][0]))
        sys.stderr.write(f"PAIR {role} {pair.recv(64).decode()}\n")
        pairs.append(pair)
    if behave == "linger":
        subprocess.Popen(["/usr/bin/sleep", "1000"])
    worn = required(role_of(role), ("landlock-scope",) if behave == "thin" else ())
    if behave != "naked":
        control.send(report(worn))
    time.sleep(0.01 if behave == "well" else 0)  # so that the line and the byte come apart, as well as together
    control.send(b"!\n!" if behave == "naked" else b"!")
    if behave == "crash":
        time.sleep(0.2)
        os._exit(3)
    while True:
        select.select([control], [], [])
        message, descriptors, _, _ = socket.recv_fds(control, 64, 1)
        if not message:
            break
        sock = socket.socket(fileno=descriptors[0])
        pairs.append(sock)
        if role == "vault":
            sock.send(message)
        else:
            sys.stderr.write(f"PAIR {role} {sock.recv(64).decode()} again\n")
    if behave == "deaf":
        time.sleep(60)
    sys.stderr.write(f"STOPPED {role} {time.monotonic()}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
