from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.config import default
from wirken.config.load import ConfigInvalid, ConfigMissing, load, parse
from wirken.config.model import AgentConfig, Config, UnknownAgent, UnknownProvider
from wirken.domain.errors import ConfigError

FULL = """
[agents.default]
model = "mine/some/model"
workspace = "/srv/project"
read_only = ["/srv/reference"]
instructions = "Be brief."

[agents.other]

[providers.mine]
kind = "openai"
base_url = "https://api.example.com/v1"
credential = "mine-key"

[web]
port = 1234

[sandbox]
mode = "off"

[approvals]
ask_seconds = 5
"""


def complaint(text: str) -> ConfigInvalid:
    with pytest.raises(ConfigInvalid) as caught:
        parse(text.encode(), "config.toml")
    return caught.value


def test_an_empty_file_means_the_defaults() -> None:
    assert parse(b"", "config.toml") == Config()
    assert Config().agents == {"default": AgentConfig()}


def test_everything_that_is_said_is_kept() -> None:
    config = parse(FULL.encode(), "config.toml")
    assert config.agent("default").provider == "mine"
    assert config.agent("default").model_name == "some/model"
    assert config.agent("default").read_only == ("/srv/reference",)
    assert config.provider("mine").base_url == "https://api.example.com/v1"
    assert config.credentials == ("mine-key",)
    assert (config.web.port, config.sandbox.mode, config.approvals.ask_seconds) == (1234, "off", 5)
    assert config.approvals.daemon_seconds == 300


def test_a_wasm_skill_is_tier_3_unless_its_table_says_otherwise() -> None:
    config = parse(b'[skills.wasm.csv]\ntier = "tier2"\n[skills.wasm.zip]\n', "config.toml")
    assert config.skills.lowered == {"wasm_csv"}


@pytest.mark.parametrize(
    "text",
    [
        '[skills.wasm.csv]\ntier = "tier1"',
        "[skills.wasm.csv]\nfuel = 1",
        '[skills.wasm."../csv"]',
        "[skills.wasm.CSV]",
        "[skills.other]",
    ],
)
def test_a_skill_can_be_lowered_to_tier_2_and_nothing_else(text: str) -> None:
    complaint(text)


def test_the_default_agent_always_exists() -> None:
    assert set(parse(b"[agents.other]\n", "config.toml").agents) == {"default", "other"}


@pytest.mark.parametrize(
    ("text", "line", "near"),
    [
        ("\n[agnets.default]\n", 2, "agents"),
        ('[agents.default]\nmodle = "a/b"\n', 2, "model"),
        ("[web]\n# a comment\nprot = 1\n", 3, "port"),
        ("[sandbox]\nmodus = 1\n", 2, "mode"),
        ('[providers.p]\nkind = "openai"\nbase_ulr = "x"\n', 3, "base_url"),
    ],
)
def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_known_one(text: str, line: int, near: str) -> None:
    error = complaint(text)
    assert f"config.toml:{line}:" in str(error)
    assert error.advice == f"Did you mean {near!r}?"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[web]\nport = 70000\n", "config.toml:2: web.port"),
        ('[web]\nport = "1"\n', "config.toml:2: web.port"),
        ('[sandbox]\nmode = "chroot"\n', "config.toml:2: sandbox.mode"),
        ("[web]\nuids = [-1]\n", "config.toml:2: web.uids"),
        ("[web]\nuids = [4294967295]\n", "config.toml:2: web.uids"),
        (f"[web]\nuids = {[1] * 17}\n", "config.toml:2: web.uids"),
        ('[confine]\nallow_missing = ["everything"]\n', "config.toml:2: confine.allow_missing"),
        ("web = 3\n", "web"),
        ('[providers.p]\nkind = "openai"\n', "base_url"),
        ('[providers.p]\nkind = "openai"\nbase_url = "ftp://x"\n', "base_url"),
        ('[agents.default]\nmodel = "nothing"\n', "provider/model"),
        ('[agents.default]\nworkspace = "relative"\n', "absolute"),
        ('[agents.default]\nread_only = ["/a/../b"]\n', "absolute"),
        ('[agents."No Good"]\n', "agent's name"),
        ('[agents.a]\nworkspace = "/srv/x"\n[agents.b]\nworkspace = "/srv//x/y/"\n', "inside one another"),
        ('[agents.a]\nworkspace = "/srv/x"\nread_only = ["/srv/x/docs"]\n', "inside one another"),
        ('[agents.a]\nworkspace = "/srv/x/"\n[agents.b]\nread_only = ["/srv/x"]\n', "inside one another"),
        ('[agents.a]\nworkspace = "/srv/x"\n[agents.b]\nread_only = ["/srv"]\n', "inside one another"),
        ('[providers.rehearsal]\nkind = "ollama"\nbase_url = "http://x"\n', "built in"),
        ("a = = 1\n", "not valid TOML"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(text: str, part: str) -> None:
    assert part in str(complaint(text))


def test_a_model_of_an_unknown_provider_is_refused() -> None:
    with pytest.raises(UnknownProvider):
        parse(b'[agents.default]\nmodel = "nowhere/m"\n', "config.toml")


def test_a_local_ollama_needs_no_entry_and_rehearsal_is_none() -> None:
    config = parse(b'[agents.default]\nmodel = "ollama/llama3.2:3b"\n', "config.toml")
    assert config.provider("ollama").base_url == "http://127.0.0.1:11434"
    with pytest.raises(UnknownProvider):
        config.provider("rehearsal")


def test_an_unknown_agent_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownAgent) as caught:
        Config().agent("nobody")
    assert "default" in caught.value.advice


def test_the_hash_is_over_the_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(FULL)
    assert load(path).sha256 == hashlib.sha256(FULL.encode()).hexdigest()


def test_a_missing_file_is_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigMissing):
        load(tmp_path / "config.toml")


def test_bytes_that_are_not_text_are_refused() -> None:
    with pytest.raises(ConfigInvalid):
        parse(b"\xff\xfe", "config.toml")


@given(st.text(max_size=60))
def test_any_text_is_a_configuration_or_a_config_error(text: str) -> None:
    try:
        parse(text.encode("utf-8", "replace"), "config.toml")
    except ConfigError as error:
        assert str(error)


@given(st.text(min_size=1, max_size=40))
def test_any_models_name_survives_the_default_configuration(name: str) -> None:
    text = default.text(f"ollama/{name}").encode("utf-8", "replace")
    expected = name.encode("utf-8", "replace").decode()
    assert parse(text, "config.toml").agent("default").model_name == expected


def test_the_default_configuration_is_written_once_and_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "config.toml"
    assert default.write(path, "rehearsal/rehearsal")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    before = path.read_bytes()
    assert not default.write(path, "ollama/other")
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["config.toml"]
    assert load(path).config == Config()


def test_what_the_default_configuration_suggests_in_comments_is_valid() -> None:
    lines = default.text("rehearsal/rehearsal").splitlines()
    said = [line.removeprefix("# ") for line in lines if line.startswith("# ") and ("=" in line or "[" in line)]
    heads = ["[agents.default]", 'model = "mine/x"', *said]
    config = parse("\n".join(heads).encode(), "config.toml")
    assert config.provider("mine").credential == "mine"
    assert config.agent("default").workspace == "/home/me/project"


def test_the_name_of_the_gateways_own_record_is_no_agents() -> None:
    with pytest.raises(ConfigInvalid, match="gateway"):
        parse(b"[agents.gateway]\n", "config.toml")
