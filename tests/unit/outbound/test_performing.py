"""Requests and searches of tools: permitted once, to the host that was decided about, scrubbed on the way back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import msgspec
import pytest
from tests.support.calls import call
from tests.support.fake_names import Names

from wirken.config.load import parse
from wirken.config.model import Config
from wirken.domain import request_limits
from wirken.domain.actions import CanonicalCall, CredentialUse
from wirken.domain.egress import Verdict
from wirken.domain.errors import Refused
from wirken.domain.secret import Secret
from wirken.ipc.calls.egress import Caller, EgressRuling, EndedEgress, JudgeEgress, ReachEgress, Redirect
from wirken.ipc.calls.outbound import Perform
from wirken.ipc.calls.runner import Ran, WirePermit
from wirken.outbound.answers import readable
from wirken.outbound.fetching import Answer, Fetch, FetchFailed, Wanted
from wirken.outbound.performing import Performing
from wirken.outbound.resolve import Resolver
from wirken.outbound.scrub import Scrubber

KEY = "ghp_A1b2C3d4E5f6G7h8"
BOUND = parse(
    b"""
[http_credentials.issues]
credential = "github"
host = "api.example.org"
path = "/repos/"
format = "token {}"
[web_search]
kind = "brave"
credential = "search"
""",
    "config.toml",
)
NAMES = {
    "api.example.org": ["93.184.215.14"],
    "other.example.org": ["93.184.215.15"],
    "inside.example.org": ["10.0.0.1"],
    "api.search.brave.com": ["93.184.215.16"],
}


class Web:
    """The port `Fetch`, answered from a script; notes what was wanted."""

    def __init__(self, *answers: Answer | Callable[[Wanted], Answer]) -> None:
        self.answers = list(answers)
        self.wanted: list[Wanted] = []

    async def __call__(self, wanted: Wanted) -> Answer:
        self.wanted.append(wanted)
        answer = self.answers.pop(0)
        return answer if isinstance(answer, Answer) else answer(wanted)


def page(text: str, status: int = 200, **headers: str) -> Answer:
    return Answer(status, "OK", {"content-type": "text/plain", **headers}, text.encode(), False)


def moved(to: str, status: int = 302) -> Answer:
    return page("", status, location=to)


class Gateway:
    """The port `Judge`: allows what it is asked, unless told otherwise, and notes all."""

    def __init__(self, verdict: Verdict = "allowed") -> None:
        self.verdict: Verdict = verdict
        self.judged: list[JudgeEgress] = []
        self.reached: list[ReachEgress] = []
        self.over: list[EndedEgress] = []

    async def judge(self, question: JudgeEgress) -> EgressRuling:
        self.judged.append(question)
        return EgressRuling(self.verdict, "" if self.verdict == "allowed" else "Not that one.", len(self.judged))

    async def reach(self, said: ReachEgress) -> None:
        self.reached.append(said)

    async def ended(self, said: EndedEgress) -> None:
        self.over.append(said)


def performing(web: Fetch, config: Config = BOUND, judge: Gateway | None = None) -> Performing:
    async def credentials(name: str) -> Secret | None:
        return Secret(KEY.encode()) if name in ("github", "search") else None

    return Performing(config, Resolver(Names(NAMES), {}, lambda address: False), credentials, web, judge or Gateway())


def question(tool: str, arguments: dict[str, object], credential: CredentialUse | None = None, seq: int = 1) -> Perform:
    one = call(tool, json.dumps(arguments))
    one = msgspec.structs.replace(one, place=msgspec.structs.replace(one.place, credential=credential))
    return asked(one, seq)


def asked(one: CanonicalCall, seq: int = 1) -> Perform:
    return Perform(WirePermit(one.session, seq, one.digest()), one.canonical())


async def got(web: Web, url: str, credential: CredentialUse | None = None, **more: object) -> Ran:
    return await performing(web).perform(question("http_request", {"url": url, **more}, credential))


async def test_an_answer_is_status_headers_and_text() -> None:
    web = Web(page("hello", etag='"1"', server="not shown"))
    ran = await got(web, "https://other.example.org/a?b", headers={"Accept": "text/plain"})
    assert (ran.outcome, ran.place) == ("ok", "outbound")
    assert ran.output == 'HTTP 200 OK\ncontent-type: text/plain\netag: "1"\n\nhello'
    one = web.wanted[0]
    assert (one.method, one.host, one.port, one.path) == ("GET", "other.example.org", 443, "/a?b")
    assert [str(address) for address in one.addresses] == ["93.184.215.15"]
    assert one.headers == [(b"Accept", b"text/plain")]


async def test_every_request_is_judged_and_on_record_before_a_byte_leaves() -> None:
    judge = Gateway()

    def looked(wanted: Wanted) -> Answer:
        assert [(said.verdict, said.address) for said in judge.reached] == [("allowed", "93.184.215.15")]
        assert judge.over == []
        return page("hello")

    one = question("http_request", {"url": "https://other.example.org/", "method": "POST", "body": "12345"})
    await performing(Web(looked), judge=judge).perform(one)
    assert [(asked.role, asked.host, asked.port) for asked in judge.judged] == [("outbound", "other.example.org", 443)]
    assert judge.judged[0].caller == Caller(one.permit, "http_request")
    [over] = judge.over
    assert (over.ticket, over.ended, over.bytes_up) == (1, "closed", len("/") + 5)
    assert over.bytes_down == len("hello") + len("content-type" + "text/plain")


async def test_what_the_gateway_does_not_allow_is_not_tried() -> None:
    web, judge = Web(), Gateway("not_allowed")
    ran = await performing(web, judge=judge).perform(question("http_request", {"url": "https://other.example.org/"}))
    assert (ran.outcome, ran.output, web.wanted, judge.reached) == ("failed", "Not that one.", [], [])


async def test_a_failure_and_a_stop_are_on_record_too() -> None:
    judge, started = Gateway(), asyncio.Event()

    def broken(wanted: Wanted) -> Answer:
        raise FetchFailed("It broke.")

    one = question("http_request", {"url": "https://other.example.org/"})
    assert (await performing(Web(broken), judge=judge).perform(one)).outcome == "failed"

    async def stalls(wanted: Wanted) -> Answer:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    works = performing(stalls, judge=judge)
    running = asyncio.create_task(works.perform(one))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [said.ended for said in judge.over] == ["broken", "stopped"]


async def test_a_permit_is_for_one_call_and_good_once() -> None:
    works = performing(Web(page("a"), page("b")))
    first = question("http_request", {"url": "https://other.example.org/"})
    await works.perform(first)
    with pytest.raises(Refused, match="used before"):
        await works.perform(first)
    other = question("http_request", {"url": "https://api.example.org/"})
    with pytest.raises(Refused, match="not the one"):
        await works.perform(Perform(first.permit, other.call))


async def test_a_bound_credential_goes_with_its_request_and_never_comes_back() -> None:
    web = Web(page(f"you sent {KEY}", link=f"<{KEY}>"))
    ran = await got(web, "https://api.example.org/repos/me", CredentialUse("issues"))
    assert web.wanted[0].headers == [(b"Authorization", f"token {KEY}".encode())]
    assert KEY not in ran.output and "[secret removed]" in ran.output


@pytest.mark.parametrize("kept", range(3, len(KEY), 4))
async def test_a_cut_leaves_no_part_of_a_credential(kept: int) -> None:
    """Whoever asks chooses what a server repeats, and so where the end of what is shown falls."""
    body = b"." * (request_limits.RESPONSE_SHOWN - kept) + KEY.encode() + b"." * 99
    headers = {"content-type": "text/plain", "etag": "." * (1024 - kept) + KEY}
    answer = Answer(200, "." * (64 - kept) + KEY, headers, body, False)
    ran = await got(Web(answer), "https://api.example.org/repos/me", CredentialUse("issues"))
    assert KEY[:3] not in ran.output


def test_what_is_left_of_a_credential_at_the_end_of_a_body_that_was_cut_is_not_shown() -> None:
    """Marks are shorter than what they stand for, so that the end of a megabyte can come into what is shown."""
    scrubber, key = Scrubber(), "ghp" + "x" * 200
    body = (key.encode() * 6000)[: request_limits.RESPONSE_BODY]
    with scrubber.holding(Secret(key.encode())):
        assert len(body) == request_limits.RESPONSE_BODY
        assert "ghp" not in readable(Answer(200, "OK", {}, body, True), scrubber)


@pytest.mark.parametrize(
    ("url", "decided"),
    [
        ("https://api.example.org/repos/me", None),
        ("https://api.example.org/other", CredentialUse("issues")),
        ("https://other.example.org/repos/me", CredentialUse("issues")),
        ("https://api.example.org/repos/me", CredentialUse("issues", "tier2")),
    ],
)
async def test_another_credential_than_was_decided_about_is_refused(url: str, decided: CredentialUse | None) -> None:
    web = Web()
    with pytest.raises(Refused, match="credential"):
        await got(web, url, decided)
    assert web.wanted == []


async def test_a_host_that_leads_inside_is_denied_and_an_unknown_one_fails() -> None:
    web = Web()
    inside = await got(web, "https://inside.example.org/")
    assert (inside.outcome, web.wanted) == ("denied", [])
    judge = Gateway()
    await performing(web, judge=judge).perform(question("http_request", {"url": "https://inside.example.org/"}))
    assert [said.verdict for said in judge.reached] == ["private_address"]
    assert "no public address" in inside.output
    assert (await got(web, "https://nobody.example.org/")).outcome == "failed"


async def test_a_redirect_is_followed_once_the_gateway_has_judged_it() -> None:
    judge = Gateway()

    def there(wanted: Wanted) -> Answer:
        assert [said.ticket for said in judge.reached] == [1, 2, 3] and len(judge.over) == 2
        return page("c")

    web = Web(moved("/b"), moved("https://api.example.org/c", 307), there)
    one = question("http_request", {"url": "https://other.example.org/a", "method": "POST", "body": "x"})
    ran = await performing(web, judge=judge).perform(one)
    assert [(one.method, one.host, one.path, one.body) for one in web.wanted] == [
        ("POST", "other.example.org", "/a", b"x"),
        ("GET", "other.example.org", "/b", b""),
        ("GET", "api.example.org", "/c", b""),
    ]
    assert [str(one.addresses[0]) for one in web.wanted] == ["93.184.215.15", "93.184.215.15", "93.184.215.14"]
    asked = [(asked.host, asked.redirect) for asked in judge.judged]
    assert asked == [
        ("other.example.org", None),
        ("other.example.org", Redirect(302, "/b")),
        ("api.example.org", Redirect(307, "https://api.example.org/c")),
    ]
    assert "after 2 redirects, from https://api.example.org/c" in ran.output


async def test_a_redirect_that_is_not_allowed_is_told_and_nothing_goes_there() -> None:
    class Strict(Gateway):
        async def judge(self, question: JudgeEgress) -> EgressRuling:
            self.verdict = "allowed" if question.redirect is None else "not_allowed"
            return await super().judge(question)

    web, judge = Web(moved("https://api.example.org/x")), Strict()
    ran = await performing(web, judge=judge).perform(question("http_request", {"url": "https://other.example.org/"}))
    assert (ran.outcome, len(web.wanted)) == ("ok", 1)
    assert "HTTP 302" in ran.output and "[the redirect was not followed: Not that one.]" in ran.output


@pytest.mark.parametrize(
    "to",
    ["http://other.example.org/", "https://127.0.0.1/", "ftp://x.test/", "https://u:p@other.example.org/", "\\\\x"],
)
async def test_a_redirect_that_nobody_may_allow_is_not_even_asked_for(to: str) -> None:
    web, judge = Web(moved(to)), Gateway()
    ran = await performing(web, judge=judge).perform(question("http_request", {"url": "https://other.example.org/"}))
    assert (len(web.wanted), len(judge.judged)) == (1, 1)
    assert "not followed" in ran.output


async def test_an_answer_without_a_place_leads_nowhere() -> None:
    for answer in (moved(""), moved("/b", 300), moved("/b", 304), moved("/b", 200)):
        web = Web(answer)
        assert "not followed" not in (await got(web, "https://other.example.org/")).output
        assert len(web.wanted) == 1


async def test_a_redirect_that_leads_inside_is_denied_and_on_record() -> None:
    web, judge = Web(moved("https://inside.example.org/")), Gateway()
    ran = await performing(web, judge=judge).perform(question("http_request", {"url": "https://other.example.org/"}))
    assert (ran.outcome, len(web.wanted)) == ("denied", 1)
    assert [said.verdict for said in judge.reached] == ["allowed", "private_address"]


@pytest.mark.parametrize(
    ("to", "carries"),
    [
        ("/repos/you", True),
        ("https://api.example.org/repos/you?a", True),
        ("/elsewhere", False),
        ("https://other.example.org/repos/me", False),
    ],
)
async def test_a_credential_goes_on_within_its_own_place_alone(to: str, carries: bool) -> None:
    web = Web(moved(to), page(f"you sent {KEY}"))
    ran = await got(web, "https://api.example.org/repos/me", CredentialUse("issues"))
    first, second = (dict(one.headers).get(b"Authorization") for one in web.wanted)
    assert first == f"token {KEY}".encode() and second == (first if carries else None)
    assert KEY not in ran.output


async def test_a_credential_that_was_dropped_does_not_come_back_and_no_other_comes_along() -> None:
    web = Web(moved("https://other.example.org/"), moved("https://api.example.org/repos/me"), page("x"))
    await got(web, "https://api.example.org/repos/me", CredentialUse("issues"))
    assert [bool(one.headers) for one in web.wanted] == [True, False, False]
    web = Web(moved("https://api.example.org/repos/me"), page("x"))
    await got(web, "https://other.example.org/")
    assert [one.headers for one in web.wanted] == [[], []]


async def test_redirects_have_an_end() -> None:
    web = Web(*[moved(f"/{number}") for number in range(request_limits.REDIRECTS)], page("there"))
    assert "there" in (await got(web, "https://other.example.org/")).output
    web, judge = Web(*[moved(f"/{number}") for number in range(request_limits.REDIRECTS + 1)]), Gateway()
    ran = await performing(web, judge=judge).perform(question("http_request", {"url": "https://other.example.org/"}))
    assert ran.outcome == "failed" and f"redirect number {request_limits.REDIRECTS + 1}" in ran.output
    assert len(judge.judged) == request_limits.REDIRECTS + 1


@pytest.mark.parametrize(
    "more",
    [
        {"headers": {"Authorization": "Bearer x"}},
        {"headers": {"cookie": "x"}},
        {"headers": {"Host": "evil.test"}},
        {"headers": {"X": "a\r\nB: c"}},
        {"headers": {"X:": "a"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"headers": {f"X-{number}": "" for number in range(request_limits.REQUEST_HEADERS + 1)}},
        {"method": "CONNECT"},
        {"method": "get"},
        {"body": "x"},
        {"method": "POST", "body": "x" * (request_limits.REQUEST_BODY + 1)},
        {"method": "POST", "body": "ä" * (request_limits.REQUEST_BODY // 2 + 1)},
        {"timeout": 1},
    ],
)
async def test_what_a_model_may_not_ask_is_invalid(more: dict[str, object]) -> None:
    web = Web()
    ran = await performing(web).perform(question("http_request", {"url": "https://other.example.org/", **more}))
    assert (ran.outcome, web.wanted) == ("invalid", [])


async def test_the_largest_body_is_sent() -> None:
    web = Web(page("ok"))
    await got(web, "https://other.example.org/", method="POST", body="x" * request_limits.REQUEST_BODY)
    assert len(web.wanted[0].body) == request_limits.REQUEST_BODY


async def test_a_search_asks_the_engine_with_its_key() -> None:
    found = {"web": {"results": [{"title": "T", "url": "https://t.test/", "description": f"about {KEY}"}]}}
    web = Web(page(json.dumps(found)))
    ran = await performing(web).perform(question("web_search", {"query": "a b&c", "count": 3}))
    assert ran.output == "1. T\nhttps://t.test/\nabout [secret removed]"
    one = web.wanted[0]
    assert one.host == "api.search.brave.com" and "q=a+b%26c&count=3" in one.path
    assert (b"X-Subscription-Token", KEY.encode()) in one.headers


@pytest.mark.parametrize(
    ("largest", "beyond"),
    [
        ({"query": "x" * request_limits.SEARCH_QUERY}, {"query": "x" * (request_limits.SEARCH_QUERY + 1)}),
        (
            {"query": "x", "count": request_limits.SEARCH_RESULTS},
            {"query": "x", "count": request_limits.SEARCH_RESULTS + 1},
        ),
        ({"query": "x", "count": 1}, {"query": "x", "count": 0}),
    ],
)
async def test_a_search_has_a_longest_query_and_a_most_of_results(
    largest: dict[str, object], beyond: dict[str, object]
) -> None:
    assert (
        await performing(Web(page('{"web": {"results": []}}'))).perform(question("web_search", largest))
    ).outcome == "ok"
    assert (await performing(Web()).perform(question("web_search", beyond))).outcome == "invalid"


async def test_without_an_engine_a_search_says_so() -> None:
    ran = await performing(Web(), Config()).perform(question("web_search", {"query": "x"}))
    assert ran.outcome == "failed" and "[web_search]" in ran.output


async def test_a_search_engine_of_ones_own_is_reached_on_this_machine() -> None:
    config = parse(b'[web_search]\nkind = "searxng"\nbase_url = "http://127.0.0.1:8888/searx"\n', "config.toml")
    web = Web(page('{"results": []}'))
    ran = await performing(web, config).perform(question("web_search", {"query": "x"}))
    one = web.wanted[0]
    assert (one.scheme, str(one.addresses[0]), one.port) == ("http", "127.0.0.1", 8888)
    assert one.path == "/searx/search?q=x&format=json" and ran.output == "No results."
