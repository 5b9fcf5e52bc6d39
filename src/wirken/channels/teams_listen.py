"""Teams' way in: who calls is checked, then what they say is read and handed over, then the call is answered."""

from __future__ import annotations

import asyncio
from typing import Final

from wirken.channels.contract import GatewayAway, House, Received
from wirken.channels.jobs import Jobs
from wirken.channels.teams_cards import plain, told
from wirken.channels.teams_connector import Connector
from wirken.channels.teams_convert import Handle, handle, pressed, presses, received, tenants
from wirken.channels.teams_files import Offers
from wirken.channels.teams_trust import CHANNEL, Caller, Trust, Untrusted
from wirken.channels.teams_types import Activity, Consent, Nonsense, read
from wirken.channels.webhook import Answer, Head, Take
from wirken.domain import channel_limits as limits
from wirken.domain.errors import WirkenError
from wirken.domain.platforms import Teams

_PATH: Final = "/api/messages"
_CONSENT: Final = "fileConsent/invoke"
_OK: Final = Answer(200)
_NOT_OURS: Final = "This button means nothing any more."
_NOT_NOW: Final = "Wirken is not ready. Please press again in a moment."


class Listening:
    """One connected time. `hook` is given to the server."""

    def __init__(
        self, house: House[Teams], trust: Trust, connector: Connector, offers: Offers, tenant: str, prefix: str
    ) -> None:
        self._house, self._trust, self._connector, self._offers = house, trust, connector, offers
        self._tenant, self._prefix = tenant.casefold(), prefix
        self._jobs = Jobs(limits.TEAMS_UNDER_WAY)

    async def stop(self) -> None:
        """Cancel what is under way, and return when it has ended."""
        await self._jobs.end()

    async def hook(self, head: Head) -> Answer | Take:
        """Judge a call by its head alone."""
        if head.target.partition("?")[0] != _PATH:
            return Answer(404)
        if head.method != "POST":
            return Answer(405)
        try:
            caller = await self._trust.caller(head.headers.get("authorization", ""))
        except Untrusted as no:
            return Answer(no.status)
        if head.headers.get("content-type", "").partition(";")[0].strip().casefold() != "application/json":
            return Answer(415)
        return lambda body: self._take(caller, body)

    async def _take(self, caller: Caller, body: bytes) -> Answer:
        try:
            activity = read(body, Activity)
        except Nonsense:
            return Answer(400)
        if activity.channel != CHANNEL or activity.service != caller.service:
            return Answer(403)
        if tenants(activity) != {self._tenant}:
            return Answer(403)
        here = handle(activity)
        if here is not None:
            self._connector.met(here, activity.conversation.id, caller.service)
        if activity.type == "invoke":
            return await self._invoked(activity, here)
        if (press := pressed(activity)) is not None:
            begun = self._jobs.start(self._submitted(activity, press.conversation))
            return _OK if begun is not None else Answer(503)
        said = received(activity, self._prefix)
        return _OK if said is None else await self._said(said)

    # --- messages ---------------------------------------------------------------------------------------

    async def _said(self, said: Received[Teams]) -> Answer:
        """Answer 200 once the message is on disk, and 503 if that takes too long: then it is on its way all the same.

        The Connector gives up after 15 seconds and calls again a few times at most, so nothing is left to it alone.
        """
        if (task := self._jobs.start(self._hand_over(said))) is None:
            return Answer(503)
        done, _ = await asyncio.wait({task}, timeout=limits.TEAMS_ANSWER_BY)
        return _OK if done and not task.cancelled() and task.exception() is None else Answer(503)

    async def _hand_over(self, said: Received[Teams]) -> None:
        while True:
            try:
                await self._house.message(said)
            except GatewayAway:
                await asyncio.sleep(limits.TEAMS_AGAIN)
            else:
                return

    # --- buttons and files ------------------------------------------------------------------------------

    async def _invoked(self, activity: Activity, here: Handle | None) -> Answer:
        if presses(activity):
            return Answer(200, told(await self._answered(activity)))
        if activity.name != _CONSENT:
            return Answer(501)
        try:
            said = read(activity.value, Consent)
        except Nonsense:
            return Answer(400)
        if here is not None:
            self._jobs.start(self._offers.answered(here, said, activity.reply_to or ""))
        return _OK

    async def _answered(self, activity: Activity) -> str:
        press = pressed(activity)
        try:
            async with asyncio.timeout(limits.TEAMS_ANSWER_BY):
                return _NOT_OURS if press is None else await self._house.pressed(press)
        except (GatewayAway, TimeoutError):
            return _NOT_NOW

    async def _submitted(self, activity: Activity, here: Handle) -> None:
        """A client that knows no `Action.Execute` sent a message; nothing but a message can tell it something."""
        text = await self._answered(activity)
        try:
            await self._connector.post(here, plain(text))
        except WirkenError:
            return  # the message with the buttons itself says what was decided
