"""Teams' activities as what people said and pressed, and what they are answered. Computes and touches nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

from wirken.channels.contract import CHOICES, Attachment, Press, Received, Undeliverable
from wirken.channels.teams_types import Activity, Attached, Button, Download, Entity, Nonsense, Pressed, read
from wirken.domain import channel_limits
from wirken.domain.ids import BadIdentifier, conversation_id
from wirken.domain.limits import SENDER_NAME
from wirken.domain.platforms import SessionHandle, Teams
from wirken.domain.text import clean

Handle: TypeAlias = SessionHandle[Teams]

_PERSON: Final = re.compile(r"29:[A-Za-z0-9_-]{1,120}")
_GROUP: Final = re.compile(r"19:[A-Za-z0-9_.@:-]{1,110}(;messageid=[0-9]{1,20})?")
_MESSAGE: Final = re.compile(r"[A-Za-z0-9:._|-]{1,128}")
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_APPROVAL: Final = re.compile(r"[A-Za-z0-9_-]{1,48}")
_THREAD: Final = ";messageid="
_OUR_THREAD: Final = "=m="

FILE: Final = "application/vnd.microsoft.teams.file.download.info"
_PRESSING: Final = "adaptiveCard/action"


class Place(NamedTuple):
    """Where a message goes: a conversation as Teams calls it, or a person whose conversation has to be looked up."""

    id: str

    @property
    def personal(self) -> bool:
        return self.id.startswith("29:")


def handle(activity: Activity) -> Handle | None:
    """Return the conversation of an activity; None for one that is none of ours.

    A conversation with one person bears that person's id (`29:…`): Teams names it by more characters than an id of ours
    has, and gives the name again to whoever asks for the conversation with that person. Others bear Teams' own name, in
    which `=m=` stands for `;messageid=`, so that nothing has to be remembered across a restart.
    """
    if activity.conversation.kind == "personal":
        found = activity.sender.id if _PERSON.fullmatch(activity.sender.id) else ""
    elif activity.conversation.kind in ("groupChat", "channel"):
        found = activity.conversation.id if _GROUP.fullmatch(activity.conversation.id) else ""
    else:
        found = ""
    try:
        return SessionHandle(conversation_id(found.replace(_THREAD, _OUR_THREAD))) if found else None
    except BadIdentifier:
        return None


def place(conversation: Handle) -> Place:
    """Return where a conversation is. Raises `Undeliverable` for one that is none of Teams'."""
    found = conversation.conversation.replace(_OUR_THREAD, _THREAD)
    if not (_PERSON.fullmatch(found) or _GROUP.fullmatch(found)):
        raise Undeliverable("This is no conversation of Teams.")
    return Place(found)


def tenants(activity: Activity) -> set[str]:
    """Return the organisations that an activity says it is from, in small letters."""
    told = {activity.conversation.tenant}
    if activity.channel_data is not None and activity.channel_data.tenant is not None:
        told.add(activity.channel_data.tenant.id)
    return {tenant.casefold() for tenant in told if tenant is not None}


def sender(activity: Activity) -> str:
    """Return the account of who did something, which Entra never gives twice; empty for what no person did."""
    found = activity.sender.aad_object_id or ""
    return found.lower() if _GUID.fullmatch(found) and activity.sender.id.startswith("29:") else ""


def received(activity: Activity, prefix: str) -> Received[Teams] | None:
    """Return what a person said; None for what no person said, or what says nothing."""
    here, by = handle(activity), sender(activity)
    edited = activity.type == "messageUpdate"
    if here is None or not by or _MESSAGE.fullmatch(activity.id or "") is None or not _said(activity):
        return None
    files = tuple(_files(activity.attachments or ()))
    text, called = _addressed(activity, prefix)
    if not (text or files):
        if not called:
            return None
        text = "/help"  # its name and nothing else
    group = activity.conversation.kind != "personal"
    return Received(
        platform_id=_platform_id(activity, here, text, files),
        conversation=here,
        sender=by,
        sender_name=clean(activity.sender.name or "")[:SENDER_NAME],
        text=text,
        group=group,
        mentioned=group and called,
        edited=edited,
        files=files,
    )


def _said(activity: Activity) -> bool:
    if activity.type == "messageUpdate":
        return activity.channel_data is not None and activity.channel_data.event == "editMessage"
    return activity.type == "message"


def _platform_id(activity: Activity, here: Handle, text: str, files: tuple[Attachment, ...]) -> str:
    """Teams counts messages within a conversation. An edit is told by its time and its content, for it has no id."""
    where = hashlib.sha256(here.conversation.encode()).hexdigest()[:16]
    if activity.type == "message":
        return f"{activity.id}@{where}"
    said = repr((activity.timestamp, text, [file.reference for file in files]))
    return f"{activity.id}@{where}.{hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


# --- text -----------------------------------------------------------------------------------------------


def _addressed(activity: Activity, prefix: str) -> tuple[str, bool]:
    """Return the text without what called the bot, and whether something did."""
    kept, called = unmentioned(activity.text or "", activity.entities or (), activity.recipient.id)
    kept = clean(kept).strip()
    if not called and prefix and kept.startswith(prefix):
        kept, called = kept.removeprefix(prefix).lstrip(), True
    return kept, called


def unmentioned(text: str, entities: tuple[Entity, ...], bot: str) -> tuple[str, bool]:
    """Return `text` without the mentions of the bot, other people's as `@name`, and whether the bot's was there.

    A mention counts only where Teams says so beside the text (`entities`): `<at>` in the text can be typed.
    """
    called = False
    for entity in entities[: channel_limits.TEAMS_MENTIONS]:
        if entity.type != "mention" or entity.mentioned is None or not (mark := entity.text or ""):
            continue
        if bot and entity.mentioned.id == bot:
            before, found, after = text.partition(mark)
            text, called = before + (after.removeprefix("&nbsp;").lstrip(" \xa0,:") if found else ""), True
        else:
            text = text.replace(mark, f"@{entity.mentioned.name or ''}", 1)
    return text, called


# --- files ----------------------------------------------------------------------------------------------


def _files(attachments: tuple[Attached, ...]) -> Iterator[Attachment]:
    for attached in attachments:
        if attached.kind == FILE:
            try:
                url = read(attached.content, Download).url
            except Nonsense:
                continue
            yield Attachment(_name(attached.name, "file"), "application/octet-stream", -1, url)
        elif attached.kind.startswith("image/") and attached.url:
            yield Attachment(_name(attached.name, "image"), clean(attached.kind), -1, attached.url)


def _name(given: str | None, plain: str) -> str:
    kept = clean(given or "").replace("\\", "/").rpartition("/")[2].strip(". ")
    return kept[-channel_limits.TEAMS_NAME :] or plain


# --- buttons --------------------------------------------------------------------------------------------


def pressed(activity: Activity) -> Press[Teams] | None:
    """Return who pressed what; None for what is no press of a button of ours. A button never says who pressed it."""
    here, by = handle(activity), sender(activity)
    button = _button(activity)
    if button is None or here is None or not by or _APPROVAL.fullmatch(button.approval) is None:
        return None
    choice = next((choice for choice in CHOICES if choice == button.choice), None)
    return Press(by, here, button.approval, choice, activity.reply_to or "") if choice is not None else None


def presses(activity: Activity) -> bool:
    """Does an activity come from a button, ours or not, and by the way that shows an answer to who pressed it?"""
    return activity.type == "invoke" and activity.name == _PRESSING


def _button(activity: Activity) -> Button | None:
    try:
        if presses(activity):
            return read(activity.value, Pressed).action.data
        return read(activity.value, Button) if activity.type == "message" else None
    except Nonsense:
        return None


def own(message: str) -> str:
    """Return the id of a message of ours. Raises `Undeliverable` for what is none."""
    if _MESSAGE.fullmatch(message) is None:
        raise Undeliverable("This is no message of Teams.")
    return message
