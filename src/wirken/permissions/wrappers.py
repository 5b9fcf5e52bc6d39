"""What programs that run other programs would run: their words are opened, one level at a time.

`open_up` answers for every verb of the tables here; what it finds is judged like any other command, and may be
opened again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from wirken.permissions import options, searching, wrapping
from wirken.permissions.opened import NOTHING, Opened, doubtful
from wirken.permissions.rules import SHELLS
from wirken.permissions.words import SOMETHING, UNKNOWN, Assigned, Word, Words
from wirken.permissions.wrapping import WRAPPERS, Wrapper

Opener: TypeAlias = Callable[[Words], Opened]

_ASSIGNS: Final = re.compile(r"([^=\0]+)=(.*)", re.DOTALL)
_SPLIT_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,= -]*")


def open_up(name: str, words: Words) -> Opened | None:
    """Return what a command whose verb is `name` runs; None where it is no wrapper. `words[0]` is the verb."""
    if name in WRAPPERS:
        return _prefixed(name, words, WRAPPERS[name])
    if name in SHELLS:
        return _shell(words)
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


# --- texts --------------------------------------------------------------------------------------------


def _text(words: Words) -> Opened:
    """What is run where a shell reads these words, joined."""
    if any(word.several or not word.certain for word in words):
        return doubtful("A shell reads a text that is not certain.")
    return Opened((), (" ".join(word.text for word in words),))


def _eval(words: Words) -> Opened:
    return doubtful(_DIFFERENTLY) if _begins_with_option(words) else _text(words[1:])


def _exec(words: Words) -> Opened:
    parsed = options.parse(words[1:], options.Known("cl", "a"))
    inner = (parsed.rest,) if parsed.rest else ()
    return Opened(inner, doubts=(_DIFFERENTLY,) if _begins_with_option(words) else ())


def _begins_with_option(words: Words) -> bool:
    return len(words) > 1 and words[1].may_be_option


_DIFFERENTLY: Final = "Shells read options there differently."


def _trap(words: Words) -> Opened:
    rest = words[2:] if len(words) > 1 and words[1].text == "--" else words[1:]
    if len(rest) < 2 and not any(word.may_be_option for word in rest):
        return NOTHING
    resets = rest[0].certain and (rest[0].text in ("", "-") or rest[0].text.isdecimal())
    return NOTHING if resets or rest[0].text in ("-p", "-l") else _text(rest[:1])


def _set(words: Words) -> Opened:
    _, _, doubt = _shell_options(words, 1)
    return doubtful(doubt) if doubt else NOTHING


def _shell(words: Words) -> Opened:
    at, has_text, doubt = _shell_options(words, 1)
    if doubt:
        return Opened(doubts=(doubt,))
    if not has_text:
        return doubtful("A shell reads commands from its input or from a file.")
    return _text(words[at : at + 1]) if at < len(words) else doubtful("A shell gets no text.")


def _shell_options(words: Words, at: int) -> tuple[int, bool, str]:
    """Return where the operands begin, whether `-c` was given, and what is uncertain."""
    has_text = False
    while at < len(words):
        word = words[at]
        if word.several or word.text.startswith(UNKNOWN):
            return at, has_text, "" if has_text and not word.several else "An option of a shell is not certain."
        if word.text in ("--", "-"):
            return at + 1, has_text, ""
        if word.text[:1] not in ("-", "+"):
            break
        at += 1
        if word.text.startswith("--"):
            if word.text[2:] not in wrapping.SHELL_LONG:
                return at, has_text, "An option of a shell is not known."
            continue
        for letter in word.text[1:]:
            has_text = has_text or (letter == "c" and word.text[0] == "-")
            if letter == "o" and at < len(words) and words[at].text in wrapping.SET_OPTIONS:
                at += 1
            elif letter not in wrapping.SHELL_LETTERS + "c":
                return at, has_text, "An option of a shell is not known."
    return at, has_text, ""


def _su(words: Words) -> Opened:
    """su and runuser take their options anywhere."""
    for at, word in enumerate(words[1:], start=1):
        if word.text in ("-c", "--command", "--session-command") or re.fullmatch(r"-[lmpP]*c", word.text):
            return _text(words[at + 1 : at + 2])
        if word.text.startswith(("--command=", "--session-command=")):
            return _text((Word(word.text.partition("=")[2]),))
    return doubtful("It starts a shell of its own.")


def _script(words: Words) -> Opened:
    for at, word in enumerate(words[1:], start=1):
        if word.text == "--command" or re.fullmatch(r"-[aefq]*c", word.text):
            return _text(words[at + 1 : at + 2])
        if word.text.startswith(("--command=", "-c")):
            return _text((Word(word.text.removeprefix("--command=").removeprefix("-c")),))
    return doubtful("`script` starts a shell.")


def _watch(words: Words) -> Opened:
    parsed = options.parse(words[1:], wrapping.WATCH)
    if parsed.doubt:
        return Opened((parsed.rest,) if parsed.rest else (), doubts=(parsed.doubt,))
    if parsed.given.keys() & {"x", "exec"}:
        return Opened((parsed.rest,) if parsed.rest else ())
    return _text(parsed.rest)


def _flock(words: Words) -> Opened:
    parsed = options.parse(words[1:], wrapping.FLOCK)
    doubts: tuple[str, ...] = (parsed.doubt,) if parsed.doubt else ()
    rest = parsed.rest[1:]
    if any(word.may_be_option for word in parsed.rest[:1]):
        doubts += ("A word before a command is not certain.",)
    if rest and rest[0].text in ("-c", "--command"):
        return _text(rest[1:2]).with_doubts(doubts)
    return Opened((rest,) if rest else (), doubts=doubts)


def _command(words: Words) -> Opened:
    parsed = options.parse(words[1:], options.Known("pvV"))
    if parsed.given.keys() & {"v", "V"} and not parsed.doubt:
        return NOTHING
    return Opened((parsed.rest,) if parsed.rest else (), doubts=(parsed.doubt,) if parsed.doubt else ())


def _coproc(words: Words) -> Opened:
    inner = (words[1:],) if len(words) > 1 else ()
    return Opened(inner, doubts=("`coproc` runs its command where bash reads the text, and only there.",))


def _source(words: Words) -> Opened:
    return doubtful("It runs whatever a file holds then.") if len(words) > 1 else NOTHING


def _busybox(words: Words) -> Opened:
    if len(words) < 2 or words[1].text in ("--list", "--list-full", "--help"):
        return NOTHING
    return Opened((words[1:],))


def _xargs(words: Words) -> Opened:
    """What is read is appended as any number of words, or takes the place of a mark."""
    parsed = options.parse(words[1:], wrapping.XARGS)
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
    parsed = options.parse(words[1:], wrapping.PARALLEL)
    if parsed.doubt:
        return Opened((parsed.rest,) if parsed.rest else (), doubts=(parsed.doubt,))
    end = next((at for at, word in enumerate(parsed.rest) if word.text in _SOURCES), len(parsed.rest))
    command, source = parsed.rest[:end], parsed.rest[end:]
    if command:
        found = _text(command)
        hidden = any(set(text) & set("'\"\\`$") for text in found.scripts)
        return Opened((), tuple(map(_with_places, found.scripts)), (), found.doubts + _QUOTED * hidden)
    if not source or any(word.text in _SOURCES - {":::"} for word in source):
        return doubtful("`parallel` reads commands from its input or from a file.")
    lines = [_text((word,)) for word in source if word.text != ":::"]
    scripts = tuple(script for line in lines for script in line.scripts)
    return Opened((), scripts, (), tuple(doubt for line in lines for doubt in line.doubts))


def _with_places(text: str) -> str:
    filled = _PLACES.sub('"$1"', text)
    return filled if filled != text else f'{text} "$1"'


OPENERS: Final[dict[str, Opener]] = {
    "find": searching.find,
    "xargs": _xargs,
    "eval": _eval,
    "exec": _exec,
    "trap": _trap,
    "set": _set,
    "su": _su,
    "runuser": _su,
    "script": _script,
    "watch": _watch,
    "flock": _flock,
    "command": _command,
    "coproc": _coproc,
    "source": _source,
    ".": _source,
    "busybox": _busybox,
    "toybox": _busybox,
    "parallel": _parallel,
}
"""Wrappers whose command does not simply follow their options."""

OPENED: Final = frozenset({*WRAPPERS, *OPENERS, *SHELLS})
"""Every verb that is opened."""
