"""Microsoft Teams: Bot Connector calls our webhook, and we call its REST interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from wirken.channels.contract import Attachment, House, PlatformAway, Question, Traits, Undeliverable
from wirken.channels.given import Given
from wirken.channels.recent import Recent
from wirken.channels.render.pieces import Piece
from wirken.channels.teams_addresses import addresses
from wirken.channels.teams_cards import TYPING, message, question
from wirken.channels.teams_connector import Connector
from wirken.channels.teams_convert import Handle, own
from wirken.channels.teams_files import Offers
from wirken.channels.teams_http import Wire
from wirken.channels.teams_listen import Listening
from wirken.channels.teams_login import Login
from wirken.channels.teams_trust import Signers, Trust
from wirken.channels.webhook import serving
from wirken.domain import channel_limits as limits
from wirken.domain.limits import SHARED_FILE
from wirken.domain.platforms import Teams


def platform(given: Given) -> TeamsPlatform:
    """Return the platform; nothing is sent before it runs."""
    return TeamsPlatform(given)


class TeamsPlatform:
    """One bot of one organisation. Message ids are the Connector's, conversations `teams_convert.handle` makes."""

    traits = Traits(
        dialect="teams",
        edit_every=limits.TEAMS_EDIT_EVERY,
        typing_every=limits.TEAMS_TYPING_EVERY,
        file_most=min(limits.TEAMS_UPLOAD, SHARED_FILE),
    )

    def __init__(self, given: Given) -> None:
        app_id, self._tenant = given.settings["app_id"].lower(), given.settings["tenant_id"].lower()
        self._prefix = given.settings.get("prefix", "")
        self._addresses = addresses(self._tenant, given.settings.get("api_url", ""))
        self._listener = given.listener
        self._wire = Wire(given.proxy, given.ca_file)
        self._login = Login(self._wire, self._addresses.token, app_id, given.secrets["client_secret"], given.clock)
        self._signers = Signers(self._wire, self._addresses, given.clock)
        self._trust = Trust(self._signers, self._addresses, app_id, given.clock)
        self._connector = Connector(self._wire, self._login, self._addresses, app_id, self._tenant)
        self._offers = Offers(self._connector, self._addresses)
        self._who = f"application {app_id}"
        self._sent = Recent[str, str](limits.TEAMS_REMEMBERED)

    async def close(self) -> None:
        """Close the connections; the end of the process does that as well."""
        await self._wire.close()

    async def run(self, house: House[Teams]) -> None:
        if self._listener is None:
            raise PlatformAway("There is no port on which Teams could call.")
        await self._login.renew()
        await self._signers.load()
        listening = Listening(house, self._trust, self._connector, self._offers, self._tenant, self._prefix)
        async with serving(self._listener, listening.hook):
            try:
                house.connected(self._who)
                await self._keep(house)
            finally:
                await listening.stop()

    async def _keep(self, house: House[Teams]) -> None:
        """Have a token at all times, so that a refused secret is known when a token ends, not at the next message."""
        while True:
            await asyncio.sleep(max(self._login.left, limits.TEAMS_PAUSE))
            try:
                await self._login.renew()
            except PlatformAway as error:
                if self._login.ended:
                    house.away(str(error))
                await asyncio.sleep(limits.TEAMS_TOKEN_PAUSE)
            else:
                house.connected(self._who)

    # --- out --------------------------------------------------------------------------------------------

    async def send(self, conversation: Handle, piece: Piece, key: str, reply_to: str = "") -> str:
        if (known := self._sent.get(key, None)) is not None:
            return known
        return self._sent.put(key, await self._connector.post(conversation, message(piece)))

    async def ask(self, conversation: Handle, question_: Question, key: str, reply_to: str = "") -> str:
        if (known := self._sent.get(key, None)) is not None:
            return known
        *before, last = question_.pieces
        for number, piece in enumerate(before):
            await self.send(conversation, piece, f"{key}:{number}")
        return self._sent.put(key, await self._connector.post(conversation, question(last, question_)))

    async def edit(self, conversation: Handle, message_id: str, piece: Piece) -> None:
        await self._connector.put(conversation, own(message_id), message(piece))

    async def typing(self, conversation: Handle) -> None:
        await self._connector.show(conversation, TYPING)

    # --- files ------------------------------------------------------------------------------------------

    async def fetch(self, file: Attachment) -> AsyncIterator[bytes]:
        if self._addresses.is_picture(file.reference):
            pieces = self._connector.picture(file.reference)
        elif self._addresses.is_file(file.reference):
            pieces = self._connector.file(file.reference)
        else:
            raise Undeliverable("Teams says that the file lies somewhere else.")
        async for piece in pieces:
            yield piece

    async def send_file(
        self,
        conversation: Handle,
        name: str,
        media_type: str,
        data: bytes,
        caption: Piece | None,
        key: str,
        reply_to: str = "",
    ) -> str:
        if (known := self._sent.get(key, None)) is not None:
            return known
        sent = self._sent.put(key, await self._offers.offer(conversation, name, data, key))
        if caption is not None:
            await self.send(conversation, caption, f"{key}:caption")
        return sent
