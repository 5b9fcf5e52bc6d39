from __future__ import annotations

import pytest

from wirken.domain.actions import NetworkMode, Place
from wirken.permissions import egress, keys

HOSTS = ("pypi.org", "*.example.org")


def place(mode: NetworkMode) -> Place:
    return Place("/w", "bubblewrap", network=mode, hosts=HOSTS)


@pytest.mark.parametrize(
    ("mode", "host", "verdict", "rule"),
    [
        ("none", "pypi.org", "mode_none", "none"),
        ("allowlist", "pypi.org", "allowed", "allowlist"),
        ("allowlist", "a.example.org", "allowed", "allowlist"),
        ("allowlist", "example.org", "not_allowed", "allowlist"),
        ("ask", "pypi.org", "allowed", "allowlist"),
        ("ask", "evil.example", "ask", "ask"),
        ("open", "evil.example", "allowed", "open"),
    ],
)
def test_the_mode_of_the_place_decides(mode: NetworkMode, host: str, verdict: str, rule: str) -> None:
    ruling = egress.judge(place(mode), host)
    assert (ruling.verdict, ruling.rule) == (verdict, rule)
    assert bool(ruling.said) == (verdict not in ("allowed", "ask"))


def test_a_process_reaches_the_hosts_of_its_row_and_nobody_is_asked() -> None:
    assert egress.judge_role(("api.example.org",), "api.example.org", 443).verdict == "allowed"
    assert egress.judge_role(("api.example.org",), "example.org", 443).verdict == "not_allowed"
    assert egress.judge_role((), "api.example.org", 443).verdict == "not_allowed"


def test_an_entry_with_a_port_stands_for_that_port_alone_and_one_without_for_those_of_the_web() -> None:
    def verdicts(entry: str) -> list[str]:
        return [egress.judge_role((entry,), "a.example.org", port).verdict for port in (443, 80, 8448, 1)]

    no = "port_not_allowed"
    assert verdicts("*.example.org") == ["allowed", "allowed", no, no]
    assert verdicts("a.example.org:8448") == [no, no, "allowed", no]
    assert verdicts("b.example.org:8448") == ["not_allowed"] * 4


def test_a_grant_for_a_host_has_the_hosts_key() -> None:
    assert keys.of_host("pypi.org") == "network:pypi.org"
    assert keys.is_host("network:pypi.org") and not keys.may_be_remembered("network:pypi.org")
    for other in (
        "network:",
        "network:PyPI.org",
        "network:10.0.0.1",
        "network:*.example.org",
        "network:localhost",
        "shell:ls",
    ):
        assert not keys.is_host(other), other
