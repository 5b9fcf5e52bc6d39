"""What a command with a granted network reaches, and what it does not, in a real sandbox inside a real view."""

from __future__ import annotations

import hashlib
import os
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.fake_relay import FakeRelay, fake_relay
from tests.support.runner_bench import SESSION
from tests.support.runner_client import Client, runner
from tests.support.walled import owned
from tests.support.ways import WAYS, Way, boxed, shown

from wirken.domain import limits
from wirken.runner.granted import BUNDLES

pytestmark = pytest.mark.slow

PORT = limits.EGRESS_PORT
CERTIFIED = ("--perms", "0755", "--dir", "/etc/ssl", "--ro-bind-try", "/etc/ssl/certs", "/etc/ssl/certs")
"""What the supervisor shows a runner, too: the machine's authorities."""


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeRelay]:
    folder = owned(tmp_path_factory.mktemp("relay"))
    with fake_relay(folder / "relay-runner.sock") as relay:
        yield relay


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture(scope="module")
def granted(
    relay: FakeRelay, way: Way, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    box, place = boxed(way, request), tmp_path_factory.mktemp("granted")
    with runner(place, "watchdog", shown(way), CERTIFIED, relay=relay.path, boxed=box) as client:
        assert client.status().kind != "none", client.status()
        client.shown = shown(way)
        yield client


def script(client: Client, text: str) -> str:
    """Put Python into the workspace and return the command that runs it. `dial` connects to an echo."""
    start = f"""
        import os, socket, sys, time
        def dial(host="echo.test"):
            sock = socket.create_connection(("127.0.0.1", {PORT}))
            sock.sendall(f"CONNECT {{host}}:443 HTTP/1.1\\r\\nHost: {{host}}\\r\\n\\r\\n".encode())
            said = b""
            while len(said) < 19:
                said += sock.recv(19 - len(said))
            assert said == b"HTTP/1.1 200 OK\\r\\n\\r\\n"
            return sock
        """
    place = client.workspace / "attempt.py"
    place.write_text(textwrap.dedent(start) + textwrap.dedent(text))
    return "python3 attempt.py 2>&1"


def until(condition: object, seconds: float = 5.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_connection_names_the_call_and_the_program_that_made_it(granted: Client, relay: FakeRelay, way: Way) -> None:
    relay.asked.clear()
    ran = granted.online("curl -sS --max-time 10 https://no.such.test/ 2>&1; true")
    ran = granted.online("curl -sS --max-time 10 https://no.such.test/ 2>&1; true")
    assert "403" in ran.output
    (first, what), (second, _) = relay.asked
    assert what == "CONNECT no.such.test:443"
    assert [first.program, second.program] == ["curl" if way == "bubblewrap" else ""] * 2
    assert first.permit.session == SESSION
    assert second.permit.seq == first.permit.seq + 1
    assert first.permit.call_sha256 != ""


def test_a_script_is_named_with_its_interpreter(granted: Client, relay: FakeRelay, way: Way) -> None:
    if way != "bubblewrap":
        pytest.skip("the machine's kernel does not know which program of a container or of gVisor's connects")
    relay.asked.clear()
    granted.online("cp /usr/bin/python3 fetcher; ./fetcher -c 'print(1)'; rm fetcher; " + script(granted, "dial()"))
    granted.online(script(granted, "open('/proc/self/comm', 'w').write('pip\\033[2J'); dial()"))
    names = [caller.program for caller, _ in relay.asked]
    assert names[0].startswith("python3")
    assert names[1].startswith("pip\\x1b[2J (python3")


def test_bytes_pass_unchanged_and_a_half_closed_connection_still_answers(granted: Client) -> None:
    ran = granted.online(
        script(
            granted,
            """
            import hashlib, threading
            data, sock, back = os.urandom(2**24), dial(), hashlib.sha256()
            def send():
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
            threading.Thread(target=send).start()
            while got := sock.recv(2**16):
                back.update(got)
            print(back.digest() == hashlib.sha256(data).digest())
            """,
        )
    )
    assert ran.output == "True\n"


def test_the_sandbox_still_has_a_loopback_and_nothing_else(granted: Client) -> None:
    ran = granted.online("tail -n +3 /proc/net/dev | cut -d: -f1; tail -n +2 /proc/net/route 2>/dev/null")
    assert ran.output.strip() == "lo"


def test_the_relays_own_socket_is_nowhere_in_the_sandbox(granted: Client, relay: FakeRelay) -> None:
    listing = f"for p in {relay.path} {relay.path.parent}; do test -e $p && echo $p; done; find / -xdev -type s"
    ran = granted.online(f"{listing} 2>/dev/null; tail -n +2 /proc/net/unix")
    assert ran.output == ""


def test_a_caller_that_the_sandbox_writes_is_payload_and_nothing_more(granted: Client, relay: FakeRelay) -> None:
    relay.asked.clear()
    granted.online(
        script(
            granted,
            f"""
            sock = socket.create_connection(("127.0.0.1", {PORT}))
            forged = b"\\x82\\xa6permit\\x83\\xa7session\\xa1x\\xa3seq\\x01\\xabcall_sha256\\xa1y\\xa7program\\xa1z"
            sock.sendall(len(forged).to_bytes(4, "big") + forged + b"CONNECT echo.test:443 HTTP/1.1\\r\\n\\r\\n")
            time.sleep(0.3)
            """,
        )
    )
    assert all(caller.permit.session == SESSION for caller, _ in relay.asked)


def test_no_address_but_the_proxys_answers_and_no_helper_is_seen(granted: Client) -> None:
    ran = granted.online(
        script(
            granted,
            f"""
            import errno, glob
            found = []
            for port in range(1, 32768):  # above, a connection can meet itself
                with socket.socket() as sock:
                    if sock.connect_ex(("127.0.0.1", port)) == 0:
                        found.append(port)
            print(found)
            for address in ("127.0.0.53", "169.254.169.254", "10.0.0.1", "172.17.0.1", "93.184.215.14"):
                with socket.socket() as sock:
                    sock.settimeout(3)
                    try:
                        sock.connect((address, 80))
                        print("reached", address)
                    except OSError:
                        pass
            lines = [open(path).read() for path in glob.glob("/proc/[0-9]*/cmdline")]
            print(any("hatch" in line for line in lines), os.path.exists("/hatch.sock"))
            try:
                late = socket.create_server(("127.0.0.1", {PORT}))
            except OSError as error:
                print(errno.errorcode[error.errno])
            """,
        )
    )
    assert ran.output.splitlines() == [f"[{PORT}]", "False False", "EADDRINUSE"]


def test_two_calls_at_once_are_told_apart(granted: Client, relay: FakeRelay) -> None:
    relay.asked.clear()
    command = script(granted, "sock = dial(sys.argv[1]); sock.sendall(b'x'); time.sleep(1)")
    numbers = [granted.start("exec", (), True, command=f"{command} echo.{name}") for name in ("one", "two")]
    for number in numbers:
        assert granted.answer(number)["outcome"] == "ok"
    asked = {what: caller.permit for caller, what in relay.asked}
    assert len(asked) == 2
    assert len({permit.seq for permit in asked.values()}) == 2
    assert len({permit.call_sha256 for permit in asked.values()}) == 2


def test_more_connections_than_the_limit_wait_for_their_turn(granted: Client, relay: FakeRelay) -> None:
    relay.most = 0
    ran = granted.online(
        script(
            granted,
            f"""
            held = [dial() for _ in range({limits.EGRESS_CONNECTIONS})]
            late = socket.create_connection(("127.0.0.1", {PORT}))
            late.sendall(b"CONNECT echo.late:443 HTTP/1.1\\r\\n\\r\\n")
            late.settimeout(1)
            try:
                print(late.recv(99))
            except TimeoutError:
                print("waits")
            held.pop().close()
            late.settimeout(20)
            print(late.recv(99))
            """,
        )
    )
    assert ran.output == "waits\nb'HTTP/1.1 200 OK\\r\\n\\r\\n'\n"
    assert relay.most == limits.EGRESS_CONNECTIONS


@pytest.mark.parametrize("end", ["itself", "time", "cancel"])
def test_nothing_stays_open_when_the_command_ends(granted: Client, relay: FakeRelay, end: str) -> None:
    until(lambda: relay.open == 0)
    before = len(os.listdir(f"/proc/{granted.pid}/fd")) if os.geteuid() == 0 else 0
    wait = "" if end == "itself" else "time.sleep(60)"
    command = script(granted, f"held = [dial() for _ in range(5)]; print('held', flush=True); {wait}")
    number = granted.start("exec", (), True, command=command, timeout=2 if end == "time" else 30)
    if end == "cancel":
        until(lambda: relay.open == 5)
        granted.control(do="cancel", id=number)
    answer = granted.answer(number)
    if end == "cancel":
        assert answer == {"cancelled": True}
    else:
        assert answer["ended_by"] == ("time" if end == "time" else "")
    until(lambda: relay.open == 0)
    if before:
        assert len(os.listdir(f"/proc/{granted.pid}/fd")) == before


def test_a_flood_of_connections_leaves_the_runner_answering(granted: Client) -> None:
    flood = script(
        granted,
        f"""
        import threading
        end = time.monotonic() + 2
        def go():
            while time.monotonic() < end:
                try:
                    socket.create_connection(("127.0.0.1", {PORT}), timeout=1).close()
                except OSError:
                    pass
        for thread in [threading.Thread(target=go) for _ in range(20)]:
            thread.start()
        """,
    )
    number = granted.start("exec", (), True, command=flood, timeout=20)
    started = time.monotonic()
    assert granted.run("list_files").outcome == "ok"  # in containers, another command would wait for this one
    assert time.monotonic() - started < 3
    assert granted.answer(number)["outcome"] == "ok"


def test_without_a_grant_there_is_neither_a_door_nor_a_sign_of_one(granted: Client) -> None:
    ran = granted.sh(f"env | grep -i proxy; ls /etc/ssl/certs; curl -sS http://127.0.0.1:{PORT}/ 2>&1")
    assert "roxy=" not in ran.output
    assert "Could" in ran.output or "refused" in ran.output


def test_a_relay_that_is_away_is_said_in_words(tmp_path: Path) -> None:
    folder = owned(tmp_path / "relay")
    with fake_relay(folder / "relay-runner.sock") as gone:
        pass
    with runner(tmp_path, "watchdog", relay=gone.path) as client:
        ran = client.online("curl -sS http://some.host/ 2>&1; curl -sS https://some.host/ 2>&1")
    assert "Wirken's relay does not answer" in ran.output
    assert "502" in ran.output


def test_a_runner_without_a_relay_refuses_a_call_that_needs_one(tmp_path: Path) -> None:
    with runner(tmp_path, "watchdog") as client:
        ran = client.online("touch here")
        assert not (client.workspace / "here").exists()
    assert ran.outcome == "denied"
    assert "without a relay" in ran.output


def test_the_machines_authorities_are_shown_and_named(granted: Client) -> None:
    host = next(path for path in map(Path, BUNDLES) if path.is_file())
    ran = granted.online('sha256sum < "$SSL_CERT_FILE"')
    assert ran.output.split()[0] == hashlib.sha256(host.read_bytes()).hexdigest()
