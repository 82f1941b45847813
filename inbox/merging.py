"""Two conversations that are one matter, and one that is two: what moves, and what stays true of it.

The older one stays. What was said in the younger one joins it, so that answers
to either find it; the younger is closed and says where its words are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from inbox.assignment import is_supervisor, may_serve, require_serves
from inbox.conversations import event, subject_from_text
from inbox.deadlines import due
from inbox.drafts import changed, find_open, open_key
from inbox.errors import InvalidTransition
from inbox.matching import open_chat_key
from inbox.model import Account, Conversation, Direction, DraftState, Message, Presence, Receipt, Secretary, Status
from inbox.outbox import last_unsettled_reply
from inbox.parts import Because, ConversationId, SecretaryId, new_id
from inbox.set_aside import list_set_aside
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    CONVERSATION_IN_CHAT,
    DELIVERIES_OF_MESSAGE,
    DRAFT_OF_MESSAGE,
    DRAFTS_OF_CONVERSATION,
    MESSAGES_OF_CONVERSATION,
)
from inbox.styles import joined

MOST_MESSAGES = 200
"""More than that is moved in no one commit."""
_MOST_DRAFTS = 1000
_MOST_PARTICIPANTS = 100


async def messages_to_move(store: Store, conversation: Conversation) -> list[Message]:
    """All that was said in a conversation.

    Raises:
        InvalidTransition: it is too long to be moved.
    """
    messages = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, limit=MOST_MESSAGES + 1)
    if len(messages) > MOST_MESSAGES:
        raise InvalidTransition("error.too_long_to_move", count=str(MOST_MESSAGES))
    return messages


async def require_still(store: Store, conversation: Conversation) -> None:
    """Hold that nothing of a conversation is about to leave.

    Raises:
        InvalidTransition: a reply is on its way, may have left, or waits for its moment.
    """
    if await last_unsettled_reply(store, conversation.id) is not None:
        raise InvalidTransition("error.reply_pending")
    if await list_set_aside(store, conversation):
        raise InvalidTransition("error.reply_set_aside")


def require_say(conversation: Conversation, secretary: Secretary) -> None:
    """Hold that it is hers, nobody's, or that she answers for all.

    Raises:
        NotFound: it is not in an account she serves.
        InvalidTransition: somebody else holds it.
    """
    require_serves(secretary, conversation.account_id)
    if conversation.assignee_id not in (None, secretary.id) and not is_supervisor(secretary):
        raise InvalidTransition("error.number_held", number=str(conversation.number))


class Merged(NamedTuple):
    """The conversation that stays, the one that is gone, and all that changes; the caller balances who holds what."""

    stays: Conversation
    gone: Conversation
    changes: Changes


async def merged(store: Store, one: Conversation, other: Conversation, secretary: Secretary, now: datetime) -> Merged:
    """Two conversations made one.

    Drafts go along. Whoever wrote one before has not seen what joins it, and
    is shown that before anything leaves.

    Raises:
        InvalidTransition: they are of different accounts or channels, somebody else holds one, a reply is leaving.
        NotFound: one is not in an account she serves.
    """
    for each in (one, other):
        require_say(each, secretary)
        if each.merged_into is not None:
            raise InvalidTransition("error.merged_already", number=str(each.number))
    if one.id == other.id or one.account_id != other.account_id:
        raise InvalidTransition("error.merge_itself" if one.id == other.id else "error.merge_accounts")
    if (one.channel_id, one.chat_id, one.through) != (other.channel_id, other.chat_id, other.through):
        raise InvalidTransition("error.merge_channels")
    for each in (one, other):
        await require_still(store, each)
    stays, gone = sorted((one, other), key=lambda c: c.number)
    moving = await messages_to_move(store, gone)
    moved = [
        msgspec.structs.replace(
            message, conversation_id=stays.id, position=stays.message_count + n, opens=message.position == 1
        )
        for n, message in enumerate(moving, start=1)
    ]
    after = msgspec.structs.replace(
        stays,
        message_count=stays.message_count + len(moved),
        inbound_count=stays.inbound_count + gone.inbound_count,
        last_message_at=max(stays.last_message_at, gone.last_message_at),
        participants=tuple(dict.fromkeys((*stays.participants, *gone.participants)))[:_MOST_PARTICIPANTS],
        tags=tuple(dict.fromkeys((*stays.tags, *gone.tags))),
        priority=min(stays.priority, gone.priority),
        because=Because(key="because.merged", args={"number": str(gone.number), "name": secretary.name}),
    )
    if (alive := [c for c in (stays, gone) if c.status is not Status.CLOSED]) != []:
        waiting = min((c.waiting_since_at for c in alive if c.waiting_since_at is not None), default=None)
        holder = await _holder(store, alive, is_waiting=waiting is not None)
        after = msgspec.structs.replace(
            after,
            status=Status.OPEN,
            closed_at=None,
            snoozed_until_at=None,
            assignee_id=holder,
            assigned_at=(stays.assigned_at or gone.assigned_at or now) if holder else None,
            queued_at=None if holder else (stays.queued_at or gone.queued_at or waiting or now),
            waiting_since_at=waiting,
            answer_by_at=min((c.answer_by_at for c in alive if c.answer_by_at is not None), default=None),
            open_chat=await _open_chat(store, stays, gone),
        )
    emptied = msgspec.structs.replace(
        gone,
        status=Status.CLOSED,
        closed_at=gone.closed_at or now,
        queued_at=None,
        snoozed_until_at=None,
        waiting_since_at=None,
        answer_by_at=None,
        open_chat=None,
        merged_into=stays.id,
        merged_number=stays.number,
        because=Because(key="because.merged_into", args={"number": str(stays.number), "name": secretary.name}),
    )
    changes = Changes(
        replacements=[after, emptied, *moved],
        inserts=[
            event("merged", after, now, actor=secretary, detail={"number": str(gone.number)}),
            event("merged_into", emptied, now, actor=secretary, detail={"number": str(stays.number)}),
        ],
    )
    changes += await _what_belongs(store, moved, stays.id)
    changes += await _drafts_moved(store, gone, stays, now)
    return Merged(after, emptied, changes)


async def _holder(store: Store, alive: Sequence[Conversation], *, is_waiting: bool) -> SecretaryId | None:
    """Who holds what two became: the first of their holders; of what waits for an answer, the first who is there."""
    for holder_id in (c.assignee_id for c in alive):
        if holder_id is None:
            continue
        presence = await store.find(Presence, holder_id)
        holder = await store.get(Secretary, holder_id)
        is_there = presence is not None and presence.on_duty and may_serve(holder, alive[0].account_id)
        if is_there or not is_waiting:
            return holder_id
    return None


async def _open_chat(store: Store, stays: Conversation, gone: Conversation) -> str | None:
    """The chat's key, unless a third conversation of that chat has it."""
    if stays.open_chat or gone.open_chat or stays.chat_id is None:
        return stays.open_chat or gone.open_chat
    key = open_chat_key(stays.channel_id, stays.chat_id, stays.account_id, stays.through)
    return None if await store.find_by(CONVERSATION_IN_CHAT, key) is not None else key


async def _what_belongs(store: Store, messages: Sequence[Message], conversation_id: ConversationId) -> Changes:
    """Receipts, deliveries and sent drafts go where their messages went: only its own is erased with a conversation."""
    receipts = await store.find_many(Receipt, {m.receipt_id for m in messages if m.receipt_id is not None})
    changes = Changes(
        replacements=[msgspec.structs.replace(r, conversation_id=conversation_id) for r in receipts.values()]
    )
    for message in messages:
        deliveries = await store.list(DELIVERIES_OF_MESSAGE, message.id)
        draft = await store.find_by(DRAFT_OF_MESSAGE, message.id)
        changes += Changes(
            replacements=[
                msgspec.structs.replace(each, conversation_id=conversation_id)
                for each in (*deliveries, *([draft] if draft is not None else []))
            ]
        )
    return changes


async def _drafts_moved(store: Store, gone: Conversation, stays: Conversation, now: datetime) -> Changes:
    """Open drafts go where the words went, behind what their author writes there already."""
    changes = Changes()
    for draft in await store.list(DRAFTS_OF_CONVERSATION, gone.id, limit=_MOST_DRAFTS):
        if draft.state is not DraftState.OPEN:
            continue
        there = await find_open(store, stays.id, draft.author_id)
        if there is None:
            moved = msgspec.structs.replace(
                changed(draft, now), conversation_id=stays.id, open_key=open_key(stays.id, draft.author_id)
            )
            changes += Changes(replacements=[moved])
            continue
        longer = msgspec.structs.replace(
            changed(there, now),
            text="\n\n".join(filter(None, (there.text, draft.text))),
            styles=joined(there.text, there.styles, draft.text, draft.styles),
            attachments=(*there.attachments, *draft.attachments),
            source_key=None,
            sources=(*there.sources, *draft.sources),
        )
        left = msgspec.structs.replace(changed(draft, now), state=DraftState.DISCARDED, open_key=None, attachments=())
        changes += Changes(replacements=[longer, left])
    return changes


async def split(
    store: Store, conversation: Conversation, message: Message, number: int, secretary: Secretary, now: datetime
) -> tuple[Conversation, Changes]:
    """One message of a conversation made a conversation of its own, and what changes.

    What a writer must have seen of the old one stays as it was: nothing counts as read because something left.

    Raises:
        InvalidTransition: it is none of its contacts' messages, or the only one, or a reply is leaving.
    """
    require_say(conversation, secretary)
    if message.conversation_id != conversation.id or message.direction is not Direction.INBOUND:
        raise InvalidTransition("error.list_changed")
    if conversation.chat_id is not None:
        raise InvalidTransition("error.split_chat")
    if conversation.inbound_count < 2:
        raise InvalidTransition("error.split_only")
    await require_still(store, conversation)
    holder = await _holder(store, [conversation], is_waiting=True)
    new = Conversation(
        id=ConversationId(new_id()),
        number=number,
        account_id=conversation.account_id,
        contact_id=conversation.contact_id,
        channel_id=conversation.channel_id,
        subject=message.subject or subject_from_text(message.text),
        assignee_id=holder,
        assigned_at=now if holder else None,
        because=Because(key="because.split", args={"number": str(conversation.number), "name": secretary.name}),
        queued_at=None if holder else now,
        waiting_since_at=message.created_at,
        opened_at=now,
        last_message_at=message.created_at,
        message_count=1,
        inbound_count=1 + len(message.revisions),
        participants=tuple(dict.fromkeys((message.author_address, *message.recipients)))[:_MOST_PARTICIPANTS],
        related_to=conversation.id,
        related_number=conversation.number,
    )
    new = due(new, await store.get(Account, new.account_id))
    moved = msgspec.structs.replace(message, conversation_id=new.id, position=1)
    lines = [
        event("split", conversation, now, actor=secretary, detail={"number": str(number), "message": message.id}),
        event("opened", new, now, actor=secretary),
    ]
    changes = Changes(replacements=[moved], expectations=[conversation], inserts=[new, *lines])
    return new, changes + await _what_belongs(store, [moved], new.id)


def candidates(conversation: Conversation, others: Sequence[Conversation]) -> list[Conversation]:
    """What of a contact's conversations one can be merged with: those of the same channel, open ones first."""
    fit = [
        c
        for c in others
        if c.id != conversation.id
        and c.merged_into is None
        and (c.account_id, c.channel_id, c.chat_id, c.through)
        == (conversation.account_id, conversation.channel_id, conversation.chat_id, conversation.through)
    ]
    return sorted(fit, key=lambda c: c.status is Status.CLOSED)
