"""A vault that is away for long when the gateway starts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TypeVar

import pytest

from wirken.domain import limits
from wirken.domain.clock import SystemClock
from wirken.domain.ids import AgentId, ChannelId, SessionId
from wirken.gateway.agent.attest import vouch_once_it_answers
from wirken.gateway.log import AuditLog
from wirken.gateway.sessions import Session
from wirken.ipc.calls.vault import HeadReply, VaultQuestion
from wirken.ipc.vault_wire import VaultLost

T = TypeVar("T")


class Away:
    """A vault that answers only after more than one question's patience."""

    def __init__(self) -> None:
        self.back = asyncio.get_running_loop().time() + limits.VAULT_WAIT + 1

    async def call(self, question: VaultQuestion, reply: type[T]) -> T:
        if asyncio.get_running_loop().time() < self.back:
            raise VaultLost("It is away.")
        answer = HeadReply(-1, "")
        assert isinstance(answer, reply)
        return answer


@pytest.mark.slow
async def test_recovery_waits_for_a_vault_longer_than_one_question_does(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.db", SystemClock(), lambda: None)
    log.start()
    session = Session(SessionId("default/terminal/a"), AgentId("default"), ChannelId("terminal"), log)
    try:
        async with asyncio.timeout(limits.VAULT_WAIT * 4):
            await vouch_once_it_answers(Away(), session)
    finally:
        log.close()
    assert session.signed == -1
