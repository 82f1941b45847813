"""How a person is erased everywhere, and what of a conversation is a colleague's and stays.

A contact is one person under one account; the same person under another
account is another contact, and stays. What somebody else wrote stays too,
with the person's address and name blotted out, unless it hands on what the
person wrote; what others tell of them in their own words cannot be known, and
stays theirs.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, Self

import msgspec

from inbox import proofs
from inbox.blots import Blots
from inbox.business import connection_id
from inbox.contacts import kind_of
from inbox.conversations import bare_subject, subject_from_text
from inbox.erasure import Belongings, Erasure, belongings, erase, gone, require_unused, without_raw, writers
from inbox.errors import StillInUse
from inbox.machinery import DeskKey, Forgotten
from inbox.model import (
    Address,
    AddressKind,
    BusinessConnection,
    Contact,
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
    Slip,
)
from inbox.notices import Letter, SearchNotice, TextNotice
from inbox.parts import UNSORTED, AccountId, BlobId, ChannelId, ContactId, new_id
from inbox.retention import DeskChats
from inbox.store.base import Blob, Changes, Store
from inbox.store.documents import (
    ACCOUNTS,
    ADDRESS_BY_VALUE,
    ADDRESSES_OF_CONTACT,
    CONVERSATIONS_OF_CONTACT,
    DELIVERIES_BY_STATE,
    PRINCIPAL_BY_TELEGRAM,
    SECRETARIES,
)

MOST_ADDRESSES = 1000
MOST_OF_SEVERAL = 10_000
"""Documents of a kind in a conversation of several people, which is changed in one commit."""
MOST_ACCOUNTS = 10_000


class Traces(NamedTuple):
    """By what a person is recognised in what is stored."""

    contact: Contact
    addresses: Sequence[Address]
    elsewhere: bool
    """They are a contact of another account too: what is not this account's alone stays theirs there."""

    @property
    def mail(self) -> frozenset[str]:
        """Their mail addresses, lower case."""
        return frozenset(a.value for a in self.addresses if a.kind is AddressKind.MAIL)

    @property
    def ids(self) -> frozenset[str]:
        """By which they are and were known: contacts who were found to be one person had one each."""
        return frozenset((self.contact.id, *self.contact.former_ids))

    @property
    def names(self) -> tuple[str, ...]:
        """By which the desk knows or knew them."""
        return (self.contact.name, *self.contact.former_names)

    @property
    def chats(self) -> frozenset[int]:
        """Their Telegram chats, with the bots and with whom they write to in that one's own Telegram."""
        # A private chat's number is its user's (Bot API, Chat); with the bots some have none.
        known = {a.chat_id for a in self.addresses if a.chat_id is not None}
        users = {int(a.value) for a in self.addresses if a.kind is AddressKind.TELEGRAM and a.value.isdecimal()}
        return frozenset(known | users)

    @property
    def bots(self) -> frozenset[ChannelId]:
        """Those that know them; of whom they write to in that one's own Telegram, the bot that is connected there."""
        theirs = (a.channel_id for a in self.addresses if a.kind is AddressKind.TELEGRAM)
        return frozenset(ChannelId(channel.partition("/")[0]) for channel in theirs)

    def wrote(self, message: Message) -> bool:
        """Whether the message is theirs."""
        return message.direction is Direction.INBOUND and (
            message.author_id in self.ids or message.author_address in self.mail
        )

    def first_wrote(self, message: Message) -> bool:
        """Whether somebody handed on what is theirs in it, and nobody else's."""
        forwards = message.particulars.forwards
        return bool(forwards) and all(forward.address in self.mail for forward in forwards)

    def was_told(self, message: Message) -> bool:
        """Whether the message was written to them alone."""
        to = {recipient.lower() for recipient in message.recipients}
        return message.direction is Direction.OUTBOUND and bool(to) and to <= self.mail


async def trace(store: Store, contact: Contact) -> Traces:
    """By what this person is recognised."""
    addresses = await store.list(ADDRESSES_OF_CONTACT, contact.id, limit=MOST_ADDRESSES)
    elsewhere = False
    for account in await store.list(ACCOUNTS, limit=MOST_ACCOUNTS):
        if account.id in (contact.account_id, UNSORTED):
            continue
        for address in addresses:
            elsewhere |= await store.find_by(ADDRESS_BY_VALUE, account.id, address.kind, address.value) is not None
    return Traces(contact, addresses, elsewhere)


async def find_contacts(store: Store, named: str, account_id: AccountId | None) -> list[Contact]:
    """The contacts an id, a mail address or a Telegram user id names; in one account, or in all there are."""
    contact = await store.find(Contact, named)
    if contact is not None:
        return [contact] if account_id in (None, contact.account_id) else []
    value = named.strip().lower()
    if value.startswith("+") and "@" not in value:
        value = re.sub(r"[^+\d]", "", value)
    kind = kind_of(value)
    found: list[Contact] = []
    for account in await store.list(ACCOUNTS, limit=MOST_ACCOUNTS):
        if account_id in (None, account.id):
            address = await store.find_by(ADDRESS_BY_VALUE, account.id, kind, value)
            if address is not None:
                found.append(await store.get(Contact, address.contact_id))
    return found


# ---------------------------------------------------------------- beginning and end


def begin(contact: Contact, now: datetime) -> Changes:
    """That this contact is to be erased: committed before anything is."""
    return Changes(inserts=[Forgotten(id=contact.id, account_id=contact.account_id, asked_at=now)])


async def list_unfinished(store: Store) -> list[Forgotten]:
    """Everyone whose erasing was begun and not ended."""
    return [person async for person in everyone_forgotten(store) if person.erased_at is None]


async def everyone_forgotten(store: Store) -> AsyncIterator[Forgotten]:
    """Everyone who was ever forgotten here."""
    after = ""
    while page := await store.scan(Forgotten, after=after):
        for person in page:
            yield person
        after = page[-1].id


async def missing_here(store: Store, contact_id: ContactId, now: datetime) -> Changes | None:
    """That someone who was forgotten after this store was copied is to be forgotten here too; None when they are."""
    contact = await store.find(Contact, contact_id)
    if await store.find(Forgotten, contact_id) is not None or contact is None:
        return None
    return begin(contact, now)


async def unknown_again(store: Store, traces: Traces) -> Changes:
    """The contact and its addresses gone; an arrival decided before meets a Conflict, and is decided anew."""
    contact = await store.find(Contact, traces.contact.id)
    addresses = await store.list(ADDRESSES_OF_CONTACT, traces.contact.id, limit=MOST_ADDRESSES)
    changes = Changes(deletions=[*([contact] if contact else []), *addresses, *await _calls(store, traces)])
    changes += await proofs.about(store, traces.contact.account_id, traces.ids, traces.mail)
    changes += Changes(deletions=await _connections(store, traces))
    return changes if traces.contact.account_id == UNSORTED else changes + await _left_unsorted(store, traces)


async def _connections(store: Store, traces: Traces) -> list[BusinessConnection]:
    """That they connected a bot to their own Telegram, though nobody here works for them."""
    if traces.elsewhere:
        return []
    found: list[BusinessConnection] = []
    for chat in traces.chats:
        if await store.find_by(PRINCIPAL_BY_TELEGRAM, chat) is None:
            named = await store.find_many(BusinessConnection, [connection_id(bot, chat) for bot in traces.bots])
            found += named.values()
    return found


async def _calls(store: Store, traces: Traces) -> list[Slip]:
    """The telephone messages of theirs that nobody passed on yet."""
    numbers = {a.value for a in traces.addresses if a.kind is AddressKind.PHONE}
    names = {name.casefold() for name in traces.names}
    found: list[Slip] = []
    after = ""
    while page := await store.scan(Slip, after=after):
        found += [
            s
            for s in page
            if s.account_id == traces.contact.account_id and (s.number in numbers or s.caller.casefold() in names)
        ]
        after = page[-1].id
    return found


async def end(store: Store, contact_id: ContactId, now: datetime) -> Changes:
    """The last commit: it is done, and one line of history without a word about them."""
    forgotten = await store.get(Forgotten, contact_id)
    if forgotten.erased_at is not None:
        return Changes()
    return Changes(
        replacements=[msgspec.structs.replace(forgotten, erased_at=now)],
        inserts=[Event(id=new_id(), account_id=forgotten.account_id, at=now, kind="forgotten")],
    )


async def _left_unsorted(store: Store, traces: Traces) -> Changes:
    """What placing a request leaves behind in the unsorted lane: the person as they were known there."""
    changes = Changes()
    for address in traces.addresses:
        found = await store.find_by(ADDRESS_BY_VALUE, UNSORTED, address.kind, address.value)
        if found is None or await store.list(CONVERSATIONS_OF_CONTACT, found.contact_id, limit=1):
            continue
        left = await store.find(Contact, found.contact_id)
        others = await store.list(ADDRESSES_OF_CONTACT, found.contact_id, limit=MOST_ADDRESSES)
        changes += Changes(deletions=[*([left] if left else []), *others])
    return changes


def scrubbed(forgotten: Forgotten, now: datetime) -> Changes:
    """That the store's files hold nothing of them either."""
    return Changes(replacements=[msgspec.structs.replace(forgotten, scrubbed_at=now)])


# ---------------------------------------------------------------- conversations


def takes_part(traces: Traces, conversation: Conversation) -> bool:
    """Whether a conversation may hold anything of this person; one of another account never does."""
    return conversation.account_id == traces.contact.account_id and (
        conversation.contact_id == traces.contact.id or not traces.mail.isdisjoint(conversation.participants)
    )


async def require_nothing_leaving(store: Store, traces: Traces, conversation: Conversation) -> None:
    """Hold that no reply to this person is about to leave.

    Raises:
        StillInUse: one is.
    """
    found = await belongings(store, conversation)
    require_unused(_to_them(traces, conversation, found.deliveries), undecided=True)


def _to_them(traces: Traces, conversation: Conversation, deliveries: Iterable[Delivery]) -> list[Delivery]:
    def reaches(delivery: Delivery) -> bool:
        if isinstance(delivery.payload, Letter):
            return not traces.mail.isdisjoint(recipient.lower() for recipient in delivery.payload.recipients)
        return conversation.contact_id == traces.contact.id

    return [d for d in deliveries if reaches(d)]


async def erase_from(store: Store, key: DeskKey, traces: Traces, conversation: Conversation, now: datetime) -> Erasure:
    """The next commit that takes this person out of a conversation; whole, where nobody else wrote in it.

    Raises:
        StillInUse: a reply to them is about to leave, or a receipt waits.
    """
    found = await belongings(store, conversation, MOST_OF_SEVERAL)
    heir = await _heir(store, traces, conversation, found)
    if heir is None:
        return await erase(store, key, conversation, now, undecided=True)
    require_unused(_to_them(traces, conversation, found.deliveries), undecided=True)
    theirs = [m for m in found.messages if traces.wrote(m) or traces.first_wrote(m) or traces.was_told(m)]
    named = {m.id for m in theirs}
    kept = [m for m in found.messages if m.id not in named]

    def falls(document: Draft | Delivery | Event) -> bool:
        match document:
            case Draft(message_id=None):
                return conversation.contact_id == traces.contact.id  # it was to be a reply to them
            case Draft() | Delivery():
                return document.message_id in named
            case Event():
                return document.actor in traces.ids or not named.isdisjoint(document.detail.values())

    changes = gone(
        key,
        now,
        messages=theirs,
        drafts=[d for d in found.drafts if falls(d)],
        deliveries=[d for d in found.deliveries if falls(d)],
        events=[e for e in found.events if falls(e)],
        topics=found.topics,  # their names may be this person's; another is made where one is wanted
        # Whatever else came: a secretary's press shows the card she pressed on.
        receipts=[r for r in found.receipts if r.id not in {m.receipt_id for m in kept}],
    )
    blots = Blots(traces.mail, traces.names, {m.external_id for m in theirs})
    raw = await _raw_blotted(store, blots, kept)
    changes += Changes(blobs=raw.values(), blob_deletions=raw)
    staying = (*kept, *found.drafts, *found.deliveries, *found.events, *found.receipts)
    for document in staying:
        if (type(document), document.id) in changes.deletions or (type(document), document.id) in changes.replacements:
            continue
        after = blots.document(document, {old: new.id for old, new in raw.items()})
        if after != document:
            changes += Changes(replacements=[after])
    subject = conversation.subject
    if conversation.contact_id == traces.contact.id:
        first = next((m for m in kept if m.direction is Direction.INBOUND), None)
        subject = bare_subject(first.subject) or subject_from_text(first.text) if first else ""
    after = msgspec.structs.replace(
        conversation,
        contact_id=heir,
        subject=blots.text(subject),
        participants=tuple(p for p in conversation.participants if p not in traces.mail),
    )
    return Erasure(changes + Changes(replacements=[after]), done=found.whole)


async def _heir(store: Store, traces: Traces, conversation: Conversation, found: Belongings) -> ContactId | None:
    """Whose the conversation is once this person is out of it; None: nobody's."""
    if conversation.contact_id != traces.contact.id:
        return conversation.contact_id
    inbound = (m for m in found.messages if m.direction is Direction.INBOUND)
    others = [m for m in inbound if not traces.wrote(m) and not traces.first_wrote(m)]
    known = await store.find_many(Contact, writers(others))
    for message in others:
        if message.author_id in known:
            return ContactId(message.author_id)
        # Whoever wrote was found to be somebody known by another name since.
        address = await _address_of(store, conversation.account_id, message.author_address)
        if address is not None:
            return address.contact_id
    return None


async def _address_of(store: Store, account_id: AccountId, value: str) -> Address | None:
    return await store.find_by(ADDRESS_BY_VALUE, account_id, kind_of(value), value) if value else None


async def _raw_blotted(store: Store, blots: Blots, messages: Iterable[Message]) -> dict[BlobId, Blob]:
    """The raw forms of these in which the person stands, each with what takes its place."""
    fresh: dict[BlobId, Blob] = {}
    for message in messages:
        if message.blob_id is not None:
            raw = await store.read_blob(message.blob_id)
            if (blotted := blots.octets(raw)) != raw:
                fresh[message.blob_id] = Blob(BlobId(new_id()), blotted)
    return fresh


# ---------------------------------------------------------------- what belongs to no conversation


class Whose(NamedTuple):
    """What tells, of a receipt that led to no conversation, whether it may show this person."""

    traces: Traces
    desk: DeskChats

    @classmethod
    async def of(cls, store: Store, traces: Traces) -> Self:
        """Made once for all receipts."""
        return cls(traces, await DeskChats.of(store))


async def erase_raw(store: Store, whose: Whose, page: Iterable[Receipt], now: datetime) -> Changes:
    """The receipts of a page that may show this person and led to no conversation, without their raw forms.

    What was pressed or written at the desk while the person was known goes
    whether it shows them or not: a press on the queue shows ten clients.

    Raises:
        StillInUse: one waits to be handled.
    """
    changes = Changes()
    for receipt in page:
        if receipt.erased_at is None and await _may_show(store, whose, receipt):
            changes += without_raw(receipt, now)
    return changes


async def _may_show(store: Store, whose: Whose, receipt: Receipt) -> bool:
    traces, contact = whose.traces, whose.traces.contact
    if whose.desk.show_clients(receipt):
        # What was written of them before they were known, such as a call that was then passed on, names them.
        shows_any = receipt.arrived_at >= contact.created_at and receipt.state is not ReceiptState.PARKED
        is_anothers = receipt.account_id not in (None, contact.account_id)
        return shows_any or (not is_anothers and await _mentions(store, traces, receipt, whole_names=True))
    return await is_theirs(store, whose, receipt)


async def is_theirs(store: Store, whose: Whose, receipt: Receipt) -> bool:
    """Whether they sent a receipt that led to no conversation."""
    traces, contact = whose.traces, whose.traces.contact
    if whose.desk.show_clients(receipt):
        return False
    if receipt.conversation_id is not None or receipt.account_id not in (None, contact.account_id):
        return False
    if receipt.account_id is None and traces.elsewhere:
        return False
    if receipt.channel_id.startswith("telegram:"):
        return receipt.lane in {str(chat) for chat in traces.chats}
    return bool(traces.mail) and await _mentions(store, traces, receipt)


async def _mentions(store: Store, traces: Traces, receipt: Receipt, *, whole_names: bool = False) -> bool:
    """Whether its raw form names them.

    Args:
        whole_names: a name of one word is a colleague's too, who pressed it.
    """
    raw = (await store.read_blob(receipt.blob_id)).lower()
    names = (name.lower() for name in traces.names if not whole_names or " " in name.strip())
    # In the JSON of an update letters beyond ASCII may be escaped.
    words = [*traces.mail, *map(str, traces.chats), *names]
    forms = [form for word in words if word for form in (word.encode(), json.dumps(word)[1:-1].lower().encode())]
    return any(form in raw for form in forms)


async def greetings(store: Store, traces: Traces) -> Changes:
    """What the desk said to this person by itself.

    Raises:
        StillInUse: one of these is leaving.
    """
    found: list[Delivery] = []
    for channel in traces.bots:
        for state in DeliveryState:
            last: Delivery | None = None
            while page := await store.list(
                DELIVERIES_BY_STATE, channel, DeliveryKind.ACKNOWLEDGEMENT, state, after=last, limit=500
            ):
                found += [d for d in page if isinstance(d.payload, TextNotice) and d.payload.chat_id in traces.chats]
                last = page[-1]
    if traces.elsewhere:
        return Changes()
    _require_none_leaving(found)
    return Changes(deletions=found)


def _require_none_leaving(deliveries: Iterable[Delivery]) -> None:
    if any(d.state is DeliveryState.LEASED for d in deliveries):
        raise StillInUse("something that names them is leaving")


async def shown_at_desk(store: Store, traces: Traces) -> Changes:
    """What people at the desk looked for, which may have been this person, and sentences that name them.

    Raises:
        StillInUse: one of these is leaving.
    """
    everyone = [s for active in (True, False) for s in await store.list(SECRETARIES, active, limit=MOST_ACCOUNTS)]
    found: list[Delivery] = []
    for channel in {s.channel_id for s in everyone} | traces.bots:
        for state in DeliveryState:
            last: Delivery | None = None
            while page := await store.list(
                DELIVERIES_BY_STATE, channel, DeliveryKind.NOTICE, state, after=last, limit=500
            ):
                found += [d for d in page if isinstance(d.payload, SearchNotice) or _names(traces, d)]
                last = page[-1]
    _require_none_leaving(found)
    return Changes(deletions=found)


def _names(traces: Traces, delivery: Delivery) -> bool:
    """Whether a sentence of ours was for them, or names them; another account's is not theirs."""
    sentence = delivery.payload
    if not isinstance(sentence, TextNotice) or delivery.account_id not in (None, traces.contact.account_id):
        return False
    if sentence.chat_id in traces.chats and not traces.elsewhere:
        return True
    said = [*sentence.because.args.values(), *(button.text for row in sentence.buttons for button in row)]
    addresses = {a.value for a in traces.addresses if not a.value.startswith("unknown:")}
    names = {name.casefold() for name in traces.names}
    inside = addresses | {name for name in names if " " in name}  # one of a single word may be a part of anything
    return any(each in names or any(word in each for word in inside) for each in map(str.casefold, said))
