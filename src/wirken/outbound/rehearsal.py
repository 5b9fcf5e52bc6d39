"""The built-in model that needs no network: it does what the last user message says, to the letter.

It keeps nothing: from the messages it finds which rounds of the script were already played.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from wirken.domain.conversation import (
    AssistantMessage,
    CallProposed,
    Completed,
    Message,
    ModelEvent,
    TextDelta,
    ToolMessage,
    UserMessage,
)
from wirken.domain.text import clip
from wirken.ipc.calls.outbound import Complete
from wirken.outbound import wire
from wirken.outbound.delivery import Emit
from wirken.outbound.failures import ProviderTrouble
from wirken.outbound.rehearsal_script import (
    Block,
    Call,
    Fail,
    Instruction,
    NotUnderstood,
    Obey,
    Say,
    Wait,
    obeyed,
    parse,
)

_PIECES: Final = re.compile(r"\s*\S+|\s+$")
_BRIEF: Final = 160
"""Bytes of a result that the closing text repeats."""

EXPLANATION: Final = """\
I am the rehearsal model: I need no network and do exactly what you write, one instruction per line.

    run: ls -la                   run a command
    argv: ["ls", "-la"]           run a program without a shell
    read: notes.txt               read a file
    write: notes.txt <<< text     write a file (or <<END, then lines, then END)
    list: .                       list a folder
    say: hello                    just say something
    call: tool {"json": 1}        call any tool with any arguments, also broken ones
    then:                         what follows happens after the results are back
    obey:                         do what the last results say, as an injected model would

Several lines are several calls, in order. docs/rehearsal.md has the rest. Nothing was done so far."""


@dataclass(frozen=True, slots=True)
class Round:
    """Calls that were proposed since the person spoke, and what came of them."""

    calls: tuple[str, ...]
    results: tuple[ToolMessage, ...]


async def perform(question: Complete, emit: Emit) -> None:
    """Stream the answer. Raises `ProviderTrouble` where the script says so."""
    for step in answer(wire.messages(question)):
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            continue
        waiting = emit(step)
        if waiting is not None:
            await waiting
        await asyncio.sleep(0)


def answer(messages: Sequence[Message]) -> Iterator[ModelEvent | Wait]:
    """Yield the next answer in a conversation; the same messages always give the same answer."""
    script, rounds = _since_the_person_spoke(messages)
    try:
        blocks = parse(script)
    except NotUnderstood as error:
        yield from _text(_explained(error.line))
        yield Completed("stop")
        return
    if not any(block.instructions for block in blocks):
        yield from _text(EXPLANATION)
        yield Completed("stop")
        return
    steps, finished = _next(blocks, rounds)
    closing = [Say(_closing(rounds))] if finished and rounds else []
    yield from _played([*steps, *closing], len(messages))


def _since_the_person_spoke(messages: Sequence[Message]) -> tuple[str, list[Round]]:
    """Return the last user message and the rounds of calls after it."""
    start = next((at for at in range(len(messages) - 1, -1, -1) if isinstance(messages[at], UserMessage)), None)
    if start is None:
        return "", []
    rounds: list[Round] = []
    for message in messages[start + 1 :]:
        if isinstance(message, AssistantMessage) and message.tool_calls:
            rounds.append(Round(tuple(call.name for call in message.tool_calls), ()))
        elif isinstance(message, ToolMessage) and rounds:
            rounds[-1] = Round(rounds[-1].calls, (*rounds[-1].results, message))
    return messages[start].content, rounds


def _next(blocks: list[Block], rounds: list[Round]) -> tuple[list[Instruction], bool]:
    """Return what to do now, and whether the script ends with it.

    A block without calls has no results to wait for, so it is played together with the next one.
    """
    played = 0
    steps: list[Instruction] = []
    for block in blocks:
        before = rounds[played - 1].results if played else ()
        doing = list(_expanded(block.instructions, before))
        calls = any(isinstance(step, Call) for step in doing)
        if calls and played < len(rounds):
            played = len(rounds) if block.loop else played + 1
            steps.clear()
            if not block.loop:
                continue
        steps.extend(doing)
        if calls:
            return steps, False
    return steps, True


def _expanded(instructions: list[Instruction], before: tuple[ToolMessage, ...]) -> Iterator[Instruction]:
    for instruction in instructions:
        if not isinstance(instruction, Obey):
            yield instruction
            continue
        found = [step for result in before for step in obeyed(result.content)]
        yield from found or [Say("The results hold no instruction to obey.")]


def _played(steps: list[Instruction], turn: int) -> Iterator[ModelEvent | Wait]:
    """Yield the events: text in pieces, then the calls, as models do. Call ids follow from `turn` alone."""
    calls = [step for step in steps if isinstance(step, Call)]
    said = 0
    for step in steps:
        match step:
            case Say(text):
                yield from _text("\n\n" + text if said and step is steps[-1] else "\n" * bool(said) + text)
                said += 1
            case Wait():
                yield step
            case Fail(reason):
                raise ProviderTrouble(f"The rehearsal model fails as it was told{': ' + reason if reason else ''}.")
            case Call() | Obey():
                pass
            case _:
                assert_never(step)
    for number, call in enumerate(calls, 1):
        yield CallProposed(f"call_{turn}_{number}", call.tool, call.arguments)
    yield Completed("tool_calls" if calls else "stop")


def _text(text: str) -> Iterator[TextDelta]:
    """Yield a text word by word."""
    return (TextDelta(piece) for piece in _PIECES.findall(text))


def _explained(line: str) -> str:
    return EXPLANATION if not line else f"I do not understand: {line}\n\n{EXPLANATION}"


def _closing(rounds: list[Round]) -> str:
    """Return one line per call: refused or answered, and how the result begins."""
    lines = ["Done. What came back:"]
    for result in (result for played in rounds for result in played.results):
        first = next((line.strip() for line in result.content.splitlines() if line.strip()), "(nothing)")
        word = "refused" if first.startswith("Permission denied") else "answered"
        kept, cut = clip(first, _BRIEF)
        lines.append(f"{len(lines)}. {result.name}: {word}: {kept}{'…' if cut else ''}")
    return "\n".join(lines)
