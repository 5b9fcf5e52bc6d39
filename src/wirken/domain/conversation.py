"""A conversation as models see it, in a form that belongs to no provider."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from wirken.domain.actions import ToolCall


class SystemMessage(msgspec.Struct, frozen=True, tag_field="role", tag="system"):
    """The operator's standing instructions."""

    content: str


class UserMessage(msgspec.Struct, frozen=True, tag_field="role", tag="user"):
    """What a person said."""

    content: str


class AssistantMessage(msgspec.Struct, frozen=True, tag_field="role", tag="assistant", omit_defaults=True):
    """What the model said, and the calls it proposed."""

    content: str
    tool_calls: tuple[ToolCall, ...] = ()


class ToolMessage(msgspec.Struct, frozen=True, tag_field="role", tag="tool"):
    """What came of one call."""

    call_id: str
    name: str
    content: str


Message: TypeAlias = SystemMessage | UserMessage | AssistantMessage | ToolMessage


class ToolSpec(msgspec.Struct, frozen=True):
    """One tool as it is offered to a model. `schema` is a JSON Schema as JSON text."""

    name: str
    description: str
    schema: str


class TextDelta(msgspec.Struct, frozen=True, tag="text"):
    """A further piece of the answer's text."""

    text: str


class CallProposed(msgspec.Struct, frozen=True, tag="call"):
    """One complete tool call. `id` is the provider's, or empty where it gives none."""

    id: str
    name: str
    arguments: str


class Completed(msgspec.Struct, frozen=True, tag="completed"):
    """The model has finished. Token counts are -1 where the provider does not tell.

    `cached_tokens`: those of the input that it had read before and may charge less for.
    """

    stop_reason: str
    input_tokens: int = -1
    output_tokens: int = -1
    cached_tokens: int = -1


ModelEvent: TypeAlias = TextDelta | CallProposed | Completed
