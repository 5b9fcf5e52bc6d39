"""`http_request` and `web_search` through every process: asked for, judged, made, scrubbed and on record.

Only root may bind the ports that requests go to, 443 and 80: as another user the requests are not tried.
"""

from __future__ import annotations

import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.spine import WIRKEN, Spine, environment, spine, wirken
from tests.support.terminal import Terminal
from tests.support.tls_files import Ports, authority, served

from wirken.domain.egress import EgressClosed, EgressVerdict
from wirken.domain.events import ToolResultFact

needs_ports = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root may bind the ports 443 and 80")
pytestmark = pytest.mark.slow

ADDRESS, HOST, OTHER = "127.0.0.8", "www.requests.example", "other.requests.example"
MOVED = "127.0.0.9"
KEY = "canary-A1b2C3d4E5f6"


class _Engine(http.server.BaseHTTPRequestHandler):
    """A SearXNG on this machine."""

    def do_GET(self) -> None:
        body = json.dumps({"results": [{"title": "One", "url": "https://one.test/", "content": self.path}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def engine() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Engine)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, engine: int) -> Iterator[Spine]:
    config = f"""
[approvals]
ask_seconds = 20
[web_search]
kind = "searxng"
base_url = "http://127.0.0.1:{engine}"
[http_credentials.mine]
credential = "mine"
host = "{HOST}"
path = "/bound"
[egress.own_addresses]
"{HOST}" = ["{ADDRESS}"]
"{OTHER}" = ["{MOVED}"]
"""
    with spine(tmp_path_factory.mktemp("requests"), config) as one:
        done = wirken(one.data, "credentials", "add", "mine", "--stdin", text=KEY)
        assert done.returncode == 0, done.stderr
        yield one


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "ca").mkdir()
    (folder / "www" / HOST).mkdir(parents=True)
    (folder / "www" / HOST / "page.txt").write_text("the page")
    context = authority(folder / "ca", (HOST,))
    with served(folder / "www", context, ADDRESS, Ports(443, 80)):
        yield folder


class _Moved(http.server.BaseHTTPRequestHandler):
    """Everything has moved to the first host."""

    def do_GET(self) -> None:
        self.send_response(301)
        self.send_header("Location", f"http://{HOST}/page.txt")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def moved() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer((MOVED, 80), _Moved)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://{OTHER}/old"
    server.shutdown()
    thread.join()
    server.server_close()


def asked(up: Spine, session: str, url: str, *expected: str, answer: str = "y") -> ToolResultFact:
    arguments = json.dumps({"url": url})
    words = ["ask", "-m", f"call: http_request {arguments}", "--session", session]
    at = Terminal([*WIRKEN, *words], environment(up.data))
    for text in (*expected, "Allow? "):
        at.see(text)
    at.type(f"{answer}\n")
    at.end()
    return result(up, session)


def result(up: Spine, session: str) -> ToolResultFact:
    return next(fact for fact in up.facts(f"default/terminal/{session}") if isinstance(fact, ToolResultFact))


@needs_ports
def test_a_request_is_asked_for_shown_made_and_on_record(up: Spine, site: Path) -> None:
    url = f"http://{HOST}/page.txt"
    found = asked(up, "plain", url, url, "can reach: the host of the request, nothing else")
    assert (found.outcome, found.output.splitlines()[0]) == ("ok", "HTTP 200 OK")
    assert found.output.endswith("the page")
    facts = up.facts("default/terminal/plain")
    [verdict] = [fact for fact in facts if isinstance(fact, EgressVerdict)]
    assert (verdict.verdict, verdict.rule, verdict.host, verdict.port, verdict.address, verdict.program) == (
        *("allowed", "call", HOST, 80, ADDRESS),
        "http_request",
    )
    [closed] = [fact for fact in facts if isinstance(fact, EgressClosed)]
    assert (closed.ended, closed.address) == ("closed", ADDRESS) and closed.bytes_down > len("the page")
    up.until_at_rest("default/terminal/plain")
    assert wirken(up.data, "sessions", "verify", "plain", "--strict").returncode == 0


@needs_ports
@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_redirect_to_another_host_is_a_question_of_its_own(up: Spine, site: Path, moved: str, answer: str) -> None:
    session = f"moved-{answer}"
    words = ["ask", "-m", f'call: http_request {{"url":"{moved}"}}', "--session", session]
    at = Terminal([*WIRKEN, *words], environment(up.data))
    at.see("Allow? ")
    at.type("y\n")
    at.see(f"A server sent this request on to there (redirect 1); what was asked for is: GET {moved}")
    at.see("Allow? ")
    assert [fact.host for fact in up.facts(f"default/terminal/{session}") if isinstance(fact, EgressVerdict)] == [OTHER]
    at.type(f"{answer}\n")
    at.end()
    found = result(up, session)
    assert found.output.splitlines()[0] == ("HTTP 200 OK" if answer == "y" else "HTTP 301 Moved Permanently")
    reached = [fact for fact in up.facts(f"default/terminal/{session}") if isinstance(fact, EgressVerdict)]
    assert [(fact.host, fact.address) for fact in reached if fact.verdict == "allowed"] == (
        [(OTHER, MOVED), (HOST, ADDRESS)] if answer == "y" else [(OTHER, MOVED)]
    )
    up.until_at_rest(f"default/terminal/{session}")
    assert wirken(up.data, "sessions", "verify", session, "--strict").returncode == 0


@needs_ports
def test_a_host_must_prove_its_name_before_a_credential_goes_there(up: Spine, site: Path) -> None:
    """The authority is the test's own, so nobody trusts it: the key must not leave."""
    found = asked(up, "bound", f"https://{HOST}/bound/x", "carries the credential: mine")
    assert found.outcome == "failed" and "certificate" in found.output
    assert KEY not in (up.err + "".join(str(fact) for fact in up.facts("default/terminal/bound")))


def test_a_refusal_sends_nothing(up: Spine) -> None:
    found = asked(up, "no", f"http://{HOST}/page.txt", answer="n")
    assert found.outcome == "denied"
    assert "egress_verdict" not in up.kinds("default/terminal/no")


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://127.0.0.1/", "ip_literal"),
        ("http://169.254.169.254/", "ip_literal"),
        ("https://example.org:22/", "port_not_allowed"),
        ("https://localhost/", "malformed"),
        ("file:///etc", "malformed"),
    ],
)
def test_what_is_no_hosts_name_is_not_even_asked_for(up: Spine, url: str, rule: str) -> None:
    session = f"literal-{rule}-{len(url)}"
    wirken(up.data, "ask", "-m", f'call: http_request {{"url":"{url}"}}', "--session", session)
    assert f"'{rule}'" in result(up, session).output


def test_a_search_needs_nobody_and_asks_the_engine(up: Spine) -> None:
    wirken(up.data, "ask", "-m", 'call: web_search {"query":"a b"}', "--session", "search")
    found = result(up, "search")
    assert found.output == "1. One\nhttps://one.test/\n/search?q=a+b&format=json"
    assert "egress_verdict" in up.kinds("default/terminal/search")
