"""One device's keys: in and out by values; nothing is sent here, nothing waits."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from wirken.channels import matrix_nio as nio
from wirken.channels.matrix_errors import NoAnswer, WrongKey
from wirken.channels.matrix_types import Event, Json, part
from wirken.domain.secret import Secret

Outgoing: TypeAlias = nio.ToDeviceMessage
"""Something for other devices: `type`, `as_dict()`."""
Devices: TypeAlias = dict[str, list[str]]
"""Device ids by user."""
Given: TypeAlias = set[tuple[str, str]]
"""Users and their devices."""

_MEGOLM: Final = "m.megolm.v1.aes-sha2"


class NoKey(Exception):
    """The key of an event is not here, or not yet, or not for this part of the conversation."""


class Spoiled(Exception):
    """An event is not what it says: of another room, played again, no JSON, or by no device of its sender."""


class _Payload(msgspec.Struct):
    type: str
    content: Json
    room_id: str = ""


@dataclass(frozen=True, slots=True)
class _Seen:
    """An event as `Olm.message_index_ok` asks for it."""

    sender_key: str
    session_id: str
    event_id: str
    server_timestamp: int


def store_name(device: str) -> str:
    """Return the name of a device's store; an id is the homeserver's choice."""
    return f"{device.encode().hex()[:128]}.db"


class Machine:
    """One device's keys. Nothing here waits; what has to be sent is handed out."""

    def __init__(self, user: str, device: str, folder: Path, key: Secret) -> None:
        """Open the device's store, or make it. Raises `WrongKey`."""
        try:
            self._store = nio.Store(user, device, str(folder), key.reveal().decode(), store_name(device))
            self._store.prune()
            self._olm = nio.Machine(user, device, self._store)
        except (ValueError, sqlite3.DatabaseError):
            raise WrongKey("The encryption store cannot be opened with its key from the vault.") from None
        self._encrypted: set[str] = self._store.load_encrypted_rooms()
        self._among: dict[str, set[str]] = {}
        """Who was in a room when its messages' key was given out."""

    def close(self) -> None:
        self._store.database.close()

    # --- what outlives the process ----------------------------------------------------------------------

    @property
    def token(self) -> str:
        """Up to where everything that came is on record."""
        return self._store.load_sync_token() or ""

    def keep_token(self, token: str) -> None:
        self._store.save_sync_token(token)

    def is_encrypted(self, room: str) -> bool:
        """Was the room ever encrypted? It stays so, whatever the homeserver says later."""
        return room in self._encrypted

    def now_encrypted(self, room: str) -> None:
        if room not in self._encrypted:
            self._encrypted.add(room)
            self._store.save_encrypted_rooms({room})

    # --- our own keys -----------------------------------------------------------------------------------

    def to_upload(self) -> Json:
        """Return the keys that the homeserver needs from us, on disk before they leave; empty for none."""
        if not self._olm.should_upload_keys:
            return {}
        keys: Json = self._olm.share_keys()
        self._olm.save_account()
        return keys

    def left(self, counts: Mapping[str, int]) -> None:
        """Take how many one-time keys the homeserver still has."""
        if "signed_curve25519" in counts:
            self._olm.uploaded_key_count = max(counts["signed_curve25519"], 0)

    def uploaded(self, answer: Json) -> None:
        found = answer.get("one_time_key_counts")
        count = found.get("signed_curve25519", 0) if isinstance(found, dict) else 0
        self._olm.handle_response(nio.KeysUploadResponse(0, count if isinstance(count, int) else 0))

    def forgotten(self) -> None:
        """The homeserver has no keys of this device any more: all are uploaded again."""
        self._olm.account.shared = False

    # --- other people's devices -------------------------------------------------------------------------

    def changed(self, users: Iterable[str]) -> None:
        """Somebody's devices are others now: keys are given to them only after they were asked for."""
        known = set(users) & self._olm.tracked_users
        self._olm.tracked_users -= known
        self._others(known)

    def _others(self, users: Iterable[str]) -> None:
        """A key that was given out among these is used no more."""
        changed = set(users)
        for room in [room for room, among in self._among.items() if among & changed]:
            self.anew(room)

    def anew(self, room: str) -> None:
        """Use another key from the next message on: somebody came, left, or has another device."""
        self._among.pop(room, None)
        self._olm.outbound_group_sessions.pop(room, None)

    def unknown(self, users: Iterable[str]) -> list[str]:
        """Return whose devices must be asked for."""
        return sorted(set(users) - self._olm.tracked_users)

    def queried(self, users: Iterable[str], answer: Json) -> None:
        """Take an answer about devices. Raises `NoAnswer` for nonsense."""
        found, asked = part(answer, "device_keys"), set(users)
        try:
            devices = {user: devices for user, devices in found.items() if user in asked}
            self._back(devices)
            response = nio.KeysQueryResponse(devices, {})
            self._olm.handle_response(response)
        except nio.HOSTILE:
            raise NoAnswer("The homeserver's answer about devices makes no sense.") from None
        self._others(response.changed)

    def _back(self, devices: Json) -> None:
        """A device that was gone and is there again is one to talk to; the library would ignore it for ever."""
        for user, named in devices.items():
            for name in named if isinstance(named, dict) else ():
                device = self._olm.device_store[user].get(name)
                keys = part(part(part(devices, user), name), "keys")
                if device is not None and device.deleted and keys.get(f"ed25519:{name}") == device.ed25519:
                    device.deleted = False

    def knows_device(self, user: str, key: str) -> bool:
        return self._olm.device_store.device_from_sender_key(user, key) is not None

    def without_session(self, users: Iterable[str]) -> Devices:
        """Return the devices with which no keys can be exchanged yet."""
        return dict(self._olm.get_missing_sessions(list(users)))

    def wedged(self) -> Devices:
        """Return the devices with which the exchange of keys is broken, and must begin anew."""
        try:
            return dict(self._olm.get_users_for_key_claiming())
        except nio.LocalProtocolError:
            return {}

    def claimed(self, answer: Json) -> None:
        """Take one-time keys of devices. Raises `NoAnswer` for nonsense."""
        try:
            self._olm.handle_response(nio.KeysClaimResponse(answer["one_time_keys"], {}))
        except (*nio.HOSTILE, StopIteration):
            raise NoAnswer("The homeserver's one-time keys make no sense.") from None

    def give_up(self, devices: Devices) -> None:
        """Forget those that should begin anew and have no keys to do it with."""
        self._olm.wedged_devices = [
            one for one in self._olm.wedged_devices if one.device_id not in devices.get(one.user_id, ())
        ]

    def outgoing(self) -> list[Outgoing]:
        return list(self._olm.outgoing_to_device_messages)

    def sent(self, message: Outgoing) -> None:
        self._olm.handle_response(nio.ToDeviceResponse(message))

    # --- what comes -------------------------------------------------------------------------------------

    def to_device(self, came: Json) -> None:
        """Take what another device sent to this one; what makes no sense changes nothing."""
        try:
            event = nio.ToDeviceEvent.parse_event(came)
            if event is not None:
                self._olm.handle_to_device_event(event)
        except nio.HOSTILE:
            return

    def settle(self) -> None:
        """Answer what own other devices asked for, and end verifications that nobody goes on with."""
        try:
            self._olm.collect_key_requests()
            self._olm.clear_verifications()
        except nio.HOSTILE:
            return

    def sender_key(self, room: str, event: Event) -> str:
        """Return the key of the device that encrypted an event; newer clients name its session only."""
        named, session = event.text("sender_key"), event.text("session_id")
        of_room = self._olm.inbound_group_store[room]
        return named or next((key for key, sessions in list(of_room.items()) if session in sessions), "")

    def decrypt(self, room: str, event: Event) -> Event:
        """Return an event with its content in clear. Raises `NoKey`, `Spoiled`."""
        sender_key, session_id = self.sender_key(room, event), event.text("session_id")
        session = self._olm.inbound_group_store.get(room, sender_key, session_id)
        if session is None or event.text("algorithm") != _MEGOLM:
            raise NoKey
        try:
            plain, index = session.decrypt(event.text("ciphertext"))
        except nio.HOSTILE:
            raise NoKey from None
        if not self._olm.message_index_ok(index, _Seen(sender_key, session_id, event.event_id, event.origin_server_ts)):
            raise Spoiled
        if event.sender != self._olm.user_id:
            self._owned(event.sender, sender_key, session.ed25519)
        try:
            payload = msgspec.json.decode(plain, type=_Payload)
        except (msgspec.DecodeError, RecursionError):
            raise Spoiled from None
        if payload.room_id != room or payload.type == "m.room.encrypted":
            raise Spoiled
        content = payload.content
        if "m.relates_to" not in content and "m.relates_to" in event.content:
            content["m.relates_to"] = event.content["m.relates_to"]  # it stands outside, for the homeserver
        return msgspec.structs.replace(event, type=payload.type, content=content)

    def _owned(self, sender: str, sender_key: str, signing_key: str) -> None:
        """Raise `Spoiled` unless the session was made by a device of the sender: anybody can send keys."""
        device: nio.OlmDevice | None = self._olm.device_store.device_from_sender_key(sender, sender_key)
        if device is None or device.ed25519 != signing_key:
            raise Spoiled

    def ask_for_key(self, room: str, event: Event) -> bool:
        """Have the key of an event be asked for, of its sender's and our own devices; False: it was, before."""
        session = event.text("session_id")
        if not session or session in self._olm.outgoing_key_requests:
            return False
        body = {
            "algorithm": _MEGOLM,
            "room_id": room,
            "session_id": session,
            "sender_key": event.text("sender_key"),
        }
        for user in (event.sender, self._olm.user_id):
            asked = {
                "action": "request",
                "body": body,
                "request_id": session,
                "requesting_device_id": self._olm.device_id,
            }
            message = nio.RoomKeyRequestMessage("m.room_key_request", user, "*", asked, session, session, room, _MEGOLM)
            self._olm.outgoing_to_device_messages.append(message)
        return True

    # --- what goes --------------------------------------------------------------------------------------

    def must_share(self, room: str) -> bool:
        """Has the key of what is said next in a room still to be given out?"""
        return bool(self._olm.should_share_group_session(room))

    def shares(self, room: str, users: Iterable[str]) -> Iterator[tuple[Given, Json]]:
        """Make a key for a room and yield who gets it by what: every device, verified or not."""
        among = sorted(users)
        self._among[room] = set(among)
        yield from self._olm.share_group_session_parallel(room, among, ignore_unverified_devices=True)

    def shared(self, room: str, given: Given) -> None:
        self._olm.outbound_group_sessions[room].users_shared_with.update(given)

    def all_shared(self, room: str) -> None:
        self._olm.outbound_group_sessions[room].shared = True

    def encrypt(self, room: str, kind: str, content: Json) -> Json:
        """Return the content of an `m.room.encrypted` event; relations stay in clear, for the homeserver."""
        inner = {name: value for name, value in content.items() if name != "m.relates_to"}
        outer: Json = self._olm.group_encrypt(room, {"type": kind, "content": inner})
        if "m.relates_to" in content:
            outer["m.relates_to"] = content["m.relates_to"]
        return outer
