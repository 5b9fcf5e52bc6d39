from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain import limits
from wirken.runner.arguments import BadArguments, ExecArguments, ListArguments, ReadArguments, parsed


def words(text: str) -> tuple[str, ...]:
    arguments = parsed("exec", text)
    assert isinstance(arguments, ExecArguments)
    return arguments.words()


def test_a_command_is_a_line_for_the_shell_byte_for_byte() -> None:
    assert words('{"command": " echo  \\"a\\"\\n"}') == ("/bin/sh", "-c", ' echo  "a"\n')


def test_an_argv_is_started_as_it_is() -> None:
    assert words('{"argv": ["ls", "-la", "$HOME", ""]}') == ("ls", "-la", "$HOME", "")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=9))
def test_no_argv_is_changed_on_the_way(argv: list[str]) -> None:
    if argv[0]:
        assert words(json.dumps({"argv": argv})) == tuple(argv)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"command": "ls", "argv": ["ls"]}',
        '{"argv": []}',
        '{"argv": [""]}',
        '{"argv": "ls"}',
        '{"argv": ["ls", 1]}',
        '{"argv": ["ls", "a\\u0000b"]}',
        '{"command": "ls\\u0000 -la"}',
        '{"command": "\\ud800"}',
        '{"command": ["ls"]}',
        '{"command": "ls", "timeout": 0}',
        '{"command": "ls", "timeout": -1}',
        '{"command": "ls", "timeout": 301}',
        '{"command": "ls", "timeout": "5"}',
        '{"command": "ls", "timeout": true}',
        '{"command": "ls", "cwd": "/"}',
        '{"command": "ls", "command": "rm -rf ."}',
        '["ls"]',
        '{"command": "ls"',
        "",
        "\ud800",
        "[" * 100_000,
        json.dumps({"argv": ["x"] * (limits.EXEC_ARGV + 1)}),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadArguments):
        words(text)


def test_a_time_limit_may_be_a_whole_number_or_a_fraction() -> None:
    for text, expected in (("5", 5.0), ("0.5", 0.5), ("300", 300.0)):
        arguments = parsed("exec", f'{{"command": "ls", "timeout": {text}}}')
        assert isinstance(arguments, ExecArguments) and arguments.timeout == expected


def test_file_tools_take_exactly_their_arguments() -> None:
    assert parsed("read_file", '{"path": "a", "offset": 2, "limit": 3}') == ReadArguments("a", 2, 3)
    assert parsed("list_files", "{}") == ListArguments(".")
    for tool, text in (
        ("read_file", '{"path": "a", "offset": 0}'),
        ("read_file", '{"path": "a", "limit": 0}'),
        ("read_file", '{"path": "a", "offset": 1.5}'),
        ("read_file", "{}"),
        ("write_file", '{"path": "a"}'),
        ("write_file", '{"path": "a", "content": null}'),
        ("list_files", '{"path": "a", "depth": 9}'),
        ("delete_file", '{"path": "a"}'),
    ):
        with pytest.raises(BadArguments):
            parsed(tool, text)
