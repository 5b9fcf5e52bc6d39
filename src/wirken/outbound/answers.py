"""A web server's answer as text for the model: status, the headers that matter, and the body if it is text. Pure."""

from __future__ import annotations

import codecs
import re
from typing import Final

from wirken.domain import request_limits
from wirken.domain.text import brief, clean, clip
from wirken.outbound.fetching import Answer
from wirken.outbound.scrub import Scrubber

_SHOWN: Final = ("content-type", "content-length", "location", "last-modified", "etag", "retry-after", "link", "date")
_HEADER: Final = 1024
"""Bytes of one header that are shown."""
_CHARSET: Final = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9._-]{1,40})", re.IGNORECASE)
_BYTES: Final = "latin-1"
"""Each byte as a character, and back."""
_KNOWN: Final = frozenset(
    codecs.lookup(name).name
    for name in (
        "utf-8 ascii koi8-r koi8-u mac-roman mac-cyrillic cp866 cp874 gbk gb18030 big5 euc-jp iso2022_jp shift_jis "
        "cp932 euc-kr cp949"
    ).split()
    + [f"cp{number}" for number in range(1250, 1259)]
    + [f"iso8859-{number}" for number in (*range(1, 9), 10, *range(13, 17))]
)
"""Encodings of the web (encoding.spec.whatwg.org, 4.2). All of them take any byte and leave ASCII where it is: others
of Python's fail although told to replace (`idna`), or move a secret's letters about (`punycode`)."""


def readable(answer: Answer, scrubber: Scrubber) -> str:
    """Return an answer as text; what is left out is said.

    Secrets are taken out before anything is cut: half of one would not be known for what it is.
    """
    head = [f"HTTP {answer.status} {brief(scrubber.clean(answer.reason), 64)}".rstrip()]
    head += [
        f"{name}: {brief(scrubber.clean(answer.headers[name]), _HEADER)}" for name in _SHOWN if name in answer.headers
    ]
    return "\n".join(["\n".join(head), "", _body(answer, scrubber)]).rstrip("\n")


def _body(answer: Answer, scrubber: Scrubber) -> str:
    packed = answer.headers.get("content-encoding", "identity").lower()
    if packed not in ("", "identity"):
        return f"[the body is compressed ({brief(packed, 32)}) although that was not asked for; not shown]"
    if b"\0" in answer.body[: 64 * 1024]:
        return f"[a body of {_size(answer)} bytes that is not text; not shown]"
    whole = scrubber.clean(clean(_without(answer, scrubber).decode(_charset(answer), "replace")))
    if answer.cut:
        whole = whole[: scrubber.hold_from(whole)]
    text, cut = clip(whole, request_limits.RESPONSE_SHOWN)
    if answer.cut:
        return f"{text}\n[… the body is longer than {request_limits.RESPONSE_BODY} bytes; the rest is left out …]"
    return f"{text}\n[… {cut} more bytes are left out …]" if cut else text


def _without(answer: Answer, scrubber: Scrubber) -> bytes:
    """Return the body without what is a secret before it is decoded: the server says how, and could mean it to hide."""
    body = scrubber.clean(answer.body.decode(_BYTES))
    return (body[: scrubber.hold_from(body)] if answer.cut else body).encode(_BYTES)


def _size(answer: Answer) -> str:
    return f"more than {request_limits.RESPONSE_BODY}" if answer.cut else str(len(answer.body))


def _charset(answer: Answer) -> str:
    """Return the encoding that the answer names, if it is one of the web's; else UTF-8."""
    found = _CHARSET.search(answer.headers.get("content-type", ""))
    try:
        named = codecs.lookup(found[1]).name if found else "utf-8"
    except LookupError:
        return "utf-8"
    return named if named in _KNOWN else "utf-8"
