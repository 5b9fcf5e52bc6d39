"""Who may call the webhook: the Connector's signed tokens, and nothing that only looks like one."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

import pytest
from tests.support.recording_house import running
from tests.support.teams_bench import Bench, teams_bench
from tests.support.teams_callers import post, request
from tests.support.teams_keys import Signer, claims, signed, unsigned, with_public_key_as_secret
from tests.support.teams_sim import APP_ID, TENANT

from wirken.channels.contract import PlatformAway
from wirken.domain import channel_limits as limits
from wirken.domain.clock import SystemClock


class Shifted(SystemClock):
    """The machine's clock, `ahead` seconds ahead."""

    ahead = 0.0

    def now(self) -> int:
        return super().now() + int(self.ahead * 1000)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@pytest.fixture
def clock() -> Shifted:
    return Shifted()


@pytest.fixture
async def bench(clock: Shifted) -> AsyncIterator[Bench]:
    async with teams_bench(clock) as made:
        yield made


async def called(bench: Bench, token: str, **said: object) -> int:
    activity = {**bench.callers.text(bench.alice, bench.room, "hello"), **said}
    return (await bench.callers.call(activity, token)).status


def forged(bench: Bench, attack: str) -> str:
    """Return a token that is wrong in one way."""
    now, ours, service = int(time.time()), bench.sim.signers[0], bench.sim.service
    good = claims(APP_ID, service)
    changed: dict[str, dict[str, object]] = {
        "other audience": {"aud": "99999999-2222-3333-4444-555555555555"},
        "two audiences": {"aud": [APP_ID, "99999999-2222-3333-4444-555555555555"]},
        "no audience": {"aud": None},
        "other issuer": {"iss": "https://sts.windows.net/someone/"},
        "issuer that begins so": {"iss": "https://api.botframework.com.evil.example"},
        "no issuer": {"iss": None},
        "expired": {"exp": now - limits.TEAMS_SKEW - 2},
        "no end": {"exp": None},
        "end is text": {"exp": "2099"},
        "end is huge": {"exp": 1e400},
        "not yet": {"nbf": now + limits.TEAMS_SKEW + 60},
        "no beginning": {"nbf": None},
        "other service": {"serviceurl": "https://smba.trafficmanager.net/amer/"},
        "service of a stranger": {"serviceurl": "https://evil.example/"},
        "no service": {"serviceurl": None},
        "service is a number": {"serviceurl": 3},
    }
    if attack in changed:
        return signed(claims(APP_ID, service, **changed[attack]), ours)
    head, body, seal = signed(good, ours).split(".")
    _, other, _ = signed(claims(APP_ID, service, exp=now + 99_999), ours).split(".")
    tokens = {
        "alg none": unsigned(good, ours.kid),
        "alg None": unsigned(good, ours.kid, "None"),
        "alg none with a signature": f"{unsigned(good, ours.kid)}{seal}",
        "public key as secret": with_public_key_as_secret(good, ours),
        "wrong key": signed(good, Signer(ours.kid, 7)),
        "no such key": signed(good, Signer("no-such-key", 7)),
        "key without an id": signed(good, ours, kid=""),
        "crit": signed(good, ours, crit=["b64"]),
        "no signature": f"{head}.{body}.",
        "signature of another": f"{head}.{other}.{seal}",
        "two parts": f"{head}.{body}",
        "four parts": f"{head}.{body}.{seal}.{seal}",
        "rubbish": "rubbish",
        "empty": "",
        "too long": signed({**good, "x": "x" * limits.TEAMS_TOKEN}, ours),
        "not JSON": "AAAA.AAAA.AAAA",
    }
    return tokens[attack]


@pytest.mark.parametrize(
    "attack",
    [
        "other audience",
        "two audiences",
        "no audience",
        "other issuer",
        "issuer that begins so",
        "no issuer",
        "expired",
        "no end",
        "end is text",
        "end is huge",
        "not yet",
        "no beginning",
        "other service",
        "service of a stranger",
        "no service",
        "service is a number",
        "alg none",
        "alg None",
        "alg none with a signature",
        "public key as secret",
        "wrong key",
        "no such key",
        "key without an id",
        "crit",
        "no signature",
        "signature of another",
        "two parts",
        "four parts",
        "rubbish",
        "empty",
        "too long",
        "not JSON",
    ],
)
async def test_a_token_that_is_wrong_in_one_way_is_refused(bench: Bench, attack: str) -> None:
    token = forged(bench, attack)
    async with running(bench.platform, bench.house):
        raw = post(
            json.dumps(bench.callers.text(bench.alice, bench.room, "hello")).encode(), authorization=f"Bearer {token}"
        )
        assert (await request(bench.callers.port, raw)).status in (401, 403, 503)
        assert bench.house.received == []
        assert await called(bench, bench.callers.token()) == 200


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Bearer", "Bearer ", "token"])
async def test_without_a_token_nobody_is_heard(bench: Bench, header: str) -> None:
    async with running(bench.platform, bench.house):
        raw = post(b"{}", authorization=header)
        assert (await request(bench.callers.port, raw)).status == 401


async def test_a_token_is_good_until_the_clocks_may_differ_no_further(bench: Bench, clock: Shifted) -> None:
    now = int(time.time())
    async with running(bench.platform, bench.house):
        token = bench.callers.token(exp=now + 1000, nbf=now + 500)
        clock.ahead = 500 - limits.TEAMS_SKEW - 30
        assert await called(bench, token) == 403
        clock.ahead = 500 - limits.TEAMS_SKEW + 30
        assert await called(bench, token) == 200
        clock.ahead = 1000 + limits.TEAMS_SKEW - 30
        assert await called(bench, token) == 200
        clock.ahead = 1000 + limits.TEAMS_SKEW + 30
        assert await called(bench, token) == 403


@pytest.mark.parametrize(
    "said",
    [
        {"serviceUrl": "https://smba.trafficmanager.net/amer/"},
        {"serviceUrl": ""},
        {"channelId": "webchat"},
        {"channelId": ""},
        {"conversation": {"id": "a:1", "conversationType": "personal", "tenantId": "another"}},
        {"channelData": {"tenant": {"id": "another"}}},
        {"channelData": None, "conversation": {"id": "a:1", "conversationType": "personal"}},
    ],
)
async def test_what_does_not_fit_its_token_or_is_of_another_organisation_is_refused(
    bench: Bench, said: dict[str, object]
) -> None:
    async with running(bench.platform, bench.house):
        assert await called(bench, bench.callers.token(), **said) == 403
    assert bench.house.received == []


async def test_the_organisation_may_be_said_in_one_place_alone(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        here = {"id": bench.room.id, "conversationType": "personal", "tenantId": TENANT.upper()}
        assert await called(bench, bench.callers.token(), channelData=None, conversation=here) == 200


async def test_a_call_that_is_replayed_brings_the_same_message(bench: Bench) -> None:
    token = bench.callers.token()
    activity = bench.callers.text(bench.alice, bench.room, "hello")
    async with running(bench.platform, bench.house):
        for _ in range(3):
            assert (await bench.callers.call(activity, token)).status == 200
    assert len({said.platform_id for said in bench.house.handled}) == 1


# --- keys -----------------------------------------------------------------------------------------------


def fetches(bench: Bench) -> int:
    return bench.sim.calls.count("GET /v1/.well-known/keys")


async def test_a_new_key_is_looked_for_when_it_is_first_used(bench: Bench, clock: Shifted) -> None:
    async with running(bench.platform, bench.house):
        assert await called(bench, bench.callers.token()) == 200
        bench.sim.signers.insert(0, Signer("key-two", 1))
        clock.ahead += limits.TEAMS_KEYS_AGAIN + 1
        assert await called(bench, bench.callers.token()) == 200
        old = signed(claims(APP_ID, bench.sim.service), bench.sim.signers[1])
        assert await called(bench, old) == 200
    assert fetches(bench) == 2


async def test_strangers_cannot_make_us_fetch_keys(bench: Bench, clock: Shifted) -> None:
    async with running(bench.platform, bench.house):
        clock.ahead += limits.TEAMS_KEYS_AGAIN + 1
        for number in range(20):
            assert await called(bench, unsigned(claims(APP_ID, bench.sim.service), f"k{number}", "RS256")) in (403, 503)
        assert fetches(bench) == 2
        assert await called(bench, bench.callers.token()) == 200
        clock.ahead += limits.TEAMS_KEYS_AGAIN + 1
        assert await called(bench, unsigned({}, "k", "RS256")) == 403
    assert fetches(bench) == 3


async def test_keys_are_believed_for_a_day_and_one_that_was_withdrawn_no_longer(bench: Bench, clock: Shifted) -> None:
    async with running(bench.platform, bench.house):
        token = signed(claims(APP_ID, bench.sim.service, exp=int(time.time()) + 200_000), bench.sim.signers[0])
        bench.sim.signers[:] = [Signer("key-two", 1)]
        clock.ahead = limits.TEAMS_KEYS_LIFETIME - 30
        assert await called(bench, token) == 200
        clock.ahead = limits.TEAMS_KEYS_LIFETIME + 30
        assert await called(bench, token) == 403
    assert fetches(bench) == 2


async def test_without_the_keys_server_a_known_key_goes_on_and_an_unknown_one_may_come_again(
    bench: Bench, clock: Shifted
) -> None:
    async with running(bench.platform, bench.house):
        await bench.sim.stop()
        assert await called(bench, bench.callers.token()) == 200
        clock.ahead += limits.TEAMS_KEYS_AGAIN + 1
        bench.sim.signers.insert(0, Signer("key-two", 1))
        assert await called(bench, bench.callers.token()) == 503


@pytest.mark.parametrize(
    "signer",
    [
        Signer("key-two", 1, endorsements=()),
        Signer("key-two", 1, endorsements=("webchat", "msteams2")),
        Signer("key-two", 2, bits=1024),
    ],
)
async def test_a_key_that_may_not_sign_for_teams_or_is_weak_is_none(bench: Bench, signer: Signer) -> None:
    bench.sim.signers.append(signer)
    async with running(bench.platform, bench.house):
        assert await called(bench, signed(claims(APP_ID, bench.sim.service), signer)) in (403, 503)
        assert await called(bench, bench.callers.token()) == 200


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"jwks_uri": "https://evil.example/keys"},
        {"jwks_uri": "https://login.botframework.com@evil.example/keys"},
        {"jwks_uri": None},
        {"issuer": 3},
    ],
)
async def test_a_description_of_the_keys_that_leads_elsewhere_is_not_followed(
    bench: Bench, metadata: dict[str, object]
) -> None:
    bench.sim.metadata = metadata
    with pytest.raises(PlatformAway):
        await bench.platform.run(bench.house)
    assert fetches(bench) == 0


async def test_a_connector_of_nobody_knows_where_is_not_answered_even_if_the_token_names_it(bench: Bench) -> None:
    stranger = "https://evil.example/"
    async with running(bench.platform, bench.house):
        assert await called(bench, bench.callers.token(serviceurl=stranger), serviceUrl=stranger) == 403
    assert bench.house.received == []
