"""What a channel needs comes from flags, a pipe, a person or our own dice, in this order."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.terminal import Terminal
from tests.support.wirken import environment, wirken

from wirken.cli.channel_values import BadValue, Flags, NotGiven, Values, gathered
from wirken.cli.output import Output
from wirken.config.channel_kinds import CHANNEL_KINDS
from wirken.domain.errors import UsageError
from wirken.domain.ids import ChannelId

GUID = "00000000-0000-0000-0000-000000000001"
SECRET = "4242424242:canary_0123456789_0123456789_01234"
SAID = io.StringIO()
OUT = Output(False, SAID, SAID, {})


def of(channel: str, values: dict[str, str], known: dict[str, str] | None = None, *stored: str) -> Values:
    flags = Flags(values, asks=False)
    return gathered(CHANNEL_KINDS[ChannelId(channel)], flags, known or {}, frozenset(stored), OUT)


def piped(channel: str, text: str, *more: str) -> dict[str, str]:
    """What `gathered` takes from a pipe, in a process of its own whose standard input that is."""
    code = f"""
import io, sys
from wirken.cli.channel_values import Flags, gathered
from wirken.cli.output import Output
from wirken.config.channel_kinds import CHANNEL_KINDS
from wirken.domain.errors import WirkenError
flags = Flags(eval(sys.argv[1]), only=sys.argv[2], lines=not sys.argv[2], asks=False)
try:
    found = gathered(CHANNEL_KINDS[{channel!r}], flags, {{}}, frozenset(), Output(False, sys.stdout, sys.stderr, {{}}))
except WirkenError as error:
    print("error", error, error.advice)
else:
    for name, secret in found.secrets.items():
        print(name, secret.reveal().decode())
"""
    words = [sys.executable, "-I", "-c", code, *(more or ("{}", ""))]
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_flags_come_before_what_the_table_has_and_what_is_stored_stays() -> None:
    found = of(
        "telegram", {"prefix": "!new"}, {"prefix": "!old", "api_url": "https://a.example"}, "channel.telegram.token"
    )
    assert found.settings == {"prefix": "!new", "api_url": "https://a.example"}
    assert found.secrets == {}


def test_what_is_needed_and_missing_is_named_with_its_flag() -> None:
    with pytest.raises(NotGiven, match="--token-stdin"):
        of("telegram", {})
    with pytest.raises(NotGiven, match="--tenant-id"):
        of("teams", {"app_id": GUID})
    with pytest.raises(BadValue, match="--app-id"):
        of("teams", {"app_id": "none"})


def test_secrets_that_are_ours_to_choose_are_made_and_shown_only_where_a_person_enters_them() -> None:
    matrix = {"homeserver": "https://matrix.example.org", "user": "@wirken:example.org"}
    found = of("matrix", matrix, None, "channel.matrix.password")
    assert list(found.secrets) == ["store_key"] and found.made == {}
    stored = ("channel.whatsapp.token", "channel.whatsapp.app_secret")
    found, other = (of("whatsapp", {"phone_id": "106540352242922"}, None, *stored) for _ in range(2))
    assert re.fullmatch(r"[A-Za-z0-9]{32}", found.made["verify_token"])
    assert found.secrets["verify_token"].reveal().decode() == found.made["verify_token"] != other.made["verify_token"]
    kept = of("whatsapp", {"phone_id": "106540352242922"}, None, *stored, "channel.whatsapp.verify_token")
    assert kept.secrets == {} and kept.made == {}
    found.wipe()
    assert not found.secrets["verify_token"]


def test_secrets_come_as_lines_or_as_all_of_a_pipe() -> None:
    both = "bot_token=xoxb-0123456789\n\n app_token =xapp-0123456789=\r\n"
    assert "has not the form" in piped("slack", both)["error"]
    lines = piped("slack", "bot_token=xoxb-0123456789\n\napp_token=xapp-0123456789\r\n")
    assert lines == {"bot_token": "xoxb-0123456789", "app_token": "xapp-0123456789"}
    assert piped("telegram", f"{SECRET}\n", "{}", "token") == {"token": SECRET}


@pytest.mark.parametrize("text", [SECRET, f"tokn={SECRET}", f"prefix={SECRET}", f"token={SECRET}!", "token="])
def test_nothing_of_a_pipe_is_repeated(text: str) -> None:
    said = piped("telegram", f"{text}\n")
    assert list(said) == ["error"] and "canary" not in said["error"]


def test_a_secret_is_no_argument_and_an_unknown_platform_gets_the_nearest(tmp_path: Path) -> None:
    environ = environment(tmp_path)
    for words in (("telegram", SECRET), ("telegram", f"--token={SECRET}"), ("telegram", "--token-stdin", SECRET)):
        done = wirken(environ, "channel", "add", *words)
        assert done.returncode == UsageError.exit_code and "canary" not in done.stdout + done.stderr
    done = wirken(environ, "channel", "add", "telegrm")
    assert done.returncode == UsageError.exit_code and "Did you mean 'telegram'?" in done.stderr
    shown = wirken(environ, "channel", "add", "teams", "--help").stdout
    assert all(flag in shown for flag in ("--app-id", "--tenant-id", "--client-secret-stdin", "--port", "--no-input"))
    assert "--client-secret " not in shown


def test_a_person_is_asked_what_is_needed_and_what_is_there_is_offered() -> None:
    code = f"""
import sys
from wirken.cli.channel_values import Flags, gathered
from wirken.cli.output import Output
from wirken.config.channel_kinds import CHANNEL_KINDS
out = Output(False, sys.stdout, sys.stderr, {{}})
stored = frozenset(["channel.teams.client_secret"])
found = gathered(CHANNEL_KINDS["teams"], Flags({{}}), {{"app_id": {GUID!r}, "prefix": "!ai"}}, stored, out)
print("found", found.settings, [len(one.reveal()) for one in found.secrets.values()])
"""
    terminal = Terminal([sys.executable, "-I", "-c", code], {"PATH": "/usr/bin:/bin"})
    terminal.see(f"Application id [{GUID}]: ")
    terminal.type("\n")
    terminal.see("Tenant id: ")
    terminal.type("none\n")
    terminal.see("That has not the form of a Tenant id.")
    terminal.see("Tenant id: ")
    terminal.type(f" {GUID} \n")
    terminal.see("is stored already. Replace it? [y/N] ")
    terminal.type("y\n")
    terminal.see("Client secret (not shown): ")
    terminal.type("canary-0123456789\n")
    terminal.see(f"found {{'app_id': '{GUID}', 'tenant_id': '{GUID}', 'prefix': '!ai'}} [17]")
    assert terminal.end() == 0
    assert "canary" not in terminal.shown


def test_a_verify_token_that_was_lost_is_made_anew_only_after_a_yes() -> None:
    code = """
import sys
from wirken.cli.channel_values import Flags, gathered
from wirken.cli.output import Output
from wirken.config.channel_kinds import CHANNEL_KINDS
out, kind = Output(False, sys.stdout, sys.stderr, {}), CHANNEL_KINDS["whatsapp"]
stored = frozenset(f"channel.whatsapp.{one.name}" for one in kind.settings if one.secret)
for _ in range(2):
    found = gathered(kind, Flags({"phone_id": "106540352242922"}), {}, stored, out)
    print("made", list(found.made), list(found.secrets))
"""
    terminal = Terminal([sys.executable, "-I", "-c", code], {"PATH": "/usr/bin:/bin"})
    for answer, made in (("n", "made [] []"), ("y", "made ['verify_token'] ['verify_token']")):
        for label in ("Access token", "App secret"):
            terminal.see(f"The {label} of WhatsApp is stored already. Replace it? [y/N] ")
            terminal.type("n\n")
        terminal.see("The Verify token of WhatsApp is stored already. Make another one, to enter there? [y/N] ")
        terminal.type(f"{answer}\n")
        terminal.see(made)
    assert terminal.end() == 0
