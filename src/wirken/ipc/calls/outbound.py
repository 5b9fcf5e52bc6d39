"""What the gateway asks of the outbound process: model completions, streamed, and to end a call's connections."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from wirken.domain import limits
from wirken.domain.conversation import ModelEvent
from wirken.ipc.calls.egress import StopEgress
from wirken.ipc.calls.runner import WirePermit


class Complete(msgspec.Struct, frozen=True, tag="complete"):
    """Ask a model. `messages` and `tools` are the JSON arrays (of Message and of ToolSpec) whose bytes were
    hashed into the record. Answered by a stream of ModelEvent and a `CompletionEnd`."""

    provider: str
    """A name from `[providers.…]` in the configuration, or `rehearsal`."""
    model: str
    messages: bytes
    """JSON; `bytes`, because raw JSON inside MessagePack would corrupt the frame."""
    tools: bytes


class CompletionEnd(msgspec.Struct, frozen=True):
    """The stream is over. `error` is empty, or one sentence for the person at the other end."""

    error: str = ""
    retryable: bool = False


class ProviderStatus(msgspec.Struct, frozen=True, tag="provider_status"):
    """Does this provider answer?"""

    provider: str


class ProviderReport(msgspec.Struct, frozen=True):
    reachable: bool
    said: Annotated[str, msgspec.Meta(max_length=limits.SENTENCE)]
    """One sentence: what answered, or why not."""
    models: Annotated[tuple[str, ...], msgspec.Meta(max_length=limits.MODEL_NAMES)] = ()


class Perform(msgspec.Struct, frozen=True, tag="perform"):
    """Carry out the canonical call of a tool that works in outbound; answered with `ipc.calls.runner.Ran`.

    Refused if its hash is not the permit's.
    """

    permit: WirePermit
    call: bytes


OutboundQuestion: TypeAlias = Complete | ProviderStatus | StopEgress | Perform

CompletionItem: TypeAlias = ModelEvent
