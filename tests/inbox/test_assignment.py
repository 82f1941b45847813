from datetime import datetime

import msgspec
import pytest

from inbox.assignment import (
    Candidate,
    balance,
    choose,
    held_by,
    list_present,
    may_serve,
    queued,
    released,
    taken_by_hand,
)
from inbox.errors import AlreadyAssigned, Conflict, InvalidTransition, NotAllowed, NotFound
from inbox.model import Conversation, Presence, Role, Secretary, Status
from inbox.parts import UNSORTED, Because
from inbox.store.base import Changes
from inbox.store.sqlite import SqliteStore
from tests.builders import BERNARD, NOW, ROUX, a_conversation, a_presence, a_secretary, at, put


def candidate(name: str, open_count: int = 0, idle_since: datetime | None = None, capacity: int = 20) -> Candidate:
    secretary = a_secretary(name, capacity=capacity)
    return Candidate(secretary, a_presence(secretary, open_count=open_count, last_assigned_at=idle_since))


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize("role", list(Role))
def test_everyone_serves_all_accounts_unless_some_are_named(role: Role) -> None:
    assert may_serve(a_secretary(role=role), ROUX)
    assert may_serve(a_secretary(role=role, serves=[ROUX]), ROUX)
    assert not may_serve(a_secretary(role=role, serves=[ROUX]), BERNARD)


def test_only_supervisors_and_owners_see_the_unsorted_lane() -> None:
    assert not may_serve(a_secretary(), UNSORTED)
    assert may_serve(a_secretary(role=Role.SUPERVISOR), UNSORTED)
    assert may_serve(a_secretary(role=Role.OWNER), UNSORTED)


def test_somebody_sent_away_serves_nobody() -> None:
    assert not may_serve(a_secretary(role=Role.OWNER, active=False), ROUX)


async def test_present_are_those_on_duty_who_may_serve_the_account(store: SqliteStore) -> None:
    lea, ines = a_secretary("Léa"), a_secretary("Inès", serves=[BERNARD])
    away, gone = a_secretary("Zoé"), a_secretary("Ugo", active=False)
    await put(store, lea, ines, away, gone, a_presence(lea), a_presence(ines), a_presence(gone))
    await put(store, a_presence(away, on_duty=False))
    assert [c.secretary.name for c in await list_present(store, ROUX)] == ["Léa"]
    assert {c.secretary.name for c in await list_present(store, BERNARD)} == {"Léa", "Inès"}


# ---------------------------------------------------------------- who gets it, and why


def test_nobody_present_is_a_reason_to_wait() -> None:
    assert choose([]).chosen is None
    assert choose([]).because == Because(key="because.nobody_present")


def test_whoever_has_the_fewest_open_gets_it_and_the_reason_names_both() -> None:
    busy, free = candidate("Inès", 4), candidate("Léa", 1)
    choice = choose([busy, free])
    assert choice.chosen == free
    assert choice.because == Because(
        key="because.fewest_open", args={"name": "Léa", "count": "1", "other": "Inès", "other_count": "4"}
    )


def test_of_two_with_as_many_open_the_longest_idle_gets_it_and_never_assigned_is_longest() -> None:
    recent, earlier, never = candidate("Inès", 1, at(-1)), candidate("Zoé", 1, at(-60)), candidate("Léa", 1)
    assert choose([recent, earlier]).chosen == earlier
    choice = choose([recent, never, earlier])
    assert choice.chosen == never
    assert choice.because.key == "because.longest_idle"


def test_the_only_one_with_room_gets_it_for_that_reason() -> None:
    full, free = candidate("Inès", 2, capacity=2), candidate("Léa", 3)
    assert choose([free]).because == Because(key="because.only_one", args={"name": "Léa", "count": "3"})
    # the other is on duty as well: to say that nobody else is would be false
    assert choose([full, free]).because == Because(key="because.only_free", args={"name": "Léa", "count": "3"})


def test_when_all_are_full_it_waits_and_says_how_many_are() -> None:
    choice = choose([candidate("Inès", 2, capacity=2), candidate("Léa", 1, capacity=1)])
    assert choice.chosen is None
    assert choice.because == Because(key="because.nobody_free", args={"count": "2"})


def test_it_is_not_dealt_again_to_whoever_put_it_back() -> None:
    lea, ines = candidate("Léa"), candidate("Inès", 9)
    assert choose([lea, ines], [lea.secretary.id]).chosen == ines
    declined = choose([lea], [lea.secretary.id])
    assert declined.chosen is None
    assert declined.because == Because(key="because.everyone_declined")


# ---------------------------------------------------------------- by hand


async def test_taking_needs_duty_an_open_conversation_and_that_nobody_else_holds_it(store: SqliteStore) -> None:
    lea, ines = a_secretary("Léa"), a_secretary("Inès")
    await put(store, lea, ines)
    here, away = a_presence(lea), a_presence(lea, on_duty=False)

    taken = await taken_by_hand(store, a_conversation(), lea, here, at(1))
    assert (taken.assignee_id, taken.queued_at) == (lea.id, None)
    assert taken.because == Because(key="because.taken", args={"name": "Léa"})

    with pytest.raises(AlreadyAssigned) as refused:
        await taken_by_hand(store, a_conversation(holder=ines), lea, here, NOW)
    assert refused.value.args_shown == {"name": "Inès"}
    with pytest.raises(InvalidTransition) as off:
        await taken_by_hand(store, a_conversation(), lea, away, NOW)
    assert off.value.key == "error.not_on_duty"
    closed = msgspec.structs.replace(a_conversation(), status=Status.CLOSED)
    with pytest.raises(InvalidTransition) as shut:
        await taken_by_hand(store, closed, lea, here, NOW)
    assert shut.value.key == "error.closed"


async def test_taking_what_one_holds_changes_nothing(store: SqliteStore) -> None:
    lea = a_secretary()
    mine = a_conversation(holder=lea)
    assert await taken_by_hand(store, mine, lea, a_presence(lea), NOW) is mine


async def test_taking_from_an_account_one_does_not_serve_finds_nothing_even_when_a_colleague_holds_it(
    store: SqliteStore,
) -> None:
    lea, ines = a_secretary(serves=[BERNARD]), a_secretary("Inès")
    await put(store, ines)
    with pytest.raises(NotFound):
        await taken_by_hand(store, a_conversation(holder=ines), lea, a_presence(lea), NOW)


def test_putting_back_is_for_its_holder_and_for_supervisors() -> None:
    lea, ines, marc = a_secretary("Léa"), a_secretary("Inès"), a_secretary("Marc", role=Role.SUPERVISOR)
    mine = a_conversation(holder=lea)
    back = released(mine, lea, at(5))
    assert (back.assignee_id, back.queued_at, back.declined_by) == (None, NOW, (lea.id,))
    assert back.because == Because(key="because.released", args={"name": "Léa"})
    assert released(mine, marc, at(5)).declined_by == (lea.id,), "it was she who had it, not the supervisor"
    with pytest.raises(NotAllowed):
        released(mine, ines, at(5))
    with pytest.raises(InvalidTransition):
        released(back, lea, at(6))


def test_what_goes_back_to_the_queue_keeps_the_place_its_waiting_gives_it() -> None:
    waited = msgspec.structs.replace(a_conversation(holder=a_secretary()), waiting_since_at=at(-90))
    assert queued(waited, Because(key="because.absent"), at(5)).queued_at == at(-90)


# ---------------------------------------------------------------- how much she holds


async def counts(store: SqliteStore, *secretaries: Secretary) -> list[int]:
    return [(await store.get(Presence, s.id)).open_count for s in secretaries]


async def test_a_conversation_that_changes_hands_moves_the_count_and_marks_who_got_it(store: SqliteStore) -> None:
    lea, ines = a_secretary("Léa"), a_secretary("Inès")
    await put(store, a_presence(lea, open_count=1), a_presence(ines))
    before = a_conversation(holder=lea)
    after = held_by(before, ines.id, Because(key="because.taken"), at(3))
    await store.commit(await balance(store, before, after, at(3)))
    assert await counts(store, lea, ines) == [0, 1]
    assert (await store.get(Presence, ines.id)).last_assigned_at == at(3)
    assert (await store.get(Presence, lea.id)).last_assigned_at is None


async def test_answering_and_closing_lower_the_count_and_a_new_message_raises_it(store: SqliteStore) -> None:
    lea = a_secretary()
    await put(store, a_presence(lea, open_count=1))
    waiting = a_conversation(holder=lea)
    answered = msgspec.structs.replace(waiting, waiting_since_at=None)
    await store.commit(await balance(store, waiting, answered, NOW))
    assert await counts(store, lea) == [0]
    await store.commit(await balance(store, answered, waiting, NOW))
    assert await counts(store, lea) == [1]
    closed = msgspec.structs.replace(answered, status=Status.CLOSED)
    await store.commit(await balance(store, waiting, closed, NOW))
    assert await counts(store, lea) == [0]


async def test_a_change_that_moves_no_count_touches_no_presence(store: SqliteStore) -> None:
    lea = a_secretary()
    waiting = a_conversation(holder=lea)
    later = msgspec.structs.replace(waiting, last_message_at=at(1), message_count=2)
    assert not await balance(store, waiting, later, NOW)


async def test_nothing_is_given_to_somebody_who_left_since_that_was_decided(store: SqliteStore) -> None:
    lea = a_secretary()
    await put(store, lea, a_presence(lea))
    present = await list_present(store, ROUX)
    chosen = choose(present).chosen
    assert chosen is not None
    presence = await store.get(Presence, lea.id)
    await store.commit(Changes(replacements=[msgspec.structs.replace(presence, on_duty=False)]))
    before = a_conversation()
    after = held_by(before, chosen.secretary.id, Because(key="because.only_one"), NOW)
    with pytest.raises(Conflict):
        await balance(store, before, after, NOW)


async def test_two_who_take_the_same_conversation_together_cannot_both_commit(store: SqliteStore) -> None:
    lea, ines = a_secretary("Léa"), a_secretary("Inès")
    waiting = a_conversation()
    await put(store, lea, ines, a_presence(lea), a_presence(ines), waiting)
    before = await store.get(Conversation, waiting.id)

    async def taking(who: Secretary) -> Changes:
        after = await taken_by_hand(store, before, who, await store.get(Presence, who.id), NOW)
        return Changes(replacements=[after]) + await balance(store, before, after, NOW)

    first, second = await taking(lea), await taking(ines)
    await store.commit(first)
    with pytest.raises(Conflict):
        await store.commit(second)
    assert (await store.get(Conversation, waiting.id)).assignee_id == lea.id
    assert await counts(store, lea, ines) == [1, 0]
