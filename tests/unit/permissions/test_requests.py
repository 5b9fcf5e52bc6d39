"""How far a person is asked about a request."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.support.calls import call, decided

from wirken.domain.actions import Allowed, CanonicalCall, CredentialUse, Denied, NeedsApproval, NetworkMode, Tier
from wirken.permissions.decide import classify
from wirken.permissions.gates import GATES


def request(
    url: str,
    method: str = "GET",
    *,
    network: NetworkMode = "none",
    hosts: tuple[str, ...] = (),
    credential: CredentialUse | None = None,
) -> CanonicalCall:
    one = call("http_request", json.dumps({"url": url, "method": method}))
    place = msgspec.structs.replace(one.place, network=network, hosts=hosts, credential=credential)
    return msgspec.structs.replace(one, place=place)


@pytest.mark.parametrize(
    ("network", "hosts", "method", "tier"),
    [
        ("none", (), "GET", Tier.THREE),
        ("ask", (), "GET", Tier.TWO),
        ("ask", (), "HEAD", Tier.TWO),
        ("ask", (), "POST", Tier.THREE),
        ("ask", ("api.example.org",), "POST", Tier.TWO),
        ("allowlist", ("*.example.org",), "DELETE", Tier.TWO),
        ("open", (), "GET", Tier.TWO),
        ("open", (), "DELETE", Tier.THREE),
    ],
)
def test_only_configuration_makes_a_host_tier_2(
    network: NetworkMode, hosts: tuple[str, ...], method: str, tier: Tier
) -> None:
    found = classify(request("https://api.example.org/x", method, network=network, hosts=hosts))
    assert (found.tier, found.keys) == (tier, ("network:api.example.org",))


def test_without_tls_a_person_is_asked_every_time() -> None:
    found = classify(request("http://api.example.org/", network="ask", hosts=("api.example.org",)))
    assert found.tier is Tier.THREE
    assert any("without TLS" in reason for reason in found.reasons)


@pytest.mark.parametrize("tier", [Tier.TWO, Tier.THREE])
def test_a_credential_has_a_key_and_a_tier_of_its_own(tier: Tier) -> None:
    used = CredentialUse("issues", "tier2" if tier is Tier.TWO else "tier3")
    one = request("https://api.example.org/", hosts=("api.example.org",), network="allowlist", credential=used)
    found = classify(one)
    assert (found.tier, found.keys) == (tier, ("network:api.example.org", "credential:issues"))
    host_only = decided(one, GATES, lambda key: key == "network:api.example.org")
    assert isinstance(host_only, NeedsApproval), "a grant for the host is none for the credential"
    both = decided(one, GATES, lambda key: True)
    assert isinstance(both, Allowed) is (tier is Tier.TWO)


@pytest.mark.parametrize(
    ("url", "network", "rule"),
    [
        ("https://127.0.0.1/", "none", "ip_literal"),
        ("https://[::1]/", "open", "ip_literal"),
        ("https://0x7f.1/", "ask", "ip_literal"),
        ("https://example.org:8443/", "ask", "port_not_allowed"),
        ("https://localhost/", "ask", "malformed"),
        ("ftp://example.org/", "ask", "malformed"),
        ("https://user@example.org/", "ask", "malformed"),
        ("https://evil.test/", "allowlist", "not_allowed"),
    ],
)
def test_what_no_approval_lifts(url: str, network: NetworkMode, rule: str) -> None:
    verdict = decided(request(url, network=network, hosts=("example.org",)), GATES, lambda key: True)
    assert isinstance(verdict, Denied)
    assert verdict.rule == rule


def test_a_search_is_free_and_its_arguments_are_looked_at() -> None:
    assert classify(call("web_search", '{"query":"x"}')).tier is Tier.ONE
    assert classify(call("web_search", "{}")).tier is Tier.THREE
    assert classify(call("http_request", "{}")).tier is Tier.THREE
