"""Whose a container is."""

from __future__ import annotations

from typing import Final, NamedTuple

INSTALLATION: Final = "wirken.installation"
START: Final = "wirken.start"
RUNNER: Final = "wirken.runner"
"""Labels: whose container it is, of which start of Wirken, and of which runner."""


class Owner(NamedTuple):
    """Who made a container, so that nobody else removes it."""

    installation: str
    """The same for every start on one data directory."""
    start: str
    """The same for every runner of one start."""
    runner: str
    """The runner's role id."""

    @property
    def labels(self) -> dict[str, str]:
        return {INSTALLATION: self.installation, START: self.start, RUNNER: self.runner}
