"""What could not be shown to a secretary: somebody learns of it, and nothing waits for eyes that do not see it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from inbox import outbox
from inbox.assignment import balance, is_supervisor, may_serve, queued
from inbox.contacts import set_blocked
from inbox.conversations import placement_event
from inbox.model import Conversation, Delivery, Secretary, Status
from inbox.notices import (
    AlarmNotice,
    AnsweredNotice,
    CardNotice,
    DigestNotice,
    FileNotice,
    InstructionNotice,
    InstructionsNotice,
    Letter,
    OnCallNotice,
    PinNotice,
    Post,
    RotaNotice,
    TakenNotice,
    TextNotice,
    WaysNotice,
)
from inbox.outbox import sentence_for
from inbox.parts import Because
from inbox.presence import handed_back
from inbox.proofs import letter_died, letter_in_doubt
from inbox.store.base import Changes, Store
from inbox.store.documents import SECRETARIES, SECRETARY_BY_TELEGRAM

UNREACHABLE = frozenset({"failure.blocked_by_client", "failure.chat_gone"})
"""Why nothing at all reaches a chat."""
MOST_SECRETARIES = 10_000


async def died(store: Store, delivery: Delivery, error: str, now: datetime) -> Changes:
    """It will never be sent by itself; what a secretary cannot see becomes somebody else's to see.

    Whoever cannot be reached at all is not on duty: what waits for her goes back to the queue. A
    card that Telegram refuses for what it is leaves its request in nobody's sight: it goes back to
    the queue, not to her again, and the supervisors are told. Whatever else she asked for, she is told.
    """
    changes = await outbox.died(store, delivery, error, now) + await letter_died(store, delivery, now)
    if isinstance(delivery.payload, Post) and delivery.payload.through is not None:
        return changes
    if error in UNREACHABLE and isinstance(delivery.payload, Post):
        # Until they write again, or let the bot in again: the card says so before anybody writes the next reply.
        blocked, _ = await set_blocked(store, delivery.channel_id, delivery.payload.chat_id, now, blocked=True)
        return changes + blocked
    secretary = await _for_whom(store, delivery)
    if secretary is None or not outbox.is_repeatable(delivery):
        return changes
    if error in UNREACHABLE:
        return changes + await handed_back(store, secretary, now)
    match delivery.payload:
        case CardNotice():
            return changes + await _out_of_sight(store, secretary, delivery.payload, now)
        case FileNotice() | TextNotice() | PinNotice() | Letter() | Post():
            return changes
    return changes + Changes(inserts=[sentence_for(secretary, Because(key=error), now)])


async def in_doubt(store: Store, delivery: Delivery, error: str, now: datetime) -> Changes:
    """It may have left; where no card shows that to anybody, whoever wanted it is told."""
    return await outbox.unknown(store, delivery, error, now) + await letter_in_doubt(store, delivery, now)


async def lease_expired(store: Store, delivery: Delivery, now: datetime) -> Changes:
    """The worker that held it is gone: what may be repeated is due again, the rest is in doubt."""
    changes = await outbox.lease_expired(store, delivery, now)
    return changes if outbox.is_repeatable(delivery) else changes + await letter_in_doubt(store, delivery, now)


async def _for_whom(store: Store, delivery: Delivery) -> Secretary | None:
    match delivery.payload:
        case Letter() | Post():
            return None
        case TextNotice(chat_id=chat_id):
            found = await store.find_by(SECRETARY_BY_TELEGRAM, chat_id)
            return found if found is not None and found.channel_id == delivery.channel_id else None
        case AnsweredNotice() | WaysNotice() | TakenNotice() | DigestNotice() | AlarmNotice():
            return None
        case (
            InstructionsNotice(person_id=person_id)
            | InstructionNotice(person_id=person_id)
            | RotaNotice(person_id=person_id)
            | OnCallNotice(person_id=person_id)
        ):
            return await store.find(Secretary, person_id)
        case shown:
            return await store.find(Secretary, shown.secretary_id)


async def _out_of_sight(store: Store, secretary: Secretary, card: CardNotice, now: datetime) -> Changes:
    before = await store.find(Conversation, card.conversation_id)
    if before is None or not may_serve(secretary, before.account_id):
        return Changes()
    args = {"number": str(before.number), "name": secretary.name}
    everyone = await store.list(SECRETARIES, True, limit=MOST_SECRETARIES)
    told = [s for s in everyone if s.id == secretary.id or (is_supervisor(s) and may_serve(s, before.account_id))]
    changes = Changes(inserts=[sentence_for(s, Because(key="notice.not_shown", args=args), now) for s in told])
    if before.assignee_id != secretary.id or before.status is not Status.OPEN or before.waiting_since_at is None:
        return changes
    after = msgspec.structs.replace(
        queued(before, Because(key="because.not_shown", args={"name": secretary.name}), now),
        declined_by=tuple(dict.fromkeys((*before.declined_by, secretary.id))),
    )
    changes += Changes(replacements=[after], inserts=[placement_event(after, now)])
    return changes + await balance(store, before, after, now)
