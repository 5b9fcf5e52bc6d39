"""The other processes of ours that are connected now: the runner, outbound, and runners for other workspaces."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from wirken.domain import limits
from wirken.domain.errors import Unavailable
from wirken.domain.ids import RoleName
from wirken.ipc.link import Link


@dataclass(slots=True)
class Wings:
    """Links by role. Who asks for one that is restarting waits for it, `limits.READY_TIME` at most."""

    _links: dict[RoleName, Link] = field(default_factory=dict)
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def arrived(self, role: RoleName, link: Link) -> None:
        """Take a newly connected wing; an older connection of the same role is dropped."""
        async with self._arrived:
            older = self._links.get(role)
            self._links[role] = link
            self._arrived.notify_all()
        if older is not None:
            older.drop()

    def left(self, link: Link) -> None:
        """Forget a connection that was lost."""
        if self._links.get(link.peer) is link:
            del self._links[link.peer]

    async def get(self, role: RoleName) -> Link:
        """Return the link to a role. Raises `Unavailable` when it does not come up in time."""
        link = self._links.get(role)
        if link is not None:
            return link
        try:
            async with asyncio.timeout(limits.READY_TIME), self._arrived:
                await self._arrived.wait_for(lambda: role in self._links)
                return self._links[role]
        except TimeoutError:
            raise Unavailable(
                f"The {role} process is not connected.", hint="`wirken status` shows its state."
            ) from None

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(sorted(self._links))
