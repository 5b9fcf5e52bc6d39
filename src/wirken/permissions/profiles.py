"""How much a text may hold before a person is asked every time: `standard` or `strict`."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from wirken.domain.actions import Place, Tier
from wirken.permissions import judge
from wirken.permissions.findings import Findings
from wirken.permissions.keys import PIPELINE_KEY
from wirken.permissions.programs.verbs import Programs, is_installed, verb
from wirken.permissions.shell import understand
from wirken.permissions.shell.words import Word, literal

Profile: TypeAlias = Literal["standard", "strict"]

INSPECTION: Final = frozenset(
    (
        "ls cat head tail grep diff cmp stat file wc tree readlink realpath basename dirname pwd whoami id uname "
        "hostname date echo printf which type"
    ).split()
)
"""All that strict lets through as Tier 2."""

_BUILT_IN: Final = frozenset({"echo", "printf", "pwd", "type"})
"""Inspection verbs that a shell brings along."""

_MARKS: Final = ("|", ";", "&", "$(", "`", ">", "<", "\n")


def judge_text(text: str, profile: Profile, place: Place, programs: Programs) -> Findings:
    """Return what a shell does with `text`, as the profile sees it."""
    found = judge.judge_text(text, place, programs)
    if profile == "strict":
        _strict_text(text, found, programs)
    return found


def judge_argv(argv: tuple[str, ...], profile: Profile, place: Place, programs: Programs) -> Findings:
    """Return what a program does that is started without a shell."""
    words = literal(argv)
    found = judge.judge_argv(words, place, programs)
    if profile == "strict" and not _inspects(words[0], programs, in_shell=False):
        found.asks(Tier.THREE, _ONLY)
    return found


def _strict_text(text: str, found: Findings, programs: Programs) -> None:
    if any(mark in text for mark in _MARKS):
        found.first = PIPELINE_KEY
        found.asks(Tier.THREE, "The strict profile takes a text with `|`, `;`, `&`, `$(`, `>` or `<` for a pipeline.")
        return
    script = understand(text)
    first = script.commands[0] if len(script.commands) == 1 else None
    begins = first is not None and bool(first.words) and text[: first.at].isspace() == (first.at > 0)
    if first is None or not begins or not _inspects(first.words[0], programs, in_shell=True):
        found.asks(Tier.THREE, _ONLY)


def _inspects(word: Word, programs: Programs, *, in_shell: bool) -> bool:
    name = verb(word.text)
    if word.quoted or not word.certain or word.several or name not in INSPECTION or not is_installed(word.text):
        return False
    return programs.real(word.text) is not None or (in_shell and name in _BUILT_IN)


_ONLY: Final = "The strict profile lets only installed programs that look at things through, in plain words."
