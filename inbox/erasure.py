"""How a conversation is erased with all that hangs on it; what stays is what the ledger needs."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from inbox.assignment import balance
from inbox.errors import StillInUse
from inbox.machinery import DeskKey
from inbox.matching import full_id
from inbox.model import (
    Alarm,
    Conversation,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Direction,
    Draft,
    Event,
    Message,
    Receipt,
    ReceiptState,
    Shown,
    ShownKind,
    Status,
    Topic,
)
from inbox.notices import Letter
from inbox.parts import AccountId, BlobId, ContactId
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    DELIVERIES_OF_CONVERSATION,
    DRAFTS_OF_CONVERSATION,
    EVENTS_OF_CONVERSATION,
    MESSAGES_OF_CONVERSATION,
    RECEIPTS_OF_CONVERSATION,
    SHOWN_OF_CONVERSATION,
    TOPICS,
)

MOST_AT_ONCE = 400
"""Documents of a kind one commit erases of a conversation. Nearly every conversation goes whole or not at all."""
LEAVING = frozenset({DeliveryState.QUEUED, DeliveryState.DUE, DeliveryState.LEASED})


# ---------------------------------------------------------------- what the ledger keeps


def erased_key(key: DeskKey, account_id: AccountId, external_id: str) -> str:
    """What an erased message is known by should its mail server hand it over again; nobody can read it back."""
    said = "\x00".join((account_id, external_id)).encode("utf-8", "surrogatepass")
    return hmac.new(key.secret, said, hashlib.sha256).hexdigest()


def without_raw(receipt: Receipt, now: datetime, known_as: str | None = None, *, at_once: bool = False) -> Changes:
    """The receipt reduced to what the ledger needs: that something came, by which channel, when, and its end.

    A mail's source key stays, so that whoever compares with the server's own
    list does not take it in again. An update's goes: Telegram uses its numbers
    again, and there is nothing left by which a newer one could be told from it.

    Args:
        known_as: see `erased_key`.
        at_once: it was received just now, and may be handed over again: an update's source key stays as well.

    Raises:
        StillInUse: it waits to be handled.
    """
    if receipt.state is ReceiptState.WAITING:
        raise StillInUse("a receipt waits to be handled")
    by_chat = receipt.channel_id.startswith("telegram:")
    rest = msgspec.structs.replace(
        receipt,
        lane=receipt.channel_id,
        source_key=None if by_chat and not at_once else receipt.source_key,
        conversation_id=None,
        error=None if receipt.error is None else "its raw form was erased",
        erased_at=now,
        erased_key=known_as or receipt.erased_key,
    )
    return Changes(replacements=[rest], blob_deletions=[receipt.blob_id])


# ---------------------------------------------------------------- what hangs on a conversation


class Belongings(NamedTuple):
    """What hangs on one conversation, or the first few hundred of each kind."""

    messages: Sequence[Message]
    drafts: Sequence[Draft]
    deliveries: Sequence[Delivery]
    shown: Sequence[Shown]
    events: Sequence[Event]
    receipts: Sequence[Receipt]
    topics: Sequence[Topic]
    whole: bool
    """There is nothing more of it."""


async def belongings(store: Store, conversation: Conversation, limit: int = MOST_AT_ONCE) -> Belongings:
    """What hangs on a conversation, up to `limit` documents of each kind."""
    messages = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, limit=limit)
    drafts = await store.list(DRAFTS_OF_CONVERSATION, conversation.id, limit=limit)
    events = await store.list(EVENTS_OF_CONVERSATION, conversation.id, limit=limit)
    receipts = await store.list(RECEIPTS_OF_CONVERSATION, conversation.id, limit=limit)
    deliveries: list[Delivery] = []
    for kind in DeliveryKind:
        for state in DeliveryState:
            deliveries += await store.list(DELIVERIES_OF_CONVERSATION, conversation.id, kind, state, limit=limit)
    shown: list[Shown] = []
    for what in ShownKind:
        shown += await store.list(SHOWN_OF_CONVERSATION, conversation.id, what, limit=limit)
    named = await store.find_many(Receipt, {m.receipt_id for m in messages if m.receipt_id})
    # Of several mails that one handed on, each has a raw form of its own but the first, whose receipt it is.
    raw = {m.blob_id for m in messages}
    came = (r for r in named.values() if r.blob_id in raw or r.conversation_id == conversation.id)
    receipts = list({r.id: r for r in (*came, *receipts) if r.erased_at is None}.values())
    topics = await store.list(TOPICS, conversation.id, limit=limit)
    found = (messages, drafts, deliveries, shown, events, receipts, topics)
    return Belongings(*found, whole=all(len(documents) < limit for documents in found))


def require_unused(deliveries: Iterable[Delivery], *, undecided: bool) -> None:
    """Hold that no reply is about to leave.

    Args:
        undecided: whether one that waits for a person's decision may go all the same.

    Raises:
        StillInUse: one is.
    """
    waiting = LEAVING if undecided else LEAVING | {DeliveryState.UNKNOWN, DeliveryState.DEAD}
    if any(d.kind is DeliveryKind.REPLY and d.state in waiting for d in deliveries):
        raise StillInUse("a reply has not left yet")


def gone(
    key: DeskKey,
    now: datetime,
    *,
    messages: Iterable[Message] = (),
    drafts: Iterable[Draft] = (),
    deliveries: Iterable[Delivery] = (),
    shown: Iterable[Shown] = (),
    events: Iterable[Event] = (),
    receipts: Iterable[Receipt] = (),
    topics: Iterable[Topic] = (),
) -> Changes:
    """All of these erased, with their raw forms and letters.

    Raises:
        StillInUse: one of the receipts waits to be handled.
    """
    messages, drafts, deliveries = list(messages), list(drafts), list(deliveries)
    blobs: list[BlobId] = [m.blob_id for m in messages if m.blob_id]
    files = [file for m in messages for file in m.attachments] + [file for d in drafts for file in d.attachments]
    blobs += [file.blob_id for file in files if file.blob_id]
    blobs += [d.payload.blob_id for d in deliveries if isinstance(d.payload, Letter)]
    known_as = {m.receipt_id: erased_key(key, m.account_id, full_id(m)) for m in messages if m.receipt_id}
    changes = Changes(deletions=[*messages, *drafts, *deliveries, *shown, *events, *topics], blob_deletions=blobs)
    for receipt in receipts:
        changes += without_raw(receipt, now, known_as.get(receipt.id))
    return changes


class Erasure(NamedTuple):
    """A commit on the way to a conversation's end, and whether that is the last."""

    changes: Changes
    done: bool


async def erase(store: Store, key: DeskKey, conversation: Conversation, now: datetime, *, undecided: bool) -> Erasure:
    """The next commit that erases a conversation; nearly always the only one.

    While there is more to come, the conversation is closed and says nothing;
    whatever changes it meanwhile conflicts with that commit.

    Args:
        undecided: a reply that waits for a person's decision is erased too; else it keeps the conversation.

    Raises:
        StillInUse: a reply is about to leave, or a receipt waits.
    """
    found = await belongings(store, conversation)
    require_unused(found.deliveries, undecided=undecided)
    changes = gone(
        key,
        now,
        messages=found.messages,
        drafts=found.drafts,
        deliveries=found.deliveries,
        shown=found.shown,
        events=found.events,
        receipts=found.receipts,
        topics=found.topics,
    )
    emptied = msgspec.structs.replace(
        conversation,
        subject="",
        status=Status.CLOSED,
        closed_at=conversation.closed_at or now,
        assignee_id=None,
        assigned_at=None,
        because=None,
        queued_at=None,
        waiting_since_at=None,
        answer_by_at=None,
        participants=(),
        chat_id=None,
        open_chat=None,
    )
    changes += await balance(store, conversation, emptied, now)
    if (alarm := await store.find(Alarm, conversation.id)) is not None:
        changes += Changes(deletions=[alarm])
    if found.whole:
        return Erasure(changes + Changes(deletions=[conversation]), done=True)
    return Erasure(changes + Changes(replacements=[emptied]), done=False)


def writers(messages: Iterable[Message]) -> set[ContactId]:
    """The contacts who wrote these."""
    return {ContactId(m.author_id) for m in messages if m.direction is Direction.INBOUND}
