"""Where a link may lead, and how it is shown so that its text cannot lie about that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from wirken.domain import channel_limits as limits

_HOST: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+\])"
_PATH: Final = r"[A-Za-z0-9._~:/?#\[\]@!$&*+,;=%'()-]"
_WEB: Final = re.compile(rf"https?://({_HOST})(?::[0-9]{{1,5}})?(?:[/?#]{_PATH}*)?", re.IGNORECASE)
_MAIL: Final = re.compile(r"mailto:[A-Za-z0-9._%+-]+@([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)", re.IGNORECASE)
_BARE: Final = re.compile(r"(?<![\w@])https?://[^\s<>\"`\\^{}|]{1,2048}", re.IGNORECASE)
_ENDING: Final = ".,;:!?'*_~"
_BRACKETS: Final = {")": "(", "]": "["}
_QUOTED: Final = str.maketrans({"(": "%28", ")": "%29", "'": "%27", "|": "%7C"})
_NAMES_A_PLACE: Final = re.compile(r"://|\w[.\u3002\uff0e\uff61]\w|@|www", re.IGNORECASE)


def allowed(target: str) -> str | None:
    """Return `target` as it may stand in any markup, or None: only http, https and mailto, no user, plain ASCII."""
    target = target.translate(_QUOTED)
    if len(target) > limits.LINK_TARGET or not (_WEB.fullmatch(target) or _MAIL.fullmatch(target)):
        return None
    return target


def host(target: str) -> str:
    """Return the host of an allowed `target`, in small letters."""
    found = _WEB.match(target) or _MAIL.match(target)
    return found[1].lower() if found else ""


def bare(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield `text` in parts, each with the target it names if it is a bare web address."""
    done = 0
    for found in _BARE.finditer(text):
        address = _without_ending(found[0])
        target = allowed(address)
        if target is None:
            continue
        yield text[done : found.start()], None
        done = found.start() + len(address)
        yield address, target
    yield text[done:], None


def honest(label: str, target: str, *, masked: bool) -> tuple[tuple[str, bool], ...]:
    """Return what is shown of a link: parts of text, each with whether it is the link.

    A label that is the target stands alone. One that names another place becomes plain text beside the target in
    full, any other is followed by the host. Without `masked`, the platform knows only addresses, shown in full.
    """
    address = target.removeprefix("mailto:")
    if not label.strip() or label in (target, address, address.rstrip("/")) or allowed(label) == target:
        return ((address, True),)
    if not masked or len(label) > limits.LINK_TEXT or (_NAMES_A_PLACE.search(label) and label.lower() != host(target)):
        return ((f"{label} (", False), (address, True), (")", False))
    if label.lower() == host(target):
        return ((label, True),)
    return ((label, True), (f" ({host(target)})", False))


def _without_ending(address: str) -> str:
    """A bare address without the punctuation of the sentence around it."""
    while address and (address[-1] in _ENDING or _closes_nothing(address)):
        address = address[:-1]
    return address


def _closes_nothing(address: str) -> bool:
    opening = _BRACKETS.get(address[-1])
    return opening is not None and address.count(address[-1]) > address.count(opening)
