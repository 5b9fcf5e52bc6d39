"""Numbers of what a command gets outside its workspace, and of runners that share a folder."""

from __future__ import annotations

from typing import Final

NEIGHBOURS: Final = 512  # names beside one that a command may make or remove; each is hidden by a mount, 0.8 ms each
WORKSPACE_PATIENCE: Final = 60.0  # seconds a command waits for another runner's in its folder; then the model is told
WAY: Final = 65_536  # bytes of a folder that is made only to lead to what is shown in it; no file fits in
