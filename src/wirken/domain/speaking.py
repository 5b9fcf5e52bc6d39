"""How a model is told who speaks where several people converse. Pure.

What `spoken` returns is hashed into `llm_request`, so for rows that exist it must never change (docs/record.md).
"""

from __future__ import annotations

import unicodedata
from typing import Final

from wirken.domain import limits
from wirken.domain.people import Person
from wirken.domain.text import shown

_KEPT: Final = frozenset({"Lu", "Ll", "Lt", "Lo", "Mn", "Mc", "Nd"})
"""Unicode categories of a name's letters, marks and digits; no sign that could end a name, a quotation or a line."""

_SIGNS: Final = " .-'"


def speaker(who: Person, name: str) -> str:
    """Return who speaks, for the model: `anna, user`, and `, called "Anna K."` after a platform's name for her.

    Principal and role are the owner's word and come first; neither can hold a comma. The name is the platform's, so
    anybody's choice: what is no letter, digit, blank or one of `.-'` is left out of it, and it stays within
    `limits.SPEAKER_NAME` characters.
    """
    letters = "".join(" " if one.isspace() else one for one in name)
    plain = " ".join("".join(filter(_harmless, letters)).split())[: limits.SPEAKER_NAME].rstrip()
    called = f', called "{plain}"' if plain and plain.casefold() != who.principal else ""
    return f"{who.principal}, {who.role.value}{called}"


def spoken(said_by: str, text: str) -> str:
    """Return a group's message as models read it: `[said_by] text`, every further line set in by two blanks.

    So nobody's text can begin a line, or a message, as somebody else's.
    """
    return f"[{said_by}] {'  '.join(text.splitlines(keepends=True))}"


def _harmless(character: str) -> bool:
    kept = character in _SIGNS or unicodedata.category(character) in _KEPT
    return kept and shown(character) == character
