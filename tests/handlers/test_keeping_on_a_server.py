"""Forgetting, retention and a backup's copy on a store that several workers share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from handlers.forgetting import begin, forget
from handlers.restored import settle_the_past
from handlers.upkeep import Upkeep
from inbox.ledger import balance
from inbox.machinery import Backup, Forgotten
from inbox.model import Contact, Cursor, DeliveryState, Event
from inbox.restored import mark
from inbox.store.base import Changes, Store
from tests.builders import DESK, MAIL, NOW
from tests.contracts.backends import empty_database, open_at
from tests.handlers.stage import a_desk
from tests.handlers.test_forgetting import Words, clock, everything_of, put, words_left
from tests.handlers.test_restored import TAKEN, Past, told
from tests.handlers.test_upkeep import WHOLE, Matter, desk


@pytest.fixture
async def stores(mongo_url: str) -> AsyncIterator[tuple[Store, Store]]:
    """One store, opened by two workers."""
    with empty_database(mongo_url) as url:
        async with open_at(f"pymongo:{url}") as one, open_at(f"pymongo:{url}") as other:
            yield one, other


async def test_nothing_is_left_of_somebody_who_is_forgotten_by_two_at_once(stores: tuple[Store, Store]) -> None:
    store, other = stores
    person = everything_of(Words())
    await put(store, person)
    before = await balance(store, [MAIL, DESK])
    await begin(store, await store.get(Contact, person.person.id), NOW)
    await asyncio.gather(*(forget(one, person.person.id, clock) for one in stores))
    await store.scrub()
    assert await words_left(other) == []
    assert await balance(store, [MAIL, DESK]) == before
    assert [e.kind for e in await store.scan(Event)] == ["forgotten"]
    assert (await store.get(Forgotten, person.person.id)).erased_at is not None


async def test_what_was_closed_long_enough_ago_goes_whole(stores: tuple[Store, Store]) -> None:
    store, _ = stores
    old, kept = Matter(), Matter(closed_at=NOW.replace(year=2027))
    for matter in (old, kept):
        await matter.put(store)
    await store.commit(Changes(inserts=[Cursor(id=MAIL, position="1", received=2, updated_at=NOW)]))
    await Upkeep(desk(store)).erase_outdated()
    assert await old.left(store) == {"Receipt"}
    assert await kept.left(store) == WHOLE
    (line,) = await balance(store, [MAIL])
    assert line.balanced


async def test_two_workers_that_start_on_a_copy_together_hold_everything_once(stores: tuple[Store, Store]) -> None:
    store, _ = stores
    past = Past()
    await past.put(store, mark(TAKEN))
    await asyncio.gather(*(settle_the_past(a_desk(one, clock=lambda: NOW), []) for one in stores))
    assert await past.states(store) == [DeliveryState.UNKNOWN] * 4
    assert (await store.get(Backup, "backup")).held == 4
    assert sorted(key for _, key, _ in await told(store)) == [
        "notice.restored",
        "notice.restored",
        "notice.restored_drafts",
        "notice.restored_held",
    ]
