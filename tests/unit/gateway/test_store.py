from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from wirken.domain import limits
from wirken.domain.ids import ActionKey, AgentId, ChannelId, PrincipalId
from wirken.gateway.store import Holder, StateStore

NOW = 1_800_000_000_000
LIFE = limits.GRANT_LIFETIME * 1000
LS = ActionKey("shell:ls")
OWNER = Holder(AgentId("default"), PrincipalId("owner"), ChannelId("terminal"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    made = StateStore(tmp_path / "state.db")
    yield made
    made.close()


def test_a_grant_serves_exactly_its_holder_and_key(store: StateStore) -> None:
    store.remember(OWNER, LS, NOW, "owner")
    assert store.is_granted(OWNER, LS, NOW)
    for other in (
        Holder(AgentId("other"), OWNER.principal, OWNER.channel),
        Holder(OWNER.agent, PrincipalId("guest"), OWNER.channel),
        Holder(OWNER.agent, OWNER.principal, ChannelId("webchat")),
    ):
        assert not store.is_granted(other, LS, NOW)
    for key in ("shell:l", "shell:lsx", "shell:LS", "shell:ls ", "shell:%", "tool:ls", ""):
        assert not store.is_granted(OWNER, ActionKey(key), NOW)


def test_a_grant_ends_at_its_30_days_to_the_millisecond(store: StateStore) -> None:
    store.remember(OWNER, LS, NOW, "owner")
    assert store.is_granted(OWNER, LS, NOW + LIFE - 1)
    assert not store.is_granted(OWNER, LS, NOW + LIFE)
    assert len(store.grants(NOW + LIFE - 1)) == 1
    assert store.grants(NOW + LIFE) == []


def test_approving_again_starts_the_30_days_anew(store: StateStore) -> None:
    store.remember(OWNER, LS, NOW, "owner")
    store.remember(OWNER, LS, NOW + 1000, "owner")
    assert store.is_granted(OWNER, LS, NOW + LIFE)
    assert [grant.approved for grant in store.grants(NOW)] == [NOW + 1000]


def test_a_grant_that_was_revoked_serves_nobody(store: StateStore) -> None:
    store.remember(OWNER, LS, NOW, "owner")
    assert store.revoke(OWNER, LS)
    assert not store.revoke(OWNER, LS)
    assert not store.is_granted(OWNER, LS, NOW)


def test_grants_outlive_the_process(tmp_path: Path) -> None:
    first = StateStore(tmp_path / "state.db")
    first.remember(OWNER, LS, NOW, "owner")
    first.close()
    second = StateStore(tmp_path / "state.db")
    [grant] = second.grants(NOW)
    second.close()
    assert (grant.holder, grant.key, grant.expires, grant.by) == (OWNER, LS, NOW + LIFE, "owner")


def test_text_in_a_key_is_never_sql(store: StateStore) -> None:
    key = ActionKey("shell:'; DROP TABLE grants; --")
    store.remember(OWNER, key, NOW, "owner")
    assert store.is_granted(OWNER, key, NOW)
    assert not store.is_granted(OWNER, LS, NOW)


def test_a_grant_for_a_session_counts_in_it_only_until_it_is_forgotten(store: StateStore) -> None:
    store.remember(OWNER, LS, NOW, "owner", session="default/terminal/a")
    assert store.is_granted(OWNER, LS, NOW, "default/terminal/a")
    assert not store.is_granted(OWNER, LS, NOW, "default/terminal/b") and not store.is_granted(OWNER, LS, NOW)
    store.remember(OWNER, LS, NOW, "owner")
    store.forget_session("default/terminal/a")
    store.forget_session("")
    [grant] = store.grants(NOW)
    assert grant.session == "" and store.is_granted(OWNER, LS, NOW, "default/terminal/b")


def test_uses_count_down_and_grants_without_limit_are_used_first(store: StateStore) -> None:
    store.remember(OWNER, LS, NOW, "owner", uses=2)
    for left in (1, 0):
        assert store.is_granted(OWNER, LS, NOW)
        store.use(OWNER, [LS], NOW, "default/terminal/a")
        assert [grant.uses for grant in store.grants(NOW)] == ([left] if left else [])
    assert not store.is_granted(OWNER, LS, NOW)
    store.remember(OWNER, LS, NOW, "owner", uses=2)
    store.remember(OWNER, LS, NOW, "owner", session="default/terminal/a")
    store.use(OWNER, [LS], NOW, "default/terminal/a")
    assert sorted(str(grant.uses) for grant in store.grants(NOW)) == ["2", "None"]


def test_a_grant_may_live_shorter_and_is_revoked_in_one_session_or_in_all(store: StateStore) -> None:
    store.remember(OWNER, LS, NOW, "owner", lifetime=60)
    assert store.is_granted(OWNER, LS, NOW + 59_999) and not store.is_granted(OWNER, LS, NOW + 60_000)
    store.remember(OWNER, LS, NOW, "owner", session="s")
    assert store.revoke(OWNER, LS, "s") and not store.revoke(OWNER, LS, "s")
    assert store.is_granted(OWNER, LS, NOW, "s")
    store.remember(OWNER, LS, NOW, "owner", session="s")
    assert store.revoke(OWNER, LS) and store.grants(NOW) == []


def test_grants_of_the_first_version_are_kept(tmp_path: Path) -> None:
    db = apsw.Connection(str(tmp_path / "old.db"))
    db.execute(
        "CREATE TABLE grants (agent TEXT NOT NULL, principal TEXT NOT NULL, channel TEXT NOT NULL,"
        " action_key TEXT NOT NULL, approved INTEGER NOT NULL, expires INTEGER NOT NULL, approver TEXT NOT NULL,"
        " PRIMARY KEY (agent, principal, channel, action_key))"
    )
    values = ("default", "owner", "terminal", "shell:ls", NOW, NOW + LIFE, "owner")
    db.execute("INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    db.close()
    for _ in range(2):
        made = StateStore(tmp_path / "old.db")
        [grant] = made.grants(NOW)
        assert (grant.holder, grant.key, grant.session, grant.uses) == (OWNER, LS, "", None)
        made.close()
