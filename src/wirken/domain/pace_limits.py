"""The numbers that bound how fast a captured adapter can make the gateway work, each with its unit and its reason.

A part of `limits.py`, to which everything else belongs. Measured by `tests/process/test_flood.py`.
"""

from __future__ import annotations

from typing import Final

LINK_READ: Final = 256 * 1024  # bytes taken at once from a process that is trusted with speed, as asyncio itself does
PACED_READ: Final = 16 * 1024  # bytes taken at once from an adapter, counted as a frame; 80 messages, 5 ms of work
PACED_FRAME: Final = 1 * 2**20  # bytes of an adapter's frame; a MESSAGE in the longest spelling takes a quarter
CHANNEL_FRAMES: Final = 50  # frames a second from one channel on average; five times its messages, and 5 % of a core
CHANNEL_BURST: Final = 512  # frames of one channel at once; answers to all DELIVERIES, and a backlog of INBOUND
DOOR_CALLERS: Final = 100  # connections a second that one socket takes on average; each costs 0.2 ms before it is known
DOOR_BURST: Final = 64  # connections at once; all processes and some terminals after a restart
