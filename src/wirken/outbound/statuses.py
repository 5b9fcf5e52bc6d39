"""From an HTTP status and an error body to the failure that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from wirken.domain import limits
from wirken.domain.text import clean, clip, shown
from wirken.outbound.failures import (
    ContextTooLong,
    Misunderstood,
    ModelFailure,
    NotAModel,
    NotEnoughMemory,
    ProviderTrouble,
    QuotaSpent,
    Redirected,
    TooBusy,
    UnknownModel,
    Where,
    WrongKey,
)

_CONTEXT: Final = re.compile(
    r"context.length|maximum context|context (window|size)|too many tokens|prompt is too long|input length",
    re.IGNORECASE,
)
_QUOTA: Final = re.compile(
    r"insufficient_quota|exceeded your current quota|billing|insufficient (balance|credit)", re.I
)
_MEMORY: Final = re.compile(r"more system memory|out of memory|cudaMalloc|unable to allocate", re.IGNORECASE)
_NO_MODEL: Final = re.compile(r"model.{0,80}(not found|does not exist|not exist)|model_not_found", re.IGNORECASE | re.S)
_NO_TOOLS: Final = re.compile(r"does not support tools", re.IGNORECASE)


class _Problem(msgspec.Struct, frozen=True):
    """The `error` object of OpenAI-compatible servers."""

    message: str = ""
    code: str | int | None = None
    type: str | None = None


class _Body(msgspec.Struct, frozen=True):
    error: _Problem | str = ""
    message: str | None = None
    detail: str | None = None


_decoder: Final = msgspec.json.Decoder(_Body)


def said(body: bytes) -> str:
    """Return the provider's own words: its message, code and type in one line; empty where it is no JSON."""
    try:
        parsed = _decoder.decode(body)
    except (ValueError, RecursionError):
        return ""
    if isinstance(parsed.error, str):
        return parsed.error or parsed.message or parsed.detail or ""
    marks = [str(mark) for mark in (parsed.error.code, parsed.error.type) if mark]
    return " ".join([parsed.error.message, *marks]).strip()


def quoted(words: str) -> str:
    """Return a provider's words as a clause for a sentence: one line, visible characters, clipped."""
    line = " ".join(words.split())
    kept, _ = clip(clean(line), limits.MODEL_SAID)
    return f': "{shown(kept)}"' if kept else ""


def failure(status: int, headers: Mapping[str, str], body: bytes, where: Where) -> ModelFailure:
    """Return the failure for an answer other than 200. `headers` are looked up in lower case."""
    words = said(body)
    if 300 <= status < 400:
        return Redirected(f"{where.provider} at {where.origin} redirects to another address ({status}).")
    return (
        _by_words(words, where)
        or _by_status(status, words, where, after=retry_after(headers.get("retry-after", "")))
        or Misunderstood(f"{where.provider} did not accept the request ({status}){quoted(words)}.")
    )


def failure_in_stream(words: str, where: Where) -> ModelFailure:
    """Return the failure for an error that arrives instead of a piece of the answer."""
    return _by_words(words, where) or ProviderTrouble(f"{where.provider} broke off{quoted(words)}.")


def retry_after(value: str) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3); `None` for a date or nonsense."""
    return float(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def not_a_model(content_type: str, where: Where) -> NotAModel:
    """Return the failure for a 200 whose body is no stream of the expected kind."""
    page = "a web page" if "html" in content_type else "something that is no answer of a model"
    usual = "http://127.0.0.1:11434" if where.kind == "ollama" else "an address that ends in /v1"
    return NotAModel(
        f"{where.provider} at {where.origin} answered with {page}.",
        hint=f"Check the provider's `base_url` in config.toml; usual is {usual}.",
    )


def _by_words(words: str, where: Where) -> ModelFailure | None:
    if _NO_TOOLS.search(words):
        return Misunderstood(
            f"The model {where.model} cannot call tools.", hint="Choose a model that can, in config.toml."
        )
    if _CONTEXT.search(words):
        return ContextTooLong(f"The conversation is too long for {where.model}{quoted(words)}.")
    if _MEMORY.search(words):
        return NotEnoughMemory(f"{where.provider} cannot load {where.model}{quoted(words)}.")
    if _QUOTA.search(words):
        return QuotaSpent(f"The account at {where.provider} is out of quota{quoted(words)}.")
    return _unknown_model(where) if _NO_MODEL.search(words) else None


def _by_status(status: int, words: str, where: Where, after: float | None) -> ModelFailure | None:
    match status:
        case 401 | 403:
            return WrongKey(
                f"{where.provider} does not accept the key ({status}).",
                hint="Store the right one with `wirken credentials rotate`; check what it may be used for.",
            )
        case 402:
            return QuotaSpent(f"The account at {where.provider} is out of credit.")
        case 404:
            return _unknown_model(where)
        case 413:
            return ContextTooLong(f"The conversation is too long for {where.provider} ({status}).")
        case 429:
            wait = f" and asks for {after:.0f} s of patience" if after else ""
            return TooBusy(f"{where.provider} limits how often it may be asked (429){wait}.", after=after)
        case _ if status == 408 or status >= 500:
            return ProviderTrouble(f"{where.provider} has trouble ({status}){quoted(words)}.", after=after)
        case _:
            return None


def _unknown_model(where: Where) -> UnknownModel:
    if where.kind == "ollama":
        return UnknownModel(
            f"{where.provider} has no model {where.model}.",
            hint=f"Fetch it with `ollama pull {where.model}`, or choose another in config.toml.",
        )
    return UnknownModel(
        f"{where.provider} knows no model {where.model} at {where.origin}.",
        hint="Check the model's name and the `base_url` (it usually ends in /v1) in config.toml.",
    )
