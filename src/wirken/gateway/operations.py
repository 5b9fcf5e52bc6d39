"""The session that belongs to no conversation: starts and stops, configuration, grants, refused peers.

Its rows are attested like any other's, by the gateway's own agent key: at start and stop, at once after each change
of grants or senders, and within `limits.OPERATIONS_UNSIGNED` of whatever else is written there.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from wirken.domain import limits
from wirken.domain.errors import WirkenError
from wirken.domain.events import Attestation, Fact, Trust
from wirken.domain.ids import OPERATIONS, parse_session
from wirken.gateway.agent.attest import AsksVault, attest
from wirken.gateway.log import AuditLog, Stored
from wirken.gateway.sessions import Session

_logger: Final = logging.getLogger("wirken.gateway")


class Operations:
    """Records what concerns the gateway itself. A vault that cannot be asked delays the attestation, not the row."""

    def __init__(self, log: AuditLog, vault: AsksVault) -> None:
        agent, channel, _ = parse_session(OPERATIONS)
        self._log = log
        self._session = Session(OPERATIONS, agent, channel, log)
        self._vault = vault
        self._news = asyncio.Event()

    async def record(self, *entries: tuple[Trust, Fact]) -> None:
        """Put the facts on disk. Raises `RecordFailed`."""
        await self._session.record(*entries)
        self._session.unattested = True

    def committed(self, stored: Stored) -> None:
        """Hear of every row on disk, whoever wrote it."""
        if stored.row.session == OPERATIONS and not isinstance(stored.row.fact, Attestation):
            self._news.set()

    async def keep_attested(self) -> None:
        """Have signed what is written here, a little later, so that a flood of rows shares a signature. Runs until
        it is cancelled."""
        while True:
            await self._news.wait()
            await asyncio.sleep(limits.OPERATIONS_UNSIGNED)
            self._news.clear()
            await self.attest()

    async def attest(self) -> None:
        """Have what was recorded so far signed; where that fails, say so and try with the next entry."""
        signed = self._session.signed
        if signed is None or self._log.head(OPERATIONS).seq > signed + 1:  # more than the last attestation itself
            self._session.unattested = True
        try:
            await attest(self._vault, self._session)
        except WirkenError as error:
            _logger.warning("the record of operations is not attested: %s %s", error, error.advice)
