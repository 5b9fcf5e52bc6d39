"""The machine's own programs, as the sandbox shows them: read-only, and looked up in the sandbox's order."""

# os.path, because a path is looked at for every decision and pathlib takes four times as long.
# ruff: noqa: PTH113, PTH118

from __future__ import annotations

import os.path
from typing import Final

_FOLDERS: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""PATH in the sandbox, all of it part of /usr on a merged-usr system."""


class Installed:
    """Implements `permissions.programs.verbs.Programs` over this machine. `root` is another root for tests."""

    def __init__(self, root: str = "") -> None:
        self._root = root

    def real(self, word: str) -> str | None:
        """Return the path behind all links of a program; None where there is none, or it is not the machine's own.

        A name is looked up along PATH; a path counts only below one of its folders.
        """
        folder, _, name = word.rpartition("/")
        if not name or "\0" in word or ("/" in word and folder not in _FOLDERS):
            return None
        for place in (folder,) if folder else _FOLDERS:
            found = os.path.join(self._root + place, name)
            if not os.path.lexists(found):  # one system call; to follow all links of a path takes one for each part
                continue
            path = os.path.realpath(found)
            if os.path.isfile(path) or path.startswith("/etc/alternatives/"):
                return path.removeprefix(self._root)
        return None
