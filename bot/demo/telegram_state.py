"""What Telegram knows: people, bots, their private chats, files, and the updates that wait for each bot."""

from __future__ import annotations

import asyncio
import itertools
import mimetypes
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.demo.telegram_rules import Json, Refusal, bad

if TYPE_CHECKING:
    from bot.demo.telegram_business import Correspondence

UPDATE_LIFETIME = 24 * 3600.0
"""Seconds an update waits for its bot."""
PRESS_LIFETIME = 150.0
"""Seconds a press waits for its bot, and may be answered."""

# Bot API, getUpdates, allowed_updates: "an empty list to receive all update types except …"
_UNASKED = frozenset({"chat_member", "message_reaction", "message_reaction_count"})

MEDIA = ("photo", "document", "voice", "audio", "video")
_TYPES = {"photo": "image/jpeg", "voice": "audio/ogg", "audio": "audio/mpeg", "video": "video/mp4"}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file Telegram keeps. Its id means something to one bot only."""

    file_id: str
    unique_id: str
    kind: str
    name: str
    media_type: str
    data: bytes

    @property
    def path(self) -> str:
        """Where it is downloaded from."""
        return f"{self.kind}s/{self.unique_id}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a press brought: the toast or alert the bot answered with."""

    text: str
    show_alert: bool


@dataclass(slots=True)
class Press:
    """A press on a button, until it is answered."""

    at: float
    answered: asyncio.Future[Answer]


@dataclass(slots=True)
class Webhook:
    """Where a bot's updates are sent instead of being asked for."""

    url: str
    secret: str | None
    error: str | None = None
    error_at: float = 0.0


class Person:
    """Somebody with a Telegram account; `bot.demo.telegram_people.TelegramUser` is what they can do."""

    def __init__(self, user_id: int, first_name: str, last_name: str, username: str, language_code: str) -> None:
        self.id = user_id
        self.first_name = first_name
        self.last_name = last_name
        self.username = username
        self.language_code = language_code
        self.gone = False
        """The account was deleted."""
        self.saw = asyncio.Event()
        """Set whenever something on this person's screen changed."""

    def as_user(self) -> Json:
        """Bot API, User."""
        return {"id": self.id, "is_bot": False, **self._names(), **_given({"language_code": self.language_code})}

    def as_chat(self) -> Json:
        """Bot API, Chat."""
        return {"id": self.id, "type": "private", **self._names()}

    def _names(self) -> Json:
        rest = {"last_name": self.last_name, "username": self.username}
        return {"first_name": self.first_name, **_given(rest)}


class Group(Person):
    """A group with topics, which has the place of the other side in a bot's chat with it."""

    def __init__(self, group_id: int, title: str) -> None:
        super().__init__(group_id, title, "", "", "")
        self.members: dict[int, str] = {}
        """Who is in it, and as what (Bot API, ChatMember, status)."""
        self.bot_may_manage = True
        """The bot is an administrator who may manage topics."""
        self.bot_may_pin = True
        """… and pin messages."""

    def as_chat(self) -> Json:
        return {"id": self.id, "type": "supergroup", "title": self.first_name, "is_forum": True}


@dataclass(slots=True)
class Chat:
    """The private chat of one person with one bot. A message is replaced when it is edited, never changed."""

    person: Person
    messages: dict[int, Json] = field(default_factory=dict)
    topics: dict[int, Json] = field(default_factory=dict)
    """Its forum topics (Bot API, ForumTopic, and whether it `is_closed`)."""
    pinned: list[int] = field(default_factory=list)
    """Its pinned messages, the newest last."""
    started: bool = False
    blocked: bool = False


@dataclass(slots=True)
class World:
    """What all bots of one server share."""

    clock: Callable[[], float]
    """Seconds since 1970: what updates and presses expire by, and what messages carry."""
    changed: Callable[[Person], None]
    people: dict[int, Person] = field(default_factory=dict)
    bots: list[DemoBot] = field(default_factory=list)
    correspondence: Correspondence = field(init=False)
    """What people say to each other, where a bot may read along."""


class DemoBot:
    """One bot account: what it was told, what it keeps, and the updates that wait for it."""

    def __init__(self, token: str, username: str, name: str, world: World) -> None:
        self.token = token
        self.id = int(token.partition(":")[0])
        self.username = username
        self.name = name
        self.world = world
        world.bots.append(self)
        self.chats: dict[int, Chat] = {}
        self.message_ids = itertools.count(1)
        """Each bot counts its messages by itself: the same id means another message in another bot's chat."""
        self.files: dict[str, StoredFile] = {}
        self.searches: dict[str, asyncio.Future[list[Json]]] = {}
        self.presses: dict[str, Press] = {}
        self.commands: list[Json] = []
        self.has_topics = False
        """Threaded Mode is on at @BotFather: private chats may have topics."""
        self.swallows_lost_topics = False
        """What is sent to a deleted topic arrives outside of any, without a word (tdlib/telegram-bot-api#854)."""
        self.webhook: Webhook | None = None
        self.allowed: frozenset[str] | None = None
        self.updates: list[tuple[float, Json]] = []
        self.next_update_id = secrets.randbelow(900_000_000) + 1_000_000
        self.arrived = asyncio.Event()
        self.poll: asyncio.Future[Refusal | None] | None = None
        """The getUpdates call that waits."""

    def as_user(self) -> Json:
        """Bot API, User."""
        return {"id": self.id, "is_bot": True, "first_name": self.name, "username": self.username}

    def link(self, payload: str = "") -> str:
        """The deep link to this bot."""
        return f"https://t.me/{self.username}" + (f"?start={payload}" if payload else "")

    # ------------------------------------------------------------ updates

    def push(self, kind: str, payload: Json) -> None:
        """Let an update wait for the bot, unless it does not want its kind."""
        wanted = kind in self.allowed if self.allowed else kind not in _UNASKED
        if wanted:
            self.push_raw({kind: payload})

    def push_raw(self, update: Json) -> None:
        """Let anything wait for the bot, under the next update_id unless it brings its own."""
        numbered = {"update_id": self.next_update_id, **update}
        if isinstance(numbered["update_id"], int):
            self.next_update_id = numbered["update_id"] + 1
        self.updates.append((self.world.clock(), numbered))
        self.wake()

    def wake(self, refusal: Refusal | None = None) -> None:
        """End the getUpdates call that waits: with what is there, or with a refusal."""
        self.arrived.set()
        if self.poll is not None and not self.poll.done():
            self.poll.set_result(refusal)

    def confirm(self, offset: int) -> None:
        """Forget the updates before an offset; a negative one keeps as many of the newest.

        Client.cpp, do_get_updates: an offset that lies in the future of the queue counts as none, which is
        how a bot goes on when update ids started anew after a week of silence.
        """
        if offset < 0:
            self.updates = self.updates[offset:]
        elif 0 < offset <= self.next_update_id + 10:
            self.updates = [(at, update) for at, update in self.updates if _follows(update, offset)]

    def pending(self, limit: int = 100) -> list[Json]:
        """The oldest updates that wait and have not expired."""
        now = self.world.clock()
        self.updates = [
            (at, update)
            for at, update in self.updates
            if now - at < (PRESS_LIFETIME if "callback_query" in update else UPDATE_LIFETIME)
        ]
        return [update for _, update in self.updates[:limit]]

    # ------------------------------------------------------------ chats

    def chat_with(self, person: Person) -> Chat:
        """The chat with a person, as yet empty perhaps."""
        return self.chats.setdefault(person.id, Chat(person))

    def open_chat(self, chat_id: object) -> Chat:
        """The chat a call names, if the bot may write to it.

        Raises:
            Refusal: no such person, or they do not want to hear from this bot.
        """
        if chat_id is None or chat_id == "":
            raise bad("chat_id is empty")
        try:
            person = self.world.people[int(str(chat_id))]
        except (ValueError, KeyError):
            raise bad("chat not found") from None
        chat = self.chats.get(person.id)
        if person.gone:
            raise Refusal(403, "Forbidden: user is deactivated")
        if chat is None or not chat.started:
            raise Refusal(403, "Forbidden: bot can't initiate conversation with a user")
        if chat.blocked and isinstance(person, Group):
            raise Refusal(403, "Forbidden: bot was kicked from the supergroup chat")
        if chat.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        return chat

    def add(
        self,
        chat: Chat,
        author: Json,
        content: Json,
        reply_to: int | None = None,
        topic: int | None = None,
        *,
        number: int | None = None,
    ) -> Json:
        """A new message in a chat, on the person's screen at once; the bot numbers it, unless it has a number."""
        message = {
            "message_id": next(self.message_ids) if number is None else number,
            "from": author,
            "chat": chat.person.as_chat(),
            "date": int(self.world.clock()),
        }
        if reply_to is not None:
            # Bot API, Message: reply_to_message carries no further reply_to_message
            original = {k: v for k, v in chat.messages[reply_to].items() if k != "reply_to_message"}
            message["reply_to_message"] = original
        if topic is not None:
            message |= {"message_thread_id": topic, "is_topic_message": True}
        message.update(_given(content))
        return self.put(chat, message)

    def open_topic(self, chat: Chat, author: Json, name: str, colour: int) -> Json:
        """A new topic in a chat; its number is that of the message that says so."""
        looks = {"name": name, "icon_color": colour}
        begun = self.add(chat, author, {"forum_topic_created": looks})
        number = begun["message_id"]
        self.put(chat, {**begun, "message_thread_id": number, "is_topic_message": True})
        chat.topics[number] = {"message_thread_id": number, **looks}
        return chat.topics[number]

    def drop_topic(self, chat: Chat, number: int) -> None:
        """Delete a topic with all that stands in it."""
        del chat.topics[number]
        chat.messages = {k: m for k, m in chat.messages.items() if m.get("message_thread_id") != number}
        chat.pinned = [k for k in chat.pinned if k in chat.messages]
        self.world.changed(chat.person)

    def put(self, chat: Chat, message: Json) -> Json:
        """Show this message from now on, in place of the one with its id."""
        chat.messages[message["message_id"]] = message
        self.world.changed(chat.person)
        return message

    def press(self, person: Person, message_id: int, data: str, place: Person | None = None) -> Press:
        """A press on a button, in a group where one is the place: a callback query waits for the bot."""
        message = self.chat_with(place or person).messages.get(message_id)
        if message is None:
            # Bot API, InaccessibleMessage: date is always 0
            message = {"message_id": message_id, "chat": (place or person).as_chat(), "date": 0}
        query_id = str(secrets.randbits(62))
        now = self.world.clock()
        press = Press(now, asyncio.get_running_loop().create_future())
        self.presses = {key: known for key, known in self.presses.items() if now - known.at < PRESS_LIFETIME}
        self.presses[query_id] = press
        query = {"id": query_id, "from": person.as_user(), "message": message}
        self.push("callback_query", {**query, "chat_instance": str(-person.id), "data": data})
        return press

    def search(self, person: Person, words: str) -> asyncio.Future[list[Json]]:
        """Words typed after the bot's name: an inline query waits for the bot; its results, once they are there."""
        query_id = str(secrets.randbits(62))
        self.searches[query_id] = found = asyncio.get_running_loop().create_future()
        self.push("inline_query", {"id": query_id, "from": person.as_user(), "query": words, "offset": ""})
        return found

    # ------------------------------------------------------------ files

    def keep(self, kind: str, data: bytes, name: str, media_type: str | None = None) -> Json:
        """Keep a file; the part of a message that names it."""
        unique = secrets.token_hex(8)
        guessed = _TYPES.get(kind) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        file = StoredFile(f"{kind}-{self.id}-{unique}", unique, kind, name, media_type or guessed, data)
        self.files[file.file_id] = file
        return self.named(file)

    def named(self, file: StoredFile) -> Json:
        """The part of a message that names a file (Bot API, PhotoSize, Document, Voice, Audio, Video)."""
        ids = {"file_id": file.file_id, "file_unique_id": file.unique_id, "file_size": len(file.data)}
        match file.kind:
            case "photo":
                # Every size is a file of its own; here they are the same picture.
                small = replace(file, file_id=f"{file.file_id}-s", unique_id=f"{file.unique_id}s")
                self.files[small.file_id] = small
                thumb = {"file_id": small.file_id, "file_unique_id": small.unique_id, "width": 90, "height": 60}
                return {"photo": [thumb, {**ids, "width": 1280, "height": 853}]}
            case "voice":
                return {"voice": {**ids, "duration": 3, "mime_type": file.media_type}}
            case "audio":
                return {"audio": {**ids, "duration": 60, "file_name": file.name, "mime_type": file.media_type}}
            case "video":
                size = {"width": 640, "height": 360, "duration": 5}
                return {"video": {**ids, **size, "file_name": file.name, "mime_type": file.media_type}}
        return {"document": {**ids, "file_name": file.name, "mime_type": file.media_type}}


def _follows(update: Json, offset: int) -> bool:
    number = update["update_id"]
    return isinstance(number, int) and number >= offset


def _given(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None and value != ""}
