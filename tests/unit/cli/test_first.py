from __future__ import annotations

import http.server
import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.supervised import free_port

from wirken.cli.first import ForeignFolder, configured, first_model
from wirken.cli.output import Output
from wirken.config.paths import Paths
from wirken.domain import limits


@pytest.fixture
def ollama() -> Iterator[tuple[int, list[bytes]]]:
    answer = [b""]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/api/tags"
            self.send_response(200)
            self.end_headers()
            if answer[0] == b"slow":
                time.sleep(limits.OLLAMA_PROBE * 3)
            self.wfile.write(answer[0])

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(http.server.HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            io.StringIO().write("the client gave up")

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1], answer
        server.shutdown()
        thread.join()


def test_the_first_installed_model_is_taken(ollama: tuple[int, list[bytes]]) -> None:
    port, answer = ollama
    answer[0] = b'{"models": [{"name": "llama3.2:3b", "size": 1}, {"name": "other"}]}'
    assert first_model("127.0.0.1", port) == "llama3.2:3b"


@pytest.mark.parametrize(
    "said",
    [
        b'{"models": []}',
        b"{}",
        b"[]",
        b"not json",
        b'{"models": [{"name": "a\\u001b[2J"}]}',
        b'{"models": [1]}',
        b"slow",
    ],
)
def test_anything_else_is_no_model(ollama: tuple[int, list[bytes]], said: bytes) -> None:
    port, answer = ollama
    answer[0] = said
    assert first_model("127.0.0.1", port) == ""


def test_where_nothing_listens_there_is_no_model_and_no_wait() -> None:
    start = time.monotonic()
    assert first_model("127.0.0.1", free_port()) == ""
    assert time.monotonic() - start < limits.OLLAMA_PROBE


def test_a_folder_that_holds_other_files_is_no_data_directory(tmp_path: Path) -> None:
    """Its modes would be tightened, and as root its owner changed."""
    (tmp_path / "thesis.tex").write_text("mine")
    before = (tmp_path / "thesis.tex").stat().st_mode
    with pytest.raises(ForeignFolder):
        configured(Paths(tmp_path), Output(False, io.StringIO(), io.StringIO(), {}))
    assert {entry.name for entry in tmp_path.iterdir()} == {"thesis.tex"}
    assert (tmp_path / "thesis.tex").stat().st_mode == before
