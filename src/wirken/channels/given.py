"""What a platform's file is given when its process comes up: `channels/<name>.py` has `platform(given)`."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wirken.domain.clock import Clock
from wirken.domain.secret import Secret


@dataclass(frozen=True, slots=True)
class Given:
    """Everything from outside of the process that one platform may use. Names are those of its `ChannelKind`."""

    settings: Mapping[str, str]
    """Settings that are no secret; one that was not set is not there."""
    secrets: Mapping[str, Secret]
    """The secrets of this channel, as the vault has them; the needed ones are all there."""
    clock: Clock
    proxy: str = ""
    """`http://127.0.0.1:<port>` of our way out, for every connection of the library; empty: direct (tests)."""
    state: Path | None = None
    """The folder that outlives the process, where the kind keeps state; nothing else on disk can be written."""
    listener: socket.socket | None = None
    """Bound and listening on loopback, for a kind that is called; non-blocking."""
    ca_file: str = ""
    """Certificates that are believed, as a PEM file; empty: the system's."""
