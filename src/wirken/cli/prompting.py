"""What people type and nobody may read over their shoulder, and questions with yes or no.

Everything here talks to the controlling terminal itself, so that standard input and output stay free for data.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
from collections.abc import Iterable, Iterator
from typing import Final

import click

from wirken.domain import limits
from wirken.domain.errors import UsageError
from wirken.domain.secret import Secret
from wirken.domain.text import decoded, shown

_TERMINAL: Final = "/dev/tty"
_CHUNK: Final = 4096
_ERASE: Final = (0x08, 0x7F)  # Ctrl+H and Backspace
_KILL: Final = 0x15  # Ctrl+U: forget the line
_END: Final = 0x04  # Ctrl+D


class NoTerminal(UsageError):
    """Something has to be asked and there is no terminal to ask on."""


class BadInput(UsageError):
    """What was typed, piped or read cannot be used. The message never contains any of it."""


def available() -> bool:
    """Is there a terminal that can be asked?"""
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def hidden(question: str) -> Secret:
    """Ask for one line that is not shown while it is typed. Raises `NoTerminal`, `BadInput`, `click.Abort`."""
    with _terminal() as terminal:
        before = termios.tcgetattr(terminal)
        silent = list(before)
        # Without line mode a line may be longer than 4095 bytes (termios(3)); signals stay, so Ctrl+C works.
        silent[3] = before[3] & ~(termios.ECHO | termios.ICANON)
        silent[6] = [*before[6]]
        silent[6][termios.VMIN], silent[6][termios.VTIME] = 1, 0
        termios.tcsetattr(terminal, termios.TCSAFLUSH, silent)
        try:
            os.write(terminal, shown(question).encode("utf-8", "replace"))
            return _line(terminal)
        finally:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
            os.write(terminal, b"\n")


def hidden_twice(question: str, again: str) -> Secret:
    """Ask for a line and once more for the same. Raises as `hidden`, and `BadInput` where they differ."""
    first = hidden(question)
    second = hidden(again)
    try:
        if not first.matches(second):
            first.wipe()
            raise BadInput("The two entries are not the same.", hint="Try again; nothing was changed.")
    finally:
        second.wipe()
    return first


def typed(question: str) -> str:
    """Ask for one line that is shown while it is typed, less the blanks around it. Raises as `hidden`."""
    with _terminal() as terminal:
        termios.tcflush(terminal, termios.TCIFLUSH)  # an answer must come after its question
        os.write(terminal, shown(question).encode("utf-8", "replace"))
        answer = os.read(terminal, _CHUNK)
    if not answer:
        raise click.Abort
    return decoded(answer).strip()


def confirmed(question: str, above: Iterable[str] = ()) -> bool:
    """Show the lines `above`, ask for a yes or a no; anything but y or yes is a no. Raises `NoTerminal`.

    The lines go to the terminal itself, so that nobody says yes to what went into a file.
    """
    with _terminal() as terminal:
        for line in above:
            os.write(terminal, f"{shown(line)}\n".encode("utf-8", "replace"))
        termios.tcflush(terminal, termios.TCIFLUSH)  # an answer must come after its question
        os.write(terminal, f"{shown(question)} [y/N] ".encode("utf-8", "replace"))
        answer = os.read(terminal, _CHUNK)
    return answer.strip().lower() in (b"y", b"yes")


def piped(longest: int) -> Secret:
    """Return standard input without one newline at its end. Raises `BadInput` for none, or more than `longest`."""
    if sys.stdin.isatty():
        raise BadInput(
            "--stdin reads what is piped in, and this is a terminal, which would show it.",
            hint="Leave --stdin out to be asked, without it being shown.",
        )
    return without_newline(sys.stdin.buffer.read(longest + 3), longest)


def without_newline(raw: bytes, longest: int) -> Secret:
    """Return `raw` without one newline at its end. Raises `BadInput` where nothing or too much is left."""
    for newline in (b"\r\n", b"\n"):
        if raw.endswith(newline):
            raw = raw[: -len(newline)]
            break
    if not raw:
        raise BadInput("The value is empty.")
    if len(raw) > longest:
        raise BadInput(f"The value has more than {longest} bytes.")
    return Secret(raw)


def _line(terminal: int) -> Secret:
    typed = bytearray()
    try:
        while True:
            piece = os.read(terminal, _CHUNK)
            ended, rest = _typed(typed, piece)
            if len(typed) > limits.CREDENTIAL:
                raise BadInput(f"The value has more than {limits.CREDENTIAL} bytes.")
            if ended:
                break
        if rest or select.select([terminal], [], [], limits.PASTE_GAP)[0]:
            raise BadInput(
                "More than one line was pasted.", hint="A value of several lines comes from a file or a pipe."
            )
        if not typed:
            raise BadInput("Nothing was entered.")
        return Secret(typed)
    finally:
        for index in range(len(typed)):
            typed[index] = 0


def _typed(line: bytearray, piece: bytes) -> tuple[bool, bytes]:
    """Apply keys to the line; return whether it ended, and what came behind its end. Raises `click.Abort`."""
    if not piece:
        raise click.Abort
    for index, key in enumerate(piece):
        if key in b"\r\n":
            return True, piece[index + 1 :]
        if key in _ERASE:
            _erase(line)
        elif key == _KILL:
            line.clear()
        elif key == _END and not line:
            raise click.Abort
        elif key < 0x20:
            raise BadInput("A control character was typed, such as an arrow key.", hint="Try again.")
        else:
            line.append(key)
    return False, b""


def _erase(line: bytearray) -> None:
    """Remove the last character, which is several bytes where it is not ASCII (RFC 3629)."""
    while line and line[-1] & 0xC0 == 0x80:
        line.pop()
    if line:
        line.pop()


@contextlib.contextmanager
def _terminal() -> Iterator[int]:
    try:
        terminal = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise NoTerminal(
            "There is no terminal to ask on.", hint="`--help` names the options for use in scripts."
        ) from None
    try:
        yield terminal
    finally:
        os.close(terminal)
