"""What the contract suite of all channels needs of a platform: a simulator that a test drives, its users and its fate.

A platform gives one `Rig` and runs `tests.support.channel_contract` over it. The rig starts a simulator that speaks the
platform's wire protocol over loopback and outlives any adapter; `settings` and `secrets` are what an adapter process of
it is given, so that the suite can start one in its own process as well as in a child that it kills.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from wirken.channels.contract import Choice
from wirken.domain.platforms import Kind

Step: TypeAlias = Literal["acknowledging", "sending", "sent"]
"""Where a simulator can stop until it is released: an acknowledgement of a message has come and is not taken yet; a
message (or an edit) of the bot has come and is not taken yet; it is taken, users see it, and no answer is given."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A file that a user sends: what comes when it is fetched, and the size that the platform claims for it."""

    name: str
    data: bytes
    claims: int = -1
    """-1: the true one."""
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Seen:
    """A message of the bot as users see it now."""

    message_id: str
    text: str
    """What a reader sees, markup read as the platform reads it (or as near as the simulator can)."""
    raw: str = ""
    """The markup, or the plain text, as it was sent."""
    buttons: tuple[Choice, ...] = ()
    reply_to: str = ""
    file_name: str = ""
    data: bytes = b""
    edits: int = 0


@dataclass(frozen=True, slots=True)
class Can:
    """What a platform has, so that a scenario which makes no sense there is left out by name."""

    edits: bool = True
    """The bot can edit its messages, so answers are streamed."""
    user_edits: bool = True
    buttons: bool = True
    """False: people react, and `Rig.presses` does that."""
    files: bool = True
    knows_keys: bool = False
    """The same idempotency key again is the same message there."""
    acknowledges: bool = True
    """A message that was not acknowledged is handed over again."""


class Rig(Protocol):
    """One running simulator. Users are named by short words: "alice", "bob"; the rig makes accounts of them.

    Each user has a direct conversation with the bot unless a scenario says otherwise.
    """

    kind: type[Kind]
    module: str
    """Exposes `platform(given)`: `wirken.channels.telegram`."""
    settings: Mapping[str, str]
    secrets: Mapping[str, str]
    can: Can

    # --- users ----------------------------------------------------------------------------------------

    def sender(self, user: str) -> str:
        """Return the account's id as `Received.sender` will have it."""
        ...

    def conversation(self, user: str) -> str:
        """Return the id of the user's direct conversation as `Received.conversation` will have it."""
        ...

    async def says(self, user: str, text: str, *files: Offered) -> str:
        """Let a user write to the bot; return the message's `platform_id`. It waits on the platform if need be."""
        ...

    async def repeats(self, platform_id: str) -> None:
        """Hand a message over once more, as platforms do after a doubt."""
        ...

    async def edits(self, user: str, platform_id: str, text: str) -> str:
        """Let a user edit; return the `platform_id` of the edit."""
        ...

    async def presses(self, user: str, message: Seen, choice: Choice) -> str:
        """Let a user press a button of a message, or react; return what that user is told ("" where nothing shows).

        `message` is as it was seen: its buttons may be gone since, from all clients but a slow one.
        """
        ...

    def seen(self, user: str) -> tuple[Seen, ...]:
        """Return the bot's messages in the user's direct conversation, in order, as they are now."""
        ...

    def acknowledged(self, platform_id: str) -> bool:
        """Will the platform not hand this message over again?"""
        ...

    # --- fate -----------------------------------------------------------------------------------------

    async def goes_away(self) -> None:
        """Be down: connections are cut and refused, or every request fails."""
        ...

    async def comes_back(self) -> None: ...

    async def drops(self) -> None:
        """Cut the connections that stand; new ones are taken."""
        ...

    async def revokes(self) -> None:
        """From now on the token is refused."""
        ...

    def slows(self, seconds: float, times: int = 1) -> None:
        """Answer the next `times` messages of the bot with: too many, come again in `seconds`."""
        ...

    def holds(self, step: Step) -> None:
        """Stop, once, where that step comes next."""
        ...

    async def held(self) -> None:
        """Return once it has stopped there."""
        ...

    def releases(self) -> None:
        """Go on, or forget where to stop."""
        ...


@runtime_checkable
class Called(Protocol):
    """A rig whose platform calls the adapter."""

    callback: int
    """The port of 127.0.0.1 on which the adapter is called."""
