"""A conversation's life: opened, spoken in, closed, reopened; and the line of history each step leaves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from datetime import datetime

import msgspec

from inbox.assignment import held_by, require_serves
from inbox.envelope import Envelope
from inbox.errors import Conflict, InvalidTransition
from inbox.machinery import Counter
from inbox.matching import open_chat_key
from inbox.model import (
    Account,
    AddressKind,
    Contact,
    Conversation,
    Direction,
    Event,
    Message,
    Presence,
    Principal,
    Receipt,
    Revision,
    Secretary,
    Status,
)
from inbox.parts import AccountId, Because, ChannelId, ConversationId, MessageId, new_id
from inbox.store.base import Changes, Store

NUMBER_BLOCK = 16
LONGEST_SUBJECT = 200
NUMBERS = "conversation-number"
REOPENED = "because.reopened_by"
"""Why a conversation that somebody opened again is where it is."""
_ANSWER_PREFIX = re.compile(r"^\s*(?:(?:re|ré|rép|aw|sv|tr|fw|fwd|antw|odp|r)\s*(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)


class Numbers:
    """Hands out conversation numbers, in blocks taken from the store; a crash leaves a gap, never a double."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next = 0
        self._end = 0
        self._taking = asyncio.Lock()

    async def take(self) -> int:
        async with self._taking:
            while self._next >= self._end:
                await self._take_block()
            number = self._next
            self._next += 1
            return number

    async def _take_block(self) -> None:
        counter = await self._store.find(Counter, NUMBERS)
        start = counter.next if counter else 1
        after = Counter(id=NUMBERS, version=counter.version if counter else 0, next=start + NUMBER_BLOCK)
        try:
            await self._store.commit(
                Changes(replacements=[after]) if counter else Changes(inserts=[after]),
            )
        except Conflict:
            return  # another worker took it: the loop reads again
        self._next, self._end = start, start + NUMBER_BLOCK


def bare_subject(subject: str) -> str:
    """The subject without the prefixes mail programs put before an answer."""
    # Runs of white space first: "re" before many spaces would cost the pattern their square.
    return _ANSWER_PREFIX.sub("", " ".join(subject.split())).strip()[:LONGEST_SUBJECT]


def subject_from_text(text: str) -> str:
    """A name for a conversation that has no subject: the first words said in it."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return first if len(first) <= 60 else first[:59].rstrip() + "…"


def opened(
    number: int,
    account: Account,
    contact: Contact,
    channel_id: ChannelId,
    envelope: Envelope,
    now: datetime,
    *,
    related: Conversation | None,
) -> Conversation:
    """A new conversation, without messages yet.

    What a machine opens waits in the queue like any other, for it may be a fax, a voicemail or a form; only
    what came through a list to everybody (a newsletter), or from somebody the desk blocked, is filed: closed from the
    start, and found when looked for.
    """
    chat_id, through = envelope.sender.chat_id, envelope.sender.through
    said = envelope.particulars
    is_filed = (said.automatic is not None and bool(said.list_id)) or contact.barred_at is not None
    because = "because.filed" if is_filed else "because.automatic" if said.automatic is not None else "because.new"
    because = "because.barred" if contact.barred_at is not None else because
    return Conversation(
        id=ConversationId(new_id()),
        number=number,
        account_id=account.id,
        contact_id=contact.id,
        channel_id=channel_id,
        subject=bare_subject(envelope.subject) or subject_from_text(envelope.text),
        opened_at=now,
        last_message_at=now,
        status=Status.CLOSED if is_filed else Status.OPEN,
        closed_at=now if is_filed else None,
        queued_at=None if is_filed else now,
        because=Because(key=because),
        chat_id=chat_id,
        through=through,
        open_chat=None if chat_id is None or is_filed else open_chat_key(channel_id, chat_id, account.id, through),
        related_to=related.id if related else None,
        related_number=related.number if related else None,
    )


def received(
    conversation: Conversation,
    contact: Contact,
    envelope: Envelope,
    receipt: Receipt,
    external_id: str,
    now: datetime,
) -> tuple[Conversation, Message]:
    """The conversation with one more inbound message: open again if it was not, and waiting for an answer.

    A machine's changes neither: nobody wrote, so nobody waits. Nor does one of somebody the desk blocked.
    """
    message = Message(
        id=MessageId(new_id()),
        account_id=conversation.account_id,
        conversation_id=conversation.id,
        position=conversation.message_count + 1,
        direction=Direction.INBOUND,
        channel_id=receipt.channel_id,
        author_id=contact.id,
        author_name=envelope.sender.name or contact.name,
        author_address=envelope.sender.value,
        reply_to=envelope.reply_to or "",
        subject=envelope.subject,
        text=envelope.text,
        attachments=envelope.attachments,
        external_id=external_id,
        album_key=album_key(receipt.channel_id, envelope),
        references=envelope.thread,
        recipients=envelope.recipients,
        delivered_to=tuple(a for a in envelope.addressed_to if a not in envelope.recipients),
        written_at=envelope.written_at,
        created_at=now,
        receipt_id=receipt.id,
        blob_id=receipt.blob_id,
        truncated=envelope.truncated,
        quotes=envelope.quotes,
        particulars=envelope.particulars,
    )
    if is_quiet(contact, envelope):
        opening = conversation.message_count == 0
        after = msgspec.structs.replace(
            conversation,
            message_count=conversation.message_count + 1,
            last_message_at=now,
            # Whom an absence notice names has no part in what it answers.
            participants=_participants(conversation, envelope) if opening else conversation.participants,
        )
        return after, message
    reopened = conversation.status is not Status.OPEN
    after = msgspec.structs.replace(
        conversation,
        status=Status.OPEN,
        closed_at=None,
        snoozed_until_at=None,
        message_count=conversation.message_count + 1,
        inbound_count=conversation.inbound_count + 1,
        waiting_since_at=conversation.waiting_since_at or now,
        last_message_at=now,
        declined_by=() if reopened else conversation.declined_by,
        participants=_participants(conversation, envelope),
    )
    if reopened:
        after = msgspec.structs.replace(
            after,
            because=Because(key="because.reopened"),
            queued_at=now if after.assignee_id is None else None,
            # What is only put off has its key still, or never had it: another conversation of that chat may.
            open_chat=open_chat_key(after.channel_id, after.chat_id, after.account_id, after.through)
            if after.chat_id is not None and conversation.status is Status.CLOSED
            else after.open_chat,
        )
    return after, message


def album_key(channel_id: ChannelId, envelope: Envelope) -> str | None:
    """What the album is known by that a message is a part of."""
    return f"{channel_id}:{envelope.album}" if envelope.album is not None else None


def completed(
    conversation: Conversation, message: Message, part: Envelope, known_as: str, now: datetime
) -> tuple[Conversation, Message]:
    """The conversation and the album in it once one more part of it came, which must be seen."""
    after = msgspec.structs.replace(
        message,
        text="\n\n".join(filter(None, (message.text, part.text))),
        attachments=(*message.attachments, *part.attachments),
        parts=(*message.parts, known_as),
    )
    return (
        msgspec.structs.replace(conversation, inbound_count=conversation.inbound_count + 1, last_message_at=now),
        after,
    )


def is_quiet(contact: Contact, envelope: Envelope) -> bool:
    """Whether nobody is to be rung for what arrived: a machine wrote it, or somebody the desk blocked."""
    return envelope.particulars.automatic is not None or contact.barred_at is not None


def undelivered(conversation: Conversation, now: datetime, *, unanswered: bool) -> Conversation:
    """The conversation once a mail server reports that our reply did not arrive: somebody must do something.

    Args:
        unanswered: whom the reply was for has not got it, and so still waits.
    """
    reopened = conversation.status is not Status.OPEN
    return msgspec.structs.replace(
        conversation,
        status=Status.OPEN,
        closed_at=None,
        snoozed_until_at=None,
        because=Because(key="because.undelivered"),
        queued_at=(conversation.queued_at or now) if conversation.assignee_id is None else None,
        waiting_since_at=conversation.waiting_since_at or (now if unanswered else None),
        declined_by=() if reopened else conversation.declined_by,
    )


MOST_PARTICIPANTS = 100


def _participants(conversation: Conversation, envelope: Envelope) -> tuple[str, ...]:
    if envelope.sender.kind is not AddressKind.MAIL:
        return conversation.participants
    everyone = dict.fromkeys(
        (*conversation.participants, envelope.sender.value, envelope.reply_to or "", *envelope.recipients)
    )
    everyone.pop("", None)
    return tuple(everyone)[:MOST_PARTICIPANTS]


def joined_by(conversation: Conversation, addresses: Iterable[str]) -> tuple[str, ...]:
    """Whose mails join the conversation once it was written to these as well."""
    everyone = dict.fromkeys((*conversation.participants, *(address.lower() for address in addresses)))
    return tuple(everyone)[:MOST_PARTICIPANTS]


def edited(
    conversation: Conversation, message: Message, envelope: Envelope, now: datetime
) -> tuple[Conversation, Message]:
    """The conversation after its contact edited a message: what it said before is kept, and the edit must be seen."""
    after = msgspec.structs.replace(
        message,
        text=envelope.text,
        attachments=envelope.attachments or message.attachments,
        revisions=(*message.revisions, Revision(text=message.text, until_at=now)),
    )
    return (
        msgspec.structs.replace(conversation, inbound_count=conversation.inbound_count + 1, last_message_at=now),
        after,
    )


def last_said_at(message: Message) -> datetime:
    """When a message came to say what it says now, or was taken back."""
    gone = [message.deleted_at] if message.deleted_at is not None else []
    return max((message.created_at, *(revision.until_at for revision in message.revisions), *gone))


def closed(conversation: Conversation, secretary: Secretary, seen_inbound: int, now: datetime) -> Conversation:
    """The conversation, done; it stays in its holder's history and reopens when the contact writes again.

    Args:
        seen_inbound: the conversation's `inbound_count` on the card she closes it from.

    Raises:
        InvalidTransition: it is closed already, someone else holds it, or something arrived that she has not read.
    """
    require_serves(secretary, conversation.account_id)
    if conversation.status is Status.CLOSED:
        raise InvalidTransition("error.closed")
    if conversation.assignee_id != secretary.id:
        raise InvalidTransition("error.not_yours")
    if seen_inbound < conversation.inbound_count:
        raise InvalidTransition("error.unread")
    return over(conversation, Because(key="because.closed", args={"name": secretary.name}), now)


def over(conversation: Conversation, because: Because, now: datetime) -> Conversation:
    """The conversation once nothing of it is left to do, whoever or whatever ended it."""
    return msgspec.structs.replace(
        conversation,
        status=Status.CLOSED,
        closed_at=now,
        snoozed_until_at=None,
        queued_at=None,
        waiting_since_at=None,
        answer_by_at=None,
        open_chat=None,
        because=because,
    )


def reopened(conversation: Conversation, secretary: Secretary, presence: Presence, now: datetime) -> Conversation:
    """A closed conversation in the hands of whoever reopens it; nobody waits in it until its contact writes.

    Raises:
        InvalidTransition: it is not closed, its words are in another since they were merged, or she is not on duty.
        NotFound: it is not in an account she serves.
    """
    require_serves(secretary, conversation.account_id)
    if conversation.merged_into is not None:
        raise InvalidTransition("error.merged_already", number=str(conversation.number))
    if conversation.status is not Status.CLOSED:
        raise InvalidTransition("error.not_closed")
    if not presence.on_duty:
        raise InvalidTransition("error.not_on_duty")
    open_again = msgspec.structs.replace(conversation, status=Status.OPEN, closed_at=None, declined_by=())
    return held_by(open_again, secretary.id, Because(key=REOPENED, args={"name": secretary.name}), now)


def event(
    kind: str,
    conversation: Conversation,
    now: datetime,
    *,
    actor: Secretary | Contact | Principal | None = None,
    detail: dict[str, str] | None = None,
) -> Event:
    """One line of a conversation's history."""
    return Event(
        id=new_id(),
        account_id=conversation.account_id,
        conversation_id=conversation.id,
        at=now,
        kind=kind,
        actor=actor.id if actor else "",
        actor_name=actor.name if actor else "",
        detail=detail or {},
    )


def placement_event(conversation: Conversation, now: datetime) -> Event:
    """The line of history that says who got it, or that it waits, and why."""
    because = conversation.because
    return event(
        "assigned" if conversation.assignee_id else "queued",
        conversation,
        now,
        detail={"because": because.key, **because.args} if because else {},
    )


def desk_event(
    kind: str, account_id: AccountId, now: datetime, *, actor: Secretary, detail: dict[str, str] | None = None
) -> Event:
    """One line of history that concerns no conversation: who came, who left."""
    return Event(
        id=new_id(),
        account_id=account_id,
        at=now,
        kind=kind,
        actor=actor.id,
        actor_name=actor.name,
        detail=detail or {},
    )
