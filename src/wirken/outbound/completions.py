"""One question to one model: find the provider, hold its key, try, read the answer, pass it on scrubbed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wirken.config.model import REHEARSAL, Config, ProviderConfig
from wirken.domain import limits
from wirken.domain.errors import WirkenError
from wirken.domain.secret import Secret
from wirken.domain.text import clean, shown
from wirken.ipc.calls.outbound import Complete, CompletionEnd, ProviderReport, ProviderStatus
from wirken.outbound import ollama_chat, openai_chat, rehearsal
from wirken.outbound.delivery import Delivery, Emit
from wirken.outbound.endpoint import Endpoint, endpoint
from wirken.outbound.failures import (
    MissingCredential,
    ModelFailure,
    TookTooLong,
    UnknownModel,
    Where,
)
from wirken.outbound.retry import Retries
from wirken.outbound.scrub import Scrubber
from wirken.outbound.statuses import failure_in_stream, not_a_model, said
from wirken.outbound.wire import Parser, WireFormat

if TYPE_CHECKING:
    from wirken.outbound.http import Client

Credentials = Callable[[str], Awaitable[Secret | None]]
"""Asks the vault for the value of an entry; `None` where there is none. Raises `WirkenError`."""

_FORMATS: Final = {"openai": openai_chat.FORMAT, "ollama": ollama_chat.FORMAT}


@dataclass(frozen=True, slots=True)
class Patience:
    """All waiting, in seconds; tests use less."""

    total: float = limits.MODEL_TIME
    stall: float = limits.MODEL_STALL
    connect: float = limits.MODEL_CONNECT
    retry_first: float = limits.MODEL_RETRY_FIRST
    retry_wait: float = limits.MODEL_RETRY_WAIT
    drain: float = limits.MODEL_DRAIN
    status: float = limits.PROVIDER_STATUS


class _Deadline:
    """The clock of one question: `total` seconds from now, `stall` between pieces of the answer."""

    def __init__(self, patience: Patience) -> None:
        self._now = asyncio.get_running_loop().time
        self._end = self._now() + patience.total
        self._stall = patience.stall
        self.timeout = asyncio.timeout_at(self._end)

    def heard(self) -> None:
        """A piece came; the next one may take `stall` seconds."""
        self.timeout.reschedule(min(self._end, self._now() + self._stall))

    def waiting(self) -> None:
        """The answer has not begun; only the total counts."""
        self.timeout.reschedule(self._end)

    def failure(self, where: Where) -> TookTooLong:
        if self._now() >= self._end:
            return TookTooLong(f"{where.model} at {where.provider} was not done in time.")
        return TookTooLong(f"{where.model} at {where.provider} stopped in the middle of its answer.")


class Completions:
    """Answers the gateway's questions to models.

    The question only names a provider: address and credential come from `config`, so the asker cannot send a
    key elsewhere. `jitter` returns a number from 0 to 1. Raises `BadEndpoint` for an address that may not be
    used.
    """

    def __init__(
        self,
        config: Config,
        credentials: Credentials,
        *,
        jitter: Callable[[], float],
        patience: Patience | None = None,
    ) -> None:
        self._config = config
        self._credentials = credentials
        self._jitter = jitter
        self._patience = patience or Patience()
        self._scrubber = Scrubber()
        self._clients: dict[str, Client] = {}
        for name, provider in config.providers.items():
            endpoint(name, provider.base_url)

    async def complete(self, question: Complete, emit: Emit) -> CompletionEnd:
        """Ask a model; pass each event on as it comes, and return how it ended. Raises nothing foreseen."""
        try:
            if question.provider == REHEARSAL:
                await rehearsal.perform(question, emit)
                return CompletionEnd()
            provider = self._config.provider(question.provider)
            where, address = _where(question.provider, provider, question.model)
            secret = await self._secret(provider, where)
        except WirkenError as error:
            return self._ended(error)
        with self._scrubber.holding(secret):
            try:
                await self._tries(question, provider, where, address, secret, emit)
            except WirkenError as error:
                return self._ended(error)
        return CompletionEnd()

    async def status(self, question: ProviderStatus) -> ProviderReport:
        """Ask a provider for its models, once and briefly. Raises nothing foreseen."""
        if question.provider == REHEARSAL:
            return ProviderReport(True, "The rehearsal model is built in.", (REHEARSAL,))
        try:
            provider = self._config.provider(question.provider)
            where, address = _where(question.provider, provider, "")
            secret = await self._secret(provider, where)
        except WirkenError as error:
            return ProviderReport(False, self._sentence(error))
        with self._scrubber.holding(secret):
            try:
                return await self._list(_FORMATS[provider.kind], where, address, secret)
            except UnknownModel:
                return ProviderReport(True, f"{where.provider} answers at {where.origin}, without a list of models.")
            except WirkenError as error:
                return ProviderReport(False, self._sentence(error))

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            await client.close()

    # --- one question -------------------------------------------------------------------------------

    async def _tries(
        self,
        question: Complete,
        provider: ProviderConfig,
        where: Where,
        address: Endpoint,
        secret: Secret | None,
        emit: Emit,
    ) -> None:
        """Attempt until an answer has come, or begun, or the failure is not worth another attempt."""
        patience = self._patience
        wire = _FORMATS[provider.kind]
        body = wire.body(question, provider.num_ctx)
        client = self._client(where.provider, address)
        retries = Retries(self._jitter, first=patience.retry_first, total=patience.retry_wait)
        deadline = _Deadline(patience)
        try:
            async with deadline.timeout:
                while True:
                    delivery = Delivery(emit, self._scrubber)
                    try:
                        async with client.ask("POST", wire.chat_path, body, secret, where) as (kind, pieces):
                            await _check_kind(kind, wire, pieces, where)
                            await self._read(pieces, wire.parser(where), delivery, deadline)
                        return
                    except ModelFailure as failure:
                        await delivery.finish()
                        pause = None if delivery.begun else retries.pause(failure)
                        if pause is None:
                            raise
                    deadline.waiting()
                    await asyncio.sleep(pause)
        except TimeoutError:
            raise deadline.failure(where) from None

    async def _read(
        self, pieces: AsyncIterator[bytes], parser: Parser, delivery: Delivery, deadline: _Deadline
    ) -> None:
        async for piece in pieces:
            deadline.heard()
            for event in parser.feed(piece):
                await delivery.put(event)
            if parser.done:
                await self._drain(pieces)
                return
        for event in parser.finish():
            await delivery.put(event)

    async def _drain(self, pieces: AsyncIterator[bytes]) -> None:
        """Read what follows a complete answer, so that the connection can be used again; give up soon."""
        rest = 0
        try:
            async with asyncio.timeout(self._patience.drain):
                async for piece in pieces:
                    rest += len(piece)
                    if rest > limits.MODEL_ERROR:
                        return
        except (TimeoutError, ModelFailure):
            return

    async def _list(self, wire: WireFormat, where: Where, address: Endpoint, secret: Secret | None) -> ProviderReport:
        client = self._client(where.provider, address)
        try:
            async with (
                asyncio.timeout(self._patience.status),
                client.ask("GET", wire.models_path, b"", secret, where) as (kind, pieces),
            ):
                page = await _read_up_to(pieces, limits.MODEL_LIST)
        except TimeoutError:
            return ProviderReport(False, f"{where.provider} at {where.origin} does not answer (time-out).")
        try:
            names = wire.model_names(page)
        except (ValueError, RecursionError):
            return ProviderReport(False, self._sentence(not_a_model(kind, where)))
        known = tuple(self._scrubber.clean(clean(shown(name))) for name in names[: limits.MODEL_NAMES])
        return ProviderReport(True, f"{where.provider} answers at {where.origin}; models: {len(names)}.", known)

    # --- parts --------------------------------------------------------------------------------------

    async def _secret(self, provider: ProviderConfig, where: Where) -> Secret | None:
        """Return the provider's key, `None` for a keyless one. Raises `MissingCredential`."""
        if not provider.credential:
            return None
        secret = await self._credentials(provider.credential)
        if not secret:
            raise MissingCredential(
                f"The vault has no credential {provider.credential}, which {where.provider} needs.",
                hint=f"Store it with `wirken credentials add {provider.credential}`.",
            )
        return secret

    def _client(self, name: str, address: Endpoint) -> Client:
        found = self._clients.get(name)
        if found is None:
            from wirken.outbound.http import (
                Client,
            )  # 8 MB and 60 ms that rehearsal and an idle start need not pay

            found = self._clients[name] = Client(address, self._patience.connect)
        return found

    def _ended(self, error: WirkenError) -> CompletionEnd:
        return CompletionEnd(self._sentence(error), retryable=isinstance(error, ModelFailure) and error.retryable)

    def _sentence(self, error: WirkenError) -> str:
        return self._scrubber.clean_cut(f"{error} {error.advice}".strip())


def _where(name: str, provider: ProviderConfig, model: str) -> tuple[Where, Endpoint]:
    address = endpoint(name, provider.base_url)
    return Where(name, provider.kind, address.origin, shown(clean(model))), address


async def _check_kind(kind: str, wire: WireFormat, pieces: AsyncIterator[bytes], where: Where) -> None:
    """Raise where a 200 announces something that cannot be the stream: a web page, or one JSON document."""
    single = kind.startswith("application/json") and wire.content_type == "text/event-stream"
    if not single and "html" not in kind:
        return
    words = said(await _read_up_to(pieces, limits.MODEL_ERROR))
    failure: ModelFailure = failure_in_stream(words, where) if words else not_a_model(kind, where)
    raise failure


async def _read_up_to(pieces: AsyncIterator[bytes], limit: int) -> bytes:
    page = bytearray()
    async for piece in pieces:
        page += piece
        if len(page) > limit:
            break
    return bytes(page[:limit])
