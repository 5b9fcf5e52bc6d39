"""What is known of the platforms' adapters: who is connected, since when, and what they say about themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from wirken.domain import channel_limits
from wirken.domain.clock import Clock
from wirken.domain.ids import ChannelId
from wirken.domain.text import clip, shown
from wirken.gateway.hub import Hub
from wirken.ipc.calls.channels import ChannelRow, ChannelState
from wirken.ipc.link import Link

_UNSAID: Final = ChannelState(connected=False)


@dataclass(slots=True)
class _Known:
    """`said`: the last word of the adapter that is here; None: it has not said anything yet."""

    said: ChannelState | None = None
    since: int = 0
    last_message: int = 0


@dataclass(slots=True)
class Channels:
    """Nothing of this is kept when the gateway ends: adapters say it again."""

    hub: Hub
    clock: Clock
    _known: dict[ChannelId, _Known] = field(default_factory=dict)

    def attached(self, channel: ChannelId) -> None:
        """An adapter has connected to the gateway; what an earlier one said of its platform counts no more."""
        known = self._of(channel)
        known.said, known.since = None, self.clock.now()

    def lost(self, channel: ChannelId) -> None:
        """An adapter is gone, and no other is in its place."""
        self.attached(channel)

    def heard(self, channel: ChannelId) -> None:
        """A message came."""
        self._of(channel).last_message = self.clock.now()

    def says(self, channel: ChannelId, state: ChannelState) -> None:
        """Take what an adapter says about its platform."""
        known = self._of(channel)
        if known.said is None or known.said.connected != state.connected:
            known.since = self.clock.now()
        known.said = state

    def open(self, channel: ChannelId) -> Link | None:
        """Return the link to the adapter that takes messages for its platform now, if there is one.

        One that has not said anything of its platform yet may have it.
        """
        known = self._of(channel)
        if known.said is not None and not known.said.connected:
            return None
        return self.hub.adapter(channel)

    def rows(self, undelivered: dict[ChannelId, int]) -> tuple[ChannelRow, ...]:
        """Return what is known of each channel; `undelivered`: the messages that wait for each."""
        channels = sorted({*self._known, *undelivered})
        return tuple(self._row(channel, undelivered.get(channel, 0)) for channel in channels)

    def _of(self, channel: ChannelId) -> _Known:
        return self._known.setdefault(channel, _Known())

    def _row(self, channel: ChannelId, undelivered: int) -> ChannelRow:
        known = self._of(channel)
        said = known.said or _UNSAID
        return ChannelRow(
            channel=channel,
            attached=self.hub.adapter(channel) is not None,
            connected=said.connected,
            since=known.since,
            last_message=known.last_message,
            undelivered=undelivered,
            detail=clip(shown(said.detail), channel_limits.CHANNEL_DETAIL)[0],
            revoked=said.revoked,
        )
