"""What can go wrong between us and a model, each as one sentence and a next step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wirken.domain.errors import ConfigError, Unavailable


@dataclass(frozen=True, slots=True)
class Where:
    """Whom a question goes to, for the wording of a failure."""

    provider: str
    kind: str
    origin: str
    model: str = ""


class ModelFailure(Unavailable):
    """Base: a completion did not come about.

    `again`: worth another try by ourselves, as long as nothing was passed on. `retryable`: worth another try
    by the person. `after`: seconds that the provider asked us to wait.
    """

    again: ClassVar[bool] = False
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None, after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.after = after


class BadEndpoint(ConfigError):
    """A provider's `base_url` cannot be used, or not safely."""


class Unreachable(ModelFailure):
    """No connection came about, or it was lost before an answer began."""

    again = True
    retryable = True
    hint = "Check the network and the provider's `base_url` in config.toml."


class BadCertificate(ModelFailure):
    """The server could not prove who it is."""

    hint = "Do not go on until you know why; behind an inspecting proxy its CA belongs into the system's store."


class Redirected(ModelFailure):
    """The server points elsewhere; a key is not carried there."""

    hint = "Write the final address into the provider's `base_url` in config.toml."


class MissingCredential(ModelFailure):
    """The configuration names a credential that the vault does not have."""


class WrongKey(ModelFailure):
    """The provider does not accept the key (401, 403)."""


class UnknownModel(ModelFailure):
    """The provider does not have this model, or not at this address (404)."""


class QuotaSpent(ModelFailure):
    """The account is out of credit."""

    hint = "Check plan and billing with the provider, or choose another model in config.toml."


class TooBusy(ModelFailure):
    """The provider limits the rate (429)."""

    again = True
    retryable = True
    hint = "Wait a little and try again."


class ContextTooLong(ModelFailure):
    """The conversation does not fit the model's window."""

    hint = "Start a new session, or choose a model with a larger context window."


class ProviderTrouble(ModelFailure):
    """The provider failed at its own end (5xx)."""

    again = True
    retryable = True
    hint = "This is usually over in a minute; try again."


class NotEnoughMemory(ModelFailure):
    """The machine that runs the model cannot load it."""

    hint = "Choose a smaller model, a smaller `num_ctx`, or free memory on that machine."


class Misunderstood(ModelFailure):
    """The provider did not accept the request (other 4xx)."""

    hint = "Check the model's name and abilities; `wirken doctor` tests the provider."


class NotAModel(ModelFailure):
    """What answered speaks another language: a web page, or no JSON."""


class BrokenStream(ModelFailure):
    """The answer ended in the middle."""

    again = True
    retryable = True
    hint = "Try again; what came before stays in the conversation."


class Garbled(ModelFailure):
    """The answer turned into something that cannot be read."""

    retryable = True
    hint = "Check that the provider's `kind` and `base_url` in config.toml fit together."


class AnswerTooLong(ModelFailure):
    """The model passed `limits.ANSWER`, `limits.MODEL_STREAM` or `limits.MODEL_CALLS`."""

    hint = "The model is probably looping; ask again in other words or choose another model."


class TookTooLong(ModelFailure):
    """Over `limits.MODEL_TIME` or `limits.MODEL_STALL`."""

    retryable = True
    hint = "Try again; a smaller model or a shorter conversation answers sooner."
