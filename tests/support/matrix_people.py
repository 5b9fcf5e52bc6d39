"""People on Matrix, each with a client of their own: matrix-nio as a whole, which shares no code of ours."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from nio import AsyncClient, AsyncClientConfig
from nio.event_builders import ToDeviceMessage
from nio.store import SqliteMemoryStore
from tests.support.synapse import NAME, Synapse

PATIENCE = 60.0
"""Seconds that a test waits for what must happen."""


@dataclass
class Heard:
    """A message as it is shown now."""

    event_id: str
    sender: str
    content: dict[str, Any]
    encrypted: bool
    edits: int = 0

    @property
    def body(self) -> str:
        return str(self.content.get("body", ""))


@dataclass
class Person:
    """Somebody with a client that syncs all the time."""

    client: AsyncClient
    user: str
    heard: dict[str, dict[str, Heard]] = field(default_factory=dict)
    """Messages by room, in order."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Who asked for which keys."""
    raw: list[dict[str, Any]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def _sync(self) -> None:
        since = None
        while True:
            try:
                came = await self.client.sync(timeout=1000, since=since, full_state=since is None)
            except Exception:  # the homeserver is restarted now and then
                await asyncio.sleep(0.1)
                continue
            if not hasattr(came, "next_batch"):
                await asyncio.sleep(0.1)
                continue
            since = came.next_batch
            self.requests += [one.source for one in came.to_device_events if one.source["type"] == "m.room_key_request"]
            for room, joined in came.rooms.join.items():
                for event in joined.timeline.events:
                    self._take(room, event)
            if self.client.should_upload_keys:
                await self.client.keys_upload()
            if self.client.should_query_keys:
                await self.client.keys_query()
            self.changed.set()

    def _take(self, room: str, event: Any) -> None:
        source = event.source
        self.raw.append(source)
        if source.get("type") != "m.room.message":
            return
        content, messages = source["content"], self.heard.setdefault(room, {})
        relates = content.get("m.relates_to") or {}
        if relates.get("rel_type") == "m.replace":
            if (old := messages.get(relates["event_id"])) is not None and old.sender == source["sender"]:
                old.content, old.edits = content["m.new_content"], old.edits + 1
            return
        encrypted = bool(getattr(event, "decrypted", False))
        messages[source["event_id"]] = Heard(source["event_id"], source["sender"], content, encrypted)

    async def until(self, true: Callable[[], Any]) -> Any:
        """Return what `true` returns once it is something."""
        async with asyncio.timeout(PATIENCE):
            while not (found := true()):
                self.changed.clear()
                await self.changed.wait()
            return found

    def from_others(self, room: str) -> list[Heard]:
        return [heard for heard in self.heard.get(room, {}).values() if heard.sender != self.user]

    # --- what people do ---------------------------------------------------------------------------------

    async def opens(self, *invited: str, encrypted: bool = True, direct: bool = True) -> str:
        """Make a room and ask others into it."""
        state = []
        if encrypted:
            state = [{"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}, "state_key": ""}]
        made = await self.client.room_create(initial_state=state, invite=invited, is_direct=direct)
        return str(made.room_id)

    async def joins(self, room: str) -> None:
        await self.client.join(room)

    async def sees(self, room: str, user: str) -> None:
        """Return once somebody is in a room, and their devices are known."""
        await self.until(
            lambda: (
                room in self.client.rooms
                and user in self.client.rooms[room].users
                and not self.client.rooms[room].users[user].invited
            )
        )
        if self.client.rooms[room].encrypted:
            await self.until(lambda: list(self.client.device_store.active_user_devices(user)))

    async def says(self, room: str, text: str, **more: Any) -> str:
        return await self.sends(room, "m.room.message", {"msgtype": "m.text", "body": text, **more})

    async def sends(self, room: str, kind: str, content: dict[str, Any], key: str | None = None) -> str:
        sent = await self.client.room_send(
            room, kind, content, tx_id=key or secrets.token_hex(8), ignore_unverified_devices=True
        )
        return str(sent.event_id)

    async def gives_key(self, room: str, user: str, session: str) -> None:
        """Answer a request for a key, as the device that made it may."""
        olm = self.client.olm
        assert olm is not None
        for device in self.client.device_store.active_user_devices(user):
            keys = olm.account.identity_keys
            content = {
                "algorithm": "m.megolm.v1.aes-sha2",
                "room_id": room,
                "session_id": session,
                "session_key": olm.inbound_group_store.get(room, keys["curve25519"], session).export_session(0),
                "sender_key": keys["curve25519"],
                "sender_claimed_ed25519_key": keys["ed25519"],
                "forwarding_curve25519_key_chain": [],
            }
            if olm.session_store.get(device.curve25519) is None:
                await self.client.keys_claim({user: [device.id]})
            channel = olm.session_store.get(device.curve25519)
            locked = olm._olm_encrypt(channel, device, "m.forwarded_room_key", content)
            await self.client.to_device(ToDeviceMessage("m.room.encrypted", user, device.id, locked))

    async def edits(self, room: str, event_id: str, text: str) -> str:
        fresh = {"msgtype": "m.text", "body": text}
        relates = {"rel_type": "m.replace", "event_id": event_id}
        return await self.sends(
            room,
            "m.room.message",
            {**fresh, "body": f"* {text}", "m.new_content": fresh, "m.relates_to": relates},
        )

    async def reacts(self, room: str, event_id: str, sign: str) -> str:
        relates = {"rel_type": "m.annotation", "event_id": event_id, "key": sign}
        return await self.sends(room, "m.reaction", {"m.relates_to": relates})


@contextlib.asynccontextmanager
async def person(synapse: Synapse, name: str, login: tuple[str, str] | None = None) -> AsyncIterator[Person]:
    """Somebody new, whose name begins with `name`, or whoever has that user id and password."""
    if login is None:
        local, password = f"{name}-{secrets.token_hex(4)}", secrets.token_hex(8)
        synapse.register(local, password)
        login = f"@{local}:{NAME}", password
    user, password = login
    config = AsyncClientConfig(store=SqliteMemoryStore, encryption_enabled=True)
    client = AsyncClient(synapse.url, user, store_path="/nowhere", config=config)
    await client.login(password)
    known = Person(client, user)
    await client.keys_upload()
    syncing = asyncio.ensure_future(known._sync())
    try:
        yield known
    finally:
        syncing.cancel()
        await asyncio.gather(syncing, return_exceptions=True)
        await client.close()
        client.store.database.close()
