"""`wirken credentials`, `keys` and `unlock` with real processes and a real terminal; no secret leaves its way."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.desktop import desktop
from tests.support.supervised import free_port, until_gone
from tests.support.terminal import Terminal
from tests.support.wirken import WIRKEN, environment, running, wirken

from wirken.cli import daemon
from wirken.config.paths import Paths

pytestmark = pytest.mark.slow

CANARY = "sk-canary-7f3a91c2e8"
PASSPHRASE = "canary staple battery 88 horse"
ANOTHER = "another canary of five words"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path)


@pytest.fixture
def sealed(environ: dict[str, str]) -> dict[str, str]:
    """A data directory whose vault is behind PASSPHRASE and holds CANARY."""
    assert wirken(environ, "credentials", "add", "mine", "--stdin", given=CANARY).returncode == 0
    done = wirken(environ, "keys", "protect", "--with", "passphrase", "--stdin", given=f"{PASSPHRASE}\n")
    assert done.returncode == 0, done.stderr
    return environ


class Spy:
    """Looks at every process's arguments and environment until it is stopped."""

    def __init__(self, *secrets: str) -> None:
        self.found: list[str] = []
        self._secrets = [secret.encode() for secret in secrets]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Spy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        own = str(os.getpid())
        while not self._done.wait(0.005):
            for pid in filter(str.isdigit, os.listdir("/proc")):
                for name in ("cmdline", "environ"):
                    try:
                        text = Path(f"/proc/{pid}/{name}").read_bytes()
                    except OSError:
                        continue
                    if pid != own and any(secret in text for secret in self._secrets):
                        self.found.append(f"{pid} {name}")


def files_with(folder: Path, *secrets: str) -> list[Path]:
    """Return the files below `folder` that hold one of the secrets, as text or in hex."""
    needles = [form for secret in secrets for form in (secret.encode(), secret.encode().hex().encode())]
    return [
        path for path in folder.rglob("*") if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


def test_a_value_typed_twice_is_stored_and_appears_nowhere(environ: dict[str, str], tmp_path: Path) -> None:
    with Spy(CANARY) as spy:
        terminal = Terminal([*WIRKEN, "credentials", "add", "mine", "--expires", "90d"], environ)
        terminal.see("Value of mine (not shown): ")
        terminal.type(f"{CANARY}x\x7f\n")
        terminal.see("The same again: ")
        terminal.type(f"{CANARY}\n")
        terminal.see("Stored mine.")
        terminal.see('credential = "mine"')
        assert terminal.end() == 0
        listed = wirken(environ, "credentials", "list")
        shown = wirken(environ, "credentials", "show", "mine", "--json")
    assert spy.found == []
    row = json.loads(shown.stdout)
    assert (row["name"], row["state"], row["last_used"], row["providers"]) == ("mine", "ok", 0, [])
    assert 89 < (row["expires"] / 1000 - time.time()) / 86_400 <= 90
    for text in (terminal.shown, listed.stdout, listed.stderr, shown.stdout, shown.stderr):
        assert CANARY not in text
    assert "mine" in listed.stdout
    assert files_with(tmp_path, CANARY) == []


def test_two_different_entries_store_nothing(environ: dict[str, str]) -> None:
    terminal = Terminal([*WIRKEN, "credentials", "add", "mine"], environ)
    terminal.see("not shown")
    terminal.type("one\n")
    terminal.see("again")
    terminal.type("two\n")
    terminal.see("not the same")
    assert terminal.end() == 64
    assert "No credential is stored." in wirken(environ, "credentials", "list").stdout


@pytest.mark.parametrize(("typed", "said"), [("a\nb\nc\n", "More than one line"), ("\x1b[A\n", "control character")])
def test_a_paste_of_several_lines_and_arrow_keys_are_refused_instead_of_cut(
    environ: dict[str, str], typed: str, said: str
) -> None:
    terminal = Terminal([*WIRKEN, "credentials", "add", "mine"], environ)
    terminal.see("not shown")
    terminal.type(typed)
    terminal.see(said)
    assert terminal.end() == 64
    assert "\nb" not in terminal.shown


def test_ctrl_c_at_a_hidden_prompt_leaves_the_terminal_as_it_was(environ: dict[str, str]) -> None:
    line = ["/bin/sh", "-c", 'trap : INT; "$@"; echo "code $?"; stty -a', "sh", *WIRKEN, "credentials", "add", "mine"]
    terminal = Terminal(line, environ)
    terminal.see("not shown")
    terminal.type("half a sec\x03")
    terminal.see("code 130")
    terminal.see(" echo ")
    terminal.end()
    assert " icanon" in terminal.shown
    assert "half a sec" not in terminal.shown


@pytest.mark.parametrize(("last", "said", "code"), [("a", "Stored long.", 0), ("b", "not the same", 64)])
def test_a_value_longer_than_a_terminals_line_is_taken_to_its_last_character(
    environ: dict[str, str], last: str, said: str, code: int
) -> None:
    terminal = Terminal([*WIRKEN, "credentials", "add", "long"], environ)
    for question, end in (("not shown", "a"), ("again", last)):
        terminal.see(question)
        terminal.type("k" * 9000 + f"{end}\n")
    terminal.see(said)
    assert terminal.end() == code


def test_a_surplus_word_is_refused_and_not_repeated(environ: dict[str, str]) -> None:
    for words in (
        ("credentials", "add", "mine", CANARY),
        ("credentials", "add", "mine", f"--value={CANARY}"),
        ("credentials", "add", "mine", "--value-file", f"/{CANARY}"),
        ("credentials", "add", "mine", "--stdin", "--expires", CANARY),
        ("credentials", "show", CANARY, CANARY),
        ("keys", "protect", "--with", "passphrase", CANARY),
        ("keys", "protect", "--with", CANARY),
        ("unlock", CANARY),
    ):
        done = wirken(environ, *words)
        assert done.returncode == 64, words
        assert CANARY not in done.stdout + done.stderr, words


def test_rotating_reading_a_file_and_removing(environ: dict[str, str], tmp_path: Path) -> None:
    config = Path(environ["WIRKEN_DATA_DIR"]) / "config.toml"
    config.parent.mkdir(mode=0o700)
    config.write_text('[providers.p]\nkind = "openai"\nbase_url = "https://example.com/v1"\ncredential = "mine"\n')
    secret = tmp_path / "secret"
    secret.write_text(f"{CANARY}\n")
    secret.chmod(0o644)
    added = wirken(environ, "credentials", "add", "mine", "--value-file", str(secret))
    assert added.returncode == 0
    assert "Other users of this machine may read that file." in added.stderr
    assert "[providers.p]" in added.stderr
    secret.unlink()
    again = wirken(environ, "credentials", "add", "mine", "--stdin", given="x")
    assert (again.returncode, "rotate" in again.stderr) == (1, True)
    rotated = wirken(environ, "credentials", "rotate", "mine", "--stdin", "--json", given=f"{CANARY}2\r\n")
    assert json.loads(rotated.stdout) == {"rotated": "mine", "expires": 0}
    assert wirken(environ, "credentials", "remove", "mine").returncode == 64
    terminal = Terminal([*WIRKEN, "credentials", "remove", "mine"], environ)
    terminal.see("Remove the credential mine, which p uses? [y/N] ")
    terminal.type("n\n")
    assert terminal.end() == 1
    assert json.loads(wirken(environ, "credentials", "list", "--json").stdout)[0]["name"] == "mine"
    assert wirken(environ, "credentials", "remove", "mine", "--yes").returncode == 0
    assert json.loads(wirken(environ, "credentials", "list", "--json").stdout) == []
    assert wirken(environ, "credentials", "show", "mine").returncode == 1
    assert files_with(tmp_path, CANARY) == []


def test_the_whole_story_of_a_passphrase(environ: dict[str, str], tmp_path: Path) -> None:
    terminal = Terminal([*WIRKEN, "keys", "protect", "--with", "passphrase"], environ)
    terminal.see("New passphrase (not shown): ")
    terminal.type(f"{PASSPHRASE}\n")
    terminal.see("look good")
    terminal.see("The same again: ")
    terminal.type(f"{PASSPHRASE}\n")
    terminal.see("An SSD, a snapshot or a backup may still hold")
    assert terminal.end() == 0
    assert PASSPHRASE not in terminal.shown
    vault = tmp_path / "d" / "vault"
    assert not (vault / "device.key").exists()
    with running(environ, tmp_path, free_port(), until="may be sealed"), Spy(PASSPHRASE) as spy:
        until = time.monotonic() + 10
        while json.loads(wirken(environ, "status", "--json").stdout)["state"] != "sealed":
            assert time.monotonic() < until
        states = {
            row["role"]: row["state"]
            for row in json.loads(wirken(environ, "status", "--json").stdout)["supervisor"]["children"]
        }
        assert states.pop("vault") == "ready"
        assert set(states.values()) == {"starting"}
        assert wirken(environ, "doctor", "--check", "vault-sealed").returncode == 1
        unlock = Terminal([*WIRKEN, "unlock"], environ)
        unlock.see("Passphrase of Wirken's vault: ")
        unlock.type("something else\n")
        unlock.see("That does not open the vault.")
        unlock.type(f"{PASSPHRASE}\n")
        unlock.see("The vault is open. All processes are ready.")
        assert unlock.end() == 0
        answer = wirken(environ, "ask", "-m", "say: here I am", "--json")
        assert json.loads(answer.stdout)["text"] == "here I am"
        assert "was open already" in wirken(environ, "unlock").stdout
    assert spy.found == []
    assert PASSPHRASE not in unlock.shown
    assert files_with(tmp_path, PASSPHRASE) == []
    assert "Wirken running" in (tmp_path / "run.log").read_text()


def test_unlock_takes_a_pipe_and_says_when_there_is_nothing_to_open(sealed: dict[str, str], tmp_path: Path) -> None:
    assert wirken(sealed, "unlock").returncode == 69
    with running(sealed, tmp_path, free_port(), until="may be sealed"):
        wrong = wirken(sealed, "unlock", "--stdin", given="wrong wrong wrong")
        assert (wrong.returncode, "does not open" in wrong.stderr) == (1, True)
        right = wirken(sealed, "unlock", "--stdin", "--json", given=f"{PASSPHRASE}\n")
        assert json.loads(right.stdout) == {"unlocked": True, "waiting": []}


def test_ask_alone_with_a_sealed_vault_asks_for_the_passphrase(sealed: dict[str, str]) -> None:
    terminal = Terminal([*WIRKEN, "ask", "-m", "say: it was opened"], sealed)
    terminal.see("Passphrase of Wirken's vault: ")
    terminal.type(f"{PASSPHRASE}\n")
    terminal.see("it was opened")
    assert terminal.end() == 0
    assert "may be sealed" not in terminal.shown


def test_a_sealed_vault_without_a_terminal_is_an_error_at_once_and_leaves_nothing_behind(
    sealed: dict[str, str], tmp_path: Path
) -> None:
    start = time.monotonic()
    done = wirken(sealed, "ask", "-m", "hi")
    assert time.monotonic() - start < 4
    assert done.returncode == 69
    assert "no terminal" in done.stderr
    assert "wirken unlock" in done.stderr
    assert daemon.pid(Paths(tmp_path / "d")) == 0
    with running(sealed, tmp_path, free_port(), until="may be sealed"):
        again = wirken(sealed, "ask", "-m", "hi")
    assert (again.returncode, "no terminal" in again.stderr) == (69, True)


def test_giving_up_at_the_passphrase_ends_what_was_started(sealed: dict[str, str], tmp_path: Path) -> None:
    terminal = Terminal([*WIRKEN, "ask", "-m", "hi"], sealed)
    terminal.see("Passphrase")
    pid = daemon.pid(Paths(tmp_path / "d"))
    assert pid
    terminal.type("\x03")
    assert terminal.end() == 130
    assert until_gone([pid], 2.0) == []


def test_verifying_asks_for_no_passphrase(sealed: dict[str, str]) -> None:
    terminal = Terminal([*WIRKEN, "ask", "-m", "say: x"], sealed)
    terminal.see("Passphrase")
    terminal.type(f"{PASSPHRASE}\n")
    assert terminal.end() == 0
    done = wirken(sealed, "sessions", "verify", "last", "--strict")
    assert (done.returncode, "verified" in done.stdout) == (0, True), done.stdout + done.stderr


def test_changing_and_leaving_a_passphrase_needs_it(sealed: dict[str, str], tmp_path: Path) -> None:
    refused = wirken(sealed, "keys", "protect", "--with", "keyfile", "--stdin", given="not that one\n")
    assert refused.returncode == 1
    assert not (tmp_path / "d/vault/device.key").exists()
    short = wirken(sealed, "keys", "protect", "--with", "passphrase", "--stdin", given=f"{PASSPHRASE}\nshort\n")
    assert (short.returncode, "8 to" in short.stderr) == (64, True)
    lines = wirken(sealed, "keys", "protect", "--with", "passphrase", "--stdin", given=f"{PASSPHRASE}\n")
    assert (lines.returncode, "2 are needed" in lines.stderr) == (64, True)
    changed = wirken(sealed, "keys", "protect", "--with", "passphrase", "--stdin", given=f"{PASSPHRASE}\n{ANOTHER}\n")
    assert (changed.returncode, "old passphrase" in changed.stdout) == (0, True)
    terminal = Terminal([*WIRKEN, "credentials", "list"], sealed)
    terminal.see("Passphrase")
    terminal.type(f"{ANOTHER}\n")
    terminal.see("mine")
    assert terminal.end() == 0
    left = wirken(sealed, "keys", "protect", "--with", "keyfile", "--stdin", "--json", given=f"{ANOTHER}\n")
    assert json.loads(left.stdout) == {"protection": "keyfile", "before": "passphrase"}
    status = json.loads(wirken(sealed, "keys", "status", "--json").stdout)
    assert status == {"protection": "keyfile", "sealed": False, "credentials": 1, "running": False}


def test_status_of_a_sealed_vault_does_not_ask(sealed: dict[str, str]) -> None:
    status = json.loads(wirken(sealed, "keys", "status", "--json").stdout)
    assert status == {"protection": "passphrase", "sealed": True, "credentials": -1, "running": False}


@pytest.fixture
def session(environ: dict[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    with desktop(tmp_path) as found:
        yield environ | found


def test_the_key_moves_into_a_real_keychain_and_out_again(session: dict[str, str], tmp_path: Path) -> None:
    bare = {name: value for name, value in session.items() if not name.startswith(("DBUS", "XDG"))}
    assert wirken(bare, "credentials", "add", "mine", "--stdin", given=CANARY).returncode == 0
    vault = tmp_path / "d" / "vault"
    assert (vault / "device.key").exists()
    moved = wirken(session, "keys", "protect", "--with", "keychain")
    assert moved.returncode == 0, moved.stderr
    assert not (vault / "device.key").exists()
    assert "mine" in wirken(session, "credentials", "list").stdout
    with running(session, tmp_path, free_port()):
        assert json.loads(wirken(session, "status", "--json").stdout)["vault"]["protection"] == "keychain"
    silent = wirken(bare, "credentials", "list")
    assert (silent.returncode, "keychain" in silent.stderr) == (69, True)
    back = wirken(session, "keys", "protect", "--with", "keyfile")
    assert (back.returncode, "still holds a copy" in back.stdout) == (0, False), back.stdout + back.stderr
    assert "mine" in wirken(bare, "credentials", "list").stdout


def test_without_a_keychain_the_key_stays_where_it_is(environ: dict[str, str], tmp_path: Path) -> None:
    done = wirken(environ, "keys", "protect", "--with", "keychain")
    assert (done.returncode, "no OS keychain" in done.stderr) == (69, True)
    assert (tmp_path / "d/vault/device.key").exists()


def test_ask_waits_out_a_supervisor_that_has_only_a_vault(environ: dict[str, str], tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from wirken.cli import vaults\nfrom wirken.cli.output import Output\n"
        "from wirken.config.paths import Paths, data_dir\n"
        "out = Output(False, sys.stdout, sys.stderr, os.environ)\n"
        "with vaults.asked(Paths(data_dir(os.environ)), out): print('up', flush=True); sys.stdin.read()\n"
    )
    line = [WIRKEN[0], "-I", "-c", program]
    with contextlib.ExitStack() as stack:
        holder = stack.enter_context(
            subprocess.Popen(line, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "up\n"
        asking = stack.enter_context(
            subprocess.Popen([*WIRKEN, "ask", "-m", "say: after it"], env=environ, stdout=subprocess.PIPE, text=True)
        )
        time.sleep(1.0)
        assert asking.poll() is None
        status = wirken(environ, "status", "--json")
        assert (status.returncode, json.loads(status.stdout)["state"]) == (3, "temporary")
        holder.stdin.close()
        out, _ = asking.communicate(timeout=20)
    assert (asking.returncode, out) == (0, "after it\n")
