"""One turn: ask the model, carry out what it proposes, until it answers; at most `limits.TOOL_ROUNDS` rounds.

Every step is on disk before it is taken, so that a turn can be taken up from its rows alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from wirken.domain import limits
from wirken.domain.actions import ToolCall
from wirken.domain.clock import Clock
from wirken.domain.conversation import Completed
from wirken.domain.errors import Unavailable, WirkenError
from wirken.domain.events import (
    AssistantMessageFact,
    AssistantToolCalls,
    Compaction,
    Fact,
    LlmRequest,
    LlmResponse,
    Outcome,
    Trust,
    TurnEnded,
    TurnOutcome,
    TurnStarted,
)
from wirken.domain.ids import CallId
from wirken.domain.text import clean
from wirken.gateway.agent.dispatch import Dispatcher
from wirken.gateway.agent.model import Answer
from wirken.gateway.agent.results import invalid, result
from wirken.gateway.agent.seat import Seat
from wirken.gateway.approvals import SUSPEND
from wirken.gateway.log import RecordFailed
from wirken.gateway.sessions import OpenTurn, Session
from wirken.ipc.link import LinkLost
from wirken.permissions.prices import UNFINISHED, Prices
from wirken.record.conversation import sha256_hex

AskModel = Callable[[Seat, Session, bytes, bytes], Awaitable[Answer]]

_STOPPED = "Stopped before it finished; what it had done by then stays."
_NOT_RUN = "Not run: the turn ended before this call was decided."
_FAILED = "Not finished: the turn failed."
_PUSHING = f"{limits.DENIALS_PER_TURN} calls were denied in this turn, so it ended."
_NOT_TRIED = f"Not run: the turn ended after {limits.DENIALS_PER_TURN} denials."


class Suspended(Exception):
    """A turn was put aside while it waits for a person; its rows say so, and it goes on from there."""


@dataclass(frozen=True, slots=True)
class TurnRunner:
    """Runs turns. `ask` puts messages and tools (JSON) to the model and streams its text to the surfaces."""

    dispatcher: Dispatcher
    ask: AskModel
    clock: Clock
    within: Callable[[Seat], None]
    """Returns if the model may be asked now. Raises `Refused` where a budget is spent."""
    prices: Prices

    async def run(self, session: Session, seat: Seat) -> TurnEnded:
        """Start the next waiting message's turn, or go on with the open one, and bring it to its end row.

        Cancelling the task, once, ends the turn as `stopped`; a turn whose end row is on its way to disk by then
        ends as that row says. With `SUSPEND` as the message, a turn that waits for a person is left open instead.
        Raises `RecordFailed` and `Suspended` only.
        """
        try:
            await self._played(session, seat)
        except asyncio.CancelledError as stopped:
            if session.turn is None:
                await session.log.flushed()
            elif SUSPEND in stopped.args and session.turn.question is not None:
                await session.log.flushed()
                raise Suspended from None
            else:
                ended = _ended(session, "stopped", "Stopped.")
                await session.record(*leftovers(session, _STOPPED, self.prices, running="stopped"), ended)
        assert session.ended is not None
        return session.ended

    async def _played(self, session: Session, seat: Seat) -> None:
        try:
            await self._rounds(session, seat)
        except RecordFailed:
            raise
        except WirkenError as error:
            await self.fail(session, f"{error} {error.advice}".strip())

    async def fail(self, session: Session, reason: str) -> None:
        """End the open turn, or the next one before it begins; calls that had their permit have an unknown outcome."""
        begun: list[tuple[Trust, Fact]] = leftovers(session, _FAILED, self.prices, running="unknown")
        if session.turn is None:
            begun = [(Trust.GATEWAY, TurnStarted(message_seq=session.waiting[0]))]
        await session.record(*begun, _ended(session, "failed", reason))

    async def _rounds(self, session: Session, seat: Seat) -> None:
        if session.turn is None:
            session.begin((Trust.GATEWAY, TurnStarted(message_seq=session.waiting[0])))
        turn = session.turn
        assert turn is not None
        if turn.calls and not await self._carry_out(session, seat):
            return
        for number in range(turn.rounds + 1, limits.TOOL_ROUNDS + 1):
            answer, response = await self._round(session, seat, number)
            if answer.error:
                await session.record((Trust.GATEWAY, response), _ended(session, "failed", answer.error))
                return
            if not answer.calls:
                await _finish(session, answer, response)
                return
            calls = _numbered(turn, number, answer)
            said = (Trust.MODEL, AssistantToolCalls(text=answer.text, calls=calls))
            await session.record((Trust.GATEWAY, response), said)
            if not await self._carry_out(session, seat):
                return
        reason = f"The model asked for tools in {limits.TOOL_ROUNDS} rounds without an answer."
        await session.record(_ended(session, "failed", reason))

    async def _carry_out(self, session: Session, seat: Seat) -> bool:
        """Carry out the round's calls that have no result yet, in order; False where that ended the turn."""
        turn = session.turn
        assert turn is not None
        for index, call in enumerate(turn.proposed):
            if call.id not in turn.calls:
                continue
            if index < limits.TOOL_CALLS:
                await self.dispatcher.dispatch(session, seat, call)
            else:
                await session.record((Trust.GATEWAY, invalid(call, "Too many calls in one round; not run.")))
            if turn.denials >= limits.DENIALS_PER_TURN:
                rest = leftovers(session, _NOT_TRIED, self.prices, running="unknown")
                await session.record(*rest, _ended(session, "failed", _PUSHING))
                return False
        return True

    async def _round(self, session: Session, seat: Seat, number: int) -> tuple[Answer, LlmResponse]:
        """Ask once, and again when the outbound process was lost before the answer was complete."""
        for attempt in range(1, limits.MODEL_TRIES + 1):
            self.within(seat)
            _compact(session, seat)
            messages, tools = session.conversation.messages_json(), session.conversation.tools_json()
            await session.record((Trust.GATEWAY, _request(session, seat, number, messages, tools)))
            started = self.clock.monotonic()
            try:
                answer = await self.ask(seat, session, messages, tools)
            except LinkLost as error:
                lost = Answer(error=str(error))
                await session.record((Trust.GATEWAY, self._response(seat, number, lost, started)))
                if attempt == limits.MODEL_TRIES:
                    raise Unavailable("The model could not be asked: the outbound process keeps failing.") from None
                continue
            return answer, self._response(seat, number, answer, started)
        raise AssertionError("the loop returns or raises")

    def _response(self, seat: Seat, number: int, answer: Answer, started: float) -> LlmResponse:
        cost = self.prices.cost(seat.provider, seat.model, answer.completed, failed=bool(answer.error))
        return _response(number, answer, self.clock.monotonic() - started, cost)


def leftovers(session: Session, said: str, prices: Prices, *, running: Outcome) -> list[tuple[Trust, Fact]]:
    """Return the rows that close what an open turn had begun: its request, and each call without a result.

    `running` is the outcome of calls that had their permit; the others never started: `stopped`.
    """
    turn = session.turn
    if turn is None:
        return []
    facts: list[tuple[Trust, Fact]] = []
    if turn.asking is not None:
        answer = Answer(completed=Completed(UNFINISHED), error=said)
        cost = prices.cost(turn.asking.provider, turn.asking.model, answer.completed, failed=True)
        facts.append((Trust.GATEWAY, _response(turn.rounds, answer, 0, cost)))
    for call in turn.calls.values():
        if call.id in turn.permitted:
            facts.append((Trust.GATEWAY, result(call, running, said)))
        else:
            facts.append((Trust.GATEWAY, result(call, "stopped", _NOT_RUN)))
    return facts


async def _finish(session: Session, answer: Answer, response: LlmResponse) -> None:
    if not answer.text.strip():
        ended = _ended(session, "failed", "The model gave an empty answer.")
        await session.record((Trust.GATEWAY, response), ended)
        return
    said = (Trust.MODEL, AssistantMessageFact(text=answer.text))
    await session.record((Trust.GATEWAY, response), said, _ended(session, "finished", ""))


def _compact(session: Session, seat: Seat) -> None:
    """Leave out the oldest exchanges where the conversation would not fit the model's window."""
    cut = session.conversation.oldest_kept_within(seat.context)
    if cut is not None:
        before = session.conversation.count
        kept = session.conversation.count_from(cut)
        session.begin((Trust.GATEWAY, Compaction(first_seq=cut, left_out=before - kept)))


def _request(session: Session, seat: Seat, number: int, messages: bytes, tools: bytes) -> LlmRequest:
    return LlmRequest(
        round=number,
        provider=seat.provider,
        model=seat.model,
        messages=session.conversation.count,
        messages_sha256=sha256_hex(messages),
        tools_sha256=sha256_hex(tools),
    )


def _response(number: int, answer: Answer, seconds: float, cost: int) -> LlmResponse:
    return LlmResponse(
        round=number,
        stop_reason=clean(answer.completed.stop_reason)[:64],
        input_tokens=answer.completed.input_tokens,
        output_tokens=answer.completed.output_tokens,
        latency_ms=int(seconds * 1000),
        error=answer.error,
        cached_tokens=answer.completed.cached_tokens,
        cost=cost,
    )


def _numbered(turn: OpenTurn, number: int, answer: Answer) -> tuple[ToolCall, ...]:
    """Give each call an id of ours: providers repeat theirs, or give none."""
    return tuple(
        ToolCall(CallId(f"t{turn.message_seq}r{number}c{index}"), clean(call.name)[:128], clean(call.arguments))
        for index, call in enumerate(answer.calls)
    )


def _ended(session: Session, outcome: TurnOutcome, reason: str) -> tuple[Trust, Fact]:
    rounds = 0 if session.turn is None else session.turn.rounds
    return Trust.GATEWAY, TurnEnded(outcome=outcome, reason=reason, rounds=rounds)
