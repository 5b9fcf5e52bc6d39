from __future__ import annotations

import pytest

from wirken.channels.render.reader import read, verbatim
from wirken.channels.render.tree import Code, CodeBlock, Emphasis, Items, Link, Paragraph, Quote, Strong, Table, Text
from wirken.domain import channel_limits as limits


def test_blocks_and_inlines_become_a_tree() -> None:
    assert read("> a **b *c***\n\n1. `x`\n2. y") == (
        Quote((Paragraph((Text("a "), Strong((Text("b "), Emphasis((Text("c"),)))))),)),
        Items(((Paragraph((Code("x"),)),), (Paragraph((Text("y"),)),)), 1),
    )


def test_html_is_text_and_an_image_is_a_link() -> None:
    assert read("<b>x</b>") == (Paragraph((Text("<b>x</b>"),)),)
    assert read("![x](https://a.example/)") == (Paragraph((Link((Text("x"),), "https://a.example/"),)),)


def test_a_table_is_read_up_to_its_number_of_cells_and_beyond_it_is_its_source() -> None:
    head = "|a|b|\n|-|-|\n"
    rows = limits.TABLE_CELLS // 2 - 1
    assert isinstance(read(head + "|c|d|\n" * rows)[0], Table)
    source = head + "|c|d|\n" * (rows + 1)
    assert read(source) == (CodeBlock(source.removesuffix("\n"), ""),)


def test_deeper_nesting_than_the_parser_goes_loses_no_text() -> None:
    assert isinstance(read("> " * (limits.MARKUP_DEPTH - 4) + "x")[0], Quote)
    source = "> " * (limits.MARKUP_DEPTH + 4) + "x"
    assert read(source) == verbatim(source)


def test_longer_text_than_is_read_is_sent_as_it_is() -> None:
    source = "*a* " * (limits.MARKUP_SOURCE // 4)
    assert read(source + "x") == verbatim(source + "x")


@pytest.mark.slow
def test_more_parts_than_are_laid_out_make_the_text_itself() -> None:
    parts = 5  # of one item: it opens, its paragraph, its text, and both close
    source = "- a\n" * ((limits.MARKUP_TOKENS - 2) // parts)
    assert isinstance(read(source)[0], Items)
    source += "- a\n"
    assert read(source) == verbatim(source)


@pytest.mark.parametrize(("letters", "language"), [(limits.CODE_LANGUAGE, True), (limits.CODE_LANGUAGE + 1, False)])
def test_a_language_is_a_short_word(letters: int, language: bool) -> None:
    word = "a" * letters
    assert read(f"```{word}\nx\n```") == (CodeBlock("x", word if language else ""),)


@pytest.mark.parametrize(("letters", "leads"), [(limits.LINK_TARGET, True), (limits.LINK_TARGET + 1, False)])
def test_an_address_has_its_length(letters: int, leads: bool) -> None:
    address = "https://a.example/".ljust(letters, "x")
    (paragraph,) = read(f"[x]({address})")
    assert isinstance(paragraph, Paragraph)
    assert (paragraph.parts == (Link((Text("x"),), address),)) is leads
