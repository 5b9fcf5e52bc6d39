"""Folders outside in which a command may make, move and remove certain names: what else lies there it leaves alone.

A name is made in the folder around it, so that folder is mounted for writing. Whatever lies beside the name is hidden,
or shown read-only where it may be read. New names cannot be prevented; they are told.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from wirken.domain import limits, outside_limits
from wirken.domain.nesting import lies_in
from wirken.domain.text import shown
from wirken.runner.sandbox import Command, Hidden, Opened
from wirken.runner.steering import State, Steering, Unguarded, state_of


class Neighbours(NamedTuple):
    """What lies beside the names that a command may write, in one folder."""

    opened: Opened
    states: Steering
    """By name; links, which nothing can be mounted over, included."""
    kept: Steering
    """Those that are shown read-only over themselves."""
    hidden: tuple[Hidden, ...]


def neighbours(opened: Opened, command: Command) -> Neighbours:
    """Look at a folder before a command. Raises `Unguarded` for one with more than outside_limits.NEIGHBOURS names."""
    states = _states(opened)
    mounts = [one.path for one in command.outside]
    kept: dict[str, State] = {}
    hidden = []
    for name, state in states.items():
        path = f"{opened.folder}/{name}"
        if stat.S_ISLNK(state.mode) or path in mounts:
            continue
        if opened.shown:
            kept[name] = state
        else:
            leads = any(lies_in(mount, path) for mount in mounts)
            hidden.append(Hidden(path, state.device, state.inode, stat.S_ISDIR(state.mode), leads))
    return Neighbours(opened, states, kept, tuple(hidden))


def told(before: Neighbours) -> str:
    """Return what the answer says of names beside those that were allowed; empty where none is new or another."""
    folder = before.opened.folder
    try:
        after = _states(before.opened)
    except (Unguarded, OSError) as error:
        return f"[what else was written in {shown(folder)} is not known: {error}]"
    names = sorted(
        name for name in before.states.keys() | after.keys() if _other(before.states.get(name), after.get(name))
    )
    if not names:
        return ""
    more = f" and {len(names) - limits.STEERING_TOLD} more" if len(names) > limits.STEERING_TOLD else ""
    listed = ", ".join(shown(name) for name in names[: limits.STEERING_TOLD])
    return f"[also made, changed or removed in {shown(folder)} while it ran: {listed}{more}]"


def covered(root: str, hidden: tuple[Hidden, ...]) -> bool:
    """Is everything that is to be hidden covered, read-only, in the sandbox whose root is at `root`, seen from here?"""
    return all(_is_covered(f"{root}{one.path}", one) for one in hidden)


def _is_covered(path: str, one: Hidden) -> bool:
    try:
        handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        info = os.fstat(handle)
        same = (info.st_dev, info.st_ino) == (one.device, one.inode)
        return not same and bool(os.fstatvfs(handle).f_flag & os.ST_RDONLY)
    finally:
        os.close(handle)


def _states(opened: Opened) -> dict[str, State]:
    root = os.open(opened.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found: dict[str, State] = {}
        with os.scandir(root) as entries:
            for entry in entries:
                if entry.name in opened.names:
                    continue
                if len(found) >= outside_limits.NEIGHBOURS:
                    said = f"More than {outside_limits.NEIGHBOURS} files lie beside what it may make or remove in there"
                    raise Unguarded(f"{said}: {opened.folder}.", hint="Move it into a smaller folder first.")
                if (state := state_of(root, entry.name)) is not None:
                    found[entry.name] = state
        return found
    finally:
        os.close(root)


def _other(before: State | None, after: State | None) -> bool:
    return before != after
