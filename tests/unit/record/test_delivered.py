from __future__ import annotations

import pytest

from wirken.domain.events import AssistantMessageFact, DeliveryConfirmed, DeliveryFailed, Fact, TurnEnded
from wirken.record.delivered import Deliverable

SAID = AssistantMessageFact(text="hi")
ENDED = TurnEnded(outcome="failed", reason="", rounds=0)
WRONG = "a delivery of a row that says nothing to anybody, or a second one"


def confirmed(about: int) -> DeliveryConfirmed:
    return DeliveryConfirmed(about_seq=about, platform_ids=("1",), attempts=1)


def failed(about: int) -> DeliveryFailed:
    return DeliveryFailed(about_seq=about, reason="gone", attempts=1)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([SAID, confirmed(0)], 0),
        ([SAID], 0),
        ([ENDED, failed(0)], 0),
        ([SAID, SAID, confirmed(1), confirmed(0)], 0),
        ([SAID, confirmed(0), confirmed(0)], 1),
        ([SAID, failed(0), confirmed(0)], 1),
        ([confirmed(0)], 1),
        ([confirmed(1), SAID], 1),
        ([SAID, confirmed(5)], 1),
    ],
)
def test_each_row_that_speaks_is_delivered_once_at_most(rows: list[Fact], found: int) -> None:
    delivered = Deliverable()
    said = [said for seq, fact in enumerate(rows) for said in delivered.follow(seq, fact, blind=False)]
    assert said == [WRONG] * found


def test_after_a_row_that_cannot_be_read_nothing_is_held_against_a_delivery() -> None:
    assert list(Deliverable().follow(9, confirmed(3), blind=True)) == []
