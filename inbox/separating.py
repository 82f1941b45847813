"""One address of a contact made a contact of its own: who was taken for one person turns out to be two."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from inbox.blots import BLOT
from inbox.contacts import MOST_JOINED, address_in, address_name
from inbox.conversations import event
from inbox.errors import InvalidTransition
from inbox.model import Address, Contact, Conversation, Direction, Event, Message, Secretary
from inbox.parts import ContactId, new_id
from inbox.proofs import PROVED
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    ADDRESSES_OF_CONTACT,
    CONVERSATIONS_OF_CONTACT,
    EVENTS_OF_CONVERSATION,
    MESSAGES_OF_CONVERSATION,
)

MOST_ADDRESSES = 100
MOST_READ = 1500
"""Conversations and messages of a contact that are gone through: of a longer history nothing is taken out."""


def reachable(addresses: Sequence[Address]) -> list[Address]:
    """The addresses that lead to somebody, in one order: a call without a number leaves one that does not."""
    return sorted((a for a in addresses if not a.value.startswith("unknown:")), key=lambda a: a.id)


class Separated(NamedTuple):
    """Who is at the address now, the conversations that are theirs, and all that changes."""

    contact: Contact
    conversations: Sequence[Conversation]
    changes: Changes


async def separated(store: Store, contact: Contact, address_id: str, secretary: Secretary, now: datetime) -> Separated:
    """An address of a contact, its conversations and what was written from it, as a contact of its own.

    What was noted of the contact, their language, and that they are blocked stays as it is. A conversation in which
    they wrote from another address too stays theirs, with the new one as somebody else who writes in it.

    Raises:
        InvalidTransition: it is no address of theirs any more, or the only one, or their history is too long.
    """
    addresses = await store.list(ADDRESSES_OF_CONTACT, contact.id, limit=MOST_ADDRESSES)
    reached = reachable(addresses)
    address = next((a for a in reached if a.id == address_id), None)
    if address is None:
        raise InvalidTransition("error.list_changed")
    if len(reached) < 2:
        raise InvalidTransition("error.only_address")
    conversations = await store.list(CONVERSATIONS_OF_CONTACT, contact.id, descending=True, limit=MOST_READ + 1)
    theirs: list[Message] = []
    going: list[Conversation] = []
    read = len(conversations)
    for conversation in conversations:
        messages = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, limit=MOST_READ + 1)
        read += len(messages)
        if read > MOST_READ:
            break
        wrote = [m for m in messages if m.direction is Direction.INBOUND and m.author_id == contact.id]
        theirs += [m for m in wrote if m.author_address == address.value]
        if _is_by(address, conversation, wrote, addresses):
            going.append(conversation)
    if read > MOST_READ or max(len(theirs), len(going)) > MOST_JOINED:
        raise InvalidTransition("error.too_long_to_move", count=str(MOST_JOINED))
    name = address.former_name or (max(theirs, key=lambda m: m.created_at).author_name if theirs else "")
    others = [a for a in addresses if a.id != address.id]
    former = {address.former_id} - {None, *(a.former_id for a in others)}
    named = {name, address.former_name} - {a.former_name for a in others}
    new = Contact(
        id=ContactId(new_id()),
        account_id=contact.account_id,
        name=name or address.value,
        language=contact.language,
        barred_at=contact.barred_at,
        former_ids=tuple(each for each in contact.former_ids if each in former),
        # What was pressed at the desk since then may show them (`inbox.forgetting`).
        created_at=min((m.created_at for m in theirs), default=now),
    )
    left = msgspec.structs.replace(
        contact,
        former_ids=tuple(each for each in contact.former_ids if each not in former),
        former_names=tuple(each for each in contact.former_names if each not in named),
    )
    # Neither is named where the other is erased: only in what is their own.
    lines = [event("address_taken_out", c, now, actor=secretary) for c in conversations if c not in going][:1]
    detail = {"address": address_name(address), "other": new.name}
    lines += [event("separated", c, now, actor=secretary, detail=detail) for c in going[:1]]
    moved = [msgspec.structs.replace(c, contact_id=new.id) for c in going]
    changes = Changes(
        inserts=[new, *lines],
        replacements=[
            left,
            msgspec.structs.replace(address, contact_id=new.id, former_id=None, former_name=""),
            *moved,
            *await _unproved(store, conversations),
            *(msgspec.structs.replace(m, author_id=new.id) for m in theirs),
        ],
    )
    return Separated(new, moved, changes)


async def _unproved(store: Store, conversations: Sequence[Conversation]) -> list[Event]:
    """The lines that said by which proof they were one person, without who that was: it names each beside the other."""
    lines: list[Event] = []
    for conversation in conversations:
        found = await store.list(EVENTS_OF_CONVERSATION, conversation.id, limit=MOST_READ)
        lines += [msgspec.structs.replace(e, detail=dict.fromkeys(e.detail, BLOT)) for e in found if e.kind == PROVED]
    return lines


def _is_by(
    address: Address, conversation: Conversation, wrote: Sequence[Message], addresses: Sequence[Address]
) -> bool:
    """Whether a conversation is by that address: what they wrote in it says so, and where they did not, its way."""
    if wrote:
        return all(m.author_address == address.value for m in wrote)
    by = address_in(conversation, addresses)
    return by is not None and by.id == address.id
