"""Files that run code in every Python process before our own: `*.pth` and sitecustomize (docs of `site`).

`-I` leaves them on. Whoever can write one into the environment owns each of our processes before it has put on its
walls, so only those are accepted whose content is known.
"""

from __future__ import annotations

import hashlib
import os
import re
import site
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import wirken
from wirken.domain.errors import Unavailable

KNOWN: Final = {
    "2638ce9e2500e572a5e0de7faed6661eb569d1b696fcba07b0dd223da5f5d224": "distutils-precedence.pth of setuptools",
    "ef2ed06d19867ec669c09a804060666a9cd5e383af0a9d11aa2de79b77d448e8": "a1_coverage.pth of coverage, for tests",
    "43d81125d92376b1a69d53a71126a041cc9a18d8080e92dea0a2ae23be138b1e": "sitecustomize.py of Debian and Ubuntu",
}
"""SHA-256 of contents that were read and found to do nothing to us."""
_LONGEST: Final = 64 * 1024  # bytes; a longer one is not known
_PIPX: Final = re.compile(rb"/[^\n]+/pipx/shared/lib/python3\.\d+/site-packages\n?")
"""pipx's own: a folder with pip in it, which our processes do not see."""
_CUSTOMIZE: Final = "sitecustomize"


class ForeignCode(Unavailable):
    """A file that we do not know would run in each of our processes."""


def refuse_foreign() -> None:
    """Raise `ForeignCode` for the first unknown file of the interpreter that our processes use."""
    for path in foreign(site.getsitepackages(), Path(os.__file__).parent):
        raise ForeignCode(
            f"{path} runs in every Python process before Wirken's own code, and Wirken does not know it.",
            hint="Find out which package put it there and remove it, or install Wirken into an environment of its own "
            "(python3 -m venv).",
        )


def foreign(packages: Iterable[str], library: Path) -> Iterator[Path]:
    """Yield the unknown `.pth` files and sitecustomize modules of the folders `packages` and of the `library`."""
    folders = [Path(folder) for folder in packages]
    for folder in folders:
        for entry in sorted(_listed(folder)):
            if entry.endswith(".pth") and not _known(folder / entry):
                yield folder / entry
    for folder in (library, library / "lib-dynload", *folders, Path(wirken.__file__).parent.parent):
        for entry in sorted(_listed(folder)):
            if _is_customize(entry) and not _known(folder / entry):
                yield folder / entry


def _is_customize(entry: str) -> bool:
    """Would `import sitecustomize` find this: a module, a package, or a library for this interpreter?"""
    return entry == _CUSTOMIZE or (entry.startswith(f"{_CUSTOMIZE}.") and entry.endswith((".py", ".pyc", ".so")))


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  # names alone, and this is every start
    except OSError:
        return []


def _known(path: Path) -> bool:
    """Is this empty, of known content, or does it name nothing but the folder of our own package?"""
    try:
        with open(path, "rb") as file:
            content = file.read(_LONGEST)
    except FileNotFoundError:
        return True  # a link that leads nowhere runs nothing
    except OSError:
        return False
    own = os.fsencode(Path(wirken.__file__).parent.parent)
    if content.strip() in (b"", own) or _PIPX.fullmatch(content):
        return True
    return hashlib.sha256(content).hexdigest() in KNOWN
