"""Telling by itself that a mail arrived (RFC 3834): to whom, how often, and when rather not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from inbox.accounts import is_own_address, is_written_to
from inbox.envelope import Envelope
from inbox.model import (
    Account,
    AddressKind,
    ContactId,
    Conversation,
    Delivery,
    DeliveryId,
    DeliveryKind,
    DeliveryState,
    Letter,
    Message,
    new_id,
)
from inbox.particulars import Verdict
from inbox.store.base import Store
from inbox.store.documents import CONVERSATIONS_OF_CONTACT, DELIVERIES_BY_STATE, DELIVERIES_OF_CONVERSATION

MOST_TO_ONE = 4
"""A day, to one contact. A person opens a matter or two; whoever opens five answers us by itself, under no name it
admits to, and would do so for ever."""
MOST_FROM_ONE = 60
"""An hour, out of one mailbox. One new matter a minute is more than any account of the desk gets by mail; a hundred
machines that answer us, each under its own address, would get a hundred for every one they send. Providers, too,
take a mailbox that sends more for a spammer's."""
LOOKED_BACK = 20
"""Conversations of a contact that are counted: more of them in a day are more than enough."""


def may_acknowledge(account: Account, accounts: Iterable[Account], envelope: Envelope) -> bool:
    """Whether a mail that opens a conversation is one to acknowledge at all.

    Never what a machine, a list or nobody sent, what a client only handed on,
    or what asks for answers elsewhere: whoever forges that field would have us
    write to others. RFC 3834 §2: nor what was not written to us by name.
    """
    said = envelope.particulars
    if account.acknowledgement is None or account.identity.from_address is None:
        return False
    if envelope.sender.kind is not AddressKind.MAIL or not envelope.sender.value or envelope.reply_to is not None:
        return False
    if said.automatic is not None or said.unanswerable or said.list_id or said.forwards:
        return False
    if said.trust is not None and said.trust.verdict in (Verdict.FORGED, Verdict.UNVERIFIED):
        return False  # who is named there did not write to us, or may not have: it would reach a stranger
    if any(is_own_address(one, envelope.sender.value) for one in accounts):
        return False
    return any(is_written_to(account, address) for address in envelope.recipients)


async def too_many(store: Store, account: Account, contact_id: ContactId | None, now: datetime) -> str:
    """Why no further acknowledgement leaves: `contact`, `account`; "" when one may. Counted in what is stored."""
    if contact_id is not None:
        told = 0
        for conversation in await store.list(CONVERSATIONS_OF_CONTACT, contact_id, descending=True, limit=LOOKED_BACK):
            sent = await store.list(
                DELIVERIES_OF_CONVERSATION, conversation.id, DeliveryKind.ACKNOWLEDGEMENT, limit=MOST_TO_ONE
            )
            told += sum(1 for d in sent if now - d.created_at < timedelta(days=1))
            if told >= MOST_TO_ONE:
                return "contact"
    if account.mailbox is not None:
        recent: set[DeliveryId] = set()
        # In the order they go through: one that moves on meanwhile is seen twice rather than not at all.
        for state in (DeliveryState.DUE, DeliveryState.LEASED, DeliveryState.SENT):
            newest = await store.list(
                DELIVERIES_BY_STATE,
                account.mailbox,
                DeliveryKind.ACKNOWLEDGEMENT,
                state,
                descending=True,
                limit=MOST_FROM_ONE,
            )
            recent |= {d.id for d in newest if now - d.created_at < timedelta(hours=1)}
        if len(recent) >= MOST_FROM_ONE:
            return "account"
    return ""


def acknowledgement(conversation: Conversation, message: Message, letter: Letter, now: datetime) -> Delivery:
    """The delivery that carries one; it leaves at once, beside the replies, and never twice."""
    return Delivery(
        id=DeliveryId(new_id()),
        account_id=conversation.account_id,
        conversation_id=conversation.id,
        message_id=message.id,
        kind=DeliveryKind.ACKNOWLEDGEMENT,
        channel_id=conversation.channel_id,
        lane=f"acknowledgement:{conversation.id}",
        state=DeliveryState.DUE,
        due_at=now,
        payload=letter,
        created_at=now,
    )
