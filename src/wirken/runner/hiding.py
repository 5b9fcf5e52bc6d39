"""What a folder outside holds beyond what a yes to it meant: names that commonly hold a credential, which are hidden.

A call that names such a file itself gets it, if a person says so: then it is a path of its own.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from wirken.domain import limits
from wirken.domain.credentials import is_credential
from wirken.domain.nesting import lies_in
from wirken.domain.text import shown
from wirken.runner import steering
from wirken.runner.sandbox import Command, Hidden
from wirken.runner.steering import Steering


def credentials(command: Command) -> tuple[Hidden, ...]:
    """Return what is to be covered in the folders outside that a command is shown, each place once, outermost first.

    Raises `steering.Unguarded` for a folder that cannot be looked through, or holds too much of it.
    """
    mounts = [one.path for one in command.outside]
    named = {f"{one.folder}/{name}" for one in command.opened for name in one.names}
    found: dict[str, Hidden] = {}
    for place in _places(command):
        seen = steering.found(place, wanted=_is_secret)
        for path in steering.mountable(seen):
            where, state = f"{place}/{path}", seen[path]
            if where not in mounts and where not in named:
                leads = any(lies_in(mount, where) for mount in mounts)
                found[where] = Hidden(where, state.device, state.inode, stat.S_ISDIR(state.mode), leads)
    hidden: list[Hidden] = []
    for path in sorted(found):
        if not is_hidden(path, hidden, mounts):
            hidden.append(found[path])
    return tuple(hidden)


def is_hidden(path: str, hidden: Sequence[Hidden], mounts: Sequence[str]) -> bool:
    """Does a path lie in something that is covered, and not in a place that is shown in there?"""
    covers = max((len(one.path) for one in hidden if lies_in(path, one.path)), default=-1)
    return covers > max((len(mount) for mount in mounts if lies_in(path, mount)), default=-1)


def visible(seen: Steering, folder: str, command: Command) -> Steering:
    """Return of what lies in a folder what is not hidden from the command."""
    mounts = [one.path for one in command.outside]
    return {path: state for path, state in seen.items() if not is_hidden(f"{folder}/{path}", command.hidden, mounts)}


def told(hidden: tuple[Hidden, ...]) -> str:
    """Return what the answer says of what was covered; empty for nothing."""
    if not hidden:
        return ""
    more = f" and {len(hidden) - limits.STEERING_TOLD} more" if len(hidden) > limits.STEERING_TOLD else ""
    names = ", ".join(shown(one.path) for one in hidden[: limits.STEERING_TOLD])
    return f"[hidden from it, as such names commonly hold a credential: {names}{more}]"


def _places(command: Command) -> Iterator[str]:
    """Yield the folders whose content a command is shown."""
    opened = {one.folder: one for one in command.opened}
    for one in command.outside:
        around = opened.get(one.path)
        if around is None or around.shown:
            places = [one.path]
        else:
            places = [f"{one.path}/{name}" for name in sorted(around.names)]
        yield from (place for place in places if is_folder(place))


def is_folder(place: str) -> bool:
    """Is there a folder, and not a link to one?"""
    return Path(place).is_dir() and not Path(place).is_symlink()


def _is_secret(name: str) -> bool:
    return is_credential(name.casefold())
