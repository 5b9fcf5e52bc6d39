"""The kinds of sandbox whose commands can be granted a network, for tests that run over each of them."""

from __future__ import annotations

import os
import shutil
from typing import Final, Literal

import pytest
from tests.support.engine import WITHOUT
from tests.support.runner_client import Boxed

Way = Literal["bubblewrap", "direct"]
WAYS: Final[tuple[Way, ...]] = ("bubblewrap", "direct")
"""`direct` is gVisor without an engine."""


def boxed(way: Way) -> Boxed | None:
    """Return what a runner of this kind is given; fails the test where the kind cannot be had."""
    if way == "bubblewrap":
        return None
    if shutil.which("runsc") is None:
        if os.environ.get(WITHOUT) == "1":
            pytest.skip(f"{WITHOUT}=1: gvisor is NOT tested")
        pytest.fail("gvisor cannot be tested: runsc is missing; `make setup-test` installs it for root.")
    return Boxed(None, "gvisor")
