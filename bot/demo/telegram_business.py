"""People's own Telegram: what two of them say to each other, and the bots they connect to it.

Source: Bot API, "Business": BusinessConnection, business_message, edited_business_message, deleted_business_messages.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot.demo.telegram_rules import Json, Params, bad
from bot.demo.telegram_state import Chat, DemoBot, Person

REPLY_WITHIN = 24 * 3600.0
"""Seconds after the other side's last message in which a bot may answer."""


@dataclass(slots=True)
class Connection:
    """One person's account, connected to one bot."""

    id: str
    person: Person
    at: float
    may_reply: bool = True
    enabled: bool = True

    def as_connection(self) -> Json:
        """Bot API, BusinessConnection."""
        return {
            "id": self.id,
            "user": self.person.as_user(),
            "user_chat_id": self.person.id,
            "date": int(self.at),
            "rights": {"can_reply": True} if self.may_reply else {},
            "is_enabled": self.enabled,
        }


@dataclass(slots=True)
class OwnTelegram:
    """One person's chats with other people; each account numbers its messages by itself."""

    person: Person
    talks: dict[int, Chat] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def with_(self, other: Person) -> Chat:
        """The chat with somebody."""
        return self.talks.setdefault(other.id, Chat(other, started=True))


class Correspondence:
    """Everybody's own Telegram, and who connected which bot to theirs."""

    def __init__(self, bots: Sequence[DemoBot]) -> None:
        self._bots = bots
        self._own: dict[int, OwnTelegram] = {}
        self._connections: dict[tuple[str, int], Connection] = {}

    def of(self, person: Person) -> OwnTelegram:
        """Somebody's own Telegram."""
        return self._own.setdefault(person.id, OwnTelegram(person))

    # ------------------------------------------------------------ connecting

    def connect(self, bot: DemoBot, person: Person, *, may_reply: bool, anew: bool = False) -> Connection:
        """Connect a bot, or change what it may; the bot is told.

        Args:
            anew: under another id, as when the bot was taken away in between.
        """
        known = self._connections.get((bot.token, person.id))
        if known is None or anew:
            known = Connection(secrets.token_urlsafe(12), person, bot.world.clock())
            self._connections[bot.token, person.id] = known
        known.may_reply, known.enabled = may_reply, True
        bot.push("business_connection", known.as_connection())
        return known

    def disconnect(self, bot: DemoBot, person: Person) -> None:
        """Take a bot away; it is told."""
        known = self._connections[bot.token, person.id]
        known.enabled = False
        bot.push("business_connection", known.as_connection())

    def find(self, bot: DemoBot, connection_id: object) -> Connection:
        """The connection a call names.

        Raises:
            Refusal: there is none.
        """
        for (token, _), known in self._connections.items():
            if token == bot.token and known.id == connection_id:
                return known
        raise bad("BUSINESS_CONNECTION_INVALID")

    # ------------------------------------------------------------ what is said

    def say(self, author: Person, peer: Person, content: Json, reply_to: int | None) -> Json:
        """Somebody writes to somebody else; the message as its author sees it. Bots either connected are told.

        Args:
            reply_to: a message by its number in the author's own Telegram.
        """
        written: list[Json] = []
        for person, other in ((author, peer), (peer, author)):
            own = self.of(person)
            chat = own.with_(other)
            replied = reply_to if person is author and reply_to in chat.messages else None
            message = self._bots[0].add(chat, author.as_user(), content, replied, number=next(own.numbers))
            written.append(message)
            self._tell(person, "business_message", message)
        return written[0]

    def edit(self, owner: Person, other: Person, number: int, text: str) -> None:
        """A message of a chat, edited by whoever wrote it; known by its number in the owner's own Telegram."""
        chat = self.of(owner).with_(other)
        edited = {**chat.messages[number], "text": text, "edit_date": int(self._bots[0].world.clock())}
        self._bots[0].put(chat, edited)
        self._tell(owner, "edited_business_message", edited)

    def delete(self, owner: Person, other: Person, numbers: Sequence[int]) -> None:
        """Messages taken out of a chat of the owner's."""
        chat = self.of(owner).with_(other)
        for number in numbers:
            del chat.messages[number]
        for bot, connection in self._connected(owner):
            gone = {"business_connection_id": connection.id, "chat": other.as_chat(), "message_ids": list(numbers)}
            bot.push("deleted_business_messages", gone)
        self._bots[0].world.changed(other)

    def outlet(self, bot: DemoBot, params: Params) -> tuple[Connection, Chat]:
        """Where a call with a business_connection_id sends.

        Raises:
            Refusal: the bot may not.
        """
        connection = self.find(bot, params["business_connection_id"])
        if not connection.enabled:
            raise bad("BUSINESS_CONNECTION_INVALID")
        if not connection.may_reply:
            raise bad("not enough rights to send messages on behalf of the business account")
        person = bot.world.people.get(int(str(params.get("chat_id") or 0)))
        if person is None:
            raise bad("chat not found")
        chat = self.of(connection.person).with_(person)
        since = bot.world.clock() - REPLY_WITHIN
        if not any(m["from"]["id"] == person.id and m["date"] > since for m in chat.messages.values()):
            raise bad("BUSINESS_PEER_USAGE_MISSING")
        return connection, chat

    def send(self, bot: DemoBot, params: Params, content: Json, replied: int | None) -> Json:
        """A bot writes in a person's name. Both see it; the bot is told of it as of what they write themselves."""
        connection, chat = self.outlet(bot, params)
        person = connection.person
        as_sent = {**content, "sender_business_bot": bot.as_user(), "business_connection_id": connection.id}
        sent = bot.add(chat, person.as_user(), as_sent, replied, number=next(self.of(person).numbers))
        there = self.of(chat.person)
        bot.add(there.with_(person), person.as_user(), content, number=next(there.numbers))
        bot.push("business_message", sent)
        return sent

    def _tell(self, person: Person, kind: str, message: Json) -> None:
        for bot, connection in self._connected(person):
            bot.push(kind, {**message, "business_connection_id": connection.id})

    def _connected(self, person: Person) -> list[tuple[DemoBot, Connection]]:
        found = ((bot, self._connections.get((bot.token, person.id))) for bot in self._bots)
        return [(bot, known) for bot, known in found if known is not None and known.enabled]
