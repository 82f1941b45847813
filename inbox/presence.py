"""Who is no longer there: what waits for her goes back to the queue."""

from __future__ import annotations

from datetime import datetime

import msgspec

from inbox.assignment import queued
from inbox.conversations import desk_event, placement_event
from inbox.model import Conversation, Presence, Secretary, Status
from inbox.outbox import card_for
from inbox.parts import UNSORTED, Because
from inbox.store.base import Changes, Store
from inbox.store.documents import CONVERSATIONS_HELD

PAGE = 500


async def handed_back(store: Store, secretary: Secretary, now: datetime) -> Changes:
    """What changes when somebody is no longer there: off duty, and what waits for her in the queue again."""
    presence = await store.get(Presence, secretary.id)
    waiting = [c for c in await _held(store, secretary) if c.waiting_since_at is not None]
    if not presence.on_duty and not waiting:
        return Changes()
    changes = Changes(
        replacements=[
            msgspec.structs.replace(
                presence, on_duty=False, since_at=now, open_count=presence.open_count - len(waiting)
            )
        ],
        inserts=[desk_event("left", UNSORTED, now, actor=secretary)],
    )
    because = Because(key="because.absent", args={"name": secretary.name})
    for before in waiting:
        after = queued(before, because, now)
        changes += Changes(
            replacements=[after],
            inserts=[placement_event(after, now), card_for(secretary, after, now, fresh=False)],
        )
    return changes


async def _held(store: Store, secretary: Secretary) -> list[Conversation]:
    """Every open conversation she holds: answered ones gather over the months, and what waits stands behind them."""
    held: list[Conversation] = []
    while True:
        last = held[-1] if held else None
        page = await store.list(CONVERSATIONS_HELD, secretary.id, Status.OPEN, after=last, limit=PAGE)
        held += page
        if len(page) < PAGE:
            return held
