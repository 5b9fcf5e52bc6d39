from __future__ import annotations

import io
import json

import msgspec
import pytest

from wirken.cli.output import Output, Styled
from wirken.domain.errors import Unavailable
from wirken.domain.text import shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Row(msgspec.Struct):
    name: str


def outputs(
    *, as_json: bool = False, terminal: bool = False, environ: dict[str, str] | None = None
) -> tuple[Output, io.StringIO, io.StringIO]:
    out, err = (Terminal(), Terminal()) if terminal else (io.StringIO(), io.StringIO())
    return Output(as_json, out, err, environ or {}), out, err


def test_data_is_lines_for_people_and_json_for_programs() -> None:
    for as_json, expected in ((False, "hello\n"), (True, '{"name":"x"}\n')):
        output, out, _ = outputs(as_json=as_json)
        output.show(Row("x"), ["hello"])
        assert out.getvalue() == expected


@pytest.mark.parametrize(
    ("terminal", "environ", "coloured"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(terminal: bool, environ: dict[str, str], coloured: bool) -> None:
    output, out, _ = outputs(terminal=terminal, environ=environ)
    output.line(("plain ", Styled("red", "red")))
    assert ("\x1b[31m" in out.getvalue()) is coloured


def test_nothing_from_outside_reaches_the_terminal_as_a_command() -> None:
    output, out, err = outputs(terminal=True)
    output.line("\x1b]0;owned\x07")
    output.line(Styled("a\u202eb", "bold"))
    output.error(Unavailable("bad \x1b[2J", hint="and \u200b"))
    for text in (out.getvalue(), err.getvalue()):
        assert "\x1b]" not in text
        assert "\x1b[2J" not in text
        assert "\u202e" not in text
        assert "\u200b" not in text


def test_an_error_has_its_next_step_and_is_json_where_json_is_asked_for() -> None:
    output, out, err = outputs()
    output.error(Unavailable("It is away.", hint="Fetch it."))
    assert (out.getvalue(), err.getvalue()) == ("", "wirken: It is away.\n  Fetch it.\n")
    output, out, err = outputs(as_json=True)
    output.error(Unavailable("It is away.", hint="Fetch it."))
    assert json.loads(err.getvalue()) == {"error": "It is away.", "hint": "Fetch it.", "kind": "Unavailable"}
    output.note("not said")
    assert err.getvalue().count("\n") == 1


def test_a_table_is_aligned() -> None:
    output, out, _ = outputs()
    output.show([], output.table(["a", "bb"], [["long", "x"], ["s", "y"]]))
    assert out.getvalue() == "a     bb\nlong  x\ns     y\n"


def test_json_for_a_terminal_escapes_what_deceives_and_stays_the_same_value() -> None:
    every = "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point <= 0xDFFF)
    output, out, _ = outputs(as_json=True)
    output.show({every: [every, "ä漢🔒\\"]}, [])
    printed = out.getvalue()
    assert printed.endswith("\n") and shown(printed[:-1]) == printed[:-1]
    assert json.loads(printed) == msgspec.json.decode(printed) == {every: [every, "ä漢🔒\\"]}
    assert "ä漢🔒" in printed and "\\u009b" in printed and "\\u202e" in printed and "\\udb40\\udc41" in printed


def test_an_error_as_json_escapes_as_well() -> None:
    output, _, err = outputs(as_json=True)
    output.error(Unavailable("a\x7f\x9bb\u202e"))
    assert err.getvalue().strip().isprintable() and json.loads(err.getvalue())["error"] == "a\x7f\x9bb\u202e"
