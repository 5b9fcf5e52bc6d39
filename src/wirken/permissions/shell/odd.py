"""Forms of a simple command that the other reader takes for something else, in some contexts and not in others.

Each is a doubt wherever it stands, so that no context makes a command look more certain than it is by itself.
"""

from __future__ import annotations

import re
from typing import Final

from wirken.permissions.shell.reading import NotPlain
from wirken.permissions.shell.words import Word

_COMPARES: Final = re.compile(r"\s=[=~](?=\s)")
_DIRECTIONS: Final = re.compile(r"[<>]+")
_ENDS_COMPARING: Final = re.compile(r"\s=[=~]\s*\Z")
_INPUT_NAMED: Final = re.compile(r"(?:\A|[\s<>&0-9])0[<>]")
_DECLARES: Final = frozenset("declare typeset export readonly local unset test [".split())
_DOLLAR: Final = re.compile(r"\$(?=[\s;&|)<>]|\Z)")
_TIMED: Final = re.compile(r"(?:time\s+)+[0-9]*[<>]")


def refuse(text: str, at: int, words: list[Word]) -> None:
    """Raise `NotPlain` for an odd form. `text` is the whole simple command, whose first word begins at `at`."""
    compares = _COMPARES.search(text)
    if compares is not None and _DIRECTIONS.search(text, compares.end()):
        raise NotPlain("A sign of comparison stands before a redirection.")
    if _ENDS_COMPARING.search(text):
        raise NotPlain("A sign of comparison stands at the end.")
    if _INPUT_NAMED.search(text):
        raise NotPlain("A redirection names descriptor 0.")
    verb = next((word.text for word in words if word.text != "time"), "")
    if verb in _DECLARES and _DOLLAR.search(text, at):
        raise NotPlain("A lone dollar sign stands behind a declaration or in a test.")
    if len(_DIRECTIONS.findall(text, 0, at)) > 1 and _DIRECTIONS.search(text, at):
        raise NotPlain("Redirections stand before a command and behind it.")
    if _TIMED.match(text, at):
        raise NotPlain("A redirection stands between `time` and a command.")
