"""Which kind of place a path names, judged by its text; the kernel holds the border when it is opened.

Paths may hold `words.UNKNOWN` where only running decides what stands there. What a link inside the workspace leads
to cannot be known here (docs/adr/0021-paths-by-their-text.md).
"""

from __future__ import annotations

import enum
import posixpath
import re
from typing import Final

from wirken.domain.credentials import CREDENTIAL_ENDINGS, CREDENTIAL_NAMES, is_credential
from wirken.domain.steering import REPOSITORY, STEERING_FILES, STEERING_FOLDERS
from wirken.permissions.shell.words import UNKNOWN, could_be_one

SANDBOX_ROOT = "/workspace"
"""Where a command sees its workspace; the file tools take it as another name of the workspace."""

_ENDINGS: Final = tuple(f"*{ending}" for ending in CREDENTIAL_ENDINGS)

_OWN: Final = (SANDBOX_ROOT, "/tmp", "/dev/shm")  # noqa: S108  # the sandbox's own
"""Folders that a sandbox may write; all but the workspace are its own and vanish with it."""

_DEVICES: Final = re.compile(
    r"/dev/(?:null|zero|full|random|urandom|tty|std(?:in|out|err)|fd(?:/\d+)?)|/proc/self/fd/\d+"
)
_NETWORK: Final = re.compile(r"/dev/(?:tcp|udp)/")
_MEMORY: Final = re.compile(r"/proc/[^/]+/(?:task/[^/]+/)?(?:environ|mem|maps|auxv|cmdline)")
_FILES: Final = STEERING_FILES | REPOSITORY
_APART: Final = re.compile(r"[\s=:,@;\"'`()<>{}\[\]|&]+")
_VALUE: Final = re.compile(r"[=:,]")


class Where(enum.Enum):
    """How a path is judged. The order of checks: outside, credential, steering, inside."""

    INSIDE = "inside"
    STEERING = "steering"
    CREDENTIAL = "credential"
    OUTSIDE = "outside"


def where(path: str) -> Where:
    """Return what `path`, as a model words it for a file tool, names."""
    inside = relative(path)
    if inside is None:
        return Where.OUTSIDE
    if names_credential(inside):
        return Where.CREDENTIAL
    return Where.STEERING if names_steering(inside) else Where.INSIDE


def may_end_a_steering_name(tail: str) -> bool:
    """Can a name that ends so be one that steers?"""
    return any(name.endswith(tail.casefold()) for name in _FILES | STEERING_FOLDERS)


def names_credential(path: str) -> bool:
    """Does a path, wherever it lies, go by a name that commonly holds a credential?"""
    return any(map(_is_credential, _parts(path)))


def is_hidden(path: str) -> bool:
    """Does a part of a path, wherever it lies, begin with a dot?"""
    return any(part.startswith(".") and part not in (".", "..") for part in _parts(path))


def names_steering(path: str) -> bool:
    """Does a path, wherever it lies, go by the name of a file that steers the agent or the person's tools?"""
    parts = _parts(path)
    return _any_of(parts[-1], _FILES) or any(_any_of(part, STEERING_FOLDERS) for part in parts)


def relative(path: str) -> str | None:
    """Return the path relative to the workspace, without dots; None where it leaves it or holds a NUL."""
    if "\0" in path:
        return None
    if path.startswith("/"):
        clean = posixpath.normpath(path)
        if clean == SANDBOX_ROOT:
            return "."
        if not clean.startswith(SANDBOX_ROOT + "/"):
            return None
        return clean[len(SANDBOX_ROOT) + 1 :]
    clean = posixpath.normpath(path or ".")
    return None if clean == ".." or clean.startswith("../") else clean


def outside(path: str) -> str | None:
    """Return where a path leads that a command would leave its own folders by, without dots; None where it does not.

    A path of which not even the beginning is known counts as inside, unless it climbs.
    """
    if UNKNOWN in path and ".." in path.split("/"):
        return path
    clean = _absolute(path)
    if any(clean == own or clean.startswith(own + "/") for own in _OWN) or _DEVICES.fullmatch(clean):
        return None
    return clean


def opens_network(path: str) -> bool:
    """Is this a name that bash connects to instead of opening it?"""
    return _NETWORK.match(_absolute(path)) is not None


def is_plain(path: str) -> bool:
    """Is `path` a plain path outside the workspace: absolute, without dots, and certain?"""
    return "*" not in path and UNKNOWN not in path and path.startswith("/") and outside(path) == path


def is_plain_outside(path: str) -> bool:
    """Is `path` a key's plain path outside the workspace, behind which no credential lies?"""
    return is_plain(path) and not names_credential(path)


def in_workspace(path: str) -> bool:
    """Does a path lie in the workspace for certain, and not in what vanishes with the sandbox?"""
    return UNKNOWN not in path and relative(path) is not None


def pieces(word: str) -> tuple[str, ...]:
    """Return what a program may take for a path's name in one argument: all of it, an option's value, any part."""
    glued = (word[2:],) if word.startswith("-") else ()
    parts = _APART.split(word)
    return (word, *glued, *parts) if len(parts) > 1 else (word, *glued)


def reached(word: str) -> tuple[str, ...]:
    """Return the paths in one argument that lead outside: it itself, an option's value, a part of a list."""
    if "/" not in word and ".." not in word:
        return ()
    glued = (word[2:],) if word.startswith("-") else ()
    found = (word, *glued, *(part for part in _VALUE.split(word)[1:] if not part.startswith("//")))
    leaving = (outside(path) for path in found if path.startswith("/") or ".." in path.split("/"))
    return tuple(dict.fromkeys(path for path in leaving if path is not None))


def _absolute(path: str) -> str:
    clean = posixpath.normpath(posixpath.join(SANDBOX_ROOT, path))
    return clean[1:] if clean.startswith("//") else clean


def _parts(path: str) -> list[str]:
    if "/" not in path:
        return [path.casefold() or "."]
    return posixpath.normpath(path).casefold().split("/")


def _any_of(part: str, names: frozenset[str]) -> bool:
    return could_be_one(part, names) if UNKNOWN in part else part in names


def _is_credential(part: str) -> bool:
    if UNKNOWN in part:
        return could_be_one(part, _ENDINGS) or part.startswith(".env.") or _any_of(part, CREDENTIAL_NAMES)
    return is_credential(part)


def reads_memory(path: str) -> bool:
    """Is this a file that shows what a process holds?"""
    return _MEMORY.fullmatch(_absolute(path)) is not None
