from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from wirken.config.channels import ChannelConfig
from wirken.config.model import AgentConfig, ApprovalsConfig, Config, ProviderConfig, UnknownAgent
from wirken.config.paths import Paths
from wirken.domain import limits
from wirken.domain.ids import TERMINAL, WEBCHAT, AgentId, ChannelId, RoleName, SessionId, parse_session
from wirken.domain.people import THE_OWNER
from wirken.gateway.hub import Hub, Surface
from wirken.gateway.log import AuditLog
from wirken.gateway.router import RUNNER, Router, Wish
from wirken.gateway.sessions import Session
from wirken.ipc.frames import Delta, Frame
from wirken.ipc.framing import FrameTooLong
from wirken.ipc.link import LinkLost

CONFIG = Config(
    agents={
        "default": AgentConfig(),
        "own": AgentConfig(workspace="/srv/own", read_only=("/srv/ro",), model="local/a/b"),
        "known": AgentConfig(model="ollama/llama"),
    },
    providers={"local": ProviderConfig(kind="openai", base_url="http://127.0.0.1:1")},
    approvals=ApprovalsConfig(ask_seconds=7, daemon_seconds=70),
)


@pytest.fixture
def router(tmp_path: Path) -> Router:
    return Router(CONFIG, Paths(tmp_path), sandbox="bubblewrap")


async def session(tmp_path: Path, name: str) -> Session:
    agent, channel, _ = parse_session(name)
    log = AuditLog(tmp_path / "audit.db", None, lambda: None)  # type: ignore[arg-type]  # writes nothing here
    return Session(SessionId(name), agent, channel, log)


def test_a_message_without_an_agent_goes_to_the_default_one(router: Router) -> None:
    assert router.agent("", WEBCHAT) == "default" and router.agent("own", TERMINAL) == "own"
    with pytest.raises(UnknownAgent):
        router.agent("nobody", WEBCHAT)


def test_a_channels_messages_go_to_the_agent_that_the_configuration_names(router: Router) -> None:
    router.config = replace(CONFIG, channels={"telegram": ChannelConfig(agent="own"), "slack": ChannelConfig()})
    answering = [router.agent("", ChannelId(name)) for name in ("telegram", "slack", "discord")]
    assert answering == ["own", "default", "default"]


def test_a_workspace_is_the_wish_else_the_agents_else_the_data_directorys(router: Router, tmp_path: Path) -> None:
    assert router.workspace(AgentId("default"), Wish()) == str(tmp_path / "agents/default/workspace")
    assert router.workspace(AgentId("own"), Wish()) == "/srv/own"
    assert router.workspace(AgentId("own"), Wish(workspace="/home/me")) == "/home/me"


async def test_a_seat_says_where_a_turn_takes_place(router: Router, tmp_path: Path) -> None:
    seat = router.seat(
        await session(tmp_path, "own/terminal/x"), Wish(interactive=False, runner=RoleName("runner-2")), THE_OWNER
    )
    assert (seat.provider, seat.model) == ("local", "a/b")
    assert (seat.place.workspace, seat.place.read_only, seat.place.sandbox) == ("/srv/own", ("/srv/ro",), "bubblewrap")
    assert (seat.runner, seat.interactive) == ("runner-2", False)
    assert (seat.holder.agent, seat.holder.principal, seat.holder.channel) == ("own", "owner", "terminal")
    assert seat.context == limits.CONTEXT_CHARACTERS


@pytest.mark.parametrize(("channel", "seconds"), [(TERMINAL, 7.0), (WEBCHAT, 70.0)])
async def test_patience_depends_on_the_channel(
    router: Router, tmp_path: Path, channel: ChannelId, seconds: float
) -> None:
    seat = router.seat(await session(tmp_path, f"default/{channel}/x"), Wish(), THE_OWNER)
    assert seat.patience == seconds and seat.runner == RUNNER


async def test_a_known_window_bounds_what_is_sent(router: Router, tmp_path: Path) -> None:
    seat = router.seat(await session(tmp_path, "known/terminal/x"), Wish(), THE_OWNER)
    assert seat.context == 8192 * limits.CHARACTERS_PER_TOKEN * 4 // 5


class Screen:
    def __init__(self, *, gone: bool = False) -> None:
        self.seen: list[Frame] = []
        self._gone = gone

    def send(self, frame: Frame) -> None:
        if self._gone:
            raise LinkLost("gone")
        self.seen.append(frame)


def test_a_terminal_hears_of_its_sessions_and_a_page_of_its_channel() -> None:
    hub = Hub()
    terminal, page, gone = Screen(), Screen(), Screen(gone=True)
    mine, theirs = SessionId("default/terminal/mine"), SessionId("default/terminal/theirs")
    chat = SessionId("default/webchat/c")
    for screen, channel, whole, follows in (
        (gone, TERMINAL, False, {mine}),
        (terminal, TERMINAL, False, {mine}),
        (page, WEBCHAT, True, set()),
    ):
        hub.attach(Surface(screen, channel, whole, follows))  # type: ignore[arg-type]  # the hub needs `send` only
    for name in (mine, theirs, chat):
        hub.tell(name, Delta(name, "x"))
    assert [frame.session for frame in terminal.seen] == [mine]  # type: ignore[union-attr]  # Delta
    assert [frame.session for frame in page.seen] == [chat]  # type: ignore[union-attr]  # Delta
    hub.detach(terminal)  # type: ignore[arg-type]  # as above
    hub.tell(mine, Delta(mine, "y"))
    assert len(terminal.seen) == 1


def test_a_frame_that_cannot_be_sent_holds_nobody_up() -> None:
    class Narrow(Screen):
        def send(self, frame: Frame) -> None:
            raise FrameTooLong("too long")

    hub, other = Hub(), Screen()
    mine = SessionId("default/terminal/mine")
    for screen in (Narrow(), other):
        hub.attach(Surface(screen, TERMINAL, False, {mine}))  # type: ignore[arg-type]  # the hub needs `send` only
    hub.tell(mine, Delta(mine, "x"))
    assert other.seen == [Delta(mine, "x")]
