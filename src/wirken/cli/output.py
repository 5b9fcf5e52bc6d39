"""How a command speaks: lines for people, one JSON value for programs, errors on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TextIO, TypeAlias

from wirken.domain.errors import WirkenError
from wirken.domain.text import shown, shown_json

Style: TypeAlias = Literal["bold", "dim", "red", "green", "yellow", "cyan"]
_CODES: Final[Mapping[Style, str]] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
}


class Styled(NamedTuple):
    """Text with a style, which it has only on a terminal."""

    text: str
    style: Style


Part: TypeAlias = str | Styled
Line: TypeAlias = Part | Sequence[Part]


class Output:
    """Where a command's words go.

    All text passes `domain.text.shown`, so that nothing from outside can move the cursor or hide; colour
    only on a terminal and never where NO_COLOR is set (no-color.org) or TERM is `dumb`.
    """

    def __init__(self, as_json: bool, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]) -> None:
        self.as_json = as_json
        self._stdout = stdout
        self._stderr = stderr
        self._plain = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"

    def show(self, data: object, lines: Iterable[Line]) -> None:
        """Print `data` as one line of JSON where `--json` asks for it, else `lines`, which are then made."""
        if self.as_json:
            self.value(data)
        else:
            for line in lines:
                self.line(line)

    def value(self, data: object) -> None:
        """Print one line of JSON: a Struct, or anything JSON can say.

        What a terminal could be deceived with is escaped, which leaves the value as it is.
        """
        import msgspec

        self._stdout.write(shown_json(msgspec.json.encode(data).decode()) + "\n")
        self._stdout.flush()

    def line(self, line: Line = "") -> None:
        """Print one line for a person."""
        self._stdout.write(self._worded(line, self._stdout) + "\n")
        self._stdout.flush()

    def note(self, line: Line) -> None:
        """Say something beside the data, on standard error; not at all under `--json`."""
        if not self.as_json:
            self._stderr.write(self._worded(line, self._stderr) + "\n")
            self._stderr.flush()

    def ask(self, line: Line) -> None:
        """Put a question on standard error and stay on its line."""
        self._stderr.write(self._worded(line, self._stderr))
        self._stderr.flush()

    def stream(self, text: str) -> None:
        """Print a further piece of an answer as it comes; nothing under `--json`."""
        if not self.as_json:
            self._stdout.write(shown(text, keep_newlines=True))
            self._stdout.flush()

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[Line]:
        """Return aligned lines, for `show`."""
        listed = [[shown(cell) for cell in row] for row in rows]
        widths = [max(len(row[column]) for row in [list(header), *listed]) for column in range(len(header))]
        return [
            Styled(_aligned(header, widths), "bold"),
            *(_aligned(row, widths) for row in listed),
        ]

    def error(self, error: WirkenError) -> None:
        """Say what went wrong and what to do about it."""
        if self.as_json:
            said = {"error": str(error), "hint": error.advice, "kind": type(error).__name__}
            self._stderr.write(shown_json(json.dumps(said)) + "\n")
        else:
            self._stderr.write(self._worded((Styled("wirken: ", "red"), str(error)), self._stderr) + "\n")
            if error.advice:
                self._stderr.write(self._worded(f"  {error.advice}", self._stderr) + "\n")
        self._stderr.flush()

    def _worded(self, line: Line, to: TextIO) -> str:
        parts: Sequence[Part] = [line] if isinstance(line, str | Styled) else line
        colour = not self._plain and to.isatty()
        return "".join(_coloured(part, colour) if isinstance(part, Styled) else shown(part) for part in parts)


def plain(line: Line) -> str:
    """Return a line without its styles."""
    parts: Sequence[Part] = [line] if isinstance(line, str | Styled) else line
    return "".join(part.text if isinstance(part, Styled) else part for part in parts)


def _coloured(part: Styled, colour: bool) -> str:
    text = shown(part.text)
    return f"\x1b[{_CODES[part.style]}m{text}\x1b[0m" if colour else text


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
