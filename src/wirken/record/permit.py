"""The proof that a call was recorded before it runs. Only the gateway's log makes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from wirken.domain.actions import CanonicalCall
from wirken.domain.ids import CallId, SessionId
from wirken.domain.inbox import Keeping


@final
@dataclass(frozen=True, slots=True)
class Permit:
    """One call may run once: the row `seq` of `session` is on disk and names its hash.

    `Permit(` may stand in gateway/log.py only; tests/shape holds that.
    """

    session: SessionId
    seq: int
    call_id: CallId
    call: CanonicalCall
    call_sha256: str


@final
@dataclass(frozen=True, slots=True)
class FilePermit:
    """One file that came may be written: the message at row `seq` of `keeping.session` is on disk and names it.

    `FilePermit(` may stand in gateway/log.py only, as `Permit(`.
    """

    seq: int
    keeping: Keeping
