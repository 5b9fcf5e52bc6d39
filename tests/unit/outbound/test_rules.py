"""The pure rules: addresses, statuses, pauses."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain import limits
from wirken.outbound.endpoint import endpoint, is_loopback
from wirken.outbound.failures import (
    BadEndpoint,
    ContextTooLong,
    Misunderstood,
    ModelFailure,
    NotEnoughMemory,
    ProviderTrouble,
    QuotaSpent,
    Redirected,
    TooBusy,
    UnknownModel,
    Where,
    WrongKey,
)
from wirken.outbound.retry import Retries
from wirken.outbound.statuses import failure, retry_after

OPENAI = Where("acme", "openai", "https://api.acme.example", "big-1")
OLLAMA = Where("ollama", "ollama", "http://127.0.0.1:11434", "llama3.2:3b")


@pytest.mark.parametrize(
    ("url", "got", "tls"),
    [
        ("https://api.openai.com/v1/", "https://api.openai.com/v1", True),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434", False),
        ("http://127.9.9.9", "http://127.9.9.9", False),
        ("http://localhost:1234/v1", "http://localhost:1234/v1", False),
        ("http://[::1]:80/v1", "http://[::1]:80/v1", False),
        ("HTTPS://API.example", "https://api.example", True),
    ],
)
def test_good_addresses(url: str, got: str, tls: bool) -> None:
    found = endpoint("p", url)
    assert (found.url, found.tls) == (got, tls)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.openai.com/v1",
        "http://192.168.1.5:11434",
        "http://0.0.0.0:11434",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.1@evil.example",
        "https://user:secret@api.example/v1",
        "http://[::ffff:10.0.0.1]:1",
        "http://2130706433/",
        "http://127.1/",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "https://",
        "https://a.example/v1?key=secret",
        "https://a.example/#x",
        "https://a.example:99999",
        "https://[::1",
        "https://a.exa mple",
        "https://a.example\r\nX: y",
        "https://bücher.example",
        "",
    ],
)
def test_bad_addresses_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BadEndpoint) as caught:
        endpoint("p", url)
    assert "secret" not in f"{caught.value} {caught.value.advice}"


@given(st.ip_addresses())
def test_only_loopback_addresses_are_loopback(address: object) -> None:
    assert is_loopback(str(address)) == getattr(address, "is_loopback")  # noqa: B009  # not in the types of 3.11


def api_error(message: str, code: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": code}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "where", "kind", "words"),
    [
        (401, api_error("Incorrect API key provided: sk-abc***xyz"), OPENAI, WrongKey, "credentials rotate"),
        (403, b"", OPENAI, WrongKey, "does not accept the key"),
        (402, b"", OPENAI, QuotaSpent, "billing"),
        (404, api_error("The model does not exist", "model_not_found"), OPENAI, UnknownModel, "/v1"),
        (404, b'{"error":"model \'x\' not found"}', OLLAMA, UnknownModel, "ollama pull llama3.2:3b"),
        (
            400,
            api_error("This model's maximum context length is 8192"),
            OPENAI,
            ContextTooLong,
            "new session",
        ),
        (400, api_error("too long", "context_length_exceeded"), OPENAI, ContextTooLong, "new session"),
        (413, b"", OPENAI, ContextTooLong, "too long"),
        (429, api_error("You exceeded your quota", "insufficient_quota"), OPENAI, QuotaSpent, "billing"),
        (429, b"slow down", OPENAI, TooBusy, "try again"),
        (500, b"<html>", OPENAI, ProviderTrouble, "(500)"),
        (529, api_error("overloaded"), OPENAI, ProviderTrouble, "overloaded"),
        (500, b'{"error":"model requires more system memory"}', OLLAMA, NotEnoughMemory, "smaller"),
        (400, b'{"error":"gemma does not support tools"}', OLLAMA, Misunderstood, "cannot call tools"),
        (422, api_error("Unknown field"), OPENAI, Misunderstood, "Unknown field"),
        (308, b"", OPENAI, Redirected, "base_url"),
        (204, b"", OPENAI, Misunderstood, "204"),
    ],
)
def test_each_status_becomes_a_sentence_with_a_next_step(
    status: int, body: bytes, where: Where, kind: type[ModelFailure], words: str
) -> None:
    found = failure(status, {}, body, where)
    assert type(found) is kind
    said = f"{found} {found.advice}"
    assert words in said
    assert found.advice
    assert "\n" not in said


def test_a_rejected_key_is_never_quoted_back() -> None:
    assert "sk-abc" not in str(failure(401, {}, api_error("Incorrect API key provided: sk-abc"), OPENAI))


def test_a_providers_words_are_made_harmless_and_short() -> None:
    found = str(failure(422, {}, api_error("\x1b[31mred\u202e\n" + "x" * 10_000), OPENAI))
    assert found.isprintable()
    assert len(found) < limits.MODEL_SAID + 200


@given(st.integers(200, 999), st.binary(max_size=100), st.text(max_size=20))
def test_any_status_and_body_give_a_failure(status: int, body: bytes, after: str) -> None:
    assert isinstance(failure(status, {"retry-after": after}, body, OPENAI), ModelFailure)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0", 0.0), ("", None), ("-1", None), ("Wed, 21 Oct 2026", None), ("²", None)],
)
def test_retry_after_is_read_in_seconds(value: str, seconds: float | None) -> None:
    assert retry_after(value) == seconds


def test_pauses_grow_and_end_after_five_attempts() -> None:
    retries = Retries(lambda: 1.0)
    assert [retries.pause(TooBusy("x")) for _ in range(5)] == [0.25, 0.5, 1.0, 2.0, None]


def test_retry_after_is_obeyed_within_the_budget() -> None:
    retries = Retries(lambda: 0.0, total=10.0)
    assert retries.pause(TooBusy("x", after=9.0)) == 9.0
    assert retries.pause(TooBusy("x", after=9.0)) is None


@given(st.floats(0, 1), st.lists(st.none() | st.floats(0, 100)))
def test_waiting_is_bounded_whatever_a_provider_asks(jitter: float, asked: list[float | None]) -> None:
    retries = Retries(lambda: jitter)
    waits = [retries.pause(TooBusy("x", after=after)) for after in asked]
    assert sum(wait or 0 for wait in waits) <= limits.MODEL_RETRY_WAIT
    assert sum(wait is not None for wait in waits) < limits.PROVIDER_TRIES


def test_what_a_retry_cannot_mend_is_not_retried() -> None:
    assert Retries(lambda: 1.0).pause(WrongKey("x")) is None
