from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from wirken.config import policy_file
from wirken.config.load import ConfigInvalid, parse
from wirken.config.model import PriceConfig, ToolLists
from wirken.domain import limits


def test_a_policy_is_read_with_the_hash_of_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('blocked_tools = ["exec", "mcp_*"]\n')
    found = policy_file.read(str(file))
    assert found.lists == ToolLists(blocked_tools=("exec", "mcp_*")) and not found.trouble
    assert found.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"blocked_tools = [", "not valid TOML"),
        (b"\xff", "not UTF-8"),
        (b'blokked_tools = ["exec"]', "unknown"),
        (b'blocked_tools = "exec"', "unknown"),
        (b'blocked_tools = ["*exec"]', "unknown"),
        (b"#" * (limits.POLICY_FILE + 1), "longer"),
    ],
)
def test_one_that_cannot_be_used_says_why(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "policy.toml"
    if content is not None:
        file.write_bytes(content)
    assert said in policy_file.read(str(file)).trouble


@pytest.mark.parametrize("text", ["", "allowed_tools = []\n", 'allowed_tools = ["a"]\nblocked_tools = ["b"]'])
def test_what_is_handed_to_the_gateway_arrives_as_it_was(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pölicy\u2028.toml"
    file.write_text(text)
    found = policy_file.read(str(file))
    argument = policy_file.encode(found)
    assert argument.isascii() and "\n" not in argument
    assert policy_file.decode(argument) == found


@pytest.mark.parametrize("text", ["", "{}", '{"path": 1}', '{"path": "/x", "more": 1}'])
def test_a_gateway_does_not_start_with_a_policy_that_is_none(text: str) -> None:
    with pytest.raises(policy_file.BadPolicy):
        policy_file.decode(text)


def test_an_absent_list_is_not_an_empty_one() -> None:
    assert parse(b"", "c").policy.allowed_tools is msgspec.UNSET
    assert parse(b"[policy]\nallowed_tools = []", "c").policy.allowed_tools == ()


@pytest.mark.parametrize(
    "text",
    [
        '[policy]\nfile = "relative.toml"',
        '[policy]\nblocked_tools = [""]',
        '[policy]\nblocked_tools = ["a*b"]',
        '[policy]\nblokked_tools = ["a"]',
        "[limits]\nmessages_per_minute = -1",
        '[budgets.a]\nagent = "nobody"\ntokens = 1',
        "[budgets.a]\n",
        "[budgets.a]\ntokens = -1",
        '[budgets.a]\ntokens = 1\nper = "month"',
        "[budgets.'A B']\ntokens = 1",
        "[budgets.a]\nmoney = 5.0",
        "[budgets.a]\nmoney = 5",
        '[budgets.a]\nmoney = "0.00"',
        '[budgets.a]\nmoney = "-1"',
        '[budgets.a]\nmoney = "5 EUR"',
        '[prices."rehearsal/x"]\ninput = "1"',
        '[prices."rehearsal/x"]\ninput = 1.5\noutput = "1"',
        '[prices."rehearsal/x"]\ninput = "1"\noutput = "1"\ncached_input = "\\n"',
        '[prices."rehearsal/x"]\ninput = "1"\noutput = "1"\nprice = "1"',
        '[prices."nobody/x"]\ninput = "1"\noutput = "1"',
        '[prices."rehearsal"]\ninput = "1"\noutput = "1"',
        '[prices."rehearsal/*x"]\ninput = "1"\noutput = "1"',
        '[prices."reh*"]\ninput = "1"\noutput = "1"',
        "\n".join(f'[prices."rehearsal/{number}"]\ninput = "1"\noutput = "1"' for number in range(limits.PRICES + 1)),
        "\n".join(f"[budgets.b{number}]\ntokens = 1" for number in range(limits.BUDGETS + 1)),
    ],
)
def test_what_would_not_do_what_it_seems_to_is_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid):
        parse(text.encode(), "config.toml")


@pytest.mark.parametrize("name", ["*", "rehearsal/*", "ollama/llama3:8b", "mine/a/b", "mine/gpt-*"])
def test_a_price_is_for_a_model_or_for_all_that_begin_so(name: str) -> None:
    provider = '[providers.mine]\nkind = "openai"\nbase_url = "https://api.example.com"\n'
    config = parse(f'{provider}[prices."{name}"]\ninput = "2.50"\noutput = "10"'.encode(), "config.toml")
    assert config.prices[name] == PriceConfig(input="2.50", output="10")


def test_as_many_prices_as_there_may_be_are_taken_and_money_alone_is_a_limit() -> None:
    text = "\n".join(f'[prices."rehearsal/{number}"]\ninput = "1"\noutput = "1"' for number in range(limits.PRICES))
    assert len(parse(text.encode(), "config.toml").prices) == limits.PRICES
    assert parse(b'[budgets.a]\nmoney = "0.000001"', "c").budgets["a"].money == "0.000001"
