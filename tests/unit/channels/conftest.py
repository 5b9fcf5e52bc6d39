"""What the tests of channels share: one homeserver for all of a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.synapse import Synapse


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    """A homeserver that nobody restarts."""
    made = Synapse(tmp_path_factory.mktemp("synapse"))
    made.start()
    yield made
    made.stop()
