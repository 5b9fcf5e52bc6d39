from __future__ import annotations

from wirken.channels.recent import Recent


def test_what_was_written_last_is_kept_and_no_more() -> None:
    kept = Recent[str, int](2)
    assert kept.put("a", 1) == 1
    kept.put("b", 2)
    kept.put("a", 3)  # is newer than b now
    kept.put("c", 4)
    assert [kept.get(key, None) for key in "abc"] == [3, None, 4]
