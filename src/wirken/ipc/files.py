"""Files that came beside a frame: who has them closes them."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Final, NamedTuple

import msgspec


class Files:
    """Descriptors of sealed memfds. Their position is shared with others: read them with `ipc.memfd`, by pread."""

    __slots__ = ("handles",)

    def __init__(self, handles: tuple[int, ...] = ()) -> None:
        self.handles = handles

    def __len__(self) -> int:
        return len(self.handles)

    def __enter__(self) -> Files:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def add(self, handle: int) -> None:
        """Take a descriptor of a sealed memfd."""
        self.handles = (*self.handles, handle)

    def close(self) -> None:
        """Close them all; again does nothing."""
        handles, self.handles = self.handles, ()
        for handle in handles:
            os.close(handle)


class Enclosing(NamedTuple):
    """An answer that brings files. Whoever sends it closes them."""

    reply: msgspec.Struct
    files: Files


NONE: Final = Files()
