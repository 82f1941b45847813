"""What of a list a secretary was not shown yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from handlers.desk import Desk
from handlers.drafts import current_key
from inbox.model import Conversation, Secretary, ShownKind, Status
from inbox.parts import ConversationId
from inbox.store.documents import CONVERSATIONS_HELD, SHOWN_CURRENT

MOST_HELD = 100
"""Of what is hers, the newest that are counted."""


async def unread(desk: Desk, secretary: Secretary, conversations: Iterable[Conversation]) -> frozenset[ConversationId]:
    """Those of which she has no card, or one from before their newest message: a look each, so of what is listed."""

    async def is_unread(conversation: Conversation) -> bool:
        key = current_key(secretary.id, ShownKind.CARD, conversation.id)
        card = await desk.store.find_by(SHOWN_CURRENT, key)
        return card is None or card.shown_inbound < conversation.inbound_count

    listed = list(conversations)
    found = await asyncio.gather(*(is_unread(each) for each in listed))
    return frozenset(each.id for each, new in zip(listed, found, strict=True) if new)


async def unread_of_hers(desk: Desk, secretary: Secretary) -> int:
    """How many of what is open and hers she was not shown whole yet."""
    held = await desk.store.list(CONVERSATIONS_HELD, secretary.id, Status.OPEN, descending=True, limit=MOST_HELD)
    return len(await unread(desk, secretary, held))
