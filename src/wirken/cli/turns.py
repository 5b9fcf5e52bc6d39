"""One turn as a terminal sees it: send the message, show what comes, answer approvals, return what it came to."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from wirken.cli import approving
from wirken.cli.gateway import Gateway
from wirken.cli.output import Output, Styled
from wirken.cli.rows import headline
from wirken.domain.clock import Clock
from wirken.domain.errors import ProtocolError, Refused, WirkenError
from wirken.domain.events import AssistantMessageFact, LlmRequest, ToolResultFact
from wirken.domain.ids import OWNER
from wirken.ipc.calls.operator import Acknowledged, AnswerApproval, ApprovalRow, StopTurn
from wirken.ipc.frames import Accepted, Asked, Delta, Inbound, Over, Rejected, Row, Said, Settled
from wirken.ipc.link import unpack
from wirken.record.canonical import Unreadable, decode

Answer: TypeAlias = Callable[[ApprovalRow], Awaitable[AnswerApproval]]


class TurnSummary(msgspec.Struct):
    """What a turn came to: the JSON of `wirken ask --json`."""

    session: str = ""
    outcome: str = ""
    reason: str = ""
    text: str = ""
    tool_results: list[ToolResultFact] = []


@dataclass(slots=True)
class TurnView:
    """Shows turns of one connection. `answer` asks the person; it is None where nobody can be asked."""

    gateway: Gateway
    out: Output
    clock: Clock
    answer: Answer | None
    _streamed: bool = False
    """The cursor stands behind streamed text."""
    _said: bool = False
    """This round's text was streamed already."""
    _asking: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _given: set[str] = field(default_factory=set)
    """Questions that were answered here."""
    _watched: set[str] = field(default_factory=set)
    """Questions that are shown here, and that somebody else has to answer."""

    async def turn(self, message: Inbound) -> TurnSummary:
        """Send a message and follow its turn to the end. Raises `Refused` where it was not taken."""
        summary = TurnSummary()
        self.gateway.link.send(message)
        try:
            while True:
                frame = await self.gateway.frame()
                match frame:
                    case Accepted(session=session):
                        summary.session = session
                    case Rejected(reason=reason, hint=hint):
                        raise Refused(reason, hint=hint)
                    case Said(platform_id=platform_id, text=text) if platform_id == message.platform_id:
                        summary.outcome, summary.text = "finished", text
                        self.out.stream(f"{text}\n")
                        return summary
                    case Over(platform_id=platform_id) if platform_id == message.platform_id:
                        summary.outcome, summary.reason = frame.outcome, frame.reason
                        self._end_of_text()
                        return summary
                    case _:
                        self._take(frame, summary)
        except asyncio.CancelledError:
            await self._stop(summary, message.platform_id)
            raise
        finally:
            for task in self._asking.values():
                task.cancel()

    def _take(self, frame: object, summary: TurnSummary) -> None:
        match frame:
            case Delta(text=text):
                self.out.stream(text)
                self._streamed = self._said = True
            case Row(payload=payload):
                self._row(payload, summary)
            case Asked(approval=packed):
                self._ask(unpack(packed, ApprovalRow))
            case Settled(approval=approval, decision=decision):
                self._settled(approval, decision)
            case Over():
                pass
            case _:
                raise ProtocolError("The gateway sent something that is not for a terminal.")

    def _row(self, payload: bytes, summary: TurnSummary) -> None:
        try:
            row = decode(payload)
        except Unreadable:
            return
        match row.fact:
            case AssistantMessageFact(text=text):
                if not self._said:
                    self.out.stream(text)
                    self._streamed = True
                summary.text = text
            case LlmRequest():
                self._end_of_text()
                self._said = False
            case ToolResultFact():
                summary.tool_results.append(row.fact)
        said = headline(row.fact)
        if said:
            self._end_of_text()
            self.out.note(Styled(f"  {said}", "dim"))

    def _end_of_text(self) -> None:
        if self._streamed:
            self.out.stream("\n")
            self._streamed = False

    def _ask(self, row: ApprovalRow) -> None:
        self._end_of_text()
        if self.answer is None or row.approval in self._asking or row.approval in self._watched:
            return
        for line in approving.described(row, self.clock.now()):
            self.out.note(line)
        if row.four_eyes and row.principal == OWNER:
            self._watched.add(row.approval)
            for said in approving.elsewhere(row):
                self.out.note(said)
            return
        self._asking[row.approval] = asyncio.get_running_loop().create_task(self._pass_on(row, self.answer))

    async def _pass_on(self, row: ApprovalRow, answer: Answer) -> None:
        given = await answer(row)
        self._given.add(row.approval)
        try:
            await self.gateway.link.call(given, Acknowledged)
        except WirkenError as error:
            self.out.note(f"  {error}")

    def _settled(self, approval: str, decision: str) -> None:
        """Take a question away that was not answered here, so that the next line typed is not for it."""
        task = self._asking.get(approval)
        if approval in self._watched:
            self._watched.discard(approval)
            self._end_of_text()
        elif task is None or approval in self._given:
            return
        else:
            task.cancel()
            self.out.note("")  # the outcome gets a line of its own, behind the one that asks
        match decision:
            case "lapsed":
                self.out.note("  Nobody answered in time: refused.")
            case "withdrawn":
                self.out.note("  Withdrawn: the turn was stopped.")
            case _:
                self.out.note(f"  Answered elsewhere: {decision}.")

    async def _stop(self, summary: TurnSummary, platform_id: str) -> None:
        """Ctrl+C: end the turn and wait for its end row, briefly."""
        if not summary.session:
            return
        with contextlib.suppress(TimeoutError, WirkenError):
            async with asyncio.timeout(2):
                await self.gateway.link.call(StopTurn(summary.session), Acknowledged)
                while True:
                    frame = await self.gateway.frame()
                    if isinstance(frame, Over) and frame.platform_id == platform_id:
                        return


def message_id() -> str:
    """Return an id for a message typed here."""
    return f"t-{secrets.token_hex(12)}"
