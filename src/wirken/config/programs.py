"""The programs that commands get, as the sandbox shows them: read-only, and looked up in the sandbox's order."""

# os and os.path, because a path is looked at for every decision and pathlib takes four times as long.
# ruff: noqa: PTH113, PTH115, PTH118

from __future__ import annotations

import os
import os.path
import stat
from typing import Final, TypeAlias

_FOLDERS: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""PATH in the sandbox, all of it part of /usr on a merged-usr system."""
_SHOWN: Final = ("/usr/", "/bin/", "/sbin/", "/lib")
"""What a sandbox shows of a tool root; what lies elsewhere in it is not there."""
_LINKS: Final = 40
"""Links in one path; as many as the kernel follows (path_resolution(7))."""


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


class Unpacked:
    """The same over a tool root: a folder with an unpacked image, whose links are followed as a command sees them."""

    def __init__(self, root: str) -> None:
        self._root = root

    def real(self, word: str) -> str | None:
        """See `Installed.real`. No link leads out of the folder, or to what a sandbox does not show of it."""
        folder, _, name = word.rpartition("/")
        if not name or "\0" in word or ("/" in word and folder not in _FOLDERS):
            return None
        for place in (folder,) if folder else _FOLDERS:
            path = followed(self._root, f"{place}/{name}")
            if path.startswith(_SHOWN) and os.path.isfile(self._root + path):
                return path
        return None


Programs: TypeAlias = Installed | Unpacked


def programs(root: str) -> Programs:
    """Return what is known of the programs in the tool root `root`, or of the machine's own where that is empty."""
    return Unpacked(root) if root else Installed()


class Looked:
    """Programs as they were when each was first asked for: for one run over many calls, and no longer."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._seen: dict[str, str | None] = {}

    def real(self, word: str) -> str | None:
        """See `Installed.real`."""
        if word not in self._seen:
            self._seen[word] = self._programs.real(word)
        return self._seen[word]


def followed(root: str, path: str) -> str:
    """Return `path` with its links followed as below the root directory `root`; empty for a loop of them."""
    ahead = path.split("/")[::-1]
    behind: list[str] = []
    links = 0
    while ahead:
        part = ahead.pop()
        if part == "..":
            del behind[-1:]
        if part in ("", ".", ".."):
            continue
        try:
            target = os.readlink(os.path.join(root, *behind, part))
        except (OSError, ValueError):  # no link; a name with half a character in it is none either
            behind.append(part)
            continue
        links += 1
        if links > _LINKS:
            return ""
        if target.startswith("/"):
            behind.clear()
        ahead += target.split("/")[::-1]
    return "/" + "/".join(behind)
