from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.programs import SomePrograms
from tests.support.shell_scripts import Scripts

from wirken.domain.actions import Place, Tier
from wirken.permissions.findings import Classified
from wirken.permissions.keys import NOTHING_KEY, PIPELINE_KEY
from wirken.permissions.profiles import INSPECTION, judge_argv, judge_text
from wirken.permissions.programs.verbs import NOTHING_KNOWN

PLACE = Place("/work", "bubblewrap")


def strict(text: str) -> Classified:
    return judge_text(text, "strict", PLACE, SomePrograms()).classified()


def standard(text: str) -> Classified:
    return judge_text(text, "standard", PLACE, SomePrograms()).classified()


@pytest.mark.parametrize("verb", sorted(INSPECTION))
def test_every_inspection_verb_is_tier_2_in_plain_words(verb: str) -> None:
    assert strict(f"{verb} a").tier is Tier.TWO
    assert strict(f" {verb}").tier is Tier.TWO


@pytest.mark.parametrize("verb", sorted(INSPECTION - {"echo", "printf", "pwd", "type"}))
def test_an_inspection_verb_that_is_not_installed_is_tier_3(verb: str) -> None:
    assert judge_text(f"{verb} a", "strict", PLACE, NOTHING_KNOWN).tier is Tier.THREE
    assert judge_argv((verb, "a"), "strict", PLACE, NOTHING_KNOWN).tier is Tier.THREE


@pytest.mark.parametrize("mark", ["|", ";", "&", "$(", "`", ">", "<", "\n"])
@given(before=st.text(st.characters()), after=st.text(st.characters()))
@settings(max_examples=25, deadline=None)
def test_a_mark_anywhere_makes_a_pipeline_of_a_text(mark: str, before: str, after: str) -> None:
    found = strict(before + mark + after)
    assert found.tier is Tier.THREE
    assert found.keys[0] == PIPELINE_KEY


@given(st.integers(0, 10**9))
@settings(max_examples=200, deadline=None)
def test_strict_is_never_laxer_than_standard_and_names_the_same(seed: int) -> None:
    text = Scripts(seed).text()
    assert strict(text).tier.rank >= standard(text).tier.rank
    assert set(standard(text).keys) - {NOTHING_KEY} <= set(strict(text).keys)


@pytest.mark.parametrize(
    "text", ["'ls'", "l\\s", '"ls" a', "(ls)", "! ls", "A=1 ls", "env ls", "./ls", "python a", "", "# ls", "if", "l* a"]
)
def test_anything_but_a_plain_inspection_verb_is_tier_3(text: str) -> None:
    assert strict(text).tier is Tier.THREE
