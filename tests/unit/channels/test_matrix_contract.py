from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.channel_bench import channel_bench
from tests.support.channel_contract import ChannelContract
from tests.support.matrix_rig import MatrixRig
from tests.support.synapse import Synapse

pytestmark = pytest.mark.slow


class TestMatrix(ChannelContract):
    @pytest.fixture(autouse=True)
    def homeserver(self, synapse: Synapse) -> None:
        self.synapse = synapse

    def rig(self) -> MatrixRig:
        return MatrixRig(self.synapse)

    async def test_a_message_of_100_000_characters_is_taken_as_far_as_the_platform_takes_it(
        self, tmp_path: Path
    ) -> None:
        """A homeserver takes events of 64 KiB; encrypted, that is less."""
        async with self.rig() as rig, channel_bench(tmp_path, rig) as at:
            await rig.says("alice", "long " * 9000)
            await at.answered("alice")
            assert at.heard("alice")[0].text.strip() == ("long " * 9000).strip()
