"""The simulated Bot API does what the documentation says, so that what passes against it says something."""

from __future__ import annotations

import pytest
from tests.support.channel_rig import Rig
from tests.support.telegram_html import Unparsable, parsed
from tests.support.telegram_rig import TelegramRig


@pytest.mark.parametrize(
    ("markup", "text", "kinds"),
    [
        ("<b>a</b> <i>b</i>", "a b", ["bold", "italic"]),
        ("<b>a<i>b</i></b>", "ab", ["bold", "italic"]),
        ("&lt;b&gt; &amp;amp; &quot; &#65;&#x42; &copy;", '<b> &amp; " AB &copy;', []),
        ('<a href="https://x.org/?a=1&amp;b=2">x</a>', "x", ["text_link"]),
        ('<pre><code class="language-py">x &lt; y</code></pre>', "x < y", ["pre"]),
        ("<code><b>x</b></code>", "x", ["code"]),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>", "ab", ["blockquote"]),
        ("  <b> x </b>\n", "x", ["bold"]),
        ("<b></b>x", "x", []),
        ("a</ b", None, []),
        ("<b>a", None, []),
        ("<b>a</i>", None, []),
        ("a</b>", None, []),
        ("<h1>a</h1>", None, []),
        ("a < b", None, []),
        ('<span class="x">a</span>', None, []),
        ("<", None, []),
    ],
)
def test_html_is_read_strictly(markup: str, text: str | None, kinds: list[str]) -> None:
    if text is None:
        with pytest.raises(Unparsable):
            parsed(markup)
        return
    found, entities = parsed(markup)
    assert (found, [entity.type for entity in entities]) == (text, kinds)


def test_offsets_count_utf_16_and_a_101st_entity_is_left_out() -> None:
    _, (entity,) = parsed("😀<b>😀x</b>")
    assert (entity.offset, entity.length) == (2, 3)
    text, entities = parsed("<b>x</b> " * 101)
    assert len(entities) == 100 and text.count("x") == 101
    _, (block,) = parsed('<pre><code class="language-py">x</code></pre>')
    assert block.language == "py"


def test_it_is_a_rig_of_the_contract_suite() -> None:
    rig: Rig = TelegramRig()
    assert rig.sender("alice") != rig.sender("bob")
