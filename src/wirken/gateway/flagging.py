"""Put beside a text from outside what looks like an injection in it, in the same commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wirken.domain import limits
from wirken.domain.events import Fact, InjectionFlag, ToolResultFact, Trust, UserMessageFact
from wirken.permissions.injection import flags


def noticed(first: int, entries: Iterable[tuple[Trust, Fact]]) -> list[tuple[Trust, Fact]]:
    """Return the flags of these facts, of which the first gets the row `first`: messages, and what tools gave back."""
    found = ((seq, flags(_outside(fact))) for seq, (_, fact) in enumerate(entries, first))
    return [(Trust.GATEWAY, InjectionFlag(about_seq=seq, flags=seen)) for seq, seen in found if seen]


def warnings(recent: Sequence[InjectionFlag]) -> tuple[str, ...]:
    """Return sentences about the latest flagged rows, for a person who is asked to allow something."""
    left_out = len(recent) - limits.FLAGS_SHOWN
    said = [
        f"Row {fact.about_seq} looks like an injection: it {fact.flags[0].reason}"
        + (f" (and {len(fact.flags) - 1} more)" if len(fact.flags) > 1 else "")
        for fact in recent[-limits.FLAGS_SHOWN :]
        if fact.flags
    ]
    return (*said, f"Earlier rows of this session were flagged as well: {left_out}.") if left_out > 0 else tuple(said)


def _outside(fact: Fact) -> str:
    match fact:
        case UserMessageFact(text=text):
            return text
        case ToolResultFact(outcome="ok" | "failed" | "unknown", output=output):
            return output
        case _:
            return ""
