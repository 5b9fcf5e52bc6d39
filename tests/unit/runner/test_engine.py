"""The engine that tests of container sandboxes use."""

from __future__ import annotations

import pytest
from tests.support.engine import Engine

pytestmark = pytest.mark.slow


def test_the_engine_runs_our_image(engine: Engine) -> None:
    assert engine.docker("run", "--rm", "--network=none", engine.image, "echo", "here") == "here\n"


def test_the_engine_runs_it_under_gvisor(engine: Engine) -> None:
    said = engine.docker("run", "--rm", "--network=none", "--runtime=runsc", engine.image, "dmesg")
    assert "gVisor" in said
