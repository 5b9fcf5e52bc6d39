"""The supervisor as commands meet it: is one up, ask it, keep it alive, have one for a moment."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from wirken.cli import launching
from wirken.config.paths import Paths
from wirken.confine import roles
from wirken.domain import limits
from wirken.domain.errors import Unavailable
from wirken.supervisor import lock
from wirken.supervisor.parent import KEPT, READY
from wirken.supervisor.plan import Plan


class NotRunning(Unavailable):
    """No supervisor answers on this data directory."""

    hint = "Start it with `wirken run`."


class NotStarted(Unavailable):
    """The processes could not be started for this command."""

    hint = "What they said stands above; `wirken doctor` looks for the reason."


class NotOurs(Unavailable):
    """The data directory is closed to us."""

    hint = "Use it as the user it belongs to, or choose another with WIRKEN_DATA_DIR."


class NotReady(Unavailable):
    """A supervisor runs, and the process that is needed does not come up."""

    hint = "`wirken status` shows the processes; what they said stands where `wirken run` runs."


class Declined(Unavailable):
    """The supervisor said no; the sentence is its reason."""


def pid(paths: Paths) -> int:
    """Return the pid of the supervisor that runs on this data directory; 0 where none does. Raises `NotOurs`."""
    try:
        return lock.holder(str(paths.lock_file))
    except OSError as error:
        raise NotOurs(f"{paths.data} cannot be used: {error.strerror}.") from None


class Control:
    """A connection to the supervisor. What was asked for with `hold` or `workspace` lives as long as it."""

    def __init__(self, paths: Paths, patience: float = limits.READY_TIME + 1) -> None:
        """Connect. Raises `NotRunning`. `patience` is in seconds per question."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(patience)
        try:
            self._socket.connect(str(paths.supervisor_socket))
        except OSError:
            self._socket.close()
            raise NotRunning(f"No Wirken runs on {paths.data}.") from None

    def ask(self, question: Mapping[str, object]) -> dict[str, object]:
        """Return the answer (supervisor/questions.py). Raises `Declined`, `NotRunning`."""
        answer = b""
        try:
            self._socket.sendall(json.dumps(question).encode() + b"\n")
            while not answer.endswith(b"\n"):
                data = self._socket.recv(65_536)
                if not data:
                    break
                answer += data
        except OSError:
            answer = b""
        if not answer:
            raise NotRunning("The supervisor does not answer.")
        tree: object = json.loads(answer)
        if not isinstance(tree, dict):
            raise NotRunning("The supervisor does not answer sensibly.")
        if tree.get("ok") is not True:
            raise Declined(str(tree.get("error", "")), hint=str(tree.get("hint", "")))
        return tree

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def workspace(paths: Paths, path: Path, read_only: Sequence[Path]) -> Iterator[str]:
    """Have a further runner that sees `path` (and `read_only`), and give its role id. Raises `Declined`."""
    with Control(paths) as control:
        folders = [str(folder.absolute()) for folder in read_only]
        answer = control.ask({"ask": "workspace", "path": str(path.absolute()), "read_only": folders})
        yield str(answer["role"])


@contextlib.contextmanager
def optional_workspace(paths: Paths, path: Path | None, read_only: Sequence[Path] = ()) -> Iterator[str]:
    """Give the role id of a runner that sees `path`; an empty text where there is none to see."""
    if path is None:
        yield ""
    else:
        with workspace(paths, path, read_only) as role_id:
            yield role_id


class Ephemeral:
    """A supervisor for the time of one command, started as our child. It has no page and says nothing.

    It ends with us, even if we are killed, unless another command holds it by then.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan._replace(ephemeral=True, banner=(), ready_line="", port=0)
        self._process: subprocess.Popen[bytes] | None = None
        self._ready, self._theirs = socket.socketpair()

    def __enter__(self) -> Ephemeral:
        """Return once all processes are ready. A sealed vault is opened first, by asking for its passphrase.

        Raises `NotStarted`; the supervisor has said why by then. Raises `VaultSealed` where nobody can be asked.
        """
        handed = launching.handed_over(self._plan)
        with self._theirs:
            self._process = subprocess.Popen(
                launching.supervisor_line(handed, self._theirs.fileno()),
                env=launching.environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(handed, self._theirs.fileno()),
                start_new_session=True,
            )
        os.close(handed)
        try:
            self._await_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _await_ready(self) -> None:
        paths = Paths(Path(self._plan.data))
        if roles.GATEWAY in self._plan.programs and _may_be_sealed(paths):
            _open_vault(paths, lambda: bool(select.select([self._ready], [], [], limits.START_POLL)[0]))
        self._ready.settimeout(2 * limits.READY_TIME)  # it gives its processes less, but for sealed vaults
        try:
            said = self._ready.recv(1)
        except TimeoutError:
            said = b""
        if said != READY:
            raise NotStarted("Wirken's processes could not be started.")

    def __exit__(self, *_: object) -> None:
        """Stop it and wait until it is gone, or leave it to whoever else holds it."""
        said = b""
        with self._ready, contextlib.suppress(OSError):
            self._ready.shutdown(socket.SHUT_WR)
            said = self._ready.recv(1)
        if self._process is None:
            return
        if said == KEPT:
            self._process.returncode = 0  # another command keeps it, so it is not ours to wait for
        else:
            self._process.wait()


@contextlib.contextmanager
def present(paths: Paths, plan: Plan | Callable[[], Plan], *, needs: str = roles.GATEWAY) -> Iterator[None]:
    """Have the processes up for the time of the block: those that run already, else our own.

    A callable `plan` is asked only where our own have to be started, which spares the trial of the walls.
    `needs` is the role that must be ready; a supervisor of another command that lacks it is waited out.
    Commands that start at once share one supervisor: who comes too late for the lock holds the winner's.
    A vault that is sealed while others wait for it is opened by asking for its passphrase.
    Raises `NotStarted`, `NotRunning`, `VaultSealed`.
    """
    held = _joined_or_started(paths, plan, needs)
    try:
        yield
    finally:
        held.__exit__(None, None, None)


def _joined_or_started(paths: Paths, plan: Plan | Callable[[], Plan], needs: str) -> Control | Ephemeral:
    until = time.monotonic() + limits.READY_TIME
    while time.monotonic() < until:
        if not pid(paths):
            try:
                return Ephemeral(plan if isinstance(plan, Plan) else plan()).__enter__()
            except NotStarted:
                if not pid(paths):
                    raise
        try:
            control = Control(paths)
        except NotRunning:
            time.sleep(limits.START_POLL)  # it holds the lock and has no socket yet, or none any more
            continue
        try:
            control.ask({"ask": "hold"})
            if _await_role(paths, control, needs):
                return control
        except NotRunning:
            pass
        except BaseException:
            control.close()
            raise
        control.close()
        time.sleep(limits.START_POLL)
    raise NotRunning("A supervisor holds the data directory and does not answer.", hint="`wirken stop` ends it.")


def _await_role(paths: Paths, control: Control, needs: str) -> bool:
    """Wait until the process of a role is ready; False where this supervisor has none. Raises `NotReady`."""
    until, looked = time.monotonic() + limits.READY_TIME, False
    while True:
        state = states(control.ask({"ask": "status"})).get(needs)
        if state in (None, "ready"):
            return state is not None
        if not looked and needs != roles.VAULT and _may_be_sealed(paths):
            _open_vault(paths, _pause)
            until, looked = time.monotonic() + limits.READY_TIME, True
        if time.monotonic() >= until:
            raise NotReady(f"The process '{needs}' is not ready ({state}).")
        time.sleep(limits.START_POLL)


def states(status: Mapping[str, object]) -> dict[str, str]:
    """Return the state of each role in the supervisor's answer to `status`."""
    children = status.get("children")
    return {str(row["role"]): str(row["state"]) for row in (children if isinstance(children, list) else [])}


def _may_be_sealed(paths: Paths) -> bool:
    """Could the vault have to wait for a passphrase or the keychain? Read off its files; costs three looks."""
    if os.path.lexists(paths.device_key_file):
        return False
    return any(os.path.lexists(paths.vault_dir / name) for name in ("device.key.age", "keychain"))


def _pause() -> bool:
    time.sleep(limits.START_POLL)
    return False


def _open_vault(paths: Paths, given_up: Callable[[], bool]) -> None:
    """Open the vault if it is sealed. `given_up` waits a moment; True once the supervisor has said something."""
    from wirken.cli import unsealing
    from wirken.ipc.vault_client import VaultClient
    from wirken.ipc.vault_wire import VaultLost

    until = time.monotonic() + limits.READY_TIME
    while not given_up():
        try:
            client = VaultClient.connect(paths.vault_socket)
        except VaultLost:
            if time.monotonic() >= until:
                raise
            continue
        try:
            unsealing.unseal(client, paths)
        finally:
            client.close()
        return
