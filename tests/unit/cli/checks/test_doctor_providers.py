from __future__ import annotations

import http.server
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.supervised import free_port

from wirken.cli.checks import providers
from wirken.cli.checks.installation import Installation
from wirken.config.paths import Paths

_HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


@dataclass
class Server:
    """Answers every GET with what the test says, and remembers what came."""

    port: int
    status: int = 200
    body: bytes = b"{}"
    paths: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    known = Server(0)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.paths.append(self.path)
            known.headers.append(str(self.headers))
            self.send_response(known.status)
            self.end_headers()
            self.wfile.write(known.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as listening:
        known.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield known
        listening.shutdown()
        thread.join()


def home(tmp_path: Path, kind: str, port: int, model: str = "llama3.2", **files: str) -> Installation:
    (tmp_path / "proc/net").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (tmp_path / "proc/net" / name).write_text(_HEADER + text)
    (tmp_path / "config.toml").write_text(
        f'[agents.default]\nmodel = "here/{model}"\n'
        f'[providers.here]\nkind = "{kind}"\nbase_url = "http://127.0.0.1:{port}"\ncredential = "here"\n'
    )
    return Installation(Paths(tmp_path), {}, os.getuid(), int(time.time() * 1000), None, root=tmp_path)


def found(place: Installation) -> list[tuple[str, str]]:
    return [(finding.severity.value, finding.fix) for finding in providers.reachable(place)]


@pytest.mark.parametrize("name", ["llama3.2", "llama3.2:latest"])
def test_an_ollama_that_has_the_model_is_fine(tmp_path: Path, server: Server, name: str) -> None:
    server.body = json.dumps({"models": [{"name": "other"}, {"name": name}]}).encode()
    assert found(home(tmp_path, "ollama", server.port)) == [("ok", "")]
    assert server.paths == ["/api/tags"]
    assert "authorization" not in server.headers[0].lower()


def test_an_ollama_without_the_model_is_told_which_to_pull(tmp_path: Path, server: Server) -> None:
    server.body = b'{"models": [{"name": "other"}]}'
    assert found(home(tmp_path, "ollama", server.port)) == [("red", "ollama pull llama3.2")]
    server.body = b'{"models": []}'
    assert found(home(tmp_path, "ollama", server.port)) == [("red", "ollama pull llama3.2")]


def test_where_nothing_listens_the_fix_is_to_start_it(tmp_path: Path) -> None:
    assert found(home(tmp_path, "ollama", free_port())) == [("red", "Start it: ollama serve")]


@pytest.mark.parametrize(
    ("status", "body", "severity"),
    [
        (200, b'{"data": [{"id": "llama3.2"}]}', "ok"),
        (200, b'{"data": [{"id": "other"}]}', "red"),
        (200, b"<html>", "ok"),
        (401, b"", "ok"),
        (404, b"", "ok"),
        (503, b"", "yellow"),
    ],
)
def test_a_compatible_server_answers_even_if_it_wants_a_key(
    tmp_path: Path, server: Server, status: int, body: bytes, severity: str
) -> None:
    server.status, server.body = status, body
    assert [one for one, _ in found(home(tmp_path, "openai", server.port))] == [severity]
    assert server.paths == ["/models"]


def test_plain_http_to_another_machine_is_red_and_never_asked(tmp_path: Path) -> None:
    place = home(tmp_path, "openai", 1)
    place.paths.config_file.write_text(
        '[agents.default]\nmodel = "p/m"\n[providers.p]\nkind = "openai"\nbase_url = "http://models.example.com/v1"\n'
    )
    [finding] = providers.reachable(place)
    assert (finding.severity.value, "https" in finding.fix) == ("red", True)


@pytest.mark.parametrize(
    ("table", "address", "open_to_all"),
    [
        ("tcp", "0100007F", False),
        ("tcp", "00000000", True),
        ("tcp", "0A01A8C0", True),
        ("tcp6", "00000000000000000000000001000000", False),
        ("tcp6", "0000000000000000FFFF00000100007F", False),
        ("tcp6", "00000000000000000000000000000000", True),
    ],
)
def test_a_server_that_listens_beyond_loopback_is_yellow(
    tmp_path: Path, server: Server, table: str, address: str, open_to_all: bool
) -> None:
    server.body = b'{"models": [{"name": "llama3.2"}]}'
    rest = f"{'0' * len(address)}:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0\n"
    row = f"   0: {address}:{server.port:04X} {rest}"
    place = home(tmp_path, "ollama", server.port, **{table: row})
    assert ("yellow" in [one for one, _ in found(place)]) is open_to_all


@given(st.binary(max_size=200))
def test_no_answer_breaks_the_reading_of_lists(body: bytes) -> None:
    assert isinstance(providers.listed(body), frozenset)


@pytest.mark.parametrize(
    "body", [b'{"models": [1, {"name": 2}, {}]}', b'{"data": {}}', b"[]", b"[" * 100_000, b'{"models": null}']
)
def test_lists_of_another_shape_name_nothing(body: bytes) -> None:
    assert providers.listed(body) == frozenset()
