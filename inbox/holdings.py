"""All we hold about a person: what `forget` erases and `export` hands out. Never another's, nor another account's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from inbox import proofs
from inbox.erasure import belongings
from inbox.forgetting import MOST_OF_SEVERAL, Traces, Whose, is_theirs, takes_part
from inbox.model import Conversation, Delivery, Direction, Draft, Event, Message, Proof, Receipt
from inbox.parts import ContactId
from inbox.personal import FIELDS, Holds
from inbox.store.base import Store
from inbox.store.documents import CONVERSATIONS_OF_CONTACT

PAGE = 500
MOST_CONVERSATIONS = 100_000


class Share(NamedTuple):
    """What of one conversation is about a person."""

    conversation: Conversation
    messages: list[Message]
    drafts: list[Draft]
    deliveries: list[Delivery]
    events: list[Event]
    others: int
    """Messages of other people in it, which are not theirs to have."""


async def conversations_of(store: Store, traces: Traces) -> AsyncIterator[Conversation]:
    """Every conversation a person takes part in: their own first, then those of others."""
    own = await store.list(CONVERSATIONS_OF_CONTACT, traces.contact.id, limit=MOST_CONVERSATIONS)
    for conversation in own:
        yield conversation
    after, seen = "", {conversation.id for conversation in own}
    while page := await store.scan(Conversation, after=after, limit=PAGE):
        for conversation in page:
            if conversation.id not in seen and takes_part(traces, conversation):
                yield conversation
        after = page[-1].id


async def share_of(store: Store, traces: Traces, conversation: Conversation) -> Share:
    """What of this conversation is about the person; all of it, where nobody else wrote."""
    found = await belongings(store, conversation, MOST_OF_SEVERAL)
    own = conversation.contact_id == traces.contact.id
    alone = own and all(traces.wrote(m) for m in found.messages if m.direction is Direction.INBOUND)
    share = [m for m in found.messages if alone or traces.wrote(m) or traces.was_told(m)]
    named = {m.id for m in share}
    handed_on = [_as_written(m) for m in found.messages if m.id not in named and traces.first_wrote(m)]
    messages = sorted((*share, *handed_on), key=lambda message: message.position)
    return Share(
        conversation,
        messages,
        drafts=[d for d in found.drafts if alone or d.message_id in named or (own and d.message_id is None)],
        deliveries=[d for d in found.deliveries if d.message_id in named],
        events=[e for e in found.events if alone or e.actor in traces.ids],
        others=len(found.messages) - len(messages),
    )


def _as_written(message: Message) -> Message:
    """What somebody handed on, as its writer wrote it: nothing of whoever did."""
    forward = message.particulars.forwards[0]
    return Message(
        id=message.id,
        account_id=message.account_id,
        conversation_id=message.conversation_id,
        position=message.position,
        direction=message.direction,
        channel_id=message.channel_id,
        author_id=ContactId(""),
        author_name=forward.name,
        author_address=forward.address,
        subject=forward.subject,
        text=forward.text,
        external_id=forward.external_id,
        written_at=forward.written_at,
        created_at=message.created_at,
    )


async def asked_to_prove(store: Store, traces: Traces) -> list[Proof]:
    """What they were asked to prove of late: that an address is theirs. What others claim is not theirs to have."""
    return [p async for p in proofs.everyones(store, traces.contact.account_id) if p.contact_id in traces.ids]


async def other_receipts(store: Store, traces: Traces) -> AsyncIterator[Receipt]:
    """What they sent that led to no conversation: a start, a press, what could not be read."""
    whose, after = await Whose.of(store, traces), ""
    while page := await store.scan(Receipt, after=after, limit=PAGE):
        for receipt in page:
            if receipt.erased_at is None and await is_theirs(store, whose, receipt):
                yield receipt
        after = page[-1].id


def plain(struct: msgspec.Struct, traces: Traces) -> dict[str, Any]:
    """A document for its subject to read: nothing of those who work at the desk, or of anybody else."""
    shown: dict[str, Any] = {}
    for field, holds in FIELDS[type(struct)].items():
        if holds is not Holds.DESK and field != "version":
            shown[field] = _plain(getattr(struct, field), traces)
    match struct:
        case Conversation():
            shown["participants"] = [p for p in struct.participants if p in traces.mail]
        case Message(direction=Direction.INBOUND):
            pass
        case Message():
            del shown["author_name"], shown["author_id"]
        case Event():
            del shown["detail"]
            if struct.actor not in traces.ids:
                del shown["actor_name"], shown["actor"]
    return shown


def _plain(value: Any, traces: Traces) -> Any:
    match value:
        case msgspec.Struct():
            return plain(value, traces)
        case tuple():
            return [_plain(v, traces) for v in value]
        case datetime():
            return value.isoformat()
    return msgspec.to_builtins(value)
