"""What a person may say to Wirken itself: read from a message's text, before any model. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from wirken.ipc.calls.operator import Choice

Plain: TypeAlias = Literal["/stop", "/new", "/status", "/help", "/whoami"]
_PLAIN: Final[dict[str, Plain]] = {
    "/stop": "/stop",
    "/new": "/new",
    "/status": "/status",
    "/help": "/help",
    "/whoami": "/whoami",
}
_CHOICES: Final[dict[str, Choice]] = {"": "once", "once": "once", "session": "session", "30d": "30d"}
_ANSWER: Final = re.compile(r"!(approve|deny)(?:\s+(.*))?", re.IGNORECASE | re.DOTALL)

HELP: Final = """\
/stop ends what I am doing.
/new begins anew: I forget what was said here before.
/status says what goes on here.
/whoami says who you are to me.
/help says this.
!approve ID, or !approve ID session, or !approve ID 30d, allows what I asked about; !deny ID reason refuses it.
Everything else goes to the assistant."""
USAGE: Final = "Say `!approve ID`, `!approve ID session`, `!approve ID 30d`, or `!deny ID reason`."


@dataclass(frozen=True, slots=True)
class Answer:
    """`!approve` or `!deny`: an answer to the question of that id."""

    approval: str
    choice: Choice
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unclear:
    """It begins like an answer to a question and is none. It must not reach a model as if it were talk."""


Word: TypeAlias = Plain | Answer | Unclear


def word(text: str) -> Word | None:
    """Return what a message says to Wirken; None where it is for the model.

    A word stands alone: `/new house` is a message like any other.
    """
    text = text.strip()
    plain = _PLAIN.get(text.casefold())
    if plain is not None:
        return plain
    found = _ANSWER.fullmatch(text)
    return None if found is None else _answer(found[1].casefold(), (found[2] or "").split(maxsplit=1))


def _answer(verb: str, given: list[str]) -> Answer | Unclear:
    if not given:
        return Unclear()
    approval, rest = given[0], given[1].strip() if len(given) > 1 else ""
    if verb == "deny":
        return Answer(approval, "deny", rest)
    choice = _CHOICES.get(rest.casefold())
    return Unclear() if choice is None else Answer(approval, choice)
