"""`wirken ask`: what it prints, how it exits, whom it asks; with a Wirken that runs and without."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.spine import WIRKEN, Spine, environment, spine, until, wirken
from tests.support.supervised import alive, descendants
from tests.support.terminal import Terminal

from wirken.domain.events import PermissionApproved, ToolResultFact, TurnEnded

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    with spine(tmp_path_factory.mktemp("ask"), "[approvals]\nask_seconds = 20\n") as one:
        yield one


def typed(one: Spine, *words: str) -> Terminal:
    return Terminal([*WIRKEN, *words], environment(one.data))


def test_the_answer_goes_to_standard_output_and_all_else_beside_it(up: Spine) -> None:
    done = wirken(up.data, "ask", "-m", "say: hello", "--session", "plain")
    assert (done.returncode, done.stdout) == (0, "hello\n")
    new = "There is no session plain yet; this is a new one of that name.\n"
    assert done.stderr == f"{new}session: default/terminal/plain\n"


def test_json_is_one_value_that_says_everything(up: Spine) -> None:
    done = wirken(up.data, "ask", "--json", "-m", "list: .", "--session", "json")
    value = json.loads(done.stdout)
    assert done.returncode == 0 and done.stderr == ""
    assert (value["session"], value["outcome"], value["reason"]) == ("default/terminal/json", "finished", "")
    assert value["text"].startswith("Done.")
    assert [(result["tool"], result["success"]) for result in value["tool_results"]] == [("list_files", True)]


def test_text_comes_from_standard_input_and_files_stand_behind_it(up: Spine, tmp_path: Path) -> None:
    done = wirken(up.data, "ask", text="say: from a pipe\n")
    assert (done.returncode, done.stdout) == (0, "from a pipe\n")
    (tmp_path / "one.txt").write_text("say: from a file")
    done = wirken(up.data, "ask", "-m", "# look", "--file", str(tmp_path / "one.txt"), "--session", "files")
    assert "do not understand: File one.txt:" in done.stdout, "the file stands in the message under its name"


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        (("ask",), "", "Standard input was empty."),
        (("ask",), " \n", "Standard input was empty."),
        (("ask", "-m", "x", "--session", "a", "--continue"), None, "exclude each other"),
        (("ask", "-m", "x", "--file", "/does/not/exist"), None, "does not exist"),
        (("ask", "-m", "x", "--workspace", "/does/not/exist"), None, "does not exist"),
        (("ask", "-m", "x", "--file", "/usr/bin/env"), None, "is not UTF-8 text"),
        (("ask", "-m", "x", "--session", "other/terminal/x"), None, "another agent or channel"),
        (("ask", "-m", "x", "--session", "default/webchat/x"), None, "another agent or channel"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(up: Spine, words: tuple[str, ...], text: str | None, said: str) -> None:
    done = wirken(up.data, *words, text=text)
    assert done.returncode == 64 and done.stdout == ""
    assert said in done.stderr


def test_an_unknown_agent_is_refused_with_the_known_ones(up: Spine) -> None:
    done = wirken(up.data, "ask", "-m", "x", "--agent", "nobody")
    assert done.returncode == 78 and "config.toml knows: default" in done.stderr


def test_a_message_that_is_too_long_is_refused(up: Spine) -> None:
    done = wirken(up.data, "ask", text="x" * 300_000)
    assert done.returncode == 64 and "pass 262144 bytes" in done.stderr and "workspace" in done.stderr


def test_a_failed_turn_is_exit_code_1_and_says_why(up: Spine) -> None:
    done = wirken(up.data, "ask", "-m", "fail: out of cheese")
    assert done.returncode == 1 and "out of cheese" in done.stderr
    value = json.loads(wirken(up.data, "ask", "--json", "-m", "fail: out of cheese").stdout)
    assert value["outcome"] == "failed" and "out of cheese" in value["reason"]


def test_without_a_terminal_nobody_is_asked_and_the_call_is_refused_at_once(up: Spine) -> None:
    done = wirken(up.data, "ask", "-m", "run: touch made", "--session", "noone", timeout=10)
    assert done.returncode == 0
    assert "Permission denied: 'exec' requires tier2 approval." in done.stdout + done.stderr
    assert "Approval needed" not in done.stderr and not (up.workspace / "made").exists()
    assert "permission_denied" in up.kinds("default/terminal/noone")


def test_continue_goes_on_with_the_latest_session_and_session_with_a_named_one(up: Spine) -> None:
    wirken(up.data, "ask", "-m", "say: one", "--session", "older")
    wirken(up.data, "ask", "-m", "say: two", "--session", "newer")
    again = wirken(up.data, "ask", "-m", "say: three", "--continue")
    assert again.stderr == "session: default/terminal/newer\n"
    named = wirken(up.data, "ask", "-m", "say: four", "--session", "default/terminal/older")
    assert named.stderr == "session: default/terminal/older\n"
    fresh = wirken(up.data, "ask", "-m", "say: five")
    assert fresh.stderr not in (again.stderr, named.stderr)
    assert up.kinds("default/terminal/newer").count("user_message") == 2


def test_a_workspace_of_ones_own_is_where_the_tools_work(up: Spine, tmp_path: Path) -> None:
    own = tmp_path / "project"
    own.mkdir()
    (own / "seen.txt").write_text("already here")
    if os.getuid() == 0:
        own.chmod(0o777)
    done = wirken(up.data, "ask", "-m", "read: seen.txt\nwrite: new.txt <<< made", "--workspace", str(own))
    assert done.returncode == 0 and "already here" in done.stdout
    assert (own / "new.txt").read_text() == "made" and not (up.workspace / "new.txt").exists()


def test_a_person_allows_a_command_once_and_is_asked_again(up: Spine) -> None:
    for _ in range(2):
        (up.workspace / "once.txt").write_text("x")
        at = typed(up, "ask", "-m", "run: rm -v once.txt", "--session", "once")
        at.see("Approval needed (tier3; shell:rm;")
        at.see("exec: rm -v once.txt")
        at.see("Allow? [o]nce, [d]eny: ")
        at.type("o\n")
        at.see("ran: exec (exit code 0)")
        at.see("removed 'once.txt'")
        assert at.end() == 0
    approvals = [fact for fact in up.facts("default/terminal/once") if isinstance(fact, PermissionApproved)]
    assert [(fact.scope, fact.by, fact.surface) for fact in approvals] == [("once", "owner", "terminal")] * 2


def test_a_yes_for_30_days_is_not_asked_again_not_even_without_a_terminal(up: Spine) -> None:
    at = typed(up, "ask", "-m", "run: ls -la", "--session", "days")
    at.see("Allow? [o]nce, this [s]ession, [30] days, [d]eny: ")
    at.type("30\n")
    assert at.end() == 0
    done = wirken(up.data, "ask", "-m", "run: ls /tmp", "--session", "days")
    assert "ran: exec (exit code 0)" in done.stderr
    other = wirken(up.data, "ask", "-m", "run: cat x", "--session", "days")
    assert "tier2, not_interactive" in other.stderr, "the yes was for ls"


def test_a_no_reaches_the_model_with_its_reason(up: Spine) -> None:
    at = typed(up, "ask", "-m", "run: touch denied", "--session", "no")
    at.see("Allow? ")
    at.type("d not today\n")
    at.see("not today")
    assert at.end() == 0
    assert not (up.workspace / "denied").exists()
    [result] = [fact for fact in up.facts("default/terminal/no") if isinstance(fact, ToolResultFact)]
    assert result.output == "Permission denied: 'exec' requires tier2 approval. not today"


def test_hostile_text_in_a_command_is_escaped_in_the_question(up: Spine) -> None:
    command = "echo \x1b[2J\x1b[1;1H\u202edab\u202c \u200b; curl evil"
    at = typed(up, "ask", "-m", f"run: {command}", "--session", "hostile")
    at.see("Allow? [o]nce, [d]eny: ")
    question = at.shown
    assert not {"\x1b", "\u202e", "\u202c", "\u200b", "\x9b"} & set(question)
    assert "echo \\x1b[2J\\x1b[1;1H\\u202edab\\u202c \\u200b; curl evil" in question
    at.type("d\n")
    assert at.end() == 0


def sleeping(above: int) -> list[int]:
    """Return the processes below `above` that are `sleep`; one that is just gone is none."""
    found = []
    for pid in descendants(above):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text() == "sleep\n":
                found.append(pid)
    return found


def test_ctrl_c_stops_the_turn_its_command_and_the_question(up: Spine) -> None:
    at = typed(up, "ask", "-m", "run: echo x > started; sleep 60", "--session", "ctrlc")
    at.see("Allow? ")
    at.type("o\n")
    until((up.workspace / "started").exists)
    until(lambda: sleeping(up.process.pid) != [])  # the shell has written the file a moment before
    below = sleeping(up.process.pid)
    at.type("\x03")
    assert at.end() == 130
    up.until_at_rest("default/terminal/ctrlc")
    [ended] = [fact for fact in up.facts("default/terminal/ctrlc") if isinstance(fact, TurnEnded)]
    assert ended.outcome == "stopped"
    until(lambda: not alive(below))
    at = typed(up, "ask", "-m", "run: ls; true", "--session", "ctrlc2")
    at.see("Allow? ")
    at.type("\x03")
    assert at.end() == 130
    up.until_at_rest("default/terminal/ctrlc2")


def test_a_terminal_that_closes_stops_waiting_for_a_yes(up: Spine) -> None:
    at = typed(up, "ask", "-m", "run: ls; true", "--session", "eof")
    at.see("Allow? ")
    at.type("\x04")
    assert at.end() == 0
    assert "permission_denied" in up.kinds("default/terminal/eof")


def test_nobody_answering_in_time_is_a_no(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "config.toml").write_text("[approvals]\nask_seconds = 1\n")
    at = Terminal([*WIRKEN, "ask", "-m", "run: ls", "--session", "late"], environment(data))
    at.see("Allow? ")
    at.see("Nobody answered in time: refused.")
    at.see("Nobody answered within 1 s.")
    assert at.end() == 0


def test_without_a_daemon_it_starts_its_own_and_leaves_nothing_behind(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = wirken(data, "ask", "-m", "write: a.txt <<< hi", "--session", "own")
    assert done.returncode == 0, done.stderr
    assert "Made " in done.stderr and "with the model" in done.stderr
    assert not list((data / "sockets").iterdir())
    left = [pid for pid in os.listdir("/proc") if pid.isdigit() and _names(int(pid), str(data))]
    assert left == []
    verified = wirken(data, "sessions", "verify", "own", "--strict")
    assert verified.returncode == 0 and "verified" in verified.stdout


def _names(pid: int, text: str) -> bool:
    try:
        return text in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False
