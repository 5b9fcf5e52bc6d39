"""Questions to people: shown where they are put, once by this process; answers carried to the gateway, which judges.

A button carries an id and nothing else. The lease, which says what was shown, stays here.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Generic, TypeVar

from wirken.channels.attempts import Attempts
from wirken.channels.contract import CHOICES, Choice, GatewayAway, Platform, Press, Question, Undeliverable
from wirken.channels.gateway_link import GatewayLink
from wirken.channels.jobs import Jobs
from wirken.channels.keys import short_key
from wirken.channels.lanes import Lanes
from wirken.channels.questions import COUNTS, asked, settled, too_long
from wirken.channels.render.pieces import Piece
from wirken.channels.writing import Writing
from wirken.domain import adapter_limits as limits
from wirken.domain.errors import WirkenError
from wirken.domain.ids import BadIdentifier, ChannelId, conversation_id
from wirken.domain.limits import APPROVAL_ID, PLATFORM_ID, SENDER_ID
from wirken.domain.platforms import P, SessionHandle
from wirken.domain.text import clean, clip
from wirken.ipc.calls.operator import Acknowledged, AnswerApproval, AnswerAs, ApprovalRow
from wirken.ipc.link import LinkLost

T = TypeVar("T")
_log: Final = logging.getLogger("wirken.channels")
_AWAY: Final = "Wirken is restarting. Press again in a moment."


@dataclass(slots=True)
class _Put(Generic[P]):
    """A question that is put to a conversation here. `messages`: those that carry its buttons."""

    row: ApprovalRow
    handle: SessionHandle[P]
    messages: list[str] = field(default_factory=list)
    decision: str = ""
    by: str = ""

    def is_settled(self) -> bool:
        return bool(self.decision)


class Approvals(Generic[P]):
    """The questions of one platform's conversations."""

    def __init__(
        self,
        channel: ChannelId,
        platform: Platform[P],
        gateway: GatewayLink,
        attempts: Attempts,
        lanes: Lanes,
        writing: Writing,
    ) -> None:
        self._channel, self._platform, self._gateway = channel, platform, gateway
        self._attempts, self._lanes, self._writing = attempts, lanes, writing
        self._put: OrderedDict[str, _Put[P]] = OrderedDict()
        self._jobs = Jobs(2 * limits.QUESTIONS)  # each may be asked and settled at once

    # --- from the gateway -----------------------------------------------------------------------------

    def asked(self, row: ApprovalRow) -> None:
        """Show a question that is put to a conversation of this channel, unless this process has."""
        channel, _, conversation = row.put_to.partition("/")
        if channel != self._channel or row.approval in self._put:
            return
        try:
            put = _Put[P](row, SessionHandle(conversation_id(conversation)))
        except BadIdentifier:
            _log.warning("a question is put to a conversation that cannot be")
            return
        self._put[row.approval] = put
        if len(self._put) > limits.QUESTIONS:
            self._put.popitem(last=False)
        if self._jobs.start(self._ask(put)) is None:
            del self._put[row.approval]  # the gateway puts it again when we connect again
            _log.warning("a question is not shown: too many are on their way")

    def settled(self, approval: str, decision: str, by: str = "") -> None:
        """Say what became of a question, also of one that is being shown just now."""
        put = self._put.get(approval)
        if put is None or put.is_settled():
            return
        put.decision, put.by = decision, by
        for message_id in put.messages:
            self._jobs.start(self._rewrite(put, message_id))

    # --- from the platform ----------------------------------------------------------------------------

    async def pressed(self, press: Press[P]) -> str:
        """Return what the gateway says to an answer: that it counts, or why not."""
        put = self._put.get(press.approval)
        given = AnswerApproval(
            approval=clip(clean(press.approval), APPROVAL_ID)[0],
            lease="" if put is None else put.row.lease,
            choice=press.choice,
        )
        if put is not None:
            self._also_shown(put, press.message_id)
        answer = AnswerAs(given, clip(clean(press.sender), SENDER_ID + 1)[0], press.conversation.conversation)
        try:
            call = self._gateway.now().call(answer, Acknowledged)
            said = await self._attempts.timing.within(limits.PRESS_TIME, call)
        except (GatewayAway, LinkLost, TimeoutError):
            return _AWAY
        except WirkenError as error:
            return f"{error} {error.advice}".strip()
        return said.said or COUNTS[press.choice]

    async def end(self) -> None:
        await self._jobs.end()

    def _also_shown(self, put: _Put[P], message_id: str) -> None:
        """A process before this one may have shown the question, too: its message is rewritten as well."""
        known = len(put.messages) >= limits.QUESTION_MESSAGES or message_id in put.messages
        if not message_id or len(message_id) > PLATFORM_ID or known:
            return
        put.messages.append(message_id)
        if put.is_settled():
            self._jobs.start(self._rewrite(put, message_id))

    # --- on the platform ------------------------------------------------------------------------------

    async def _ask(self, put: _Put[P]) -> None:
        async with self._lanes.of(put.handle.conversation):
            if put.is_settled():
                return
            question, before = await self._question(put.row)
            try:
                for part, piece in enumerate(before):
                    key = short_key(f"before:{put.row.approval}", part)
                    await self._until_done(put, partial(self._platform.send, put.handle, piece, key))
                key = short_key(f"ask:{put.row.approval}")
                message_id = await self._until_done(put, lambda: self._platform.ask(put.handle, question, key))
            except Undeliverable as error:
                _log.warning("a question could not be shown: %s", error)
                return
        if message_id not in put.messages:
            put.messages.append(message_id)
        if put.is_settled():
            await self._rewrite(put, message_id)

    async def _question(self, row: ApprovalRow) -> tuple[Question, tuple[Piece, ...]]:
        now, buttons = self._attempts.timing.clock.now(), self._platform.traits.buttons
        choices: tuple[Choice, ...] = tuple(choice for choice in row.choices if choice in CHOICES)
        pieces = await self._writing.plain(asked(row, now, buttons=buttons))
        if len(pieces) > limits.QUESTION_PIECES:
            pieces, choices = await self._writing.plain(too_long(row)), ("deny",)
        return Question(row.approval, pieces[-1:], choices), pieces[:-1]

    async def _rewrite(self, put: _Put[P], message_id: str) -> None:
        pieces = await self._writing.plain(settled(put.row, put.decision, put.by))
        async with self._lanes.of(put.handle.conversation):
            try:
                await self._until_done(put, lambda: self._platform.edit(put.handle, message_id, pieces[0]))
            except Undeliverable:
                return  # its message is gone, and so are its buttons

    async def _until_done(self, put: _Put[P], act: Callable[[], Coroutine[object, object, T]]) -> T:
        return await self._attempts.until_done(put.handle.conversation, act)
