"""Which sandbox is chosen, on machines where this works and that does not."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wirken.cli.boxes import choose
from wirken.config.sandbox import SandboxConfig

BROKEN = "AppArmor forbids it."


@contextmanager
def engine(path: Path, body: bytes) -> Iterator[str]:
    """Something that answers every question on a socket with one body."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    link, _ = listener.accept()
                except OSError:
                    return
                with link:
                    link.recv(4096)
                    link.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + body)

        thread = threading.Thread(target=serve)
        thread.start()
        yield str(path)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_auto_is_bubblewrap_where_it_works(tmp_path: Path) -> None:
    with engine(tmp_path / "s", b"OK") as path:
        chosen = choose(SandboxConfig(docker_socket=path), "", "/data", "s")
    assert (chosen.kind, chosen.trouble, chosen.shown) == ("bubblewrap", "", ())
    assert "--engine" not in chosen.options


def test_auto_is_docker_where_bubblewrap_fails_and_an_engine_answers(tmp_path: Path) -> None:
    with engine(tmp_path / "s", b"OK") as path:
        chosen = choose(SandboxConfig(docker_socket=path), BROKEN, "/data", "s")
        assert (chosen.kind, chosen.trouble, chosen.shown) == ("docker", "", (os.path.realpath(path),))
    assert BROKEN in chosen.why
    assert chosen.options[-2:] == ("--instead-of", BROKEN)


def test_auto_refuses_with_both_reasons_where_there_is_neither(tmp_path: Path) -> None:
    chosen = choose(SandboxConfig(docker_socket=str(tmp_path / "none")), BROKEN, "/data", "s")
    assert BROKEN.rstrip(".") in chosen.trouble
    assert f"no container engine answers at {tmp_path}/none" in chosen.trouble
    assert chosen.shown == ()


@pytest.mark.parametrize("mode", ["bubblewrap", "off"])
def test_no_other_mode_shows_the_runner_an_engine(tmp_path: Path, mode: str) -> None:
    with engine(tmp_path / "s", b"OK") as path:
        config = SandboxConfig(mode=mode, docker_socket=path)  # type: ignore[arg-type]  # a parameter of the test
        chosen = choose(config, BROKEN, "/data", "s")
    assert (chosen.shown, chosen.group) == ((), -1)


def test_off_is_no_sandbox(tmp_path: Path) -> None:
    chosen = choose(SandboxConfig(mode="off"), "", "/data", "s")
    assert (chosen.kind, chosen.options) == ("none", ())
    assert chosen.trouble


def test_gvisor_is_the_engines_runtime_where_it_has_it(tmp_path: Path) -> None:
    with engine(tmp_path / "s", b'{"Runtimes":{"runc":{},"runsc":{}}}') as path:
        chosen = choose(SandboxConfig(mode="gvisor", docker_socket=path), "", "/data", "s")
    assert (chosen.kind, chosen.options[:2]) == ("gvisor", ("--sandbox", "gvisor"))
    assert chosen.options[chosen.options.index("--runtime") + 1] == "runsc"
    with engine(tmp_path / "t", b'{"Runtimes":{"runc":{}}}') as path:
        chosen = choose(SandboxConfig(mode="gvisor", docker_socket=path), BROKEN, "/data", "s")
    assert (chosen.kind, chosen.shown) == ("gvisor", ())
    assert "--engine" not in chosen.options
    assert chosen.trouble, "without an engine it needs bubblewrap"


def test_containers_are_known_by_the_data_directory_and_the_start() -> None:
    def owner(data: str, start: str) -> tuple[str, ...]:
        return choose(SandboxConfig(mode="docker"), "", data, start).options[-4:]

    assert owner("/a", "1") == owner("/a", "1")
    assert owner("/a", "1")[1] != owner("/b", "1")[1]
    assert owner("/a", "1")[1] == owner("/a", "2")[1]
    assert owner("/a", "2")[3] == "2"


def test_only_a_container_of_docker_is_kept_warm() -> None:
    assert "--warm" in choose(SandboxConfig(mode="docker", warm=True), "", "/data", "s").options
    assert "--warm" not in choose(SandboxConfig(mode="docker"), "", "/data", "s").options
    assert "--warm" not in choose(SandboxConfig(mode="bubblewrap", warm=True), "", "/data", "s").options


def test_the_group_of_a_socket_is_given_unless_it_is_roots(tmp_path: Path) -> None:
    with engine(tmp_path / "s", b"OK") as path:
        os.chmod(path, 0o660)
        group = os.stat(path).st_gid
        chosen = choose(SandboxConfig(mode="docker", docker_socket=path), "", "/data", "s")
        assert chosen.group == (group if group != 0 else -1)
        os.chmod(path, 0o600)
        assert choose(SandboxConfig(mode="docker", docker_socket=path), "", "/data", "s").group == -1


def test_containers_have_their_images_programs_and_get_no_tool_root(tmp_path: Path) -> None:
    assert choose(SandboxConfig(), "", "/data", "s").rooted
    assert not choose(SandboxConfig(mode="docker"), "", "/data", "s").rooted
    assert not choose(SandboxConfig(mode="off"), "", "/data", "s").rooted
    with engine(tmp_path / "s", b'{"Runtimes":{"runsc":{}}}') as path:
        assert not choose(SandboxConfig(mode="gvisor", docker_socket=path), "", "/data", "s").rooted
