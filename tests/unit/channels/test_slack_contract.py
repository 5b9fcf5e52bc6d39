from __future__ import annotations

import pytest
from tests.support.channel_contract import ChannelContract
from tests.support.slack_rig import SlackRig

pytestmark = pytest.mark.slow


class TestSlack(ChannelContract):
    def rig(self) -> SlackRig:
        return SlackRig()
