"""Files that came with a message: what they are called in the workspace, and how a model is told of them. Pure.

What `told` returns is hashed into `llm_request`, so for rows that exist it must never change (docs/record.md).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import msgspec

from wirken.domain import file_limits, limits
from wirken.domain.fact import _Fact
from wirken.domain.ids import BadIdentifier, SessionId, parse_session
from wirken.domain.steering import REPOSITORY, STEERING_FILES, STEERING_FOLDERS
from wirken.domain.text import clip, shown

INBOX: Final = "inbox"
"""The folder of a workspace below which they lie."""

_LETTERS: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd", "Nl", "No"})
"""Unicode categories of what a name keeps beside `_SIGNS`; all else becomes `_`."""
_SIGNS: Final = frozenset("._-+=@,~")
_EDGES: Final = "._-~ "
_DEVICES: Final = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
"""Names that other systems take for devices, with any ending."""
_STEERING: Final = STEERING_FILES | STEERING_FOLDERS | REPOSITORY
_ENDING: Final = re.compile(r"\.[A-Za-z0-9]{1,10}")
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")
_NUMBER: Final = re.compile(r"(?:0|[1-9]\d*)(?:\.[1-9]\d?)?")


class KeptFile(msgspec.Struct, frozen=True):
    """One file that came with a message, and where in the workspace it is put."""

    name: str
    """What is left of its sender's name for it."""
    media_type: str
    """As the platform says, or empty: a claim."""
    size: int
    sha256: str
    """Hex, over its bytes."""
    path: str
    """Relative to the workspace."""


class MissingFile(msgspec.Struct, frozen=True):
    """A file of a message that could not be put there, and why: one sentence."""

    path: str
    reason: str


class FilesKept(_Fact, frozen=True, kw_only=True, tag="files_kept"):
    """The files of the message at row `message_seq` lie in the workspace, but for those that are named here."""

    message_seq: int
    missing: tuple[MissingFile, ...]


class Keeping(msgspec.Struct, frozen=True, kw_only=True):
    """One file as it shall be written: these bytes, there. What the runner is handed with the file."""

    session: SessionId
    workspace: str
    path: str
    size: int
    sha256: str

    def canonical(self) -> bytes:
        """Return the canonical JSON (RFC 8785)."""
        return _encoder.encode(self)

    def digest(self) -> str:
        """Return the hex SHA-256 over `canonical()`."""
        return hashlib.sha256(self.canonical()).hexdigest()


def keepings(session: SessionId, workspace: str, files: Sequence[KeptFile]) -> tuple[Keeping, ...]:
    """Return each file of a message of `session` as it shall be written."""
    return tuple(
        Keeping(session=session, workspace=workspace, path=file.path, size=file.size, sha256=file.sha256)
        for file in files
    )


def kept_name(name: str) -> str:
    """Return what a sender calls a file as a name that harms nobody; the same for what it returned.

    The last part of a path, visible, not hidden, at most file_limits.INBOX_NAME bytes, no name of a device or of a file
    that steers tools. `file` where nothing is left.
    """
    base = unicodedata.normalize("NFC", re.split(r"[/\\]", name[-limits.PATH :])[-1])
    plain = "".join(one if _harmless(one) else "_" for one in base)
    if shown(plain) != plain:  # marks in towers
        plain = "".join(one for one in plain if unicodedata.category(one) != "Mn")
    plain = _fitting(plain.strip(_EDGES))
    folded = plain.casefold()
    if folded in _STEERING or _DEVICES.fullmatch(plain):
        return _fitting(f"file-{plain}")
    return plain or "file"


def media_type(text: str) -> str:
    """Return a media type (RFC 6838, 4.2) without its parameters, or nothing where `text` is none."""
    plain = text.partition(";")[0].strip().lower()
    return plain if _MEDIA_TYPE.fullmatch(plain) else ""


def folder_of(session: SessionId) -> str:
    """Return the folder of a conversation: two channels may call theirs alike, and share a workspace."""
    _, channel, conversation = parse_session(session)
    return f"{INBOX}/{channel}-{conversation}"


def path_of(session: SessionId, seq: int, number: int, name: str) -> str:
    """Return where file `number` (from 1; 0: the only one) of the message at row `seq` is put."""
    return f"{folder_of(session)}/{seq}{f'.{number}' if number else ''}-{kept_name(name)}"


def is_path_of(session: SessionId, path: str) -> bool:
    """Is this a path that `path_of` can have made for a session?"""
    folder, _, name = path.rpartition("/")
    number, _, rest = name.partition("-")
    try:
        ours = folder == folder_of(session)
    except BadIdentifier:
        return False
    return ours and _NUMBER.fullmatch(number) is not None and kept_name(rest) == rest


def told(text: str, files: Sequence[KeptFile], missing: Sequence[MissingFile]) -> str:
    """Return a message as models read it: its text, and below it where its files lie; never what is in them."""
    reasons = {file.path: file.reason for file in missing}
    lines = [
        f"- {file.path} ({file.media_type or 'of unknown type'}, {file.size} bytes)"
        + (f": NOT KEPT. {reasons[file.path]}" if file.path in reasons else "")
        for file in files
    ]
    head = "[Files that came with this message, by their paths in the workspace; names and types are claims:"
    return "\n".join((*((text, "") if text else ()), head, *lines)) + "]"


def _harmless(character: str) -> bool:
    return character in _SIGNS or (unicodedata.category(character) in _LETTERS and shown(character) == character)


def _fitting(name: str) -> str:
    """Return a name cut to its limit; a short ending stays."""
    if len(name.encode()) <= file_limits.INBOX_NAME:
        return name
    stem, dot, last = name.rpartition(".")
    ending = dot + last if stem and _ENDING.fullmatch(dot + last) else ""
    kept, _ = clip(stem if ending else name, file_limits.INBOX_NAME - len(ending))
    return kept.rstrip(_EDGES) + ending


_encoder = msgspec.json.Encoder(order="sorted")
