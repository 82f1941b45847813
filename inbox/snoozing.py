"""A conversation that is put off: it rings nobody until its moment, or until its contact writes again."""

from __future__ import annotations

from datetime import datetime

import msgspec

from inbox.alarms import raised_unless_seen
from inbox.assignment import balance, may_serve, queued, require_holds
from inbox.conversations import event, placement_event
from inbox.model import Conversation, Presence, Secretary, Status
from inbox.moments import require_ahead
from inbox.outbox import card_for
from inbox.parts import Because
from inbox.store.base import Changes, Store


def snoozed(conversation: Conversation, secretary: Secretary, until: datetime, now: datetime) -> Conversation:
    """The conversation, put off until then; it stays its holder's, and weighs on nobody meanwhile.

    Raises:
        InvalidTransition: that moment is past or more than a year away, or it is closed or nobody's.
        NotAllowed: somebody else holds it.
    """
    require_holds(conversation, secretary)
    require_ahead(until, now)
    return msgspec.structs.replace(
        conversation,
        status=Status.SNOOZED,
        snoozed_until_at=until,
        because=Because(key="because.snoozed", args={"name": secretary.name}),
    )


async def woken(store: Store, before: Conversation, now: datetime) -> Changes:
    """What changes when its moment has come: its holder's card rings, or it goes to the queue where she is absent."""
    because = Because(key="because.woken")
    after = msgspec.structs.replace(before, status=Status.OPEN, snoozed_until_at=None, because=because)
    holder = await store.get(Secretary, before.assignee_id) if before.assignee_id is not None else None
    presence = await store.find(Presence, holder.id) if holder is not None else None
    is_there = holder is not None and may_serve(holder, after.account_id) and presence is not None and presence.on_duty
    if holder is None or not is_there:
        after = queued(after, because, now)
        changes = Changes(inserts=[placement_event(after, now)])
    else:
        changes = Changes(inserts=[card_for(holder, after, now, fresh=True)])
    changes += Changes(replacements=[after], inserts=[event("woken", after, now)])
    if after.waiting_since_at is not None:
        changes += await raised_unless_seen(store, after, now)
    return changes + await balance(store, before, after, now)
