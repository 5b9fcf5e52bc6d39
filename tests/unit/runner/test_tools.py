from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from wirken.domain.actions import CanonicalCall, Place, SandboxKind
from wirken.domain.errors import Refused, SandboxUnavailable
from wirken.domain.ids import AgentId, ChannelId, PrincipalId, SessionId
from wirken.ipc.calls.runner import Run, WirePermit
from wirken.ipc.files import Files
from wirken.runner import cgroups
from wirken.runner.assemble import Host, Options, assembled
from wirken.runner.tools import Tools

SESSION = SessionId("default/terminal/1")


def machine(root: Path) -> Path:
    """A recorded machine on which bubblewrap is not installed."""
    (root / "usr/bin").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "bin").symlink_to("usr/bin")
    (root / "usr/bin/apt-get").touch()
    return root


def host(tmp_path: Path, uid: int = 1000) -> Host:
    return Host("x86_64", "6.1.0-13-amd64", uid, uid, machine(tmp_path / "machine"), tmp_path)


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[Tools]:
    """A runner whose workspace is `ws`, below a machine without bubblewrap."""
    (tmp_path / "ws").mkdir()
    with assembled(Options((str(tmp_path / "ws"),)), host(tmp_path), lambda: "token") as made:
        yield made


def question(
    workspace: Path,
    tool: str = "list_files",
    arguments: str = "{}",
    *,
    seq: int = 7,
    sandbox: SandboxKind = "bubblewrap",
    read_only: tuple[str, ...] = (),
) -> Run:
    call = CanonicalCall(
        tool=tool,
        arguments=arguments,
        agent=AgentId("default"),
        session=SESSION,
        principal=PrincipalId("owner"),
        channel=ChannelId("terminal"),
        place=Place(workspace=str(workspace), sandbox=sandbox, read_only=read_only),
    )
    return Run(permit=WirePermit(SESSION, seq, call.digest()), call=call.canonical())


async def test_a_permitted_call_runs_and_says_where(tools: Tools, tmp_path: Path) -> None:
    ran = await tools.run(question(tmp_path / "ws", "write_file", '{"path": "a", "content": "b"}'), Files())
    assert (ran.outcome, ran.place, ran.exit_code) == ("ok", "runner", None)
    assert (tmp_path / "ws/a").read_text() == "b"


async def test_a_call_that_is_not_the_permitted_one_is_refused(tools: Tools, tmp_path: Path) -> None:
    permitted = question(tmp_path / "ws", "write_file", '{"path": "a", "content": "b"}')
    for changed in (
        permitted.call.replace(b"content", b"c0ntent"),
        permitted.call + b" ",
        permitted.call.replace(b"owner", b"other"),
    ):
        with pytest.raises(Refused, match="not the one"):
            await tools.run(Run(permitted.permit, changed), Files())
    assert list((tmp_path / "ws").iterdir()) == []


async def test_a_call_that_is_not_canonical_is_refused_even_with_its_own_hash(tools: Tools, tmp_path: Path) -> None:
    good = question(tmp_path / "ws")
    for odd in (b" " + good.call, good.call[:-1] + b',"more":1}', b"null", b"{}", b"\xff"):
        permit = WirePermit(SESSION, 9, hashlib.sha256(odd).hexdigest())
        with pytest.raises(Refused):
            await tools.run(Run(permit, odd), Files())


async def test_a_permit_of_another_session_is_refused(tools: Tools, tmp_path: Path) -> None:
    good = question(tmp_path / "ws")
    with pytest.raises(Refused, match="session"):
        await tools.run(Run(msgspec.structs.replace(good.permit, session="default/webchat/2"), good.call), Files())


async def test_a_permit_works_once(tools: Tools, tmp_path: Path) -> None:
    await tools.run(question(tmp_path / "ws", seq=1), Files())
    await tools.run(question(tmp_path / "ws", seq=2), Files())
    with pytest.raises(Refused, match="used before"):
        await tools.run(question(tmp_path / "ws", seq=1), Files())


async def test_folders_that_the_runner_was_not_started_for_are_refused(tools: Tools, tmp_path: Path) -> None:
    for odd in (question(tmp_path), question(tmp_path / "ws", read_only=("/etc",))):
        with pytest.raises(Refused, match="folder"):
            await tools.run(odd, Files())


async def test_bad_arguments_and_unknown_tools_are_told_to_the_model(tools: Tools, tmp_path: Path) -> None:
    for seq, (tool, arguments) in enumerate((("exec", "{}"), ("read_file", "[]"), ("delete", "{}"))):
        ran = await tools.run(question(tmp_path / "ws", tool, arguments, seq=seq), Files())
        assert ran.outcome == "invalid"
        assert ran.output


async def test_an_escape_is_answered_as_denied(tools: Tools, tmp_path: Path) -> None:
    ran = await tools.run(question(tmp_path / "ws", "read_file", '{"path": "../machine/bin"}'), Files())
    assert (ran.outcome, ran.output) == ("denied", "Cannot read ../machine/bin. It leads outside the workspace.")


async def test_a_switched_off_sandbox_means_no_exec_and_never_the_host(tools: Tools, tmp_path: Path) -> None:
    ran = await tools.run(question(tmp_path / "ws", "exec", '{"command": "touch ran"}', sandbox="none"), Files())
    assert (ran.outcome, ran.exit_code) == ("denied", None)
    assert "sandbox.mode" in ran.output
    assert list((tmp_path / "ws").iterdir()) == []


def test_the_runner_refuses_to_work_as_root(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="root"), assembled(Options(()), host(tmp_path, 0), str):
        raise AssertionError("unreachable")


def test_half_a_delegation_stops_the_start(tmp_path: Path) -> None:
    options = Options((), (), ("v1:memory=/sys/fs/cgroup/memory/x",))
    with pytest.raises(cgroups.BadDelegation), assembled(options, host(tmp_path), str):
        raise AssertionError("unreachable")


def test_the_scratch_folder_is_gone_afterwards(tmp_path: Path) -> None:
    with assembled(Options(()), host(tmp_path), str):
        assert len(list(tmp_path.glob("wirken-runner-*"))) == 1
    assert list(tmp_path.glob("wirken-runner-*")) == []


async def test_a_kind_that_is_not_here_runs_nothing_and_nothing_else_instead(tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir()
    options = Options((str(tmp_path / "ws"),), kind="gvisor")
    with assembled(options, host(tmp_path), lambda: "token") as made:
        assert (await made.status()).kind == "none"
        ran = await made.run(question(tmp_path / "ws", "exec", '{"command": "touch ran"}', sandbox="gvisor"), Files())
        assert ran.outcome == "denied"
        ran = await made.run(question(tmp_path / "ws", "exec", '{"command": "touch ran"}', seq=8), Files())
        assert ran.outcome == "denied"
    assert list((tmp_path / "ws").iterdir()) == []
