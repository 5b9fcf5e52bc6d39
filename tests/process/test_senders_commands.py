"""`wirken senders` against a Wirken that really runs, and against one that does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.supervised import free_port
from tests.support.wirken import environment, running, wirken

from wirken.config import default

pytestmark = pytest.mark.slow


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    default.write(tmp_path / "d" / "config.toml", "rehearsal/rehearsal")
    return environment(tmp_path)


@pytest.fixture
def up(environ: dict[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    with running(environ, tmp_path, free_port()):
        yield environ


def told(environ: dict[str, str], *words: str) -> object:
    """Return what `wirken senders … --json` prints."""
    done = wirken(environ, "senders", *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def listed(environ: dict[str, str]) -> dict[str, tuple[str, str, str]]:
    rows = told(environ, "list")
    assert isinstance(rows, list)
    return {f"{row['channel']}:{row['sender']}": (row["standing"], row["principal"], row["role"]) for row in rows}


def test_accounts_are_admitted_changed_blocked_and_forgotten(up: dict[str, str]) -> None:
    assert "Nobody has written" in wirken(up, "senders", "list").stdout
    assert "Admitted as anna, user" in wirken(up, "senders", "allow", "telegram:12345", "--as", "anna").stdout
    told(up, "allow", "signal:+49151", "--role", "guest")
    told(up, "allow", "matrix:@bob:example.org", "--as", "bob", "--role", "approver")
    assert listed(up) == {
        "telegram:12345": ("admitted", "anna", "user"),
        "signal:+49151": ("admitted", "signal:+49151", "guest"),
        "matrix:@bob:example.org": ("admitted", "bob", "approver"),
    }
    told(up, "allow", "telegram:12345", "--as", "anna", "--role", "guest")
    told(up, "block", "signal:+49151")
    told(up, "remove", "matrix:@bob:example.org")
    assert listed(up) == {"telegram:12345": ("admitted", "anna", "guest"), "signal:+49151": ("blocked", "", "")}
    assert "Nobody waits." in wirken(up, "senders", "pending").stdout
    shown = wirken(up, "sessions", "show", "gateway/operations/log").stdout
    assert shown.count("sender_changed") == 6 and "change: removed" in shown


def test_a_code_is_printed_once_in_two_ways(up: dict[str, str]) -> None:
    for words in (("pair", "--role", "guest"), ("allow", "--pairing", "--as", "anna", "--channel", "telegram")):
        given = told(up, *words)
        assert isinstance(given, dict) and re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", given["code"])
        record = wirken(up, "audit", "log", "--json")
        assert record.returncode == 0 and "sender_changed" in record.stdout
        assert given["code"] not in record.stdout and given["code"].replace("-", "") not in record.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("allow", "12345"), "CHANNEL:ID"),
        (("allow",), "CHANNEL:ID"),
        (("allow", "telegram:"), "CHANNEL:ID"),
        (("allow", "telegram:1", "--pairing"), "--pairing"),
        (("allow", "telegram:1", "--as", "owner"), "owner"),
        (("allow", "telegram:1", "--as", "A B"), "name"),
        (("allow", "telegram:1", "--role", "king"), "king"),
        (("allow", "webchat:1"), "own"),
        (("remove", "telegram:1"), "no such sender"),
        (("pair", "--role", "owner"), "owner"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(up: dict[str, str], words: tuple[str, ...], says: str) -> None:
    done = wirken(up, "senders", *words)
    assert done.returncode != 0 and says in done.stderr and "Traceback" not in done.stderr


def test_what_was_decided_stays_when_wirken_does_not_run(environ: dict[str, str]) -> None:
    told(environ, "allow", "telegram:1", "--as", "anna")
    assert listed(environ) == {"telegram:1": ("admitted", "anna", "user")}
