"""By which name a program is judged, and where the machine's own programs lie."""

from __future__ import annotations

import re
from typing import Final, Protocol

from wirken.permissions.rules import KNOWN, WARY


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

_BREAKS: Final = re.compile(r"(?<=.)(?=[-.0-9])")
"""Where a name may go on with a version or a part: `python|3|.11`, `git|-lfs`."""

_OF_OTHER_HOUSES: Final = ("gnu", "g", "uu_", "uu-")
"""What the same programs are called on machines that have two of each."""

_LOADER: Final = re.compile(r"ld(?:-linux|-musl|64)?[-.a-z0-9_]*\.so(?:\.[0-9]+)*")
_GNU: Final = "tar sort tee cp mv ln chmod find xargs env nice nohup timeout stdbuf time chroot parallel".split()
_ALIASES: Final = {
    "netcat": "nc",
    "slogin": "ssh",
    "sudoedit": "sudo",
    "visudo": "sudo",
    "wcurl": "curl",
    "gnutar": "tar",
    **{f"g{name}": name for name in _GNU},
}

_LONGEST: Final = 255
"""Letters of a file's name (NAME_MAX of limits.h)."""

_PROGRAMS: Final = ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/")
"""Where programs lie that a sandbox can read and not write; a name without a folder is looked up there."""

MULTICALL: Final = frozenset({"busybox", "toybox", "coreutils"})
"""One file that is many programs: through a link, the link's name tells which."""


def verb(word: str) -> str:
    """Return the name that a program's word is judged by: its basename, folded, version or part taken off.

    `python3.11` is judged as `python`, `git-lfs` as `git`, `grm` as `rm`: a name is only ever shortened to one that
    the tables are wary of.
    """
    name = word.rsplit("/", 1)[-1].casefold()
    if len(name) > _LONGEST or name in KNOWN:
        return name
    if _LOADER.fullmatch(name):
        return "ld.so"
    if name in _ALIASES:
        return _ALIASES[name]
    others = (name[len(front) :] for front in _OF_OTHER_HOUSES if name.startswith(front))
    return next((stem for one in (name, *others) if (stem := _stem(one))), name)


def _stem(name: str) -> str:
    """Return the longest beginning of a name, up to a version or a part, that a table is wary of; or nothing."""
    ends = [len(name), *(match.start() for match in reversed(list(_BREAKS.finditer(name))))]
    return next((name[:end] for end in ends if name[:end] in WARY), "")


def behind(word: str, programs: Programs) -> str:
    """Return the name of the program that a word's links lead to; the word's own where nothing else is known."""
    real = programs.real(word)
    name = "" if real is None else verb(real)
    return verb(word) if real is None or name in MULTICALL else name


def is_installed(word: str) -> bool:
    """Does a program's word name one of the machine's own, and not a file that somebody may have written?"""
    folder, _, name = word.rpartition("/")
    return "/" not in word or (f"{folder}/" in _PROGRAMS and bool(name))


def is_ordinary(name: str) -> bool:
    """Is a name made of the characters that programs' names have?"""
    if name in ("[", ":"):
        return True
    return name[:1] not in ("", "-") and name.isascii() and all(letter.isalnum() or letter in "._+-" for letter in name)
