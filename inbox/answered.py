"""What was answered in an account's name, as whom it belongs to may see it: without a word about who wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from inbox.model import Contact, Conversation, DeliveryState, Direction, Message, Status
from inbox.outbox import list_replies
from inbox.parts import AccountId
from inbox.store.base import Store
from inbox.store.documents import CONVERSATIONS_OF_ACCOUNT, MESSAGES_OF_CONVERSATION

ON_A_PAGE = 5
MOST_LOOKED_AT = 60
"""Conversations of an account, the newest, that are looked through."""
_OF_ONE = 12


class Answer(NamedTuple):
    """A reply that left, to whom, and about what."""

    message: Message
    conversation: Conversation
    contact: str


async def list_answers(store: Store, accounts: Sequence[AccountId]) -> list[Answer]:
    """The newest replies that left in the name of these accounts, the newest first."""
    found: list[Answer] = []
    for account_id in accounts:
        conversations: list[Conversation] = []
        for status in Status:
            conversations += await store.list(
                CONVERSATIONS_OF_ACCOUNT, account_id, status, descending=True, limit=MOST_LOOKED_AT
            )
        conversations.sort(key=lambda c: c.last_message_at, reverse=True)
        del conversations[MOST_LOOKED_AT:]
        contacts = await store.find_many(Contact, {c.contact_id for c in conversations})
        for conversation in conversations:
            newest = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, descending=True, limit=_OF_ONE)
            name = contacts[conversation.contact_id].name if conversation.contact_id in contacts else ""
            found += [
                Answer(message, conversation, name)
                for message in newest
                if message.direction is Direction.OUTBOUND and await has_left(store, message)
            ]
    return sorted(found, key=lambda a: a.message.created_at, reverse=True)


async def has_left(store: Store, message: Message) -> bool:
    """Whether a reply, or a part of it, is on its way to whom it is for."""
    return any(d.state is DeliveryState.SENT for d in await list_replies(store, message.id))
