"""Questions to the vault and its answers as bytes, its refusals as errors. No I/O, no asyncio."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from wirken.domain import limits
from wirken.domain.errors import ProtocolError, Refused, Unavailable, UsageError, WirkenError
from wirken.ipc.calls.vault import Answer, Ok, RefusalKind, RefusedAnswer, VaultQuestion
from wirken.ipc.framing import encode_frame

T = TypeVar("T")


class VaultSealed(Unavailable):
    """The vault has no device key yet, so nothing that needs it can be done."""

    hint = "Open it with `wirken unlock`."


class VaultLost(Unavailable):
    """The vault does not answer, or went away before it did."""

    hint = "It is restarted by itself; try again in a moment."


_KINDS: Final[tuple[tuple[RefusalKind, type[WirkenError]], ...]] = (
    ("sealed", VaultSealed),
    ("refused", Refused),
    ("unavailable", Unavailable),
    ("usage", UsageError),
    ("protocol", ProtocolError),
    ("error", WirkenError),
)
"""Most specific first: an error travels as the first kind that it is one of."""

_encoder: Final = msgspec.msgpack.Encoder()
_questions: Final[msgspec.msgpack.Decoder[VaultQuestion]] = msgspec.msgpack.Decoder(VaultQuestion)
_answers: Final[msgspec.msgpack.Decoder[Answer]] = msgspec.msgpack.Decoder(Answer)


def question_frame(question: VaultQuestion) -> bytes:
    """Return a question as one frame. Raises `FrameTooLong`."""
    return encode_frame(_encoder.encode(question), limits.VAULT_FRAME)


def read_question(payload: bytes) -> VaultQuestion:
    """Decode a question strictly. Raises `ProtocolError`; its text holds nothing of the payload."""
    try:
        return _questions.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        raise ProtocolError("The vault was asked something it does not know.") from None


def ok_frame(reply: msgspec.Struct) -> bytes:
    """Return a reply as one frame."""
    return encode_frame(_encoder.encode(Ok(msgspec.Raw(_encoder.encode(reply)))), limits.VAULT_FRAME)


def refusal_frame(error: WirkenError) -> bytes:
    """Return a foreseen failure as one frame."""
    kind = next(name for name, cls in _KINDS if isinstance(error, cls))
    return encode_frame(_encoder.encode(RefusedAnswer(kind, str(error), error.advice)), limits.VAULT_FRAME)


def read_answer(payload: bytes, reply: type[T]) -> T:
    """Return the reply in an answer. Raises what the vault raised, or `ProtocolError`."""
    try:
        answer = _answers.decode(payload)
        if isinstance(answer, RefusedAnswer):
            raise dict(_KINDS)[answer.kind](answer.message, hint=answer.hint)
        return msgspec.msgpack.decode(answer.body, type=reply)
    except (msgspec.DecodeError, RecursionError):
        raise ProtocolError("The vault's answer is of another shape than the question asks for.") from None
