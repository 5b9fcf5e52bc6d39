from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from tests.support.vault_parts import NOW, Parts

from wirken.domain import limits
from wirken.ipc.calls.vault import (
    AddCredential,
    CredentialFor,
    CredentialReply,
    RemoveCredential,
    RotateCredential,
    SetAside,
)
from wirken.ipc.vault_wire import VaultSealed
from wirken.vault.asks import OUTBOUND
from wirken.vault.cipher import NotAuthentic
from wirken.vault.credentials import (
    BadCredential,
    CredentialExists,
    CredentialExpired,
    NoSuchCredential,
    NotBound,
)

DAY = 86_400_000


def value(parts: Parts, name: str = "openai") -> CredentialReply:
    return parts.credentials.value_for(OUTBOUND, CredentialFor(name))


def test_a_stored_value_comes_back_for_outbound(tmp_path: Path) -> None:
    parts = Parts(tmp_path).started()
    parts.credentials.add(AddCredential("openai", b"sk-1"))
    assert value(parts) == CredentialReply(found=True, value=b"sk-1")
    assert value(parts.reopened()).value == b"sk-1"


def test_metadata_has_times_and_a_rotation_due_after_90_days(tmp_path: Path) -> None:
    parts = Parts(tmp_path).started()
    parts.credentials.add(AddCredential("openai", b"sk-1", expires=NOW + DAY))
    (row,) = parts.credentials.rows().rows
    assert (row.created, row.rotated, row.expires, row.last_used) == (NOW, 0, NOW + DAY, 0)
    assert row.rotation_due == NOW + 90 * DAY
    parts.clock.time += 5 * DAY
    parts.credentials.rotate(RotateCredential("openai", b"sk-2"))
    (row,) = parts.credentials.rows().rows
    assert (row.created, row.rotated, row.expires) == (NOW, NOW + 5 * DAY, 0)
    assert row.rotation_due == NOW + 95 * DAY
    assert value(parts).value == b"sk-2"


def test_the_last_use_is_noted_at_most_once_a_minute(tmp_path: Path) -> None:
    parts = Parts(tmp_path).started()
    parts.credentials.add(AddCredential("openai", b"sk-1"))

    def used() -> int:
        return parts.credentials.rows().rows[0].last_used

    value(parts)
    assert used() == NOW
    parts.clock.time += 59_999
    value(parts)
    assert used() == NOW
    parts.clock.time += 1
    value(parts)
    assert used() == NOW + 60_000


def test_an_expired_value_is_not_handed_out(tmp_path: Path) -> None:
    parts = Parts(tmp_path).started()
    parts.credentials.add(AddCredential("openai", b"sk-1", expires=NOW + 10))
    parts.clock.time += 9
    assert value(parts).found
    parts.clock.time += 1
    with pytest.raises(CredentialExpired):
        value(parts)


@pytest.mark.parametrize(
    "change",
    ["expires = 0", "created = created + 1", "rotated = -1", "sealed = zeroblob(60)", "name = 'anthropic'"],
)
def test_an_edited_row_is_noticed(tmp_path: Path, change: str) -> None:
    parts = Parts(tmp_path).started()
    parts.credentials.add(AddCredential("openai", b"sk-1", expires=NOW + 10))
    parts.store.close()
    connection = apsw.Connection(str(tmp_path / "vault.db"))
    connection.execute(f"UPDATE entries SET {change}")
    connection.close()
    parts = Parts(tmp_path, bound=frozenset({"openai", "anthropic"})).started()
    with pytest.raises(NotAuthentic):
        parts.credentials.value_for(OUTBOUND, CredentialFor("anthropic" if "anthropic" in change else "openai"))
    with pytest.raises(NotAuthentic):
        parts.credentials.rows()


def test_only_names_that_the_configuration_binds_are_answered(tmp_path: Path) -> None:
    parts = Parts(tmp_path).started()
    parts.credentials.add(AddCredential("mail", b"secret"))
    with pytest.raises(NotBound):
        value(parts, "mail")
    assert not value(parts, "openai").found


def test_a_name_is_stored_once_and_removed_once(tmp_path: Path) -> None:
    parts = Parts(tmp_path).started()
    parts.credentials.add(AddCredential("openai", b"sk-1"))
    with pytest.raises(CredentialExists):
        parts.credentials.add(AddCredential("openai", b"sk-2"))
    parts.credentials.remove(RemoveCredential("openai"))
    with pytest.raises(NoSuchCredential):
        parts.credentials.remove(RemoveCredential("openai"))
    with pytest.raises(NoSuchCredential):
        parts.credentials.rotate(RotateCredential("openai", b"sk-2"))


@pytest.mark.parametrize("name", ["", "A", "-a", ".a", "a/b", "a b", "a\n", "ä", "a" * 65])
def test_a_name_of_another_form_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadCredential):
        Parts(tmp_path).started().credentials.add(AddCredential(name, b"x"))


def test_values_and_expiries_have_bounds(tmp_path: Path) -> None:
    add = Parts(tmp_path).started().credentials.add
    add(AddCredential("largest", b"x" * limits.CREDENTIAL))
    for question in (
        AddCredential("a", b""),
        AddCredential("a", b"x" * (limits.CREDENTIAL + 1)),
        AddCredential("a", b"x", expires=NOW),
        AddCredential("a", b"x", expires=-1),
        AddCredential("a", b"x", expires=2**63),
    ):
        with pytest.raises(BadCredential):
            add(question)


def test_the_number_of_entries_has_a_bound(tmp_path: Path) -> None:
    parts = Parts(tmp_path).started()
    for number in range(limits.CREDENTIALS):
        parts.credentials.add(AddCredential(f"n{number}", b"x"))
    with pytest.raises(BadCredential):
        parts.credentials.add(AddCredential("more", b"x"))


def test_everything_is_unavailable_while_sealed(tmp_path: Path) -> None:
    credentials = Parts(tmp_path).credentials
    for asked in (
        lambda: credentials.add(AddCredential("a", b"x")),
        lambda: credentials.rotate(RotateCredential("a", b"x")),
        lambda: credentials.remove(RemoveCredential("a")),
        lambda: credentials.set_aside(SetAside("a")),
        credentials.rows,
        lambda: credentials.value_for(OUTBOUND, CredentialFor("openai")),
    ):
        with pytest.raises(VaultSealed, match="wirken unlock"):
            asked()


def test_no_value_and_no_removed_row_stands_in_the_files(tmp_path: Path) -> None:
    parts = Parts(tmp_path).started()
    parts.credentials.add(AddCredential("openai", b"canary-value-1234567890"))
    sealed = parts.store.entry("openai")
    assert sealed is not None
    parts.credentials.remove(RemoveCredential("openai"))
    parts.store.close()
    for file in tmp_path.iterdir():
        assert b"canary-value" not in file.read_bytes()
    assert sealed.sealed not in (tmp_path / "vault.db").read_bytes()


def test_a_value_that_was_set_aside_comes_back_with_its_dates(tmp_path: Path) -> None:
    parts = Parts(tmp_path).started()
    parts.credentials.add(AddCredential("openai", b"sk-1", NOW + DAY))
    [before] = parts.credentials.rows().rows
    parts.credentials.set_aside(SetAside("openai"))
    parts.credentials.rotate(RotateCredential("openai", b"sk-2"))
    assert value(parts).value == b"sk-2"
    parts.credentials.set_aside(SetAside("openai", back=True))
    assert parts.credentials.rows().rows == (before,)
    assert value(parts).value == b"sk-1"
    for question in (SetAside("openai", back=True), SetAside("other")):
        with pytest.raises(NoSuchCredential):
            parts.credentials.set_aside(question)
    with pytest.raises(BadCredential):
        parts.credentials.set_aside(SetAside("a" * 60))
