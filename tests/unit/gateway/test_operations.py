"""What concerns no conversation is signed like everything else, without waiting for the next change."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.gateway_bench import bench

from wirken.domain.errors import Refused
from wirken.domain.ids import OPERATIONS
from wirken.ipc.calls import operator as ask


@pytest.mark.slow
async def test_a_refused_answer_is_signed_by_itself_and_then_nothing_more_is_written(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, at.operator() as gateway:
        late = ask.AnswerApproval(approval="none", lease="", choice="deny")
        verify = ask.VerifySession(OPERATIONS)
        for _ in range(3):
            with pytest.raises(Refused, match="not open any more"):
                await gateway.link.call(late, ask.Acknowledged)
        assert (await gateway.link.call(verify, ask.Verification)).status == "unverifiable"
        async with asyncio.timeout(10):
            while (await gateway.link.call(verify, ask.Verification)).status != "verified":
                await asyncio.sleep(0.05)
        rows = at.house.log.head(OPERATIONS).seq
        await asyncio.sleep(1.5)
        assert at.house.log.head(OPERATIONS).seq == rows
