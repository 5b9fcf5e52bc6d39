from __future__ import annotations

from tests.support.virtual_time import VirtualTime

from wirken.channels.slack_pace import Pace


async def test_so_many_go_in_a_row_and_then_one_in_each_gap() -> None:
    time = VirtualTime()
    pace = Pace(time, 3, 2.0)
    assert [pace.take() for _ in range(5)] == [0.0, 0.0, 0.0, 2.0, 2.0]
    await time.passes(1.5)
    assert pace.take() == 0.5
    await time.passes(0.5)
    assert [pace.take(), pace.take()] == [0.0, 2.0]
    await time.passes(100.0)
    assert [pace.take() for _ in range(4)] == [0.0, 0.0, 0.0, 2.0]
