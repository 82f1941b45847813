"""What the Bot API accepts and in which words it refuses. Pure.

Sources: core.telegram.org/bots/api, and Client.cpp of the official Bot API server for the exact wording.
"""

from __future__ import annotations

import json
import re
from typing import Any

Json = dict[str, Any]
Params = dict[str, Any]
"""A call's parameters: strings as they came, or JSON values where the whole call was JSON; uploads as `Upload`."""

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_TOAST = 200
MAX_BUTTONS = 100
MAX_FOUND = 50
MAX_RESULT_ID = 64
MAX_TOPIC_NAME = 128
TOPIC_COLOURS = (0x6FB9F0, 0xFFD67E, 0xCB86DB, 0x8EEE98, 0xFF93B2, 0xFB6F5F)
"""Bot API, createForumTopic, icon_color."""
MAX_PHOTO = 10 * 1024 * 1024
MAX_UPLOAD = 50 * 1024 * 1024
MAX_DOWNLOAD = 20 * 1024 * 1024

_FOUND = (
    ("url", re.compile(r"https?://[^\s<>\"]+|\bt\.me/[^\s<>\"]+")),
    ("bot_command", re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@\w+)?(?![\w/<>])")),
    ("email", re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")),
)


class Refusal(Exception):
    """The Bot API says no: an HTTP status, a sentence, and sometimes parameters."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def bad(description: str) -> Refusal:
    """The most frequent refusal."""
    return Refusal(400, f"Bad Request: {description}")


def too_many(seconds: int) -> Refusal:
    """Flood control."""
    return Refusal(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def units(text: str) -> int:
    """The length of a text as Telegram counts it: UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def sent_as(kind: str, data: bytes) -> str:
    """As what a message shows an uploaded file: a sound of another format than sendVoice or sendAudio names is a file.

    Bot API, sendVoice: "in an .OGG file encoded with OPUS, or in .MP3 format, or in .M4A format (other formats may be
    sent as Audio or Document)"; sendAudio: ".MP3 or .M4A".
    """
    is_opus = data.startswith(b"OggS") and data[28:36] == b"OpusHead"  # after a page of one segment (RFC 3533 §6)
    is_mp3 = data.startswith(b"ID3") or (data[:1] == b"\xff" and data[1:2] >= b"\xe0")
    is_m4a = data[4:8] == b"ftyp"
    heard = {"voice": is_opus or is_mp3 or is_m4a, "audio": is_mp3 or is_m4a}
    return kind if heard.get(kind, True) else "document"


def integer(params: Params, name: str, default: int = 0) -> int:
    """A number, given as one or as its digits; what is neither is the default, as in the official server."""
    try:
        return int(params.get(name, default))
    except (TypeError, ValueError):
        return default


def truth(params: Params, name: str) -> bool:
    """A boolean, in any of the spellings the official server takes."""
    return str(params.get(name, "")).lower() in ("true", "yes", "1")


def structure(params: Params, name: str) -> Any:
    """A parameter that is itself JSON; None where it was not given.

    Raises:
        Refusal: it is no JSON.
    """
    value = params.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise bad(f"can't parse {name.replace('_', ' ')} JSON object") from None


def formatted(text: str, entities: Any, limit: int, *, too_long: str) -> tuple[str, list[Json]]:
    """A text as Telegram keeps it: trimmed, with its entities and the links it finds by itself.

    Raises:
        Refusal: too long, or an entity that does not fit the text.
    """
    total = units(text)
    checked = [_checked(entity, text, total) for entity in entities or []]
    if units(text.strip()) > limit:
        raise bad(too_long)
    leading = units(text) - units(text.lstrip())
    kept = text.strip()
    end = units(kept)
    placed = []
    for entity in checked:
        start = max(entity["offset"] - leading, 0)
        stop = min(entity["offset"] + entity["length"] - leading, end)
        if stop > start:
            placed.append({**entity, "offset": start, "length": stop - start})
    for kind, pattern in _FOUND:
        for match in pattern.finditer(kept):
            start, length = units(kept[: match.start()]), units(match[0])
            if all(start >= e["offset"] + e["length"] or start + length <= e["offset"] for e in placed):
                placed.append({"type": kind, "offset": start, "length": length})
    return kept, sorted(placed, key=lambda entity: (entity["offset"], -entity["length"]))


def _checked(entity: Any, text: str, total: int) -> Json:
    if not isinstance(entity, dict) or not isinstance(entity.get("type"), str):
        raise bad("can't parse entities: expected an Object with field type")
    offset, length = entity.get("offset"), entity.get("length")
    if not isinstance(offset, int) or not isinstance(length, int) or offset < 0 or length < 0:
        raise bad("can't parse entities: field offset and length must be natural numbers")
    if offset + length > total:
        raise bad(f"entity beginning at UTF-16 offset {offset} ends after the end of the text at UTF-16 offset {total}")
    encoded = text.encode("utf-16-le", "surrogatepass")
    for place in (offset, offset + length):
        if place < total and 0xDC <= encoded[2 * place + 1] <= 0xDF:
            raise bad(f"entity beginning at UTF-16 offset {offset} begins or ends in a middle of a UTF-16 symbol")
    return {key: value for key, value in entity.items() if value is not None}


def keyboard(markup: Any) -> Json | None:
    """The inline keyboard of a call, and whether it puts whoever sees it into replying; None for neither.

    Other markups are accepted and not shown.

    Raises:
        Refusal: a button that cannot be.
    """
    if not isinstance(markup, dict) or not (markup.get("inline_keyboard") or truth(markup, "force_reply")):
        return None
    rows = markup.get("inline_keyboard") or []
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad("can't parse inline keyboard: expected an Array of Arrays of InlineKeyboardButton")
    if sum(len(row) for row in rows) > MAX_BUTTONS:
        raise bad("reply markup is too long")
    asks = {"force_reply": True} if truth(markup, "force_reply") else {}
    return {"inline_keyboard": [[_button(button) for button in row] for row in rows if row], **asks}


def _button(button: Any) -> Json:
    if not isinstance(button, dict) or not str(button.get("text") or "").strip():
        raise bad("can't parse inline keyboard button: InlineKeyboardButton must have a non-empty text")
    kept = {key: value for key, value in button.items() if value is not None}
    data, url = kept.get("callback_data"), kept.get("url")
    if data is not None:
        if not 1 <= len(str(data).encode()) <= 64:
            raise bad("BUTTON_DATA_INVALID")
    elif url is not None:
        if not re.match(r"(https?|tg)://\S+\.?\S*\Z|[\w.-]+\.\w+(/\S*)?\Z", str(url)):
            raise bad(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
    elif not kept.keys() - {"text", "style", "icon_custom_emoji_id", "disabled"}:
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    return kept
