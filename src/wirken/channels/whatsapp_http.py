"""The way to the Graph API: the transport that pywa is given, with bounds on what comes back."""

from __future__ import annotations

import logging
import ssl
from typing import Final

import msgspec

from wirken.channels.whatsapp_errors import Answered, NoAnswer
from wirken.domain import channel_limits as limits

import httpx  # noqa: TID251  # isort: skip  # pywa speaks through it; after whatsapp_errors, which loads it lean

DOWNLOAD: Final = "wirken.download"
"""The extension of a request whose answer is a file: handed on as it comes, for whoever counts it."""


class _Error(msgspec.Struct):
    code: int


class _Refusal(msgspec.Struct):
    error: _Error


class Bounded(httpx.AsyncHTTPTransport):
    """Raises `Answered` and `NoAnswer`, whose messages quote nothing that came, for all answers that are refusals."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        try:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise NoAnswer("WhatsApp's answer was compressed, which nobody asked for.")
            if request.extensions.get(DOWNLOAD) and response.is_success:
                response.headers.pop("Set-Cookie", None)  # the client would keep it for ever
                return response
            body = await _bounded(response)
        except BaseException:
            await response.aclose()
            raise
        await response.aclose()
        if not response.is_success:
            raise _refused(response, body)
        return httpx.Response(response.status_code, content=body, request=request)


def client(proxy: str, ca_file: str) -> httpx.AsyncClient:
    """Return an HTTP client that goes through `proxy` if there is one, and believes `ca_file`, or the system."""
    for name in ("httpx", "httpcore", "pywa", "pywa_async"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # they tell messages and addresses of files
    bounds = httpx.Limits(
        max_connections=limits.WHATSAPP_CONNECTIONS,
        max_keepalive_connections=limits.WHATSAPP_CONNECTIONS,
        keepalive_expiry=limits.WHATSAPP_IDLE,
    )
    believed = ssl.create_default_context(cafile=ca_file or None)
    return httpx.AsyncClient(
        transport=Bounded(verify=believed, proxy=proxy or None, limits=bounds, trust_env=False),
        trust_env=False,
        headers={"Accept-Encoding": "identity"},
        timeout=httpx.Timeout(
            connect=limits.WHATSAPP_CONNECT,
            read=limits.WHATSAPP_ANSWER_TIME,
            write=limits.WHATSAPP_WRITE_TIME,
            pool=limits.WHATSAPP_WRITE_TIME,
        ),
    )


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > limits.WHATSAPP_ANSWER:
            raise NoAnswer("WhatsApp's answer was too long.")
    return bytes(body)


def _refused(response: httpx.Response, body: bytes) -> Answered | NoAnswer:
    """Only the Graph API itself refuses a token or a message; whoever else stands in the way is trouble on the way."""
    try:
        told = msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return NoAnswer(f"WhatsApp has trouble (status {response.status_code}).")
    pause = response.headers.get("Retry-After", "")
    return Answered(told.code, float(pause) if pause.isdecimal() and len(pause) < 6 else 0.0)
