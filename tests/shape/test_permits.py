"""Lists that are frozen on purpose: who makes permits, opens secrets, catches everything, asks the machine.

A new entry fails here first, so that it is added knowingly and its reason is read by a second person.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "wirken"

REVEALED = {
    "channels/discord.py": 1,  # the bot's token into the header of each call and the greeting of the gateway
    "channels/matrix_http.py": 2,  # the password into the login, the token that it brings into a header
    "channels/matrix_machine.py": 1,  # the key of the store into the library that encrypts it
    "channels/teams_login.py": 1,  # the client secret into the form that asks for a token
    "channels/slack.py": 1,  # the bot's token into its library, which puts it into the header of each call
    "channels/slack_socket.py": 1,  # the app-level token into the call that opens a connection
    "channels/telegram.py": 1,  # the bot's token into its library, which puts it into each address that it calls
    "cli/channel_changes.py": 2,  # a platform's secrets, on their way to the vault
    "cli/channel_values.py": 2,  # looked at for their form; lines of a pipe taken apart
    "channels/whatsapp.py": 1,  # the access token into its library, which puts it into a header
    "channels/whatsapp_hook.py": 1,  # the app secret into the check of each call's signature
    "cli/credentials.py": 2,  # what a person typed or a file holds, on its way to the vault
    "cli/keys.py": 4,  # passphrases on their way to the vault
    "cli/unsealing.py": 1,  # the passphrase of `unlock`, likewise
    "ipc/handshake.py": 2,  # the process's own seed: its public key, and signing
    "outbound/http.py": 1,  # the key of one request, into its header
    "outbound/performing.py": 1,  # a bound credential or a search engine's key, into its header
    "outbound/scrub.py": 1,  # what must be found in an answer, so that it never leaves
    "vault/age.py": 1,  # the device key into its age file
    "vault/cipher.py": 5,  # keys and values in the cipher; comparing two in constant time
    "vault/credentials.py": 2,  # the one answer that carries a value, to outbound; a copy that is sealed again
    "vault/handover.py": 2,  # the device key to the keychain's helper
    "vault/keychain.py": 1,  # the helper gives it to the keychain
    "vault/keyring.py": 2,  # the device key into its 0600 file
    "vault/passphrase.py": 1,  # the passphrase into Argon2id
    "vault/signer.py": 3,  # seeds: a child's own identity, signing, public keys
}
"""Uses of `Secret.reveal` by file, each with what becomes of the value."""

CATCH_EVERYTHING = {
    "gateway/turns.py": 1,  # the loop over a session's turns outlives one bad turn
    "ipc/link.py": 1,  # one bad question must not leave its asker waiting for ever
    "vault/__main__.py": 1,  # the vault's loop outlives one bad question
}
"""Handlers of `Exception` that do not raise again; STYLE.md, habit 9."""

ASK_THE_MACHINE = {
    "gateway/approvals.py": {"secrets.token_hex"},  # an approval's id, which nobody may guess
    "gateway/people.py": {"secrets.choice"},  # a pairing code, which nobody may guess
    "ipc/peer.py": {"os.urandom"},  # the nonces of a handshake
    "vault/keychain.py": {"os.urandom"},  # a program of its own, started by the command line
    "vault/keyfiles.py": {"os.urandom"},  # overwrites a key file before it is removed
}
"""Outside `__main__.py`, config/, cli/ and domain/clock.py, which may; STYLE.md, habit 10."""

MACHINE = {
    *("os.environ", "os.environb", "os.getenv", "os.urandom", "os.getrandom"),
    *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.sleep"),
    *("time.localtime", "time.gmtime", "time.strftime", "time.ctime"),
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
}
MACHINE_MODULES = {"random", "secrets", "uuid"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text())


def called(node: ast.AST) -> str:
    """The last part of what a call calls, or nothing."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def asks(tree: ast.Module) -> set[str]:
    """What a module asks the machine for, by attribute or by import."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            if name in MACHINE or node.value.id in MACHINE_MODULES:
                found.add(name)
        elif isinstance(node, ast.ImportFrom) and node.module in {"os", "time", "datetime", *MACHINE_MODULES}:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if node.module in MACHINE_MODULES else names & MACHINE
    return found


def swallows_everything(handler: ast.ExceptHandler) -> bool:
    """Catches `Exception` or more, and does not end in a bare `raise`, as one that only cleans up does."""
    caught = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else {"all"}
    last = handler.body[-1]
    return bool(caught & {"all", "Exception", "BaseException"}) and not (isinstance(last, ast.Raise) and not last.exc)


def test_only_the_log_makes_a_permit() -> None:
    makers = {name for name, tree in sources() for node in ast.walk(tree) if called(node) == "Permit"}
    assert makers == {"gateway/log.py"}


def test_a_permit_is_not_made_by_another_name_or_copied_with_changes() -> None:
    for name, tree in sources():
        text = ast.dump(tree)
        if "Permit'" in text and name not in {"record/permit.py", "gateway/log.py"}:
            aliases = [
                alias.asname
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom)
                for alias in node.names
                if alias.name == "Permit"
            ]
            assert aliases in ([], [None]), name


def test_every_use_of_reveal_is_on_the_list() -> None:
    uses = Counter(
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "reveal"
    )
    assert uses == REVEALED


def test_only_the_listed_loops_outlive_every_error() -> None:
    handlers = Counter(
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and swallows_everything(node)
    )
    assert handlers == CATCH_EVERYTHING


def test_time_chance_and_environment_are_arguments() -> None:
    asking = {
        name: found
        for name, tree in sources()
        if not name.endswith("__main__.py")
        and not name.startswith(("cli/", "config/"))
        and name != "domain/clock.py"
        and (found := asks(tree))
    }
    assert asking == ASK_THE_MACHINE


def test_no_shell_starts_a_program() -> None:
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                shell = [word for word in node.keywords if word.arg == "shell"]
                assert not shell, name
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in {("os", "system"), ("os", "popen")}, name
