"""What is found about a call while it is judged: the highest tier, all keys, and the reasons for a person."""

from __future__ import annotations

from dataclasses import dataclass, field

from wirken.domain import limits
from wirken.domain.actions import ENTRIES, CanonicalCall, Outside, Tier
from wirken.domain.ids import ActionKey
from wirken.permissions.keys import DYNAMIC_KEY, NOTHING_KEY


@dataclass(frozen=True, slots=True)
class Classified:
    """What a call touches: its tier, its keys, and why it needs asking, as sentences for a person."""

    tier: Tier
    keys: tuple[ActionKey, ...]
    reasons: tuple[str, ...] = ()
    reaches: tuple[Outside, ...] = ()
    """The certain paths outside the workspace that it names, each once."""
    steers: bool = False
    """It is there to write files that steer the agent or the person's own tools; a person says yes each time."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A call, and what was found about exactly this call: what is decided about."""

    call: CanonicalCall
    found: Classified


@dataclass(slots=True)
class Findings:
    """Grows only: nothing that is found later takes anything back."""

    tier: Tier = Tier.TWO
    _keys: dict[str, None] = field(default_factory=dict)
    _reasons: dict[str, Tier] = field(default_factory=dict)
    _reaches: dict[str, Outside] = field(default_factory=dict)
    doubtful: bool = False
    first: str = ""
    """A key that stands before all others."""
    steers: bool = False

    @property
    def said(self) -> int:
        """How many reasons there are."""
        return len(self._reasons)

    def key(self, key: str) -> None:
        """Note what the call does."""
        self._keys[key] = None

    def reaches(self, one: Outside) -> None:
        """Note a path outside the workspace, writable only where it is written for certain."""
        self._reaches[one.path] = max(one, self._reaches.get(one.path, one), key=_asked_of)

    def asks(self, tier: Tier, reason: str) -> None:
        """Note why a person is asked."""
        if tier.rank > self.tier.rank:
            self.tier = tier
        if self._reasons.get(reason, Tier.ONE).rank < tier.rank:
            self._reasons[reason] = tier

    def steering(self, reason: str) -> None:
        """Note that the call is there to write files that steer."""
        self.steers = True
        self.asks(Tier.THREE, reason)

    def doubt(self, reason: str) -> None:
        """Note that the call may do something that is not named."""
        self.doubtful = True
        self.asks(Tier.THREE, reason)

    def classified(self) -> Classified:
        """Return everything, the reasons for the highest tier first."""
        keys = [*filter(None, [self.first, DYNAMIC_KEY if self.doubtful else ""]), *self._keys]
        reasons = sorted(self._reasons, key=lambda reason: -self._reasons[reason].rank)
        shown = reasons[: limits.REASONS]
        if len(reasons) > len(shown):
            shown.append(f"… and {len(reasons) - len(shown)} more reasons.")
        reaches = tuple(self._reaches.values())
        named = tuple(map(ActionKey, keys or [NOTHING_KEY]))
        return Classified(self.tier, named, tuple(shown or [_NOTHING]), reaches, self.steers)


def _asked_of(one: Outside) -> int:
    """Return how much of a path's name is asked; each step holds the ones before."""
    return 1 + ENTRIES.index(one.entry) if one.writable else 0


_NOTHING = "It runs no program."
