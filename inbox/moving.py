"""A conversation that belongs to another account: all of it goes there, and the wall closes behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from inbox.assignment import is_supervisor, may_serve, require_serves
from inbox.business import require_speaks
from inbox.contacts import address_in, know
from inbox.conversations import event
from inbox.drafts import changed
from inbox.envelope import Sender
from inbox.errors import InvalidTransition, NotAllowed
from inbox.matching import open_chat_key
from inbox.merging import messages_to_move, require_still
from inbox.model import Account, Contact, Conversation, DraftState, Message, Secretary, Status
from inbox.outbox import sentence_for
from inbox.parts import PHONE, UNSORTED, AccountId, Because, ChannelId
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    ADDRESSES_OF_CONTACT,
    CONVERSATION_IN_CHAT,
    DRAFTS_OF_CONVERSATION,
    MESSAGE_BY_EXTERNAL_ID,
)

_MOST_DRAFTS = 1000


def destinations(accounts: Mapping[AccountId, Account], conversation: Conversation, who: Secretary) -> list[Account]:
    """Where a conversation can be moved to, by name: the other accounts she serves."""
    found = [
        a
        for a in accounts.values()
        if a.id not in (UNSORTED, conversation.account_id) and not a.retired and may_serve(who, a.id)
    ]
    return sorted(found, key=lambda a: (a.name, a.id))


def channel_there(
    conversation: Conversation, account: Account, own_account: Mapping[ChannelId, AccountId]
) -> ChannelId:
    """By which channel it is answered from the other account.

    Raises:
        InvalidTransition: the other account has none that reaches whoever wrote.
    """
    if conversation.channel_id == PHONE:
        return PHONE
    if conversation.chat_id is None:
        if account.mailbox is None:
            raise InvalidTransition("error.move_no_mailbox", account=account.name)
        return account.mailbox
    if own_account.get(conversation.channel_id, account.id) != account.id:
        raise InvalidTransition("error.move_bot", account=account.name)
    return conversation.channel_id


async def moved(
    store: Store,
    before: Conversation,
    account: Account,
    own_account: Mapping[ChannelId, AccountId],
    secretary: Secretary,
    now: datetime,
) -> tuple[Conversation, Changes]:
    """The conversation in another account, not dealt there yet, and what changes besides it.

    Whoever wrote is known there from now on; nothing else of them crosses. What
    was written to them and not sent is thrown away, where its author does not
    serve the account.

    Raises:
        NotAllowed: she does not answer for all.
        NotFound: she does not serve both accounts.
        InvalidTransition: a reply is leaving, the account cannot answer them, or has one of the messages already.
    """
    if not is_supervisor(secretary):
        raise NotAllowed
    require_serves(secretary, before.account_id)
    require_serves(secretary, account.id)
    if before.merged_into is not None:
        raise InvalidTransition("error.merged_already", number=str(before.number))
    if before.status is Status.CLOSED:
        raise InvalidTransition("error.closed")
    await require_still(store, before)
    channel_id = channel_there(before, account, own_account)
    messages = await messages_to_move(store, before)
    after, changes = await transferred(store, before, account, channel_id, messages, now)
    after = msgspec.structs.replace(after, related_to=None, related_number=None)
    changes += Changes(inserts=[event("moved", after, now, actor=secretary, detail={"account": account.name})])
    for draft in await store.list(DRAFTS_OF_CONVERSATION, before.id, limit=_MOST_DRAFTS):
        author = await store.get(Secretary, draft.author_id)
        there = msgspec.structs.replace(draft, account_id=account.id)
        if draft.state is DraftState.OPEN and not may_serve(author, account.id):
            changes += Changes(blob_deletions=[file.blob_id for file in draft.attachments if file.blob_id])
            there = msgspec.structs.replace(
                changed(there, now), state=DraftState.DISCARDED, open_key=None, text="", styles=(), attachments=()
            )
        changes += Changes(replacements=[there])
    if before.assignee_id is not None:
        holder = await store.get(Secretary, before.assignee_id)
        if not may_serve(holder, account.id):
            because = Because(key="notice.moved_away", args={"number": str(before.number), "name": secretary.name})
            changes += Changes(inserts=[sentence_for(holder, because, now)])
    return after, changes


async def transferred(
    store: Store,
    before: Conversation,
    account: Account,
    channel_id: ChannelId,
    messages: Sequence[Message],
    now: datetime,
) -> tuple[Conversation, Changes]:
    """The conversation as it stands in another account, and what changes besides it: its words, and who wrote.

    They are known there by the address they wrote from, and where their words
    in a chat go from now on is there.

    Args:
        messages: all that was said in it.

    Raises:
        InvalidTransition: the account has one of the messages already, or whoever is seen to answer does not speak
            for it.
    """
    contact = await store.get(Contact, before.contact_id)
    addresses = await store.list(ADDRESSES_OF_CONTACT, contact.id)
    address = address_in(before, addresses) or addresses[0]
    chat_id, through = before.chat_id, before.through
    sender = Sender(
        kind=address.kind,
        value=address.value,
        name=contact.name,
        language=contact.language,
        chat_id=address.chat_id,
        through=through,
    )
    await require_speaks(store, before, account)
    known = await know(store, account.id, channel_id, sender, now, chosen=through is None)
    key = open_chat_key(channel_id, chat_id, account.id, through) if chat_id is not None else None
    is_taken = key is not None and await store.find_by(CONVERSATION_IN_CHAT, key) is not None
    for message in messages:
        if await store.find_by(MESSAGE_BY_EXTERNAL_ID, account.id, message.external_id) is not None:
            raise InvalidTransition("error.placed_already", account=account.name)
    after = msgspec.structs.replace(
        before,
        account_id=account.id,
        contact_id=known.contact.id,
        channel_id=channel_id,
        # That one stays the chat's where the contact has an open conversation there already.
        open_chat=None if is_taken or before.status is Status.CLOSED else key,
    )
    theirs = [
        msgspec.structs.replace(
            m, account_id=account.id, author_id=known.contact.id if m.author_id == contact.id else m.author_id
        )
        for m in messages
    ]
    return after, known.changes + Changes(replacements=theirs)
