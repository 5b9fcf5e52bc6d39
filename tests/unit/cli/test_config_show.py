from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.cli.config import dotted, troubles
from wirken.config.load import parse
from wirken.config.model import AgentConfig, Config, PolicyConfig, ProviderConfig
from wirken.config.paths import Paths
from wirken.domain.text import shown as visible

_CHARACTERS = st.characters(exclude_categories=["Cs"])
_TEXT = st.text(_CHARACTERS, max_size=20)


def filled(table: dict[str, object]) -> dict[str, object]:
    """Return a table without the empty ones in it, of which TOML's dotted keys say nothing."""
    inner = {name: filled(value) if isinstance(value, dict) else value for name, value in table.items()}
    return {name: value for name, value in inner.items() if value != {}}


@given(_TEXT, st.text(_CHARACTERS, min_size=1, max_size=10))
def test_what_is_shown_is_toml_that_says_the_same(instructions: str, provider: str) -> None:
    config = Config(
        agents={"default": AgentConfig(instructions=instructions, read_only=("/a", "/b"))},
        providers={provider: ProviderConfig(kind="openai", base_url="https://x")},
    )
    shown = "\n".join(dotted(msgspec.to_builtins(config)))
    assert visible(shown, keep_newlines=True) == shown
    said = msgspec.json.decode(msgspec.json.encode(config))
    assert tomllib.loads(shown) == filled(said)


def test_the_defaults_shown_are_a_valid_configuration() -> None:
    shown = "\n".join(dotted(msgspec.to_builtins(Config())))
    assert parse(shown.encode(), "shown") == Config()


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("http://models.example.com/v1", "http://"),
        ("https://user:canary@models.example.com/v1", "password"),
        ("https://models.example.com/v1?key=canary", "after ?"),
    ],
)
def test_addresses_that_must_not_be_used_are_found_and_not_repeated(tmp_path: Path, address: str, word: str) -> None:
    config = Config(providers={"p": ProviderConfig(kind="openai", base_url=address)})
    [trouble] = troubles(Paths(tmp_path), config)
    assert word in str(trouble)
    assert "canary" not in str(trouble) + trouble.advice


def test_folders_are_looked_at(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir(mode=0o777)
    there.chmod(0o777)
    agents = {
        "default": AgentConfig(workspace=str(there)),
        "b": AgentConfig(workspace=str(tmp_path / "absent")),
        "c": AgentConfig(read_only=("/etc",)),
    }
    said = [str(one) for one in troubles(Paths(tmp_path / "data"), Config(agents=agents))]
    assert len(said) == 2
    assert "not a directory" in said[0]
    assert "belongs to the system" in said[1]


def test_a_policy_that_cannot_be_used_is_found(tmp_path: Path) -> None:
    config = Config(policy=PolicyConfig(file=str(tmp_path / "absent.toml")))
    [trouble] = troubles(Paths(tmp_path), config)
    assert "absent.toml" in str(trouble) and "no tool is allowed" in trouble.advice
