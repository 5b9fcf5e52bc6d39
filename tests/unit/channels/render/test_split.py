from __future__ import annotations

import pytest

from wirken.channels.render.graphemes import may_cut
from wirken.channels.render.markup import utf16
from wirken.channels.render.pieces import DIALECTS, Piece, rendered
from wirken.domain import channel_limits as limits

TELEGRAM, DISCORD, MATRIX = DIALECTS["telegram"], DIALECTS["discord"], DIALECTS["matrix"]
platforms = pytest.mark.parametrize("platform", DIALECTS)


@pytest.mark.parametrize(("signs", "pieces"), [(limits.TELEGRAM_TEXT, 1), (limits.TELEGRAM_TEXT + 1, 2)])
def test_telegram_takes_4096_units_of_visible_text(signs: int, pieces: int) -> None:
    assert len(rendered("&" * signs, TELEGRAM)) == pieces
    assert len(rendered("𝄞" * (signs // 2) + "a" * (signs % 2), TELEGRAM)) == pieces


@pytest.mark.parametrize(("count", "pieces"), [(limits.TELEGRAM_ENTITIES, 1), (limits.TELEGRAM_ENTITIES + 1, 2)])
def test_telegram_takes_100_entities(count: int, pieces: int) -> None:
    assert len(rendered("**a** " * count, TELEGRAM)) == pieces


@pytest.mark.parametrize(
    ("platform", "limit"),
    [
        ("discord", limits.DISCORD_TEXT),
        ("slack", limits.SLACK_TEXT),
        ("whatsapp", limits.WHATSAPP_TEXT),
        ("teams", (limits.TEAMS_MESSAGE - limits.TEAMS_ENVELOPE) // 2),
    ],
)
def test_a_message_of_the_limit_is_one_and_one_sign_more_makes_two(platform: str, limit: int) -> None:
    assert len(rendered("a" * limit, DIALECTS[platform])) == 1
    assert len(rendered("a" * (limit + 1), DIALECTS[platform])) == 2


def test_a_matrix_event_fits_also_when_it_is_encrypted() -> None:
    pieces = rendered("<é" * 50_000, MATRIX)
    assert len(pieces) > 1
    assert all(MATRIX.fits(piece.markup, piece.plain) for piece in pieces)
    assert limits.MATRIX_CONTENT * 4 // 3 + limits.MATRIX_ENVELOPE <= limits.MATRIX_EVENT


@platforms
def test_100_000_characters_arrive_whole(platform: str) -> None:
    words = " ".join(f"word{number}" for number in range(10_000))
    pieces = rendered(words, DIALECTS[platform])
    assert [word for piece in pieces for word in piece.plain.split()] == words.split()


@platforms
def test_a_code_block_is_closed_and_opened_again_with_its_language(platform: str) -> None:
    rows = [f"value_{number} = {number}" for number in range(2500)]
    pieces = rendered("```python\n" + "\n".join(rows) + "\n```", DIALECTS[platform])
    assert len(pieces) > 1
    opening = pieces[0].markup.split("value_0")[0]
    closing = pieces[-1].markup.split("2499")[-1]
    assert all(piece.markup.startswith(opening) and piece.markup.endswith(closing) for piece in pieces)
    assert "\n".join(piece.plain for piece in pieces).split("\n") == rows


@pytest.mark.parametrize("sign", ["👩\u200d👩\u200d👧\u200d👦", "🇩🇪", "e\u0301", "👍🏽", "क्ष", "ᄒ\u1161ᆫ", "❤\ufe0f"])
def test_no_sign_is_torn_apart(sign: str) -> None:
    for shift in range(4):
        pieces = rendered("a" * shift + sign * 2500, DISCORD)
        assert len(pieces) > 1
        assert all(piece.plain.lstrip("a") == sign * piece.plain.count(sign) for piece in pieces)


def test_no_link_is_torn_apart() -> None:
    pieces = rendered("[some words of text](https://a.example/path) " * 200, DISCORD)
    whole = "[some words of text](<https://a.example/path>)"
    assert len(pieces) > 1
    assert sum(piece.markup.count(whole) for piece in pieces) == 200


def test_no_table_row_is_torn_apart() -> None:
    wide = "|Name|Text|\n|-|-|\n" + "".join(f"|row {at}|{'long words ' * 8}|\n" for at in range(100))
    for piece in rendered(wide, DISCORD):
        assert piece.markup.count("**Name**") == piece.markup.count("**Text**")


def test_a_heading_goes_with_what_it_heads() -> None:
    first, second = rendered("a" * 1970 + "\n\n# Title\n\n" + "b" * 100, DISCORD)
    assert first.plain == "a" * 1970
    assert second == Piece("# Title\n\n" + "b" * 100, "Title\n\n" + "b" * 100)


def test_a_link_that_fits_no_message_becomes_text() -> None:
    pieces = rendered(f"x [{'y' * 255}](https://a.example/{'&' * 1000})", DIALECTS["slack"])
    assert all(utf16(piece.markup) <= limits.SLACK_TEXT for piece in pieces)


def test_nothing_makes_no_message() -> None:
    for source in ("", " \n\n", "```\n\n```"):
        assert rendered(source, TELEGRAM) == ()


def test_flags_are_cut_in_pairs_only() -> None:
    flags = "🇩🇪🇫🇷"
    assert [may_cut(flags, at) for at in (1, 2, 3)] == [False, True, False]
