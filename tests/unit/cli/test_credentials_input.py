from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.cli.output import Output
from wirken.cli.prompting import BadInput, _typed, without_newline
from wirken.cli.values import from_file, value
from wirken.domain import limits
from wirken.domain.errors import UsageError


def outputs() -> tuple[Output, io.StringIO]:
    said = io.StringIO()
    return Output(False, io.StringIO(), said, {}), said


@pytest.mark.parametrize(
    ("raw", "kept"),
    [(b"x", b"x"), (b"x\n", b"x"), (b"x\r\n", b"x"), (b"x\n\n", b"x\n"), (b" x \n", b" x "), (b"a\nb\n", b"a\nb")],
)
def test_one_newline_at_the_end_goes_and_nothing_else(raw: bytes, kept: bytes) -> None:
    assert without_newline(raw, 10).reveal() == kept


@pytest.mark.parametrize("raw", [b"", b"\n", b"\r\n", b"x" * 11, b"x" * 11 + b"\n"])
def test_nothing_and_too_much_are_refused(raw: bytes) -> None:
    with pytest.raises(BadInput):
        without_newline(raw, 10)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (b"abc\n", b"abc"),
        (b"abc\r", b"abc"),
        (b"abx\x7fc\n", b"abc"),
        ("aä\x7f\n".encode(), b"a"),
        ("a\U0001f511\x08b\n".encode(), b"ab"),
        (b"wrong\x15right\n", b"right"),
        (b"\x7f\x7fa\n", b"a"),
    ],
)
def test_keys_edit_the_line_as_people_expect(keys: bytes, line: bytes) -> None:
    typed = bytearray()
    assert _typed(typed, keys) == (True, b"")
    assert typed == line


def test_what_comes_behind_the_line_is_noticed() -> None:
    assert _typed(bytearray(), b"one\ntwo") == (True, b"two")


@pytest.mark.parametrize("keys", [b"\x04", b""])
def test_the_end_of_input_gives_up(keys: bytes) -> None:
    with pytest.raises(click.Abort):
        _typed(bytearray(), keys)


@given(st.binary(max_size=40))
def test_no_control_character_gets_into_a_value(keys: bytes) -> None:
    typed = bytearray()
    try:
        _typed(typed, keys)
    except (BadInput, click.Abort):
        return
    assert all(byte >= 0x20 and byte != 0x7F for byte in typed)


def test_a_file_that_others_can_read_is_taken_with_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"value\n")
    for mode, warned in ((0o600, False), (0o640, True), (0o604, True)):
        file.chmod(mode)
        out, said = outputs()
        assert from_file(str(file), out).reveal() == b"value"
        assert ("Other users" in said.getvalue()) is warned
        assert "still holds" in said.getvalue()


def test_a_pipe_will_do_and_is_not_warned_about(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o644)
    writer = threading.Thread(target=lambda: fifo.write_bytes(b"value\n"))
    writer.start()
    out, said = outputs()
    assert from_file(str(fifo), out).reveal() == b"value"
    writer.join()
    assert said.getvalue() == ""


def test_errors_about_a_file_do_not_repeat_its_name(tmp_path: Path) -> None:
    large = tmp_path / "large-canary"
    large.write_bytes(b"x" * (limits.CREDENTIAL + 1))
    for path in ("/nowhere/canary", "canary\0", str(tmp_path / "canary"), str(large), str(tmp_path)):
        out, said = outputs()
        with pytest.raises(BadInput) as caught:
            from_file(path, out)
        assert "canary" not in str(caught.value) + caught.value.advice + said.getvalue()


def test_a_value_comes_from_one_place() -> None:
    out, _ = outputs()
    with pytest.raises(UsageError):
        value("x", out, stdin=True, file="y")
