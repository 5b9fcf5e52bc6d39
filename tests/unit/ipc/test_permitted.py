"""What every process does that carries out permitted calls: each permit once, arguments read strictly."""

from __future__ import annotations

import msgspec
import pytest

from wirken.domain import limits
from wirken.domain.errors import Refused
from wirken.ipc.calls.runner import WirePermit
from wirken.ipc.permitted import Unusable, Used, arguments


class Path(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    path: str


def permit(seq: int, session: str = "default/terminal/c") -> WirePermit:
    return WirePermit(session, seq, "ab" * 32)


def test_so_many_used_permits_are_remembered() -> None:
    used = Used()
    for seq in range(limits.PERMITS_REMEMBERED):
        used.use(permit(seq))
    for seq in (0, limits.PERMITS_REMEMBERED - 1):
        with pytest.raises(Refused, match="used before"):
            used.use(permit(seq))
    used.use(permit(0, "default/terminal/d"))
    with pytest.raises(Refused, match="used before"):
        used.use(permit(1))
    used.use(permit(0))  # the oldest, which a gateway that works never sends again


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", '{"path": 1}', '{"path": NaN}', '{"path": "a"} x', "[" * 10_000),
        *('{"path": "a", "b": 1}', '{"path": "a", "path": "b"}', '{"path": "a", "p\\u0061th": "b"}'),
    ],
    ids=range(10),
)
def test_arguments_that_two_readers_could_take_differently_are_no_arguments(text: str) -> None:
    with pytest.raises(Unusable):
        arguments(text, Path)


def test_arguments_are_what_their_type_says() -> None:
    assert arguments('{"path": "\\u00e4"}', Path) == Path("\u00e4")
