"""The parts of matrix-nio that are used, loaded without the rest: that is a second HTTP client, of 10 MB.

Every key in the store is encrypted with the channel's `store_key` (vodozemac's pickles).
"""

from __future__ import annotations

import logging
from typing import Final

from wirken.channels.lean import beside, without
from wirken.domain import channel_limits as limits

with without("cffi", "pycparser", "requests"), beside("nio"):
    from nio.crypto import Olm, OlmDevice
    from nio.crypto.attachments import encrypt_attachment
    from nio.event_builders import RoomKeyRequestMessage, ToDeviceMessage
    from nio.events.to_device import ToDeviceEvent
    from nio.exceptions import EncryptionError, LocalProtocolError
    from nio.responses import KeysClaimResponse, KeysQueryResponse, KeysUploadResponse, ToDeviceResponse
    from nio.store import SqliteStore

__all__ = [
    "HOSTILE",
    "KeysClaimResponse",
    "KeysQueryResponse",
    "KeysUploadResponse",
    "LocalProtocolError",
    "Machine",
    "OlmDevice",
    "RoomKeyRequestMessage",
    "Store",
    "ToDeviceEvent",
    "ToDeviceMessage",
    "ToDeviceResponse",
    "encrypt_attachment",
]

logging.getLogger("nio").setLevel(logging.CRITICAL)  # it tells what strangers' devices are called, and ids of keys

HOSTILE: Final = (KeyError, TypeError, ValueError, AttributeError, AssertionError, RecursionError, EncryptionError)
"""What the library raises over what strangers sent; vodozemac's errors are ValueErrors."""

_OLD: Final = "SELECT session_id FROM megolminboundsessions ORDER BY rowid DESC LIMIT -1 OFFSET ?"


class Store(SqliteStore):  # type: ignore[misc]  # matrix-nio has no types
    """The library's store in one file, of which only the newest keys of others' messages are kept."""

    def _create_database(self) -> object:
        database = super()._create_database()
        database.init(self.database_path, pragmas={"foreign_keys": 1, "secure_delete": 1, "temp_store": "memory"})
        return database

    def prune(self, most: int = limits.MATRIX_SESSIONS) -> None:
        """Forget all but the newest `most` keys; a process holds all of them in memory."""
        with self.database.atomic():
            self.database.execute_sql(f"DELETE FROM forwardedchains WHERE session_id IN ({_OLD})", (most,))  # noqa: S608  # both are ours
            self.database.execute_sql(f"DELETE FROM megolminboundsessions WHERE session_id IN ({_OLD})", (most,))  # noqa: S608  # both are ours


class Machine(Olm):  # type: ignore[misc]  # matrix-nio has no types
    """The library's machine, with a bounded memory, and one more case in which a key is taken."""

    _message_index_store_size = limits.MATRIX_INDEXES

    def _should_accept_forward(self, sender: str, sender_key: str, event: object) -> bool:
        """Accept a key that was asked for also from the very device that made it; it could have sent it at once."""
        content = event.source["content"]  # type: ignore[attr-defined]  # matrix-nio has no types
        asked = self.outgoing_key_requests.get(content["session_id"])
        own = content["sender_key"] == sender_key and not content["forwarding_curve25519_key_chain"]
        if asked is not None and own and asked.room_id == content["room_id"]:
            device = self.device_store.device_from_sender_key(sender, sender_key)
            return device is not None and device.ed25519 == content["sender_claimed_ed25519_key"]
        return bool(super()._should_accept_forward(sender, sender_key, event))
