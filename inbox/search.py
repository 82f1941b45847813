"""A search over everything a secretary may see: the conversations in which her words stand, newest first."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from inbox.assignment import is_supervisor, may_serve
from inbox.model import Address, Contact, Conversation, Message, Secretary
from inbox.parts import UNSORTED, ConversationId
from inbox.store.base import D, Store
from inbox.store.documents import CONVERSATION_BY_NUMBER, CONVERSATIONS_OF_CONTACT
from inbox.words import Sought, passage, sought

MOST_HITS = 80
"""Documents of a kind that are looked at, the newest."""
MOST_FOUND = 40
"""Conversations a search gives."""
MOST_CONTACTS = 20
MOST_OF_ONE = 10
"""Conversations of one contact whose name or address was found."""
LONGEST_QUERY = 200
_NUMBER = re.compile(r"\s*#?\s*(\d{1,9})\s*\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Found:
    """A conversation that was found, and the message in which the words stand, if one has them."""

    conversation: Conversation
    message: Message | None
    asked: Sought

    def passage(self) -> str:
        """Where the words stand, with what surrounds them; "" where the conversation's own line says it."""
        if self.message is None:
            return ""
        names = ", ".join(attachment.name for attachment in self.message.attachments)
        places = (self.message.text, names, self.message.author_address)
        return next(filter(None, (passage(place, self.asked) for place in places)), "")


async def search(store: Store, secretary: Secretary, query: str) -> list[Found]:
    """The newest conversations in which all the words stand, in one message, or in the names of one contact.

    Words in quotation marks stand there next to one another, in that order.
    Closed ones and those of blocked contacts are among them; what she may not
    serve never is. The one of that number comes first, where the query is one.
    """
    query = query[:LONGEST_QUERY]
    asked = sought(query)
    numbered = await _numbered(store, query)
    # The number sign means the conversation and nothing else.
    if not asked or ("#" in query and numbered is not None):
        return [Found(c, None, asked) for c in (numbered,) if c is not None and may_serve(secretary, c.account_id)]
    look = _Look(store, secretary, asked)
    messages, matters, contacts, addresses = await asyncio.gather(
        look.through(Message, MOST_HITS),
        look.through(Conversation, MOST_FOUND),
        look.through(Contact, MOST_CONTACTS),
        look.through(Address, MOST_CONTACTS),
    )
    said: dict[ConversationId, Message] = {}
    for message in messages:
        if may_serve(secretary, message.account_id):
            said.setdefault(message.conversation_id, message)
    found = {c.id: c for c in matters} | {c.id: c for c in (await store.find_many(Conversation, said)).values()}
    for contact_id in dict.fromkeys([*(c.id for c in contacts), *(a.contact_id for a in addresses)]):
        theirs = await store.list(CONVERSATIONS_OF_CONTACT, contact_id, descending=True, limit=MOST_OF_ONE)
        found |= {c.id: c for c in theirs}
    newest = sorted(found.values(), key=lambda c: (c.last_message_at, c.id), reverse=True)
    if numbered is not None:
        newest = [numbered, *(c for c in newest if c.id != numbered.id)]
    served = [c for c in newest if may_serve(secretary, c.account_id)]
    return [Found(c, said.get(c.id), asked) for c in served[:MOST_FOUND]]


async def _numbered(store: Store, query: str) -> Conversation | None:
    number = _NUMBER.match(query)
    return None if number is None else await store.find_by(CONVERSATION_BY_NUMBER, int(number[1]))


class _Look:
    """What one secretary looks for, within her walls."""

    def __init__(self, store: Store, secretary: Secretary, asked: Sought) -> None:
        self._store = store
        self._asked = asked
        unsorted = is_supervisor(secretary)
        self._within = None if secretary.accounts is None else (*secretary.accounts, *([UNSORTED] if unsorted else ()))
        self._outside = None if unsorted else UNSORTED

    async def through(self, kind: type[D], limit: int) -> Sequence[D]:
        # Whole words first: of a common word those are enough, and all that begins with it is many times as much.
        begun = (self._asked.begun,) if self._asked.begun else ()
        whole = self._asked._replace(words=(*self._asked.words, *begun), begun=None)
        found = await self._ask(kind, whole, limit)
        if len(found) < limit and self._asked.begun:
            found = await self._ask(kind, self._asked, limit)
        return found

    async def _ask(self, kind: type[D], asked: Sought, limit: int) -> Sequence[D]:
        return await self._store.search(kind, asked, self._within, outside=self._outside, limit=limit)
