"""How thorough a run is, and where it works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """`disk` is a folder on the disk to be measured; `quick` repeats little, for trying things out."""

    disk: Path
    quick: bool

    def times(self, thorough: int, quick: int) -> int:
        """Return how often to repeat."""
        return quick if self.quick else thorough
