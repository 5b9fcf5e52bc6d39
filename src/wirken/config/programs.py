"""The machine's own programs, as the sandbox shows them: read-only, and looked up in the sandbox's order."""

# os and os.path, because a path is looked at for every decision and pathlib takes four times as long.
# ruff: noqa: PTH113

from __future__ import annotations

import os.path
import stat
from typing import Final

_FOLDERS: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""PATH in the sandbox, all of it part of /usr on a merged-usr system."""


class Installed:
    """Implements `permissions.programs.verbs.Programs` over this machine. `root` is another root for tests."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._folders = {place: os.path.realpath(root + place) for place in _FOLDERS}
        """Behind their links, which only the machine's installation sets: /bin is /usr/bin on most."""

    def real(self, word: str) -> str | None:
        """Return the path behind all links of a program; None where there is none, or it is not the machine's own.

        A name is looked up along PATH; a path counts only below one of its folders.
        """
        folder, _, name = word.rpartition("/")
        if not name or "\0" in word or ("/" in word and folder not in _FOLDERS):
            return None
        for place in (self._folders[folder],) if folder else dict.fromkeys(self._folders.values()):
            path = f"{place}/{name}"
            try:
                kind = os.lstat(path).st_mode  # one system call; to follow all links takes one for each part of a path
            except (OSError, ValueError):  # ValueError: no file can have that name
                continue
            if stat.S_ISLNK(kind):
                path = os.path.realpath(path)
                if not os.path.isfile(path) and not path.startswith("/etc/alternatives/"):
                    continue
            elif not stat.S_ISREG(kind):
                continue
            return path.removeprefix(self._root)
        return None


class Looked:
    """The machine's programs as they were when each was first asked for: for one run over many calls, and no longer."""

    def __init__(self, programs: Installed) -> None:
        self._programs = programs
        self._seen: dict[str, str | None] = {}

    def real(self, word: str) -> str | None:
        """See `Installed.real`."""
        if word not in self._seen:
            self._seen[word] = self._programs.real(word)
        return self._seen[word]
