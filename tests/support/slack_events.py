"""Envelopes of the simulated Socket Mode: each goes over one of the connections, again until it is acknowledged."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, field

from aiohttp import web
from tests.support.slack_state import Json


@dataclass
class Pending:
    """An envelope; `attempts` counts how often it was sent."""

    id: str
    kind: str
    payload: Json
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)
    attempts: int = 0

    def wire(self) -> str:
        known: Json = {"envelope_id": self.id, "type": self.kind, "payload": self.payload}
        if self.kind == "events_api":
            again = self.attempts - 1
            known |= {"accepts_response_payload": False, "retry_attempt": max(again, 0)}
            known |= {"retry_reason": "timeout" if again > 0 else ""}
        return json.dumps(known)


class Envelopes:
    """Sends envelopes. Events come again after `again_after` seconds, or at once when their connection ends."""

    def __init__(self) -> None:
        self.links: list[web.WebSocketResponse] = []
        self.again_after = 3.0
        self.all: dict[str, Pending] = {}
        self._numbers = itertools.count(1)
        self._turn = itertools.count()
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def push(self, kind: str, payload: Json) -> Pending:
        number = next(self._numbers)
        pending = Pending(f"00000000-0000-4000-8000-{number:012}", kind, payload)
        self.all[pending.id] = pending
        self.send(pending)
        return pending

    def send(self, pending: Pending) -> None:
        """Send it, and events again until they are acknowledged; buttons and commands are sent once."""
        task = asyncio.get_running_loop().create_task(self._delivered(pending))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def joined(self, link: web.WebSocketResponse) -> None:
        async with self._changed:
            self.links.append(link)
            self._changed.notify_all()

    async def left(self, link: web.WebSocketResponse) -> None:
        async with self._changed:
            self.links.remove(link)
            self._changed.notify_all()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _delivered(self, pending: Pending) -> None:
        while not pending.acknowledged.is_set():
            async with self._changed:
                await self._changed.wait_for(lambda: self.links)
                if pending.acknowledged.is_set():
                    return
                link = self.links[next(self._turn) % len(self.links)]
            pending.attempts += 1
            try:
                await link.send_str(pending.wire())
            except (ConnectionError, RuntimeError):
                await asyncio.sleep(0.01)
                continue
            await self._waited(pending, link)
            if pending.kind != "events_api":
                return

    async def _waited(self, pending: Pending, link: web.WebSocketResponse) -> None:
        """Wait for the acknowledgement, for the end of the connection, or until it is too late."""
        deadline = asyncio.get_running_loop().time() + self.again_after
        while not pending.acknowledged.is_set() and link in self.links:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return
            try:
                await asyncio.wait_for(pending.acknowledged.wait(), min(left, 0.05))
            except TimeoutError:
                continue
