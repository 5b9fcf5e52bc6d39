"""What each runner was given: the first one all workspaces of the plan, a further one what it was started for."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from wirken.confine import roles
from wirken.confine.views import Scene
from wirken.supervisor.workspaces import BadWorkspace, Folder


class Further(NamedTuple):
    """What a further runner sees, and the places of it that are held open, so that none is swapped."""

    scene: Scene
    folders: tuple[Folder, ...]


class Runners:
    """Scenes and held places by role id, and who waits for a runner to come up."""

    def __init__(self, scene: Scene, folders: tuple[Folder, ...], root: tuple[Folder, ...] = ()) -> None:
        """`folders` are the first runner's; `root` is the tool root, where there is one."""
        self.first = scene
        self._root = root
        self._given = {roles.RUNNER: Further(scene, folders)}
        self._waiting: dict[str, Callable[[str], None]] = {}
        self._count = 0

    def next(self) -> str:
        """Return the role id of one more runner."""
        self._count += 1
        return f"{roles.RUNNER}-{self._count}"

    def add(self, role_id: str, further: Further, answer: Callable[[str], None]) -> None:
        """Note a further runner; `answer` gets "" once it is ready, else why not."""
        self._given[role_id] = further
        self._waiting[role_id] = answer

    def is_further(self, role_id: str) -> bool:
        """Return whether this is a runner that somebody asked for."""
        return role_id in self._given and role_id != roles.RUNNER

    def scene(self, role_id: str) -> Scene:
        """Return what a child sees."""
        return self._given[role_id].scene if role_id in self._given else self.first

    def folders(self, role_id: str) -> tuple[Folder, ...]:
        """Return what must not be swapped in a child's view."""
        own = self._given[role_id].folders if role_id in self._given else ()
        return (*own, *self._root) if roles.role_of(role_id).tools else own

    @property
    def given(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The workspaces and the read-only folders of all runners."""
        scenes = [further.scene for further in self._given.values()]
        return (
            tuple(path for scene in scenes for path in scene.workspaces),
            tuple(path for scene in scenes for path in scene.read_only),
        )

    def seeing(self, workspace: str) -> Further:
        """Return what a runner has that was started for this workspace, without the others' workspaces.

        Raises `BadWorkspace` where there is none.
        """
        for scene, folders in self._given.values():
            if workspace in scene.workspaces and not scene.outside:
                shown = (workspace, *scene.read_only)
                return Further(
                    scene._replace(workspaces=(workspace,)), tuple(one for one in folders if one.path in shown)
                )
        raise BadWorkspace("No runner has that workspace.")

    def waited_for(self, role_id: str) -> bool:
        """Return whether somebody still waits for this runner to come up."""
        return role_id in self._waiting

    def answer(self, role_id: str, said: str) -> None:
        """Tell whoever waits; nobody is told twice."""
        waiting = self._waiting.pop(role_id, None)
        if waiting is not None:
            waiting(said)

    def unasked(self, role_id: str) -> None:
        """Nobody waits for this runner any more."""
        self._waiting.pop(role_id, None)

    def forget(self, role_id: str) -> None:
        """Let go of what a runner was given."""
        further = self._given.pop(role_id, None)
        for folder in () if further is None else further.folders:
            os.close(folder.descriptor)
