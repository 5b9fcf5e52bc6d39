"""What stands behind outbound's link: its questions about connections, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from wirken.domain.errors import ProtocolError, Refused
from wirken.gateway.agent.model import OUTBOUND
from wirken.gateway.egress.calls import CallEgress
from wirken.gateway.egress.roles import RoleEgress
from wirken.gateway.router import RUNNER
from wirken.gateway.wings import Wings
from wirken.ipc.calls.egress import EgressQuestion, EndedEgress, JudgeEgress, ReachEgress
from wirken.ipc.frames import Conversing
from wirken.ipc.link import Emit, Link

_questions: Final[msgspec.msgpack.Decoder[EgressQuestion]] = msgspec.msgpack.Decoder(EgressQuestion)


@dataclass(slots=True)
class OutboundPeer:
    """The connections of the runner, and of tools that work in outbound, are their calls'; a role's are its own."""

    wings: Wings
    calls: CallEgress
    roles: RoleEgress

    async def answer(self, link: Link, question: bytes, emit: Emit) -> msgspec.Struct:
        try:
            asked = _questions.decode(question)
        except (msgspec.DecodeError, RecursionError):
            raise Refused("Outbound may not ask that, only about connections.") from None
        match asked:
            case JudgeEgress(role=role):
                return await (self.calls if role in (RUNNER, OUTBOUND) else self.roles).judge(asked)
            case ReachEgress(ticket=ticket):
                return await (self.calls if ticket in self.calls else self.roles).reach(asked)
            case EndedEgress(ticket=ticket):
                return await (self.calls if ticket in self.calls else self.roles).ended(asked)

    def received(self, link: Link, frame: Conversing) -> None:
        raise ProtocolError("Outbound may not converse.")

    def lost(self, link: Link) -> None:
        self.wings.left(link)
        self.roles.lost()
