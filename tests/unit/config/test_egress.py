from __future__ import annotations

import pytest

from wirken.config.egress import EgressConfig, SandboxEgress, ascii_pattern
from wirken.config.load import ConfigInvalid, parse
from wirken.config.model import Config
from wirken.config.presets import PRESETS
from wirken.domain import relay_limits
from wirken.domain.hosts import host_name


def read(text: str) -> Config:
    return parse(text.encode(), "config.toml")


def complaint(text: str) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        read(text)
    return f"{caught.value} {caught.value.advice}"


def test_a_channel_without_an_entry_has_no_network() -> None:
    config = read('[agents.default.egress.terminal]\nmode = "open"')
    assert config.agent("default").network("terminal") == SandboxEgress(mode="open")
    assert config.agent("default").network("webchat") == SandboxEgress(mode="none")
    assert read("").agent("default").network("terminal").mode == "none"


def test_domains_and_presets_become_one_sorted_list() -> None:
    text = """
[agents.default.egress.terminal]
mode = "allowlist"
domains = ["*.Example.org", "Bücher.example"]
presets = ["python"]
"""
    assert read(text).agent("default").network("terminal").hosts == (
        "*.example.org",
        "files.pythonhosted.org",
        "pypi.org",
        "xn--bcher-kva.example",
    )


@pytest.mark.parametrize("mode", ["none", "open"])
def test_a_list_that_would_never_count_is_refused(mode: str) -> None:
    text = f'[agents.default.egress.terminal]\nmode = "{mode}"\ndomains = ["pypi.org"]'
    assert "looks at none" in complaint(text)
    assert SandboxEgress(mode="open", domains=("a.b",)).hosts == ()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('mode = "maybe"', "Invalid enum value"),
        ('mode = "ask"\ndomains = ["127.0.0.1"]', "address"),
        ('mode = "ask"\ndomains = ["0x7f.1"]', "address"),
        ('mode = "ask"\ndomains = ["localhost"]', "no full host name"),
        ('mode = "ask"\ndomains = ["*.org"]', "no full host name"),
        ('mode = "ask"\ndomains = ["a..é"]', "letters that no name may have"),
        ('mode = "ask"\npresets = ["pythn"]', "Did you mean 'python'"),
        ('mode = "ask"\nhosts = ["a.b"]', "unknown field"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(entry: str, said: str) -> None:
    assert said in complaint(f"[agents.default.egress.terminal]\n{entry}")


def test_a_channel_name_must_be_one() -> None:
    assert "channel" in complaint('[agents.default.egress."Web Chat"]\nmode = "open"')


def test_a_list_has_a_longest_length() -> None:
    def text(count: int) -> str:
        names = ", ".join(f'"h{n}.example"' for n in range(count))
        return f'[agents.default.egress.terminal]\nmode = "ask"\ndomains = [{names}]'

    most = relay_limits.EGRESS_DOMAINS
    assert len(read(text(most)).agent("default").network("terminal").hosts) == most
    assert "length" in complaint(text(most + 1))


def test_own_addresses_are_pinned_to_whole_names() -> None:
    config = read('[egress]\nown_addresses = {"Git.Example.ORG" = ["10.0.0.5", "fd00::5"]}')
    assert config.egress.pinned == {"git.example.org": ("10.0.0.5", "fd00::5")}
    assert "no address" in complaint('[egress]\nown_addresses = {"git.example.org" = ["10.0.0.0/8"]}')
    assert "whole names" in complaint('[egress]\nown_addresses = {"*.example.org" = ["10.0.0.5"]}')
    assert "own_addresses" in complaint('[egress]\nown_addresses = {"git.example.org" = []}')


def test_hosts_of_a_process_are_checked() -> None:
    assert read('[egress.hosts]\nchannel-matrix = ["matrix.example.org"]').egress == EgressConfig(
        hosts={"channel-matrix": ("matrix.example.org",)}
    )
    assert "no full host name" in complaint('[egress.hosts]\nchannel-matrix = ["localhost"]')
    assert read('[egress.hosts]\nsiem = ["Log.Example.org:08088"]').hosts_of("siem") == ("log.example.org:8088",)
    for port in ("0", "65536", "x", "", "²"):
        assert "from 1 to 65535" in complaint(f'[egress.hosts]\nsiem = ["log.example.org:{port}"]')


def test_every_preset_holds_names_in_their_one_spelling() -> None:
    for name, hosts in PRESETS.items():
        assert hosts, name
        assert [host_name(host) for host in hosts] == list(hosts)


def test_letters_of_any_script_become_ascii_by_idna() -> None:
    assert ascii_pattern("*.Straße.example") == "*.xn--strae-oqa.example"
    assert ascii_pattern("例え.テスト") == "xn--r8jz45g.xn--zckzah"
