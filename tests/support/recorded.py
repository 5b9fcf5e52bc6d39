"""A session as the gateway records it, for tests: the facts of several turns, a real `audit.db`, real keys.

`Script` collects facts; `written` has the real log write them; `chained` chains them without the log, for forgers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import apsw
from nacl import bindings
from tests.support.vault_parts import NOW, SetClock

from wirken.domain.actions import CanonicalCall, Place, ToolCall
from wirken.domain.attestation import attestation_message
from wirken.domain.conversation import ToolSpec
from wirken.domain.events import (
    ApprovalRequested,
    AssistantMessageFact,
    AssistantToolCalls,
    Attestation,
    Fact,
    LlmRequest,
    LlmResponse,
    Outcome,
    PermissionApproved,
    PermissionDenied,
    SessionOpened,
    SystemPromptSet,
    ToolPermitted,
    ToolResultFact,
    ToolsSet,
    Trust,
    TurnEnded,
    TurnStarted,
    UserMessageFact,
)
from wirken.domain.ids import AgentId, CallId, ChannelId, PrincipalId, SessionId
from wirken.gateway.log import AuditLog
from wirken.record.canonical import Row, encode
from wirken.record.chain import Head, leaf_hash, link_hash
from wirken.record.conversation import Conversation, sha256_hex
from wirken.record.reader import RecordReader, StoredRow
from wirken.record.verify import Known, Report, verify_session

SESSION = SessionId("default/webchat/a")
OTHER = SessionId("default/webchat/b")
Entry = tuple[Trust, Fact]


class Key:
    """An agent's Ed25519 key."""

    def __init__(self, number: int) -> None:
        self.public, self._secret = bindings.crypto_sign_seed_keypair(bytes([number]) * 32)

    def attests(self, session: str, seq: int, head: str) -> Attestation:
        signature = bindings.crypto_sign(attestation_message(session, seq, head), self._secret)[:64]
        return Attestation(
            chain_head_seq=seq, chain_head_hash=head, signature=signature.hex(), signer_pubkey=self.public.hex()
        )


AGENT, STRANGER = Key(1), Key(2)

TO_SIGN = Attestation(chain_head_seq=-1, chain_head_hash="", signature="", signer_pubkey="")
"""Stands for an attestation in a script: whoever writes the rows signs the head before it."""


def canonical(call: ToolCall, session: SessionId = SESSION) -> CanonicalCall:
    return CanonicalCall(
        tool=call.name,
        arguments=call.arguments,
        agent=AgentId("default"),
        session=session,
        principal=PrincipalId("owner"),
        channel=ChannelId("webchat"),
        place=Place("/work", "bubblewrap"),
    )


def call(number: str, name: str = "exec", arguments: str = '{"command":"ls"}') -> ToolCall:
    return ToolCall(CallId(number), name, arguments)


def asked(one: ToolCall, tier: str, session: SessionId = SESSION) -> ApprovalRequested:
    shape = canonical(one, session)
    return ApprovalRequested(
        approval=f"a-{one.id}",
        call_id=one.id,
        call=shape.canonical().decode(),
        lease=shape.digest(),
        action_keys=("shell:x",),
        tier=tier,
        reasons=("because",),
        expires=NOW + 60_000,
    )


def approved(one: ToolCall, tier: str, session: SessionId = SESSION, scope: str = "once") -> PermissionApproved:
    return PermissionApproved(
        approval=f"a-{one.id}",
        call_id=one.id,
        lease=canonical(one, session).digest(),
        action_keys=("shell:x",),
        tier=tier,
        scope=scope,
        by="owner",
        surface="webchat",
    )


def denied(one: ToolCall) -> PermissionDenied:
    return PermissionDenied(
        call_id=one.id,
        tool=one.name,
        action_key="shell:x",
        action_keys=("shell:x",),
        tier="tier3",
        rule="denied_by_person",
        by="owner",
    )


def permitted(one: ToolCall, tier: str, rule: str, session: SessionId = SESSION) -> ToolPermitted:
    shape = canonical(one, session)
    return ToolPermitted(
        call_id=one.id,
        tool=one.name,
        call=shape.canonical().decode(),
        call_sha256=shape.digest(),
        action_keys=("shell:x",),
        tier=tier,
        rule=rule,
        by="owner",
    )


def result(one: ToolCall, outcome: Outcome = "ok", output: str = "done") -> ToolResultFact:
    return ToolResultFact(
        call_id=one.id,
        tool=one.name,
        success=outcome == "ok",
        outcome=outcome,
        output=output,
        exit_code=0 if outcome == "ok" else None,
        ended_by="",
        truncated_bytes=0,
        duration_ms=3,
    )


@dataclass
class Script:
    """The facts of one session in order, with the hashes that a request to the model carries."""

    session: SessionId = SESSION
    entries: list[Entry] = field(default_factory=list)
    _conversation: Conversation = field(default_factory=Conversation)

    def add(self, *facts: Fact, trust: Trust = Trust.GATEWAY) -> Script:
        for fact in facts:
            self._conversation.apply(len(self.entries), fact)
            self.entries.append((trust, fact))
        return self

    def opened(self) -> Script:
        agent, channel, conversation = self.session.split("/")
        return self.add(
            SessionOpened(
                agent=agent, channel=channel, conversation=conversation, principal="owner", workspace="/work"
            ),
            SystemPromptSet(text="Be of use."),
            ToolsSet(tools=(ToolSpec("exec", "Run.", "{}"), ToolSpec("write_file", "Write.", "{}"))),
        )

    def said(self, text: str) -> int:
        """A person's message; return its row."""
        message = UserMessageFact(
            text=text, principal="owner", sender="", sender_name="", platform_id=f"m{len(self.entries)}"
        )
        self.add(message, trust=Trust.OWNER)
        return len(self.entries) - 1

    def asks(self, number: int) -> Script:
        """One round: the request, with true hashes, and that its response came."""
        return self.add(
            LlmRequest(
                round=number,
                provider="rehearsal",
                model="rehearsal",
                messages=self._conversation.count,
                messages_sha256=sha256_hex(self._conversation.messages_json()),
                tools_sha256=sha256_hex(self._conversation.tools_json()),
            ),
            LlmResponse(round=number, stop_reason="stop", input_tokens=1, output_tokens=1, latency_ms=1, error=""),
        )

    def calls(self, *calls: ToolCall) -> Script:
        return self.add(AssistantToolCalls(text="", calls=calls), trust=Trust.MODEL)

    def started(self, text: str) -> Script:
        return self.add(TurnStarted(message_seq=self.said(text)))

    def finished(self, text: str = "There.", rounds: int = 1) -> Script:
        self.add(AssistantMessageFact(text=text), trust=Trust.MODEL)
        return self.add(TurnEnded(outcome="finished", reason="", rounds=rounds), TO_SIGN)


def story(session: SessionId = SESSION) -> Script:
    """Three turns: a Tier 1 and an approved Tier 3 call; a denied, an invalid and a granted one; plain talk."""
    script = Script(session).opened().started("write and fetch")
    write, fetch = call("t1c0", "write_file", '{"path":"a","content":"x"}'), call("t1c1", "exec", '{"argv":["curl"]}')
    script.asks(1).calls(write, fetch)
    script.add(permitted(write, "tier1", "tier1", session), result(write))
    script.add(asked(fetch, "tier3", session), approved(fetch, "tier3", session))
    script.add(permitted(fetch, "tier3", "approval", session), result(fetch, "failed", "no network"))
    script.asks(2).finished(rounds=2)
    script.started("again")
    no, bad, yes = call("t2c0", "exec", '{"command":"rm x"}'), call("t2c1", "exec", "{}"), call("t2c2")
    script.asks(1).calls(no, bad, yes)
    script.add(asked(no, "tier3", session), denied(no), result(no, "denied", "Permission denied"))
    script.add(result(bad, "invalid", "no command"))
    waiting = script.said("one more, while you work")
    script.add(permitted(yes, "tier2", "grant", session), result(yes))
    script.asks(2).finished("Two.", rounds=2)
    script.add(TurnStarted(message_seq=waiting)).asks(1).finished("Three.")
    return script


async def written(path: Path, *scripts: Script, key: Key = AGENT) -> None:
    """Have the real log write the scripts, their rows interleaved, each row durable, each turn attested."""
    clock = SetClock()
    log = AuditLog(path, clock, lambda: None)
    log.start()
    for place in range(max(len(script.entries) for script in scripts)):
        for script in scripts:
            for trust, fact in script.entries[place : place + 1]:
                clock.time += 7
                head = log.head(script.session)
                signed = key.attests(script.session, head.seq, head.hash) if fact is TO_SIGN else fact
                await log.append(script.session, (trust, signed))
    log.close()
    db = apsw.Connection(str(path))
    db.pragma("journal_mode", "delete")  # one file, so that a test can copy it
    db.close()


def chained(
    entries: Iterable[Entry], session: SessionId = SESSION, key: Key = AGENT, *, ts: int = NOW, first_id: int = 1
) -> list[StoredRow]:
    """Chain facts as a forger with his own program would; `TO_SIGN` is signed with `key`."""
    rows: list[StoredRow] = []
    head = Head()
    for seq, (trust, fact) in enumerate(entries):
        if fact is TO_SIGN:
            fact = key.attests(session, head.seq, head.hash)
        payload = encode(Row(session, seq, ts + seq, trust, fact))
        before, (head, leaf) = head.hash, head.extended(payload)
        rows.append(StoredRow(first_id + seq, session, seq, ts + seq, trust.value, payload, leaf, before, head.hash))
    return rows


def relinked(rows: Sequence[StoredRow]) -> list[StoredRow]:
    """Give rows whose payloads were edited the hashes that make the chain whole again."""
    out: list[StoredRow] = []
    before = ""
    for row in rows:
        leaf = leaf_hash(row.payload)
        link = link_hash(before, leaf)
        out.append(StoredRow(row.id, row.session, row.seq, row.ts, row.trust, row.payload, leaf, before, link))
        before = link
    return out


def last_signed(rows: Sequence[StoredRow]) -> Known:
    """What the vault knows after these rows: the agent's key and the head of the last attestation."""
    heads = [row for row, after in pairwise(rows) if b'"kind":"attestation"' in after.payload]
    if not heads:
        return Known(AGENT.public, True)
    return Known(AGENT.public, True, heads[-1].seq, heads[-1].hash)


def read(path: Path, session: SessionId = SESSION) -> list[StoredRow]:
    reader = RecordReader(path)
    try:
        return list(reader.rows(session))
    finally:
        reader.close()


def verified(path: Path, known: Known, session: SessionId = SESSION) -> Report:
    reader = RecordReader(path)
    try:
        return verify_session(session, reader.rows(session), known)
    finally:
        reader.close()


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
