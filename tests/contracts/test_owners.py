"""What those an account belongs to rely on, whatever the backend: called by one row of calls, told once a day."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from inbox.alarms import AGAIN, next_call, raised, seen
from inbox.digests import due
from inbox.errors import Conflict, InvalidTransition
from inbox.model import Alarm, Conversation, Delivery, OnCall, Principal, Priority, Way
from inbox.on_call import list_on_call
from inbox.store.base import Changes, Store
from inbox.store.documents import ALARMS_DUE, DELIVERIES_DUE, PRINCIPALS_DIGESTING
from tests.builders import DESK, NOW, ROUX, a_contact, a_conversation, a_message, accounts, put
from tests.contracts.documents import make


def a_principal(name: str, **fields: object) -> Principal:
    given = {"accounts": (ROUX,), "channel_id": DESK, "digest_hour": None, "digest_at": None, "way": Way.TELEGRAM}
    return make(Principal, name=name, **{**given, **fields})


async def an_urgent_one(store: Store) -> tuple[Conversation, list[Principal]]:
    """A conversation that two are called for, one after the other."""
    people = [a_principal("Hélène"), a_principal("Paul")]
    days = [
        make(
            OnCall,
            account_id=ROUX,
            principal_id=each.id,
            standing=ROUX,
            begins_at=NOW,
            ends_at=NOW + timedelta(days=1),
            confirmed_at=NOW + timedelta(seconds=order),
        )
        for order, each in enumerate(people)
    ]
    over = make(OnCall, account_id=ROUX, standing=ROUX, begins_at=NOW - timedelta(days=2), ends_at=NOW)
    conversation = msgspec.structs.replace(a_conversation(a_contact()), priority=Priority.URGENT)
    await put(store, *people, *days, over, conversation)
    assert [p.name for p in await list_on_call(store, ROUX, NOW)] == ["Hélène", "Paul"]
    await store.commit(await raised(store, conversation, NOW))
    return await store.get(Conversation, conversation.id), people


async def commits(store: Store, *decisions: Changes) -> int:
    """How many of these stand that were decided side by side."""
    ended = await asyncio.gather(*(store.commit(each) for each in decisions), return_exceptions=True)
    assert all(each is None or isinstance(each, Conflict) for each in ended)
    return sum(each is None for each in ended)


async def test_of_workers_that_call_together_one_does_and_the_next_call_is_found_when_it_is_due(store: Store) -> None:
    conversation, people = await an_urgent_one(store)
    later = NOW + AGAIN
    assert await store.list(ALARMS_DUE, until=NOW) == []
    (alarm,) = await store.list(ALARMS_DUE, until=later)
    assert await commits(store, *[await next_call(store, alarm, later) for _ in range(3)]) == 1
    after = await store.get(Alarm, conversation.id)
    assert (after.calls, after.last, after.due_at) == (2, people[1].id, later + AGAIN)
    assert not await raised(store, conversation, later)


async def test_of_two_who_have_seen_it_one_wins_and_nobody_is_called_any_more(store: Store) -> None:
    conversation, people = await an_urgent_one(store)
    decided = [await seen(store, conversation.id, each, NOW) for each in people]
    assert await commits(store, *decided) == 1
    alarm = await store.get(Alarm, conversation.id)
    loser = next(each for each in people if each.id != alarm.seen_by)
    with pytest.raises(InvalidTransition) as refused:
        await seen(store, conversation.id, loser, NOW)
    assert refused.value.args_shown == {"name": alarm.seen_name}
    assert await store.list(ALARMS_DUE) == []


async def test_of_workers_whose_hour_it_is_together_one_tells(store: Store) -> None:
    contact, hour = a_contact(), NOW + timedelta(hours=1)
    conversation = a_conversation(contact)
    message = a_message(conversation)
    principal = a_principal("Hélène", digest_hour=11, digest_at=hour, digest_since_at=NOW - timedelta(hours=1))
    await put(store, contact, conversation, message, principal)
    (before,) = await store.list(PRINCIPALS_DIGESTING, until=hour)
    decided = [await due(store, before, accounts(), "Europe/Paris", hour) for _ in range(3)]
    assert await commits(store, *decided) == 1
    told: list[Delivery] = await store.list(DELIVERIES_DUE)
    assert [each.id for each in told] == [f"digest:{principal.id}:{hour.isoformat()}"]
    (after,) = await store.list(PRINCIPALS_DIGESTING)
    assert after.digest_at == hour + timedelta(days=1)
