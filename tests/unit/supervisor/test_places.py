"""What the supervisor does to files and sockets of its own."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
from tests.support.supervised import free_port

from wirken.domain import limits
from wirken.supervisor import keychain, listeners, lock, tree
from wirken.supervisor.plan import Plan

ROOT = os.getuid() == 0


def test_the_lock_names_its_holder_and_goes_with_the_descriptor(tmp_path: Path) -> None:
    path = str(tmp_path / "wirken.lock")
    assert lock.holder(path) == 0
    held = lock.take(path)
    assert lock.holder(path) == os.getpid()
    with pytest.raises(lock.AlreadyRunning, match=f"pid {os.getpid()}"):
        lock.take(path)
    with pytest.raises(lock.AlreadyRunning):
        lock.refuse_second(path)
    os.close(held)
    assert lock.holder(path) == 0
    lock.refuse_second(path)
    os.close(lock.take(path))


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    (tmp_path / "wirken.lock").symlink_to("other")
    with pytest.raises(OSError, match="symbolic"):
        lock.take(str(tmp_path / "wirken.lock"))


def test_modes_are_tightened_at_every_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    tree.prepare(str(data), str(data / "sockets"), -1)
    (data / "vault").chmod(0o755)
    for name in ("config.toml", "vault/vault.db", "gateway/audit.db"):
        (data / name).touch()
        (data / name).chmod(0o644)
    data.chmod(0o755)
    tree.prepare(str(data), str(data / "sockets"), -1)
    for place in (data, data / "vault", data / "gateway", data / "agents", data / "sockets"):
        assert place.stat().st_mode & 0o777 == 0o700
    for name in ("config.toml", "vault/vault.db", "gateway/audit.db"):
        assert (data / name).stat().st_mode & 0o777 == 0o600


def test_what_an_adapter_keeps_is_made_and_tightened_like_the_rest(tmp_path: Path) -> None:
    data = tmp_path / "data"
    tree.prepare(str(data), str(data / "sockets"), -1)
    assert not (data / "channels").exists()
    tree.prepare(str(data), str(data / "sockets"), -1, ["channels/matrix"])
    (data / "channels/matrix/store.db").touch(mode=0o644)
    (data / "channels").chmod(0o755)
    tree.prepare(str(data), str(data / "sockets"), -1, ["channels/matrix"])
    assert [(data / name).stat().st_mode & 0o777 for name in ("channels", "channels/matrix")] == [0o700, 0o700]
    assert (data / "channels/matrix/store.db").stat().st_mode & 0o777 == 0o600


def test_tightening_follows_no_link_and_no_second_name(tmp_path: Path) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside"
    tree.prepare(str(data), str(data / "sockets"), -1)
    for name in ("a", "b"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o644)
    (data / "gateway" / "link").symlink_to(tmp_path / "a")
    (data / "gateway" / "hard").hardlink_to(tmp_path / "b")
    os.mkfifo(data / "gateway" / "pipe")
    tree.prepare(str(data), str(data / "sockets"), -1)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o644
    (data / "vault").rmdir()
    outside.mkdir()
    (data / "vault").symlink_to(outside)
    with pytest.raises(tree.BadDirectory):
        tree.prepare(str(data), str(data / "sockets"), -1)


def test_what_killed_runners_left_for_containers_is_removed_and_no_link_is_followed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    tree.prepare(str(data), str(data / "sockets"), -1)
    (tmp_path / "kept").touch()
    (data / "hatches" / "link").symlink_to(tmp_path / "kept")
    (data / "hatches" / "left").touch()
    tree.prepare(str(data), str(data / "sockets"), -1)
    assert list((data / "hatches").iterdir()) == []
    assert (tmp_path / "kept").exists()


@pytest.mark.skipif(not ROOT, reason="needs root, to make what belongs to somebody else")
def test_a_directory_of_somebody_else_is_refused_and_ours_goes_to_the_service(tmp_path: Path) -> None:
    data = tmp_path / "data"
    tree.prepare(str(data), str(data / "sockets"), limits.SERVICE_UID)
    assert (data / "vault").stat().st_uid == limits.SERVICE_UID
    short = tmp_path / "short"
    short.mkdir()
    os.chown(short, 12345, 12345)
    with pytest.raises(tree.BadDirectory, match="somebody else"):
        tree.prepare(str(data), str(short), limits.SERVICE_UID)


def test_whether_a_folder_can_be_used_is_what_the_kernel_says(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    uid = limits.SERVICE_UID if ROOT else -1
    assert tree.usable(str(folder), uid, write=True) is not ROOT
    folder.chmod(0o777)
    assert tree.usable(str(folder), uid, write=True)
    folder.chmod(0o555)
    assert tree.usable(str(folder), uid, write=False)
    assert not tree.usable(str(folder), uid, write=True)
    assert not tree.usable(str(tmp_path / "missing"), uid, write=False)


def test_a_socket_left_by_an_earlier_run_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    place = Path(os.path.relpath(tmp_path)) if len(str(tmp_path)) > 80 else tmp_path
    first = listeners.unix(str(place / "a.sock"), -1)
    first.close()
    second = listeners.unix(str(place / "a.sock"), -1)
    assert (place / "a.sock").stat().st_mode & 0o777 == 0o600
    second.close()
    (place / "b.sock").write_text("precious")
    with pytest.raises(listeners.NoSocket):
        listeners.unix(str(place / "b.sock"), -1)
    assert (place / "b.sock").read_text() == "precious"
    with pytest.raises(listeners.NoSocket, match="too long"):
        listeners.unix("/" + "x" * limits.SOCKET_ADDRESS, -1)


def test_the_page_is_bound_on_both_loopbacks_and_a_busy_one_is_named() -> None:
    port = free_port()
    bound = listeners.loopback(port)
    assert {one.getsockname()[0] for one in bound} >= {"127.0.0.1"}
    with pytest.raises(listeners.BusyPort, match=f"Port {port} on 127.0.0.1"):
        listeners.loopback(port)
    for one in bound:
        one.close()


def test_a_webhook_is_bound_on_127_0_0_1_alone_and_a_busy_one_says_what_to_change() -> None:
    port = free_port()
    with listeners.webhook("channel-teams", port) as bound:
        assert bound.getsockname() == ("127.0.0.1", port)
        with pytest.raises(listeners.BusyPort, match=f"Port {port} of teams") as caught:
            listeners.webhook("channel-teams", port)
        assert "[channels.teams]" in caught.value.advice


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_a_port_that_is_busy_on_ipv6_alone_is_refused_too() -> None:
    port = free_port()
    with socket.socket(socket.AF_INET6) as other:
        try:
            other.bind(("::1", port))
        except OSError:
            pytest.skip("this kernel has no ::1")
        other.listen()
        with pytest.raises(listeners.BusyPort, match=r"\[::1\]"):
            listeners.loopback(port)


def keychain_plan(data: Path, program: tuple[str, ...]) -> Plan:
    return Plan("1", (), "", str(data), "", (), {}, keychain=program)


def test_the_keychain_is_asked_at_the_first_start_and_where_the_vault_says_so(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    vault.mkdir()
    program = tmp_path / "helper"
    program.write_text(
        f"#!{sys.executable} -I\nimport os, sys\nos.write(int(sys.argv[3]), ' '.join(sys.argv[1:]).encode())\n"
    )
    program.chmod(0o755)
    plan = keychain_plan(tmp_path, (str(program),))

    def said() -> str:
        helper = keychain.ask(plan)
        if helper is None:
            return ""
        with open(helper.key) as file:
            words = file.read()
        helper.reap()
        return words

    assert said().startswith("get --fd ")
    assert not keychain.may_be_sealed(plan)
    (vault / "keychain").write_text("0123456789abcdef" * 2 + "\n")
    assert said().endswith(" --account " + "0123456789abcdef" * 2)
    assert keychain.may_be_sealed(plan)
    (vault / "keychain").write_text("not an account")
    assert said() == ""
    (vault / "keychain").unlink()
    (vault / "vault.db").touch()
    assert said() == ""
    (vault / "vault.db").unlink()
    (vault / "device.key").touch()
    assert said() == ""
    assert not keychain.may_be_sealed(plan)
    assert keychain.ask(keychain_plan(tmp_path, ())) is None
