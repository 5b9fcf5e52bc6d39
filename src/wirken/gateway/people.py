"""Who wrote this: a platform's account to a person, or to a polite no. And the owner's decisions about accounts.

An account is named by the channel that the connection proved and the sender that its platform reports.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import msgspec

from wirken.domain import limits
from wirken.domain.clock import Clock
from wirken.domain.errors import Refused
from wirken.domain.events import SenderChange, SenderChanged, SenderRefused, Trust
from wirken.domain.ids import OPERATIONS, OWNER, ChannelId, PrincipalId
from wirken.domain.people import (
    THE_OWNER,
    NotThatRole,
    Person,
    Role,
    Standing,
    has_senders,
    name_for,
    person,
    platform,
    role_named,
    sender_id,
)
from wirken.gateway.log import AuditLog
from wirken.gateway.senders import Account, PairingOffer, SenderStore, visible_name
from wirken.ipc.calls import senders as ask
from wirken.ipc.calls.operator import Acknowledged
from wirken.ipc.frames import Inbound

REFUSAL: Final = "Sorry, I do not know you, so I cannot help here. The owner of this assistant was told that you wrote."
WELCOME: Final = "You are known now. Say what I can do for you."

SenderQuestion: TypeAlias = ask.ListSenders | ask.AllowSender | ask.BlockSender | ask.RemoveSender | ask.OfferPairing

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: none is mistaken for another
_CODE: Final = re.compile(r"\s*([0-9A-Za-z]{4})[-\u2013]([0-9A-Za-z]{4})[-\u2013]([0-9A-Za-z]{4})\s*")
_PAGE_GIVES: Final = (Role.USER, Role.GUEST)


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """The message goes no further. `said` is for its sender; empty: nothing is said."""

    said: str = ""


@dataclass(slots=True)
class People:
    """Resolves senders, and records and keeps what the owner decides about them."""

    store: SenderStore
    log: AuditLog
    clock: Clock
    _told: dict[ChannelId, deque[int]] = field(default_factory=dict)
    _tries: OrderedDict[tuple[ChannelId, str], deque[int]] = field(default_factory=OrderedDict)

    # --- who it is ------------------------------------------------------------------------------------

    async def meet(self, channel: ChannelId, message: Inbound) -> Person | TurnedAway:
        """Return who wrote on `channel`, or that the message goes no further.

        In a group nothing is taken that was not said to the bot; not even who said it. Raises `BadIdentifier`
        for a message without a usable sender, `RecordFailed`.
        """
        if message.group and not message.mentioned:
            return TurnedAway()
        sender = sender_id(message.sender)
        account = self.store.find(channel, sender)
        if account is not None and account.person is not None:
            self._seen(account, message.sender_name)
            return account.person
        if account is not None and account.standing is Standing.BLOCKED:
            self.store.turned_away(channel, sender, self.clock.now())
            return TurnedAway()
        code = None if message.group else _code_in(message.text)  # what stands in a group, all may read
        if code is not None and self._may_try(channel, sender):
            paired = await self._paired(channel, sender, message.sender_name, code)
            if paired is not None:
                return paired
        return await self._unknown(channel, sender, message.sender_name)

    async def who(self, channel: ChannelId, sender: str) -> Person:
        """Return the person who pressed something on `channel`. Raises `Refused`, `BadIdentifier`."""
        met = await self.meet(channel, Inbound("", "", "", sender=sender))
        if isinstance(met, TurnedAway):
            raise Refused(met.said or "This sender is not known here.")
        return met

    def admits(self, channel: ChannelId, sender: str) -> bool:
        """Is this account somebody's? An unknown one waits for the owner from now on. Raises `BadIdentifier`."""
        account = self.store.find(channel, sender_id(sender))
        if account is None:
            now = self.clock.now()
            self.store.put_pending(Account(channel, sender, Standing.PENDING, first_seen=now, last_seen=now))
        return account is not None and account.person is not None

    def still(self, channel: ChannelId, sender: str, principal: str) -> Person | None:
        """Return who a sender is now; None unless that is `principal`, as it was when the message came.

        On channels without senders that is the owner.
        """
        if not has_senders(channel):
            return THE_OWNER
        who = self.store.person(channel, sender)
        return who if who is not None and who.principal == principal else None

    def knows(self, principal: str) -> bool:
        """Is this the owner, or somebody whom an admitted account belongs to?"""
        people = (account.person for account in self.store.accounts(Standing.ADMITTED))
        return principal == OWNER or any(one is not None and one.principal == principal for one in people)

    def _seen(self, account: Account, name: str) -> None:
        now, name = self.clock.now(), visible_name(name) or account.name
        if name != account.name or now - account.last_seen >= limits.TURNED_AWAY_STEP * 1000:
            self.store.put(replace(account, name=name, last_seen=now))

    async def _unknown(self, channel: ChannelId, sender: str, name: str) -> TurnedAway:
        now = self.clock.now()
        known = self.store.find(channel, sender)
        account = known or Account(channel, sender, Standing.PENDING, first_seen=now)
        account = replace(account, name=visible_name(name) or account.name, last_seen=now)
        if now - account.told < limits.SENDER_REFUSED_EVERY * 1000 or not self._may_tell(channel, now):
            if known is None:
                self.store.put_pending(account)
            self.store.turned_away(channel, sender, now)
            return TurnedAway()
        self.store.put_pending(replace(account, told=now, turned_away=account.turned_away + 1))
        refused = SenderRefused(channel=channel, sender=sender, name=account.name)
        await self.log.append(OPERATIONS, (Trust.GATEWAY, refused))
        return TurnedAway(REFUSAL)

    def _may_tell(self, channel: ChannelId, now: int) -> bool:
        told = self._told.setdefault(channel, deque(maxlen=limits.SENDERS_REFUSED))
        if len(told) == limits.SENDERS_REFUSED and now - told[0] < limits.SENDER_REFUSED_EVERY * 1000:
            return False
        told.append(now)
        return True

    # --- pairing --------------------------------------------------------------------------------------

    def _may_try(self, channel: ChannelId, sender: str) -> bool:
        now = self.clock.now()
        tries = self._tries.setdefault((channel, sender), deque(maxlen=limits.PAIRING_TRIES))
        self._tries.move_to_end((channel, sender))
        if len(self._tries) > limits.SENDERS_PENDING:
            self._tries.popitem(last=False)
        if len(tries) == limits.PAIRING_TRIES and now - tries[0] < limits.SENDER_REFUSED_EVERY * 1000:
            return False
        tries.append(now)
        return True

    async def _paired(self, channel: ChannelId, sender: str, name: str, code: str) -> TurnedAway | None:
        now, sha256 = self.clock.now(), _hash(code)
        offer = self.store.offered(sha256, channel, now)
        if offer is None or not self.store.use(sha256):
            return None
        who = Person(PrincipalId(offer.principal) or name_for(channel, sender), offer.role)
        await self._record(Trust.GATEWAY, channel, sender, "paired", who, "", "pairing code")
        account = self.store.find(channel, sender) or Account(channel, sender, Standing.PENDING, first_seen=now)
        if account.standing is Standing.BLOCKED:  # the owner was quicker
            return TurnedAway()
        shown_name = visible_name(name) or account.name
        self.store.put(
            replace(account, standing=Standing.ADMITTED, person=who, name=shown_name, last_seen=now, by="pairing code")
        )
        return TurnedAway(WELCOME)

    # --- the owner's decisions ------------------------------------------------------------------------

    async def answer(self, question: SenderQuestion, surface: str, *, pending_only: bool) -> msgspec.Struct:
        """Answer the owner. `pending_only`: the page, which decides about accounts that wait and nothing else.

        Raises `Refused`, `BadIdentifier`, `NotThatRole`, `RecordFailed`.
        """
        match question:
            case ask.ListSenders(standing):
                return self._list(Standing.PENDING.value if pending_only else standing)
            case ask.AllowSender():
                return await self._allow(question, surface, pending_only=pending_only)
            case ask.BlockSender(channel=channel, sender=sender):
                return await self._block(platform(channel), sender_id(sender), surface, pending_only=pending_only)
            case ask.RemoveSender(channel=channel, sender=sender):
                return await self._remove(platform(channel), sender_id(sender), surface)
            case ask.OfferPairing():
                return await self._offer(question, surface)

    def _list(self, standing: str) -> ask.SenderRows:
        if standing and standing not in list(Standing):
            raise Refused("There is no such standing.", hint=f"There are: {', '.join(Standing)}.")
        return ask.SenderRows(tuple(map(_row, self.store.accounts(Standing(standing) if standing else None))))

    async def _allow(self, wanted: ask.AllowSender, surface: str, *, pending_only: bool) -> Acknowledged:
        channel, sender = platform(wanted.channel), sender_id(wanted.sender)
        who = person(wanted.principal or name_for(channel, sender), wanted.role)
        if pending_only:
            self._must_wait(channel, sender)
            if who.role not in _PAGE_GIVES:
                raise NotThatRole("The page admits users and guests.", hint="`wirken senders allow` gives every role.")
        await self._record(Trust.OWNER, channel, sender, "allowed", who, OWNER, surface)
        account = self.store.find(channel, sender) or Account(channel, sender, Standing.ADMITTED)
        self.store.put(replace(account, standing=Standing.ADMITTED, person=who, by=OWNER))
        return Acknowledged(f"Admitted as {who.principal}, {who.role}.")

    async def _block(self, channel: ChannelId, sender: str, surface: str, *, pending_only: bool) -> Acknowledged:
        if pending_only:
            self._must_wait(channel, sender)
        await self._record(Trust.OWNER, channel, sender, "blocked", None, OWNER, surface)
        account = self.store.find(channel, sender) or Account(channel, sender, Standing.BLOCKED)
        self.store.put(replace(account, standing=Standing.BLOCKED, person=None, by=OWNER))
        return Acknowledged("Blocked. Nothing this sender writes is heard or answered.")

    async def _remove(self, channel: ChannelId, sender: str, surface: str) -> Acknowledged:
        if self.store.find(channel, sender) is None:
            raise Refused("There is no such sender.", hint="`wirken senders list` shows them.")
        await self._record(Trust.OWNER, channel, sender, "removed", None, OWNER, surface)
        self.store.remove(channel, sender)
        return Acknowledged("Forgotten. This sender is unknown again.")

    async def _offer(self, wanted: ask.OfferPairing, surface: str) -> ask.PairingCode:
        role = role_named(wanted.role)
        if role is Role.OWNER:
            raise NotThatRole("No owner is made by a code.", hint="`wirken senders allow CHANNEL:ID --role owner`.")
        channel = platform(wanted.channel) if wanted.channel else ""
        principal = person(wanted.principal, role).principal if wanted.principal else ""
        letters = "".join(secrets.choice(_LETTERS) for _ in range(limits.PAIRING_LETTERS))
        now = self.clock.now()
        expires = now + int(limits.PAIRING_LIFETIME * 1000)
        offered = Person(PrincipalId(principal), role)
        await self._record(Trust.OWNER, ChannelId(channel), "", "code", offered, OWNER, surface)
        self.store.offer(_hash(letters), PairingOffer(channel, principal, role, expires), now)
        return ask.PairingCode("-".join(letters[at : at + 4] for at in range(0, len(letters), 4)), expires)

    def _must_wait(self, channel: ChannelId, sender: str) -> None:
        account = self.store.find(channel, sender)
        if account is None or account.standing is not Standing.PENDING:
            raise Refused("This sender does not wait any more.", hint="`wirken senders` changes what was decided.")

    async def _record(
        self,
        trust: Trust,
        channel: ChannelId,
        sender: str,
        change: SenderChange,
        who: Person | None,
        by: str,
        surface: str,
    ) -> None:
        fact = SenderChanged(
            channel=channel,
            sender=sender,
            change=change,
            principal="" if who is None else who.principal,
            role="" if who is None else who.role.value,
            by=by,
            surface=surface,
        )
        await self.log.append(OPERATIONS, (trust, fact))


def _row(account: Account) -> ask.SenderRow:
    who = account.person
    return ask.SenderRow(
        channel=account.channel,
        sender=account.sender,
        standing=account.standing.value,
        principal="" if who is None else who.principal,
        role="" if who is None else who.role.value,
        name=account.name,
        first_seen=account.first_seen,
        last_seen=account.last_seen,
        turned_away=account.turned_away,
        by=account.by,
    )


def _code_in(text: str) -> str | None:
    """Return the letters of a pairing code, if the message is one and nothing else."""
    found = _CODE.fullmatch(text)
    if found is None:
        return None
    letters = "".join(found.groups()).upper().translate(str.maketrans("OIL", "011"))
    return letters if all(letter in _LETTERS for letter in letters) else None


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
