from __future__ import annotations

import pytest

from wirken.channels.render import links, tables
from wirken.channels.render.hygiene import visible
from wirken.channels.render.pieces import DIALECTS, rendered
from wirken.domain import channel_limits as limits

SOURCE = "# T\n\na **b _c_** ~~d~~ `e` [f](https://g.example/h)\n\n- i\n  - j\n\n> k\n\n```py\nl < m\n```"
WRITTEN = {
    "telegram": '<b>T</b>\n\na <b>b</b> <b><i>c</i></b> <s>d</s> <code>e</code> <a href="https://g.example/h">f</a> '
    "(g.example)\n\n• i\n\u00a0\u00a0\u00a0• j\n\n<blockquote>k</blockquote>\n\n"
    '<pre><code class="language-py">l &lt; m</code></pre>',
    "discord": "# T\n\na **b** **_c_** ~~d~~ `e` "
    "[f](<https://g.example/h>) (g.example)\n\n• i\n\u00a0\u00a0\u00a0• j\n\n"
    "> k\n\n```py\nl < m\n```",
    "slack": "*T*\n\na *b* *_c_* ~d~ `e` <https://g.example/h|f> (g.example)\n\n• i\n\u00a0\u00a0\u00a0• j\n\n> k\n\n"
    "```\nl &lt; m\n```",
    "matrix": "<h1>T</h1>a <strong>b</strong> <strong><em>c</em></strong> <del>d</del> <code>e</code> "
    '<a href="https://g.example/h">f</a> (g.example)<br><br>• i<br>&nbsp;&nbsp;&nbsp;• j<blockquote>k</blockquote>'
    '<pre><code class="language-py">l &lt; m\n</code></pre>',
    "teams": "**T**\n\na **b** ***c*** ~~d~~ `e` "
    "[f](<https://g.example/h>) (g.example)\n\n• i\n\n\u00a0\u00a0\u00a0• j\n\n"
    "> k\n\n```py\nl < m\n```",
    "whatsapp": "*T*\n\na *b* *_c_* ~d~ `e` "
    "f (https://g.example/h)\n\n• i\n\u00a0\u00a0\u00a0• j\n\n> k\n\n```\nl < m\n```",
}


@pytest.mark.parametrize("platform", DIALECTS)
def test_each_platform_gets_its_own_markup(platform: str) -> None:
    (piece,) = rendered(SOURCE, DIALECTS[platform])
    assert piece.markup == WRITTEN[platform]
    assert piece.plain.startswith("T\n\na b c d e f (")


def test_a_narrow_table_is_drawn_and_a_wide_one_is_told() -> None:
    (piece,) = rendered("|a|漢字|\n|-|-|\n|b|c|", DIALECTS["whatsapp"])
    assert piece.markup == "```\na │ 漢字\n──┼─────\nb │ c\n```"
    wide = "x" * limits.TABLE_WIDTH
    (piece,) = rendered(f"|a|b|\n|-|-|\n|{wide}|c|", DIALECTS["whatsapp"])
    assert piece.markup == f"*a*: {wide}\n*b*: c"


@pytest.mark.parametrize(("width", "drawn"), [(limits.TABLE_WIDTH, True), (limits.TABLE_WIDTH + 1, False)])
def test_a_drawn_table_has_its_width(width: int, drawn: bool) -> None:
    assert (tables.drawn([["a" * width], ["b"]]) is not None) is drawn


@pytest.mark.parametrize(("letters", "masks"), [(limits.LINK_TEXT, True), (limits.LINK_TEXT + 1, False)])
def test_a_links_text_has_its_length(letters: int, masks: bool) -> None:
    parts = links.honest("x" * letters, "https://a.example/", masked=True)
    assert (parts[0] == ("x" * letters, True)) is masks


def test_joiners_stay_where_they_have_an_office() -> None:
    for text in ("👩\u200d👧", "❤\ufe0f\u200d🔥", "می\u200cخواهم", "क\u094d\u200dष"):
        assert visible(text) == text
    assert visible("pay\u200dpal") == "pay\\u200dpal"


def test_a_list_goes_on_counting_and_an_item_of_code_has_its_mark() -> None:
    (piece,) = rendered("7. a\n8. ```\n   b\n   ```", DIALECTS["whatsapp"])
    assert piece.markup == "7. a\n8. \n```\nb\n```"


def test_quotes_without_text_leave_no_trace() -> None:
    (piece,) = rendered(">>\n>0", DIALECTS["discord"])
    assert piece.markup == "> 0"


@pytest.mark.parametrize(
    "target",
    [
        "https://matrix.to/#/@a:b",
        "https://MATRIX.to./#/%40a:b",
        "https://app.example/#/user/@a:b",
        "http://c.example/#/!r",
    ],
)
def test_a_link_that_matrix_clients_draw_as_a_mention_is_text(target: str) -> None:
    (piece,) = rendered(f"[boss]({target}) https://a.example/matrix.to", DIALECTS["matrix"])
    assert piece.markup.count("<a ") == 1
    assert '<a href="https://a.example/matrix.to">' in piece.markup
