"""What Teams is sent: messages, questions with buttons, offered files (Bot Framework, "Activity"; Adaptive Cards)."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from wirken.channels.contract import CHOICES, Question
from wirken.channels.render.pieces import Piece
from wirken.channels.teams_types import UploadInfo

Json: TypeAlias = dict[str, object]

_CARD: Final = "application/vnd.microsoft.card.adaptive"
_CONSENT: Final = "application/vnd.microsoft.teams.card.file.consent"
_FILE: Final = "application/vnd.microsoft.teams.card.file.info"
_TOLD: Final = "application/vnd.microsoft.activity.message"

TYPING: Final[Json] = {"type": "typing"}


def message(piece: Piece) -> Json:
    return {"type": "message", "textFormat": "markdown", "text": piece.markup}


def question(last: Piece, asked: Question) -> Json:
    """Return a message with a card below it that has nothing but buttons.

    The text is no part of the card, which would read it as markup of another kind. Each button is pressed by
    `Action.Execute`, so that who presses it is told something; clients that do not know it send a message instead.
    """
    actions = []
    for choice in asked.choices:
        data = {"approval": asked.approval, "choice": choice}
        button: Json = {"title": CHOICES[choice], "data": data}
        actions.append(
            {
                "type": "Action.Execute",
                "verb": "answer",
                **button,
                "fallback": {"type": "Action.Submit", **button},
            }
        )
    card: Json = {"type": "AdaptiveCard", "version": "1.4", "body": [], "actions": actions}
    return {**message(last), "attachments": [{"contentType": _CARD, "content": card}]}


def told(text: str) -> bytes:
    """Return the answer to a pressed button, which its presser alone sees."""
    return msgspec.json.encode({"statusCode": 200, "type": _TOLD, "value": text})


def consent(name: str, size: int, offered: str) -> Json:
    """Return the question whether a person wants to have a file in their OneDrive, without which it cannot be sent."""
    context = {"offered": offered}
    content: Json = {
        "description": "A file from your agent.",
        "sizeInBytes": size,
        "acceptContext": context,
        "declineContext": context,
    }
    return {"type": "message", "attachments": [{"contentType": _CONSENT, "name": name, "content": content}]}


def taken(upload: UploadInfo) -> Json:
    """Return the message that shows a file which lies in a person's OneDrive now."""
    content: Json = {"uniqueId": upload.unique_id, "fileType": upload.file_type}
    attachment: Json = {"contentType": _FILE, "contentUrl": upload.content_url, "name": upload.name, "content": content}
    return {"type": "message", "attachments": [attachment]}


def plain(text: str) -> Json:
    """Return a message of ours that is no markup."""
    return {"type": "message", "textFormat": "plain", "text": text}
