"""Secrets taken out of every text that leaves this process, also where a stream cuts them in two."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote, quote_plus

from wirken.domain import limits
from wirken.domain.secret import Secret

MARK: Final = "[secret removed]"


def forms(value: bytes) -> tuple[str, ...]:
    """Return the ways in which `value` could be written out, longest first.

    As it is, as a JSON string, URL-encoded, in hex, and in both base64 alphabets at each of the three places
    that it can start at within a longer text. A value under `limits.SCRUB_SHORTEST` bytes has no forms.
    """
    if len(value) < limits.SCRUB_SHORTEST:
        return ()
    text = value.decode("utf-8", "replace")
    found = {base64.b64encode(value).decode(), base64.urlsafe_b64encode(value).decode()}
    found |= {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        value.hex(),
        value.hex().upper(),
    }
    found |= {quote(value, safe=""), quote(value), quote_plus(value)}
    found |= {_lower_escapes(form) for form in found if "%" in form}
    for shift in range(3):
        found |= _base64_forms(value, shift)
    return tuple(sorted(found, key=lambda form: (-len(form), form)))


def _base64_forms(value: bytes, shift: int) -> set[str]:
    """Return the base64 characters that depend on `value` alone when `shift` other bytes stand before it."""
    encoded = base64.b64encode(bytes(shift) + value).decode().rstrip("=")
    start = (0, 2, 3)[shift]
    whole = encoded[start:] if (len(value) + shift) % 3 == 0 else encoded[start:-1]
    return {whole, whole.replace("+", "-").replace("/", "_")}


def _lower_escapes(text: str) -> str:
    first, *rest = text.split("%")
    return first + "".join("%" + part[:2].lower() + part[2:] for part in rest)


class Scrubber:
    """Knows the secrets that are held now, and removes them from text."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[str, ...]] = {}
        self._next = 0

    @contextmanager
    def holding(self, secret: Secret | None) -> Iterator[None]:
        """Remove `secret` from everything that is cleaned inside; afterwards forget and wipe it."""
        self._next += 1
        number = self._next
        if secret:
            self._held[number] = forms(secret.reveal())
        try:
            yield
        finally:
            self._held.pop(number, None)
            if secret is not None:
                secret.wipe()

    def clean(self, text: str) -> str:
        """Return `text` with each form of each held secret replaced by a mark."""
        for secret in self._held.values():
            for form in secret:
                if form in text:
                    text = text.replace(form, MARK)
        return text

    def clean_cut(self, text: str) -> str:
        """Return `text` cleaned also of what begins as a held secret does: somebody cut it, perhaps inside of one."""
        text = self.clean(text)
        for secret in self._held.values():
            for form in secret:
                start = 0
                while (at := text.find(form[: limits.SCRUB_SHORTEST], start)) >= 0:
                    same = next(
                        (n for n, (one, other) in enumerate(zip(text[at:], form, strict=False)) if one != other),
                        len(form),
                    )
                    text = f"{text[:at]}{MARK}{text[at + same :]}"
                    start = at + len(MARK)
        return text

    def hold_from(self, text: str) -> int:
        """Return where a secret may begin that the end of `text` cuts off; `len(text)` for none."""
        end = len(text)
        for secret in self._held.values():
            for form in secret:
                end = min(end, _partial(text, form))
        return end


def _partial(text: str, form: str) -> int:
    """Return the first place from which all of the rest of `text` is the beginning of `form`."""
    at = text.find(form[0], max(0, len(text) - len(form) + 1))
    while at >= 0:
        if form.startswith(text[at:]):
            return at
        at = text.find(form[0], at + 1)
    return len(text)


class StreamScrubber:
    """Cleans a text that comes in pieces: keeps back what may be the beginning of a secret."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._kept = ""

    def feed(self, piece: str) -> str:
        """Return what may leave now."""
        text = self._scrubber.clean(self._kept + piece)
        cut = self._scrubber.hold_from(text)
        self._kept = text[cut:]
        return text[:cut]

    def finish(self) -> str:
        """Return what was kept back, or a mark where that is a telling part of a secret."""
        rest, self._kept = self._kept, ""
        return rest if len(rest) < limits.SCRUB_SHORTEST else MARK
