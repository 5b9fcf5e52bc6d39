"""Hold what a text ran against what the classifier says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.support.shell_recorder import Ran

from wirken.domain.actions import Place, Tier
from wirken.permissions.judge import judge_text
from wirken.permissions.keys import ANY_CODE, DYNAMIC_KEY
from wirken.permissions.programs.verbs import NOTHING_KNOWN, verb
from wirken.permissions.programs.wrappers import open_up
from wirken.permissions.shell import understand
from wirken.permissions.shell.words import UNKNOWN, Redirect, Word, Words

PLACE = Place("/work", "bubblewrap")


def is_certain(text: str) -> bool:
    """Does the classifier claim to know all that `text` runs?"""
    return DYNAMIC_KEY not in judge_text(text, PLACE, NOTHING_KNOWN).classified().keys


def surprises(text: str, ran: Ran) -> list[str]:
    """Return what `text` did that was not foreseen: programs, their arguments, files."""
    found = judge_text(text, PLACE, NOTHING_KNOWN).classified()
    assert found.tier is not Tier.ONE
    named = {
        key.removeprefix("shell:").removesuffix(ANY_CODE).rsplit("/", 1)[-1].casefold()
        for key in found.keys
        if key.startswith("shell:")
    }
    commands = list(_all(text))
    said = [f"ran {argv[0]}" for argv in ran.programs if verb(argv[0]) not in named]
    said += [f"looked for {name!r}" for name in ran.missing if verb(name) not in named]
    said += [f"ran {argv}" for argv in ran.programs if not any(_fits(words, argv) for words in commands)]
    if not {"shell:env", "shell:flock"} & set(
        found.keys
    ):  # behind env, PATH may hold the real touch; flock makes files
        targets = [redirect.target for redirect in _redirects(text)]
        said += [f"made {name!r}" for name in ran.files if not any(_is(target, name) for target in targets)]
    return said


def _all(text: str) -> Iterator[Words]:
    for command in understand(text).commands:
        if command.words:
            yield from _opened(command.words)


def _opened(words: Words) -> Iterator[Words]:
    yield words
    opened = open_up(verb(words[0].text), words)
    if opened is not None:
        for inner in opened.commands:
            yield from _opened(inner)
        for script in opened.scripts:
            yield from _all(script)


def _redirects(text: str) -> Iterator[Redirect]:
    for command in understand(text).commands:
        yield from command.redirects
        if command.words:
            yield from _redirects_opened(command.words)


def _redirects_opened(words: Words) -> Iterator[Redirect]:
    opened = open_up(verb(words[0].text), words)
    if opened is not None:
        for inner in opened.commands:
            yield from _redirects_opened(inner)
        for script in opened.scripts:
            yield from _redirects(script)


def _is(target: Word, name: str) -> bool:
    return (
        name == "nohup.out"
        or _pattern(target).fullmatch(name) is not None
        or target.text.removeprefix("/workspace/") == name
    )


def _fits(words: Words, argv: list[str]) -> bool:
    """Could these words become this argv? The verb's folder is not compared."""
    first = Word(words[0].text.rsplit("/", 1)[-1])
    return _match((first, *words[1:]), argv)


def _match(words: Words, argv: list[str]) -> bool:
    if not words:
        return not argv
    if words[0].several:
        return any(_match(words[1:], argv[taken:]) for taken in range(len(argv) + 1))
    return bool(argv) and _pattern(words[0]).fullmatch(argv[0]) is not None and _match(words[1:], argv[1:])


def _pattern(word: Word) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, word.text.split(UNKNOWN))), re.DOTALL)
