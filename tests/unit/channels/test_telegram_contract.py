from __future__ import annotations

import pytest
from tests.support.channel_contract import ChannelContract
from tests.support.telegram_rig import TelegramRig

pytestmark = pytest.mark.slow


class TestTelegram(ChannelContract):
    def rig(self) -> TelegramRig:
        return TelegramRig()
