"""The outbound process's end of the gateway's link: model events out, and the relay's questions."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from wirken.domain.conversation import ModelEvent
from wirken.domain.errors import ProtocolError
from wirken.domain.secret import Secret
from wirken.ipc.calls.egress import OnRecord, StopEgress
from wirken.ipc.calls.outbound import Complete, OutboundQuestion, Perform, ProviderStatus
from wirken.ipc.calls.vault import CredentialFor, CredentialReply
from wirken.ipc.frames import Conversing
from wirken.ipc.lifeline import Lifeline
from wirken.ipc.link import Emit, Link
from wirken.outbound.completions import Completions
from wirken.outbound.performing import Performing
from wirken.outbound.relay_server import Relay

_questions: Final[msgspec.msgpack.Decoder[OutboundQuestion]] = msgspec.msgpack.Decoder(OutboundQuestion)


class VaultCredentials:
    """Asks the vault for a provider's key, one at a time, for as long as one request needs it."""

    def __init__(self, lifeline: Lifeline) -> None:
        self._lifeline = lifeline

    async def __call__(self, name: str) -> Secret | None:
        """Return the value, or None where there is none. Raises what the vault raises."""
        reply = await self._lifeline.vault.call(CredentialFor(name), CredentialReply)
        return Secret(reply.value) if reply.found else None


class OutboundPeer:
    """What stands behind the link."""

    def __init__(self, completions: Completions, relay: Relay, performing: Performing) -> None:
        self._completions = completions
        self._performing = performing
        self._relay = relay
        self._dropping: set[asyncio.Task[None]] = set()

    async def answer(self, link: Link, question: bytes, emit: Emit) -> msgspec.Struct:
        """Answer a question. Raises `ProtocolError` for anything that is none."""
        try:
            asked = _questions.decode(question)
        except (msgspec.DecodeError, RecursionError):
            raise ProtocolError("The outbound process was asked something it does not know.") from None
        match asked:
            case Complete():

                def pass_on(event: ModelEvent) -> None:
                    emit(event)

                return await self._completions.complete(asked, pass_on)
            case ProviderStatus():
                return await self._completions.status(asked)
            case Perform():
                return await self._performing.perform(asked)
            case StopEgress(permit=permit):
                await self._relay.stop(permit)
                return OnRecord()

    def received(self, link: Link, frame: Conversing) -> None:
        raise ProtocolError("The outbound process does not converse.")

    def lost(self, link: Link) -> None:
        """Questions under way are cancelled by the link; their connections close with them, and so does the relay's."""
        task = asyncio.get_running_loop().create_task(self._relay.drop())
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)
