"""A reply in preparation: written, changed, sent, taken back. What leaves was written with everything seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from inbox import styles
from inbox.addressees import addressees, sender_address
from inbox.addressees import reply_recipients as reply_recipients
from inbox.approval import needs_approval, told_approvers
from inbox.assignment import require_serves
from inbox.conversations import event, joined_by
from inbox.errors import FilesAwaited, InvalidTransition, Stale
from inbox.model import (
    Account,
    Conversation,
    Delivery,
    DeliveryKind,
    Direction,
    Draft,
    DraftState,
    Message,
    Secretary,
    Status,
)
from inbox.outbox import PENDING, cancel_reply, preview_for, sentence_for
from inbox.parts import PHONE, Attachment, Because, ConversationId, DraftId, Entity, MessageId, SecretaryId, new_id
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    DELIVERIES_OF_CONVERSATION,
    DRAFT_OF_MESSAGE,
    DRAFT_OPEN,
    MESSAGES_OF_CONVERSATION,
)


def open_key(conversation_id: ConversationId, author_id: SecretaryId) -> str:
    """What an open draft is found by, and what keeps a secretary to one draft a conversation."""
    return f"{conversation_id}:{author_id}"


async def find_open(store: Store, conversation_id: ConversationId, author_id: SecretaryId) -> Draft | None:
    """The draft this secretary is writing in this conversation."""
    return await store.find_by(DRAFT_OPEN, open_key(conversation_id, author_id))


def require_open(conversation: Conversation, secretary: Secretary) -> None:
    """Hold that a conversation goes on, in an account she serves.

    Raises:
        NotFound: she does not serve it.
        InvalidTransition: it is closed.
    """
    require_serves(secretary, conversation.account_id)
    if conversation.status is Status.CLOSED:
        raise InvalidTransition("error.closed")


def require_may_write(conversation: Conversation, secretary: Secretary) -> None:
    """Hold that only the conversation's holder writes in it.

    Raises:
        InvalidTransition: the conversation is closed, waits in the queue, is someone else's, or was a call.
    """
    require_open(conversation, secretary)
    if conversation.assignee_id != secretary.id:
        raise InvalidTransition("error.not_yours" if conversation.assignee_id else "error.take_it_first")
    if conversation.channel_id == PHONE:
        raise InvalidTransition("error.by_phone")


def written(
    existing: Draft | None,
    conversation: Conversation,
    secretary: Secretary,
    text: str,
    attachments: tuple[Attachment, ...],
    seen_inbound: int,
    source_key: str | None,
    now: datetime,
    styles: tuple[Entity, ...] = (),
) -> Draft:
    """The draft with these words: a new one, or hers with its words replaced."""
    require_may_write(conversation, secretary)
    if existing is not None:
        return msgspec.structs.replace(
            changed(existing, now),
            text=text,
            styles=styles,
            attachments=attachments,
            seen_inbound=max(seen_inbound, existing.seen_inbound),
            source_key=source_key,
        )
    return Draft(
        id=DraftId(new_id()),
        account_id=conversation.account_id,
        conversation_id=conversation.id,
        author_id=secretary.id,
        text=text,
        styles=styles,
        attachments=attachments,
        seen_inbound=seen_inbound,
        open_key=open_key(conversation.id, secretary.id),
        source_key=source_key,
        created_at=now,
        updated_at=now,
    )


def changed(draft: Draft, now: datetime) -> Draft:
    """The draft, about to say something else: what was to become of it as it was holds no more."""
    return msgspec.structs.replace(
        draft,
        set_aside=None,
        send_at=None,
        asked_at=None,
        wanted_at=None,
        approved_by=None,
        returned=None,
        updated_at=now,
    )


def discarded(draft: Draft, secretary: Secretary, now: datetime) -> Draft:
    """The draft, thrown away.

    Raises:
        InvalidTransition: it was sent or discarded already.
    """
    require_author(draft, secretary)
    return msgspec.structs.replace(changed(draft, now), state=DraftState.DISCARDED, open_key=None)


def require_author(draft: Draft, secretary: Secretary) -> None:
    """Hold that a draft is only its author's.

    Raises:
        InvalidTransition: it is not hers, or no longer open.
    """
    if draft.author_id != secretary.id:
        raise InvalidTransition("error.not_yours")
    if draft.state is not DraftState.OPEN:
        raise InvalidTransition("error.draft_gone")


async def last_inbound(store: Store, conversation_id: ConversationId) -> Message | None:
    """The newest message of the contact: what a reply answers. A machine's only where no person wrote."""
    said = await store.list(MESSAGES_OF_CONVERSATION, conversation_id, descending=True, limit=200)
    # Of conversations that were merged the later one's words may be the older.
    inbound = sorted((m for m in said if m.direction is Direction.INBOUND), key=lambda m: m.created_at, reverse=True)
    by_people = (m for m in inbound if m.particulars.automatic is None)
    return next(by_people, inbound[0] if inbound else None)


MOST_FILES = 20
LARGEST_LETTER = 25 * 10**6
"""Octets of a mail, files encoded, that providers commonly let pass; one that takes less says so (RFC 1870)."""
_FOR_THE_WORDS = 300_000


def is_awaited(file: Attachment, conversation: Conversation) -> bool:
    """Whether a file must still be fetched before it can leave: it came by another channel."""
    return file.held_by not in (None, conversation.channel_id) and file.blob_id is None


def require_sendable(draft: Draft, conversation: Conversation) -> None:
    """Hold that the files are here and not too large together.

    Raises:
        InvalidTransition: they are not.
    """
    if conversation.chat_id is None:
        # Base64 makes 78 octets of 57 (RFC 2045 §6.8).
        size = sum(file.size for file in draft.attachments) * 78 // 57 + _FOR_THE_WORDS
        if size > LARGEST_LETTER:
            most = (LARGEST_LETTER - _FOR_THE_WORDS) * 57 // 78
            raise InvalidTransition("error.files_too_large", most=str(most // 10**6))
    if awaited := [file.name for file in draft.attachments if is_awaited(file, conversation)]:
        raise FilesAwaited("error.files_awaited", name=awaited[0])


class Outgoing(NamedTuple):
    """A draft turned into the message that will leave."""

    message: Message
    draft: Draft
    conversation: Conversation


def outgoing(
    draft: Draft,
    conversation: Conversation,
    account: Account,
    secretary: Secretary,
    message_id: MessageId,
    external_id: str,
    answers: Message | None,
    now: datetime,
    *,
    trial: timedelta = timedelta(0),
    is_decided: bool = False,
) -> Outgoing:
    """The message a draft becomes when it is sent.

    Args:
        secretary: its author.
        trial: for how long after she joined a supervisor approves what she writes.
        is_decided: she said before that it is to leave, then or once it is approved: whoever holds the conversation
            now, it does.

    Raises:
        Stale: the contact wrote after what she had seen.
        InvalidTransition: the conversation is not hers any more, a supervisor must approve it first, or there is
            nobody to write to.
    """
    require_author(draft, secretary)
    if is_decided:
        require_open(conversation, secretary)
    else:
        require_may_write(conversation, secretary)
    if draft.approved_by is None and needs_approval(account, secretary, trial, now):
        raise InvalidTransition("error.needs_approval")
    unseen = conversation.inbound_count - draft.seen_inbound
    if unseen > 0:
        raise Stale(unseen)
    if not draft.text.strip() and not draft.attachments:
        raise InvalidTransition("error.empty_draft")
    by_mail = conversation.chat_id is None
    to, copies = addressees(draft, answers, account) if by_mail else ((), ())
    sender = sender_address(answers, account)
    if by_mail and not to:
        raise InvalidTransition("error.no_recipient")
    if by_mail and sender is None:
        raise InvalidTransition("error.no_identity", account=account.name)
    require_sendable(draft, conversation)
    thread = ((*answers.references, answers.external_id) if answers else ()) if by_mail else ()
    message = Message(
        id=message_id,
        account_id=account.id,
        conversation_id=conversation.id,
        position=conversation.message_count + 1,
        direction=Direction.OUTBOUND,
        channel_id=conversation.channel_id,
        author_id=secretary.id,
        author_name=secretary.name,
        author_address=sender or "",
        subject=conversation.subject,
        text=draft.text,
        attachments=draft.attachments,
        external_id=external_id,
        references=thread,
        recipients=(*to, *copies),
        copies=copies,
        created_at=now,
        seen_inbound=draft.seen_inbound,
    )
    return Outgoing(
        message=message,
        draft=msgspec.structs.replace(
            changed(draft, now),
            state=DraftState.SENT,
            open_key=None,
            message_id=message.id,
            approved_by=draft.approved_by,
        ),
        conversation=msgspec.structs.replace(
            conversation,
            message_count=message.position,
            last_message_at=now,
            participants=joined_by(conversation, (*to, *copies)),
        ),
    )


async def undone(
    store: Store, draft: Draft, conversation: Conversation, secretary: Secretary, now: datetime
) -> Changes:
    """Take a sent draft back while none of it has left; it is a draft again.

    Raises:
        InvalidTransition: too late, or it is not hers.
    """
    if secretary.id not in (draft.author_id, draft.approved_by):
        raise InvalidTransition("error.not_yours")
    if draft.state is not DraftState.SENT or draft.message_id is None:
        raise InvalidTransition("error.draft_gone")
    message = await store.get(Message, draft.message_id)
    changes = await cancel_reply(store, message, now) + Changes(expectations=[conversation])
    newer = await find_open(store, draft.conversation_id, draft.author_id)
    author = secretary if secretary.id == draft.author_id else await store.get(Secretary, draft.author_id)
    changes += _open_again(author, draft, message, newer, now, fresh=author.id != secretary.id)
    changes += await _approvers_told(store, draft, newer, changes, now)
    return changes + Changes(inserts=[event("undone", conversation, now, actor=secretary)])


def _open_again(
    author: Secretary, draft: Draft, message: Message, newer: Draft | None, now: datetime, *, fresh: bool
) -> Changes:
    """The draft as it was before it was sent, and its author shown what holds its words now."""
    again = msgspec.structs.replace(
        changed(draft, now),
        state=DraftState.OPEN,
        message_id=None,
        open_key=open_key(draft.conversation_id, draft.author_id),
    )
    if newer is None:
        return Changes(
            replacements=[again], deletions=[message], inserts=[preview_for(author, again, now, fresh=fresh)]
        )
    # She already writes the next one: hers stays whole, the words taken back stand before it. Two messages
    # made it now, so an edit of one no longer stands for all of it.
    joined = msgspec.structs.replace(
        changed(newer, now),
        text="\n\n".join(filter(None, (draft.text, newer.text))),
        styles=styles.joined(draft.text, draft.styles, newer.text, newer.styles),
        attachments=(*draft.attachments, *newer.attachments),
        recipients=newer.recipients or draft.recipients,
        copies=tuple(dict.fromkeys((*draft.copies, *newer.copies))),
        source_key=None,
        sources=(*draft.sources, *newer.sources),
    )
    gone = msgspec.structs.replace(again, state=DraftState.DISCARDED, open_key=None)
    return Changes(
        replacements=[joined, gone],
        deletions=[message],
        inserts=[preview_for(author, gone, now, fresh=False), preview_for(author, joined, now, fresh=True)],
    )


async def _approvers_told(store: Store, draft: Draft, newer: Draft | None, changes: Changes, now: datetime) -> Changes:
    """Whoever approved the one, or was asked about the other, sees that neither is what it was."""
    told = await told_approvers(store, draft, changes.newest(draft), now)
    return told + await told_approvers(store, newer, changes.newest(newer), now) if newer is not None else told


async def hold_stale_replies(store: Store, conversation: Conversation, now: datetime) -> Changes:
    """Take back the replies that have not left and whose authors have not seen all the conversation received.

    One that is leaving at this moment left before. The drafts are open again,
    and their authors are told.
    """
    changes = Changes()
    held: list[tuple[Message, Draft]] = []
    for message in await _pending_replies(store, conversation.id):
        if (message.seen_inbound or 0) >= conversation.inbound_count:
            continue
        draft = await store.find_by(DRAFT_OF_MESSAGE, message.id)
        if draft is None:
            continue
        try:
            # Oldest first: cancelling one lets the next one go, and that one is cancelled after it.
            changes += await cancel_reply(store, message, now)
        except InvalidTransition:
            continue  # partly gone: it is already on the client's screen, or may be
        held.append((message, draft))
    open_drafts: dict[SecretaryId, Draft | None] = {}
    for message, draft in reversed(held):
        author = await store.get(Secretary, draft.author_id)
        if author.id not in open_drafts:
            open_drafts[author.id] = await find_open(store, conversation.id, author.id)
        newer = open_drafts[author.id]
        changes += _open_again(author, draft, message, newer, now, fresh=True)
        changes += await _approvers_told(store, draft, newer, changes, now)
        open_drafts[author.id] = changes.newest(newer or draft)
        changes += Changes(
            inserts=[
                event("held", conversation, now, detail={"draft": draft.id}),
                sentence_for(author, Because(key="notice.held", args={"number": str(conversation.number)}), now),
            ]
        )
    return changes


async def hold_before_retry(store: Store, delivery: Delivery, now: datetime) -> Changes:
    """Take a reply back that failed while its client wrote again; empty when it may be tried again.

    While it was leaving, what arrived could not hold it.
    """
    if delivery.kind is not DeliveryKind.REPLY or not delivery.attempts or delivery.conversation_id is None:
        return Changes()
    conversation = await store.get(Conversation, delivery.conversation_id)
    changes = await hold_stale_replies(store, conversation, now)
    return changes + Changes(expectations=[conversation]) if changes else changes


async def _pending_replies(store: Store, conversation_id: ConversationId) -> list[Message]:
    """The outbound messages that wait to leave, oldest first."""
    pending: list[Delivery] = []
    for state in PENDING:
        pending += await store.list(DELIVERIES_OF_CONVERSATION, conversation_id, DeliveryKind.REPLY, state)
    ids = dict.fromkeys(d.message_id for d in sorted(pending, key=lambda d: d.id) if d.message_id)
    messages = await store.find_many(Message, ids)
    return [messages[i] for i in ids if i in messages]
