"""What the gateway asks of the runner: run what a permit names."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from wirken.domain import limits
from wirken.domain.actions import SandboxKind
from wirken.domain.events import Outcome

Sentence: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.SENTENCE)]
"""At most limits.SENTENCE characters; an answer with a longer one does not decode."""


class WirePermit(msgspec.Struct, frozen=True):
    """The record's row that allows one call, as it travels: position on the chain and the call's hash."""

    session: str
    seq: int
    call_sha256: str


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a call. `output` is at most limits.EXEC_OUTPUT_HEAD + TAIL (exec) or FILE_READ bytes."""

    outcome: Outcome
    output: str
    exit_code: int | None = None
    ended_by: str = ""
    """Empty, or the limit that ended it: `time`, `memory`, `processes`, `stopped`."""
    truncated_bytes: int = 0
    duration_ms: int = 0
    place: str = ""
    """Where it ran: the sandbox's kind, or `runner` for a file tool."""


class Run(msgspec.Struct, frozen=True, tag="run"):
    """Run the canonical call that the permit names. Refused if its hash is not the permit's."""

    permit: WirePermit
    call: bytes


class SandboxStatus(msgspec.Struct, frozen=True, tag="sandbox_status"):
    """Can commands be run here, and how strong are the limits?"""


class SandboxReport(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` is `none` where no command can be run; then `reason` and `fix` say why."""

    kind: SandboxKind
    limits: Sentence
    """Who holds them: `cgroup-v2`, `cgroup-v1`, `watchdog`, `engine`, or empty."""
    reason: Sentence = ""
    fix: Sentence = ""
    notes: tuple[Sentence, ...] = ()
    """What else an operator should see: the engine, its image, what was swept."""
    bounds: Sentence = ""
    """How much one command may use, in words, where that is less than by default."""


class Keep(msgspec.Struct, frozen=True, tag="keep"):
    """Write the one file that comes with this, as the message's row says; done already, it is no failure.

    The permit is that row: `keeping` is a `domain.inbox.Keeping` in canonical form, and the permit's hash is of it.
    """

    permit: WirePermit
    keeping: bytes


class KeptIt(msgspec.Struct, frozen=True):
    """The file lies in its place, on disk."""


RunnerQuestion: TypeAlias = Run | SandboxStatus | Keep
