"""Telling by itself that a message arrived: to whom, how often, when rather not (RFC 3834), and what to expect."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from inbox.accounts import is_own_address, is_written_to
from inbox.deadlines import answer_by
from inbox.envelope import Envelope
from inbox.hours import closing, next_opening
from inbox.model import Account, AddressKind, Conversation, Delivery, DeliveryKind, DeliveryState, Message, Status
from inbox.notices import Letter
from inbox.particulars import Verdict
from inbox.parts import ContactId, DeliveryId, new_id
from inbox.store.base import Store
from inbox.store.documents import CONVERSATIONS_OF_CONTACT, DELIVERIES_BY_STATE, DELIVERIES_OF_CONVERSATION

MOST_TO_ONE = 4
"""A day, to one contact. A person opens a matter or two; whoever opens five answers us by itself, under no name it
admits to, and would do so for ever."""
MOST_FROM_ONE = 60
"""An hour, out of one mailbox. One new matter a minute is more than any account of the desk gets by mail; a hundred
machines that answer us, each under its own address, would get a hundred for every one they send. Providers, too,
take a mailbox that sends more for a spammer's."""
MOST_TOLD = 1000
"""Acknowledgements of one conversation that are looked at; ended ones go after some days."""
LOOKED_BACK = 20
"""Conversations of a contact that are counted: more of them in a day are more than enough."""


SILENCE = timedelta(hours=12)
"""After so long without a word somebody begins anew in Telegram; and so long nobody is told twice in one matter."""


class Outlook(NamedTuple):
    """What whoever writes to an account at a moment may expect."""

    is_closed: bool
    opens_at: datetime | None = None
    """Closed: when it opens again, where that is within a year."""
    closes_at: datetime | None = None
    """Open by its hours: until when."""
    answer_at: datetime | None = None
    """By when an answer is promised."""


def outlook(account: Account, now: datetime) -> Outlook:
    """What whoever writes to this account now may expect."""
    answer_at = answer_by(account, now)
    if account.hours is None:
        return Outlook(False, answer_at=answer_at)
    closes_at = closing(account.hours, account.time_zone, now)
    if closes_at is not None:
        return Outlook(False, closes_at=closes_at, answer_at=answer_at)
    return Outlook(True, next_opening(account.hours, account.time_zone, now), answer_at=answer_at)


async def may_tell(store: Store, account: Account, before: Conversation | None, now: datetime) -> bool:
    """Whether who just wrote in Telegram begins something, and was not told what to expect a short while ago.

    Args:
        before: the conversation as it was before they wrote; None: it is new.
    """
    if not account.tells_in_chats:
        return False
    if before is None:
        return True
    if before.status is not Status.CLOSED and now - before.last_message_at < SILENCE:
        return False
    told = await store.list(DELIVERIES_OF_CONVERSATION, before.id, DeliveryKind.ACKNOWLEDGEMENT, limit=MOST_TOLD)
    return all(now - delivery.created_at >= SILENCE for delivery in told)


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
