"""Real runners for the tests of the sandbox: one per way of holding the limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.runner_client import Client, runner


@pytest.fixture(scope="module", params=["cgroup", "watchdog"])
def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A runner in its view. The cgroup variant is skipped where this machine lends none."""
    folder: Path = tmp_path_factory.mktemp("runner")
    with runner(folder, request.param) as client:
        if request.param == "cgroup" and client.held_by == "watchdog":
            pytest.skip("no cgroup can be written here")
        yield client
