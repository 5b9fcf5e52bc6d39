from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.vault_parts import SetClock

from wirken.domain import limits
from wirken.domain.ids import ChannelId, PrincipalId
from wirken.domain.people import Person, Role, Standing
from wirken.gateway.senders import Account, PairingOffer, SenderStore, visible_name

TELEGRAM, SIGNAL = ChannelId("telegram"), ChannelId("signal")
ALICE = Person(PrincipalId("alice"), Role.USER)
NOW = SetClock().time
OFFER = PairingOffer("", "alice", Role.USER, NOW + 1000)


@pytest.fixture
def store(tmp_path: Path) -> SenderStore:
    return SenderStore(tmp_path / "state.db")


def admitted(sender: str = "1", channel: ChannelId = TELEGRAM) -> Account:
    return Account(channel, sender, Standing.ADMITTED, ALICE, "Alice", 1, 2, 3, 4, "owner")


def test_what_was_put_is_found_again_also_by_the_next_process(store: SenderStore, tmp_path: Path) -> None:
    store.put(admitted())
    store.close()
    assert SenderStore(tmp_path / "state.db").find(TELEGRAM, "1") == admitted()


def test_an_account_is_its_channel_and_its_exact_sender(store: SenderStore) -> None:
    store.put(admitted("a"))
    for channel, sender in ((SIGNAL, "a"), (TELEGRAM, "A"), (TELEGRAM, "a "), (TELEGRAM, "a\0"), (TELEGRAM, "")):
        assert store.find(channel, sender) is None


def test_only_an_admitted_account_has_a_person(store: SenderStore) -> None:
    for standing in (Standing.PENDING, Standing.BLOCKED):
        store.put(Account(TELEGRAM, "1", standing, ALICE))
        found = store.find(TELEGRAM, "1")
        assert found is not None and found.person is None


def test_a_flood_of_unknown_senders_keeps_the_latest_and_touches_nobody_else(store: SenderStore) -> None:
    store.put(admitted())
    store.put(Account(TELEGRAM, "bad", Standing.BLOCKED))
    for number in range(limits.SENDERS_PENDING + 20):
        store.put_pending(Account(TELEGRAM, f"s{number}", Standing.PENDING, last_seen=number))
    waiting = store.accounts(Standing.PENDING)
    assert len(waiting) == limits.SENDERS_PENDING
    assert waiting[0].sender == f"s{limits.SENDERS_PENDING + 19}" and waiting[-1].sender == "s20"
    assert store.find(TELEGRAM, "1") == admitted() and store.find(TELEGRAM, "bad") is not None


def test_lists_show_first_who_waits(store: SenderStore) -> None:
    store.put(admitted())
    store.put(Account(TELEGRAM, "2", Standing.PENDING))
    assert [account.sender for account in store.accounts()] == ["2", "1"]
    assert [account.sender for account in store.accounts(Standing.ADMITTED)] == ["1"]


def test_messages_that_are_not_heard_are_counted_without_a_commit_each(store: SenderStore, tmp_path: Path) -> None:
    store.put(Account(TELEGRAM, "1", Standing.BLOCKED))
    for number in range(100):
        store.turned_away(TELEGRAM, "1", NOW + number)
    other = SenderStore(tmp_path / "state.db")
    found = other.find(TELEGRAM, "1")
    assert found is not None and found.turned_away == 1
    [listed] = store.accounts()
    assert listed.turned_away == 100
    store.turned_away(TELEGRAM, "1", NOW + 200)
    store.close()
    found = other.find(TELEGRAM, "1")
    assert found is not None and found.turned_away == 101
    other.close()


def test_an_account_that_was_removed_is_unknown(store: SenderStore) -> None:
    store.put(admitted())
    assert store.remove(TELEGRAM, "1") and store.find(TELEGRAM, "1") is None
    assert not store.remove(TELEGRAM, "1")


def test_a_code_is_good_once_and_until_it_lapses(store: SenderStore) -> None:
    store.offer("h", OFFER, NOW)
    assert store.offered("h", TELEGRAM, NOW + 999) == OFFER
    assert store.use("h") and not store.use("h")
    assert store.offered("h", TELEGRAM, NOW) is None
    store.offer("h", OFFER, NOW)
    assert store.offered("h", TELEGRAM, NOW + 1000) is None


def test_a_code_for_one_channel_is_nothing_on_another(store: SenderStore) -> None:
    store.offer("h", PairingOffer(SIGNAL, "", Role.USER, NOW + 1000), NOW)
    assert store.offered("h", TELEGRAM, NOW) is None
    assert store.offered("h", SIGNAL, NOW) is not None


def test_wrong_guesses_void_the_codes_that_wait(store: SenderStore) -> None:
    store.offer("h", OFFER, NOW)
    for _ in range(limits.PAIRING_GUESSES - 1):
        assert store.offered("wrong", TELEGRAM, NOW) is None
    assert store.offered("h", TELEGRAM, NOW) is not None
    assert store.offered("wrong", TELEGRAM, NOW) is None
    assert store.offered("h", TELEGRAM, NOW) is None


def test_only_so_many_codes_wait_and_the_latest_is_among_them(store: SenderStore) -> None:
    for number in range(limits.PAIRING_CODES + 5):
        store.offer(f"h{number}", PairingOffer("", "", Role.USER, NOW + 1000 + number), NOW)
    good = [number for number in range(limits.PAIRING_CODES + 5) if store.offered(f"h{number}", TELEGRAM, NOW)]
    assert good == list(range(5, limits.PAIRING_CODES + 5))


def test_a_name_from_a_platform_is_short_and_cannot_deceive() -> None:
    assert visible_name("Anna") == "Anna"
    assert visible_name("a\u202eb\n\x1b[31m") == "a\\u202eb\\x0a\\x1b[31m"
    assert len(visible_name("\u202e" * 1000).encode()) <= limits.SENDER_NAME
    assert visible_name("\ud800") == "\\ud800"
