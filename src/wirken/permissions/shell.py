"""What a command would run, as far as that is plain from its text.

Only what is certain is placed: one program with literal arguments. Anything else (a metacharacter, an
expansion, a quote that does not close, a character that is not plainly visible) gives `None`, which the caller
decides as Tier 3. The sandbox, not this reader, is the wall.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# A piece of a word: characters that mean nothing to a shell, or a quoted text in which nothing is expanded.
# Backslash is never plain because it hides; `~`, `#`, `!`, `^` and `%` are not because some shell expands them.
_PIECE: Final = r"""(?:[^\s|&;<>(){}$`*?\[\]!#~^%\\'"]|'[^']*'|"[^"$`\\!]*")"""
_WORD: Final = re.compile(rf"{_PIECE}+")
_COMMAND: Final = re.compile(rf"[ \t]*{_PIECE}+(?:[ \t]+{_PIECE}+)*[ \t]*")
_QUOTED: Final = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

# Families whose versions are programs of their own: python3.11 is judged as python.
_FAMILIES: Final = re.compile(r"(python|perl|ruby|php|lua|node|gcc|clang|mkfs)[-.0-9]*(?:\.[a-z0-9]+)?")


def words(text: str) -> tuple[str, ...] | None:
    """Return the words of a simple command with its quotes removed, or None when it is not certain.

    The first word may not hold `=`: a leading assignment changes how programs are found.
    """
    if not all(_plain(character) for character in text) or _COMMAND.fullmatch(text) is None:
        return None
    found = tuple(_QUOTED.sub(lambda match: match[1] or match[2] or "", word) for word in _WORD.findall(text))
    return None if "=" in found[0] else found


def verb(word: str) -> str:
    """Return the name that a program's word is judged by: its basename, folded, a version taken off."""
    name = word.rsplit("/", 1)[-1].casefold()
    family = _FAMILIES.fullmatch(name)
    return name if family is None else family[1]


def _plain(character: str) -> bool:
    return character == "\t" or unicodedata.category(character) not in _HIDDEN
