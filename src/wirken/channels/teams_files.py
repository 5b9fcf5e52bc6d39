"""Files that a person is asked to take: Teams lets a bot put one into somebody's OneDrive only after a yes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wirken.channels.contract import PlatformAway, Undeliverable
from wirken.channels.teams_addresses import Addresses
from wirken.channels.teams_cards import consent, plain, taken
from wirken.channels.teams_connector import Connector
from wirken.channels.teams_convert import Handle, place
from wirken.channels.teams_types import Consent
from wirken.domain import channel_limits as limits
from wirken.domain.errors import WirkenError

_GONE: Final = "This file is not held any more. Ask for it again."
_FAILED: Final = "The file could not be put into your OneDrive."
_DECLINED: Final = "You did not take the file."


@dataclass(frozen=True, slots=True)
class _Offered:
    conversation: Handle
    data: bytes
    card: str = ""


class Offers:
    """Holds the files offered last in memory, until they are taken; a restart forgets them, and says so."""

    def __init__(self, connector: Connector, addresses: Addresses) -> None:
        self._connector, self._addresses = connector, addresses
        self._held: dict[str, _Offered] = {}

    async def offer(self, conversation: Handle, name: str, data: bytes, key: str) -> str:
        """Ask a person to take a file, known by `key`; return the id of the question. Raises errors of the port."""
        if not place(conversation).personal:
            raise Undeliverable("Teams lets bots send files to one person only, not into groups and channels.")
        if not data:
            raise Undeliverable("Teams takes no empty file.")
        self._held[key] = _Offered(conversation, data)
        while len(self._held) > limits.TEAMS_OFFERED:
            del self._held[next(iter(self._held))]
        try:
            card = await self._connector.post(conversation, consent(name, len(data), key))
        except WirkenError:
            self._held.pop(key, None)
            raise
        if key in self._held:  # somebody may have taken it already
            self._held[key] = _Offered(conversation, data, card)
        return card

    async def answered(self, conversation: Handle, said: Consent, card: str) -> None:
        """A person took the file, or did not. What goes wrong is told in the conversation."""
        held = self._held.get(said.context.offered)
        if held is not None and held.conversation != conversation:
            return
        self._held.pop(said.context.offered, None)
        try:
            await self._settle(conversation, said, held, card)
        except (PlatformAway, Undeliverable):
            await self._tell(conversation, _FAILED)

    async def _settle(self, conversation: Handle, said: Consent, held: _Offered | None, card: str) -> None:
        if said.action != "accept" or said.upload is None:
            await self._told(conversation, card, _DECLINED)
        elif held is None:
            await self._told(conversation, card, _GONE)
        elif not (self._addresses.is_file(said.upload.upload_url) and self._addresses.is_file(said.upload.content_url)):
            raise Undeliverable("This is no address of a OneDrive.")
        else:
            await self._connector.upload(said.upload.upload_url, held.data)
            if card := card or held.card:
                await self._connector.put(conversation, card, taken(said.upload))
            else:
                await self._connector.post(conversation, taken(said.upload))

    async def _told(self, conversation: Handle, card: str, text: str) -> None:
        """Put a word in the place of the question, so that nobody answers it twice."""
        if card:
            await self._connector.put(conversation, card, plain(text))
        else:
            await self._connector.post(conversation, plain(text))

    async def _tell(self, conversation: Handle, text: str) -> None:
        try:
            await self._connector.post(conversation, plain(text))
        except WirkenError:
            return  # what cannot be said is at least not lost: the question stands, and the answer is asked for anew
