"""People on a simulated WhatsApp, and the calls of the bot's webhook that what they do becomes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json

from tests.support.whatsapp_state import Delivery, Hold, Json, Media, Person, State, Stored

AGAIN = 0.05
"""Seconds before a call is made again; WhatsApp begins sooner and goes on for 7 days with growing pauses."""


class Callers:
    """Everything that comes from WhatsApp. `callback` is the port of the webhook; 0: nobody is called."""

    def __init__(self, state: State, hold: Hold) -> None:
        self.state, self.hold = state, hold
        self.phone_id = "106540352242922"
        self.app_secret = "f" * 32
        self.verify_token = "a-token-of-ours"
        self.callback = 0
        self.known: set[str] = set()
        """Messages that can be answered."""
        self.up = asyncio.Event()
        self._calling: set[asyncio.Task[None]] = set()
        self._files = 0

    # --- what people do ---------------------------------------------------------------------------------

    def say(self, by: Person, text: str) -> str:
        return self._sends(by, {"type": "text", "text": {"body": text}})

    def send_file(
        self, by: Person, data: bytes, name: str, caption: str = "", claims: int = -1, media_type: str = "text/plain"
    ) -> str:
        media_id = self.keep(Media(data, media_type, name, claims))
        told: Json = {"id": media_id, "mime_type": media_type, "filename": name, "sha256": "x"}
        return self._sends(by, {"type": "document", "document": {**told, **({"caption": caption} if caption else {})}})

    def edit(self, by: Person, message_id: str, text: str) -> str:
        message = {"type": "text", "text": {"body": text}}
        return self._sends(by, {"type": "edit", "edit": {"original_message_id": message_id, "message": message}})

    def press(self, by: Person, message: Stored, carried: str) -> str:
        kind = "button_reply" if message.content["type"] == "button" else "list_reply"
        interactive = {"type": kind, kind: {"id": carried, "title": "…"}}
        context = {"from": self.phone_id, "id": message.id}
        return self._sends(by, {"type": "interactive", "interactive": interactive, "context": context})

    def keep(self, media: Media) -> str:
        self._files += 1
        media_id = f"27548594{self._files:06}"
        self.state.media[media_id] = media
        return media_id

    def _sends(self, by: Person, content: Json) -> str:
        message = self.message(by, content)
        self.call([message], [by])
        return str(message["id"])

    def message(self, by: Person, content: Json) -> Json:
        """Return a message as a webhook has it; from now on the bot may answer its sender."""
        self.state.open.add(by.id)
        told: Json = {"id": self.state.next_id(by.id), "timestamp": "1763655000", "from_user_id": by.user_id}
        self.known.add(str(told["id"]))
        return {**told, **({"from": by.number} if by.number else {}), **content}

    # --- calls ------------------------------------------------------------------------------------------

    def status(self, stored: Stored, status: str, code: int = 0) -> None:
        """Tell what became of a message of the bot."""
        told: Json = {"id": stored.id, "status": status, "timestamp": "1763655000", "recipient_id": stored.to}
        if code:
            told["errors"] = [{"code": code, "title": "…", "error_data": {"details": "…"}}]
        self._start(Delivery(self.body({"statuses": [told]}), ()))

    def call(self, messages: list[Json], people: list[Person]) -> Delivery:
        """Make one call for all these messages."""
        contacts = [self.contact(person) for person in people]
        value: Json = {"contacts": contacts, "messages": messages}
        delivery = Delivery(self.body(value), tuple(str(message["id"]) for message in messages))
        self._start(delivery)
        return delivery

    def again(self, message_id: str) -> Delivery:
        """Make the call that brought a message once more."""
        known = next(one for one in self.state.deliveries if message_id in one.names)
        delivery = Delivery(known.body, known.names)
        self._start(delivery)
        return delivery

    @staticmethod
    def contact(person: Person) -> Json:
        shown = {"wa_id": person.number} if person.number else {}
        return {"profile": {"name": person.name}, "user_id": person.user_id, **shown}

    def body(self, value: Json) -> bytes:
        metadata = {"display_phone_number": "15550783881", "phone_number_id": self.phone_id}
        change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
        entry = [{"id": "102290129340398", "changes": [change]}]
        return json.dumps({"object": "whatsapp_business_account", "entry": entry}).encode()

    def signature(self, body: bytes, secret: str = "") -> str:
        return "sha256=" + hmac.new((secret or self.app_secret).encode(), body, hashlib.sha256).hexdigest()

    def _start(self, delivery: Delivery) -> None:
        self.state.deliveries.append(delivery)
        task = asyncio.get_running_loop().create_task(self._deliver(delivery))
        self._calling.add(task)
        task.add_done_callback(self._calling.discard)

    async def _deliver(self, delivery: Delivery) -> None:
        while not delivery.acknowledged:
            await self.up.wait()
            status = await self.post(delivery.body, self.signature(delivery.body)) if self.callback else 0
            delivery.answers.append(status)
            if status == 200 and delivery.names and await self.hold.passes("acknowledging"):
                continue  # it never arrived: the call is made again
            delivery.acknowledged = status == 200
            if not delivery.acknowledged:
                await asyncio.sleep(AGAIN)

    async def post(self, body: bytes, signature: str, *, claims: int = -1, path: str = "/") -> int:
        """Make one call; return the status of its answer, 0 for none. `claims`: a length that is not the true one."""
        size = len(body) if claims < 0 else claims
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bot.example\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n"
        )
        signed = f"X-Hub-Signature-256: {signature}\r\n" if signature else ""
        return await self.raw(f"{head}{signed}\r\n".encode() + body, whole=size <= len(body))

    async def raw(self, said: bytes, *, whole: bool = True) -> int:
        found = await self.talk(said, whole=whole)
        return int(found.split(b" ")[1]) if found else 0

    async def talk(self, said: bytes, *, whole: bool = True) -> bytes:
        """Say something to the webhook, hang up where it is not `whole`, and return all that is answered."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.callback)
        except OSError:
            return b""
        try:
            writer.write(said)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            if not whole:
                writer.write_eof()
            return await reader.read()
        except OSError:
            return b""
        finally:
            writer.close()

    async def hang_up(self) -> None:
        for task in tuple(self._calling):
            task.cancel()
        await asyncio.gather(*self._calling, return_exceptions=True)
