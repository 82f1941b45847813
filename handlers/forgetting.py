"""Erasing a person, page by page, beside whatever else the desk does; whoever finds it unfinished goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import structlog

from inbox import forgetting
from inbox.erasure import Erasure, erase
from inbox.errors import Conflict, NotFound, StillInUse
from inbox.forgetting import Traces, Whose
from inbox.holdings import conversations_of
from inbox.machinery import DeskKey, Forgotten
from inbox.matching import THE_KEY
from inbox.model import Contact, Conversation, Receipt
from inbox.parts import ContactId
from inbox.store.base import Changes, Store
from inbox.store.documents import CONVERSATIONS_OF_CONTACT

log = structlog.get_logger(__name__)

PATIENCE = 30.0
"""Seconds for which what waits to be handled, or is changed again and again, is waited for."""
LOOK_AGAIN = 0.2
PAGE = 500


async def begin(store: Store, contact: Contact, now: datetime) -> None:
    """Commit that this person is to be erased, unless that was so already.

    Raises:
        StillInUse: a reply to them is about to leave.
    """
    traces = await forgetting.trace(store, contact)
    async for conversation in conversations_of(store, traces):
        await forgetting.require_nothing_leaving(store, traces, conversation)
    if await store.find(Forgotten, contact.id) is None:
        await store.commit(forgetting.begin(contact, now))


async def forget(store: Store, contact_id: ContactId, clock: Callable[[], datetime]) -> None:
    """Erase a person from every document and blob; return once nothing of them is left in these.

    It may be killed and called again, and run twice at once. What they write
    meanwhile is erased too.

    Raises:
        StillInUse: a reply to them is about to leave, or something that may be theirs waits to be handled, for
            longer than that is waited for. What was erased until then is.
    """
    forgotten = await store.get(Forgotten, contact_id)
    if forgotten.erased_at is not None:
        return
    key = await store.get(DeskKey, THE_KEY)
    contact = await store.find(Contact, contact_id)
    if contact is not None:
        traces = await forgetting.trace(store, contact)
        async for conversation in conversations_of(store, traces):
            await _leave(store, conversation, lambda c: forgetting.erase_from(store, key, traces, c, clock()))
        await _erase_raw(store, traces, clock)
        await _commit(store, lambda: forgetting.greetings(store, traces))
        await _commit(store, lambda: forgetting.shown_at_desk(store, traces))
        # From here on whoever writes from their address is somebody we do not know.
        await _commit(store, lambda: forgetting.unknown_again(store, traces))
    for conversation in await store.list(CONVERSATIONS_OF_CONTACT, contact_id, limit=PAGE):
        await _leave(store, conversation, lambda c: erase(store, key, c, clock(), undecided=True))
    await _commit(store, lambda: forgetting.end(store, contact_id, clock()))
    log.info("forgotten", contact=contact_id)


async def _leave(
    store: Store, conversation: Conversation, decide: Callable[[Conversation], Awaitable[Erasure]]
) -> None:
    """Take a person out of one conversation, in as many commits as it needs."""
    done = False

    async def next_commit() -> Changes:
        nonlocal done
        newest = await store.find(Conversation, conversation.id)
        if newest is None:
            done = True
            return Changes()
        changes, done = await decide(newest)
        return changes

    while not done:
        await _commit(store, next_commit)


async def _erase_raw(store: Store, traces: Traces, clock: Callable[[], datetime]) -> None:
    """Whatever came and led to no conversation, but may show them."""
    whose = await Whose.of(store, traces)
    after = ""
    while page := await store.scan(Receipt, after=after, limit=PAGE):
        ids = [receipt.id for receipt in page if receipt.erased_at is None]

        async def page_erased(ids: Sequence[str] = ids) -> Changes:
            newest = await store.find_many(Receipt, ids)
            return await forgetting.erase_raw(store, whose, newest.values(), clock())

        await _commit(store, page_erased)
        after = page[-1].id


async def _commit(store: Store, decide: Callable[[], Awaitable[Changes]]) -> None:
    """Decide and commit, again and again while something else changes first or is still in use."""
    until = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            if changes := await decide():
                await store.commit(changes)
            return
        except (Conflict, NotFound, StillInUse):
            if asyncio.get_running_loop().time() > until:
                raise
            await asyncio.sleep(LOOK_AGAIN)
