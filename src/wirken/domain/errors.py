"""The one error tree: every failure Wirken foresees has an exit code, one sentence and a next step."""

from __future__ import annotations

from typing import ClassVar


class WirkenError(Exception):
    """Base of all foreseen failures.

    `str(error)` is one sentence for the operator; it contains no secret and none of a peer's raw bytes.
    Leaves live beside the code that raises them.
    """

    exit_code: ClassVar[int] = 1
    hint: ClassVar[str] = ""
    detail_hint: str | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.detail_hint = hint

    @property
    def advice(self) -> str:
        """The next step to take; empty where there is none to name."""
        return self.detail_hint if self.detail_hint is not None else self.hint


class UsageError(WirkenError):
    """The command line or a configuration file says something Wirken cannot follow."""

    exit_code = 64  # EX_USAGE of sysexits.h


class ConfigError(UsageError):
    """`config.toml` cannot be used."""

    exit_code = 78  # EX_CONFIG


class ProtocolError(WirkenError):
    """A peer said something the wire contract does not allow."""

    hint = "Both sides must be of the same version; restart `wirken run`."


class Refused(WirkenError):
    """A peer understood the question and said no; the sentence is its reason."""


class Unavailable(WirkenError):
    """A part that is needed now is missing, sealed or does not answer."""

    exit_code = 69  # EX_UNAVAILABLE


class SandboxUnavailable(Unavailable):
    """No sandbox can be made here, so nothing is run."""

    hint = "`wirken doctor` names the missing part and the fix."
