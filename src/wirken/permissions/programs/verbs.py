"""By which name a program is judged, and where the machine's own programs lie."""

from __future__ import annotations

import re
from typing import Final, Protocol


class Programs(Protocol):
    """What is known of the programs that a sandbox shows: the machine's own, read-only."""

    def real(self, word: str) -> str | None:
        """Return the path behind all links of a program, named by its path or looked up by its name; None where
        there is none, or none is known."""
        ...


class NothingKnown:
    """For where no machine is at hand."""

    def real(self, word: str) -> str | None:
        return None


NOTHING_KNOWN: Final = NothingKnown()

# Families whose versions and parts are programs of their own: python3.11 is judged as python.
_FAMILIES: Final = re.compile(
    r"(python|pypy|perl|ruby|php|lua|node|gcc|clang|mkfs|vim|emacs|mawk)[-.0-9]*(?:\.[a-z0-9]+)?"
    r"|(git|docker|podman|kubectl|helm|nc|ssh|sudo)[-.][-.a-z0-9]+"
)
_LOADER: Final = re.compile(r"ld(?:-linux|-musl|64)?[-.a-z0-9_]*\.so(?:\.[0-9]+)*")
_ALIASES: Final = {"netcat": "nc", "slogin": "ssh", "sudoedit": "sudo", "gsed": "sed", "gtar": "tar", "gfind": "find"}

_PROGRAMS: Final = ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/")
"""Where programs lie that a sandbox can read and not write; a name without a folder is looked up there."""

MULTICALL: Final = frozenset({"busybox", "toybox", "coreutils"})
"""One file that is many programs: through a link, the link's name tells which."""


def verb(word: str) -> str:
    """Return the name that a program's word is judged by: its basename, folded, version or part taken off."""
    name = word.rsplit("/", 1)[-1].casefold()
    if _LOADER.fullmatch(name):
        return "ld.so"
    family = _FAMILIES.fullmatch(name)
    return _ALIASES.get(name, name) if family is None else family[1] or family[2]


def behind(word: str, programs: Programs) -> str:
    """Return the name of the program that a word's links lead to; the word's own where nothing else is known."""
    real = programs.real(word)
    if real is None or verb(real) in MULTICALL:
        return verb(word)
    return verb(real)


def is_installed(word: str) -> bool:
    """Does a program's word name one of the machine's own, and not a file that somebody may have written?"""
    folder, _, name = word.rpartition("/")
    return "/" not in word or (f"{folder}/" in _PROGRAMS and bool(name))


def is_ordinary(name: str) -> bool:
    """Is a name made of the characters that programs' names have?"""
    if name in ("[", ":"):
        return True
    return name[:1] not in ("", "-") and name.isascii() and all(letter.isalnum() or letter in "._+-" for letter in name)
