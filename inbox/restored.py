"""A store that comes from a backup is in the past: what it takes to go on from there without doing anything twice.

Replies the desk sent since the backup was made are still due in it. Sent
again, a client would read them twice; so each is put before a person, who can
see in the Sent folder, or ask. What was received by mail since is received
again; what came by Telegram since is gone, and said to be.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from inbox import outbox
from inbox.conversations import NUMBERS
from inbox.drafts import changed
from inbox.machinery import Backup, Counter
from inbox.model import Delivery, DeliveryKind, Draft, Event, Secretary
from inbox.parts import UNSORTED, new_id
from inbox.store.base import Changes, Store
from inbox.store.documents import DELIVERIES_AFTER, DELIVERIES_DUE, DELIVERIES_LEASED, DRAFT_OPEN
from inbox.unseen import in_doubt

THE_BACKUP = "backup"
SKIPPED_NUMBERS = 1000
"""Numbers given since the backup was made were said to people: they must not come to mean something else."""
PAGE = 500


def mark(taken_at: datetime) -> Backup:
    """What a copy says of itself."""
    return Backup(id=THE_BACKUP, taken_at=taken_at)


async def find_unsettled(store: Store) -> Backup | None:
    """The mark of a store that is a backup's copy, on which no worker has gone on yet."""
    backup = await store.find(Backup, THE_BACKUP)
    return backup if backup is not None and backup.settled_at is None else None


async def list_in_doubt(store: Store) -> list[Delivery]:
    """Some of the deliveries that would reach a client, and may have reached them since; empty when none is left."""
    found: list[Delivery] = []
    for index in (DELIVERIES_LEASED, DELIVERIES_DUE, DELIVERIES_AFTER):
        last: Delivery | None = None
        while page := await store.list(index, after=last, limit=PAGE):
            found += [d for d in page if d.kind is not DeliveryKind.NOTICE]
            last = page[-1]
            if len(found) >= PAGE:
                return found
    return found


async def hold(store: Store, backup: Backup, delivery: Delivery, now: datetime) -> Changes:
    """One delivery put before a person, and counted."""
    counted = msgspec.structs.replace(backup, held=backup.held + 1)
    return await in_doubt(store, delivery, "failure.restored", now) + Changes(replacements=[counted])


async def list_open_drafts(store: Store) -> list[Draft]:
    """Every draft that may have been sent since."""
    found: list[Draft] = []
    while page := await store.list(DRAFT_OPEN, after=found[-1] if found else None, limit=PAGE):
        found += page
    return found


def asked_about(draft: Draft, author: Secretary, now: datetime) -> Changes:
    """The draft, shown anew to its author; no preview from before sends it, nor a moment or an approval from then."""
    again = changed(draft, now)
    return Changes(replacements=[again], inserts=[outbox.preview_for(author, again, now, fresh=True)])


async def settled(store: Store, backup: Backup, now: datetime) -> Changes:
    """That everything is put before people, and the store is the desk's from here on."""
    changes = Changes(
        replacements=[msgspec.structs.replace(backup, settled_at=now)],
        inserts=[
            Event(id=new_id(), account_id=UNSORTED, at=now, kind="restored", detail={"held": str(backup.held)}),
        ],
    )
    counter = await store.find(Counter, NUMBERS)
    if counter is not None:
        ahead = msgspec.structs.replace(counter, next=counter.next + SKIPPED_NUMBERS)
        changes += Changes(replacements=[ahead])
    return changes
