"""`wirken approvals watch` and grants with a limit, as an operator types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.spine import WIRKEN, Spine, environment, spine, until, wirken
from tests.support.terminal import Terminal

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    with spine(tmp_path_factory.mktemp("watch")) as one:
        yield one


def test_a_question_of_another_terminal_is_answered_by_the_one_that_watches(up: Spine) -> None:
    watching = Terminal([*WIRKEN, "approvals", "watch"], environment(up.data))
    watching.see("Nothing waits.")
    asking = Terminal([*WIRKEN, "ask", "-m", "run: rm -f nothing", "--session", "w"], environment(up.data))
    asking.see("Allow?")
    watching.see("asked:  by owner in default/terminal/w")
    watching.see("Allow? [o]nce, [d]eny: ")
    watching.type("o\n")
    asking.see("Answered elsewhere: once.")
    assert asking.end() == 0
    watching.see("in default/terminal/w: once")
    watching.type("\x04")
    assert watching.end() == 0
    assert wirken(up.data, "sessions", "verify", "w", "--strict").returncode == 0


def test_a_watch_ends_with_the_gateway_and_says_so(tmp_path: Path) -> None:
    with spine(tmp_path) as one:
        watching = Terminal([*WIRKEN, "approvals", "watch"], environment(one.data))
        watching.see("Nothing waits.")
        one.kill("gateway")
        watching.see("The gateway went away.")
        assert watching.end() != 0


def test_a_grant_for_a_while_and_a_number_of_uses_is_counted_down(up: Spine) -> None:
    given = wirken(up.data, "permissions", "approve", "shell:ls", "--for", "7d", "--uses", "1")
    assert given.returncode == 0 and "7d, 1 uses" in given.stdout
    [grant] = json.loads(wirken(up.data, "permissions", "list", "--json").stdout)
    assert (grant["uses"], grant["session"], grant["expires"] - grant["approved"]) == (1, "", 7 * 86_400_000)
    assert "ran" in wirken(up.data, "ask", "-m", "run: ls", "--session", "u").stderr
    assert json.loads(wirken(up.data, "permissions", "list", "--json").stdout) == []
    assert "denied" in wirken(up.data, "ask", "-m", "run: ls", "--session", "u").stderr


@pytest.mark.parametrize("words", [("--for", "31d"), ("--for", "7"), ("--for", "0d"), ("--uses", "0"), ("--uses", "x")])
def test_a_limit_that_is_none_is_refused(up: Spine, words: tuple[str, str]) -> None:
    assert wirken(up.data, "permissions", "approve", "shell:ls", *words).returncode in (2, 64)


def test_a_grant_for_a_session_is_for_an_open_one_of_the_same_holder(up: Spine) -> None:
    wirken(up.data, "ask", "-m", "say: hi", "--session", "own")
    for session in ("default/terminal/none", "default/webchat/own", "own"):
        assert wirken(up.data, "permissions", "approve", "shell:ls", "--session", session).returncode != 0
    assert wirken(up.data, "permissions", "approve", "shell:ls", "--session", "default/terminal/own").returncode == 0
    assert "ran" in wirken(up.data, "ask", "-m", "run: ls", "--session", "own").stderr
    assert "denied" in wirken(up.data, "ask", "-m", "run: ls", "--session", "another").stderr
    wirken(up.data, "sessions", "close", "own")
    until(lambda: json.loads(wirken(up.data, "permissions", "list", "--json").stdout) == [])
