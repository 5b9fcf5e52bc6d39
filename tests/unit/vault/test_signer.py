from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl import bindings
from tests.support.heads import SESSION, head, leaves
from tests.support.vault_parts import Parts

from wirken.domain.attestation import attestation_message
from wirken.domain.errors import UsageError
from wirken.domain.ids import RoleName
from wirken.ipc.calls.vault import HeadReply, Signature, SignHead
from wirken.ipc.vault_wire import VaultSealed
from wirken.vault.cipher import NotAuthentic
from wirken.vault.signer import HeadForged, HeadRefused

OTHER = "another row"
"""What the last row of a rewritten chain says."""


def edit(folder: Path, sql: str) -> None:
    connection = apsw.Connection(str(folder / "vault.db"))
    connection.execute(sql)
    assert connection.changes() == 1
    connection.close()


def test_a_signature_is_the_agents_over_the_attestation_message(tmp_path: Path) -> None:
    signer = Parts(tmp_path).started().signer
    signed = signer.sign_head(head(3))
    message = attestation_message(SESSION, 3, head(3).head)
    assert bindings.crypto_sign_open(signed.signature + message, signed.key) == message
    assert signer.agent_key("default", is_open=True).key == signed.key
    assert signer.last_head(SESSION) == HeadReply(3, head(3).head)


def test_the_same_head_again_gets_the_same_signature_also_after_a_restart(tmp_path: Path) -> None:
    parts = Parts(tmp_path).started()
    first = parts.signer.sign_head(head(3))
    assert parts.signer.sign_head(head(3)) == first
    assert parts.reopened().signer.sign_head(head(3)) == first


def test_another_head_for_a_signed_row_is_refused(tmp_path: Path) -> None:
    parts = Parts(tmp_path).started()
    parts.signer.sign_head(head(3))
    with pytest.raises(HeadRefused):
        parts.signer.sign_head(head(3, OTHER))
    with pytest.raises(HeadRefused):
        parts.reopened().signer.sign_head(head(3, OTHER))


def test_a_lower_row_is_refused_even_with_a_head_that_was_signed(tmp_path: Path) -> None:
    signer = Parts(tmp_path).started().signer
    signer.sign_head(head(2))
    signer.sign_head(head(3))
    with pytest.raises(HeadRefused):
        signer.sign_head(head(2))


def test_another_agent_cannot_take_over_a_session(tmp_path: Path) -> None:
    signer = Parts(tmp_path).started().signer
    signer.sign_head(head(3))
    with pytest.raises(HeadRefused):
        signer.sign_head(head(4, agent="other"))


def test_rows_that_were_signed_cannot_be_exchanged_and_signed_anew(tmp_path: Path) -> None:
    """The head of a longer chain in which row 3 says something else now."""
    signer = Parts(tmp_path).started().signer
    signer.sign_head(head(3))
    rewritten = [*leaves(3, OTHER), hashlib.sha256(b"padding").digest(), hashlib.sha256(b"padding").digest()]
    link = ""
    for leaf in rewritten:
        link = hashlib.sha256((link + leaf.hex()).encode()).hexdigest()
    for since in range(6):
        with pytest.raises(HeadRefused):
            signer.sign_head(SignHead("default", SESSION, 5, link, since, b"".join(rewritten[since:])))
    assert signer.last_head(SESSION) == HeadReply(3, head(3).head)


@pytest.mark.parametrize("since", [0, 1, 3, 4])
def test_the_vault_needs_the_rows_since_the_last_signed_one_and_takes_more(tmp_path: Path, since: int) -> None:
    signer = Parts(tmp_path).started().signer
    signer.sign_head(head(3))
    assert signer.sign_head(head(7, since=since)).key == signer.agent_key("default", is_open=True).key


def test_a_gap_too_few_or_too_many_rows_are_refused(tmp_path: Path) -> None:
    signer = Parts(tmp_path).started().signer
    signer.sign_head(head(3))
    whole = head(7, since=4)
    rest = whole.leaves
    for since, rows in ((5, rest[32:]), (4, rest[:-32]), (4, rest + b"0" * 32), (4, b""), (4, b"0")):
        with pytest.raises(HeadRefused):
            signer.sign_head(SignHead("default", SESSION, 7, whole.head, since, rows))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["row", OTHER])), max_size=25))
def test_heads_move_forward_only(asked: list[tuple[int, str]]) -> None:
    with TemporaryDirectory() as folder:
        signer = Parts(Path(folder)).started().signer
        seq, known, signature = -1, "row", Signature(b"", b"")
        for question in asked:
            allowed = (question[0] > seq and known == "row") or question == (seq, known)
            if not allowed:
                with pytest.raises(HeadRefused):
                    signer.sign_head(head(*question))
            elif question == (seq, known):
                assert signer.sign_head(head(*question)) == signature
            else:
                signature = signer.sign_head(head(*question))
                seq, known = question
            assert signer.last_head(SESSION) == HeadReply(seq, head(seq, known).head if seq >= 0 else "")


@pytest.mark.parametrize("column", ["seq = 0", f"head = '{'1' * 64}'", "signature = zeroblob(64)", "agent = 'x'"])
def test_an_edited_head_is_noticed(tmp_path: Path, column: str) -> None:
    parts = Parts(tmp_path).started()
    parts.signer.sign_head(head(3))
    parts.store.close()
    edit(tmp_path, f"UPDATE heads SET {column}")
    signer = Parts(tmp_path).started().signer
    with pytest.raises(HeadForged):
        signer.last_head(SESSION)
    with pytest.raises(HeadForged):
        signer.sign_head(head(4))


def test_an_edited_public_key_is_noticed_as_soon_as_the_vault_is_open(tmp_path: Path) -> None:
    parts = Parts(tmp_path).started()
    parts.signer.identity(RoleName("web"))
    parts.store.close()
    edit(tmp_path, "UPDATE keys SET public = zeroblob(32) WHERE name = 'gateway'")
    signer = Parts(tmp_path).started().signer
    with pytest.raises(NotAuthentic):
        signer.identity(RoleName("web"))
    with pytest.raises(NotAuthentic):
        signer.peer_key("gateway", is_open=True)


def test_a_key_moved_to_another_name_is_noticed(tmp_path: Path) -> None:
    parts = Parts(tmp_path).started()
    parts.signer.agent_key("default", is_open=True)
    parts.store.close()
    edit(tmp_path, "UPDATE keys SET name = 'other' WHERE name = 'default'")
    with pytest.raises(NotAuthentic):
        Parts(tmp_path).started().signer.agent_key("other", is_open=True)


def test_public_keys_and_heads_are_readable_while_sealed_and_nothing_else(tmp_path: Path) -> None:
    parts = Parts(tmp_path).started()
    signed = parts.signer.sign_head(head(3))
    gateway = parts.signer.identity(RoleName("web")).gateway_key
    parts.store.close()
    sealed = Parts(tmp_path).signer
    assert sealed.agent_key("default", is_open=False).key == signed.key
    assert sealed.peer_key("gateway", is_open=False).key == gateway
    assert sealed.last_head(SESSION) == HeadReply(3, head(3).head)
    with pytest.raises(VaultSealed):
        sealed.agent_key("new", is_open=False)
    with pytest.raises(VaultSealed):
        sealed.identity(RoleName("web"))
    with pytest.raises(VaultSealed):
        sealed.sign_head(head(4))
    with pytest.raises(VaultSealed):
        sealed.sign_head(head(3))


def test_every_role_has_its_own_identity_and_knows_the_gateways(tmp_path: Path) -> None:
    signer = Parts(tmp_path).started().signer
    web, runner = signer.identity(RoleName("web")), signer.identity(RoleName("runner-1"))
    gateway = signer.identity(RoleName("gateway"))
    assert len({web.seed, runner.seed, gateway.seed}) == 3
    public, _ = bindings.crypto_sign_seed_keypair(gateway.seed)
    assert {web.gateway_key, runner.gateway_key, gateway.gateway_key} == {public}
    assert signer.peer_key("runner-2", is_open=True).key == b""
    assert signer.identity(RoleName("web")) == web


@pytest.mark.parametrize("session", ["", "a b", "a\nb", "ä", "x" * 513])
def test_a_session_id_of_another_form_is_refused(tmp_path: Path, session: str) -> None:
    signer = Parts(tmp_path).started().signer
    with pytest.raises(UsageError):
        signer.sign_head(head(0, session=session))
