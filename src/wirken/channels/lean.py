"""Imports of libraries without what they load merely because it is installed and every idle adapter would pay for."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Within this block an import of `names` fails like one that is not installed; modules already loaded stay.

    For optional parts only, which a library imports in a `try`.
    """
    barred = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(barred))  # type: ignore[arg-type]  # None bars an import (language reference, 5.3.1)
    try:
        yield
    finally:
        for name in barred:
            del sys.modules[name]


@contextmanager
def beside(package: str) -> Iterator[None]:
    """Within this block parts of `package` are imported without its `__init__`, which would load all of them.

    Afterwards the parts stay, and whoever imports the package itself gets it whole.
    """
    spec = importlib.util.find_spec(package)
    if package in sys.modules or spec is None:
        yield
        return
    sys.modules[package] = importlib.util.module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[package]
