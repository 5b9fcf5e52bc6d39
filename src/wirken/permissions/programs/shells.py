"""Programs that read a text as a shell does: the text is returned, to be read again."""

from __future__ import annotations

import re
from typing import Final

from wirken.permissions.programs.opening import NOTHING, Opened, doubtful
from wirken.permissions.shell.words import UNKNOWN, Word, Words

_SET_OPTIONS: Final = frozenset(
    (
        "allexport braceexpand emacs errexit errtrace functrace hashall ignoreeof monitor noclobber noexec noglob "
        "nolog notify nounset onecmd physical pipefail posix privileged verbose vi xtrace"
    ).split()
)
"""Names that `-o` takes and that change nothing of how text is read."""

_SHELL_LETTERS: Final = "abefhmnpuvxlrBCEPT"
"""Letters of shells' options that change nothing of how text is read: no `i`, `s`, `k`, `H`, `O`."""

_SHELL_LONG: Final = frozenset("norc noprofile posix login verbose noediting restricted noemacs nolineediting".split())


def text(words: Words) -> Opened:
    """What is run where a shell reads these words, joined."""
    if any(word.several or not word.certain for word in words):
        return doubtful("A shell reads a text that is not certain.")
    return Opened((), (" ".join(word.text for word in words),))


def evaluate(words: Words) -> Opened:
    return doubtful(DIFFERENTLY) if begins_with_option(words) else text(words[1:])


def begins_with_option(words: Words) -> bool:
    return len(words) > 1 and words[1].may_be_option


DIFFERENTLY: Final = "Shells read options there differently."


def trap(words: Words) -> Opened:
    rest = words[2:] if len(words) > 1 and words[1].text == "--" else words[1:]
    if len(rest) < 2 and not any(word.may_be_option for word in rest):
        return NOTHING
    resets = rest[0].certain and (rest[0].text in ("", "-") or rest[0].text.isdecimal())
    return NOTHING if resets or rest[0].text in ("-p", "-l") else text(rest[:1])


def set_options(words: Words) -> Opened:
    _, _, doubt = _shell_options(words, 1)
    return doubtful(doubt) if doubt else NOTHING


_WITH_TEXT: Final = re.compile(r"-[A-Za-z]*c[A-Za-z]*")


def shell(words: Words) -> Opened:
    at, has_text, doubt = _shell_options(words, 1)
    if doubt:
        return _probable(words).with_doubts((doubt,))
    if not has_text:
        return doubtful("A shell reads commands from its input or from a file.")
    return text(words[at : at + 1]) if at < len(words) else doubtful("A shell gets no text.")


def _probable(words: Words) -> Opened:
    """Return the text that most likely stands behind `-c`, among options that are not certain: a person sees it."""
    given = next((at for at, word in enumerate(words) if _WITH_TEXT.fullmatch(word.text)), len(words))
    operand = next((word for word in words[given + 1 :] if word.text[:1] not in ("-", "+")), None)
    return NOTHING if operand is None else text((operand,))


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
            if word.text[2:] not in _SHELL_LONG:
                return at, has_text, "An option of a shell is not known."
            continue
        for letter in word.text[1:]:
            has_text = has_text or (letter == "c" and word.text[0] == "-")
            if letter == "o" and at < len(words) and words[at].text in _SET_OPTIONS:
                at += 1
            elif letter not in _SHELL_LETTERS + "c":
                return at, has_text, "An option of a shell is not known."
    return at, has_text, ""


def su(words: Words) -> Opened:
    """su and runuser take their options anywhere."""
    for at, word in enumerate(words[1:], start=1):
        if word.text in ("-c", "--command", "--session-command") or re.fullmatch(r"-[lmpP]*c", word.text):
            return text(words[at + 1 : at + 2])
        if word.text.startswith(("--command=", "--session-command=")):
            return text((Word(word.text.partition("=")[2]),))
    return doubtful("It starts a shell of its own.")


def script(words: Words) -> Opened:
    for at, word in enumerate(words[1:], start=1):
        if word.text == "--command" or re.fullmatch(r"-[aefq]*c", word.text):
            return text(words[at + 1 : at + 2])
        if word.text.startswith(("--command=", "-c")):
            return text((Word(word.text.removeprefix("--command=").removeprefix("-c")),))
    return doubtful("`script` starts a shell.")


def source(words: Words) -> Opened:
    return doubtful("It runs whatever a file holds then.") if len(words) > 1 else NOTHING
