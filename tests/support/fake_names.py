"""A resolver that knows what a test tells it."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence


class Names:
    """Answers from a table that a test may change; a name that it does not know cannot be resolved."""

    def __init__(self, table: Mapping[str, Sequence[str]]) -> None:
        self.table = dict(table)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.table:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return self.table[host]
