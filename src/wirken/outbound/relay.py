"""One connection through the relay: read what is wanted, have it judged, resolve, connect, look at TLS, pass on.

Every step that could fail comes before the first byte goes out, and what is decided is on record before it is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from wirken.domain import relay_limits
from wirken.domain.egress import Ending, Verdict
from wirken.domain.errors import ProtocolError, WirkenError
from wirken.ipc.calls.egress import Caller, EgressRuling, EndedEgress, JudgeEgress, ReachEgress
from wirken.outbound import proxy_request, splice
from wirken.outbound.client_hello import HelloReader, NoName
from wirken.outbound.proxy_request import Unacceptable, Wanted
from wirken.outbound.refusals import ESTABLISHED, refusal
from wirken.outbound.resolve import Address, Connects, PrivateAddress, ResolutionFailed, Resolver, Unreachable

_LENGTH: Final = struct.Struct(">I")
_READ: Final = 16 * 1024
"""Bytes of one read while a request is read."""
_caller: Final = msgspec.msgpack.Decoder(Caller)


class BadCaller(ProtocolError):
    """The runner's first words are no `Caller`."""


class Judge(Protocol):
    """The gateway. Everything may raise `WirkenError`: then nothing is connected."""

    async def judge(self, question: JudgeEgress) -> EgressRuling: ...

    async def reach(self, said: ReachEgress) -> None: ...

    async def ended(self, said: EndedEgress) -> None: ...


@dataclass(slots=True)
class _End(Exception):
    """The connection ends here: `answer` goes to whoever wanted it."""

    answer: bytes


@dataclass(slots=True)
class _Passage:
    """A connection that was allowed, from there on: where it leads, what passed and how it ended."""

    ticket: int
    address: str = ""
    counted: splice.Counted = field(default_factory=splice.Counted)
    ending: Ending = "stopped"


@dataclass(slots=True)
class _Stream:
    """The client's side: what was read of it and not used, and a clock for reading more."""

    sock: socket.socket
    rest: bytes = b""

    async def more(self) -> bytes:
        """Return the next bytes. Raises `BadCaller` where there are none, or they take too long."""
        if self.rest:
            taken, self.rest = self.rest, b""
            return taken
        taken = await asyncio.get_running_loop().sock_recv(self.sock, _READ)
        if not taken:
            raise BadCaller("The connection was closed before it said what it wants.")
        return taken

    async def exactly(self, count: int) -> bytes:
        kept = bytearray()
        while len(kept) < count:
            kept += await self.more()
        self.rest = bytes(kept[count:]) + self.rest
        return bytes(kept[:count])

    async def head(self) -> bytes:
        """Return a request's head, its empty line included; of one that is too long, its beginning."""
        kept = bytearray()
        while proxy_request.END not in kept and len(kept) <= relay_limits.RELAY_HEAD:
            kept += await self.more()
        head, found, rest = bytes(kept).partition(proxy_request.END)
        self.rest = rest + self.rest
        return head + found


async def read_caller(stream: _Stream) -> Caller:
    """Return what the runner says first. Raises `BadCaller`."""
    (length,) = _LENGTH.unpack(await stream.exactly(_LENGTH.size))
    if not 0 < length <= relay_limits.RELAY_CALLER:
        raise BadCaller("The runner's first words are too long.")
    try:
        return _caller.decode(await stream.exactly(length))
    except (msgspec.DecodeError, RecursionError):
        raise BadCaller("The runner's first words cannot be read.") from None


@dataclass(slots=True)
class Connection:
    """One connection of a role. `serve` returns once it is over; cancelling ends it, on record as `stopped`."""

    role: str
    sock: socket.socket
    resolver: Resolver
    judge: Judge
    connect: Connects
    speaks_for_others: bool

    async def begin(self) -> tuple[_Stream, Caller | None]:
        """Return the client's stream, past the words about its caller. Raises `BadCaller`, TimeoutError, OSError."""
        stream = _Stream(self.sock)
        async with asyncio.timeout(relay_limits.RELAY_ASKING):
            return stream, await read_caller(stream) if self.speaks_for_others else None

    async def serve(self, stream: _Stream, caller: Caller | None) -> None:
        """Answer the one request of this connection. Raises nothing foreseen but cancellation."""
        try:
            wanted, ruling = await self._judged(stream, caller)
            await self._connected(stream, wanted, ruling)
        except _End as end:
            await answer(self.sock, end.answer)
        except WirkenError as error:
            await answer(self.sock, refusal("", str(error)))
        except (OSError, TimeoutError):
            return

    async def _judged(self, stream: _Stream, caller: Caller | None) -> tuple[Wanted, EgressRuling]:
        """Return what is wanted and that it may be. Raises `_End` where it may not."""
        async with asyncio.timeout(relay_limits.RELAY_ASKING):
            head = await stream.head()
        try:
            wanted = proxy_request.parse(head, any_port=caller is None)
        except Unacceptable as no:
            question = JudgeEgress(role=self.role, host=no.host, port=no.port, found=no.verdict, caller=caller)
            await self._asked(question)
            raise _End(refusal(no.verdict, str(no))) from None
        question = JudgeEgress(role=self.role, host=wanted.host, port=wanted.port, caller=caller)
        ruling = await self._asked(question)
        if ruling.verdict != "allowed":
            raise _End(refusal(ruling.verdict, ruling.said))
        return wanted, ruling

    async def _asked(self, question: JudgeEgress) -> EgressRuling:
        """Ask the gateway, for as long as somebody waits for the answer. Raises `_End` once nobody does."""
        loop = asyncio.get_running_loop()
        asking, gone = loop.create_task(self.judge.judge(question)), loop.create_task(_gone(self.sock))
        try:
            await asyncio.wait({asking, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise _End(b"")
            return asking.result()
        finally:
            asking.cancel()
            gone.cancel()

    async def _connected(self, stream: _Stream, wanted: Wanted, ruling: EgressRuling) -> None:
        """Resolve, have the address recorded, connect, and pass bytes on until an end."""
        try:
            addresses = await self.resolver.addresses(wanted.host)
        except (ResolutionFailed, PrivateAddress) as error:
            verdict: Verdict = "resolution_failed" if isinstance(error, ResolutionFailed) else "private_address"
            await self.judge.reach(ReachEgress(ruling.ticket, verdict))
            raise _End(refusal(verdict, str(error))) from None
        tried = " ".join(str(address) for address in addresses[: relay_limits.REACH_TRIES])
        await self.judge.reach(ReachEgress(ruling.ticket, "allowed", tried))
        async with self._passage(ruling) as passage:
            with await self._reached(addresses, wanted, passage) as server:
                passage.ending = "broken"
                await self._passed(stream, server, wanted, passage)

    @asynccontextmanager
    async def _passage(self, ruling: EgressRuling) -> AsyncIterator[_Passage]:
        """Say at the end, whatever it was, what passed."""
        loop = asyncio.get_running_loop()
        passage, started = _Passage(ruling.ticket), loop.time()
        try:
            yield passage
        except asyncio.CancelledError:
            passage.ending = "stopped"
            raise
        finally:
            said = EndedEgress(
                ticket=passage.ticket,
                address=passage.address,
                bytes_up=passage.counted.up,
                bytes_down=passage.counted.down,
                duration_ms=int((loop.time() - started) * 1000),
                ended=passage.ending,
            )
            with contextlib.suppress(WirkenError):  # then the gateway has noted it by itself
                await self.judge.ended(said)

    async def _reached(self, addresses: tuple[Address, ...], wanted: Wanted, passage: _Passage) -> socket.socket:
        try:
            server, address = await self.connect(addresses, wanted.port)
        except Unreachable as error:
            passage.ending = "unreachable"
            raise _End(refusal("unreachable", f"{wanted.host}: {error}")) from None
        passage.address = str(address)
        return server

    async def _passed(self, stream: _Stream, server: socket.socket, wanted: Wanted, passage: _Passage) -> None:
        loop = asyncio.get_running_loop()
        if wanted.tunnels:
            await loop.sock_sendall(self.sock, ESTABLISHED)
            first = await self._hello(stream, wanted, passage)
        else:
            first = wanted.head
        await loop.sock_sendall(server, first)
        passage.counted.up += len(first)
        await _body(stream, server, wanted.body, passage.counted)
        passage.ending = await splice.splice(self.sock, server, passage.counted, upwards=wanted.tunnels)

    async def _hello(self, stream: _Stream, wanted: Wanted, passage: _Passage) -> bytes:
        """Return the first bytes of TLS once they name the host that was judged. Raises `_End` where they do not."""
        reader, name = HelloReader(), None
        try:
            async with asyncio.timeout(relay_limits.RELAY_ASKING):
                while name is None:
                    name = reader.feed(await stream.more())
        except (NoName, BadCaller, TimeoutError):
            name = ""
        if name != wanted.host:
            passage.ending = "sni_mismatch"
            await self.judge.reach(ReachEgress(passage.ticket, "sni_mismatch"))
            raise _End(b"")
        return bytes(reader.raw)


async def _body(stream: _Stream, server: socket.socket, length: int, counted: splice.Counted) -> None:
    """Pass on exactly the body that was announced."""
    loop = asyncio.get_running_loop()
    while length:
        async with asyncio.timeout(relay_limits.RELAY_IDLE):
            piece = await stream.more()
            piece, stream.rest = piece[:length], piece[length:] + stream.rest
            await loop.sock_sendall(server, piece)
        length -= len(piece)
        counted.up += len(piece)


async def answer(sock: socket.socket, words: bytes) -> None:
    """Tell a program why; it has relay_limits.RELAY_REFUSAL seconds to take it."""
    if not words:
        return
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(relay_limits.RELAY_REFUSAL):
            await asyncio.get_running_loop().sock_sendall(sock, words)
            sock.shutdown(socket.SHUT_WR)
            while await asyncio.get_running_loop().sock_recv(sock, _READ):  # a reset would lose what was said
                pass


async def _gone(sock: socket.socket) -> None:
    """Return once the peer has closed its end. One that sends ahead is taken to be there."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        await readable.wait()
        if not sock.recv(1, socket.MSG_PEEK):
            return
    except OSError:
        return
    finally:
        loop.remove_reader(sock)
    await asyncio.Event().wait()
