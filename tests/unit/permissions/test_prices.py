from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.config.model import Config, PriceConfig, ProviderConfig
from wirken.domain import limits
from wirken.domain.conversation import Completed
from wirken.domain.money import MICROS
from wirken.permissions.prices import UNFINISHED, Price, prices

DEAR = PriceConfig(input="2.50", output="10", cached_input="0.25")
counts = st.integers(-1, limits.ROW_NUMBER - 1)


def priced(name: str = "mine/m", price: PriceConfig = DEAR, **providers: ProviderConfig) -> Config:
    return Config(providers=providers, prices={name: price})


def cost(end: Completed, *, failed: bool = False) -> int:
    return prices(priced()).cost("mine", "m", end, failed=failed)


def test_input_output_and_cached_input_have_each_their_price() -> None:
    assert cost(Completed("stop", 1_000_000, 0)) == 2_500_000
    assert cost(Completed("stop", 0, 1_000_000)) == 10_000_000
    assert cost(Completed("stop", 1_000_000, 0, 400_000)) == 1_500_000 + 100_000
    without = prices(priced(price=PriceConfig(input="2", output="1")))
    assert without.cost("mine", "m", Completed("stop", MICROS, 0, MICROS), failed=False) == 2_000_000


def test_an_answer_is_never_rounded_down_to_nothing() -> None:
    tiny = prices(priced(price=PriceConfig(input="0.000001", output="0")))
    assert tiny.cost("mine", "m", Completed("stop", 1, 0), failed=False) == 1
    assert cost(Completed("stop", 1, 0)) == 3  # 2.5 millionths


def test_more_cached_tokens_than_input_are_not_a_discount_on_the_rest() -> None:
    assert cost(Completed("stop", 1_000_000, 0, 10**12)) == 250_000


@given(counts, counts, counts)
def test_any_counts_give_a_cost_that_a_row_can_hold(asked: int, answered: int, cached: int) -> None:
    assert 0 <= cost(Completed("stop", asked, answered, cached)) < limits.ROW_NUMBER


def test_an_answer_without_counts_costs_a_guess_and_a_failure_of_the_provider_nothing() -> None:
    guess = limits.UNREPORTED_TOKENS * 10
    assert cost(Completed("stop")) == guess
    assert cost(Completed("", -1, -1), failed=True) == 0
    assert cost(Completed(UNFINISHED, -1, -1), failed=True) == guess


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        (("mine/m",), "mine/m"),
        (("mine/*", "mine/m"), "mine/m"),
        (("*", "mine/*"), "mine/*"),
        (("mine/m*", "mine/*"), "mine/m*"),
        (("*",), "*"),
        (("mine/M",), None),
        (("mine/m2",), None),
        (("mine/mm*",), None),
        (("other/*",), None),
    ],
)
def test_the_longest_name_that_fits_counts(listed: tuple[str, ...], found: str | None) -> None:
    table = prices(Config(prices={name: PriceConfig(input=str(at), output="0") for at, name in enumerate(listed)}))
    expected = None if found is None else Price(*[listed.index(found) * MICROS, 0, listed.index(found) * MICROS])
    assert table.of("mine", "m") == expected


def test_a_full_name_wins_over_a_longer_looking_beginning() -> None:
    table = prices(
        Config(prices={"mine/m*": PriceConfig(input="1", output="1"), "mine/m": PriceConfig(input="2", output="2")})
    )
    assert table.of("mine", "m") == Price(2 * MICROS, 2 * MICROS, 2 * MICROS)


@pytest.mark.parametrize(
    ("kind", "url", "free"),
    [
        ("ollama", "http://127.0.0.1:11434", True),
        ("ollama", "http://localhost:11434", True),
        ("ollama", "http://[::1]:11434", True),
        ("ollama", "https://ollama.example.com", False),
        ("ollama", "http://127.0.0.1.example.com", False),
        ("ollama", "http://127.0.0.1@example.com", False),
        ("openai", "http://127.0.0.1:8080/v1", False),
    ],
)
def test_only_what_runs_on_this_machine_costs_nothing_without_a_price(kind: str, url: str, free: bool) -> None:
    provider = ProviderConfig(kind=kind, base_url=url)  # type: ignore[arg-type]  # both are kinds
    table = prices(Config(providers={"p": provider}))
    assert (table.of("p", "m") == Price(0, 0, 0)) is free
    assert (table.of("p", "m") is None) is not free


def test_built_in_models_cost_nothing_unless_priced_and_a_price_for_all_is_not_meant_for_them() -> None:
    one = PriceConfig(input="1", output="1")
    for name in ("rehearsal", "ollama"):
        assert prices(Config()).of(name, "x") == Price(0, 0, 0)
        assert prices(Config(prices={"*": one})).of(name, "x") == Price(0, 0, 0)
        assert prices(Config(prices={f"{name}/*": one})).of(name, "x") == Price(MICROS, MICROS, MICROS)
    assert prices(Config()).of("mine", "x") is None
