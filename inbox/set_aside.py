"""Replies that are ready and do not leave yet: those that wait for a moment, and those that wait for approval.

Such a reply is its author's open draft still. Whatever changes it, whatever
its client writes and whatever another answers meanwhile sets it back: it
waits for nothing any more, and its author says anew what becomes of it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from inbox.approval import list_approvers, told_approvers
from inbox.assignment import is_supervisor, may_serve
from inbox.conversations import event
from inbox.drafts import changed, require_author, require_may_write, require_sendable
from inbox.errors import InvalidTransition, NotAllowed, NotFound, Stale
from inbox.model import Conversation, Draft, DraftState, Secretary
from inbox.moments import require_ahead
from inbox.outbox import card_for, preview_for, sentence_for
from inbox.parts import Because, Entity, SecretaryId
from inbox.store.base import Changes, Store
from inbox.store.documents import DRAFTS_ASKED, DRAFTS_SET_ASIDE

LONGEST_WORD = 500
_MOST_SET_ASIDE = 50
_MOST_ASKED = 200


async def list_set_aside(store: Store, conversation: Conversation) -> list[Draft]:
    """The replies of a conversation that are ready and wait, the oldest first."""
    return await store.list(DRAFTS_SET_ASIDE, conversation.id, limit=_MOST_SET_ASIDE)


async def list_asked(store: Store, supervisor: Secretary) -> list[Draft]:
    """What waits for the approval of somebody who answers for all, the oldest first."""
    found: list[Draft] = []
    last: Draft | None = None
    while len(found) < _MOST_ASKED and (page := await store.list(DRAFTS_ASKED, after=last, limit=_MOST_ASKED)):
        found += [d for d in page if may_serve(supervisor, d.account_id) and d.author_id != supervisor.id]
        last = page[-1]
    return found


def require_ready(draft: Draft, conversation: Conversation, author: Secretary) -> None:
    """Hold that a draft may be put aside as it is: it is hers, whole, and written with everything seen.

    Raises:
        Stale: the contact wrote after what she had seen.
        InvalidTransition: it is not hers to send, or there is nothing in it, or a file is not here.
    """
    require_author(draft, author)
    require_may_write(conversation, author)
    if conversation.inbound_count > draft.seen_inbound:
        raise Stale(conversation.inbound_count - draft.seen_inbound)
    if not draft.text.strip() and not draft.attachments:
        raise InvalidTransition("error.empty_draft")
    require_sendable(draft, conversation)


def scheduled(draft: Draft, send_at: datetime, now: datetime) -> Draft:
    """The draft, to leave by itself then."""
    require_ahead(send_at, now)
    return msgspec.structs.replace(
        draft, set_aside=draft.conversation_id, send_at=send_at, asked_at=None, wanted_at=None, updated_at=now
    )


def asked(draft: Draft, send_at: datetime | None, now: datetime) -> Draft:
    """The draft, to leave at once or then as soon as a supervisor approved it."""
    if send_at is not None:
        require_ahead(send_at, now)
    return msgspec.structs.replace(
        changed(draft, now), set_aside=draft.conversation_id, asked_at=now, wanted_at=send_at
    )


def require_asked(draft: Draft, supervisor: Secretary) -> None:
    """Hold that this person may say what becomes of a draft that waits for approval.

    Raises:
        NotFound: it is of an account she does not serve.
        NotAllowed: she does not answer for all, or wrote it herself.
        InvalidTransition: it does not wait for that any more.
    """
    if not may_serve(supervisor, draft.account_id):
        raise NotFound
    if not is_supervisor(supervisor) or draft.author_id == supervisor.id:
        raise NotAllowed
    if draft.state is not DraftState.OPEN or draft.asked_at is None:
        raise InvalidTransition("error.not_asked")


def approved(draft: Draft, supervisor: Secretary, now: datetime) -> Draft:
    """The draft as it may leave."""
    require_asked(draft, supervisor)
    return msgspec.structs.replace(
        draft, set_aside=None, asked_at=None, wanted_at=None, approved_by=supervisor.id, updated_at=now
    )


def corrected(draft: Draft, supervisor: Secretary, text: str, styles: tuple[Entity, ...], now: datetime) -> Draft:
    """The draft in the supervisor's words; it still waits for approval."""
    require_asked(draft, supervisor)
    # Her own message says something else now: an edit of it would undo the correction.
    return msgspec.structs.replace(draft, text=text, styles=styles, source_key=None, updated_at=now)


def returned(draft: Draft, supervisor: Secretary, word: str, now: datetime) -> Draft:
    """The draft, its author's again, with the supervisor's word."""
    require_asked(draft, supervisor)
    word = " ".join(word.split())
    if not word or len(word) > LONGEST_WORD:
        raise InvalidTransition("error.word", count=str(LONGEST_WORD))
    because = Because(key="because.returned", args={"name": supervisor.name, "word": word})
    return msgspec.structs.replace(changed(draft, now), returned=because)


async def set_back(
    store: Store, conversation: Conversation, because: Because, now: datetime, *, but: SecretaryId | None = None
) -> Changes:
    """Let nothing that waits in a conversation leave by itself any more, and tell whoever wrote it why.

    Args:
        because: what they are told.
        but: whose own is left as it is.
    """
    changes = Changes()
    for draft in await list_set_aside(store, conversation):
        if draft.author_id == but:
            continue
        changes += await _set_back(store, draft, conversation, because, now)
    return changes


async def hold_set_aside(store: Store, conversation: Conversation, decided: Changes, now: datetime) -> Changes:
    """Set back what was written before the newest its client said, unless that is decided already."""
    changes = Changes()
    for draft in await list_set_aside(store, conversation):
        if decided.newest(draft) == draft and draft.seen_inbound < conversation.inbound_count:
            because = Because(key="notice.held", args={"number": str(conversation.number)})
            changes += await _set_back(store, draft, conversation, because, now)
    return changes


async def _set_back(store: Store, draft: Draft, conversation: Conversation, because: Because, now: datetime) -> Changes:
    again = changed(draft, now)
    author = await store.get(Secretary, draft.author_id)
    changes = Changes(
        replacements=[again],
        inserts=[
            event("held", conversation, now, detail={"draft": draft.id}),
            sentence_for(author, because, now),
            preview_for(author, again, now, fresh=True),
        ],
    )
    return changes + await told_approvers(store, draft, again, now)


async def not_sent(store: Store, draft: Draft, conversation: Conversation, because: Because, now: datetime) -> Changes:
    """What waited for its moment cannot leave: its author has it back, and whoever answers for the matter knows why."""
    held = Because(key="notice.not_sent", args={"number": str(conversation.number)})
    changes = await _set_back(store, draft, conversation, held, now)
    author = await store.get(Secretary, draft.author_id)
    told = [author] if may_serve(author, draft.account_id) else []
    if conversation.assignee_id not in (None, author.id):
        told.append(await store.get(Secretary, conversation.assignee_id or author.id))
    for each in told or await list_approvers(store, draft.account_id, author.id):
        changes += Changes(
            inserts=[sentence_for(each, because, now), card_for(each, conversation, now, fresh=each.id != author.id)]
        )
    return changes
