"""As what a file is sent on WhatsApp (Cloud API, "Supported media types"). Computes and touches nothing."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

from wirken.channels.contract import Undeliverable
from wirken.domain import channel_limits as limits

Shape: TypeAlias = Literal["image", "audio", "video", "document"]

_PLAIN: Final = "text/plain"
_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
_KINDS: Final[dict[str, Shape]] = {
    "image/jpeg": "image",
    "image/png": "image",
    "audio/aac": "audio",
    "audio/amr": "audio",
    "audio/mp4": "audio",
    "audio/mpeg": "audio",
    "video/3gpp": "video",
    "video/mp4": "video",
    _PLAIN: "document",
    "application/pdf": "document",
    "application/msword": "document",
    "application/vnd.ms-excel": "document",
    "application/vnd.ms-powerpoint": "document",
    f"{_OFFICE}.wordprocessingml.document": "document",
    f"{_OFFICE}.spreadsheetml.sheet": "document",
    f"{_OFFICE}.presentationml.presentation": "document",
}
_MOST: Final[dict[Shape, int]] = {
    "image": limits.WHATSAPP_IMAGE,
    "audio": limits.WHATSAPP_AUDIO,
    "video": limits.WHATSAPP_VIDEO,
    "document": limits.WHATSAPP_DOCUMENT,
}


class Sent(NamedTuple):
    """How a file is sent. Only a document keeps its name; audio has no caption."""

    shape: Shape
    media_type: str


def sent_as(media_type: str, data: bytes) -> Sent:
    """Return as what a file goes. Any text goes as plain text: WhatsApp takes sixteen types and no others.

    Raises `Undeliverable` for what it takes as nothing, and for what is too large for what it is.
    """
    said = media_type.partition(";")[0].strip().lower()
    shape = _KINDS.get(said)
    if shape is None or (shape == "document" and said == _PLAIN):
        said, shape = _PLAIN, "document"
        if not _is_text(data):
            raise Undeliverable("WhatsApp takes no files of this type: pictures, sound, video, PDF, Office and text.")
    if not data:
        raise Undeliverable("WhatsApp takes no empty files.")
    if len(data) > _MOST[shape]:
        raise Undeliverable(f"WhatsApp takes files of this type up to {_MOST[shape] // 2**20} MiB.")
    return Sent(shape, said)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in data
