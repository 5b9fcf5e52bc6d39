"""The Bot Connector's REST calls: where each conversation is served, our token beside each call, its refusals read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote

import msgspec

from wirken.channels.contract import PlatformAway, Undeliverable
from wirken.channels.recent import Recent
from wirken.channels.teams_addresses import Addresses
from wirken.channels.teams_cards import Json
from wirken.channels.teams_convert import Handle, place
from wirken.channels.teams_errors import UNAUTHORIZED, refused
from wirken.channels.teams_http import Answered, NotAllowed, Wire
from wirken.channels.teams_login import Login
from wirken.channels.teams_types import Nonsense, Resource, read
from wirken.domain import channel_limits as limits
from wirken.domain.errors import WirkenError

_FAR: Final = "This channel may not reach the OneDrive of your organisation (docs/channels/teams.md)."
_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}


class Connector:
    """Raises errors of the port."""

    def __init__(self, wire: Wire, login: Login, addresses: Addresses, app_id: str, tenant: str) -> None:
        self._wire, self._login, self._addresses = wire, login, addresses
        self._bot, self._tenant = f"28:{app_id}", tenant
        self._services = Recent[str, str](limits.TEAMS_REMEMBERED)
        self._named = Recent[str, str](limits.TEAMS_REMEMBERED)

    def met(self, conversation: Handle, name: str, service: str) -> None:
        """Something came from a conversation: what Teams calls it, and which Connector serves it."""
        self._services.put(conversation.conversation, service.rstrip("/"))
        self._named.put(conversation.conversation, name)

    # --- activities -------------------------------------------------------------------------------------

    async def post(self, conversation: Handle, activity: Json) -> str:
        """Say something; return the id of the message."""
        return await self._made("POST", await self._activities(conversation), activity)

    async def show(self, conversation: Handle, activity: Json) -> None:
        """Show something that is no message and gets no id."""
        await self._ask("POST", await self._activities(conversation), msgspec.json.encode(activity))

    async def put(self, conversation: Handle, message: str, activity: Json) -> None:
        """Put something in the place of a message of ours."""
        body = msgspec.json.encode(activity)
        await self._ask("PUT", f"{await self._activities(conversation)}/{quote(message, safe='')}", body)

    async def _activities(self, conversation: Handle) -> str:
        where = place(conversation)
        name = self._named.get(conversation.conversation, "") or ("" if where.personal else where.id)
        if not name:
            name = self._named.put(conversation.conversation, await self._with(conversation, where.id))
        return f"{self._service(conversation)}/v3/conversations/{quote(name, safe='')}/activities"

    def _service(self, conversation: Handle) -> str:
        """What came names the Connector; after a restart the one that serves every region is asked."""
        return self._services.get(conversation.conversation, self._addresses.service)

    async def _with(self, conversation: Handle, person: str) -> str:
        """Return what Teams calls the conversation with a person: the same name however often it is asked."""
        asked: Json = {
            "bot": {"id": self._bot},
            "isGroup": False,
            "members": [{"id": person}],
            "tenantId": self._tenant,
            "channelData": {"tenant": {"id": self._tenant}},
        }
        return await self._made("POST", f"{self._service(conversation)}/v3/conversations", asked)

    async def _made(self, method: str, url: str, activity: Json) -> str:
        answer = await self._ask(method, url, msgspec.json.encode(activity))
        try:
            found = read(answer, Resource).id if answer else ""
        except Nonsense:
            found = ""
        if not found:
            raise PlatformAway("Teams answered without the id of what it took.")
        return found

    async def _ask(self, method: str, url: str, body: bytes) -> bytes:
        try:
            return await self._asked(method, url, body)
        except Answered as told:
            if told.status != UNAUTHORIZED:
                raise refused(told) from None
        try:
            return await self._asked(method, url, body)  # the token may have been withdrawn before its end
        except Answered as told:
            raise refused(told) from None

    async def _asked(self, method: str, url: str, body: bytes) -> bytes:
        token = await self._login.token()
        try:
            return await self._wire.ask(method, url, {**_JSON, "Authorization": f"Bearer {token}"}, body)
        except Answered as told:
            if told.status == UNAUTHORIZED:
                self._login.refused(token)
            raise

    # --- files ------------------------------------------------------------------------------------------

    async def picture(self, url: str) -> AsyncIterator[bytes]:
        """Yield a picture that lies with a Connector."""
        token = await self._login.token()
        async for piece in self._download(url, {"Authorization": f"Bearer {token}"}):
            yield piece

    async def file(self, url: str) -> AsyncIterator[bytes]:
        """Yield a file from an address that opens itself; our token is not for it."""
        async for piece in self._download(url, {}):
            yield piece

    async def _download(self, url: str, headers: dict[str, str]) -> AsyncIterator[bytes]:
        try:
            async for piece in self._wire.download(url, headers):
                yield piece
        except NotAllowed:
            raise Undeliverable(_FAR) from None
        except Answered as told:
            raise _not_there(told) from None

    async def upload(self, url: str, data: bytes) -> None:
        """Put a whole file to an upload session (OneDrive, "Upload bytes to the upload session")."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}",
        }
        try:
            await self._wire.ask("PUT", url, headers, data)
        except NotAllowed:
            raise Undeliverable(_FAR) from None
        except Answered as told:
            raise _not_there(told) from None


def _not_there(told: Answered) -> WirkenError:
    if told.status in (400, 401, 403, 404, 410):
        return Undeliverable("The file is not there any more, or not for the bot.")
    return PlatformAway(f"The place where files lie has trouble (status {told.status}).")
