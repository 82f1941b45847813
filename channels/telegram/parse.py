"""What a Telegram update says, read tolerantly: a type or field we do not know stops nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

from inbox.envelope import (
    Blocked,
    Connected,
    Correspondence,
    Envelope,
    Ignored,
    Reading,
    Sender,
    Unreadable,
    Update,
    Withdrawn,
)
from inbox.model import AddressKind
from inbox.parts import Attachment, AttachmentKind

MESSAGES = ("message", "edited_message")
CORRESPONDENCE = ("business_message", "edited_business_message")
ALLOWED = (
    *(*MESSAGES, "callback_query", "inline_query", "my_chat_member"),
    *("business_connection", *CORRESPONDENCE, "deleted_business_messages"),
)
"""The update types asked for. Source: Bot API getUpdates, allowed_updates."""

LONGEST_NAME = 120
LONGEST_QUOTE = 1000
"""Of the words a message answers: enough to know which they are."""
_LARGEST_ID = 2**52
"""Bot API, User: ids have at most 52 significant bits."""

_START = re.compile(r"/start(?:@\w+)?(?:\s+(.*))?\Z", re.DOTALL)
_HALVES = re.compile("[\ud800-\udfff]")

# Bot API, Message: what happened in a chat, as against what somebody said in it.
_SERVICE = re.compile(
    "pinned_message|message_auto_delete_timer_changed|write_access_allowed|users_shared|chat_shared|connected_website|"
    "passport_data|web_app_data|(successful|refunded)_payment|chat_background_set|boost_added|giveaway_created|gift|"
    "unique_gift|proximity_alert_triggered|(general_)?forum_topic_.*|video_chat_.*|.*_price_changed"
)
# … and what goes with whatever is said.
_AROUND = frozenset(
    [
        *("message_id", "from", "chat", "date", "edit_date", "text", "entities", "caption", "caption_entities"),
        *("reply_to_message", "reply_to_story", "external_reply", "quote", "reply_markup", "via_bot", "sender_chat"),
        *("forward_origin", "forward_from", "forward_from_chat", "link_preview_options", "direct_messages_topic"),
        *("sender_business_bot", "business_connection_id"),
    ]
)


class _Broken(Exception):
    """A type we know that lacks what it promises."""


def lane_of(update: Mapping[str, Any]) -> str:
    """The chat whose updates must be handled in order; a bot's other updates share one lane."""
    for content in update.values():
        if not isinstance(content, dict):
            continue
        inner = content.get("message")
        for holder in (content, inner if isinstance(inner, dict) else {}):
            chat = holder.get("chat")
            if isinstance(chat, dict) and _is_id(chat.get("id")):
                return str(chat["id"])
        for who in (content.get("from"), content.get("user")):
            # A private chat's number is its user's (Bot API, Chat).
            if isinstance(who, dict) and _is_id(who.get("id")):
                return str(who["id"])
    return "other"


def read_update(raw: bytes) -> Reading:
    """What one raw update says; never raises."""
    try:
        update = json.loads(raw)
    except (ValueError, RecursionError):
        return Unreadable(error="the update is not JSON")
    if not isinstance(update, dict):
        return Unreadable(error="the update is not a JSON object")
    try:
        return _read(_mended(update))
    except _Broken as broken:
        return Unreadable(error=f"an update of type {_kinds(update)} lacks what its type promises: {broken}")
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        return Unreadable(error=f"an update of type {_kinds(update)} cannot be read ({type(error).__name__})")


def _kinds(update: Mapping[str, Any]) -> str:
    return ", ".join(_word(key) for key in update if key != "update_id")[:200] or "none"


def _word(word: str) -> str:
    """A word of theirs as it may stand in a sentence of ours."""
    return "".join(character if character.isprintable() else "?" for character in word[:40])


def _read(update: dict[str, Any]) -> Reading:
    for name in MESSAGES:
        if name in update:
            return _message(update, _object(update, name), edit=name != "message")
    for name in CORRESPONDENCE:
        if name in update:
            return _correspondence(_object(update, name), edit=name != "business_message")
    if "deleted_business_messages" in update:
        return _withdrawal(_object(update, "deleted_business_messages"))
    if "business_connection" in update:
        return read_connection(_object(update, "business_connection"))
    if "callback_query" in update:
        return _press(update, _object(update, "callback_query"))
    if "inline_query" in update:
        return _search(update, _object(update, "inline_query"))
    if "my_chat_member" in update:
        return _membership(_object(update, "my_chat_member"))
    return Ignored(reason=f"unknown update type: {_kinds(update)}")


def _press(update: dict[str, Any], query: dict[str, Any]) -> Reading:
    user_id = _id(_object(query, "from"))
    # A message sent through inline mode has no chat we could see.
    chat = _object(_object(query, "message"), "chat") if query.get("message") else {"id": user_id, "type": "private"}
    in_group = _is_forum(chat)
    if chat.get("type") != "private" and not in_group:
        return Ignored(reason="not a private chat")
    return Update(
        update=_press_for_the_desk(update, query),
        telegram_user_id=user_id,
        chat_id=_id(chat),
        callback_query_id=_text(query, "id", needed=True),
        topic=_topic(query.get("message")),
        in_group=in_group,
    )


def _is_forum(chat: dict[str, Any]) -> bool:
    """Whether it is a group with topics (Bot API, Chat, is_forum)."""
    return chat.get("type") == "supergroup" and chat.get("is_forum") is True


def _search(update: dict[str, Any], query: dict[str, Any]) -> Reading:
    user_id, query_id = _id(_object(query, "from")), _text(query, "id", needed=True)
    asked = {
        "id": query_id,
        "from": _user_for_the_desk(_object(query, "from")),
        "query": _text(query, "query"),
        "offset": "",
    }
    return Update(
        update={**_numbered(update), "inline_query": asked},
        telegram_user_id=user_id,
        chat_id=user_id,
        inline_query_id=query_id,
    )


def _membership(change: dict[str, Any]) -> Reading:
    chat = _object(change, "chat")
    if chat.get("type") != "private":
        return Ignored(reason="not a private chat")
    status = _text(_object(change, "new_chat_member"), "status", needed=True)
    if status not in ("kicked", "left", "member"):
        return Ignored(reason=f"unknown standing in a private chat: {_word(status)}")
    return Blocked(telegram_user_id=_id(_object(change, "from")), chat_id=_id(chat), blocked=status != "member")


# ---------------------------------------------------------------- messages


def _message(update: dict[str, Any], message: dict[str, Any], *, edit: bool) -> Reading:
    chat = _object(message, "chat")
    in_group = _is_forum(chat)
    if chat.get("type") != "private" and not in_group:
        return Ignored(reason="not a private chat")
    happened = sorted(filter(_SERVICE.fullmatch, message))
    if happened:
        # What is pinned comes whole.
        return Ignored(reason=f"a notice of Telegram's: {', '.join(happened)}", erased="pinned_message" in happened)
    sender = _object(message, "from")
    if in_group and (sender.get("is_bot") is True or "sender_chat" in message):
        return Ignored(reason="said in a group's or a bot's name")
    user_id, chat_id = _id(sender), _id(chat)
    start = _START.match(_text(message, "text")) if not edit else None
    envelope = _envelope(message, edit=edit, start=(start[1] or "").strip() if start else None)
    kept = {**_numbered(update), MESSAGES[edit]: _words_for_the_desk(message)}
    return Update(
        update=kept,
        telegram_user_id=user_id,
        chat_id=chat_id,
        envelope=envelope,
        topic=_topic(message),
        in_group=in_group,
    )


def _envelope(message: dict[str, Any], *, edit: bool, start: str | None = None) -> Envelope:
    chat_id, message_id = _id(_object(message, "chat")), _id(message, "message_id")
    replied = _reply(message)
    return Envelope(
        external_id=f"{chat_id}:{message_id}",
        album=f"{chat_id}:{group}" if isinstance(group := message.get("media_group_id"), str) else None,
        sender=_sender(_object(message, "from"), chat_id),
        text=_said(message),
        attachments=tuple(_attachments(message, message_id)),
        written_at=_instant(message.get("edit_date") if edit else None) or _instant(message.get("date")),
        edit=edit,
        start=start,
        replies_to=f"{chat_id}:{_id(replied, 'message_id')}" if replied is not None else None,
        quotes=_quoted(message),
    )


def _sender(user: dict[str, Any], chat_id: int) -> Sender:
    """Somebody with a Telegram account (Bot API, User, or the Chat with them, which has no language)."""
    return Sender(
        kind=AddressKind.TELEGRAM,
        value=str(_id(user)),
        name=_name(user),
        language=_text(user, "language_code") or None,
        chat_id=chat_id,
    )


def _name(user: dict[str, Any]) -> str:
    name = " ".join(filter(None, (_text(user, "first_name"), _text(user, "last_name"))))
    return name or _text(user, "username")


# ---------------------------------------------------------------- in somebody's own Telegram


def read_connection(said: dict[str, Any]) -> Connected:
    """What a BusinessConnection of the Bot API says.

    Raises:
        Exception: it lacks what it promises.
    """
    user = _object(said, "user")
    rights = said.get("rights")
    # Bot API before 9.0 had this one right, beside the connection.
    may_reply = rights.get("can_reply") if isinstance(rights, dict) else said.get("can_reply")
    return Connected(
        connection=_text(said, "id", needed=True),
        telegram_user_id=_id(user),
        chat_id=_id(said, "user_chat_id"),
        name=_name(user),
        language=_text(user, "language_code") or None,
        is_enabled=said.get("is_enabled") is True,
        may_reply=may_reply is True,
        made_at=_instant(said.get("date")),
    )


def _correspondence(message: dict[str, Any], *, edit: bool) -> Reading:
    if nothing := _is_nothing(message, edit=edit):
        # It is between two people, and no request: nothing of it is kept.
        return Ignored(reason=nothing, erased=True)
    chat = _object(message, "chat")
    return Correspondence(
        connection=_text(message, "business_connection_id", needed=True),
        envelope=_envelope(message, edit=edit),
        other=_sender(chat, _id(chat)),
        sent_at=_instant(message.get("date")),
        by_itself=message.get("is_from_offline") is True,
    )


def _is_nothing(message: dict[str, Any], *, edit: bool) -> str:
    """Why a message in somebody's own Telegram is none for the desk; "" where it is."""
    if _object(message, "chat").get("type") != "private":
        return "not a private chat"
    if happened := sorted(filter(_SERVICE.fullmatch, message)):
        return f"a notice of Telegram's: {', '.join(happened)}"
    if "sender_business_bot" in message and not edit:
        return "our own message, come back"
    return "said by a bot" if _object(message, "from").get("is_bot") is True else ""


def _withdrawal(said: dict[str, Any]) -> Reading:
    chat_id, numbers = _id(_object(said, "chat")), said.get("message_ids")
    if not isinstance(numbers, list):
        raise _Broken("message_ids is no list")
    return Withdrawn(
        connection=_text(said, "business_connection_id", needed=True),
        chat_id=chat_id,
        external_ids=tuple(f"{chat_id}:{number}" for number in numbers if _is_id(number)),
    )


# ---------------------------------------------------------------- what a message says


def _reply(message: dict[str, Any]) -> dict[str, Any] | None:
    """What it replies to. What only stands in a topic seems to reply to the topic's beginning (Bot API, Message)."""
    replied = message.get("reply_to_message")
    return replied if isinstance(replied, dict) and "forum_topic_created" not in replied else None


def _topic(message: Any) -> int | None:
    if not isinstance(message, dict) or message.get("is_topic_message") is not True:
        return None  # in a thread of replies, perhaps
    return _natural(message, "message_thread_id") or None


def _quoted(message: dict[str, Any]) -> str:
    """The words a message answers: the part its author picked out, or else the whole, in brackets where it has none.

    What stands in another chat comes in full nowhere: of that, Telegram hands on the quote and the kind of file
    (Bot API, ExternalReplyInfo).
    """
    picked = message.get("quote")
    words = picked.get("text") if isinstance(picked, dict) else None
    for name in ("reply_to_message", "external_reply"):
        replied = message.get(name)
        if words or not isinstance(replied, dict) or "forum_topic_created" in replied:
            continue
        words = replied.get("text") or replied.get("caption")
        if not words and (kinds := sorted(_FILE_KEYS & replied.keys())):
            words = f"[{kinds[0]}]"
    return words[:LONGEST_QUOTE] if isinstance(words, str) else ""


def _said(message: dict[str, Any]) -> str:
    """The words of a message, and in brackets what else it is, in words French and English share."""
    entities = message.get("entities") or message.get("caption_entities") or []
    words = _with_links(_text(message, "text") or _text(message, "caption"), entities)
    said = [part for part in (words, _described(message)) if part]
    if not said and not _FILE_KEYS & message.keys():
        # Newer than we are: she must at least see that there is something.
        unknown = sorted(_word(key) for key, value in message.items() if isinstance(value, dict | list))
        said = [f"[message: {', '.join(key for key in unknown if key not in _AROUND) or '?'}]"]
    return "\n".join(filter(None, (_forwarded(message), *said)))


def _with_links(words: str, entities: Any) -> str:
    """Links hidden behind words, written out: what is shown to a secretary hides nothing."""
    # Offsets are in UTF-16 units. Source: Bot API MessageEntity.
    encoded = words.encode("utf-16-le")
    links = []
    for entity in entities if isinstance(entities, list) else []:
        if isinstance(entity, dict) and entity.get("type") == "text_link" and isinstance(entity.get("url"), str):
            offset, length = entity.get("offset"), entity.get("length")
            if isinstance(offset, int) and isinstance(length, int) and 0 <= offset <= offset + length:
                links.append((offset * 2, (offset + length) * 2, entity["url"]))
    for begin, end, url in sorted(links, reverse=True):
        if encoded[begin:end].decode("utf-16-le", "replace").rstrip("/") != url.rstrip("/"):
            encoded = encoded[:end] + f" ({url})".encode("utf-16-le") + encoded[end:]
    return encoded.decode("utf-16-le", "replace")


def _forwarded(message: dict[str, Any]) -> str:
    """Who first said it, when somebody passes on another's words."""
    origin = message.get("forward_origin")
    if not isinstance(origin, dict):
        return ""
    who = origin.get("sender_user") or origin.get("sender_chat") or origin.get("chat") or {}
    names = (_text(who, "first_name"), _text(who, "last_name"), _text(who, "title"))
    name = _text(origin, "sender_user_name") or " ".join(filter(None, names))
    return f"[↪ {name}]" if name else "[↪]"


def _described(message: dict[str, Any]) -> str:
    """What a message is that has neither words nor a file."""
    if "sticker" in message:
        return f"[sticker {_text(message['sticker'], 'emoji')}]".replace(" ]", "]")
    if "venue" in message:  # comes with a location as well
        venue = message["venue"]
        where = _place(_object(venue, "location"))
        return f"[position {_text(venue, 'title')}, {_text(venue, 'address')}, {where}]"
    if "location" in message:
        return f"[position {_place(message['location'])}]"
    if "contact" in message:
        card = message["contact"]
        name = " ".join(filter(None, (_text(card, "first_name"), _text(card, "last_name"))))
        return f"[contact {name}, {_text(card, 'phone_number')}]"
    if "dice" in message:
        return f"[{_text(message['dice'], 'emoji')} {_natural(message['dice'], 'value')}]"
    if "poll" in message:
        options = " / ".join(_text(option, "text") for option in message["poll"].get("options", []))
        return f"[question: {_text(message['poll'], 'question')} ({options})]"
    return ""


def _place(location: dict[str, Any]) -> str:
    """Something she can open, and coordinates she can read out."""
    latitude, longitude = float(location["latitude"]), float(location["longitude"])
    return f"https://www.openstreetmap.org/?mlat={latitude:.6f}&mlon={longitude:.6f}"


_FILES = (
    ("document", AttachmentKind.FILE, "application/octet-stream", "document"),
    ("voice", AttachmentKind.VOICE, "audio/ogg", "voice-{}.ogg"),
    ("audio", AttachmentKind.AUDIO, "audio/mpeg", "audio-{}.mp3"),
    ("video", AttachmentKind.VIDEO, "video/mp4", "video-{}.mp4"),
    ("video_note", AttachmentKind.VIDEO, "video/mp4", "video-{}.mp4"),
)
_FILE_KEYS = frozenset(["photo", "animation", *(key for key, *_ in _FILES)])


def _attachments(message: dict[str, Any], message_id: int) -> list[Attachment]:
    found: list[Attachment] = []
    if message.get("photo"):
        largest = max(message["photo"], key=lambda size: _natural(size, "width") * _natural(size, "height"))
        name = f"photo-{message_id}.jpg"
        found.append(_attachment(largest, AttachmentKind.PHOTO, "image/jpeg", name))
    # An animation comes as a document as well: once is enough.
    for key, kind, media_type, name in _FILES:
        if key in message:
            found.append(_attachment(_object(message, key), kind, media_type, name.format(message_id)))
    return found


def _attachment(file: dict[str, Any], kind: AttachmentKind, media_type: str, name: str) -> Attachment:
    given = _text(file, "mime_type")
    return Attachment(
        name=_file_name(_text(file, "file_name")) or name,
        media_type=given if re.fullmatch(r"[\w.+-]{1,100}/[\w.+-]{1,100}", given) else media_type,
        size=_natural(file, "file_size"),
        kind=kind,
        path=_text(file, "file_id", needed=True),
        seconds=_natural(file, "duration") if kind in (AttachmentKind.VOICE, AttachmentKind.AUDIO) else 0,
    )


def _file_name(given: str) -> str:
    """A name that stays a name wherever it is written: no folders, no control characters, not too long."""
    last = "".join(c for c in re.split(r"[/\\]", given)[-1] if c.isprintable()).strip(" .")
    if len(last) <= LONGEST_NAME:
        return last
    stem, dot, suffix = last.rpartition(".")
    if not dot or len(suffix) > 10:
        return last[:LONGEST_NAME]
    return stem[: LONGEST_NAME - len(suffix) - 1] + "." + suffix


# ---------------------------------------------------------------- for the desk

# Of a secretary's update the dispatcher is given what the desk reads, and nothing else: aiogram refuses a whole
# update for one field that is not as its version of the Bot API has it, however little anybody asks for it.


def _numbered(update: dict[str, Any]) -> dict[str, Any]:
    return {"update_id": _natural(update, "update_id")}


def _words_for_the_desk(message: dict[str, Any]) -> dict[str, Any]:
    return {**_said_there(message), "from": _user_for_the_desk(_object(message, "from")), **_replied_to(message)}


def _replied_to(message: dict[str, Any]) -> dict[str, Any]:
    replied = _reply(message)
    if replied is None:
        return {}
    there = _said_there({**replied, "chat": message["chat"]})
    return {"reply_to_message": {**there, "reply_markup": _buttons_of(replied.get("reply_markup"))}}


def _press_for_the_desk(update: dict[str, Any], query: dict[str, Any]) -> dict[str, Any]:
    press: dict[str, Any] = {
        "id": _text(query, "id", needed=True),
        "from": _user_for_the_desk(_object(query, "from")),
        "chat_instance": "",
        "data": _text(query, "data") or None,
    }
    if query.get("message"):
        message = _object(query, "message")
        press["message"] = {**_said_there(message), **_replied_to(message)}
    return {**_numbered(update), "callback_query": press}


def _said_there(message: dict[str, Any]) -> dict[str, Any]:
    """Which message, where, when, and its words. One that is too old to be seen has the date 0 (Bot API)."""
    sent_at, chat = _instant(message.get("date")), _object(message, "chat")
    words = {key: message.get(key) for key in ("text", "caption", "media_group_id")}
    return {
        "message_id": _id(message, "message_id"),
        "chat": {"id": _id(chat), "type": "supergroup" if chat.get("type") == "supergroup" else "private"},
        "date": int(sent_at.timestamp()) if sent_at else 0,
        **{key: said for key, said in words.items() if isinstance(said, str)},
        **{key: list(_entities(message.get(key))) for key in ("entities", "caption_entities") if message.get(key)},
        **({"message_thread_id": topic} if (topic := _topic(message)) is not None else {}),
    }


def _entities(found: Any) -> Iterator[dict[str, Any]]:
    """How words are set, as far as it can be understood."""
    for entity in found if isinstance(found, list) else []:
        if not isinstance(entity, dict) or not isinstance(entity.get("type"), str):
            continue
        if _is_id(entity.get("offset")) and _is_id(entity.get("length")):
            url = entity.get("url")
            place = {key: entity[key] for key in ("type", "offset", "length")}
            yield {**place, "url": url} if isinstance(url, str) else place


def _user_for_the_desk(user: dict[str, Any]) -> dict[str, Any]:
    return {"id": _id(user), "is_bot": False, "first_name": _text(user, "first_name")}


def _buttons_of(markup: Any) -> dict[str, Any]:
    rows = markup.get("inline_keyboard") if isinstance(markup, dict) else None
    data = [
        button["callback_data"]
        for row in (rows if isinstance(rows, list) else [])
        for button in (row if isinstance(row, list) else [])
        if isinstance(button, dict) and isinstance(button.get("callback_data"), str)
    ]
    return {"inline_keyboard": [[{"text": "", "callback_data": one}] for one in data]}


# ---------------------------------------------------------------- fields


def _object(holder: Any, name: str) -> dict[str, Any]:
    value = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(value, dict):
        raise _Broken(f"no {name}")
    return value


def _text(holder: Any, name: str, *, needed: bool = False) -> str:
    value = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(value, str):
        return value
    if needed or value is not None:
        raise _Broken(f"{name} is no text")
    return ""


def _is_id(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_ID


def _id(holder: Any, name: str = "id") -> int:
    value = holder.get(name) if isinstance(holder, dict) else None
    if not _is_id(value):
        raise _Broken(f"{name} is no number")
    return value


def _natural(holder: Any, name: str) -> int:
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if _is_id(value) and value > 0 else 0


def _instant(seconds: object) -> datetime | None:
    if not _is_id(seconds):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _mended(value: Any) -> Any:
    """The same JSON without halves of UTF-16 pairs, which no file or store could hold."""
    match value:
        case str():
            return _HALVES.sub("\ufffd", value)
        case dict():
            return {_mended(key): _mended(content) for key, content in value.items()}
        case list():
            return [_mended(content) for content in value]
    return value
