"""Years of mail brought in as history: threaded, found by search and by later answers, and nobody is told.

What is brought in was answered long ago: its conversations are closed, held
by nobody, and wait for nothing. A mail that comes later and answers one of
them opens it as any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from inbox import receipts
from inbox.accounts import is_own_address
from inbox.contacts import know
from inbox.conversations import MOST_PARTICIPANTS, Numbers, event, opened, received
from inbox.envelope import Envelope, Sender
from inbox.erasure import erased_key
from inbox.errors import Conflict
from inbox.machinery import DeskKey
from inbox.matching import MOST_REFERENCES, distinguishing_id, is_same, match_mail
from inbox.model import Account, AddressKind, Contact, Conversation, Cursor, Direction, Message, Receipt, Status
from inbox.parts import Because, ChannelId, ContactId, SecretaryId
from inbox.store.base import Blob, Changes, Store
from inbox.store.documents import MESSAGE_BY_EXTERNAL_ID, RECEIPT_BY_SOURCE, RECEIPT_ERASED

MOST_TRIES = 20


class Outcome(StrEnum):
    """What became of one mail."""

    NEW = "brought in"
    KNOWN = "known already"
    ERASED = "of somebody forgotten since"
    TOO_OLD = "older than the account keeps"


class Importing:
    """Brings mails in for one account, one at a time, in the order given.

    Each is one commit together with how far the archive is done: broken off
    at any moment, it goes on where it was, and nothing is brought in twice.

    Args:
        channel_id: the mailbox the conversations are answered through.
    """

    def __init__(
        self,
        store: Store,
        key: DeskKey,
        account: Account,
        channel_id: ChannelId,
        clock: Callable[[], datetime],
    ) -> None:
        self.source = ChannelId(f"import:{account.id}")
        """The channel their receipts are counted under."""
        self._store = store
        self._key = key
        self._numbers = Numbers(store)
        self._account = account
        self._channel_id = channel_id
        self._clock = clock

    async def done(self, fingerprint: str) -> int:
        """How many mails of the archive with this fingerprint are done."""
        cursor = await self._store.find(Cursor, self.source)
        known, _, count = cursor.position.partition(" ") if cursor is not None else ("", "", "")
        return int(count) if known == fingerprint else 0

    async def take(self, raw: bytes, envelope: Envelope, position: str) -> Outcome:
        """Bring one mail in, and note that the archive is done up to this position.

        Raises:
            Conflict: others changed the same conversation again and again.
        """
        for tries_left in reversed(range(MOST_TRIES)):
            try:
                return await self._take(raw, envelope, position)
            except Conflict:
                if not tries_left:
                    raise
        raise AssertionError("the tries never end so")

    async def _take(self, raw: bytes, envelope: Envelope, position: str) -> Outcome:
        now = self._clock()
        cursor = await self._store.find(Cursor, self.source)
        outcome, receipt, changes = await self._decided(raw, envelope, cursor, now)
        if receipt is not None:
            kept = [Blob(receipt.blob_id, raw)] if receipt.erased_at is None else []
            changes += Changes(inserts=[receipt], blobs=kept)
        changes += self._moved(cursor, position, now, counts=int(receipt is not None))
        await self._store.commit(changes)
        return outcome

    async def _decided(
        self, raw: bytes, envelope: Envelope, cursor: Cursor | None, now: datetime
    ) -> tuple[Outcome, Receipt | None, Changes]:
        """What becomes of it; a receipt where it is not one we have, and not too old to be kept."""
        keeps = self._account.retention_days
        if keeps is not None and (envelope.written_at or now) < now - timedelta(days=keeps):
            return Outcome.TOO_OLD, None, Changes()
        source_key = hashlib.sha256(raw).hexdigest()
        if await self._store.find_by(RECEIPT_BY_SOURCE, self.source, source_key) is not None:
            return Outcome.KNOWN, None, Changes()
        before = cursor.received if cursor is not None else 0
        receipt = receipts.arrived(self.source, str(self.source), source_key, len(raw), now, sequence=before + 1)
        outcome, changes, receipt = await self._placed(receipt, envelope, now)
        return outcome, receipt, changes

    def _moved(self, cursor: Cursor | None, position: str, now: datetime, *, counts: int) -> Changes:
        if cursor is None:
            return Changes(inserts=[Cursor(id=self.source, position=position, received=counts, updated_at=now)])
        moved = msgspec.structs.replace(cursor, position=position, received=cursor.received + counts, updated_at=now)
        return Changes(replacements=[moved])

    async def _placed(self, receipt: Receipt, envelope: Envelope, now: datetime) -> tuple[Outcome, Changes, Receipt]:
        account = self._account
        is_ours = is_own_address(account, envelope.sender.value)
        external_id = envelope.external_id
        while (existing := await self._store.find_by(MESSAGE_BY_EXTERNAL_ID, account.id, external_id)) is not None:
            # What the desk sent says in a mail more than was written here, and nobody else has its name.
            sent_here = is_ours and existing.direction is Direction.OUTBOUND and bool(existing.author_id)
            if sent_here or is_same(existing, envelope):
                known = receipts.ignored(receipt, "received before", now, account.id, existing.conversation_id)
                return Outcome.KNOWN, Changes(), known
            external_id = distinguishing_id(envelope, external_id)
        known_as = erased_key(self._key, account.id, distinguishing_id(envelope, envelope.external_id))
        if await self._store.find_by(RECEIPT_ERASED, known_as) is not None:
            gone = receipts.ignored(receipt, "received before, and erased since", now, account.id)
            return Outcome.ERASED, Changes(), msgspec.structs.replace(gone, erased_at=now)
        written_at = min(envelope.written_at or now, now)
        other = self._correspondent(envelope) if is_ours else envelope.sender
        contact = await know(self._store, account.id, self._channel_id, other, written_at)
        joined = await self._joins(envelope, None if contact.is_new else contact.contact.id, is_ours=is_ours)
        conversation = joined or await self._opened(envelope, contact.contact, written_at)
        after, message = received(conversation, contact.contact, envelope, receipt, external_id, written_at)
        message = msgspec.structs.replace(message, channel_id=self._channel_id)
        if is_ours:
            message = msgspec.structs.replace(
                message,
                direction=Direction.OUTBOUND,
                author_id=SecretaryId(""),
                author_name=envelope.sender.name or account.name,
            )
        after = _as_it_was(conversation, after, message)
        lines = [event("imported", after, written_at, detail={"message": message.id})]
        changes = contact.changes + Changes(inserts=[message, *lines])
        changes += Changes(replacements=[after]) if joined is not None else Changes(inserts=[after])
        return Outcome.NEW, changes, receipts.handled(receipt, now, account.id, after.id)

    def _correspondent(self, envelope: Envelope) -> Sender:
        """Whom a mail of the account's own was for."""
        others = (each for each in envelope.recipients if not is_own_address(self._account, each))
        return Sender(kind=AddressKind.MAIL, value=next(others, ""))

    async def _joins(self, envelope: Envelope, contact_id: ContactId | None, *, is_ours: bool) -> Conversation | None:
        """The conversation it belongs to: for the account's own mail, whichever holds what it answers."""
        if not is_ours:
            match = await match_mail(self._store, self._key, self._account.id, envelope, contact_id)
            return match.joins
        for reference in envelope.references[:MOST_REFERENCES]:
            answered = await self._store.find_by(MESSAGE_BY_EXTERNAL_ID, self._account.id, reference)
            if answered is not None:
                return await self._store.find(Conversation, answered.conversation_id)
        return None

    async def _opened(self, envelope: Envelope, contact: Contact, written_at: datetime) -> Conversation:
        """A conversation as if it had ended with its first mail."""
        number = await self._numbers.take()
        new = opened(number, self._account, contact, self._channel_id, envelope, written_at, related=None)
        return msgspec.structs.replace(
            new, status=Status.CLOSED, queued_at=None, closed_at=written_at, because=Because(key="because.imported")
        )


def _as_it_was(before: Conversation, after: Conversation, message: Message) -> Conversation:
    """The conversation with one message more, and nobody asked to do anything about it."""
    said_at = message.created_at
    participants = dict.fromkeys((*after.participants, *message.recipients))
    return msgspec.structs.replace(
        before,
        message_count=after.message_count,
        participants=tuple(participants)[:MOST_PARTICIPANTS],
        opened_at=min(before.opened_at, said_at),
        last_message_at=max(before.last_message_at, said_at),
        closed_at=max(before.closed_at, said_at) if before.closed_at is not None else None,
    )
