"""Documents and envelopes as tests need them: every field has a value, tests name those they are about.

All names and addresses are invented.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from inbox.envelope import Envelope, Sender
from inbox.machinery import DeskKey
from inbox.model import (
    Account,
    Address,
    AddressKind,
    AssignmentMode,
    Contact,
    Conversation,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Direction,
    Draft,
    Identity,
    Message,
    Presence,
    Receipt,
    Role,
    Secretary,
)
from inbox.notices import Letter, Post
from inbox.parts import (
    UNSORTED,
    AccountId,
    Attachment,
    Because,
    BlobId,
    ChannelId,
    ContactId,
    ConversationId,
    DeliveryId,
    Document,
    DraftId,
    MessageId,
    SecretaryId,
    new_id,
)
from inbox.receipts import arrived
from inbox.store.base import Changes, Store

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""A Monday, ten o'clock in Paris."""

MAIL = ChannelId("mail:cabinet")
DESK = ChannelId("telegram:desk")
KEY = DeskKey(id="message-ids", secret=b"\x07" * 32)

ROUX = AccountId("roux")
BERNARD = AccountId("bernard")

_numbers = itertools.count(100_001)


def at(minutes: float) -> datetime:
    """So many minutes after `NOW`."""
    return NOW + timedelta(minutes=minutes)


def an_account(
    key: AccountId = ROUX,
    *,
    name: str = "Dr Hélène Roux",
    language: str = "fr",
    from_address: str | None = "cabinet@roux.example",
    signature: str = "Secrétariat du Dr Roux",
    assignment: AssignmentMode = AssignmentMode.AUTOMATIC,
    reopen_days: int = 14,
    mailbox: ChannelId | None = MAIL,
    retired: bool = False,
) -> Account:
    return Account(
        id=key,
        name=name,
        language=language,
        time_zone="Europe/Paris",
        identity=Identity(display_name=name, from_address=from_address, signature=signature),
        mailbox=mailbox,
        assignment=assignment,
        reopen_days=reopen_days,
        retired=retired,
    )


def accounts() -> dict[AccountId, Account]:
    """A doctor whose requests are dealt, a plumber whose requests are taken by hand, and the unsorted lane."""
    roux = an_account()
    bernard = an_account(
        BERNARD,
        name="Plomberie Bernard",
        from_address="contact@bernard.example",
        signature="Plomberie Bernard",
        assignment=AssignmentMode.MANUAL,
    )
    unsorted = an_account(UNSORTED, name="À attribuer", from_address=None, signature="", mailbox=None)
    return {account.id: account for account in (roux, bernard, unsorted)}


def a_secretary(
    name: str = "Léa",
    *,
    role: Role = Role.SECRETARY,
    serves: Sequence[AccountId] | None = None,
    language: str = "fr",
    telegram_user_id: int | None = None,
    active: bool = True,
    capacity: int = 20,
) -> Secretary:
    user_id = telegram_user_id if telegram_user_id is not None else 1000 + next(_numbers)
    return Secretary(
        id=SecretaryId(new_id()),
        name=name,
        role=role,
        language=language,
        telegram_user_id=user_id,
        chat_id=user_id,
        channel_id=DESK,
        accounts=None if serves is None else tuple(serves),
        active=active,
        capacity=capacity,
        joined_at=NOW,
    )


def a_presence(
    secretary: Secretary,
    *,
    on_duty: bool = True,
    open_count: int = 0,
    last_assigned_at: datetime | None = None,
) -> Presence:
    return Presence(
        id=secretary.id, on_duty=on_duty, since_at=NOW, open_count=open_count, last_assigned_at=last_assigned_at
    )


def a_contact(name: str = "Paul Martin", account_id: AccountId = ROUX) -> Contact:
    return Contact(id=ContactId(new_id()), account_id=account_id, name=name, created_at=NOW)


def an_address(contact: Contact, value: str = "paul.martin@example.net", *, used_at: datetime = NOW) -> Address:
    """Where one writes mail to a contact."""
    return Address(
        id=new_id(),
        account_id=contact.account_id,
        contact_id=contact.id,
        kind=AddressKind.MAIL,
        value=value,
        channel_id=MAIL,
        last_used_at=used_at,
    )


def a_conversation(
    contact: Contact | None = None,
    *,
    account_id: AccountId = ROUX,
    channel_id: ChannelId = MAIL,
    subject: str = "Rendez-vous",
    holder: Secretary | None = None,
    because: Because | None = None,
    waiting: bool = True,
    chat_id: int | None = None,
    inbound_count: int = 1,
    participants: tuple[str, ...] = ("paul.martin@example.net",),
) -> Conversation:
    number = next(_numbers)
    return Conversation(
        id=ConversationId(new_id()),
        number=number,
        account_id=account_id,
        contact_id=contact.id if contact else ContactId(new_id()),
        channel_id=channel_id,
        subject=subject,
        assignee_id=holder.id if holder else None,
        assigned_at=NOW if holder else None,
        because=because or Because(key="because.new"),
        queued_at=None if holder else NOW,
        waiting_since_at=NOW if waiting else None,
        opened_at=NOW,
        last_message_at=NOW,
        message_count=inbound_count,
        inbound_count=inbound_count,
        participants=participants,
        chat_id=chat_id,
        open_chat=f"{channel_id}:{chat_id}:{account_id}" if chat_id is not None else None,
    )


def a_message(
    conversation: Conversation,
    text: str = "Bonjour, puis-je venir jeudi ?",
    *,
    direction: Direction = Direction.INBOUND,
    position: int = 1,
    author: str = "Paul Martin",
    author_id: ContactId | SecretaryId | None = None,
    address: str = "paul.martin@example.net",
    external_id: str | None = None,
    references: tuple[str, ...] = (),
    attachments: tuple[Attachment, ...] = (),
    created_at: datetime = NOW,
    seen_inbound: int | None = None,
    truncated: bool = False,
) -> Message:
    return Message(
        id=MessageId(new_id()),
        account_id=conversation.account_id,
        conversation_id=conversation.id,
        position=position,
        direction=direction,
        channel_id=conversation.channel_id,
        author_id=author_id or conversation.contact_id,
        author_name=author,
        author_address=address,
        subject=conversation.subject,
        text=text,
        external_id=external_id or f"{new_id()}@example.net",
        references=references,
        attachments=attachments,
        created_at=created_at,
        seen_inbound=seen_inbound,
        truncated=truncated,
    )


def a_draft(
    conversation: Conversation,
    author: Secretary,
    text: str = "Oui, jeudi à dix heures.",
    *,
    seen_inbound: int | None = None,
    source_key: str | None = None,
) -> Draft:
    return Draft(
        id=DraftId(new_id()),
        account_id=conversation.account_id,
        conversation_id=conversation.id,
        author_id=author.id,
        text=text,
        seen_inbound=conversation.inbound_count if seen_inbound is None else seen_inbound,
        open_key=f"{conversation.id}:{author.id}",
        source_key=source_key,
        created_at=NOW,
        updated_at=NOW,
    )


def a_reply(
    message: Message,
    state: DeliveryState = DeliveryState.DUE,
    *,
    payload: Letter | Post | None = None,
    attempts: int = 0,
    error: str | None = None,
    ended_at: datetime | None = None,
) -> Delivery:
    """A delivery that carries an outbound message."""
    letter = Letter(
        sender="cabinet@roux.example",
        recipients=("paul.martin@example.net",),
        blob_id=BlobId(new_id()),
        message_id=message.external_id,
    )
    return Delivery(
        id=DeliveryId(new_id()),
        account_id=message.account_id,
        conversation_id=message.conversation_id,
        message_id=message.id,
        kind=DeliveryKind.REPLY,
        channel_id=message.channel_id,
        lane=f"conversation:{message.conversation_id}",
        state=state,
        due_at=NOW if state is DeliveryState.DUE else None,
        lease_until_at=at(12) if state is DeliveryState.LEASED else None,
        leased_by="elsewhere:1" if state is DeliveryState.LEASED else None,
        attempts=attempts,
        payload=payload or letter,
        created_at=NOW,
        error=error,
        ended_at=ended_at,
    )


def a_receipt(channel_id: ChannelId = MAIL, *, lane: str = "INBOX", now: datetime = NOW) -> Receipt:
    return arrived(channel_id, lane, new_id(), 100, now)


def a_mail(
    text: str = "Bonjour, puis-je venir jeudi ?",
    *,
    sender: str = "paul.martin@example.net",
    name: str = "Paul Martin",
    subject: str = "Rendez-vous",
    message_id: str | None = None,
    references: tuple[str, ...] = (),
    recipients: tuple[str, ...] = ("cabinet@roux.example",),
    reply_to: str | None = None,
    attachments: tuple[Attachment, ...] = (),
) -> Envelope:
    return Envelope(
        external_id=message_id or f"{new_id()}@example.net",
        sender=Sender(kind=AddressKind.MAIL, value=sender, name=name),
        subject=subject,
        text=text,
        references=references,
        thread=tuple(reversed(references)),
        addressed_to=recipients,
        recipients=recipients,
        reply_to=reply_to,
        attachments=attachments,
    )


def a_chat_message(
    text: str = "Bonjour, puis-je venir jeudi ?",
    *,
    user_id: int = 501,
    name: str = "Nora Petit",
    message_id: int | None = None,
    edit: bool = False,
    replies_to: int | None = None,
    attachments: tuple[Attachment, ...] = (),
) -> Envelope:
    number = message_id if message_id is not None else next(_numbers)
    return Envelope(
        external_id=f"{user_id}:{number}",
        sender=Sender(kind=AddressKind.TELEGRAM, value=str(user_id), name=name, language="fr", chat_id=user_id),
        text=text,
        edit=edit,
        replies_to=f"{user_id}:{replies_to}" if replies_to is not None else None,
        attachments=attachments,
    )


def a_file(name: str = "ordonnance.pdf", size: int = 12_345, path: str = "2.1") -> Attachment:
    return Attachment(name=name, media_type="application/pdf", size=size, path=path)


async def put(store: Store, *documents: Document) -> None:
    """Have the store keep these."""
    await store.commit(Changes(inserts=documents))
