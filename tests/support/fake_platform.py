"""A platform in memory that does what a test says: it takes messages, fails in each foreseen way, hangs, or is late."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from wirken.channels.contract import Attachment, Choice, House, Press, Question, Received, Traits
from wirken.channels.render.pieces import Piece
from wirken.domain.errors import WirkenError
from wirken.domain.ids import ConversationId
from wirken.domain.platforms import SessionHandle, Telegram

TRAITS = Traits(dialect="telegram", edit_every=2.0, typing_every=5.0, file_most=1000)


@dataclass
class Post:
    """A message of the bot, as users see it now."""

    conversation: str
    text: str
    reply_to: str = ""
    buttons: tuple[Choice, ...] = ()
    approval: str = ""
    file: bytes | None = None
    name: str = ""
    texts: list[str] = field(default_factory=list)
    """All that it said before."""


class Hangs(Exception):
    """Scripted in place of an error: this call never ends."""


class FakePlatform:
    """Implements `Platform[Telegram]`. `trouble` holds what the next calls meet: an error, an event
    to wait for, None for nothing; then all goes well.

    With `after` a call does its work before it meets its trouble: users see the message, we do not know.
    """

    def __init__(self, traits: Traits = TRAITS, *, knows_keys: bool = False) -> None:
        self.traits = traits
        self.knows_keys = knows_keys
        self.posts: dict[str, Post] = {}
        self.calls: list[tuple[str, str]] = []
        """Each call's name and conversation, whether it went well or not."""
        self.keys: list[str] = []
        self.trouble: deque[Exception | asyncio.Event | None] = deque()
        self.after = False
        self.house: House[Telegram] | None = None
        self.runs = 0
        self.files: dict[str, list[bytes | Exception]] = {}
        self.fetched = 0
        self._by_key: dict[str, str] = {}
        self._end: asyncio.Future[None] | None = None

    # --- what a test looks at and does ----------------------------------------------------------------

    def shown(self, conversation: str = "c") -> list[str]:
        return [post.text for post in self.posts.values() if post.conversation == conversation]

    def ends(self, error: WirkenError | None) -> None:
        """Let `run` raise, or return as it must not."""
        assert self._end is not None
        if error is None:
            self._end.set_result(None)
        else:
            self._end.set_exception(error)

    async def says(self, text: str, platform_id: str = "m1", conversation: str = "c", **more: object) -> None:
        """Hand over a message as a library does, and return once it may be acknowledged."""
        assert self.house is not None
        given = {"sender": "7", "sender_name": "Anna", **more}
        handle = SessionHandle[Telegram](ConversationId(conversation))
        await self.house.message(Received(platform_id, handle, text=text, **given))  # type: ignore[arg-type]  # fields

    async def presses(self, approval: str, choice: Choice = "once", sender: str = "7", message_id: str = "") -> str:
        assert self.house is not None
        handle = SessionHandle[Telegram](ConversationId("c"))
        return await self.house.pressed(Press(sender, handle, approval, choice, message_id))

    # --- contract.Platform ----------------------------------------------------------------------------

    async def run(self, house: House[Telegram]) -> None:
        self.house, self.runs = house, self.runs + 1
        self._end = asyncio.get_running_loop().create_future()
        house.connected("@pigeon")
        await self._end

    async def send(self, conversation: SessionHandle[Telegram], piece: Piece, key: str, reply_to: str = "") -> str:
        return await self._post("send", Post(conversation.conversation, piece.plain, reply_to), key)

    async def edit(self, conversation: SessionHandle[Telegram], message_id: str, piece: Piece) -> None:
        await self._meets("edit", conversation.conversation)
        post = self.posts[message_id]
        post.texts.append(post.text)
        post.text, post.buttons = piece.plain, ()

    async def typing(self, conversation: SessionHandle[Telegram]) -> None:
        await self._meets("typing", conversation.conversation)

    async def ask(self, conversation: SessionHandle[Telegram], question: Question, key: str, reply_to: str = "") -> str:
        text = "".join(piece.plain for piece in question.pieces)
        post = Post(conversation.conversation, text, reply_to, question.choices, question.approval)
        return await self._post("ask", post, key)

    async def fetch(self, file: Attachment) -> AsyncIterator[bytes]:
        await self._meets("fetch", file.reference)
        for piece in self.files[file.reference]:
            if isinstance(piece, Exception):
                raise piece
            self.fetched += len(piece)
            yield piece

    async def send_file(
        self,
        conversation: SessionHandle[Telegram],
        name: str,
        media_type: str,
        data: bytes,
        caption: Piece | None,
        key: str,
        reply_to: str = "",
    ) -> str:
        text = "" if caption is None else caption.plain
        return await self._post("send_file", Post(conversation.conversation, text, reply_to, file=data, name=name), key)

    async def _post(self, what: str, post: Post, key: str) -> str:
        if not self.after:
            await self._meets(what, post.conversation)
        self.keys.append(key)
        message_id = self._by_key.get(key) if self.knows_keys else None
        if message_id is None:
            message_id = f"b{len(self.posts) + 1}"
            self.posts[message_id] = post
            self._by_key[key] = message_id
        if self.after:
            await self._meets(what, post.conversation)
        return message_id

    async def _meets(self, what: str, conversation: str) -> None:
        self.calls.append((what, conversation))
        trouble = self.trouble.popleft() if self.trouble and what != "typing" else None
        if isinstance(trouble, Hangs):
            await asyncio.Event().wait()
        if isinstance(trouble, asyncio.Event):
            await trouble.wait()
        elif trouble is not None:
            raise trouble
        await asyncio.sleep(0)
