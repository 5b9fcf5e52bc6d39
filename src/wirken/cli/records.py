"""The record as commands read it: offline, straight from the file, checked against what the vault knows."""

from __future__ import annotations

import os
from dataclasses import dataclass

from wirken.cli import plans, vaults
from wirken.cli.first import configured
from wirken.cli.output import Output
from wirken.config.paths import Paths
from wirken.domain.errors import Unavailable, UsageError, WirkenError
from wirken.domain.ids import OPERATIONS, SessionId, parse_session
from wirken.ipc.calls.vault import AgentKey, HeadReply, KeyReply, LastHead
from wirken.ipc.vault_client import VaultClient
from wirken.record.reader import RecordReader
from wirken.record.verify import Known, Report, verify_session
from wirken.supervisor.plan import Plan


class NoSuchSession(UsageError):
    """No session of that name is on record."""

    exit_code = 4
    hint = "`wirken sessions list` shows what there is."


@dataclass(frozen=True, slots=True)
class Vault:
    """What a verifier asks the vault; the answers that cannot be had are unknown, and the report says so."""

    client: VaultClient | None

    def known(self, session: str) -> Known:
        """Return the agent's key and the last head that was signed, as far as the vault can be asked."""
        if self.client is None:
            return Known()
        try:
            agent, _, _ = parse_session(session)
            key = self.client.call(AgentKey(agent), KeyReply).key
            head = self.client.call(LastHead(session), HeadReply)
        except Unavailable:
            return Known()
        except WirkenError as error:
            return Known(contradiction=str(error))
        return Known(key, True, head.seq, head.head)


def named(reader: RecordReader, text: str) -> SessionId:
    """Return the session that `text` names: a whole id, or the end of exactly one. Raises `NoSuchSession`."""
    sessions = [summary.session for summary in reader.sessions()]
    if text in sessions:
        return SessionId(text)
    if text in ("last", "latest"):
        latest = next((session for session in sessions if session != OPERATIONS), None)
        if latest is not None:
            return latest
    found = [session for session in sessions if session.endswith(text)]
    if len(found) == 1:
        return found[0]
    raise NoSuchSession("No session of that name is on record." if not found else "More than one session ends so.")


def plan_without_page(paths: Paths, out: Output) -> Plan:
    """Return the plan of processes for one command."""
    return plans.make(paths, configured(paths, out), os.environ, port=0, without=frozenset({"web"}))


def verified(paths: Paths, sessions: list[SessionId], *, offline: bool, out: Output) -> list[Report]:
    """Verify sessions from the file. Unless `offline`, the vault (started if needed) is asked for keys and heads."""
    if offline:
        return _verified(paths, sessions, Vault(None))
    try:
        with vaults.asked(paths, out, opened=False) as client:  # keys and heads can be read while it is sealed
            return _verified(paths, sessions, Vault(client))
    except WirkenError as error:
        out.note(f"The vault cannot be asked: {error} What only it knows is not checked.")
        return _verified(paths, sessions, Vault(None))


def _verified(paths: Paths, sessions: list[SessionId], vault: Vault) -> list[Report]:
    reader = RecordReader(paths.audit_db)
    try:
        return [verify_session(session, reader.rows(session), vault.known(session)) for session in sessions]
    finally:
        reader.close()
