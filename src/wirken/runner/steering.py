"""Files in a workspace that steer the agent or the person's tools: found before a command, looked at again after it.

The sandbox shows them read-only (`bubblewrap.arguments`); `stands` tells from outside whether it really does. What a
command adds cannot be prevented without leaving things in the person's folder, so it is told.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from wirken.domain import limits
from wirken.domain.errors import SandboxUnavailable
from wirken.domain.steering import is_kept
from wirken.domain.text import shown
from wirken.runner.beneath import open_beneath, place_below

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_LOOK: Final = os.O_PATH | os.O_NOFOLLOW
_OTHERS: Final = frozenset({"node_modules", "site-packages"})
"""Folders of other people's packages: large, full of such names, and no tool looks for its settings there."""

_REPOSITORY: Final = frozenset({"HEAD", "objects", "refs"})
"""What makes git take a folder of any name for a repository (gitrepository-layout(5)), settings included."""
_OF_A_REPOSITORY: Final = frozenset({"HEAD", "commondir", "config", "config.worktree", "hooks"})


class State(NamedTuple):
    """What a name stood for at one moment. A folder is the same as long as it is that folder."""

    device: int
    inode: int
    size: int
    changed: int
    """Nanoseconds since the epoch; 0 for folders, whose content the sandbox keeps anyway."""
    mode: int


Steering: TypeAlias = Mapping[str, State]
"""By path, relative to the workspace."""


class Unguarded(SandboxUnavailable):
    """Files that steer could not be kept from a command, so it was not run."""

    hint = "Give the agent a smaller folder, or have it name what it wants to change, so that you are asked."


def found(workspace: str, most: int = limits.STEERING_SCAN, wanted: Callable[[str], bool] = is_kept) -> Steering:
    """Return what steers in a workspace: links as links, and also where in the workspace they lead to. Or what else has
    a name that is `wanted`.

    Nothing inside a folder that steers is listed apart. Raises `Unguarded` where there are more than `most` entries,
    or too many that steer.
    """
    seen: dict[str, State] = {}
    root = os.open(workspace, _FOLDER | os.O_CLOEXEC)
    try:
        for path in _named(root, most, wanted):
            _note(root, path, seen)
            if len(seen) > limits.STEERING_KEPT:
                raise Unguarded(f"The workspace holds more than {limits.STEERING_KEPT} files that steer tools.")
    finally:
        os.close(root)
    return seen


def mountable(seen: Steering) -> tuple[str, ...]:
    """Return the paths that a sandbox can show read-only: files and folders, outermost first."""
    return tuple(sorted(path for path, state in seen.items() if stat.S_ISREG(state.mode) or stat.S_ISDIR(state.mode)))


def stands(root: str, seen: Steering) -> bool:
    """Does the sandbox whose workspace is at `root`, as seen from here, show all of `seen` read-only?"""
    try:
        workspace = os.open(root, _FOLDER | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return all(_read_only(workspace, path, seen[path]) for path in mountable(seen))
    finally:
        os.close(workspace)


def appeared(before: Steering, after: Steering) -> tuple[str, ...]:
    """Return the paths that are new or another than before."""
    return tuple(path for path, state in sorted(after.items()) if before.get(path) != state)


def gone(before: Steering, after: Steering) -> tuple[str, ...]:
    """Return the paths of what is nowhere any more. No command can remove what it must leave alone, but it can move
    a folder around it to where nobody looks."""
    there = {(state.device, state.inode) for state in after.values()}
    return tuple(
        path
        for path, state in sorted(before.items())
        if (state.device, state.inode) not in there and path not in after and not stat.S_ISLNK(state.mode)
    )


def told(new: Sequence[str], lost: Sequence[str] = ()) -> str:
    """Return what the answer says of what appeared and what is gone, a line each; empty for nothing."""
    lines = (
        ("new or changed while it ran, and able to steer the agent or the person's own tools", new),
        ("moved out of sight or removed while it ran, so that the next command could change it", lost),
    )
    return "\n".join(f"[{said}: {_names(paths)}]" for said, paths in lines if paths)


def _names(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - limits.STEERING_TOLD} more" if len(paths) > limits.STEERING_TOLD else ""
    return ", ".join(shown(path) for path in paths[: limits.STEERING_TOLD]) + more


def _named(root: int, most: int, wanted: Callable[[str], bool]) -> Iterator[str]:
    """Yield every path below `root` whose name is wanted, the nearest first."""
    waiting = deque([""])
    looked = 0
    while waiting:
        folder = waiting.popleft()
        if len(os.fsencode(folder)) > limits.STEERING_PATH:
            raise Unguarded("The workspace holds folders that are nested too deep to be looked at.")
        names = set()
        for entry in _listed(root, folder):
            names.add(entry.name)
            looked += 1
            if looked > most:
                raise Unguarded(f"The workspace has more than {most} files to look at.")
            path = f"{folder}/{entry.name}" if folder else entry.name
            if wanted(entry.name):
                yield path
            elif entry.name not in _OTHERS and entry.is_dir(follow_symlinks=False):
                waiting.append(path)
        if wanted is is_kept and names >= _REPOSITORY:
            yield from (f"{folder}/{name}" if folder else name for name in sorted(names & _OF_A_REPOSITORY))


def _listed(root: int, folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield a folder's entries; nothing for one that is gone, or that neither we nor a command of ours can open."""
    path = os.fsencode(folder) or b"."
    try:
        handle = open_beneath(root, path, _FOLDER)
    except PermissionError:
        if _owner(root, path) == os.geteuid():
            raise Unguarded("The workspace holds a folder that was closed against looking into it.") from None
        return
    except OSError:
        return
    try:
        with os.scandir(handle) as entries:
            yield from entries
    finally:
        os.close(handle)


def _owner(root: int, path: bytes) -> int:
    """Return the uid that a path belongs to, -1 where it is gone."""
    try:
        handle = open_beneath(root, path, _LOOK)
    except OSError:
        return -1
    try:
        return os.fstat(handle).st_uid
    finally:
        os.close(handle)


def _note(root: int, path: str, seen: dict[str, State]) -> None:
    """Add a path, and for a link also the file or folder in the workspace that it leads to."""
    state = state_of(root, path)
    if state is None:
        return
    seen[path] = state
    if not stat.S_ISLNK(state.mode):
        return
    with contextlib.suppress(OSError):  # leads nowhere, or out of the workspace
        handle = open_beneath(root, os.fsencode(path), os.O_PATH)
        try:
            target = place_below(root, handle)
            if target is not None and target.parts:
                seen[str(target)] = _made(os.fstat(handle))
        finally:
            os.close(handle)


def state_of(root: int, path: str) -> State | None:
    """Return what a path below the descriptor `root` stands for now; None where it is gone."""
    try:
        handle = open_beneath(root, os.fsencode(path), _LOOK)
    except OSError:
        return None
    try:
        return _made(os.fstat(handle))
    finally:
        os.close(handle)


def _made(info: os.stat_result) -> State:
    if stat.S_ISDIR(info.st_mode):
        return State(info.st_dev, info.st_ino, 0, 0, info.st_mode)
    return State(info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_mode)


def _read_only(workspace: int, path: str, state: State) -> bool:
    try:
        handle = open_beneath(workspace, os.fsencode(path), _LOOK)
    except OSError:
        return False
    try:
        info = os.fstat(handle)
        same = (info.st_dev, info.st_ino) == (state.device, state.inode)
        return same and bool(os.fstatvfs(handle).f_flag & os.ST_RDONLY)
    finally:
        os.close(handle)
