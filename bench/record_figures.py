"""How fast the record takes rows, and how fast it is verified."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path
from typing import Final

import apsw

from bench import model
from bench.errors import NotMeasured
from bench.figure import Figure, Reference, Target
from bench.house import house, running
from bench.model import WITH_COMMAND, WORDS_ONLY
from bench.options import Options
from bench.page import Conversation
from bench.plain import Disk
from bench.stats import samples
from wirken.config.paths import Paths
from wirken.domain.clock import SystemClock
from wirken.domain.events import Attestation, Fact, LlmResponse, Trust
from wirken.domain.ids import SessionId
from wirken.gateway.log import AuditLog
from wirken.gateway.past import payloads
from wirken.record.canonical import decode
from wirken.record.reader import RecordReader
from wirken.record.verify import Known, Status, verify_session

_WRITERS: Final = 16
_ROW: Final = LlmResponse(round=1, stop_reason="stop", input_tokens=1000, output_tokens=20, latency_ms=900, error="")
_BYTES: Final = 1024  # of the plain write per row: its payload, its three hashes, its places in two indexes
_EVERY: Final = 4  # one turn in four runs a command
_TURNS: Final = 25  # in each session that is verified


def rows(options: Options) -> list[Figure]:
    """Return how many durable rows a second sixteen writers get."""
    ours, plain, count = [], [], options.times(1000, 200)
    with house(options.disk) as one, Disk(one.home) as disk:
        for run in range(options.times(7, 3)):
            ours.append(asyncio.run(_written(one.data / f"audit-{run}.db", count)))
            plain.append(_WRITERS * count / disk.write(count, bytes(_WRITERS * _BYTES)))
    return [
        Figure(
            name="durable rows, 16 writers",
            unit="rows/s",
            samples=samples(ours),
            target=Target("at least", 5000),
            reference=Reference("16 rows of 1 kB per fdatasync", samples(plain)),
        )
    ]


async def _written(path: Path, each: int) -> float:
    """Return the rows per second when sixteen sessions append one row after another, each once the last is on disk."""
    log = AuditLog(path, SystemClock(), lambda: None)
    log.start()

    async def writer(number: int) -> None:
        session = SessionId(f"default/bench/{number}")
        for _ in range(each):
            await log.append(session, (Trust.GATEWAY, _ROW))

    started = time.perf_counter()
    await asyncio.gather(*(writer(number) for number in range(_WRITERS)))
    seconds = time.perf_counter() - started
    log.close()
    return _WRITERS * each / seconds


def verification(options: Options) -> list[Figure]:
    """Return how fast sessions of real turns are verified, against two bare SHA-256 per row."""
    with model.running() as fake, house(options.disk) as one:
        one.configure(fake.configuration())
        with running(one) as up:
            one.wirken("permissions", "approve", "shell:true", "--channel", "webchat")
            sessions = asyncio.run(_held(up.port, options.times(8, 2)))
        return _judged(Paths(one.data).audit_db, sessions, options.times(21, 5))


def _judged(path: Path, sessions: list[str], count: int) -> list[Figure]:
    stored = _payloads(path, sessions)
    key = next(bytes.fromhex(fact.signer_pubkey) for fact in map(_fact, stored) if isinstance(fact, Attestation))
    ours, keyless, plain, chain = [], [], [], []
    for _ in range(count):
        ours.append(_verified(path, sessions, Known(key), Status.VERIFIED))
        plain.append(_hashed(stored))
        keyless.append(_verified(path, sessions, Known(), Status.UNVERIFIABLE))
        chain.append(_chained(path, sessions))
    reference = Reference("two SHA-256 per row", samples(plain))
    size = sum(map(len, stored)) / len(stored)
    return [
        Figure(
            name="verification",
            unit="rows/s",
            samples=samples(ours),
            target=Target("at least", 0.2, of="ratio"),
            reference=reference,
            note=f"{len(sessions)} sessions of {_TURNS} short turns, {size:.0f} bytes a row; each row is read and "
            "parsed, each request's messages are hashed again, and each turn's signature is checked",
        ),
        Figure("verification without the signatures", "rows/s", samples(keyless), reference=reference),
        Figure(
            name="verification of the chain alone",
            unit="rows/s",
            samples=samples(chain),
            target=Target("at least", 0.2, of="ratio"),
            reference=reference,
            note="what the gateway does when it loads a session: each row is read and hashed, nothing is parsed",
        ),
    ]


async def _held(port: int, count: int) -> list[str]:
    """Hold sessions of real turns; return their ids."""
    sessions = []
    for number in range(count):
        async with Conversation(port, f"verify-{number}") as talk:
            for turn in range(_TURNS):
                await talk.turn(f"Turn {turn} {WORDS_ONLY if turn % _EVERY else WITH_COMMAND}")
            sessions.append(talk.session)
    return sessions


def _verified(path: Path, sessions: list[str], known: Known, expected: Status) -> float:
    """Return the rows per second of a whole verification, reading included. Raises `NotMeasured`."""
    checked = 0
    started = time.perf_counter()
    for session in sessions:
        reader = RecordReader(path)
        report = verify_session(SessionId(session), reader.rows(session), known)
        reader.close()
        if report.status is not expected:
            raise NotMeasured(f"{session} is {report.status}: {report.findings[:3]}")
        checked += report.rows
    return checked / (time.perf_counter() - started)


def _chained(path: Path, sessions: list[str]) -> float:
    """Return the rows per second of reading and chaining alone."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    started = time.perf_counter()
    checked = sum(1 for session in sessions for _ in payloads(db, SessionId(session)))
    spent = time.perf_counter() - started
    db.close()
    return checked / spent


def _payloads(path: Path, sessions: list[str]) -> list[bytes]:
    reader = RecordReader(path)
    try:
        return [row.payload for session in sessions for row in reader.rows(session)]
    finally:
        reader.close()


def _fact(payload: bytes) -> Fact:
    return decode(payload).fact


def _hashed(payloads: list[bytes]) -> float:
    """Return the rows per second of the chain's two hashes alone, over payloads that are in memory."""
    link = ""
    started = time.perf_counter()
    for payload in payloads:
        leaf = hashlib.sha256(payload).hexdigest()
        link = hashlib.sha256((link + leaf).encode("ascii")).hexdigest()
    return len(payloads) / (time.perf_counter() - started)
