"""A question to a person as lines of text, the same wherever text is shown: terminal or chat. Pure.

Every byte of the call is in it. What stands in a line is visible and stays on it: `domain.text.shown` has escaped what
could move a cursor, reorder, hide or begin a line, and padding is counted instead of drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from wirken.domain.text import quoted, shown, unpadded
from wirken.ipc.calls.operator import ApprovalRow

_HEAD, _TAIL, _MARK = 18, 10, 17
"""Characters of a long text that stand above the question, and of the mark between: with all else, a line of 80."""
_MINUTE: Final = 60_000  # ms


class Line(NamedTuple):
    """`kind` says what may be emphasised: the `head` of a title, the `text` of the matter itself."""

    head: str
    text: str
    kind: Literal["title", "plain", "matter"] = "plain"


def lines(row: ApprovalRow, now: int) -> Iterator[Line]:
    """Yield the question at `now` (ms).

    A long call wraps into lines that may look like ours. So the last two lines, short whatever the call is, say again
    what is decided about.
    """
    left = time_left(row, now)
    keys = _seen(", ".join(row.action_keys))
    yield Line("Approval needed ", f"({row.tier}; {keys}; {left})", "title")
    called = f", who is called {_seen(quoted(row.sender_name))} there" if row.sender_name else ""
    yield Line("  asked:  ", f"by {_seen(row.principal) or 'somebody'} in {_seen(row.session)}{called}")
    if row.message:
        yield Line("  wrote:  ", f"{_seen(quoted(row.message))}{_left_out(row.message_cut)}")
    if row.said:
        yield Line("  model:  ", f"{_seen(quoted(row.said))}{_left_out(row.said_cut)}")
    yield Line(f"  {_seen(row.tool)}: ", _seen(row.command), "matter")
    for reason in row.reasons:
        yield Line("  why:    ", _seen(reason))
    for place in row.place:
        yield Line("  where:  ", _seen(place))
    yield Line("  call:   ", _seen(row.call))
    yield Line("  sha256: ", _seen(row.lease))
    yield Line("You decide on ", f"{row.tier}; {ends(keys)}; {left}", "title")
    yield Line(f"  {_seen(row.tool)}, {len(row.command)} characters: ", ends(_seen(row.command)), "matter")


def time_left(row: ApprovalRow, now: int) -> str:
    """Return how long the question stays open, from when its quiet hours have ended."""
    if row.held_until > now:
        minutes = -(-(row.held_until - now) // _MINUTE)
        return f"held for {minutes} min by quiet hours, then {(row.expires - row.held_until) // 1000} s"
    return f"{max(0, (row.expires - now) // 1000)} s"


def _seen(text: str) -> str:
    return shown(unpadded(text))


def _left_out(count: int) -> str:
    return f" and {count} more bytes, not shown" if count else ""


def ends(plain: str) -> str:
    """Return the beginning and the end of a long text, with what is between them counted."""
    between = len(plain) - _HEAD - _TAIL
    return plain if between <= _MARK else f"{plain[:_HEAD]} «{between} more» {plain[-_TAIL:]}"
