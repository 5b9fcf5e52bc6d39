"""A user's question that is put to a home conversation, while the gateway's process is killed and started again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.adapter import Adapter, at_gateway
from tests.support.gateway_bench import PATIENCE, facts, settled
from tests.support.gateway_process import GatewayProcess, gateway_process
from tests.support.scripted_wings import calls, says
from tests.support.spine import spine, wirken

from wirken.cli.gateway import connected
from wirken.domain.errors import Refused
from wirken.domain.events import (
    ApprovalRefused,
    ApprovalRequested,
    PermissionApproved,
    ToolPermitted,
    TurnEnded,
    TurnResumed,
)
from wirken.domain.ids import OPERATIONS
from wirken.ipc.calls.operator import Acknowledged, ApprovalRows, PendingApprovals
from wirken.ipc.calls.senders import AllowSender
from wirken.ipc.frames import Accepted, Inbound
from wirken.record.verify import Status

pytestmark = pytest.mark.slow
SESSION = "default/telegram/d7"
RM = ("exec", '{"command":"rm -r old"}')
CONFIG = """
[agents.default]
model = "fake/gpt-test"
[providers.fake]
kind = "openai"
base_url = "http://127.0.0.1:1"
[approvals]
daemon_seconds = 3600
home = "matrix/h"
"""


async def people(gateway: GatewayProcess) -> None:
    known = (
        ("telegram", "7", "ann", "user"),
        ("matrix", "@olga:x", "olga", "owner"),
        ("matrix", "@ann:x", "ann", "user"),
    )
    async with connected(gateway.paths.operator_socket) as owner:
        for channel, sender, name, role in known:
            question = AllowSender(channel=channel, sender=sender, principal=name, role=role)
            await owner.link.call(question, Acknowledged)


async def asked(telegram: Adapter, gateway: GatewayProcess) -> Inbound:
    """Have a user ask for something that needs a yes; return once the question is in the queue."""
    message = telegram.put(telegram.message("7", "tidy up"))
    assert isinstance(await telegram.accepted(message), Accepted)
    async with connected(gateway.paths.operator_socket) as owner, asyncio.timeout(PATIENCE):
        while not (await owner.link.call(PendingApprovals(), ApprovalRows)).approvals:
            await asyncio.sleep(0.01)
    return message


async def test_a_home_that_connects_after_a_kill_is_asked_and_its_owners_yes_counts_once(tmp_path: Path) -> None:
    async with (
        gateway_process(tmp_path, CONFIG, calls(RM), says("done")) as (gateway, _, runner),
        at_gateway(gateway.vault, gateway.paths, "telegram") as telegram,
    ):
        await people(gateway)
        message = await asked(telegram, gateway)
        gateway.kill()
        await gateway.start()
        async with at_gateway(gateway.vault, gateway.paths, "matrix") as matrix:
            await matrix.until(lambda: bool(matrix.shown("h")))
            [text] = matrix.shown("h")
            assert "rm -r old" in text and "by ann in default/telegram/d7" in text and '"tidy up"' in text
            row = await matrix.question()
            assert runner.ran == []
            with pytest.raises(Refused, match="Only owners"):
                await matrix.press("@ann:x", row)
            await matrix.press("@olga:x", row)
            with pytest.raises(Refused, match="not open any more"):
                await matrix.press("@olga:x", row)
        assert (await telegram.outcome(message)).outcome == "finished"  # type: ignore[union-attr]  # Over
        rows = facts(gateway.paths.audit_db, SESSION)
        counts = [sum(isinstance(fact, kind) for fact in rows) for kind in (ApprovalRequested, PermissionApproved)]
        assert counts == [1, 1] and runner.tools == ["exec"]
        for kind in (ToolPermitted, TurnEnded, TurnResumed):
            assert sum(isinstance(fact, kind) for fact in rows) == 1
        refused = [fact for fact in facts(gateway.paths.audit_db, OPERATIONS) if isinstance(fact, ApprovalRefused)]
        assert [fact.surface for fact in refused] == ["matrix:@ann:x", "matrix:@olga:x"]
        assert (await settled(gateway.paths.audit_db, gateway.vault, SESSION)).status is Status.VERIFIED


async def test_a_home_that_is_connected_is_asked_again_after_a_kill(tmp_path: Path) -> None:
    async with (
        gateway_process(tmp_path, CONFIG, calls(RM), says("done")) as (gateway, _, runner),
        at_gateway(gateway.vault, gateway.paths, "telegram") as telegram,
        at_gateway(gateway.vault, gateway.paths, "matrix") as matrix,
    ):
        await people(gateway)
        message = await asked(telegram, gateway)
        await matrix.until(lambda: len(matrix.shown("h")) == 1)
        for times in (2, 3):
            gateway.kill()
            await gateway.start()
            await matrix.until(lambda: len(matrix.shown("h")) >= times)  # noqa: B023  # awaited in this round
        row = await matrix.question()
        assert {text.count(row.lease) for text in matrix.shown("h")} == {1}
        await matrix.press("@olga:x", row, "deny")
        await telegram.outcome(message)
        assert runner.ran == []
        assert (await settled(gateway.paths.audit_db, gateway.vault, SESSION)).status is Status.VERIFIED


@pytest.mark.parametrize("zone", ["", "Asia/Tokyo"])
def test_quiet_hours_are_read_inside_the_gateways_view(tmp_path: Path, zone: str) -> None:
    quiet = f'[approvals]\nhome = "matrix/h"\nquiet = "22:00-07:00"\nzone = "{zone}"\n'
    with spine(tmp_path, f'[agents.default]\nmodel = "rehearsal/rehearsal"\n{quiet}') as up:
        done = wirken(up.data, "approvals", "list")
        assert (done.returncode, done.stdout) == (0, "Nothing waits.\n")


def test_a_zone_that_is_none_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[approvals]\nquiet = "22:00-07:00"\nzone = "Europe/Atlantis"\n')
    done = wirken(tmp_path, "run")
    assert done.returncode != 0 and "not known here" in done.stderr and "Traceback" not in done.stderr
