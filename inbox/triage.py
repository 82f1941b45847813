"""What one arrival changes: known or new, whose, which conversation, who holds it, who is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from inbox.accounts import is_own_address
from inbox.acknowledgements import may_acknowledge, may_tell, too_many
from inbox.alarms import raised
from inbox.assignment import balance, choose, held_by, list_present, may_serve, queued
from inbox.contacts import Known, know
from inbox.conversations import (
    Numbers,
    album_key,
    bare_subject,
    completed,
    edited,
    event,
    is_quiet,
    opened,
    placement_event,
    received,
    undelivered,
)
from inbox.deadlines import due
from inbox.drafts import find_open, hold_stale_replies
from inbox.envelope import Envelope
from inbox.erasure import erased_key
from inbox.forwarded import apart, first_writer
from inbox.machinery import DeskKey
from inbox.matching import (
    Match,
    distinguishing_id,
    is_same,
    match_chat,
    match_mail,
    message_id_of,
    read_message_id,
)
from inbox.model import (
    Account,
    AddressKind,
    AssignmentMode,
    Contact,
    Conversation,
    Delivery,
    Direction,
    Message,
    Presence,
    Receipt,
    Secretary,
    Status,
)
from inbox.outbox import card_for, preview_for
from inbox.particulars import Bounce, FailureKind
from inbox.parts import PHONE, AccountId, Because, BlobId, ConversationId, SecretaryId, new_id
from inbox.proofs import proof_undelivered
from inbox.reports import FAILED, find_reported, is_for_first, marked
from inbox.set_aside import hold_set_aside
from inbox.store.base import Blob, Changes, Store
from inbox.store.documents import MESSAGE_BY_ALBUM, MESSAGE_BY_EXTERNAL_ID, RECEIPT_ERASED
from inbox.voicemail import as_call

MOST_COPIED = 64 * 2**20
"""Octets of the raw forms of conversations that one mail opens."""


class Taken(NamedTuple):
    """What to commit, and where the arrival went; `ignored` says why it changes nothing."""

    changes: Changes
    account_id: AccountId
    conversation_id: ConversationId | None = None
    ignored: str | None = None
    erased: bool = False
    """We had it and erased it: its raw form is not to stay either."""
    acknowledge: Message | None = None
    """The message that began something, where its writer is to be told that it arrived, or what to expect."""
    conversation: Conversation | None = None
    """The one it stands in, as it is to be committed; set with `acknowledge`."""


class Triage:
    """Decides what arrivals change. Reads the store; whoever calls commits."""

    def __init__(
        self,
        store: Store,
        key: DeskKey,
        numbers: Numbers,
        accounts: Mapping[AccountId, Account],
        *,
        country: str = "FR",
    ) -> None:
        self._store = store
        self._key = key
        self._numbers = numbers
        self._accounts = accounts
        self._country = country

    async def take_in(self, receipt: Receipt, envelope: Envelope, account_id: AccountId, now: datetime) -> Taken:
        """One inbound message: all it changes, as one unit."""
        store = self._store
        if envelope.particulars.bounce is not None:
            reported = await self._take_report(receipt, envelope.particulars.bounce, account_id, now)
            if reported is not None:
                return reported
        envelope = as_call(envelope, self._country) or envelope
        external_id = message_id_of(receipt.channel_id, envelope)
        existing = await store.find_by(MESSAGE_BY_EXTERNAL_ID, account_id, external_id)
        if existing is not None and envelope.edit:
            return await self._take_edit(existing, envelope, account_id, now)
        account = self._accounts[account_id]
        album = album_key(receipt.channel_id, envelope)
        if existing is None and album is not None:
            whole = await store.find_by(MESSAGE_BY_ALBUM, account_id, album)
            begun = await store.get(Conversation, whole.conversation_id) if whole is not None else None
            # Once it was answered or closed, what comes of it rings as any message does.
            if whole is not None and begun is not None and begun.waiting_since_at is not None:
                return await self._take_album_part(whole, begun, envelope, external_id, now)
        ours = await self._sent_by_us(account, envelope, existing)
        if ours is not None:
            return Taken(Changes(), account_id, ours.conversation_id, ignored="our own message, come back")
        while existing is not None:
            if existing.direction is Direction.INBOUND and is_same(existing, envelope):
                return Taken(Changes(), account_id, existing.conversation_id, ignored="received before")
            # Even the distinguishing id may be taken: by somebody who knew these words before they came.
            external_id = distinguishing_id(envelope, external_id)
            existing = await store.find_by(MESSAGE_BY_EXTERNAL_ID, account_id, external_id)

        if envelope.sender.kind is not AddressKind.TELEGRAM and await self._was_erased(account_id, envelope):
            return Taken(Changes(), account_id, ignored="received before, and erased since", erased=True)
        known = await know(store, account_id, receipt.channel_id, envelope.sender, now)
        match = await self._match(account, receipt, envelope, known, now)
        before = match.joins
        if before is None and envelope.particulars.forwards and known.contact.barred_at is None:
            return await self._take_forwards(account, receipt, envelope, external_id, known, match, now)
        conversation = before or opened(
            await self._numbers.take(),
            account,
            known.contact,
            # Who called cannot be answered by mail.
            PHONE if envelope.sender.kind is AddressKind.PHONE else receipt.channel_id,
            envelope,
            now,
            related=match.relates_to,
        )
        conversation, message = received(conversation, known.contact, envelope, receipt, external_id, now)
        changes = known.changes + Changes(
            inserts=[
                message,
                event("received", conversation, now, actor=known.contact, detail={"message": message.id}),
            ]
        )
        if before is None:
            changes += Changes(inserts=[event("opened", conversation, now, actor=known.contact)])
        if is_quiet(known.contact, envelope):
            return await self._shown_quietly(changes, before, conversation, now)
        taken = await self._placed(changes, before, conversation, now)
        if before is not None and before.status is Status.CLOSED:
            again = await raised(store, taken.changes.newest(conversation), now)
            taken = taken._replace(changes=taken.changes + again)
        if envelope.sender.kind is AddressKind.TELEGRAM:
            if await may_tell(store, account, before, now):
                taken = taken._replace(acknowledge=message, conversation=taken.changes.newest(conversation))
            return taken
        if before is not None or not may_acknowledge(account, self._accounts.values(), envelope):
            return taken
        held_back = await too_many(store, account, None if known.is_new else known.contact.id, now)
        if held_back:
            noted = event("not_acknowledged", conversation, now, detail={"limit": held_back})
            return taken._replace(changes=taken.changes + Changes(inserts=[noted]))
        return taken._replace(acknowledge=message, conversation=conversation)

    async def _take_forwards(
        self,
        account: Account,
        receipt: Receipt,
        envelope: Envelope,
        external_id: str,
        known: Known,
        match: Match,
        now: datetime,
    ) -> Taken:
        """Mails that were handed on, in one unit: a conversation each, with who first wrote it.

        The first is dealt here; the others wait in the queue, and are dealt
        from there: one unit gives a secretary one thing. Each has a raw form
        of its own, so that what one of them is erased from leaves the others
        whole; where those would be too large, one conversation has them all.
        """
        changes = known.changes
        handed_over = apart(msgspec.structs.replace(envelope, external_id=external_id))
        if receipt.size * len(handed_over) > MOST_COPIED:
            del handed_over[1:]
        raw = await self._store.read_blob(receipt.blob_id) if len(handed_over) > 1 else b""
        contacts = {envelope.sender.value: known}
        first: Taken | None = None
        for each in handed_over:
            forward = each.particulars.forwards[0]
            writer = first_writer(account, each, forward) or envelope.sender
            if writer.value not in contacts:
                contacts[writer.value] = await know(self._store, account.id, receipt.channel_id, writer, now)
                changes += contacts[writer.value].changes
            contact = contacts[writer.value].contact
            known_as = each.external_id
            while first is not None and await self._store.find_by(MESSAGE_BY_EXTERNAL_ID, account.id, known_as):
                known_as = distinguishing_id(each, known_as)  # somebody knew it before it came
            number = await self._numbers.take()
            new = opened(number, account, contact, receipt.channel_id, each, now, related=match.relates_to)
            # The mail shows them all, as it would if they stood in its Cc: whoever is erased is erased there too.
            others = (f.address for f in envelope.particulars.forwards if not is_own_address(account, f.address))
            named = dict.fromkeys(filter(None, (writer.value, *others)))
            new = msgspec.structs.replace(
                new, participants=tuple(named), subject=bare_subject(forward.subject) or new.subject
            )
            conversation, message = received(new, known.contact, each, receipt, known_as, now)
            if first is not None:
                copy = Blob(BlobId(new_id()), raw)
                message = msgspec.structs.replace(message, blob_id=copy.id)
                changes += Changes(blobs=[copy])
            handed_on = {"message": message.id, "forwarded_by": envelope.sender.value}
            changes += Changes(
                inserts=[
                    message,
                    event("received", conversation, now, actor=known.contact, detail=handed_on),
                    event("opened", conversation, now, actor=contact),
                ]
            )
            if first is None:
                first = await self._placed(Changes(), None, conversation, now)
                changes += first.changes
            else:
                changes += await self._left_in_queue(account, conversation, now)
        return Taken(changes, account.id, first.conversation_id if first is not None else None)

    async def _left_in_queue(self, account: Account, conversation: Conversation, now: datetime) -> Changes:
        """A new conversation that waits to be dealt, or taken by whoever is shown it."""
        conversation = due(conversation, account)
        changes = Changes(inserts=[placement_event(conversation, now)])
        if account.assignment is AssignmentMode.MANUAL:
            placement = await self.deal(conversation, now)
            conversation = placement.conversation
            changes += Changes(inserts=placement.notices)
        return changes + Changes(inserts=[conversation])

    async def _shown_quietly(
        self, changes: Changes, before: Conversation | None, conversation: Conversation, now: datetime
    ) -> Taken:
        """The rest of a machine's mail: where it stands changes for nobody, and nothing rings.

        One that opens a conversation is dealt as any is, or waits in the queue
        (`inbox.conversations.opened` says what is filed instead).
        """
        if before is None:
            if conversation.status is Status.CLOSED:
                filed = event("filed", conversation, now)
                return Taken(changes + Changes(inserts=[conversation, filed]), conversation.account_id, conversation.id)
            return await self._placed(changes, before, conversation, now)
        changes += Changes(replacements=[conversation])
        if conversation.assignee_id is not None:
            holder = await self._store.get(Secretary, conversation.assignee_id)
            if may_serve(holder, conversation.account_id):
                changes += Changes(inserts=[card_for(holder, conversation, now, fresh=False)])
                changes += await self._preview_refreshed(conversation, holder.id, now)
        return Taken(changes, conversation.account_id, conversation.id)

    async def _take_report(
        self, receipt: Receipt, bounce: Bounce, account_id: AccountId, now: datetime
    ) -> Taken | None:
        """What a mail server says became of a mail of ours; None when it is not about one.

        The report is no message of anybody's: it marks the delivery. One that
        failed is put before its holder, or back in the queue; that it goes on
        being tried, or arrived, is only noted.
        """
        store = self._store
        found = await find_reported(store, self._key, account_id, bounce)
        if found is None:
            of_a_proof = await proof_undelivered(store, self._key, account_id, bounce, now)
            return Taken(of_a_proof, account_id) if of_a_proof is not None else None
        before = await store.get(Conversation, found.message.conversation_id)
        after = marked(found.deliveries, bounce.failures)
        if not after:
            return Taken(Changes(), account_id, before.id, ignored="reported before")
        news = [f for f in bounce.failures if any(f in d.reported for d in after)]
        failed = [f for f in news if f.kind in FAILED]
        is_reply = found.message.direction is Direction.OUTBOUND
        lines = [
            event(
                _REPORTED[failure.kind] if is_reply else "acknowledgement_undelivered",
                before,
                now,
                detail={
                    "message": found.message.id,
                    "address": failure.address,
                    "code": failure.code,
                    "receipt": receipt.id,
                },
            )
            for failure in news
        ]
        changes = Changes(replacements=after, inserts=lines)
        if failed and is_reply:
            unanswered = any(is_for_first(found.message, failure) for failure in failed)
            return await self._placed(changes, before, undelivered(before, now, unanswered=unanswered), now)
        return await self._shown_quietly(changes, before, before, now)

    async def _sent_by_us(self, account: Account, envelope: Envelope, existing: Message | None) -> Message | None:
        """What a mail from a folder of sent mail is a copy of: our message, or what our acknowledgement was for."""
        if not is_own_address(account, envelope.sender.value):
            return None
        if existing is not None and existing.direction is Direction.OUTBOUND:
            return existing
        named = read_message_id(self._key, envelope.external_id)
        acknowledged = await self._store.find(Message, named) if named is not None else None
        return acknowledged if acknowledged is not None and acknowledged.account_id == account.id else None

    async def _was_erased(self, account_id: AccountId, envelope: Envelope) -> bool:
        """Whether we had this mail and erased it: a mailbox whose UIDs begin anew hands all of it over again."""
        known_as = erased_key(self._key, account_id, distinguishing_id(envelope, envelope.external_id))
        return await self._store.find_by(RECEIPT_ERASED, known_as) is not None

    async def _match(
        self, account: Account, receipt: Receipt, envelope: Envelope, known: Known, now: datetime
    ) -> Match:
        contact = None if known.is_new else known.contact
        if envelope.sender.kind is AddressKind.PHONE:
            return Match()
        if envelope.sender.kind is AddressKind.MAIL:
            contact_id = contact.id if contact else None
            return await match_mail(self._store, self._key, account.id, envelope, contact_id)
        return await match_chat(self._store, receipt.channel_id, account, envelope, contact, now)

    async def _take_edit(self, message: Message, envelope: Envelope, account_id: AccountId, now: datetime) -> Taken:
        if message.text == envelope.text and _same_files(message, envelope):
            return Taken(Changes(), account_id, message.conversation_id, ignored="nothing changed")
        before = await self._store.get(Conversation, message.conversation_id)
        conversation, message = edited(before, message, envelope, now)
        changes = Changes(
            replacements=[message],
            inserts=[event("edited", conversation, now, detail={"message": message.id})],
        )
        author = await self._store.find(Contact, message.author_id)
        if author is not None and author.barred_at is not None:
            return await self._shown_quietly(changes, before, before, now)
        return await self._placed(changes, before, conversation, now)

    async def _take_album_part(
        self, album: Message, before: Conversation, part: Envelope, known_as: str, now: datetime
    ) -> Taken:
        """One more file of an album: the same message, on the same card, which does not ring again."""
        known = {file.path for file in album.attachments}
        if part.edit or all(file.path in known for file in part.attachments):
            return Taken(Changes(), before.account_id, before.id, ignored="a part of an album, known already")
        conversation, whole = completed(before, album, part, known_as, now)
        changes = Changes(replacements=[whole])
        changes += await hold_stale_replies(self._store, conversation, now)
        changes += await hold_set_aside(self._store, conversation, changes, now)
        return await self._shown_quietly(changes, before, conversation, now)

    async def _placed(
        self, changes: Changes, before: Conversation | None, conversation: Conversation, now: datetime
    ) -> Taken:
        """The rest of the unit: stale replies held, a holder who is there, and whoever must know told."""
        if before is not None:
            changes += await hold_stale_replies(self._store, conversation, now)
            changes += await hold_set_aside(self._store, conversation, changes, now)
        placement = await self.place(conversation, now)
        conversation = placement.conversation
        changes += Changes(replacements=[conversation]) if before is not None else Changes(inserts=[conversation])
        changes += await balance(self._store, before, conversation, now)
        changes += Changes(inserts=placement.notices)
        if conversation.assignee_id is not None and before is not None:
            changes += await self._preview_refreshed(conversation, conversation.assignee_id, now)
        if before is None or before.assignee_id != conversation.assignee_id:
            changes += Changes(inserts=[placement_event(conversation, now)])
        return Taken(changes, conversation.account_id, conversation.id)

    async def _preview_refreshed(self, conversation: Conversation, holder_id: SecretaryId, now: datetime) -> Changes:
        """The holder's open draft, shown anew with what just arrived above it."""
        draft = await find_open(self._store, conversation.id, holder_id)
        if draft is None:
            return Changes()
        return Changes(inserts=[preview_for(await self._store.get(Secretary, holder_id), draft, now, fresh=False)])

    async def place(self, conversation: Conversation, now: datetime) -> Placement:
        """Keep its holder if she is there and may serve it; else deal it by the rule; else it waits with the reason.

        A closed one stays closed: its last holder is only shown it. By when its answer is due is decided here too.
        """
        conversation = due(conversation, self._accounts[conversation.account_id])
        if conversation.assignee_id is not None:
            presence = await self._store.get(Presence, conversation.assignee_id)
            holder = await self._store.get(Secretary, conversation.assignee_id)
            serves = may_serve(holder, conversation.account_id)
            if conversation.status is Status.CLOSED or (presence.on_duty and serves):
                return Placement(conversation, [card_for(holder, conversation, now, fresh=True)] if serves else [])
            absent = Because(key="because.absent", args={"name": holder.name})
            conversation = queued(conversation, absent, now)
        if conversation.status is Status.CLOSED:
            return Placement(conversation, [])
        return await self.deal(conversation, now)

    async def deal(self, conversation: Conversation, now: datetime) -> Placement:
        """Give a conversation nobody holds to whom the rule names."""
        present = await list_present(self._store, conversation.account_id)
        if self._accounts[conversation.account_id].assignment is AssignmentMode.MANUAL:
            waits = msgspec.structs.replace(conversation, because=Because(key="because.by_hand"))
            if is_a_machines(conversation):
                return Placement(waits, [])  # the queue shows it; twenty people need no card of a newsletter
            return Placement(waits, [card_for(c.secretary, waits, now, fresh=True) for c in present])
        choice = choose(present, conversation.declined_by)
        if choice.chosen is None:
            return Placement(msgspec.structs.replace(conversation, because=choice.because), [])
        given = held_by(conversation, choice.chosen.secretary.id, choice.because, now)
        quiet = is_a_machines(conversation)
        return Placement(given, [card_for(choice.chosen.secretary, given, now, fresh=True, quiet=quiet)])


_REPORTED = {
    FailureKind.PERMANENT: "undelivered",
    FailureKind.TEMPORARY: "undelivered",
    FailureKind.DELAYED: "delayed",
    FailureKind.DELIVERED: "arrived",
}


def is_a_machines(conversation: Conversation) -> bool:
    """Whether no person has written in it, and none waits."""
    return conversation.inbound_count == 0 and conversation.waiting_since_at is None


def _same_files(message: Message, envelope: Envelope) -> bool:
    """Whether an edit leaves the files as they are. A file's id may differ from update to update (Bot API, File)."""
    before, after = ([(a.name, a.media_type, a.size, a.kind) for a in m.attachments] for m in (message, envelope))
    return not after or before == after


class Placement(NamedTuple):
    """A conversation with its holder or its reason to wait, and the cards that say so."""

    conversation: Conversation
    notices: list[Delivery]
