"""WhatsApp's way in: calls of its webhook, proven before they are read, answered once the gateway has what they say."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qs, urlsplit

from wirken.channels.contract import GatewayAway, House, Press
from wirken.channels.questions import COUNTS
from wirken.channels.recent import Recent
from wirken.channels.webhook import Answer, Head, Take
from wirken.channels.whatsapp_convert import press, received
from wirken.channels.whatsapp_fates import Fates
from wirken.channels.whatsapp_types import Message, Nonsense, call
from wirken.domain import channel_limits as limits
from wirken.domain.platforms import WhatsApp
from wirken.domain.secret import Secret

_log: Final = logging.getLogger("wirken.channels")
_SIGNATURE: Final = re.compile(r"sha256=([0-9a-f]{64})")
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_NOT_NOW: Final = "Wirken is not ready. Please answer again in a moment."

Tell = Callable[[Press[WhatsApp], str, str], Awaitable[None]]
"""Tells a person what became of an answer: what was pressed, the id of the pressing, and the words."""


class Hook:
    """The calls for one number. `last` learns each conversation's newest message."""

    def __init__(
        self,
        phone_id: str,
        secrets: tuple[Secret, Secret],
        house: House[WhatsApp],
        fates: Fates,
        last: Recent[str, str],
        tell: Tell,
    ) -> None:
        self._phone_id, self._house, self._fates = phone_id, house, fates
        self._app_secret, self._verify_token = secrets
        self._last, self._tell = last, tell
        self._pressed = Recent[str, bool](limits.WHATSAPP_REMEMBERED)

    async def __call__(self, head: Head) -> Answer | Take:
        match head.method:
            case "GET":
                return self._verified(head.target)
            case "POST":
                found = _SIGNATURE.fullmatch(head.headers.get("x-hub-signature-256", ""))
                if found is None:
                    return Answer(401)
                claimed = bytes.fromhex(found[1])
                return lambda body: self._take(claimed, body)
            case _:
                return Answer(405)

    def _verified(self, target: str) -> Answer:
        """Answer who sets up the webhook: the challenge, if the verify token is ours ("Verification requests")."""
        try:
            asked = parse_qs(urlsplit(target).query, max_num_fields=8, errors="replace")
        except ValueError:
            return Answer(400)
        mode, token, challenge = (asked.get(f"hub.{name}", [""])[0] for name in ("mode", "verify_token", "challenge"))
        if mode != "subscribe" or not self._verify_token.matches(Secret(token.encode("utf-8", "replace"))):
            return Answer(403)
        if _CHALLENGE.fullmatch(challenge) is None:
            return Answer(400)
        return Answer(200, challenge.encode(), "text/plain")

    async def _take(self, claimed: bytes, body: bytes) -> Answer:
        digest = hmac.digest(self._app_secret.reveal(), body, hashlib.sha256)
        if not hmac.compare_digest(digest, claimed):
            _log.warning("a call of the webhook was refused: the app secret did not sign it")
            return Answer(401)
        try:
            said = call(body, self._phone_id)
        except Nonsense:
            return Answer(400)
        if said.unread:
            _log.warning("%d parts of a call of the webhook have a form that nobody knows", said.unread)
        for status in said.statuses:
            self._fates.told(status)
        return Answer(200 if await self._handed_over(said.messages) else 503)

    async def _handed_over(self, messages: list[tuple[Message, str]]) -> bool:
        """Return whether the gateway has them all. What it has not by then comes again, and joins what is under way."""
        handing = asyncio.gather(*(self._message(*message) for message in messages), return_exceptions=True)
        try:
            async with asyncio.timeout(limits.WHATSAPP_ANSWER_BY):
                ends = await handing
        except TimeoutError:
            return False
        for end in ends:
            if end is not None and not isinstance(end, GatewayAway):
                raise end
        return not any(ends)

    async def _message(self, message: Message, name: str) -> None:
        if (pressed := press(message)) is not None:
            self._last.put(pressed.conversation.conversation, message.id)
            await self._press(pressed, message.id)
        elif (said := received(message, name)) is not None:
            self._last.put(said.conversation.conversation, said.platform_id)
            await self._house.message(said)

    async def _press(self, pressed: Press[WhatsApp], platform_id: str) -> None:
        """Hand an answer over, once however often it comes. That it counts is said by the question's own end."""
        if self._pressed.get(platform_id, False):
            return
        self._pressed.put(platform_id, True)
        try:
            told = await self._house.pressed(pressed)
        except GatewayAway:
            told = _NOT_NOW
        if told not in COUNTS.values():
            await self._tell(pressed, platform_id, told)
