"""What a Telegram update says, read tolerantly: a type or field we do not know stops nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from inbox.envelope import Blocked, Envelope, Ignored, Reading, Sender, Unreadable, Update
from inbox.model import AddressKind, Attachment, AttachmentKind

MESSAGES = ("message", "edited_message")
ALLOWED = (*MESSAGES, "callback_query", "my_chat_member")
"""The update types asked for. Source: Bot API getUpdates, allowed_updates."""

_GONE = ("kicked", "left")


def lane_of(update: Mapping[str, Any]) -> str:
    """The chat whose updates must be handled in order; a bot's other updates share one lane."""
    for content in update.values():
        if not isinstance(content, dict):
            continue
        inner = content.get("message")
        for holder in (content, inner if isinstance(inner, dict) else {}):
            chat = holder.get("chat")
            if isinstance(chat, dict) and isinstance(chat.get("id"), int):
                return str(chat["id"])
        who = content.get("from")
        if isinstance(who, dict) and isinstance(who.get("id"), int):
            return str(who["id"])
    return "other"


def read_update(raw: bytes) -> Reading:
    """What one raw update says; never raises."""
    try:
        update = json.loads(raw)
    except (ValueError, RecursionError):
        return Unreadable(error="not JSON")
    if not isinstance(update, dict):
        return Unreadable(error="not an update")
    try:
        return _read(update)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        kinds = ", ".join(str(key)[:40] for key in update if key != "update_id")[:200]
        return Unreadable(error=f"an update of type {kinds} lacks what its type promises ({type(error).__name__})")


def _read(update: dict[str, Any]) -> Reading:
    for name in MESSAGES:
        if name in update:
            return _message(update, update[name], edit=name != "message")
    if "callback_query" in update:
        query = update["callback_query"]
        message = query.get("message") or {}
        chat = message.get("chat", {})
        user_id = int(query["from"]["id"])
        return Update(
            update=update,
            telegram_user_id=user_id,
            chat_id=int(chat.get("id", user_id)),
            callback_query_id=str(query["id"]),
        )
    if "my_chat_member" in update:
        change = update["my_chat_member"]
        if change["chat"]["type"] != "private":
            return Ignored(reason="not a private chat")
        status = change["new_chat_member"]["status"]
        return Blocked(
            telegram_user_id=int(change["from"]["id"]), chat_id=int(change["chat"]["id"]), blocked=status in _GONE
        )
    kinds = ", ".join(str(key)[:40] for key in update if key != "update_id")[:200]
    return Ignored(reason=f"unknown update type: {kinds or 'none'}")


def _message(update: dict[str, Any], message: dict[str, Any], *, edit: bool) -> Reading:
    chat, sender = message["chat"], message.get("from")
    if chat["type"] != "private":
        return Ignored(reason="not a private chat")
    if sender is None:
        return Ignored(reason="a message from nobody")
    chat_id = int(chat["id"])
    name = " ".join(str(part) for part in (sender.get("first_name"), sender.get("last_name")) if part)
    text, start = _text(message), None
    if text.startswith("/start") and not edit:
        command, _, payload = text.partition(" ")
        if command.partition("@")[0] == "/start":
            start = payload.strip()
    replied = message.get("reply_to_message")
    envelope = Envelope(
        external_id=f"{chat_id}:{int(message['message_id'])}",
        sender=Sender(
            kind=AddressKind.TELEGRAM,
            value=str(int(sender["id"])),
            name=name or str(sender.get("username", "")),
            language=sender.get("language_code"),
            chat_id=chat_id,
        ),
        text=text,
        attachments=tuple(_attachments(message)),
        written_at=datetime.fromtimestamp(int(message["date"]), UTC),
        edit=edit,
        start=start,
        replies_to=f"{chat_id}:{int(replied['message_id'])}" if isinstance(replied, dict) else None,
    )
    return Update(update=update, telegram_user_id=int(sender["id"]), chat_id=chat_id, envelope=envelope)


def _text(message: dict[str, Any]) -> str:
    """The words of a message, and in brackets what else it is."""
    words = message.get("text") or message.get("caption") or ""
    if not isinstance(words, str):
        raise TypeError
    entities = message.get("entities") or message.get("caption_entities") or []
    words = _with_links(words, entities)
    described = _described(message)
    return "\n".join(part for part in (words, described) if part)


def _with_links(words: str, entities: list[dict[str, Any]]) -> str:
    """Links hidden behind words, written out: what is shown to a secretary hides nothing."""
    links = [e for e in entities if e.get("type") == "text_link" and isinstance(e.get("url"), str)]
    if not links:
        return words
    # Offsets are in UTF-16 units. Source: Bot API MessageEntity.
    encoded = words.encode("utf-16-le", "surrogatepass")
    for entity in sorted(links, key=lambda e: -int(e["offset"])):
        end = (int(entity["offset"]) + int(entity["length"])) * 2
        encoded = encoded[:end] + f" ({entity['url']})".encode("utf-16-le", "surrogatepass") + encoded[end:]
    return encoded.decode("utf-16-le", "replace")


def _described(message: dict[str, Any]) -> str:
    if "sticker" in message:
        return f"[sticker {message['sticker'].get('emoji', '')}]".replace(" ]", "]")
    if "venue" in message:
        return f"[{message['venue'].get('title', '')}, {message['venue'].get('address', '')}]"
    if "location" in message:
        place = message["location"]
        return f"[https://www.openstreetmap.org/?mlat={float(place['latitude'])}&mlon={float(place['longitude'])}]"
    if "contact" in message:
        card = message["contact"]
        name = " ".join(str(p) for p in (card.get("first_name"), card.get("last_name")) if p)
        return f"[{name}: {card.get('phone_number', '')}]"
    if "poll" in message:
        return f"[{message['poll'].get('question', '')}]"
    return ""


_FILES = (
    ("document", AttachmentKind.FILE, "application/octet-stream", "document"),
    ("voice", AttachmentKind.VOICE, "audio/ogg", "voice.ogg"),
    ("audio", AttachmentKind.AUDIO, "audio/mpeg", "audio.mp3"),
    ("video", AttachmentKind.VIDEO, "video/mp4", "video.mp4"),
    ("video_note", AttachmentKind.VIDEO, "video/mp4", "video.mp4"),
)


def _attachments(message: dict[str, Any]) -> list[Attachment]:
    found: list[Attachment] = []
    if message.get("photo"):
        largest = max(message["photo"], key=lambda size: int(size.get("width", 0)) * int(size.get("height", 0)))
        found.append(
            Attachment(
                name="photo.jpg",
                media_type="image/jpeg",
                size=int(largest.get("file_size") or 0),
                kind=AttachmentKind.PHOTO,
                path=str(largest["file_id"]),
            )
        )
    for key, kind, media_type, name in _FILES:
        # An animation comes as a document as well: once is enough.
        if key in message:
            file = message[key]
            found.append(
                Attachment(
                    name=str(file.get("file_name") or name),
                    media_type=str(file.get("mime_type") or media_type),
                    size=int(file.get("file_size") or 0),
                    kind=kind,
                    path=str(file["file_id"]),
                )
            )
    return found
