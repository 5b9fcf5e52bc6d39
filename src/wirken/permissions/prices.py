"""What an answer of a model costs, by the operator's prices. Computes only; amounts are millionths (`domain.money`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from wirken.config.model import OLLAMA, OLLAMA_URL, REHEARSAL, Config, PriceConfig, ProviderConfig
from wirken.domain import limits
from wirken.domain.conversation import Completed
from wirken.domain.money import MICROS, micros

UNFINISHED: Final = "unfinished"
"""The stop reason of an answer that was cut off on this side; what the provider had done by then nobody tells."""

_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Price(NamedTuple):
    """Millionths per million tokens. `cached`: for input that the provider had already read."""

    input: int
    output: int
    cached: int


_FREE: Final = Price(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by `provider/model`, or by the beginning of such names and `*`."""

    listed: Mapping[str, Price]

    def of(self, provider: str, model: str) -> Price | None:
        """Return the price by the full name, else by the longest beginning that is listed; None without one."""
        name = f"{provider}/{model}"
        if name in self.listed:
            return self.listed[name]
        found = [key for key in self.listed if key.endswith("*") and name.startswith(key[:-1])]
        return self.listed[max(found, key=len)] if found else None

    def cost(self, provider: str, model: str, end: Completed, *, failed: bool) -> int:
        """Return what an answer costs, rounded up; -1 where its model has no price.

        Without token counts it is priced like `limits.UNREPORTED_TOKENS` of the dearer kind, unless the provider
        failed.
        """
        price = self.of(provider, model)
        if price is None:
            return -1
        asked, answered = max(end.input_tokens, 0), max(end.output_tokens, 0)
        cached = min(max(end.cached_tokens, 0), asked)
        millionfold = (asked - cached) * price.input + cached * price.cached + answered * price.output
        if counts_as_unreported(asked + answered, end.stop_reason, failed=failed):
            millionfold = limits.UNREPORTED_TOKENS * max(price.input, price.output)
        return min(-(-millionfold // MICROS), limits.ROW_NUMBER - 1)


NO_PRICES: Final = Prices({})


def counts_as_unreported(tokens: int, stop_reason: str, *, failed: bool) -> bool:
    """Is an answer for which no tokens were told counted by a guess? One that failed at the provider is not."""
    return not tokens and (not failed or stop_reason == UNFINISHED)


def prices(config: Config) -> Prices:
    """Return the configured prices, and none to pay for models on this machine that have no price of their own."""
    providers = {OLLAMA: ProviderConfig(kind="ollama", base_url=OLLAMA_URL), **config.providers}
    local = [REHEARSAL, *(name for name, provider in providers.items() if _is_local(provider))]
    return Prices({**{f"{name}/*": _FREE for name in local}, **{key: _of(one) for key, one in config.prices.items()}})


def _is_local(provider: ProviderConfig) -> bool:
    return provider.kind == "ollama" and urlsplit(provider.base_url).hostname in _THIS_MACHINE


def _of(config: PriceConfig) -> Price:
    own = micros(config.input)
    return Price(own, micros(config.output), micros(config.cached_input) if config.cached_input else own)
