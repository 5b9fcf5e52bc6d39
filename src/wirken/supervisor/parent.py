"""The program that started an ephemeral supervisor: told when we are ready, and gone when we are not needed.

`--ready-fd` is one end of a stream socket pair, or any other descriptor that can be written. We write `r`
when all children are ready. Where the plan is ephemeral, end-of-file on it means that the parent is done;
we then write `k` if another terminal keeps us, else we stop and the parent reads end-of-file.
"""

from __future__ import annotations

import contextlib
import os
import selectors
from collections.abc import Callable
from typing import Final

READY: Final = b"r"
KEPT: Final = b"k"


class Parent:
    """Our side of `--ready-fd`."""

    def __init__(self, descriptor: int, selector: selectors.BaseSelector) -> None:
        self._descriptor = descriptor
        self._selector = selector
        self.present = True

    def watch(self, released: Callable[[], None]) -> None:
        """Call `released` once the parent is done."""

        def gone() -> None:
            try:
                if os.read(self._descriptor, 16):
                    return
            except OSError:
                pass
            self._selector.unregister(self._descriptor)
            self.present = False
            released()

        self._selector.register(self._descriptor, selectors.EVENT_READ, gone)

    def tell(self, what: bytes) -> None:
        """Write one byte; a parent that is gone does not need it."""
        with contextlib.suppress(OSError):
            os.write(self._descriptor, what)
