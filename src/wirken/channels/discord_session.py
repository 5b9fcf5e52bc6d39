"""How far a session of Discord's gateway has been handled. Computes and touches nothing.

Discord acknowledges no single event: a session is resumed from a number, and everything later comes again. So that
number passes no event that is not handled yet, neither in a heartbeat, nor in a resume, nor on disk.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from wirken.channels.discord_types import Number, Snowflake
from wirken.domain import channel_limits as limits

Known = Annotated[str, msgspec.Meta(pattern=r"\Ag?[0-9]{1,20}\Z")]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What outlives the process. `known`: the last handled message of each conversation, the latest at the end."""

    v: int = 1
    me: Annotated[str, msgspec.Meta(max_length=20)] = ""
    """Whose session it is: another bot's is none of ours."""
    session: Annotated[str, msgspec.Meta(max_length=256)] = ""
    url: Annotated[str, msgspec.Meta(max_length=256)] = ""
    seq: Number = 0
    known: dict[Known, Snowflake] = {}


class Window:
    """One session's events: which are under way, which are done."""

    def __init__(self, safe: int = 0) -> None:
        self._last = safe
        self._open: set[int] = set()
        self._done: set[int] = set()

    @property
    def safe(self) -> int:
        """The number below and at which everything is handled."""
        return min(self._open) - 1 if self._open else self._last

    def came(self, number: int) -> bool:
        """Take an event; False for one that was there before."""
        if number <= self.safe or number in self._open:
            return False
        self._last = max(self._last, number)
        if number in self._done:
            return False
        self._open.add(number)
        return True

    def done(self, number: int) -> None:
        self._open.discard(number)
        self._done.add(number)
        safe = self.safe
        self._done = {one for one in self._done if one > safe}

    def again(self) -> None:
        """What was under way is not any more: it comes again with the next resume."""
        self._last, self._open = self.safe, set()


class Session:
    """The session that can be resumed, if any, and what is known besides. Never reads or writes a file."""

    def __init__(self, kept: Kept) -> None:
        self.me: Final = kept.me
        self.id, self.url = kept.session, kept.url
        self.window = Window(kept.seq)
        self._known = dict(kept.known)
        self.behind: set[str] = set()
        """Conversations in which messages may have been missed since."""

    def begins(self, session: str, url: str) -> None:
        """A new session stands: what came in between has to be looked for."""
        self.id, self.url, self.window = session, url, Window()
        self.behind = set(self._known)

    def ends(self) -> None:
        """It cannot be resumed."""
        self.id, self.url, self.window = "", "", Window()

    def last(self, conversation: str) -> str:
        """Return the last handled message of a conversation, or ""."""
        return self._known.get(conversation, "")

    def handled(self, conversation: str, message: str, *, learn: bool) -> bool:
        """Remember a message; of a conversation that is not known only with `learn`. Say whether anything changed."""
        known = self._known.get(conversation)
        if known is None and not learn:
            return False
        if known is not None:
            if int(message) <= int(known):
                return False
            del self._known[conversation]
        self._known[conversation] = message
        if len(self._known) > limits.DISCORD_KNOWN:
            del self._known[next(iter(self._known))]
        return True

    def forget(self, conversation: str) -> None:
        """It is gone."""
        self._known.pop(conversation, None)
        self.behind.discard(conversation)

    def kept(self) -> Kept:
        """Return what to keep. While something is still to be looked for there is no session to go on with."""
        if self.behind or not self.id:
            return Kept(me=self.me, known=dict(self._known))
        return Kept(me=self.me, session=self.id, url=self.url, seq=self.window.safe, known=dict(self._known))
