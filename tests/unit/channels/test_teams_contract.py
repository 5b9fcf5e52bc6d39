from __future__ import annotations

import pytest
from tests.support.channel_contract import ChannelContract
from tests.support.teams_rig import TeamsRig

pytestmark = pytest.mark.slow


class TestTeams(ChannelContract):
    def rig(self) -> TeamsRig:
        return TeamsRig()
