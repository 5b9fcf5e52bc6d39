"""Sends a file of the agent's to the conversation that its session is bound to, and says what became of it."""

from __future__ import annotations

import asyncio
import mimetypes
from dataclasses import dataclass
from typing import Final

from wirken.domain import channel_limits, file_limits, limits
from wirken.domain.errors import WirkenError
from wirken.domain.ids import parse_session
from wirken.domain.inbox import kept_name
from wirken.domain.text import brief, clean, clip
from wirken.gateway.channels import Channels
from wirken.ipc.asking import LinkLost
from wirken.ipc.calls.channels import Deliver, Delivered
from wirken.ipc.calls.runner import Ran
from wirken.record.permit import Permit

_types: Final = mimetypes.MimeTypes(filenames=())  # by our own table, not by the machine's files
_AWAY: Final = "Not sent: this conversation's channel is not connected now."
_UNKNOWN: Final = "The outcome is unknown: the channel was lost before it confirmed the file."


@dataclass(frozen=True, slots=True)
class Posting:
    """Takes a permit, as whoever acts does."""

    channels: Channels

    async def __call__(self, permit: Permit, path: str, caption: str, handle: int) -> Ran:
        """Send the sealed memfd `handle`, and return once the platform has it or never will.

        A channel that is away is waited for within file_limits.SEND_WAIT; one that is lost meanwhile is asked again
        with the same key, as the same file.
        """
        _, channel, conversation = parse_session(permit.session)
        name = kept_name(path)
        question = Deliver(
            key=f"{permit.session}:{permit.seq}",
            conversation=conversation,
            text=caption,
            file=name,
            media_type=_types.guess_type(name)[0] or "application/octet-stream",
        )
        begun, pause = False, limits.RESTART_FIRST
        try:
            async with asyncio.timeout(file_limits.SEND_WAIT):
                while True:
                    link = self.channels.open(channel)
                    if link is not None:
                        begun = True
                        try:
                            return _told(await link.call(question, Delivered, (handle,)), name)
                        except LinkLost:
                            await link.closed.wait()
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, limits.REDIAL_LONGEST)
        except TimeoutError:
            return Ran(outcome="unknown", output=_UNKNOWN) if begun else Ran(outcome="failed", output=_AWAY)
        except WirkenError as error:
            return Ran(outcome="failed", output=f"Not sent: {brief(str(error))}")


def _told(delivered: Delivered, name: str) -> Ran:
    if delivered.failed:
        return Ran(outcome="failed", output=f"Not sent: {brief(delivered.failed)}")
    given = delivered.platform_ids[: channel_limits.DELIVERY_IDS]
    ids = ", ".join(clip(clean(one), limits.PLATFORM_ID)[0] for one in given)
    return Ran(outcome="ok", output=f"Sent {name} to this conversation (the platform's id: {ids or 'none'}).")
