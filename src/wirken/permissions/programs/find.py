"""What `find` runs for what it finds (GNU findutils 4.10; POSIX.1-2024)."""

from __future__ import annotations

from typing import Final

from wirken.permissions.programs.opening import Opened
from wirken.permissions.shell.words import SOMETHING, Word, Words

_PLAIN: Final = frozenset(
    (
        "a and o or not true false depth d daystart empty executable follow ignore_readdir_race ls mount nogroup "
        "noignore_readdir_race noleaf nouser print print0 prune quit readable writable xdev warn nowarn delete help "
        "version"
    ).split()
)
_TAKES: Final = frozenset(
    (
        "amin anewer atime cmin cnewer context ctime files0-from fstype gid group ilname iname inum ipath iregex "
        "iwholename links lname maxdepth mindepth mmin mtime name newer path perm printf regex regextype samefile "
        "size type uid used user wholename xtype Bmin Btime flags"
    ).split()
)
WRITES: Final = frozenset({"fls", "fprint", "fprint0", "fprintf"})
RUNS: Final = frozenset({"exec", "execdir", "ok", "okdir"})
"""The words of its expressions, without their dash: `WRITES` name a file, `RUNS` a command."""

_PUNCTUATION: Final = frozenset({"(", ")", "!", ","})
_LEADING: Final = frozenset({"-H", "-L", "-P", "-E", "-X", "-d", "-s", "-x"})


def find(words: Words) -> Opened:
    """Return what `-exec` and its like run. What is found stands in the place of `{}`."""
    commands: list[Words] = []
    doubts: list[str] = []
    at = _start(words)
    while at < len(words):
        word, at = words[at], at + 1
        if word.splits or (word.may_be_option and not word.certain):
            doubts.append("A word of `find` is not certain: it may be an action.")
        elif not word.text.startswith("-") or word.text in _PUNCTUATION:
            continue
        elif (name := word.text[1:]) in RUNS:
            end = _end(words, at)
            if end == len(words):
                doubts.append("An action of `find` does not end.")
            if words[at:end]:
                commands.append(_filled(words[at:end], many=end < len(words) and _is(words[end], "+")))
            at = end + 1
        elif name in _TAKES or name in WRITES or name.startswith("newer"):
            taken = 2 if name == "fprintf" else 1
            if any(part.several for part in words[at : at + taken]):
                doubts.append("A word of `find` is not certain: it may become an action.")
            at += taken
        elif name not in _PLAIN:
            doubts.append("A word of `find` is not known: it may be an action.")
    return Opened(tuple(commands), doubts=tuple(doubts))


def _start(words: Words) -> int:
    at = 1
    while at < len(words) and (words[at].text in _LEADING or words[at].text.startswith(("-O", "-D"))):
        at += 2 if words[at].text == "-D" else 1
    return at


def _end(words: Words, at: int) -> int:
    """Return where the command of an action ends: at `;`, or at `+` behind `{}`."""
    for place in range(at, len(words)):
        if _is(words[place], ";") or (_is(words[place], "+") and place > at and _is(words[place - 1], "{}")):
            return place
    return len(words)


def _filled(words: Words, *, many: bool) -> Words:
    """Return a command with what is found in the place of `{}`; before `+`, it is any number of words."""
    filled = tuple(part.replaced("{}") for part in words)
    return (*filled[:-1], SOMETHING) if many else filled


def _is(word: Word, text: str) -> bool:
    return word.text == text
