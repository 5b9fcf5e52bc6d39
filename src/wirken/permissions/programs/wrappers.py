"""What programs that run other programs would run: their words are opened, one level at a time.

`open_up` answers for every verb of the tables here; what it finds is judged like any other command, and may be
opened again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from wirken.permissions.programs import find, options, shells, wrapper_tables
from wirken.permissions.programs.opening import NOTHING, Opened, Wrapper, doubtful
from wirken.permissions.programs.wrapper_tables import WRAPPERS
from wirken.permissions.rules import SHELLS
from wirken.permissions.shell.words import SOMETHING, UNKNOWN, Assigned, Word, Words

Opener: TypeAlias = Callable[[Words], Opened]

_ASSIGNS: Final = re.compile(r"([^=\0]+)=(.*)", re.DOTALL)
_SPLIT_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,= -]*")


def open_up(name: str, words: Words) -> Opened | None:
    """Return what a command whose verb is `name` runs; None where it is no wrapper. `words[0]` is the verb."""
    if name in WRAPPERS:
        return _prefixed(name, words, WRAPPERS[name])
    if name in SHELLS:
        return shells.shell(words)
    opener = OPENERS.get(name)
    return None if opener is None else opener(words)


def _prefixed(name: str, words: Words, wrapper: Wrapper) -> Opened:
    parsed = options.parse(words[1:], wrapper.known)
    rest = parsed.rest
    doubts = [parsed.doubt] if parsed.doubt else []
    if name == "env":
        rest = _env(parsed, doubts)
    for operand in rest[: wrapper.operands]:
        if operand.may_be_option or operand.several:
            doubts.append("A word before a command is not certain.")
    rest, assigned = _assignments(rest[wrapper.operands :]) if wrapper.assigns else (rest[wrapper.operands :], ())
    if wrapper.elsewhere:
        doubts.append(f"`{name}` may show its command another root, where other programs lie.")
    asks_shell = name in ("sudo", "doas") and parsed.given.keys() & {"s", "i", "e", "shell", "login", "edit"}
    if asks_shell or (wrapper.alone == "shell" and not rest):
        doubts.append(f"`{name}` starts a shell or an editor.")
    return Opened((rest,) if rest else (), (), assigned, tuple(doubts))


def _env(parsed: options.Parsed, doubts: list[str]) -> Words:
    """env takes a lone `-` for `-i`, and `-S` splits one word into several, in front of all that follow."""
    text = parsed.given.get("S") or parsed.given.get("split-string")
    if {"C", "chdir"} & parsed.given.keys():
        doubts.append("`env` changes the folder in which paths are looked up.")
    if text is None:
        return parsed.rest[1:] if parsed.rest and parsed.rest[0].text == "-" else parsed.rest
    if not _SPLIT_PLAIN.fullmatch(text.text):
        doubts.append("`env` splits a text that is not plain.")
    inner = options.parse((*map(Word, text.text.split()), *parsed.rest), WRAPPERS["env"].known)
    doubts += [inner.doubt] if inner.doubt else []
    if inner.given.keys() & {"S", "split-string"}:
        doubts.append("`env` splits a text twice.")
    return _env(replace(inner, given={}), doubts)


def _assignments(words: Words) -> tuple[Words, tuple[Assigned, ...]]:
    assigned: list[Assigned] = []
    for at, word in enumerate(words):
        found = None if word.several else _ASSIGNS.fullmatch(word.text)
        if found is None:
            return words[at:], tuple(assigned)
        assigned.append(Assigned(found[1], Word(found[2])))
    return (), tuple(assigned)


# --- those whose command does not simply follow their options -----------------------------------------


def _exec(words: Words) -> Opened:
    parsed = options.parse(words[1:], options.Known("cl", "a"))
    inner = (parsed.rest,) if parsed.rest else ()
    return Opened(inner, doubts=(shells.DIFFERENTLY,) if shells.begins_with_option(words) else ())


def _watch(words: Words) -> Opened:
    parsed = options.parse(words[1:], wrapper_tables.WATCH)
    if parsed.doubt:
        return Opened((parsed.rest,) if parsed.rest else (), doubts=(parsed.doubt,))
    if parsed.given.keys() & {"x", "exec"}:
        return Opened((parsed.rest,) if parsed.rest else ())
    return shells.text(parsed.rest)


def _flock(words: Words) -> Opened:
    parsed = options.parse(words[1:], wrapper_tables.FLOCK)
    doubts: tuple[str, ...] = (parsed.doubt,) if parsed.doubt else ()
    rest = parsed.rest[1:]
    if any(word.may_be_option for word in parsed.rest[:1]):
        doubts += ("A word before a command is not certain.",)
    if rest and rest[0].text in ("-c", "--command"):
        return shells.text(rest[1:2]).with_doubts(doubts)
    return Opened((rest,) if rest else (), doubts=doubts)


def _command(words: Words) -> Opened:
    parsed = options.parse(words[1:], options.Known("pvV"))
    if parsed.given.keys() & {"v", "V"} and not parsed.doubt:
        return NOTHING
    return Opened((parsed.rest,) if parsed.rest else (), doubts=(parsed.doubt,) if parsed.doubt else ())


def _coproc(words: Words) -> Opened:
    inner = (words[1:],) if len(words) > 1 else ()
    return Opened(inner, doubts=("`coproc` runs its command where bash reads the text, and only there.",))


def _busybox(words: Words) -> Opened:
    if len(words) < 2 or words[1].text in ("--list", "--list-full", "--help"):
        return NOTHING
    return Opened((words[1:],))


def _xargs(words: Words) -> Opened:
    """What is read is appended as any number of words, or takes the place of a mark."""
    parsed = options.parse(words[1:], wrapper_tables.XARGS)
    doubts: tuple[str, ...] = (parsed.doubt,) if parsed.doubt else ()
    slot = parsed.given.get("process-slot-var")
    assigned = () if slot is None else (Assigned(slot.text, Word("")),)
    inner = parsed.rest or (Word("echo"),)
    mark = next((parsed.given[name].text or "{}" for name in ("I", "i", "replace") if name in parsed.given), "")
    if UNKNOWN in mark:
        doubts += ("The mark that `xargs` replaces is not certain.",)
    inner = tuple(word.replaced(mark) for word in inner) if mark else (*inner, SOMETHING)
    return Opened((inner,), (), assigned, doubts)


_SOURCES: Final = frozenset({":::", "::::", ":::+", "::::+"})
_PLACES: Final = re.compile(r"\{(?:|\.|/|//|/\.|#|%|-?[0-9]+(?:\.|/|//|/\.)?)\}")


_QUOTED: Final = ("`parallel` may put its arguments between quotes.",)


def _parallel(words: Words) -> Opened:
    """GNU parallel hands its command's words to a shell, its arguments quoted in their places."""
    parsed = options.parse(words[1:], wrapper_tables.PARALLEL)
    if parsed.doubt:
        return Opened((parsed.rest,) if parsed.rest else (), doubts=(parsed.doubt,))
    end = next((at for at, word in enumerate(parsed.rest) if word.text in _SOURCES), len(parsed.rest))
    command, source = parsed.rest[:end], parsed.rest[end:]
    if command:
        found = shells.text(command)
        hidden = any(set(text) & set("'\"\\`$") for text in found.scripts)
        return Opened((), tuple(map(_with_places, found.scripts)), (), found.doubts + _QUOTED * hidden)
    if not source or any(word.text in _SOURCES - {":::"} for word in source):
        return doubtful("`parallel` reads commands from its input or from a file.")
    lines = [shells.text((word,)) for word in source if word.text != ":::"]
    scripts = tuple(script for line in lines for script in line.scripts)
    return Opened((), scripts, (), tuple(doubt for line in lines for doubt in line.doubts))


def _with_places(text: str) -> str:
    filled = _PLACES.sub('"$1"', text)
    return filled if filled != text else f'{text} "$1"'


OPENERS: Final[dict[str, Opener]] = {
    "find": find.find,
    "xargs": _xargs,
    "eval": shells.evaluate,
    "exec": _exec,
    "trap": shells.trap,
    "set": shells.set_options,
    "su": shells.su,
    "runuser": shells.su,
    "script": shells.script,
    "watch": _watch,
    "flock": _flock,
    "command": _command,
    "coproc": _coproc,
    "source": shells.source,
    ".": shells.source,
    "busybox": _busybox,
    "toybox": _busybox,
    "parallel": _parallel,
}
"""Wrappers whose command does not simply follow their options."""

OPENED: Final = frozenset({*WRAPPERS, *OPENERS, *SHELLS})
"""Every verb that is opened."""
