"""Shell text as the tree-sitter-bash grammar sees it: a second reader, which must agree with the first.

Where the first gives up, this one still names the commands that it finds, so that a person sees what is in the text.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from wirken.permissions.shell import grammar, quoting
from wirken.permissions.shell.reading import NotPlain, Reading
from wirken.permissions.shell.words import SOMETHING, Command, Word

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


class View(NamedTuple):
    """What the grammar found. `sound`: no error, nothing missing, no kind of node that shells read differently."""

    text: str
    found: tuple[tuple[int, Node], ...]
    sound: bool

    @property
    def starts(self) -> set[int]:
        """Where commands begin: the offsets of their first words."""
        return {at for at, _ in self.found}

    def besides(self, known: set[int]) -> tuple[Command, ...]:
        """Return the commands that do not begin at `known` offsets."""
        return tuple(Command(_words(node, self.text), at=at) for at, node in self.found if at not in known)


_KNOWN: Final = frozenset(
    (
        "program list pipeline command command_name redirected_statement subshell compound_statement if_statement "
        "elif_clause else_clause while_statement for_statement do_group case_statement case_item extglob_pattern "
        "function_definition negated_command command_substitution variable_assignment variable_assignments "
        "variable_name special_variable_name declaration_command unset_command test_command test_operator string "
        "string_content raw_string concatenation word number simple_expansion expansion regex arithmetic_expansion "
        "binary_expression unary_expression ternary_expression postfix_expression parenthesized_expression "
        "file_redirect file_descriptor heredoc_redirect heredoc_start heredoc_body heredoc_content heredoc_end comment"
    ).split()
)
"""The kinds of nodes that plain text is made of."""

_COMMANDS: Final = frozenset({"command", "declaration_command", "unset_command", "test_command"})
_NO_WORDS: Final = frozenset(
    {"file_redirect", "heredoc_redirect", "herestring_redirect", "variable_assignment", "comment"}
)


def view(text: str) -> View:
    """Return the commands of `text`, wherever they stand.

    The grammar's scanner, written in C, reads outside of its tables for letters beyond ASCII
    (github.com/tree-sitter/tree-sitter-bash, issue 337), so it gets a full stop in the place of each.
    """
    found: list[tuple[int, Node]] = []
    root = _parser().parse(_BEYOND.sub(".", text).encode("ascii")).root_node
    sound = not root.has_error  # holds of a node that is missing, too
    waiting = [(root, "")]
    while waiting:
        node, above = waiting.pop()
        kind = node.type
        if kind not in _KNOWN:
            sound = False
        if kind in _COMMANDS and (first := _first(node)) is not None:
            found.append((first.start_byte, node))
        elif kind == "command_name" and above != "command":
            found.append((node.start_byte, node))
        waiting.extend([(child, kind) for child in node.named_children])
    return View(text, tuple(found), sound)


_BEYOND: Final = re.compile(r"[^\t\n -~]")


@functools.cache
def _parser() -> Parser:
    """Loaded when the first command comes: it takes 4 MB that an idle gateway need not hold."""
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def _first(node: Node) -> Node | None:
    """Return what a command's verb stands in; None where it has none, only assignments or redirections."""
    if node.type != "command":
        return node
    return next((child for child in node.children if child.type == "command_name"), None)


def _words(node: Node, text: str) -> tuple[Word, ...]:
    parts = node.children if node.child_count and node.type != "command_name" else [node]
    return tuple(_word(text[part.start_byte : part.end_byte]) for part in parts if part.type not in _NO_WORDS)


def _word(text: str) -> Word:
    reading = Reading(text, len(text))
    try:
        word = quoting.word(reading, grammar.statements)
    except NotPlain:
        return SOMETHING
    return word if reading.at == reading.end else SOMETHING
