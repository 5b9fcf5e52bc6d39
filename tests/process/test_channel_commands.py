"""`wirken channel` with all of Wirken and a simulated platform: from a token to an owner who is known, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.test_adapters import ANNA, HOST, ROLE, Platform, platform
from tests.support.spine import WIRKEN, Spine, environment, spine, until, wirken
from tests.support.supervised import free_port
from tests.support.terminal import Terminal
from tests.support.wirken import running

pytestmark = pytest.mark.slow

OTHER = 5_000_000_002
WRONG = f"4242424242:{'wrong'.ljust(35, 'y')}"
BASE = f'# mine\n[egress.own_addresses]\n"{HOST}" = ["127.0.0.1"]   # the simulator\n'


@pytest.fixture
def there() -> Iterator[Platform]:
    with platform() as one:
        yield one


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Spine]:
    with spine(tmp_path / "wirken", BASE) as one:
        yield one


def url(there: Platform) -> str:
    return f"http://{HOST}:{there.sim.port}"


def add(there: Platform, *more: str) -> tuple[str, ...]:
    return ("channel", "add", "telegram", "--api-url", url(there), *more)


def credentials(data: Path) -> list[str]:
    return [row["name"] for row in json.loads(wirken(data, "credentials", "list", "--json").stdout)]


def test_a_token_a_message_and_a_yes_make_a_channel_whose_owner_is_known(up: Spine, there: Platform) -> None:
    stranger = there.do(lambda: there.sim.person(OTHER, "Mallory [y/N] y\x1b[2J", "mallory"))
    terminal = Terminal([*WIRKEN, *add(there)], environment(up.data))
    terminal.see("Bot token (not shown): ")
    terminal.type("no token\n")
    terminal.see("has not the form of a Bot token")
    terminal.type(f"{there.sim.token}\n")
    terminal.see("Connected to Telegram as ", 60)
    terminal.see("Now send a message")
    there.do(lambda: there.sim.say(stranger, "it is me"))
    terminal.see(f'account "{OTHER}", who is called "Mallory [y/N] y', 30)
    terminal.see("Is this you? [y/N] ")
    terminal.type("n\n")
    terminal.see("Still waiting")
    there.says("hello")
    terminal.see(f'account "{ANNA}", who is called "Anna', 30)
    terminal.see("Is this you? [y/N] ")
    terminal.type("y\n")
    terminal.see("The channel telegram is set up.")
    assert terminal.end() == 0
    assert "\x1b" not in terminal.shown and there.sim.token not in terminal.shown
    assert up.paths.config_file.read_text() == f'{BASE}\n[channels.telegram]\napi_url = "{url(there)}"\n'
    assert up.paths.config_file.stat().st_mode & 0o777 == 0o600
    there.says("/whoami")
    until(lambda: any("owner" in text for text in there.sees()), lambda: f"{there.sees()} {up.err}", 30.0)
    _look(up)
    _test_and_remove(up, there)


def _look(up: Spine) -> None:
    [row] = json.loads(wirken(up.data, "channel", "list", "--json").stdout)
    assert (row["channel"], row["state"], row["agent"]) == ("telegram", "connected", "default")
    shown = wirken(up.data, "channel", "status", "telegram")
    assert shown.returncode == 0 and "telegram: connected for" in shown.stdout and "restarts: 0" in shown.stdout
    [row] = json.loads(wirken(up.data, "channel", "status", "--json").stdout)
    assert row["restarts"] == 0 and row["row"]["connected"] is True and row["row"]["last_message"] > 0


def _test_and_remove(up: Spine, there: Platform) -> None:
    tested = wirken(up.data, "channel", "test", "telegram")
    assert tested.returncode == 0 and "telegram: connected as " in tested.stdout, tested
    there.do(lambda: setattr(there.sim, "revoked", True))
    refused = wirken(up.data, "channel", "test", "telegram", "--json")
    assert refused.returncode == 1 and json.loads(refused.stdout)["state"] == "refused"
    found = json.loads(wirken(up.data, "doctor", "--json").stdout)["findings"]
    [finding] = [row for row in found if row["id"] == "channels"]
    assert (finding["severity"], finding["fix"]) == ("red", "wirken channel add telegram")
    removed = wirken(up.data, "channel", "remove", "telegram", "--yes", "--json")
    assert json.loads(removed.stdout)["credentials"] == ["channel.telegram.token"], removed
    assert up.paths.config_file.read_text() == BASE
    assert credentials(up.data) == [] and ROLE not in up.outer()
    known = json.loads(wirken(up.data, "senders", "list", "--json").stdout)
    assert {row["sender"] for row in known} == {str(ANNA), str(OTHER)}
    forgot = wirken(up.data, "channel", "remove", "telegram", "--yes", "--forget", "--json")
    assert json.loads(forgot.stdout)["forgotten"] == 2
    assert json.loads(wirken(up.data, "senders", "list", "--json").stdout) == []


def test_a_refused_token_leaves_nothing_and_puts_back_what_was_there(up: Spine, there: Platform) -> None:
    done = wirken(up.data, *add(there, "--token-stdin", "--no-input"), text=WRONG, timeout=90)
    assert done.returncode == 1 and "refuses the bot's token" in done.stderr and WRONG not in done.stderr
    assert up.paths.config_file.read_text() == BASE
    assert credentials(up.data) == [] and ROLE not in up.outer()
    good = wirken(
        up.data, *add(there, "--stdin", "--json", "--owner", str(ANNA)), text=f"token={there.sim.token}\n", timeout=90
    )
    assert good.returncode == 0, good.stderr
    said = json.loads(good.stdout)
    assert (said["state"], said["owner"], said["running"]) == ("connected", str(ANNA), True)
    assert credentials(up.data) == ["channel.telegram.token"]
    text = up.paths.config_file.read_text()
    done = wirken(up.data, "channel", "add", "telegram", "--token-stdin", "--prefix", "!x", text=WRONG, timeout=90)
    assert done.returncode == 1, done.stderr
    assert up.paths.config_file.read_text() == text
    assert credentials(up.data) == ["channel.telegram.token"]
    tested = wirken(up.data, "channel", "test", "telegram")
    assert tested.returncode == 0, tested  # with the token from before
    there.says("/whoami")
    until(lambda: any("owner" in text for text in there.sees()), lambda: f"{there.sees()} {up.err}", 30.0)


def test_where_nothing_runs_processes_are_started_for_the_check(there: Platform, tmp_path: Path) -> None:
    data = tmp_path / "wirken" / "data"
    data.mkdir(mode=0o700, parents=True)
    (data / "config.toml").write_text(BASE)
    done = wirken(data, *add(there, "--token-stdin"), text=WRONG, timeout=90)
    assert done.returncode == 1 and "refuses the bot's token" in done.stderr, done
    assert (data / "config.toml").read_text() == BASE and credentials(data) == []
    done = wirken(data, *add(there, "--token-stdin", "--no-input", "--no-owner"), text=there.sim.token, timeout=90)
    assert done.returncode == 0 and "Connected to Telegram as " in done.stderr, done
    assert "`wirken run` serves the channel" in done.stdout
    listed = wirken(data, "channel", "list")
    assert "Wirken does not run" in listed.stdout
    assert wirken(data, "channel", "status").returncode == 3
    tested = wirken(data, "channel", "test", "telegram", "--json", timeout=90)
    assert json.loads(tested.stdout)["state"] == "connected", tested
    assert wirken(data, "channel", "remove", "telegram", "--yes", timeout=90).returncode == 0
    assert (data / "config.toml").read_text() == BASE and credentials(data) == []


def test_a_platform_that_is_away_keeps_the_channel_and_says_that_it_is_not_verified(up: Spine, there: Platform) -> None:
    there.do(lambda: setattr(there.sim, "away", True))
    done = wirken(up.data, *add(there, "--token-stdin", "--json"), text=there.sim.token, timeout=120)
    assert done.returncode == 0 and json.loads(done.stdout)["state"] == "away", done
    assert credentials(up.data) == ["channel.telegram.token"] and ROLE in up.outer()


def test_ctrl_c_undoes_a_channel_that_is_not_checked_yet_and_keeps_one_that_is(up: Spine, there: Platform) -> None:
    there.do(lambda: setattr(there.sim, "away", True))
    terminal = Terminal([*WIRKEN, *add(there)], environment(up.data))
    terminal.see("Bot token (not shown): ")
    terminal.type(f"{there.sim.token}\n")
    terminal.see("Not connected yet", 60)
    terminal.type("\x03")
    assert terminal.end(60) == 130
    assert up.paths.config_file.read_text() == BASE
    assert credentials(up.data) == [] and ROLE not in up.outer()
    there.do(lambda: setattr(there.sim, "away", False))
    terminal = Terminal([*WIRKEN, *add(there)], environment(up.data))
    terminal.see("Bot token (not shown): ")
    terminal.type(f"{there.sim.token}\n")
    terminal.see("Ctrl+C goes on without", 60)
    terminal.type("\x03")
    terminal.see("wirken senders allow telegram:ID --role owner")
    assert terminal.end() == 0
    assert credentials(up.data) == ["channel.telegram.token"] and ROLE in up.outer()


def test_a_wirken_that_waits_for_its_passphrase_is_opened_first(there: Platform, tmp_path: Path) -> None:
    data, phrase = tmp_path / "wirken" / "data", "correct horse battery staple"
    data.mkdir(mode=0o700, parents=True)
    (data / "config.toml").write_text(BASE)
    kept = wirken(data, "keys", "protect", "--with", "passphrase", "--stdin", text=phrase)
    assert kept.returncode == 0, kept.stderr
    with running(environment(data), tmp_path, free_port(), until="may be sealed"):
        terminal = Terminal([*WIRKEN, *add(there, "--no-owner")], environment(data))
        terminal.see("Passphrase of Wirken's vault: ", 30)
        terminal.type(f"{phrase}\n")
        terminal.see("Bot token (not shown): ", 30)
        terminal.type(f"{there.sim.token}\n")
        terminal.see("Connected to Telegram as ", 60)
        assert terminal.end() == 0
    assert "[channels.telegram]" in (data / "config.toml").read_text()
