"""What the gateway says and asks, handed to the part that it is for."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final, Generic

import msgspec

from wirken.channels.approvals import Approvals
from wirken.channels.gateway_link import GatewayLink
from wirken.channels.inbound import Inbounds
from wirken.channels.outbound import Outbound
from wirken.channels.states import States
from wirken.channels.streaming import Streams
from wirken.channels.underway import UnderWay
from wirken.domain.errors import ProtocolError, Refused
from wirken.domain.ids import BadIdentifier, ConversationId, parse_session
from wirken.domain.platforms import P, SessionHandle
from wirken.ipc.calls.channels import AdapterQuestion, Delivered
from wirken.ipc.calls.operator import ApprovalRow
from wirken.ipc.files import Files
from wirken.ipc.frames import Accepted, Asked, Conversing, Delta, Inbound, Over, Rejected, Row, Said, Settled
from wirken.ipc.link import Emit, Link, unpack

_log: Final = logging.getLogger("wirken.channels")
_question: Final = msgspec.msgpack.Decoder(AdapterQuestion)


@dataclass(frozen=True, slots=True)
class Reception(Generic[P]):
    """The `Receiver` behind an adapter's link."""

    gateway: GatewayLink
    states: States
    inbounds: Inbounds[P]
    outbound: Outbound[P]
    streams: Streams[P]
    approvals: Approvals[P]
    underway: UnderWay[P]

    async def answer(self, link: Link, question: bytes, emit: Emit) -> Delivered:
        """Deliver what the gateway has. Raises `Refused` for any other question."""
        return await self.outbound.deliver(_asked(question))

    async def answer_with(self, link: Link, question: bytes, files: Files, emit: Emit) -> Delivered:
        """Deliver a file."""
        if len(files) != 1:
            raise Refused("An adapter takes one file at a time.")
        return await self.outbound.deliver(_asked(question), files.handles[0])

    def received_with(self, link: Link, frame: Conversing, files: Files) -> None:
        raise ProtocolError("The gateway sends no files with that.")

    def received(self, link: Link, frame: Conversing) -> None:
        match frame:
            case Accepted() | Rejected() | Said():
                self.inbounds.outcome(frame)
            case Asked(approval=body):
                self.approvals.asked(unpack(body, ApprovalRow))
            case Settled():
                self.approvals.settled(frame.approval, frame.decision, frame.by)
            case Delta() | Row() | Over():
                self._of_a_turn(frame)
            case Inbound():
                raise ProtocolError("The gateway sends no messages of people.")

    def lost(self, link: Link) -> None:
        if self.gateway.lost(link):
            self.inbounds.gateway_lost()
            self.streams.gateway_lost()

    def _of_a_turn(self, frame: Delta | Row | Over) -> None:
        conversation = _conversation(frame.session)
        if conversation is None:
            return
        self.underway.alive(conversation)
        match frame:
            case Delta(text=text):
                self.streams.delta(SessionHandle(conversation), text)
            case Row():
                self.streams.boundary(conversation)
            case Over(platform_id=platform_id, outcome=outcome):
                self.streams.over(conversation, platform_id, outcome)
                self.underway.over(conversation, platform_id)


def _asked(question: bytes) -> AdapterQuestion:
    try:
        return _question.decode(question)
    except (msgspec.DecodeError, RecursionError):
        raise Refused("An adapter is not asked that.") from None


def _conversation(session: str) -> ConversationId | None:
    """Return the conversation of a session of ours; a sub-agent's has none, nobody sees it."""
    try:
        return parse_session(session)[2]
    except BadIdentifier:
        return None
