"""The program itself: its interpreter and its files."""

from __future__ import annotations

import compileall
import importlib.util
import os
import site
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import wirken
from wirken.cli.checks.finding import Finding, ok, red, yellow
from wirken.cli.checks.installation import Installation
from wirken.confine import sitefiles

_OLDEST: Final = (3, 11)
_HEADER: Final = struct.Struct("<4sIII")
"""Magic number, flags, and for flags 0 the source's modification time and size (PEP 552)."""


def python(home: Installation) -> Iterator[Finding]:
    """Is the interpreter one that Wirken is made for?"""
    seen = f"{sys.implementation.name} {sys.version.split()[0]} ({sys.executable})"
    if sys.implementation.name == "cpython" and sys.version_info[:2] >= _OLDEST:
        yield ok(seen)
    else:
        yield red(seen, "Wirken is made and tested for CPython 3.11 and later.", "Install it, then run `make setup`.")


def bytecode(home: Installation) -> Iterator[Finding]:
    """Is every module compiled? Our processes see the program read-only and cannot keep what they compile."""
    package = _package()
    sources = sorted(package.rglob("*.py"))
    stale = [source for source in sources if not compiled(source)]
    if not stale:
        yield ok(f"{len(sources)} modules, all compiled")
        return
    yield yellow(
        f"{len(stale)} of {len(sources)} modules are not compiled, or were changed since",
        "Each process compiles them anew at each start, which costs about half a second in all.",
        f"wirken doctor --fix, or: {sys.executable} -m compileall -q {package}",
    )


def site_files(home: Installation) -> Iterator[Finding]:
    """Does the environment hold files that would run in each of our processes, before its walls?"""
    unknown = list(sitefiles.foreign(site.getsitepackages(), Path(os.__file__).parent))
    if not unknown:
        yield ok("nothing runs in our processes before their own code but what is known")
    for path in unknown:
        why = "It runs in each of Wirken's processes before they put on their walls; `wirken run` refuses to start."
        yield red(f"{path} is not known", why, "Find out which package put it there and remove it.")


def compile_all(home: Installation) -> None:
    """Compile what is not."""
    compileall.compile_dir(_package(), quiet=2)


def compiled(source: Path) -> bool:
    """Would the interpreter take the compiled file beside this source?"""
    try:
        with open(importlib.util.cache_from_source(source), "rb") as file:
            magic, flags, changed, size = _HEADER.unpack(file.read(_HEADER.size))
        seen = source.stat()
    except (OSError, struct.error):
        return False
    if magic != importlib.util.MAGIC_NUMBER:
        return False
    return flags != 0 or (changed, size) == (int(seen.st_mtime) & 0xFFFFFFFF, seen.st_size & 0xFFFFFFFF)


def _package() -> Path:
    return Path(wirken.__file__).parent
