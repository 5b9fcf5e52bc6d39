"""tests/hostile/markup.jsonl: what models and tools might write to make a platform do something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

import pytest
from tests.support.markup import MATRIX_TAGS, TELEGRAM_TAGS, Page, markdown_links, slack_links

from wirken.channels.render.pieces import DIALECTS, rendered

CORPUS = Path(__file__).parents[3] / "hostile" / "markup.jsonl"


class Attack(TypedDict):
    id: str
    source: str
    links: list[str]
    never: dict[str, list[str]]
    why: str


ATTACKS: list[Attack] = [json.loads(line) for line in CORPUS.read_text().splitlines()]


def markup(attack: Attack, platform: str) -> str:
    return "\n\n".join(piece.markup for piece in rendered(attack["source"], DIALECTS[platform]))


def test_there_are_enough_attacks_each_with_a_name() -> None:
    assert len(ATTACKS) >= 60
    assert len({attack["id"] for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("platform", DIALECTS)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack['id']} {attack['why']}")
def test_nothing_of_an_attack_acts(attack: Attack, platform: str) -> None:
    found = "\n" + markup(attack, platform)
    for forbidden in (*attack["never"].get("all", ()), *attack["never"].get(platform, ())):
        assert forbidden not in found


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack['id']} {attack['why']}")
def test_only_the_links_of_the_source_are_links_and_only_known_tags_are_tags(attack: Attack) -> None:
    telegram = Page(markup(attack, "telegram"))
    assert telegram.links == attack["links"]
    assert telegram.tags <= TELEGRAM_TAGS
    matrix = Page(markup(attack, "matrix"))
    assert matrix.links == [link for link in attack["links"] if "matrix.to" not in link.lower()]
    assert matrix.tags <= MATRIX_TAGS
    assert list(slack_links(markup(attack, "slack"))) == attack["links"]
    assert markdown_links(markup(attack, "teams")) == attack["links"]
    assert markdown_links(markup(attack, "discord")) == attack["links"]
