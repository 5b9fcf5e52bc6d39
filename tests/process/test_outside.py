"""The six processes of `wirken run`, looked at from outside: what each holds, and what none may hold."""

from __future__ import annotations

import itertools
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.spine import ROLES, Spine, argv, spine, until, wirken
from tests.support.supervised import descendants

from wirken.domain import limits

pytestmark = pytest.mark.slow

UID = limits.SERVICE_UID if os.getuid() == 0 else os.getuid()

LIBRARIES = {
    "vault": {"apsw", "nacl", "msgspec"},
    "gateway": {"apsw", "nacl", "msgspec", "capnp", "jsonschema_rs"},
    "runner": {"nacl", "msgspec", "capnp"},
    "outbound": {"nacl", "msgspec", "capnp"},
    "web": {"nacl", "msgspec", "capnp"},
}
"""Compiled packages that each process loads: all of them, and no others of this list's union."""

PACKAGES = ("apsw", "nacl", "msgspec", "capnp", "jsonschema_rs", "pyrage", "cryptography", "pydantic_core", "lxml")

NEVER = {
    "supervisor": ("asyncio", "msgspec", "apsw", "nacl", "capnp", "httpx2", "starlette", "click", "rich", "keyring"),
    "vault": ("asyncio", "capnp", "httpx2", "starlette", "uvicorn", "click", "rich", "keyring", "ssl", "jsonschema_rs"),
    "gateway": ("httpx2", "starlette", "uvicorn", "click", "rich", "keyring", "pyrage"),
    "runner": ("apsw", "httpx2", "starlette", "uvicorn", "click", "rich", "keyring", "pyrage", "jsonschema_rs"),
    "outbound": ("apsw", "starlette", "uvicorn", "click", "rich", "keyring", "pyrage", "jsonschema_rs"),
    "web": ("apsw", "httpx2", "rich", "keyring", "pyrage", "jsonschema_rs"),  # uvicorn itself loads click
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    """A spine that has had one turn with a file and one with a refusal."""
    folder = tmp_path_factory.mktemp("outside")
    with spine(folder) as one:
        for text in ("write: a.txt <<< hi", "run: ls"):
            done = wirken(one.data, "ask", "-m", text, "--session", "s")
            assert done.returncode == 0, done.stderr
        until(lambda: not [pid for pid in descendants(one.pid("runner"))])
        yield one


def kept(pid: int, name: str) -> bytes:
    """Return a file of the process under /proc; nothing where it lets nobody but root look, as our own do."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except PermissionError:
        assert os.getuid() != 0 and argv(pid)[3].removeprefix("wirken.") in ROLES
        return b""


def descriptors(pid: int) -> list[str]:
    """Return what the process has open, as the kernel names it; as `kept` does."""
    try:
        return [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
    except PermissionError:
        assert os.getuid() != 0 and argv(pid)[3].removeprefix("wirken.") in ROLES
        return []


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":")[0]: line.split(":")[1].strip() for line in lines}


def opened(pid: int) -> set[str]:
    """Return the paths of open files; sockets, pipes and the like by their kind."""
    return {target.split(":[")[0] if ":[" in target else target for target in descriptors(pid)}


@pytest.mark.parametrize("role", ROLES)
def test_the_environment_is_built_from_nothing(running: Spine, role: str) -> None:
    given = kept(running.pid(role), "environ").decode().split("\0")
    names = {entry.split("=")[0] for entry in given if entry}
    assert names <= {"PATH", "LANG", "PWD"}
    for pid in descendants(running.process.pid):
        assert b"canary" not in kept(pid, "environ").lower()


def test_the_supervisors_environment_holds_nothing_of_a_persons(running: Spine) -> None:
    raw = Path(f"/proc/{running.process.pid}/environ").read_bytes()
    names = {entry.split(b"=")[0] for entry in raw.split(b"\0") if entry}
    assert names <= {b"PATH", b"LANG", b"XDG_RUNTIME_DIR", b"DBUS_SESSION_BUS_ADDRESS"}


@pytest.mark.parametrize("role", ROLES)
def test_arguments_hold_options_and_nothing_else(running: Spine, role: str) -> None:
    words = argv(running.pid(role))
    assert words[1:4] == ["-I", "-m", f"wirken.{role}"]
    for option, word in itertools.pairwise(words[3:]):
        plain = word.startswith(("--", str(running.data), "v1:", "v2:")) or word.replace(",", "").isdigit()
        folder = option == "--reach" and word.startswith("/")
        listener = option == "--relay-listen-fd" and word.removeprefix("runner=").isdigit()
        itself = option == "--role-id" and word == role
        assert plain or folder or listener or itself, words


@pytest.mark.parametrize("role", ROLES)
def test_open_files_are_those_of_the_role(running: Spine, role: str) -> None:
    common = {"/dev/null", "/", str(running.folder / "err"), "socket", "pipe", "anon_inode"}
    own: dict[str, tuple[str, ...]] = {
        "vault": (f"{running.data}/vault/vault.db",),
        "gateway": (f"{running.data}/gateway/audit.db", f"{running.data}/gateway/state.db"),
        "web": ("/proc/",),
    }
    for path in opened(running.pid(role)) - common:
        allowed = path.startswith(own.get(role, ())) or path.endswith("wirken.capnp") or "cgroup" in path
        assert allowed, f"{role} has {path} open"
    if role == "web":
        tables = {path for path in opened(running.pid(role)) if path.startswith("/proc/")}
        assert {path.split("/net/")[1] for path in tables} <= {"tcp", "tcp6"}
        assert tables or os.getuid() != 0


@pytest.mark.parametrize("role", ROLES)
def test_loaded_libraries_are_those_of_the_role(running: Spine, role: str) -> None:
    maps = Path(f"/proc/{running.pid(role)}/maps").read_text()
    files = {line.split()[-1] for line in maps.splitlines() if ".so" in line}
    loaded = {package for package in PACKAGES if any(f"/{package}" in path for path in files)}
    assert loaded == LIBRARIES[role]
    if role == "vault":
        assert not [path for path in files if "_asyncio" in path or "_ssl" in path]


@pytest.mark.parametrize("role", NEVER)
def test_no_process_loads_what_it_must_not(role: str) -> None:
    program = f"import sys, wirken.{role}.__main__; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & set(NEVER[role])
    wings = {"supervisor", "vault", "gateway", "runner", "outbound", "web", "cli"} - {role}
    assert not {f"wirken.{wing}" for wing in wings} & set(done.stdout.split())


@pytest.mark.parametrize("role", ROLES)
def test_no_child_is_root_or_can_become_it(running: Spine, role: str) -> None:
    seen = status(running.pid(role))
    assert set(seen["Uid"].split()) == {str(UID)}
    assert os.getuid() != 0 or (set(seen["Gid"].split()) == {str(UID)} and seen["Groups"] == "")
    assert seen["NoNewPrivs"] == "1"
    if os.getuid() == 0:
        assert {int(seen[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    else:
        assert {int(seen[f"Cap{kind}"], 16) for kind in ("Prm", "Eff", "Amb")} == {0}


def test_only_outbound_shares_the_machines_network(running: Spine) -> None:
    here = os.readlink("/proc/self/ns/net")
    spaces = {role: os.readlink(f"/proc/{running.pid(role)}/ns/net") for role in ROLES}
    assert [role for role, space in spaces.items() if space == here] == ["outbound"]
    assert len(set(spaces.values())) == len(ROLES), "and no two share one"
    for role in set(ROLES) - {"outbound"}:
        lines = Path(f"/proc/{running.pid(role)}/net/dev").read_text().splitlines()[2:]
        assert {line.split(":")[0].strip() for line in lines} <= {"lo"}
        assert Path(f"/proc/{running.pid(role)}/net/route").read_text().count("\n") <= 1


@pytest.mark.parametrize("space", ["pid", "mnt", "ipc", "uts"])
def test_every_child_has_namespaces_of_its_own(running: Spine, space: str) -> None:
    found = {os.readlink(f"/proc/{running.pid(role)}/ns/{space}") for role in ROLES}
    assert len(found) == len(ROLES) and os.readlink(f"/proc/self/ns/{space}") not in found


def test_each_view_shows_its_own_part_of_the_data_directory(running: Spine) -> None:
    shown = {
        "vault": {"vault"},
        "gateway": {"gateway", "config.toml", "skills"},
        "runner": {"agents", "sockets", "skills"},
        "outbound": {"config.toml", "sockets"},
        "web": {"sockets"},
    }
    for role, names in shown.items():
        root = Path(f"/proc/{running.pid(role)}/root")
        inside = root / str(running.data).lstrip("/")
        assert set(os.listdir(inside)) == names, role
        home = root / str(running.folder).lstrip("/")
        assert os.listdir(home) == ["data"] and not (root / "home").exists()
        assert not (root / "etc/shadow").exists() and not (root / "var").exists() and not (root / "run").exists()
        if "sockets" in names:
            own = ["relay-runner.sock"] if role == "runner" else []
            assert sorted(os.listdir(inside / "sockets")) == ["gateway.sock", *own]


def test_sockets_and_the_data_directory_are_closed_to_others(running: Spine) -> None:
    for place, _, files in os.walk(running.data):
        if "workspace" in place:
            continue
        assert stat.S_IMODE(os.stat(place).st_mode) == 0o700, place
        for name in files:
            mode = os.lstat(f"{place}/{name}").st_mode
            assert stat.S_IMODE(mode) == 0o600, f"{place}/{name}"
    sockets = {path.name for path in running.paths.sockets_dir.iterdir()}
    assert sockets == {"gateway.sock", "operator.sock", "vault.sock", "supervisor.sock", "relay-runner.sock"}


def test_nothing_listens_but_the_page_on_loopback(running: Spine) -> None:
    inodes = set()
    for pid in [running.process.pid, *descendants(running.process.pid)]:
        for target in descriptors(pid):
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    listening = []
    for table in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[9] in inodes and (words[3] == "0A" or not table.startswith("tcp")):
                listening.append((table, words[1]))
    port = f"{running.port:04X}"
    assert set(listening) <= {("tcp", f"0100007F:{port}"), ("tcp6", f"{'0' * 24}01000000:{port}")}
    assert listening


def test_a_stored_credential_is_in_no_argument_environment_or_file_in_the_clear(running: Spine) -> None:
    value = "sk-canary-4f1d7c2b9e"
    done = wirken(running.data, "credentials", "add", "fake", "--stdin", text=value)
    assert done.returncode == 0, done.stderr
    assert value not in done.stdout + done.stderr
    for pid in [running.process.pid, *descendants(running.process.pid)]:
        for name in ("cmdline", "environ"):
            assert value.encode() not in kept(pid, name)
    for path in running.data.rglob("*"):
        if path.is_file():
            assert value.encode() not in path.read_bytes(), path
