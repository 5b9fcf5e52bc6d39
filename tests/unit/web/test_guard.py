"""Names, origins and types that the page answers to, as decisions and over a real socket."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.page import running

from wirken.web.guard import POLICY, first_problem, read

OURS = [b"127.0.0.1", b"localhost", b"[::1]", b"127.0.0.1:18790", b"LocalHost:8080", b"[::1]:80"]
THEIRS = [
    b"",
    b"evil.example",
    b"127.0.0.1.evil.example",
    b"localhost.evil.example:18790",
    b"localhost.",
    b"localhost:18790.evil.example",
    b"localhost:",
    b"localhost:123456",
    b"localhost:80:80",
    b"evil.example:18790",
    b"user@localhost",
    b"localhost, evil.example",
    b"127.0.0.2",
    b"127.1",
    b"0.0.0.0:18790",
    b"2130706433",
    b"[::ffff:127.0.0.1]",
    b"::1",
    b"localhost\n",
    b" localhost",
]
Headers = list[tuple[bytes, bytes]]


def status(method: str, headers: Headers, path: str = "/api/sessions") -> int:
    problem = first_problem(read(method, path, headers))
    return 200 if problem is None else problem.status


@pytest.mark.parametrize("host", OURS)
def test_this_machines_names_are_answered_on_any_port(host: bytes) -> None:
    assert status("GET", [(b"host", host)]) == 200


@pytest.mark.parametrize("host", THEIRS)
def test_any_other_name_is_refused_so_that_rebinding_gains_nothing(host: bytes) -> None:
    assert status("GET", [(b"host", host)]) == 421


def test_exactly_one_host_is_needed() -> None:
    assert status("GET", []) == 421
    assert status("GET", [(b"host", b"localhost"), (b"host", b"localhost")]) == 421


@given(st.binary(max_size=60))
def test_no_other_bytes_pass_for_a_host(host: bytes) -> None:
    name = host.lower().rpartition(b":")[0] if host[-1:].isdigit() and b":" in host else host.lower()
    ours = name in (b"127.0.0.1", b"localhost", b"[::1]")
    assert ours or status("GET", [(b"host", host)]) == 421


@pytest.mark.parametrize(
    "origin",
    [
        b"http://evil.example",
        b"https://localhost:18790",
        b"null",
        b"",
        b"http://localhost:3000",
        b"http://localhost",
        b"http://localhost:18790/",
        b"http://localhost:18790.evil.example",
        b"http://127.0.0.1:18790",
        b"file://",
    ],
)
def test_only_the_pages_own_origin_may_speak_to_it(origin: bytes) -> None:
    headers = [(b"host", b"localhost:18790"), (b"origin", origin)]
    assert status("GET", headers) == 403
    assert status("POST", [*headers, (b"content-type", b"application/json")]) == 403


@pytest.mark.parametrize("host", OURS)
def test_the_pages_own_origin_may_act_through_any_tunnel(host: bytes) -> None:
    headers = [(b"host", host), (b"origin", b"http://" + host), (b"content-type", b"application/json")]
    assert status("POST", headers) == 200


def test_two_origins_are_none() -> None:
    twice = [(b"origin", b"http://localhost")] * 2
    assert status("GET", [(b"host", b"localhost"), *twice]) == 403


def test_an_action_says_where_it_comes_from_and_is_json() -> None:
    host = (b"host", b"localhost")
    json = (b"content-type", b"application/json; charset=UTF-8")
    assert status("POST", [host, json]) == 403
    assert status("POST", [host, json, (b"sec-fetch-site", b"same-origin")]) == 200
    assert status("POST", [host, json, (b"sec-fetch-site", b"none")]) == 200
    own = (b"origin", b"http://localhost")
    assert status("POST", [host, own]) == 415
    assert status("POST", [host, own, json, json]) == 415
    for other in (
        b"text/plain",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data",
        b"application/jsonx",
    ):
        assert status("POST", [host, own, (b"content-type", other)]) == 415


@pytest.mark.parametrize("site", [b"cross-site", b"same-site", b"unheard-of"])
def test_other_sites_may_link_to_the_page_and_do_nothing_else(site: bytes) -> None:
    headers = [(b"host", b"localhost"), (b"sec-fetch-site", site)]
    following = [*headers, (b"sec-fetch-mode", b"navigate")]
    assert status("GET", following, "/") == 200
    assert status("GET", headers, "/") == 403
    assert status("GET", following, "/api/sessions") == 403
    assert status("GET", headers, "/static/main.js") == 403
    own = [(b"origin", b"http://localhost"), (b"content-type", b"application/json")]
    assert status("POST", [*headers, *own], "/api/messages") == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get"])
def test_other_methods_are_refused_before_anything_else(method: str) -> None:
    assert status(method, [(b"host", b"localhost")]) == 405


async def test_refusals_and_answers_carry_the_confining_headers(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        replies = [
            await page.get("/"),
            await page.get("/static/main.js"),
            await page.get("/api/sessions"),
            await page.get("/nothing"),
            await page.get("/", {"Host": "evil.example"}),
            await page.request("OPTIONS", "/api/messages"),
        ]
        assert [reply.status for reply in replies] == [200, 200, 200, 404, 421, 405]
        for reply in replies:
            assert reply.headers["content-security-policy"] == POLICY
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["referrer-policy"] == "no-referrer"
            assert reply.headers["cache-control"] == "no-store"
            assert reply.headers["cross-origin-resource-policy"] == "same-origin"
            assert reply.headers["cross-origin-opener-policy"] == "same-origin"
            assert "access-control-allow-origin" not in reply.headers
            assert "server" not in reply.headers


async def test_a_forged_action_reaches_no_gateway(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        forged = [
            {"Host": "evil.example"},
            {"Origin": "http://evil.example"},
            {"Origin": ""},
            {"Content-Type": "text/plain"},
            {"Sec-Fetch-Site": "cross-site"},
        ]
        for headers in forged:
            reply = await page.post("/api/messages", {"text": "hello"}, headers)
            assert reply.status in (403, 415, 421)
        assert page.gateway.inbound == []


async def test_two_host_headers_are_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        reply = await page.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert reply.status in (400, 421)


def test_the_policy_has_no_loophole() -> None:
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["form-action"] == "'none'"
    assert not any(word in POLICY for word in ("unsafe", "*", "data:", "blob:", "http:", "https:"))
