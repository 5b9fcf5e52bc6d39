"""A gateway's end for tests of the page: real socket, handshake and frames, and a script instead of a model.

It keeps rows in memory, numbers them, and plays what `script` says for every message.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from wirken.domain import events as facts
from wirken.domain.actions import ToolCall
from wirken.domain.clock import SystemClock
from wirken.domain.errors import Refused, UsageError
from wirken.domain.ids import CallId, RoleName
from wirken.domain.secret import Secret
from wirken.gateway.questions import choices
from wirken.ipc import handshake, peer
from wirken.ipc.calls import operator as calls
from wirken.ipc.calls import senders
from wirken.ipc.frames import Accepted, Asked, Conversing, Delta, Inbound, Over, Rejected, Row, Said, Settled
from wirken.ipc.link import Link, LinkLost, unpack
from wirken.ipc.lockout import Lockout

Script = Callable[["Turn"], Awaitable[None]]


class StubGateway:
    """Implements `ipc.link.Receiver` on the listening side."""

    def __init__(self, path: Path, script: Script) -> None:
        self.path = path
        self.script = script
        self.seed = Secret(os.urandom(32))
        self.web_seed = Secret(os.urandom(32))
        self.rows: dict[str, list[bytes]] = {}
        self.asked: dict[str, tuple[calls.ApprovalRow, asyncio.Future[str]]] = {}
        self.questions: list[object] = []
        self.inbound: list[Inbound] = []
        self.reject = ""
        self.says = ""
        """What this gateway itself answers to everything, instead of a turn."""
        self.waiting: dict[tuple[str, str], senders.SenderRow] = {}
        self.silent = False
        self.tampered = False
        self._lockout = Lockout(SystemClock())
        self._taken: dict[str, Accepted] = {}
        self._turns: dict[str, asyncio.Task[None]] = {}
        self._links: set[Link] = set()
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life -----------------------------------------------------------------------------------------

    @property
    def identity(self) -> handshake.Identity:
        """What the vault would give the web process."""
        return handshake.Identity(RoleName("web"), self.web_seed, handshake.public_key(self.seed))

    async def start(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._spawn(self._accept(self._listener))

    async def stop(self) -> None:
        """Die as a gateway would: the listener and every link are gone, the rows stay."""
        for task in (*self._tasks, *self._turns.values()):
            task.cancel()
        if self._listener is not None:
            self._listener.close()
        for link in list(self._links):
            link.close()
        await asyncio.sleep(0)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(listener)
            role = await peer.meet(sock, self.seed, self._key_of, self._lockout)
            self._links.add(peer.adopt(sock, role, self))

    async def _key_of(self, role: RoleName) -> bytes:
        return handshake.public_key(self.web_seed) if role == "web" else b""

    # --- the record -----------------------------------------------------------------------------------

    def add(self, session: str, fact: facts.Fact, trust: facts.Trust = facts.Trust.GATEWAY) -> int:
        """Store a row and show it to everybody."""
        rows = self.rows.setdefault(session, [])
        fields = msgspec.to_builtins(fact)
        fields |= {"v": 1, "session": session, "seq": len(rows), "ts": 1763600000000, "trust": trust.value}
        payload = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        rows.append(payload)
        self.show(Row(session, payload))
        return len(rows) - 1

    def show(self, frame: Conversing) -> None:
        for link in self._links:
            with contextlib.suppress(LinkLost):
                link.send(frame)

    def kinds(self, session: str) -> list[str]:
        return [json.loads(row)["kind"] for row in self.rows.get(session, [])]

    # --- ipc.link.Receiver ----------------------------------------------------------------------------

    def received(self, link: Link, frame: Conversing) -> None:
        assert isinstance(frame, Inbound)
        self.inbound.append(frame)
        if self.silent:
            return
        if self.reject:
            link.send(Rejected(frame.platform_id, self.reject, "Try something else."))
            return
        if self.says:
            link.send(Said(frame.platform_id, self.says))
            return
        known = self._taken.get(frame.platform_id)
        if known is not None:
            link.send(known)
            return
        session = f"default/webchat/{frame.conversation}"
        user = facts.UserMessageFact(
            text=frame.text, principal="owner", sender="", sender_name="", platform_id=frame.platform_id
        )
        seq = self.add(session, user, facts.Trust.OWNER)
        self._taken[frame.platform_id] = Accepted(frame.platform_id, session, seq)
        link.send(self._taken[frame.platform_id])
        self._turns[session] = asyncio.ensure_future(self._turn(Turn(self, session, frame), seq))

    def lost(self, link: Link) -> None:
        self._links.discard(link)

    async def _turn(self, turn: Turn, seq: int) -> None:
        self.add(turn.session, facts.TurnStarted(message_seq=seq))
        outcome: facts.TurnOutcome = "finished"
        try:
            await self.script(turn)
        except asyncio.CancelledError:
            outcome = "stopped"
        self.add(turn.session, facts.TurnEnded(outcome=outcome, reason="", rounds=1))
        rows = self.rows[turn.session]
        head = hashlib.sha256(rows[-1]).hexdigest()
        self.add(
            turn.session,
            facts.Attestation(chain_head_seq=len(rows) - 1, chain_head_hash=head, signature="00", signer_pubkey="00"),
        )
        self.show(Over(turn.session, turn.message.platform_id, outcome, ""))

    async def answer(self, link: Link, question: bytes, emit: Callable[[msgspec.Struct], None]) -> msgspec.Struct:
        asked: calls.WebQuestion = unpack(question, calls.WebQuestion)  # type: ignore[arg-type]  # a union
        self.questions.append(asked)
        match asked:
            case calls.ListSessions():
                return calls.SessionRows(tuple(self._session_row(session) for session in reversed(self.rows)))
            case calls.ReadRows(session, first_seq):
                rows = self.rows.get(session, [])
                return calls.RowPage(tuple(rows[first_seq : first_seq + 500]))
            case calls.VerifySession(session):
                return self._verify(session)
            case calls.PendingApprovals():
                return calls.ApprovalRows(tuple(row for row, _ in self.asked.values()))
            case calls.AnswerApproval():
                return self._settle(asked)
            case calls.StopTurn(session):
                self._turns[session].cancel()
                return calls.Acknowledged()
            case calls.GatewayStatus():
                return self._report()
            case _:
                return self._about_senders(asked)

    def _about_senders(self, asked: senders.ListSenders | senders.AllowSender | senders.BlockSender) -> msgspec.Struct:
        if isinstance(asked, senders.ListSenders):
            return senders.SenderRows(tuple(self.waiting.values()))
        if self.waiting.pop((asked.channel, asked.sender), None) is None:
            raise Refused("This sender does not wait any more.")
        return calls.Acknowledged("Done.")

    def somebody_waits(self, channel: str, sender: str, name: str) -> None:
        row = senders.SenderRow(
            channel=channel,
            sender=sender,
            standing="pending",
            principal="",
            role="",
            name=name,
            first_seen=1763600000000,
            last_seen=1763600000000,
            turned_away=1,
            by="",
        )
        self.waiting[channel, sender] = row

    def _session_row(self, session: str) -> calls.SessionRow:
        first: dict[str, object] = next((json.loads(row) for row in self.rows[session]), {})
        return calls.SessionRow(
            session=session,
            rows=len(self.rows[session]),
            opened=1763600000000,
            last=1763600000000,
            title=str(first.get("text", "")),
            closed=False,
        )

    def _verify(self, session: str) -> calls.Verification:
        status, findings = ("broken", ("Row 2 was changed.",)) if self.tampered else ("verified", ())
        rows = self.rows.get(session, [])
        signed = self.kinds(session).count("attestation")
        return calls.Verification(status=status, rows=len(rows), attestations=signed, findings=findings)

    def _settle(self, answer: calls.AnswerApproval) -> calls.Acknowledged:
        if answer.approval not in self.asked:
            raise UsageError("This approval is no longer open.")
        row, future = self.asked[answer.approval]
        if row.lease != answer.lease:
            raise Refused("The call that was shown is not the one that waits.")
        del self.asked[answer.approval]
        future.set_result(answer.choice)
        self.show(Settled(row.session, row.approval, "denied" if answer.choice == "deny" else "approved"))
        return calls.Acknowledged("Done.")

    def _report(self) -> calls.GatewayReport:
        return calls.GatewayReport(
            version="0.1.0",
            started=0,
            provider="rehearsal/rehearsal",
            agents=("default",),
            peers=("web",),
            turns_running=0,
            approvals_pending=len(self.asked),
            sandbox="bubblewrap",
            sandbox_limits="cgroup v2",
            sandbox_reason="",
            sandbox_fix="",
            sandbox_notes=(),
            vault_protection="keyfile",
            vault_sealed=False,
            credentials=0,
            rows=sum(map(len, self.rows.values())),
        )


class Turn:
    """What a script may do in answer to one message."""

    def __init__(self, gateway: StubGateway, session: str, message: Inbound) -> None:
        self.gateway = gateway
        self.session = session
        self.message = message
        self._calls = 0

    async def say(self, text: str, piece: int = 0, pause: float = 0.0) -> None:
        """Answer; with `piece`, as previews of so many characters first."""
        for start in range(0, len(text) if piece else 0, piece or 1):
            self.gateway.show(Delta(self.session, text[start : start + piece]))
            await asyncio.sleep(pause)
        self.gateway.add(self.session, facts.AssistantMessageFact(text=text), facts.Trust.MODEL)

    def call(self, tool: str, arguments: str, text: str = "") -> str:
        """Propose one call and return its id."""
        self._calls += 1
        call_id = f"call_{self._calls}"
        call = ToolCall(CallId(call_id), tool, arguments)
        self.gateway.add(self.session, facts.AssistantToolCalls(text=text, calls=(call,)), facts.Trust.MODEL)
        return call_id

    async def ask(
        self, call_id: str, tool: str, command: str, tier: str = "tier3", seconds: float = 60, held: float = 0
    ) -> str:
        """Ask a person and return the choice. `held`: seconds of quiet hours before its time begins to run."""
        canonical = json.dumps({"arguments": json.dumps({"command": command}), "tool": tool}, ensure_ascii=False)
        row = calls.ApprovalRow(
            approval=f"{self.message.platform_id[:8]}-{call_id}",
            session=self.session,
            call_id=call_id,
            tool=tool,
            command=command,
            call=canonical,
            lease=hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest(),
            action_keys=(f"shell:{command.split()[0]}",),
            tier=tier,
            reasons=("This program can reach other machines.",),
            expires=int((time.time() + held + seconds) * 1000),
            held_until=int((time.time() + held) * 1000) if held else 0,
            principal="owner",
            channel="webchat",
            sender_name=self.message.sender_name,
            message=self.message.text,
            message_cut=len(self.message.text) // 1000,
            said="I need this.",
            place=("in a sandbox of its own (bubblewrap)", "can reach no network"),
            choices=choices(tier, ("shell:ls",)),
        )
        fields = {
            name: getattr(row, name)
            for name in ("approval", "call_id", "call", "lease", "action_keys", "tier", "reasons", "expires")
        }
        self.gateway.add(self.session, facts.ApprovalRequested(**fields))
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.gateway.asked[row.approval] = (row, future)
        self.gateway.show(Asked(self.session, msgspec.msgpack.encode(row)))
        choice = await future
        if choice != "deny":
            approved = {name: fields[name] for name in ("approval", "call_id", "lease", "action_keys", "tier")}
            self.gateway.add(
                self.session, facts.PermissionApproved(**approved, scope=choice, by="owner", surface="page")
            )
        return choice

    def permit(self, call_id: str, tool: str, tier: str = "tier1", rule: str = "workspace") -> None:
        permitted = facts.ToolPermitted(
            call_id=call_id,
            tool=tool,
            call="{}",
            call_sha256="0" * 64,
            action_keys=(f"tool:{tool}",),
            tier=tier,
            rule=rule,
            by="owner",
        )
        self.gateway.add(self.session, permitted)

    def deny(self, call_id: str, tool: str, key: str) -> None:
        denied = facts.PermissionDenied(
            call_id=call_id,
            tool=tool,
            action_key=key,
            action_keys=(key,),
            tier="tier3",
            rule="person",
            by="owner",
        )
        self.gateway.add(self.session, denied)

    def result(self, call_id: str, tool: str, output: str, outcome: facts.Outcome = "ok", code: int | None = 0) -> None:
        done = facts.ToolResultFact(
            call_id=call_id,
            tool=tool,
            success=outcome == "ok",
            outcome=outcome,
            output=output,
            exit_code=code,
            ended_by="",
            truncated_bytes=0,
            duration_ms=12,
        )
        self.gateway.add(self.session, done, facts.Trust.TOOL)


async def echo(turn: Turn) -> None:
    """The plainest script: repeat what was said."""
    await turn.say(f"You said: {turn.message.text}", piece=6)
