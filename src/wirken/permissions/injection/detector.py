"""Notice text that tries to steer the model. A flag is a hint for a person; it decides nothing and misses much.

Everything here takes time in proportion to the text: words are compared within a fixed reach, marks are searched
as plain strings, and no expression has two parts that could compete for the same characters.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from wirken.domain import limits
from wirken.domain.events import Flag
from wirken.domain.text import quoted
from wirken.permissions.injection import words

_WORD: Final = re.compile(r"[^\W_]+(?:['’ʼ][^\W_]+)*")
_BLOB: Final = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_ESCAPES: Final = re.compile(r"(?:(?:\\x|%|0x|\\u00)[0-9A-Fa-f]{2}[ ,]?){6,}")
_PAIR: Final = re.compile(r"[0-9A-Fa-f]{2}")
_HIDDEN: Final = re.compile(
    "[\u202a-\u202e\u2066-\u2069\u200b\u2060-\u2064\u180e\U000e0001-\U000e007f\U000e0100-\U000e01ef]+"
    "|(?<!^)\ufeff"
    "|(?<=[A-Za-z])[\u200c\u200d\u00ad\u034f](?=[A-Za-z])"
    "|\x1b(?!\\[[0-9;]{0,16}[mK])"
)
_FLAG_EMOJI: Final = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,16}\U000e007f")
_INVISIBLE: Final = frozenset({"Cf", "Mn"})
_NEAR: Final = 400  # characters between the keys of an object that imitates a call
_DECODED: Final = 4096  # characters of one encoded piece that are decoded
_SHORTEST: Final = 8  # bytes of a command worth encoding
_LINE: Final = 160  # characters after a speaker's name that are read for orders
_OVERLAP: Final = 5  # flags looked back at: one of each sort
_SPEAKER: Final = re.compile(
    r"(?:^|\n)[ \t>*#_]{0,8}((?:system|assistant|human|developer)(?: [a-z]{1,12})?) ?[*_]{0,2}:"
)
_COMMAND: Final = re.compile(r"[a-z][a-z0-9-]*")


class _Span(NamedTuple):
    what: str
    says: str
    start: int
    end: int


def flags(text: str) -> tuple[Flag, ...]:
    """Return what looks like an injection, in order of position, at most `limits.FLAGS`. Never fails.

    Of a text longer than twice `limits.FLAG_READ`, beginning and end are read.
    """
    if len(text) <= 2 * limits.FLAG_READ:
        found = _flags(text, 0)
    else:
        tail = len(text) - limits.FLAG_READ
        found = [*_flags(text[: limits.FLAG_READ], 0), *_flags(text[tail:], tail)]
    return tuple(found[: limits.FLAGS])


def _flags(text: str, shift: int) -> list[Flag]:
    folded, places = _folded(text)
    spans = [
        *(span._replace(start=places[span.start], end=places[span.end]) for span in _in_plain_text(folded)),
        *_encoded(text),
        *_hidden(text),
    ]
    apart: list[Flag] = []
    for what, says, start, end in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not any(flag.what == what and start + shift < flag.end for flag in apart[-_OVERLAP:]):
            excerpt = quoted(text[start:end][: limits.FLAG_EXCERPT])
            apart.append(Flag(what, f"{says}: {excerpt}", start + shift, end + shift))
    return apart


def _in_plain_text(folded: str) -> Iterator[_Span]:
    for noticed in (
        _worded(folded),
        _marked(folded, "role", "has the mark of a chat's template", words.ROLE_MARKS),
        _marked(folded, "tool_call", "imitates a tool call or its result", words.CALL_MARKS),
        _posing(folded),
        _objects(folded),
    ):
        yield from islice(noticed, 4 * limits.FLAGS)


def _worded(folded: str) -> Iterator[_Span]:
    """Yield each place where the words of a wording stand near each other."""
    listed = [(match[0], match.start(), match.end()) for match in _WORD.finditer(folded)]
    for index, (word, start, _) in enumerate(listed):
        for wording in _BY_FIRST.get(word, ()):
            after = listed[index + 1 : index + 1 + wording.reach]
            last = 0
            for wanted in wording.others:
                end = next((end for other, _, end in after if other in wanted), None)
                if end is None:
                    break
                last = max(last, end)
            else:
                yield _Span(wording.what, wording.says, start, last)


def _marked(folded: str, what: str, says: str, marks: Sequence[str]) -> Iterator[_Span]:
    for mark in marks:
        place = folded.find(mark)
        while place >= 0:
            yield _Span(what, says, place, place + len(mark))
            place = folded.find(mark, place + len(mark))


def _posing(folded: str) -> Iterator[_Span]:
    """Yield lines that begin like another speaker's and go on like orders."""
    for match in _SPEAKER.finditer(folded):
        said = folded[match.end() : match.end() + _LINE]
        if not words.ORDERED.isdisjoint(_WORD.findall(said)):
            yield _Span("role", "poses as another speaker", match.start(1), match.end())


def _objects(folded: str) -> Iterator[_Span]:
    """Yield JSON objects that have the keys of a call."""
    for name, arguments in words.CALL_KEYS:
        place = folded.find(arguments)
        while place >= 0:
            start = folded.rfind(name, max(0, place - _NEAR), place)
            if start < 0:
                start = folded.find(name, place, place + _NEAR)
            if start >= 0:
                yield _Span(
                    "tool_call",
                    "imitates a tool call",
                    min(start, place),
                    max(start + len(name), place + len(arguments)),
                )
            place = folded.find(arguments, place + len(arguments))


def _encoded(text: str) -> Iterator[_Span]:
    """Yield encoded pieces that turn out to be commands or orders."""
    for form, decoders in ((_BLOB, (_hex, _base64)), (_ESCAPES, (_escapes,))):
        for match in islice(form.finditer(text), limits.FLAG_BLOBS):
            piece = match[0][:_DECODED]
            says = next((says for decoder in decoders if (says := _betrays(decoder(piece)))), "")
            if says:
                yield _Span("encoded", says, *match.span())


def _hex(piece: str) -> bytes:
    try:
        return bytes.fromhex(piece[: len(piece) // 2 * 2])
    except ValueError:
        return b""


def _base64(piece: str) -> bytes:
    plain = piece.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain[: len(plain) // 4 * 4] + _rest(plain), validate=True)
    except (ValueError, binascii.Error):
        return b""


def _rest(plain: str) -> str:
    """Return the last, incomplete group of four with its padding; one character alone says nothing."""
    over = len(plain) % 4
    return plain[-over:] + "=" * (4 - over) if over > 1 else ""


def _escapes(piece: str) -> bytes:
    return bytes(int(pair, 16) for pair in _PAIR.findall(re.sub(r"\\u00|\\x|0x|[% ,]", "", piece)))


def _betrays(raw: bytes) -> str:
    """Return what is wrong with decoded bytes, or nothing where they are no text, or harmless text."""
    text = raw.decode("ascii", "replace")
    if (
        len(text) < _SHORTEST
        or sum(one.isprintable() or one in "\n\t\r" for one in text) < len(text)
        or "\ufffd" in text
    ):
        return ""
    folded = text.lower()
    named = words.SHELL_WORDS.intersection(_COMMAND.findall(folded))
    if folded.startswith("#!") or len(named) > 1 or (named and any(sign in folded for sign in words.SHELL_SIGNS)):
        return "is encoded, and decodes to a command"
    if next(_worded(folded), None) is not None:
        return "is encoded, and decodes to orders"
    return ""


def _hidden(text: str) -> Iterator[_Span]:
    if text.isascii() and "\x1b" not in text:
        return
    flags_of_regions = {place for match in _FLAG_EMOJI.finditer(text) for place in range(*match.span())}
    for match in islice(_HIDDEN.finditer(text), 4 * limits.FLAGS):
        if match.start() not in flags_of_regions:
            yield _Span("hidden", "holds characters that are not seen", *match.span())


def _folded(text: str) -> tuple[str, Sequence[int]]:
    """Return the text as it looks rather than as it is spelt, and for each of its characters the place in `text`."""
    if text.isascii():
        return text.lower(), range(len(text) + 1)
    looks = {character: _look(character) for character in set(text)}
    parts = [looks[character] for character in text]
    places = [place for place, part in enumerate(parts) for _ in part]
    return "".join(parts), [*places, len(text)]


def _look(character: str) -> str:
    """Return small letters without accents, nothing for what is not seen, Latin letters for their doubles."""
    apart = unicodedata.normalize("NFKD", character)[:4].casefold().translate(words.LOOKALIKES)
    return "".join(one for one in apart if unicodedata.category(one) not in _INVISIBLE)


def _look_of(text: str) -> str:
    return "".join(map(_look, text))


def _by_first() -> dict[str, list[words.Wording]]:
    """Return the wordings by first word, spelt as `_folded` spells."""
    found: dict[str, list[words.Wording]] = {}
    for wording in words.WORDINGS:
        others = tuple(frozenset(map(_look_of, wanted)) for wanted in wording.others)
        for first in wording.first:
            found.setdefault(_look_of(first), []).append(wording._replace(others=others))
    return found


_BY_FIRST: Final = _by_first()
