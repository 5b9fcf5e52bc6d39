from __future__ import annotations

import msgspec
import pytest
from tests.support.calls import call, command

from wirken.domain.actions import NetworkMode, Place
from wirken.domain.egress import EgressClosed, EgressVerdict, HttpRedirect
from wirken.domain.events import Outcome
from wirken.record.reached import Reached

ALLOWED = EgressVerdict(
    call_id="c",
    connection=1,
    verdict="allowed",
    host="pypi.org",
    port=443,
    rule="allowlist",
    program="",
    by="",
    lease="",
    address="93.184.215.14",
)
CLOSED = EgressClosed(
    call_id="c",
    connection=1,
    host="pypi.org",
    address="93.184.215.14",
    bytes_up=1,
    bytes_down=1,
    duration_ms=1,
    ended="closed",
)


def said(
    network: NetworkMode, *rows: EgressVerdict | EgressClosed | Outcome, approved: frozenset[str] = frozenset()
) -> list[str]:
    reached = Reached()
    place = Place("/w", "bubblewrap", network=network, hosts=("pypi.org",))
    reached.permitted("c", msgspec.structs.replace(command("pip"), place=place))
    found: list[str] = []
    for row in rows:
        match row:
            case EgressVerdict():
                found += reached.verdict(row, set(approved))
            case EgressClosed():
                found += reached.closed(row)
            case _:
                found += reached.over("c", row)
    return found


def other(**fields: object) -> EgressVerdict:
    return msgspec.structs.replace(ALLOWED, **fields)


def test_what_the_place_allows_follows() -> None:
    assert said("allowlist", ALLOWED, CLOSED, "ok") == []
    assert said("open", other(host="any.example", rule="open"), CLOSED, "ok") == []
    assert said("ask", other(host="any.example", rule="grant"), CLOSED, "ok") == []
    approved = other(host="any.example", rule="approval", lease="l")
    assert said("ask", approved, CLOSED, "ok", approved=frozenset({"l"})) == []
    assert said("none", other(verdict="mode_none", rule="none")) == []


@pytest.mark.parametrize(
    ("network", "row"),
    [
        ("none", ALLOWED),
        ("allowlist", other(host="evil.example")),
        ("allowlist", other(host="evil.example", rule="grant")),
        ("ask", other(host="evil.example")),
        ("ask", other(host="evil.example", rule="approval", lease="never given")),
    ],
)
def test_what_the_place_does_not_allow_is_found(network: NetworkMode, row: EgressVerdict) -> None:
    assert len(said(network, row)) == 1


def test_a_call_that_does_not_run_reaches_nothing() -> None:
    assert said("open", "ok", ALLOWED) == ["a connection of a call that was not running"]
    assert said("open", other(call_id="d")) == ["a connection of a call that was not running"]


def test_every_connection_ends_once_and_before_its_call() -> None:
    assert said("open", CLOSED) == ["the end of a connection that was never allowed"]
    assert said("open", ALLOWED, CLOSED, CLOSED) == ["the end of a connection that was never allowed"]
    assert said("open", ALLOWED, "ok") == ["a call ended before a connection of it did"]
    assert said("open", ALLOWED, "unknown") == []


@pytest.mark.parametrize(
    ("tool", "arguments", "rule", "right"),
    [
        ("http_request", '{"url":"https://pypi.org/x"}', "call", True),
        ("http_request", '{"url":"https://evil.test/x"}', "call", False),
        ("http_request", '{"url":"https://pypi.org/x"}', "open", False),
        ("http_request", '{"url":7}', "call", False),
        ("http_request", "[" * 10_000, "call", False),
        ("web_search", '{"query":"x"}', "search", True),
        ("web_search", '{"query":"x"}', "call", False),
        ("exec", '{"command":"ls"}', "call", False),
    ],
)
def test_a_tools_own_request_reaches_what_its_call_says(tool: str, arguments: str, rule: str, right: bool) -> None:
    reached = Reached()
    reached.permitted("c", call(tool, arguments))
    found = list(reached.verdict(msgspec.structs.replace(ALLOWED, rule=rule), set()))
    assert found == ([] if right else ["pypi.org was reached, which the call's place does not allow"])


def sent_on(to: str = "https://pypi.org/x", hop: int = 1, **fields: object) -> HttpRedirect:
    row = HttpRedirect(call_id="c", hop=hop, status=302, method="GET", url=to, credential="")
    return msgspec.structs.replace(row, **fields)


def followed(*rows: EgressVerdict | HttpRedirect, tool: str = "http_request") -> list[str]:
    reached, found = Reached(), list[str]()
    reached.permitted("c", call(tool, '{"url":"https://first.test/"}'))
    for row in rows:
        found += reached.redirected(row) if isinstance(row, HttpRedirect) else reached.verdict(row, {"l"})
    return found


def test_a_redirect_leads_where_it_says_once_that_was_granted_or_approved() -> None:
    assert followed(sent_on(), other(rule="grant")) == []
    assert followed(sent_on(), other(rule="approval", lease="l")) == []
    assert followed(sent_on("https://first.test/x"), other(host="first.test", rule="call")) == []
    assert followed(sent_on(), sent_on("https://second.test/", 2), other(host="second.test", rule="grant")) == []


@pytest.mark.parametrize(
    "rows",
    [
        (other(rule="grant"),),
        (sent_on(), other(rule="call")),
        (sent_on(), other(rule="open")),
        (sent_on(), other(rule="approval", lease="never given")),
        (sent_on("https://evil.test/"), other(rule="grant")),
        (sent_on("no address"), other(rule="grant")),
        (sent_on(), sent_on("https://second.test/", 2), other(rule="grant")),
        (sent_on(call_id="d"),),
        (sent_on(hop=0),),
        (sent_on(), sent_on()),
        (sent_on(credential="mine"),),
    ],
)
def test_a_redirect_that_leads_elsewhere_is_found(rows: tuple[EgressVerdict | HttpRedirect, ...]) -> None:
    assert len(followed(*rows)) == 1


def test_only_a_request_is_sent_on() -> None:
    assert len(followed(sent_on(), tool="exec")) == 1
