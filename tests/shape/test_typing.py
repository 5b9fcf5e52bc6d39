"""What belongs to one platform is no argument for another: mypy refuses it, and this holds mypy to it.

Each snippet is one mistake that somebody could make, with the line and the code of the error that has to follow.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HEAD = """
from wirken.channels.adapter import Adapter
from wirken.channels.contract import House, Platform, Press, Received
from wirken.channels.outbound import Outbound
from wirken.channels.render.pieces import Piece
from wirken.channels.timing import Timing
from wirken.domain.ids import ChannelId, ConversationId
from wirken.domain.platforms import Discord, Kind, Matrix, SessionHandle, Slack, Teams, Telegram, WhatsApp
"""

WRONG = {
    "another platform's conversation": (
        """
        async def f(platform: Platform[Telegram], there: SessionHandle[Discord], piece: Piece) -> None:
            await platform.send(there, piece, "key")
        """,
        "arg-type",
    ),
    "a conversation of no platform": (
        """
        async def f(platform: Platform[Telegram], there: ConversationId, piece: Piece) -> None:
            await platform.edit(there, "1", piece)
        """,
        "arg-type",
    ),
    "a conversation of any platform": (
        """
        async def f(platform: Platform[Matrix], there: SessionHandle[Kind]) -> None:
            await platform.typing(there)
        """,
        "arg-type",
    ),
    "another platform's message": (
        """
        async def f(house: House[Slack], received: Received[Teams]) -> None:
            await house.message(received)
        """,
        "arg-type",
    ),
    "another platform's button": (
        """
        async def f(house: House[Matrix], press: Press[WhatsApp]) -> None:
            await house.pressed(press)
        """,
        "arg-type",
    ),
    "a message with another platform's conversation": (
        """
        def f(there: SessionHandle[Discord]) -> Received[Telegram]:
            return Received[Telegram]("1", there, "7", "Anna", "hello")
        """,
        "arg-type",
    ),
    "one platform taken for another": (
        """
        def f(platform: Platform[Telegram]) -> Platform[Discord]:
            return platform
        """,
        "return-value",
    ),
    "one platform's file taken for another's": (
        """
        from wirken.channels.given import Given
        from wirken.channels.telegram import platform
        def f(given: Given) -> Platform[Discord]:
            return platform(given)
        """,
        "return-value",
    ),
    "another platform's adapter": (
        """
        def f(platform: Platform[Telegram], timing: Timing) -> Adapter[Slack]:
            return Adapter[Slack](ChannelId("slack"), platform, timing)
        """,
        "arg-type",
    ),
    "another platform's house": (
        """
        async def f(platform: Platform[Telegram], adapter: Adapter[Discord]) -> None:
            await platform.run(adapter)
        """,
        "arg-type",
    ),
    "an answer into another platform's conversation": (
        """
        def f(outbound: Outbound[Teams], there: SessionHandle[WhatsApp]) -> None:
            outbound.say(there, "1", "No.")
        """,
        "arg-type",
    ),
    "a platform that is none": (
        """
        def f(there: SessionHandle[str]) -> None: ...
        """,
        "type-var",
    ),
}

RIGHT = """
async def f(platform: Platform[Telegram], house: House[Telegram], there: SessionHandle[Telegram], piece: Piece) -> None:
    await platform.send(there, piece, "key")
    await house.message(Received("1", there, "7", "Anna", "hello"))
    await house.pressed(Press[Telegram]("7", there, "id", "once"))
async def g(platform: Platform[Discord], timing: Timing) -> None:
    adapter = Adapter(ChannelId("discord"), platform, timing)
    await platform.run(adapter)
"""

_ERROR = re.compile(r"^.*?(snippet_\d+)\.py:(\d+): error: .*\[([a-z-]+)\]$", re.MULTILINE)


def unindented(snippet: str) -> str:
    return "\n".join(line.removeprefix(" " * 8) for line in snippet.splitlines())


@pytest.mark.slow
def test_mypy_refuses_each_mistake_and_nothing_else(tmp_path: Path) -> None:
    snippets = [unindented(snippet) for snippet, _ in WRONG.values()]
    for number, snippet in enumerate([RIGHT, *snippets]):
        (tmp_path / f"snippet_{number}.py").write_text(HEAD + snippet)
    files = [str(file) for file in sorted(tmp_path.glob("*.py"))]
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "--no-error-summary"]
    config = tmp_path / "mypy.ini"
    config.write_text(f"[mypy]\nmypy_path = {ROOT / 'src'}\nfollow_imports = silent\n")
    done = subprocess.run(
        [*command, "--config-file", str(config), *files], cwd=tmp_path, capture_output=True, text=True
    )
    found = {(name, code) for name, _, code in _ERROR.findall(done.stdout)}
    assert found == {(f"snippet_{number}", code) for number, (_, code) in enumerate(WRONG.values(), 1)}, done.stdout
