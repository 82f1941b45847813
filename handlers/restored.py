"""A worker that starts on a backup's copy: what may have happened since is put before people, then the desk goes on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import structlog

from handlers.desk import Desk
from handlers.forgetting import forget
from inbox.assignment import is_supervisor
from inbox.errors import Conflict, StillInUse
from inbox.forgetting import list_unfinished, missing_here
from inbox.machinery import Backup
from inbox.model import Conversation, Delivery, Draft, Secretary
from inbox.outbox import sentence_for
from inbox.parts import Because, ContactId, SecretaryId
from inbox.restored import asked_about, find_unsettled, hold, list_in_doubt, list_open_drafts, settled
from inbox.store.base import Changes
from inbox.store.documents import SECRETARIES

log = structlog.get_logger(__name__)

MOST_SECRETARIES = 10_000


async def settle_the_past(desk: Desk, forgotten: Iterable[ContactId]) -> None:
    """Return once this store can be worked on: at once, unless it is a backup's copy.

    Done before anything is received or leaves. Killed in it, the next start
    goes on; several workers that start together do it together.

    Args:
        forgotten: everyone who was ever forgotten, as far as is known outside the store.
    """
    backup = await find_unsettled(desk.store)
    if backup is None:
        return
    log.warning("restored", taken_at=backup.taken_at.isoformat())
    await _hold_all(desk)
    for contact_id in forgotten:
        if (changes := await missing_here(desk.store, contact_id, desk.clock())) is not None:
            await _stands(desk, changes)
    for person in await list_unfinished(desk.store):
        try:
            await forget(desk.store, person.id, desk.clock)
        except StillInUse as error:
            log.warning("not_forgotten_yet", contact=person.id, reason=str(error))  # `handlers.upkeep` goes on
    await _tell_all(desk)


async def _hold_all(desk: Desk) -> None:
    while found := await list_in_doubt(desk.store):
        for delivery in found:
            backup = await find_unsettled(desk.store)
            if backup is None:
                return
            await _stands(desk, await hold(desk.store, backup, delivery, desk.clock()))


async def _tell_all(desk: Desk) -> None:
    while (backup := await find_unsettled(desk.store)) is not None:
        now = desk.clock()
        changes = await settled(desk.store, backup, now)
        drafts: defaultdict[SecretaryId, list[Draft]] = defaultdict(list)
        for draft in await list_open_drafts(desk.store):
            drafts[draft.author_id].append(draft)
        for secretary in await desk.store.list(SECRETARIES, True, limit=MOST_SECRETARIES):
            hers = drafts.get(secretary.id, [])
            changes += Changes(inserts=await _told(desk, secretary, backup, hers))
            for draft in hers:
                changes += asked_about(draft, secretary, now)
        if await _stands(desk, changes):
            log.warning("restored_settled", held=backup.held, drafts=sum(map(len, drafts.values())))


async def _told(desk: Desk, secretary: Secretary, backup: Backup, drafts: list[Draft]) -> list[Delivery]:
    now = desk.clock()
    when = desk.texts.when(secretary.language, desk.time_zone, backup.taken_at, now)
    told = [sentence_for(secretary, Because(key="notice.restored", args={"when": when}), now)]
    if is_supervisor(secretary) and backup.held:
        told.append(sentence_for(secretary, Because(key="notice.restored_held", args={"count": str(backup.held)}), now))
    if drafts:
        about = await desk.store.find_many(Conversation, {draft.conversation_id for draft in drafts})
        numbers = ", ".join(f"#{conversation.number}" for conversation in about.values())
        told.append(sentence_for(secretary, Because(key="notice.restored_drafts", args={"numbers": numbers}), now))
    return told


async def _stands(desk: Desk, changes: Changes) -> bool:
    """Whether the commit stands; if not, another worker does the same, and all is looked at again."""
    try:
        await desk.store.commit(changes)
    except Conflict:
        return False
    return True
