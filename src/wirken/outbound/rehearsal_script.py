"""The little language of the rehearsal model (docs/rehearsal.md), parsed: one instruction per line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from wirken.domain import limits

_INSTRUCTION: Final = re.compile(r"([a-z]+):(?: (.*))?$", re.DOTALL)
_HERE: Final = re.compile(r"(.*?) ?<<([A-Za-z]+)")
_INLINE: Final = re.compile(r"(\S.*?) <<<(?: (.*))?", re.DOTALL)
_CALL: Final = re.compile(r"(\S+)(?: (.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Say:
    """Text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; `arguments` is passed on as it is, well-formed or not."""

    tool: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Silence before what follows, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Obey:
    """Do what the results of the round before say, as a model does that fell for an injection."""


@dataclass(frozen=True, slots=True)
class Fail:
    """End with an error instead of an answer."""

    reason: str


Instruction: TypeAlias = Say | Call | Wait | Obey | Fail


@dataclass(slots=True)
class Block:
    """What the model does in one round. `loop`: it never gets further."""

    instructions: list[Instruction] = field(default_factory=list)
    loop: bool = False


class NotUnderstood(ValueError):
    """A line is no instruction. `line` is its text, clipped."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.line = line[:80]


def parse(text: str) -> list[Block]:
    """Return the rounds of a script. Raises `NotUnderstood` for the first line that is none."""
    lines = text.splitlines()
    if len(lines) > limits.REHEARSAL_LINES:
        raise NotUnderstood(f"line {limits.REHEARSAL_LINES + 1} (the limit is {limits.REHEARSAL_LINES})")
    blocks = [Block()]
    rest = iter(lines)
    for line in rest:
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped == "then:":
            blocks.append(Block())
        elif stripped == "loop:":
            blocks[-1].loop = True
        else:
            blocks[-1].instructions.append(_instruction(_with_here(stripped, rest)))
    return blocks


def obeyed(result: str) -> list[Instruction]:
    """Return the instructions found in a tool's result; every other line there is just text."""
    found: list[Instruction] = []
    for line in result.splitlines()[: limits.REHEARSAL_LINES]:
        try:
            instruction = _instruction(_Line(line.strip()))
        except NotUnderstood:
            continue
        if not isinstance(instruction, Obey):
            found.append(instruction)
    return found


@dataclass(frozen=True, slots=True)
class _Line:
    """One instruction's line; `here` is the text that followed it in the here-form."""

    text: str
    here: str | None = None


def _with_here(line: str, rest: Iterator[str]) -> _Line:
    """Collect the lines up to the word that `<<WORD` at the end of a line names."""
    match = _HERE.fullmatch(line)
    if match is None or line.startswith("call:"):
        return _Line(line)
    collected: list[str] = []
    for further in rest:
        if further.strip() == match[2]:
            return _Line(match[1], "".join(text + "\n" for text in collected))
        collected.append(further)
    raise NotUnderstood(f"{line} (the closing {match[2]} is missing)")


def _instruction(line: _Line) -> Instruction:
    match = _INSTRUCTION.fullmatch(line.text)
    if match is None:
        raise NotUnderstood(line.text)
    return _call(match[1], (match[2] or "").strip(), line) or _other(match[1], (match[2] or "").strip(), line)


def _call(verb: str, value: str, line: _Line) -> Call | None:
    """Return the tool call that a line means, `None` where it means something else."""
    text = value if line.here is None else line.here
    match verb:
        case "run" if text:
            return Call("exec", _json(command=text))
        case "argv" if value:
            return Call("exec", f'{{"argv":{value}}}')
        case "read" if value:
            return Call("read_file", _json(path=value))
        case "list":
            return Call("list_files", _json(path=value) if value else "{}")
        case "write" if value:
            return _write(value, line)
        case "call" if (match := _CALL.fullmatch(value)) is not None:
            return Call(match[1], match[2] or "")
        case _:
            return None


def _write(value: str, line: _Line) -> Call:
    if line.here is not None:
        return Call("write_file", _json(path=value, content=line.here))
    match = _INLINE.fullmatch(value)
    if match is None:
        raise NotUnderstood(line.text)
    return Call("write_file", _json(path=match[1], content=match[2] or ""))


def _other(verb: str, value: str, line: _Line) -> Instruction:
    match verb:
        case "say":
            return Say(value if line.here is None else line.here.removesuffix("\n"))
        case "obey" if not value:
            return Obey()
        case "fail":
            return Fail(value)
        case "wait" if re.fullmatch(r"\d{1,2}(\.\d{1,3})?", value):
            return Wait(float(value))
        case _:
            raise NotUnderstood(line.text)


def _json(**arguments: str) -> str:
    return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
