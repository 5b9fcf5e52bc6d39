"""`wirken chat` on a terminal of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.support.spine import WIRKEN, Spine, environment, spine, until, wirken
from tests.support.terminal import Terminal

from wirken.domain.events import TurnEnded

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    with spine(tmp_path_factory.mktemp("chat")) as one:
        yield one


def chat(one: Spine, *words: str) -> Terminal:
    at = Terminal([*WIRKEN, "chat", *words], environment(one.data))
    at.see("you> ")
    return at


def test_two_turns_an_approval_and_ctrl_d(up: Spine) -> None:
    at = chat(up, "--session", "two")
    at.type("say: first\n")
    at.see("\nfirst\n")
    at.see("you> ")
    at.type("run: rmdir -v none\n")
    at.see("Allow? [o]nce, [d]eny: ")
    at.type("o\n")
    at.see("rmdir: removing directory")
    at.see("you> ")
    at.type("\x04")
    assert at.end() == 0
    kinds = up.kinds("default/terminal/two")
    assert kinds.count("user_message") == kinds.count("attestation") == 2
    assert wirken(up.data, "sessions", "verify", "two", "--strict").returncode == 0


def test_new_starts_another_session_and_quit_leaves(up: Spine) -> None:
    at = chat(up, "--session", "first")
    at.type("say: here\n")
    at.see("you> ")
    at.type("\n/help\n")
    at.see("/new (a new session)")
    at.see("you> ")
    at.type("/new\n")
    at.see("A new session.")
    at.see("you> ")
    at.type("say: there\n")
    at.see("\nthere\n")
    at.see("you> ")
    at.type("/quit\n")
    assert at.end() == 0
    assert up.kinds("default/terminal/first").count("user_message") == 1


def test_ctrl_c_stops_the_turn_and_not_the_conversation(up: Spine) -> None:
    at = chat(up, "--session", "stopped")
    at.type("say: never\x15wait: 30\n")
    until(lambda: "llm_request" in up.kinds("default/terminal/stopped"))
    at.type("\x03")
    at.see("stopped")
    at.see("you> ")
    at.type("say: still here\n")
    at.see("\nstill here\n")
    at.see("you> ")
    at.type("\x04")
    assert at.end() == 0
    outcomes = [fact.outcome for fact in up.facts("default/terminal/stopped") if isinstance(fact, TurnEnded)]
    assert outcomes == ["stopped", "finished"]
    assert wirken(up.data, "sessions", "verify", "stopped", "--strict").returncode == 0


def test_ctrl_c_at_a_question_withdraws_it(up: Spine) -> None:
    at = chat(up, "--session", "asked")
    at.type("run: ls; true\n")
    at.see("Allow? ")
    at.type("\x03")
    at.see("stopped")
    at.see("you> ")
    at.type("say: go on\n")
    at.see("\ngo on\n")
    at.see("you> ")
    at.type("/exit\n")
    assert at.end() == 0
    assert "tool_permitted" not in up.kinds("default/terminal/asked")


def test_a_message_that_is_refused_is_said_and_the_conversation_goes_on(up: Spine) -> None:
    wirken(up.data, "ask", "-m", "say: x", "--session", "shut")
    assert wirken(up.data, "sessions", "close", "shut").returncode == 0
    at = chat(up, "--session", "shut")
    at.type("say: hello\n")
    at.see("This session was closed.")
    at.see("you> ")
    at.type("/quit\n")
    assert at.end() == 0


def test_without_a_terminal_it_points_to_ask(up: Spine) -> None:
    done = wirken(up.data, "chat", text="hello\n")
    assert done.returncode == 64 and "`wirken ask` takes text from standard input" in done.stderr


def test_stop_typed_while_a_turn_runs_or_asks_ends_it(up: Spine) -> None:
    at = chat(up, "--session", "halt")
    for text, sign in (("wait: 60\n", "wait: 60"), ("run: rm x\n", "Allow? [o]nce, [d]eny: ")):
        at.type(text)
        at.see(sign)
        before = up.kinds("default/terminal/halt").count("turn_ended")
        until(lambda: "llm_request" in up.kinds("default/terminal/halt"))
        started = time.monotonic()
        at.type("/stop\n")
        until(lambda before=before: up.kinds("default/terminal/halt").count("turn_ended") > before)
        assert time.monotonic() - started < 1.0
        at.see("stopped")
        at.see("you> ")
    at.type("/stop\n")
    at.see("No turn runs")
    at.see("you> ")
    at.type("\x04")
    assert at.end() == 0
    ended = [fact.outcome for fact in up.facts("default/terminal/halt") if isinstance(fact, TurnEnded)]
    assert ended == ["stopped", "stopped"]


def test_whoever_comes_back_to_a_session_is_told_of_the_question_that_waits_in_it(up: Spine) -> None:
    first = chat(up, "--session", "left")
    first.type("run: rmdir -v none\n")
    first.see("Allow? [o]nce, [d]eny: ")
    up.kill("gateway")
    first.see("The gateway went away")
    first.end()
    until(lambda: "default/terminal/left" in wirken(up.data, "approvals", "list").stdout)
    again = chat(up, "--session", "left")
    assert "A question waits here: `wirken approvals show " in again.shown
    approval = again.shown.partition("approvals show ")[2].partition("`")[0]
    assert wirken(up.data, "approvals", "deny", approval).returncode == 0
    again.type("\x04")
    assert again.end() == 0
