"""The Bot API's methods over what Telegram knows; `telegram_server` carries them over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.demo.telegram_rules import (
    MAX_CAPTION,
    MAX_DOWNLOAD,
    MAX_FOUND,
    MAX_PHOTO,
    MAX_RESULT_ID,
    MAX_TEXT,
    MAX_TOAST,
    MAX_TOPIC_NAME,
    TOPIC_COLOURS,
    Json,
    Params,
    bad,
    formatted,
    integer,
    keyboard,
    sent_as,
    structure,
    truth,
    units,
)
from bot.demo.telegram_state import PRESS_LIFETIME, Answer, Chat, DemoBot, Group

_SAME = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current "
    "content and reply markup of the message"
)
_TOO_OLD = "query is too old and response timeout expired or query ID is invalid"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a call."""

    name: str
    media_type: str
    data: bytes


# ---------------------------------------------------------------- messages


def _send_message(bot: DemoBot, params: Params) -> Json:
    if params.get("business_connection_id"):
        _, chat = bot.world.correspondence.outlet(bot, params)
        return bot.world.correspondence.send(bot, params, _text(params), _replied(chat, params))
    chat = bot.open_chat(params.get("chat_id"))
    content = _text(params)
    return bot.add(
        chat,
        bot.as_user(),
        {**content, "reply_markup": keyboard(structure(params, "reply_markup"))},
        _replied(chat, params),
        _topic(bot, chat, params),
    )


def _topic(bot: DemoBot, chat: Chat, params: Params) -> int | None:
    """The topic a message is for."""
    number = integer(params, "message_thread_id")
    if not number:
        return None
    if number not in chat.topics:
        if bot.swallows_lost_topics:
            return None
        raise bad("message thread not found")
    if chat.topics[number].get("is_closed") and not (isinstance(chat.person, Group) and chat.person.bot_may_manage):
        raise bad("TOPIC_CLOSED")
    return number


def _text(params: Params) -> Json:
    if not str(params.get("text") or "").strip():
        raise bad("message text is empty")
    text, entities = formatted(
        str(params["text"]), structure(params, "entities"), MAX_TEXT, too_long="message is too long"
    )
    return {"text": text, "entities": entities or None}


def _replied(chat: Chat, params: Params) -> int | None:
    wanted = structure(params, "reply_parameters") or {"message_id": params.get("reply_to_message_id")}
    if wanted.get("message_id") in (None, ""):
        return None
    message_id = integer(wanted, "message_id")
    if message_id in chat.messages:
        return message_id
    if truth(wanted, "allow_sending_without_reply") or truth(params, "allow_sending_without_reply"):
        return None
    raise bad("message to be replied not found")


def _send_media(kind: str) -> Callable[[DemoBot, Params], Json]:
    def send(bot: DemoBot, params: Params) -> Json:
        in_name = bool(params.get("business_connection_id"))
        chat = bot.world.correspondence.outlet(bot, params)[1] if in_name else bot.open_chat(params.get("chat_id"))
        caption, entities = formatted(
            str(params.get("caption") or ""),
            structure(params, "caption_entities"),
            MAX_CAPTION,
            too_long="message caption is too long",
        )
        markup, replied = keyboard(structure(params, "reply_markup")), _replied(chat, params)
        content = {**_media(bot, kind, params), "caption": caption or None, "caption_entities": entities or None}
        if in_name:
            return bot.world.correspondence.send(bot, params, content, replied)
        topic = _topic(bot, chat, params)
        return bot.add(chat, bot.as_user(), {**content, "reply_markup": markup}, replied, topic)

    return send


def _media(bot: DemoBot, kind: str, params: Params) -> Json:
    given = params.get(kind)
    if isinstance(given, str) and given.startswith("attach://"):
        given = params.get(given.removeprefix("attach://"))
    if isinstance(given, Upload):
        if not given.data:
            raise bad("file must be non-empty")
        if kind == "photo":
            if len(given.data) > MAX_PHOTO:
                raise bad("file is too big")
            if not given.data.startswith((b"\x89PNG", b"\xff\xd8", b"GIF8", b"RIFF", b"BM")):
                raise bad("IMAGE_PROCESS_FAILED")
        kind = sent_as(kind, given.data)
        kept = bot.keep(kind, given.data, given.name, None if kind == "photo" else given.media_type)
        if kind == "voice" and "duration" in params:
            kept["voice"]["duration"] = integer(params, "duration")
        return kept
    file = bot.files.get(str(given or ""))
    if file is None:
        raise bad("wrong file identifier/HTTP URL specified" if given else f"there is no {kind} in the request")
    if file.kind != kind:
        raise bad(f"can't use file of type {file.kind.capitalize()} as {kind.capitalize()}")
    return bot.named(file)


def _edit_message_text(bot: DemoBot, params: Params) -> Json:
    chat, message = _own(bot, params, "edit")
    content = {**_text(params), "reply_markup": keyboard(structure(params, "reply_markup"))}
    if "text" not in message:
        raise bad("there is no text in the message to edit")
    return _edited(bot, chat, message, content)


def _edit_message_caption(bot: DemoBot, params: Params) -> Json:
    chat, message = _own(bot, params, "edit")
    caption, entities = formatted(
        str(params.get("caption") or ""),
        structure(params, "caption_entities"),
        MAX_CAPTION,
        too_long="message caption is too long",
    )
    markup = keyboard(structure(params, "reply_markup"))
    content = {"caption": caption or None, "caption_entities": entities or None, "reply_markup": markup}
    return _edited(bot, chat, message, content)


def _edit_message_reply_markup(bot: DemoBot, params: Params) -> Json:
    chat, message = _own(bot, params, "edit")
    return _edited(bot, chat, message, {"reply_markup": keyboard(structure(params, "reply_markup"))})


def _delete_message(bot: DemoBot, params: Params) -> bool:
    chat = bot.open_chat(params.get("chat_id"))
    if chat.messages.pop(integer(params, "message_id"), None) is None:
        raise bad("message to delete not found")
    bot.world.changed(chat.person)
    return True


def _own(bot: DemoBot, params: Params, verb: str) -> tuple[Chat, Json]:
    chat = bot.open_chat(params.get("chat_id"))
    message = chat.messages.get(integer(params, "message_id"))
    if message is None:
        raise bad(f"message to {verb} not found")
    if message["from"]["id"] != bot.id:
        raise bad("message can't be edited")
    return chat, message


def _edited(bot: DemoBot, chat: Chat, message: Json, content: Json) -> Json:
    if all(message.get(name) == value for name, value in content.items()):
        raise bad(_SAME)
    changed = {**message, **content, "edit_date": int(bot.world.clock())}
    return bot.put(chat, {name: value for name, value in changed.items() if value is not None})


# ---------------------------------------------------------------- topics


def _create_forum_topic(bot: DemoBot, params: Params) -> Json:
    chat = bot.open_chat(params.get("chat_id"))
    if isinstance(chat.person, Group):
        _require_rights(chat.person)
    elif not bot.has_topics:
        raise bad("the chat is not a forum")
    colour = integer(params, "icon_color", TOPIC_COLOURS[0])
    if colour not in TOPIC_COLOURS:
        raise bad("TOPIC_ICON_COLOR_INVALID")
    return bot.open_topic(chat, bot.as_user(), _topic_name(params), colour)


def _edit_forum_topic(bot: DemoBot, params: Params) -> bool:
    chat = bot.open_chat(params.get("chat_id"))
    topic = chat.topics.get(integer(params, "message_thread_id"))
    if topic is None:
        raise bad("TOPIC_ID_INVALID")
    name = _topic_name(params)
    if name == topic["name"]:
        raise bad("TOPIC_NOT_MODIFIED")
    topic["name"] = name
    bot.world.changed(chat.person)
    return True


def _delete_forum_topic(bot: DemoBot, params: Params) -> bool:
    chat = bot.open_chat(params.get("chat_id"))
    number = integer(params, "message_thread_id")
    if number not in chat.topics:
        raise bad("TOPIC_ID_INVALID")
    bot.drop_topic(chat, number)
    return True


def _require_rights(group: Group) -> None:
    if not group.bot_may_manage:
        raise bad("not enough rights to manage topics")


def _shut_forum_topic(*, shut: bool) -> Callable[[DemoBot, Params], bool]:
    def do(bot: DemoBot, params: Params) -> bool:
        chat = bot.open_chat(params.get("chat_id"))
        if not isinstance(chat.person, Group):
            raise bad("the chat is not a supergroup forum")  # Bot API, closeForumTopic
        _require_rights(chat.person)
        topic = chat.topics.get(integer(params, "message_thread_id"))
        if topic is None:
            raise bad("TOPIC_ID_INVALID")
        if bool(topic.get("is_closed")) is shut:
            raise bad("TOPIC_NOT_MODIFIED")
        topic["is_closed"] = shut
        bot.world.changed(chat.person)
        return True

    return do


def _get_chat_member(bot: DemoBot, params: Params) -> Json:
    group = bot.open_chat(params.get("chat_id")).person
    user = bot.world.people.get(integer(params, "user_id"))
    if not isinstance(group, Group) or user is None:
        raise bad("PARTICIPANT_ID_INVALID")
    return {"user": user.as_user(), "status": group.members.get(user.id, "left")}


def _topic_name(params: Params) -> str:
    name = str(params.get("name") or "").strip()
    if not name:
        raise bad("TOPIC_TITLE_EMPTY")
    if units(name) > MAX_TOPIC_NAME:
        raise bad("topic name is too long")
    return name


# ---------------------------------------------------------------- pinned


def _pin_chat_message(bot: DemoBot, params: Params) -> bool:
    chat, number = _pinning(bot, params, "pin")
    if number in chat.pinned:
        return True
    chat.pinned.append(number)
    pinned = {k: v for k, v in chat.messages[number].items() if k != "reply_to_message"}
    # Bots are told of their own pins too.
    said = bot.add(chat, bot.as_user(), {"pinned_message": pinned}, topic=pinned.get("message_thread_id"))
    bot.push("message", said)
    return True


def _unpin_chat_message(bot: DemoBot, params: Params) -> bool:
    chat, number = _pinning(bot, params, "unpin")
    chat.pinned = [each for each in chat.pinned if each != number]
    bot.world.changed(chat.person)
    return True


def _pinning(bot: DemoBot, params: Params, verb: str) -> tuple[Chat, int]:
    chat = bot.open_chat(params.get("chat_id"))
    if isinstance(chat.person, Group) and not chat.person.bot_may_pin:
        raise bad("not enough rights to manage pinned messages in the chat")
    number = integer(params, "message_id")
    if number not in chat.messages:
        raise bad(f"message to {verb} not found")
    return chat, number


# ---------------------------------------------------------------- the rest


def _answer_callback_query(bot: DemoBot, params: Params) -> bool:
    press = bot.presses.get(str(params.get("callback_query_id")))
    if press is None or bot.world.clock() - press.at >= PRESS_LIFETIME:
        raise bad(_TOO_OLD)
    text = str(params.get("text") or "")
    if len(text) > MAX_TOAST:
        raise bad("MESSAGE_TOO_LONG")
    if not press.answered.done():
        press.answered.set_result(Answer(text, truth(params, "show_alert")))
    return True


def _answer_inline_query(bot: DemoBot, params: Params) -> bool:
    waiting = bot.searches.pop(str(params.get("inline_query_id")), None)
    if waiting is None or waiting.done():
        raise bad(_TOO_OLD)
    results = structure(params, "results") or []
    if len(results) > MAX_FOUND:
        raise bad("RESULTS_TOO_MUCH")
    for result in results:
        if not 1 <= len(str(result.get("id") or "").encode()) <= MAX_RESULT_ID:
            raise bad("RESULT_ID_INVALID")
        if not result.get("title"):
            raise bad("ARTICLE_TITLE_EMPTY")
        formatted(str(result["input_message_content"]["message_text"]), None, MAX_TEXT, too_long="MESSAGE_TOO_LONG")
    waiting.set_result(results)
    return True


def _get_file(bot: DemoBot, params: Params) -> Json:
    file = bot.files.get(str(params.get("file_id") or ""))
    if file is None:
        raise bad("invalid file_id")
    if len(file.data) > MAX_DOWNLOAD:
        raise bad("file is too big")
    ids = {"file_id": file.file_id, "file_unique_id": file.unique_id}
    return {**ids, "file_size": len(file.data), "file_path": file.path}


def _get_me(bot: DemoBot, params: Params) -> Json:
    joins = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": True}
    topics = {"has_topics_enabled": bot.has_topics, "allows_users_to_create_topics": False}
    return {**bot.as_user(), **joins, **topics}


def _get_business_connection(bot: DemoBot, params: Params) -> Json:
    return bot.world.correspondence.find(bot, params.get("business_connection_id")).as_connection()


def _get_chat(bot: DemoBot, params: Params) -> Json:
    chat = bot.open_chat(params.get("chat_id"))
    return {**chat.person.as_chat(), "accent_color_id": 0, "max_reaction_count": 11}


def _send_chat_action(bot: DemoBot, params: Params) -> bool:
    bot.open_chat(params.get("chat_id"))
    if not re.fullmatch(r"typing|(upload|record)_\w+|choose_sticker|find_location", str(params.get("action") or "")):
        raise bad("wrong parameter action in request")
    return True


def _set_my_commands(bot: DemoBot, params: Params) -> bool:
    commands = structure(params, "commands") or []
    for command in commands:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", str(command.get("command"))):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= len(str(command.get("description") or "")) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    bot.commands = commands
    return True


def _get_my_commands(bot: DemoBot, params: Params) -> list[Json]:
    return bot.commands


def _accepted(bot: DemoBot, params: Params) -> bool:
    return True


METHODS: dict[str, Callable[[DemoBot, Params], Any]] = {
    "sendMessage": _send_message,
    **{f"send{kind.capitalize()}": _send_media(kind) for kind in ("photo", "document", "voice", "audio", "video")},
    "editMessageText": _edit_message_text,
    "editMessageCaption": _edit_message_caption,
    "editMessageReplyMarkup": _edit_message_reply_markup,
    "deleteMessage": _delete_message,
    "createForumTopic": _create_forum_topic,
    "editForumTopic": _edit_forum_topic,
    "deleteForumTopic": _delete_forum_topic,
    "closeForumTopic": _shut_forum_topic(shut=True),
    "reopenForumTopic": _shut_forum_topic(shut=False),
    "getChatMember": _get_chat_member,
    "pinChatMessage": _pin_chat_message,
    "unpinChatMessage": _unpin_chat_message,
    "answerCallbackQuery": _answer_callback_query,
    "answerInlineQuery": _answer_inline_query,
    "getFile": _get_file,
    "getBusinessConnection": _get_business_connection,
    "getMe": _get_me,
    "getChat": _get_chat,
    "sendChatAction": _send_chat_action,
    "setMyCommands": _set_my_commands,
    "getMyCommands": _get_my_commands,
    **dict.fromkeys(
        (
            "close",
            "deleteMyCommands",
            "logOut",
            "setChatMenuButton",
            "setMessageReaction",
            "setMyDescription",
            "setMyName",
            "setMyShortDescription",
            "unpinAllChatMessages",
        ),
        _accepted,
    ),
}
"""What needs neither waiting nor the server itself, by its name."""

FLOOD_CONTROLLED = frozenset(
    name for name in METHODS if name.startswith(("sendM", "sendP", "sendD", "sendV", "sendA", "edit"))
)
"""What counts as a message where limits are kept."""
