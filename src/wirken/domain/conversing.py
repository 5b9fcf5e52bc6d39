"""Rows about conversing beside the model: what people said to Wirken, what reached a platform. Part of `events.py`."""

from __future__ import annotations

from wirken.domain.fact import _Fact


class StopRequested(_Fact, frozen=True, kw_only=True, tag="stop_requested"):
    """A person said `/stop`: the running turn ends, no model is asked."""

    by: str
    platform_id: str


class NewRequested(_Fact, frozen=True, kw_only=True, tag="new_requested"):
    """A person said `/new`: the `compaction` behind this row leaves out all that was said before."""

    by: str
    platform_id: str


class DeliveryConfirmed(_Fact, frozen=True, kw_only=True, tag="delivery_confirmed"):
    """The platform has what the row `about_seq` says, as these messages of it. The adapter's word, no more.

    `attempts`: how often this gateway process asked for it.
    """

    about_seq: int
    platform_ids: tuple[str, ...]
    attempts: int


class DeliveryFailed(_Fact, frozen=True, kw_only=True, tag="delivery_failed"):
    """What the row `about_seq` says will not be sent any more. Whether the platform has it, nobody knows."""

    about_seq: int
    reason: str
    attempts: int
