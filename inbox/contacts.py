"""Who wrote: one person, many addresses, within one account."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from inbox.envelope import Envelope, Sender
from inbox.errors import InvalidTransition
from inbox.matching import chat_message_id
from inbox.model import Address, AddressKind, Contact, Conversation, Message
from inbox.parts import PHONE, AccountId, ChannelId, ContactId, Document, new_id
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    ADDRESS_BY_VALUE,
    ADDRESSES_EVERYWHERE,
    ADDRESSES_OF_CONTACT,
    CONVERSATIONS_OF_CONTACT,
    MESSAGE_BY_EXTERNAL_ID,
    MESSAGES_OF_CONVERSATION,
)

REFRESH_AFTER = timedelta(days=1)
LANGUAGES = ("fr", "en")
"""Those the desk speaks by itself."""


def spoken(language: str | None, otherwise: str) -> str:
    """The language to speak by itself to somebody: theirs (`fr`, `en-GB`) where the desk speaks it."""
    theirs = (language or "").partition("-")[0].lower()
    return theirs if theirs in LANGUAGES else otherwise


_NUMBER = re.compile(r"\+\d+\Z", re.ASCII)


def kind_of(value: str) -> AddressKind:
    """What an address is an address of, by how it is written."""
    if _NUMBER.match(value):
        return AddressKind.PHONE
    return AddressKind.TELEGRAM if value.isdecimal() else AddressKind.MAIL


def address_in(conversation: Conversation, addresses: Sequence[Address]) -> Address | None:
    """The address of its contact by which a conversation is held: a person found to be one with another has several."""
    if conversation.chat_id is not None:
        # A private chat's number is its user's (Bot API, Chat).
        chat = str(conversation.chat_id)
        return next((a for a in addresses if a.kind is AddressKind.TELEGRAM and a.value == chat), None)
    wanted = AddressKind.PHONE if conversation.channel_id == PHONE else AddressKind.MAIL
    of_kind = [a for a in addresses if a.kind is wanted]
    return next((a for a in of_kind if a.value in conversation.participants), of_kind[0] if of_kind else None)


def address_name(address: Address) -> str:
    """An address in a line of history; a Telegram user's number says nothing to anybody."""
    return "Telegram" if address.kind is AddressKind.TELEGRAM else address.value


class Known(NamedTuple):
    """A contact as it will be once `changes` are committed."""

    contact: Contact
    is_new: bool
    changes: Changes


async def know(
    store: Store,
    account_id: AccountId,
    channel_id: ChannelId,
    sender: Sender,
    now: datetime,
    *,
    chosen: bool = False,
) -> Known:
    """The contact who writes from this address to this account, made if need be.

    Args:
        chosen: the person just chose this account (a deep link): it becomes where their words go.
    """
    value = sender.value or f"unknown:{new_id()}"
    address = await store.find_by(ADDRESS_BY_VALUE, account_id, sender.kind, value)
    # Who writes to somebody's own Telegram came for no account of the bot's, and it has no chat with them.
    own = None if sender.through is None else ChannelId(f"{channel_id}/{sender.through}")
    if address is None:
        contact = Contact(
            id=ContactId(new_id()),
            account_id=account_id,
            name=sender.name or sender.value,
            language=sender.language,
            created_at=now,
        )
        address = Address(
            id=new_id(),
            account_id=account_id,
            contact_id=contact.id,
            kind=sender.kind,
            value=value,
            channel_id=own or channel_id,
            chat_id=None if own else sender.chat_id,
            last_used_at=now,
        )
        return Known(contact, True, Changes(inserts=[contact, address]))
    contact = await store.get(Contact, address.contact_id)
    told = Changes(expectations=[contact])
    if sender.kind is AddressKind.TELEGRAM and sender.language and sender.language != contact.language:
        # Of their Telegram, as they set it since.
        contact = msgspec.structs.replace(contact, language=sender.language)
        told = Changes(replacements=[contact])
    if own is not None:
        return Known(contact, False, told)
    fresh = msgspec.structs.replace(address, channel_id=channel_id, chat_id=sender.chat_id, blocked_at=None)
    if chosen or fresh != address or now - address.last_used_at > REFRESH_AFTER:
        fresh = msgspec.structs.replace(fresh, last_used_at=now)
        return Known(contact, False, told + Changes(replacements=[fresh]))
    # Whoever is forgotten at this moment is decided anew, as somebody we do not know.
    return Known(contact, False, told)


LONGEST_NAME = 100
LONGEST_CONTACT_NOTE = 500


def renamed(contact: Contact, name: str) -> Contact:
    """The contact under the name the desk knows them by.

    Raises:
        InvalidTransition: it is no name, or too long for one.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise InvalidTransition("error.contact_name", count=str(LONGEST_NAME))
    return msgspec.structs.replace(contact, name=name)


def annotated(contact: Contact, note: str) -> Contact:
    """The contact with what whoever answers should know of them, in place of what stood there.

    Raises:
        InvalidTransition: it is too long to be read on a card.
    """
    note = " ".join(note.split())
    if len(note) > LONGEST_CONTACT_NOTE:
        raise InvalidTransition("error.contact_note", count=str(LONGEST_CONTACT_NOTE))
    return msgspec.structs.replace(contact, note=note)


def speaking(contact: Contact, tongue: int) -> Contact:
    """The contact, spoken to in this of the `LANGUAGES`.

    Raises:
        InvalidTransition: there is none at this place.
    """
    if not 0 <= tongue < len(LANGUAGES):
        raise InvalidTransition("error.list_changed")
    return msgspec.structs.replace(contact, language=LANGUAGES[tongue])


def barred(contact: Contact, now: datetime, *, bar: bool) -> Contact:
    """The contact, blocked or not any more; blocked once, the first moment stands."""
    return msgspec.structs.replace(contact, barred_at=(contact.barred_at or now) if bar else None)


MOST_JOINED = 300
"""Conversations, and messages in them, of a contact who turns out to be another: more are moved in no one commit."""


async def joined(store: Store, stays: Contact, gone: Contact, pending: Changes | None = None) -> Changes:
    """Two contacts who are one person: addresses, conversations and words of the second are the first's.

    Args:
        pending: what the same unit changes besides, theirs too. It is part of what is returned: what it counts stays
            counted, and what it makes the second's is the first's.

    Raises:
        InvalidTransition: they are the same, of two accounts, or the second has too much history to be moved at once.
    """
    pending = pending or Changes()
    stays, gone = pending.newest(stays), pending.newest(gone)
    if stays.id == gone.id:
        raise InvalidTransition("error.same_contact")
    if stays.account_id != gone.account_id:
        raise InvalidTransition("error.merge_accounts")
    conversations = await store.list(CONVERSATIONS_OF_CONTACT, gone.id, limit=MOST_JOINED + 1)
    addresses = await store.list(ADDRESSES_OF_CONTACT, gone.id, limit=MOST_JOINED + 1)
    messages: list[Message] = []
    for conversation in conversations:
        messages += await store.list(MESSAGES_OF_CONVERSATION, conversation.id, limit=MOST_JOINED + 1)
        if len(messages) > MOST_JOINED:
            break
    if max(len(messages), len(conversations), len(addresses)) > MOST_JOINED:
        raise InvalidTransition("error.too_long_to_move", count=str(MOST_JOINED))
    note = " ".join(filter(None, (stays.note, gone.note)))[:LONGEST_CONTACT_NOTE]
    known = msgspec.structs.replace(
        stays,
        note=note,
        language=stays.language or gone.language,
        barred_at=stays.barred_at or gone.barred_at,
        former_ids=(*stays.former_ids, gone.id, *gone.former_ids),
        former_names=tuple(dict.fromkeys((*stays.former_names, gone.name, *gone.former_names))),
        # What was pressed at the desk since then may show them (`inbox.forgetting`).
        created_at=min(stays.created_at, gone.created_at),
    )
    theirs = (*addresses, *conversations, *(m for m in messages if m.author_id == gone.id))
    changes = pending + Changes(replacements=[known, *map(pending.newest, theirs)], deletions=[gone])
    for documents in (changes.inserts, changes.replacements):
        documents.pop((Contact, gone.id), None)
        documents.update({key: _handed_over(d, gone, stays.id) for key, d in documents.items()})
    return changes


def _handed_over(document: Document, gone: Contact, stays: ContactId) -> Document:
    """The document as it is once what is one contact's is another's."""
    match document:
        case Address(contact_id=gone.id, former_id=None):
            return msgspec.structs.replace(document, contact_id=stays, former_id=gone.id, former_name=gone.name)
        case Address(contact_id=gone.id):
            return msgspec.structs.replace(document, contact_id=stays)
        case Conversation(contact_id=gone.id):
            return msgspec.structs.replace(document, contact_id=stays)
        case Message(author_id=gone.id):
            return msgspec.structs.replace(document, author_id=stays)
    return document


async def account_last_chosen(store: Store, channel_id: ChannelId, telegram_user_id: int) -> AccountId | None:
    """The account a Telegram user last came for through a shared bot; nothing else crosses the wall."""
    chosen = await _last_chosen(store, channel_id, str(telegram_user_id))
    return chosen.account_id if chosen is not None else None


async def never_chosen(store: Store, channel_id: ChannelId, telegram_user_id: int, now: datetime) -> datetime:
    """When to say that a new address of a Telegram user was used last, who came for no account by what made it known.

    Their words go on to the account they last came for; to this one only where there is none.
    """
    chosen = await _last_chosen(store, channel_id, str(telegram_user_id))
    return now if chosen is None else chosen.last_used_at - timedelta(seconds=1)


async def _last_chosen(store: Store, channel_id: ChannelId, value: str) -> Address | None:
    found = await store.list(ADDRESSES_EVERYWHERE, channel_id, AddressKind.TELEGRAM, value, descending=True, limit=1)
    return found[0] if found else None


async def account_spoken_to(
    store: Store, channel_id: ChannelId, telegram_user_id: int, envelope: Envelope
) -> AccountId | None:
    """The account that holds the message a Telegram user edits or replies to.

    They may have come for another one since: what was said to one account is
    never shown to the next.
    """
    named = envelope.external_id if envelope.edit else envelope.replies_to
    if named is None:
        return None
    value = str(telegram_user_id)
    for address in await store.list(ADDRESSES_EVERYWHERE, channel_id, AddressKind.TELEGRAM, value, descending=True):
        known = chat_message_id(channel_id, named)
        if await store.find_by(MESSAGE_BY_EXTERNAL_ID, address.account_id, known) is not None:
            return address.account_id
    return None


async def set_blocked(
    store: Store, channel_id: ChannelId, telegram_user_id: int, now: datetime, *, blocked: bool
) -> tuple[Changes, list[Address]]:
    """Record that a Telegram user blocked the bot (or no longer does), in every account they write to."""
    addresses = await store.list(ADDRESSES_EVERYWHERE, channel_id, AddressKind.TELEGRAM, str(telegram_user_id))
    changed = [
        msgspec.structs.replace(address, blocked_at=now if blocked else None)
        for address in addresses
        if (address.blocked_at is not None) != blocked
    ]
    return Changes(replacements=changed), changed
