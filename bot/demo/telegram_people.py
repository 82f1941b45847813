"""What a person can do in their Telegram, and what they see there: for the demo's page and for tests."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence

from bot.demo.telegram_rules import MAX_CAPTION, MAX_TEXT, TOPIC_COLOURS, Json, formatted
from bot.demo.telegram_state import Answer, Chat, DemoBot, Group, Person

Bots = Callable[[str | None], DemoBot]


class TelegramUser(Person):
    """A person at their Telegram. Made by `TelegramServer.user`.

    Messages are as the Bot API shows them (Message), and not to be changed.
    `token` names the bot; None is the server's first.
    """

    def __init__(
        self,
        user_id: int,
        first_name: str,
        last_name: str,
        username: str,
        language_code: str,
        bots: Bots,
    ) -> None:
        super().__init__(user_id, first_name, last_name, username, language_code)
        self._bots = bots

    # ------------------------------------------------------------ writing

    def start(self, payload: str = "", token: str | None = None) -> Json:
        """Press Start, or open a deep link."""
        return self.send_text(f"/start {payload}".strip(), token=token)

    def send_text(
        self,
        text: str,
        *,
        reply_to: int | None = None,
        entities: list[Json] | None = None,
        topic: int | None = None,
        quote: str = "",
        group: Group | None = None,
        token: str | None = None,
    ) -> Json:
        """Write; `reply_to` is the message replied to, `quote` the part of it picked out, `topic` the topic written in.

        In a group, where one is named; else in the chat with the bot.

        Raises:
            Refusal: too long for one message.
        """
        kept, found = formatted(text, entities, MAX_TEXT, too_long="message is too long")
        if not kept:
            raise ValueError("Telegram sends no empty message")
        # Bot API, TextQuote
        picked = {"text": quote, "position": 0, "is_manual": True} if quote else None
        content = {"text": kept, "entities": found or None, "quote": picked}
        return self.send_raw(content, reply_to=reply_to, topic=topic, group=group, token=token)

    def send_file(
        self,
        kind: str,
        name: str,
        media_type: str,
        data: bytes,
        *,
        caption: str = "",
        reply_to: int | None = None,
        topic: int | None = None,
        group: Group | None = None,
        token: str | None = None,
    ) -> Json:
        """Send a file: kind is photo, document, voice, audio or video."""
        kept, found = formatted(caption, None, MAX_CAPTION, too_long="message caption is too long")
        content = self._bots(token).keep(kind, data, name, media_type)
        words = {"caption": kept or None, "caption_entities": found or None}
        return self.send_raw({**content, **words}, reply_to=reply_to, topic=topic, group=group, token=token)

    def send_album(
        self,
        files: Sequence[tuple[str, str, str, bytes]],
        *,
        caption: str = "",
        reply_to: int | None = None,
        token: str | None = None,
    ) -> list[Json]:
        """Send several files together: (kind, name, media type, octets) each; the first bears the caption."""
        album = {"media_group_id": secrets.token_hex(8)}
        kept, found = formatted(caption, None, MAX_CAPTION, too_long="message caption is too long")
        sent = []
        for number, (kind, name, media_type, data) in enumerate(files):
            words = {} if number else {"caption": kept or None, "caption_entities": found or None}
            content = {**self._bots(token).keep(kind, data, name, media_type), **album, **words}
            sent.append(self.send_raw(content, reply_to=reply_to, token=token))
        return sent

    def send_raw(
        self,
        content: Json,
        *,
        reply_to: int | None = None,
        topic: int | None = None,
        group: Group | None = None,
        token: str | None = None,
    ) -> Json:
        """Send a message with any content: a location, a sticker, something newer than this stand-in."""
        bot = self._bots(token)
        chat = bot.chat_with(group or self)
        if group is None:
            chat.started = True
            if chat.blocked:
                self.unblock(token)  # as Telegram's apps do when one writes to a blocked bot
        if topic is not None and reply_to is None:
            reply_to = topic  # what stands in a topic replies to the message that began it
        replied = reply_to if reply_to in chat.messages else None
        if topic is None and replied is not None:
            topic = chat.messages[replied].get("message_thread_id")  # a reply stands where what it replies to does
        message = bot.add(chat, self.as_user(), content, replied, topic)
        bot.push("message", message)
        return message

    def edit_text(self, message_id: int, text: str, token: str | None = None, *, group: Group | None = None) -> Json:
        """Edit a message of one's own."""
        bot = self._bots(token)
        chat = bot.chat_with(group or self)
        before = chat.messages.get(message_id)
        if before is None or before["from"]["id"] != self.id:
            raise ValueError("only a message of one's own can be edited")
        said, marks = ("text", "entities") if "text" in before else ("caption", "caption_entities")
        kept, found = formatted(text, None, MAX_TEXT, too_long="message is too long")
        after = {**before, said: kept, marks: found or None, "edit_date": int(bot.world.clock())}
        edited = bot.put(chat, {name: value for name, value in after.items() if value is not None})
        bot.push("edited_message", edited)
        return edited

    def delete(self, message_id: int, token: str | None = None) -> None:
        """Delete a message for both sides; no bot is ever told."""
        bot = self._bots(token)
        del bot.chat_with(self).messages[message_id]
        bot.world.changed(self)

    # ------------------------------------------------------------ one's own Telegram

    def connect(self, *, may_reply: bool = True, anew: bool = False, token: str | None = None) -> str:
        """Connect a bot to one's own Telegram, or change what it may there; what the connection is called.

        Args:
            anew: under another name, as when it was taken away in between.
        """
        bot = self._bots(token)
        return bot.world.correspondence.connect(bot, self, may_reply=may_reply, anew=anew).id

    def disconnect(self, token: str | None = None) -> None:
        """Take it away."""
        bot = self._bots(token)
        bot.world.correspondence.disconnect(bot, self)

    def writes_to(self, other: Person, text: str, *, reply_to: int | None = None, content: Json | None = None) -> Json:
        """Write to somebody, in one's own Telegram; the message as it stands there."""
        correspondence = self._bots(None).world.correspondence
        return correspondence.say(self, other, content or {"text": text}, reply_to)

    def sends_to(self, other: Person, kind: str, name: str, media_type: str, data: bytes, *, caption: str = "") -> Json:
        """Send somebody a file, in one's own Telegram."""
        kept = self._bots(None).keep(kind, data, name, media_type)
        return self.writes_to(other, "", content={**kept, "caption": caption or None})

    def edits_to(self, other: Person, number: int, text: str) -> None:
        """Edit a message of one's own in the chat with somebody."""
        self._bots(None).world.correspondence.edit(self, other, number, text)

    def deletes_with(self, other: Person, *numbers: int) -> None:
        """Delete messages of the chat with somebody, for both."""
        self._bots(None).world.correspondence.delete(self, other, numbers)

    def talk_with(self, other: Person) -> list[Json]:
        """The chat with somebody as it is on one's own screen, oldest first."""
        return list(self._bots(None).world.correspondence.chat(self, other).messages.values())

    def is_connected(self, token: str | None = None) -> bool:
        """Whether one's own Telegram is connected to a bot."""
        bot = self._bots(token)
        return bot.world.correspondence.is_connected(bot, self)

    # ------------------------------------------------------------ groups

    def send_to(
        self,
        group: Group,
        text: str,
        *,
        topic: int | None = None,
        reply_to: int | None = None,
        token: str | None = None,
    ) -> Json:
        """Write in a group."""
        return self.send_text(text, topic=topic, reply_to=reply_to, group=group, token=token)

    async def press_in(
        self, group: Group, message_id: int, data: str, *, token: str | None = None, seconds: float = 15.0
    ) -> Answer:
        """Press a button in a group; what one is told.

        Raises:
            TimeoutError: the press was not answered.
        """
        press = self._bots(token).press(self, message_id, data, group)
        async with asyncio.timeout(seconds):
            return await press.answered

    # ------------------------------------------------------------ topics

    def topics(self, token: str | None = None) -> list[Json]:
        """The topics of the chat with a bot, oldest first (Bot API, ForumTopic)."""
        return list(self.chat(token).topics.values())

    def open_topic(self, name: str, token: str | None = None) -> int:
        """Make a topic of one's own; its number. Bots are told."""
        bot = self._bots(token)
        chat = bot.chat_with(self)
        number: int = bot.open_topic(chat, self.as_user(), name, TOPIC_COLOURS[0])["message_thread_id"]
        bot.push("message", chat.messages[number])
        return number

    def close_topic(self, number: int, token: str | None = None) -> None:
        """Let nothing more into a topic."""
        self.chat(token).topics[number]["is_closed"] = True
        self._bots(token).world.changed(self)

    def delete_topic(self, number: int, token: str | None = None) -> None:
        """Delete a topic and all that stands in it; no bot is ever told."""
        self._bots(token).drop_topic(self.chat(token), number)

    # ------------------------------------------------------------ buttons and blocking

    async def press(self, message_id: int, data: str, *, token: str | None = None, seconds: float = 15.0) -> Answer:
        """Press a button by its data, whether or not it is still there; what one is told.

        Raises:
            TimeoutError: the press was not answered.
        """
        press = self._bots(token).press(self, message_id, data)
        async with asyncio.timeout(seconds):
            return await press.answered

    async def search(self, words: str, *, token: str | None = None, seconds: float = 15.0) -> list[Json]:
        """Type words after the bot's name; what it offers.

        Raises:
            TimeoutError: it offered nothing.
        """
        async with asyncio.timeout(seconds):
            return await self._bots(token).search(self, words)

    def pick(self, result: Json, *, reply_to: int | None = None, token: str | None = None) -> Json:
        """Press one of those: its words are sent to the bot's chat, in one's own name."""
        bot = self._bots(token)
        text = result["input_message_content"]["message_text"]
        return self.send_raw({"text": text, "via_bot": bot.as_user()}, reply_to=reply_to, token=token)

    def block(self, token: str | None = None) -> None:
        """Stop hearing from a bot; it is told."""
        self._set_blocked(self._bots(token), blocked=True)

    def unblock(self, token: str | None = None) -> None:
        """Let it write again; it is told."""
        self._set_blocked(self._bots(token), blocked=False)

    def _set_blocked(self, bot: DemoBot, *, blocked: bool) -> None:
        bot.chat_with(self).blocked = blocked
        free: Json = {"user": bot.as_user(), "status": "member"}
        kicked: Json = {"user": bot.as_user(), "status": "kicked", "until_date": 0}
        change = {"chat": self.as_chat(), "from": self.as_user(), "date": int(bot.world.clock())}
        before, after = (free, kicked) if blocked else (kicked, free)
        bot.push("my_chat_member", {**change, "old_chat_member": before, "new_chat_member": after})

    # ------------------------------------------------------------ seeing

    def messages(self, token: str | None = None) -> list[Json]:
        """The chat with a bot as it is on the screen, oldest first."""
        return list(self.chat(token).messages.values())

    async def wait_for(
        self, wanted: Callable[[Json], object] = bool, *, seconds: float = 10.0, token: str | None = None
    ) -> Json | None:
        """The newest message of the bot that is wanted, as soon as there is one; None when there is none in time."""
        chat = self.chat(token)
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self.saw.clear()
                    for message in reversed(chat.messages.values()):
                        if message["from"]["is_bot"] and wanted(message):
                            return message
                    await self.saw.wait()
        except TimeoutError:
            return None

    def file(self, file_id: str, token: str | None = None) -> tuple[str, str, bytes]:
        """A file of the chat: name, media type, octets.

        Raises:
            KeyError: there is none.
        """
        file = self._bots(token).files[file_id]
        return file.name, file.media_type, file.data

    def chat(self, token: str | None = None, *, group: Group | None = None) -> Chat:
        """The chat with a bot, or a group with it: its messages, topics, and what is pinned."""
        return self._bots(token).chat_with(group or self)
