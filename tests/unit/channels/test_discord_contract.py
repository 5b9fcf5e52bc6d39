from __future__ import annotations

import pytest
from tests.support.channel_contract import ChannelContract
from tests.support.discord_rig import DiscordRig

pytestmark = pytest.mark.slow


class TestDiscord(ChannelContract):
    def rig(self) -> DiscordRig:
        return DiscordRig()
