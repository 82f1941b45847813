"""Which conversation an inbound message belongs to. Never by subject alone."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import NamedTuple

from inbox.envelope import Envelope
from inbox.machinery import DeskKey
from inbox.model import Account, AddressKind, Contact, Conversation, Message, Status
from inbox.particulars import Verdict
from inbox.parts import AccountId, ChannelId, ContactId, MessageId
from inbox.store.base import Store
from inbox.store.documents import (
    CONVERSATION_IN_CHAT,
    CONVERSATIONS_OF_CONTACT,
    MESSAGE_BY_EXTERNAL_ID,
)

THE_KEY = "message-ids"
"""The id of the desk's one key."""
MOST_REFERENCES = 30
"""A forged header of ten thousand references costs thirty look-ups."""


def sign_message_id(key: DeskKey, message_id: MessageId, domain: str) -> str:
    """The Message-ID, without brackets, of a mail that carries our message.

    Only we can make one: a stranger who guesses an id does not get into the conversation.
    """
    return f"{message_id}.{_signature(key, message_id)}@{domain}"


def read_message_id(key: DeskKey, header: str) -> MessageId | None:
    """The message a Message-ID of ours carries; None when it is not ours or its signature is wrong."""
    local, _, domain = header.partition("@")
    message_id, _, signature = local.partition(".")
    if (
        domain
        and len(message_id) == 36
        and hmac.compare_digest(_octets(signature), _octets(_signature(key, MessageId(message_id))))
    ):
        return MessageId(message_id)
    return None


def _signature(key: DeskKey, message_id: MessageId) -> str:
    return hmac.new(key.secret, _octets(message_id), hashlib.sha256).hexdigest()[:16]


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class Match(NamedTuple):
    """Where a message goes: into `joins`, or into a new conversation that names `relates_to`."""

    joins: Conversation | None = None
    relates_to: Conversation | None = None


async def match_mail(
    store: Store, key: DeskKey, account_id: AccountId, envelope: Envelope, contact_id: ContactId | None
) -> Match:
    """By our own signed Message-ID, then by a known Message-ID of the same account; the writer must take part.

    Who only pretends to be the writer does not: such a mail is a new conversation that names the old one.
    """
    trust = envelope.particulars.trust
    is_forged = trust is not None and trust.verdict is Verdict.FORGED
    related: Conversation | None = None
    for reference in envelope.references[:MOST_REFERENCES]:
        message = await _message_named(store, key, account_id, reference)
        if message is None:
            continue
        conversation = await store.find(Conversation, message.conversation_id)
        if conversation is None or conversation.account_id != account_id:
            continue
        if not is_forged and takes_part(conversation, envelope.sender.value, contact_id):
            return Match(joins=conversation)
        related = related or conversation
    return Match(relates_to=related)


async def _message_named(store: Store, key: DeskKey, account_id: AccountId, reference: str) -> Message | None:
    ours = read_message_id(key, reference)
    message = (
        await store.find(Message, ours)
        if ours is not None
        else await store.find_by(MESSAGE_BY_EXTERNAL_ID, account_id, reference)
    )
    return message if message is not None and message.account_id == account_id else None


def takes_part(conversation: Conversation, address: str, contact_id: ContactId | None) -> bool:
    """Whether this writer is already in the conversation."""
    return (contact_id is not None and conversation.contact_id == contact_id) or (
        bool(address) and address in conversation.participants
    )


def chat_message_id(channel_id: ChannelId, chat_and_message: str) -> str:
    """What a Telegram message is known by in an account: each bot numbers its chats by itself."""
    return f"{channel_id}:{chat_and_message}"


def message_id_of(channel_id: ChannelId, envelope: Envelope) -> str:
    """What the message in an envelope is known by in its account."""
    if envelope.sender.kind is AddressKind.TELEGRAM:
        return chat_message_id(channel_id, envelope.external_id)
    return envelope.external_id


def in_own_telegram(through: int | None, chat: str) -> str:
    """What a chat, or a message of it, is called: that of somebody's own Telegram is not the bot's of that number."""
    return chat if through is None else f"{through}/{chat}"


def open_chat_key(channel_id: ChannelId, chat_id: int, account_id: AccountId, through: int | None = None) -> str:
    """What an open Telegram conversation is found by."""
    return f"{channel_id}:{in_own_telegram(through, str(chat_id))}:{account_id}"


async def match_chat(
    store: Store,
    channel_id: ChannelId,
    account: Account,
    envelope: Envelope,
    contact: Contact | None,
    now: datetime,
) -> Match:
    """The conversation replied to, the contact's open one, or the one closed less than `reopen_days` ago."""
    if contact is None or envelope.sender.chat_id is None:
        return Match()
    if envelope.replies_to is not None:
        replied_to = chat_message_id(channel_id, envelope.replies_to)
        message = await store.find_by(MESSAGE_BY_EXTERNAL_ID, account.id, replied_to)
        if message is not None:
            replied = await store.find(Conversation, message.conversation_id)
            if replied is not None and replied.contact_id == contact.id and replied.status is not Status.CLOSED:
                return Match(joins=replied)
    through = envelope.sender.through
    open_key = open_chat_key(channel_id, envelope.sender.chat_id, account.id, through)
    current = await store.find_by(CONVERSATION_IN_CHAT, open_key)
    if current is not None:
        return Match(joins=current)
    for last in await store.list(CONVERSATIONS_OF_CONTACT, contact.id, descending=True, limit=20):
        # Who was known under two names may have two chats.
        is_there = (last.channel_id, last.chat_id, last.through) == (channel_id, envelope.sender.chat_id, through)
        if is_there and last.merged_into is None:
            recent = last.closed_at is None or now - last.closed_at < timedelta(days=account.reopen_days)
            return Match(joins=last) if recent else Match(relates_to=last)
    return Match()


def distinguishing_id(envelope: Envelope, taken: str) -> str:
    """The id of a message whose id is already taken by a different one; the same each time it comes.

    Scanners and fax gateways reuse Message-IDs, and a forger can: another
    writer or other words make another message, never a silent drop.
    """
    return (
        f"{taken}#{_said(*_words(envelope))}"
        if taken == envelope.external_id
        else f"{taken}#{_said(taken, *_words(envelope))}"
    )


def id_of_part(external_id: str, number: int) -> str:
    """What one of several mails that were handed on in one is known by."""
    return f"{external_id}#{_said(external_id, str(number))}"


def _words(envelope: Envelope) -> tuple[str, str, str]:
    return envelope.sender.value, envelope.subject, envelope.text


def _said(*words: str) -> str:
    return hashlib.sha256(_octets("\x00".join(words))).hexdigest()[:16]


def full_id(message: Message) -> str:
    """What `distinguishing_id` makes of the envelope this message came in, whatever it is known by."""
    words = (message.author_address, message.subject, message.text)
    known_as = message.external_id
    while True:
        rest, _, last = known_as.rpartition("#")
        if not rest or last not in (_said(*words), _said(rest, *words)):
            return f"{known_as}#{_said(*words)}"
        known_as = rest


def is_same(message: Message, envelope: Envelope) -> bool:
    """Whether a stored message is this envelope, received before."""
    if envelope.sender.kind is AddressKind.TELEGRAM:
        return True
    return (message.author_address, message.subject, message.text) == (
        envelope.sender.value,
        envelope.subject,
        envelope.text,
    )
