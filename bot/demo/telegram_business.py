"""People's own Telegram: what two of them say to each other, and the bots they connect to it.

Source: Bot API, "Business": BusinessConnection, business_message, edited_business_message, deleted_business_messages.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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


class Correspondence:
    """Everybody's own Telegram, and who connected which bot to theirs."""

    def __init__(self, bots: Sequence[DemoBot]) -> None:
        self._bots = bots
        self._chats: dict[tuple[int, int], Chat] = {}
        self._numbers: dict[frozenset[int], Iterator[int]] = {}
        self._connections: dict[tuple[str, int], Connection] = {}

    def chat(self, person: Person, other: Person) -> Chat:
        """The chat with somebody, as it stands in a person's own Telegram."""
        return self._chats.setdefault((person.id, other.id), Chat(other, started=True))

    def _next(self, person: Person, other: Person) -> int:
        """In Telegram each account numbers its messages by itself. Here the two sides of a chat have the same."""
        return next(self._numbers.setdefault(frozenset({person.id, other.id}), itertools.count(1)))

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
        """Somebody writes to somebody else; the message as its author sees it. Bots either connected are told."""
        number, written = self._next(author, peer), []
        for person, other in ((author, peer), (peer, author)):
            chat = self.chat(person, other)
            replied = reply_to if reply_to in chat.messages else None
            written.append(self._bots[0].add(chat, author.as_user(), content, replied, number=number))
            self._tell(person, "business_message", written[-1])
        return written[0]

    def edit(self, author: Person, peer: Person, number: int, text: str) -> None:
        """Whoever wrote a message edits it; a bot writes as the person in whose name it does.

        Raises:
            ValueError: it is not theirs.
        """
        if self.chat(author, peer).messages[number]["from"]["id"] != author.id:
            raise ValueError("only a message of one's own can be edited")
        for person, other in ((author, peer), (peer, author)):
            chat = self.chat(person, other)
            edited = {**chat.messages[number], "text": text, "edit_date": int(self._bots[0].world.clock())}
            self._bots[0].put(chat, edited)
            self._tell(person, "edited_business_message", edited)

    def delete(self, one: Person, other: Person, numbers: Sequence[int]) -> None:
        """Take messages out of the chat of two people, for both."""
        for person, peer in ((one, other), (other, one)):
            chat = self.chat(person, peer)
            for number in numbers:
                del chat.messages[number]
            for bot, connection in self._connected(person):
                gone = {"business_connection_id": connection.id, "chat": peer.as_chat(), "message_ids": [*numbers]}
                bot.push("deleted_business_messages", gone)
            self._bots[0].world.changed(peer)

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
        chat = self.chat(connection.person, person)
        since = bot.world.clock() - REPLY_WITHIN
        if not any(m["from"]["id"] == person.id and m["date"] > since for m in chat.messages.values()):
            raise bad("BUSINESS_PEER_USAGE_MISSING")
        return connection, chat

    def send(self, bot: DemoBot, params: Params, content: Json, replied: int | None) -> Json:
        """A bot writes in a person's name. Both see it; the bot is told of it as of what they write themselves."""
        connection, chat = self.outlet(bot, params)
        person, number = connection.person, self._next(connection.person, chat.person)
        as_sent = {**content, "sender_business_bot": bot.as_user(), "business_connection_id": connection.id}
        sent = bot.add(chat, person.as_user(), as_sent, replied, number=number)
        bot.add(self.chat(chat.person, person), person.as_user(), content, replied, number=number)
        bot.push("business_message", sent)
        return sent

    def is_connected(self, bot: DemoBot, person: Person) -> bool:
        """Whether somebody has connected a bot, and not taken it away."""
        return any(each is bot for each, _ in self._connected(person))

    def _tell(self, person: Person, kind: str, message: Json) -> None:
        for bot, connection in self._connected(person):
            bot.push(kind, {**message, "business_connection_id": connection.id})

    def _connected(self, person: Person) -> list[tuple[DemoBot, Connection]]:
        found = ((bot, self._connections.get((bot.token, person.id))) for bot in self._bots)
        return [(bot, known) for bot, known in found if known is not None and known.enabled]
