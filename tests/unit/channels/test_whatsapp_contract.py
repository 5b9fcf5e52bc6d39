from __future__ import annotations

import pytest
from tests.support.channel_contract import ChannelContract
from tests.support.whatsapp_rig import WhatsAppRig

pytestmark = pytest.mark.slow


class TestWhatsApp(ChannelContract):
    def rig(self) -> WhatsAppRig:
        return WhatsAppRig()
