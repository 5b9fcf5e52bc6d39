"""Short ways to ask `Completions` in tests."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wirken.config.model import Config, ProviderConfig
from wirken.domain.conversation import (
    CallProposed,
    Completed,
    Message,
    ModelEvent,
    TextDelta,
    ToolSpec,
    UserMessage,
)
from wirken.domain.secret import Secret
from wirken.ipc.calls.outbound import Complete, CompletionEnd
from wirken.outbound.completions import Completions, Patience

KEY = "sk-proj-A1b2/C3d4+E5f6-0123456789"
EXEC = ToolSpec("exec", "Run a command.", '{"type":"object","properties":{"command":{"type":"string"}}}')
QUICK = Patience(total=5.0, stall=1.0, connect=2.0, retry_first=0.001, retry_wait=0.5, drain=0.2, status=1.0)


def question(
    messages: Sequence[Message] = (UserMessage("hello"),),
    *,
    provider: str = "it",
    model: str = "gpt-test",
    tools: Sequence[ToolSpec] = (EXEC,),
) -> Complete:
    return Complete(provider, model, msgspec.json.encode(messages), msgspec.json.encode(tools))


def config(kind: str, base_url: str, *, credential: str = "", num_ctx: int = 8192) -> Config:
    """Return a configuration whose one provider is called `it`."""
    table = {"kind": kind, "base_url": base_url, "credential": credential, "num_ctx": num_ctx}
    return Config(providers={"it": msgspec.convert(table, ProviderConfig)})


def completions(found: Config, *, key: str = KEY, patience: Patience = QUICK) -> Completions:
    async def credentials(name: str) -> Secret | None:
        return Secret(key.encode()) if name == "it-key" else None

    return Completions(found, credentials, jitter=lambda: 0.5, patience=patience)


class Heard:
    """Collects what was emitted."""

    def __init__(self) -> None:
        self.events: list[ModelEvent] = []

    def __call__(self, event: ModelEvent) -> None:
        self.events.append(event)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def calls(self) -> list[CallProposed]:
        return [event for event in self.events if isinstance(event, CallProposed)]

    @property
    def completed(self) -> Completed | None:
        return next((event for event in self.events if isinstance(event, Completed)), None)


async def ask(
    kind: str,
    base_url: str,
    asked: Complete | None = None,
    *,
    credential: str = "",
    patience: Patience = QUICK,
) -> tuple[CompletionEnd, Heard]:
    """Ask one question with a fresh `Completions` and close it again."""
    one = completions(config(kind, base_url, credential=credential), patience=patience)
    heard = Heard()
    try:
        return await one.complete(asked or question(), heard), heard
    finally:
        await one.close()
