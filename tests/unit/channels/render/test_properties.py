from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.support.markup import MATRIX_TAGS, TELEGRAM_TAGS, Page, dense, markdown_links, slack_links

from wirken.channels.render import links, matrix
from wirken.channels.render.graphemes import may_cut
from wirken.channels.render.layout import laid_out
from wirken.channels.render.lines import Line, shown_text
from wirken.channels.render.markup import written
from wirken.channels.render.pieces import DIALECTS, rendered
from wirken.channels.render.reader import read
from wirken.channels.render.split import split

FRAGMENTS = [
    *("*", "**", "_", "~~", "`", "```", "```py\n", "\n", "\n\n", "> ", "- ", "1. ", "# ", "|", "|a|b|\n|-|-|\n", "\\"),
    *(
        "<",
        ">",
        "&",
        "&lt;",
        "&#8238;",
        "[",
        "](",
        ")",
        "![",
        "[x](https://a.example/b)",
        "https://c.example/d_e",
        "://",
    ),
    *(
        "@",
        "@everyone",
        "<@1>",
        "<!here>",
        "</b>",
        "<b>",
        "/stop",
        "word ",
        "two words ",
        "    ",
        "\t",
        "---\n",
        '"',
        "'",
    ),
    *("👩\u200d👩\u200d👧", "🇩🇪", "e\u0301", "\u202e", "\u200b", "\ud800", "한글", "漢字", "क्ष", "\U0010ffff", "\x00"),
]
SOURCES = st.one_of(
    st.text(alphabet=st.characters(), max_size=200),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=5)), max_size=60).map("".join),
)
platforms = pytest.mark.parametrize("platform", DIALECTS)
often = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@platforms
@given(source=SOURCES)
@often
def test_any_text_is_written_and_every_piece_fits(platform: str, source: str) -> None:
    dialect = DIALECTS[platform]
    for piece in rendered(source, dialect):
        assert dialect.fits(piece.markup, piece.plain)
        assert piece.plain.strip()
        piece.markup.encode()


@given(source=SOURCES)
@often
def test_html_has_allowed_tags_only_closed_in_order_and_says_what_was_said(source: str) -> None:
    for platform, tags in (("telegram", TELEGRAM_TAGS), ("matrix", MATRIX_TAGS)):
        lines = laid_out(read(source), masked=True)
        page = Page("\n".join(piece.markup for piece in rendered(source, DIALECTS[platform])))
        assert page.tags <= tags
        assert dense(page.text) == dense(shown_text(lines))
        assert all(links.allowed(link) for link in page.links)


@given(source=SOURCES)
@often
def test_every_dialect_has_the_same_links(source: str) -> None:
    found = [Page("\n\n".join(p.markup for p in rendered(source, DIALECTS["telegram"]))).links]
    found.append(list(slack_links("\n\n".join(p.markup for p in rendered(source, DIALECTS["slack"])))))
    found.extend(
        markdown_links("\n\n".join(p.markup for p in rendered(source, DIALECTS[name]))) for name in ("teams", "discord")
    )
    assert all(other == found[0] for other in found), found


CALLS = {
    "telegram": r"<a href=.tg:|<[@#!]",
    "discord": r"(?<!\\)<[@#!](?=\w)",
    "slack": r"<[@#!]",
    "matrix": r"href=.https://matrix\.to|<[@#!]",
    "teams": r"<at\b",
}
"""How each platform's markup names whom it calls. WhatsApp's has no such form."""
CODE = re.compile(r"\\.|(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
"""An escaped sign, or code in Markdown. Teams calls nobody in it: whom it calls stands in a list beside the text."""


@given(source=SOURCES)
@example("    <@0")
@example("    <at>Anna</at>")
@example("`<@0>` <at>Anna</at> [x](https://matrix.to/#/@anna:example.org)")
@often
def test_nobody_is_called(source: str) -> None:
    for name, form in CALLS.items():
        for piece in rendered(source, DIALECTS[name]):
            markup = CODE.sub("", piece.markup) if name == "teams" else piece.markup
            assert not re.search(form, markup), name
    for piece in rendered(source, DIALECTS["discord"]):
        assert "@everyone" not in piece.markup
    for piece in rendered(source, DIALECTS["matrix"]):
        assert "@room" not in str(matrix.content(piece.markup, piece.plain)["body"])


@given(source=SOURCES, most=st.integers(4, 60))
@often
def test_pieces_say_together_exactly_what_the_whole_says(source: str, most: int) -> None:
    lines = laid_out(read(source), masked=True)

    def fits(part: object) -> bool:
        assert isinstance(part, tuple | list)
        return len(shown_text(part)) <= most

    pieces = list(split(lines, fits, most))
    assert all(pieces)
    assert all(fits(piece) for piece in pieces)
    assert shown_text(line for piece in pieces for line in piece) == shown_text(lines)


@given(source=SOURCES, most=st.integers(40, 60))
@often
def test_a_cut_tears_no_sign_apart(source: str, most: int) -> None:
    lines = laid_out(read(source), masked=True)
    pieces = list(split(lines, lambda part: len(shown_text(part)) <= most, most))
    for before, after in pairwise(pieces):
        if after[0].continued:
            left, right = before[-1].text, after[0].text
            longest_sign = all(not may_cut(left, at) for at in range(1, len(left)))
            assert may_cut(left + right, len(left)) or longest_sign


@given(source=SOURCES)
@often
def test_any_lines_can_be_written_alone(source: str) -> None:
    for name, dialect in DIALECTS.items():
        for line in laid_out(read(source), masked=dialect.masked):
            assert isinstance(written([line], dialect), str), name


def test_a_line_is_a_value() -> None:
    assert Line() == Line()
