"""What every backend promises. Written against `inbox.store.base.Store`, and nothing else."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inbox.errors import Conflict, Duplicate, NotFound, StoreUnavailable
from inbox.machinery import Counter
from inbox.model import (
    Address,
    AddressKind,
    Contact,
    Conversation,
    Delivery,
    Event,
    Priority,
    Receipt,
    Secretary,
    Shown,
)
from inbox.parts import BlobId, ContactId, Document, new_id
from inbox.store.base import Blob, Changes, Index, Store
from inbox.store.documents import (
    ADDRESSES_EVERYWHERE,
    ADDRESSES_OF_CONTACT,
    CONVERSATION_BY_NUMBER,
    CONVERSATION_IN_CHAT,
    CONVERSATIONS_OF_CONTACT,
    CONVERSATIONS_QUEUED,
    EVENTS_OF_CONVERSATION,
    INDEXES,
    KINDS,
    RECEIPT_BY_SOURCE,
    RECEIPTS_BY_STATE,
    RECEIPTS_WAITING,
    SECRETARIES,
    SHOWN_CURRENT,
)
from tests.contracts.conftest import Elsewhere, OpenStore
from tests.contracts.documents import START, anything, make, optional
from tests.contracts.elsewhere import increment

replace = msgspec.structs.replace
UNIQUE = [index for index in INDEXES if index.unique]
LEAVABLE = [(index, f) for index in INDEXES for f in index.fields if optional(index.kind, f)]

with_one_store = settings(
    deadline=None,
    max_examples=15,
    # each example makes documents of its own, so that one store will do
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def stored(document: Any) -> Any:
    """The document as it reads after the commit that inserted it."""
    return replace(document, version=1)


def named(index: Index[Any]) -> str:
    return f"{KINDS[index.kind]}-{index.name}"


def changing(part: str, *documents: Document) -> Changes:
    of_that_part: dict[str, Any] = {part: documents}
    return Changes(**of_that_part)


def key(document: Document, index: Index[Any]) -> tuple[Any, ...]:
    return tuple(getattr(document, field) for field in index.fields)


# ---------------------------------------------------------------- what is written is read


@pytest.mark.parametrize("kind", KINDS, ids=KINDS.values())
async def test_a_document_of_every_kind_comes_back_as_it_was_written(store: Store, kind: type[Document]) -> None:
    full = make(kind)
    empty = make(kind, **{f.name: None for f in msgspec.structs.fields(kind) if optional(kind, f.name)})
    await store.commit(Changes(inserts=[full, empty]))
    assert await store.get(kind, full.id) == stored(full)
    assert await store.get(kind, empty.id) == stored(empty)


@pytest.mark.parametrize("kind", KINDS, ids=KINDS.values())
@with_one_store
@given(data=st.data())
async def test_whatever_a_document_holds_comes_back_unchanged(
    store: Store, kind: type[Document], data: st.DataObject
) -> None:
    document = data.draw(anything(kind))
    await store.commit(Changes(inserts=[document]))
    read = await store.get(kind, document.id)
    await store.commit(Changes(deletions=[read]))
    assert read == stored(document)


async def test_every_way_of_reading_finds_what_a_commit_that_returned_has_written(store: Store) -> None:
    contact, absent = make(Contact), make(Contact)
    address = make(Address, contact_id=contact.id)
    await store.commit(Changes(inserts=[contact, address]))
    assert await store.find(Contact, contact.id) == stored(contact)
    assert await store.find_many(Contact, [contact.id, absent.id, contact.id]) == {contact.id: stored(contact)}
    assert await store.find_many(Contact, []) == {}
    assert await store.find_by(ADDRESSES_OF_CONTACT, contact.id) == stored(address)
    assert await store.list(ADDRESSES_OF_CONTACT, contact.id) == [stored(address)]
    assert await store.count(ADDRESSES_OF_CONTACT, contact.id) == 1


async def test_of_what_waits_the_urgent_comes_first_and_then_what_has_waited_longest(store: Store) -> None:
    order = [
        (Priority.URGENT, 2),
        (Priority.URGENT, 3),
        (Priority.NORMAL, 0),
        (Priority.NORMAL, 4),
        (Priority.LATER, 1),
    ]
    made = [
        make(Conversation, account_id="a", priority=priority, queued_at=START + timedelta(minutes=minutes))
        for priority, minutes in order
    ]
    held = make(Conversation, account_id="a", priority=Priority.URGENT, queued_at=None)
    await store.commit(Changes(inserts=[held, *made[::-1]]))
    assert [c.id for c in await store.list(CONVERSATIONS_QUEUED, "a")] == [c.id for c in made]
    assert [c.id for c in await store.list(CONVERSATIONS_QUEUED, "a", after=stored(made[1]), limit=2)] == [
        c.id for c in made[2:4]
    ]


async def test_many_documents_are_found_at_once(store: Store) -> None:
    counters = [make(Counter) for _ in range(1200)]
    await store.commit(Changes(inserts=counters))
    assert await store.find_many(Counter, (c.id for c in counters)) == {c.id: stored(c) for c in counters}


async def test_what_does_not_exist_is_not_found(store: Store) -> None:
    await store.commit(Changes(inserts=[make(Secretary, id="same")]))
    with pytest.raises(NotFound):
        await store.get(Contact, "same")
    assert await store.find(Contact, "same") is None
    assert await store.find_by(ADDRESSES_OF_CONTACT, "nobody") is None
    assert await store.list(ADDRESSES_OF_CONTACT, "nobody") == []
    assert await store.count(ADDRESSES_OF_CONTACT, "nobody") == 0
    with pytest.raises(NotFound):
        await store.read_blob(BlobId("nothing"))


async def test_everything_is_there_when_the_store_is_opened_again(open_store: OpenStore) -> None:
    contact, blob = make(Contact), Blob(BlobId(new_id()), b"raw")
    async with open_store() as store:
        await store.commit(Changes(inserts=[contact], blobs=[blob]))
    async with open_store() as again:
        assert await again.get(Contact, contact.id) == stored(contact)
        assert await again.read_blob(blob.id) == b"raw"


async def test_a_store_that_was_closed_says_so(open_store: OpenStore) -> None:
    async with open_store() as store:
        pass
    with pytest.raises(StoreUnavailable):
        await store.find(Counter, "any")
    with pytest.raises(StoreUnavailable):
        await store.commit(Changes(inserts=[make(Counter)]))


async def test_what_was_handed_over_before_closing_is_committed(open_store: OpenStore) -> None:
    counters = [make(Counter) for _ in range(200)]
    async with open_store() as store:
        commits = [asyncio.ensure_future(store.commit(Changes(inserts=[counter]))) for counter in counters]
        await asyncio.sleep(0)
    await asyncio.gather(*commits)
    async with open_store() as again:
        assert len(await again.find_many(Counter, [counter.id for counter in counters])) == 200


# ---------------------------------------------------------------- all or nothing


async def test_a_unit_over_several_kinds_is_committed_whole(store: Store) -> None:
    gone, changed = make(Counter), make(Contact)
    await store.commit(Changes(inserts=[gone, changed]))
    added, blob = make(Event), Blob(BlobId(new_id()), b"raw")
    await store.commit(
        Changes(
            inserts=[added],
            replacements=[replace(changed, version=1, name="Odile Marchand")],
            deletions=[stored(gone)],
            blobs=[blob],
        )
    )
    assert await store.get(Event, added.id) == stored(added)
    assert await store.get(Contact, changed.id) == replace(changed, version=2, name="Odile Marchand")
    assert await store.find(Counter, gone.id) is None
    assert await store.read_blob(blob.id) == b"raw"


@pytest.mark.parametrize("spoiler", ["insert", "unique", "replacement", "deletion", "expectation", "blob"])
async def test_a_unit_of_which_one_part_is_refused_leaves_nothing(store: Store, spoiler: str) -> None:
    taken, deleted, changed = make(Conversation), make(Counter), make(Contact)
    blob = Blob(BlobId(new_id()), b"first")
    await store.commit(Changes(inserts=[taken, deleted, changed], blobs=[blob]))
    spoilers = {
        "insert": Changes(inserts=[make(Conversation, id=taken.id)]),
        "unique": Changes(inserts=[make(Conversation, number=taken.number)]),
        "replacement": Changes(replacements=[replace(taken, version=2)]),
        "deletion": Changes(deletions=[replace(taken, version=2)]),
        "expectation": Changes(expectations=[replace(taken, version=2)]),
        "blob": Changes(blobs=[Blob(blob.id, b"second")]),
    }
    event, other = make(Event), Blob(BlobId(new_id()), b"other")
    good = Changes(
        inserts=[event],
        replacements=[replace(changed, version=1, name="Odile Marchand")],
        deletions=[stored(deleted)],
        blobs=[other],
    )
    with pytest.raises(Conflict):
        await store.commit(good + spoilers[spoiler])
    assert await store.find(Event, event.id) is None
    assert await store.find_by(EVENTS_OF_CONVERSATION, event.conversation_id) is None
    assert await store.get(Contact, changed.id) == stored(changed)
    assert await store.get(Counter, deleted.id) == stored(deleted)
    assert await store.get(Conversation, taken.id) == stored(taken)
    assert await store.read_blob(blob.id) == b"first"
    with pytest.raises(NotFound):
        await store.read_blob(other.id)
    await store.commit(good)
    assert await store.get(Event, event.id) == stored(event)


async def test_units_committed_together_succeed_and_fail_each_for_itself(store: Store) -> None:
    first = make(Contact)
    await store.commit(Changes(inserts=[first]))
    fresh = [make(Contact) for _ in range(20)]
    mixed = [unit for contact in fresh for unit in (Changes(inserts=[contact]), Changes(inserts=[first]))]
    outcomes = await asyncio.gather(*(store.commit(unit) for unit in mixed), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), Duplicate] * 20
    assert len(await store.find_many(Contact, [contact.id for contact in fresh])) == 20


async def test_a_cancelled_commit_happened_whole_or_not_at_all_and_the_next_ones_do(store: Store) -> None:
    pairs = [(make(Counter), make(Contact)) for _ in range(60)]
    commits = [asyncio.ensure_future(store.commit(Changes(inserts=pair))) for pair in pairs]
    for number, commit in enumerate(commits):
        if number % 3 == 0:
            await asyncio.sleep(0)
        if number % 2:
            commit.cancel()
    outcomes = await asyncio.gather(*commits, return_exceptions=True)
    await store.commit(Changes(inserts=[make(Counter)]))

    async def look() -> tuple[list[bool], list[bool]]:
        counters = await store.find_many(Counter, [counter.id for counter, _ in pairs])
        contacts = await store.find_many(Contact, [contact.id for _, contact in pairs])
        return [counter.id in counters for counter, _ in pairs], [contact.id in contacts for _, contact in pairs]

    # One that was cancelled may go on for a moment: between our two questions it may have been committed.
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            while (seen := await look())[0] != seen[1]:  # noqa: ASYNC110  # who was cancelled is told nothing
                await asyncio.sleep(0.05)
    assert seen[0] == seen[1]
    assert all(there or outcome is not None for there, outcome in zip(seen[0], outcomes, strict=True))


async def test_nothing_to_commit_is_no_mistake(store: Store) -> None:
    await store.commit(Changes())


# ---------------------------------------------------------------- duplicates


@pytest.mark.parametrize("kind", KINDS, ids=KINDS.values())
async def test_a_second_insert_of_an_id_is_a_duplicate_by_id(store: Store, kind: type[Document]) -> None:
    first = make(kind)
    await store.commit(Changes(inserts=[first]))
    with pytest.raises(Duplicate) as refused:
        await store.commit(Changes(inserts=[make(kind, id=first.id)]))
    assert (refused.value.kind, refused.value.index) == (KINDS[kind], "id")
    assert await store.get(kind, first.id) == stored(first)


@pytest.mark.parametrize("index", UNIQUE, ids=named)
async def test_an_insert_with_a_taken_unique_key_names_the_index(store: Store, index: Index[Document]) -> None:
    first = make(index.kind)
    second = make(index.kind, **dict(zip(index.fields, key(first, index), strict=True)))
    await store.commit(Changes(inserts=[first]))
    with pytest.raises(Duplicate) as refused:
        await store.commit(Changes(inserts=[second]))
    assert (refused.value.kind, refused.value.index) == (KINDS[index.kind], index.name)
    assert await store.find_by(index, *key(first, index)) == stored(first)


@pytest.mark.parametrize("index", UNIQUE, ids=named)
async def test_a_replacement_with_another_ones_unique_key_names_the_index(store: Store, index: Index[Document]) -> None:
    first, second = make(index.kind), make(index.kind)
    await store.commit(Changes(inserts=[first, second]))
    taking = replace(stored(second), **dict(zip(index.fields, key(first, index), strict=True)))
    with pytest.raises(Duplicate) as refused:
        await store.commit(Changes(replacements=[taking]))
    assert (refused.value.kind, refused.value.index) == (KINDS[index.kind], index.name)
    assert await store.get(index.kind, second.id) == stored(second)


@pytest.mark.parametrize("index", UNIQUE, ids=named)
async def test_a_document_keeps_its_own_unique_key_when_it_is_replaced(store: Store, index: Index[Document]) -> None:
    document = make(index.kind)
    await store.commit(Changes(inserts=[document]))
    await store.commit(Changes(replacements=[stored(document)]))
    assert await store.find_by(index, *key(document, index)) == replace(document, version=2)


async def test_two_equal_keys_in_one_unit_are_a_duplicate(store: Store) -> None:
    pair = [make(Conversation, number=7), make(Conversation, number=7)]
    with pytest.raises(Duplicate) as refused:
        await store.commit(Changes(inserts=pair))
    assert refused.value.index == CONVERSATION_BY_NUMBER.name
    assert await store.find_many(Conversation, [document.id for document in pair]) == {}


async def test_a_raw_form_is_stored_once(store: Store) -> None:
    blob = Blob(BlobId(new_id()), b"first")
    await store.commit(Changes(blobs=[blob]))
    with pytest.raises(Duplicate) as refused:
        await store.commit(Changes(blobs=[Blob(blob.id, b"second")]))
    assert (refused.value.kind, refused.value.index) == ("blob", "id")
    assert await store.read_blob(blob.id) == b"first"


@pytest.mark.parametrize("order", [1, -1], ids=["giver first", "taker first"])
async def test_a_unit_hands_a_unique_key_from_one_document_to_another(store: Store, order: int) -> None:
    giver, taker = make(Conversation), make(Conversation, open_chat=None)
    await store.commit(Changes(inserts=[giver, taker]))
    both = [replace(stored(giver), open_chat=None), replace(stored(taker), open_chat=giver.open_chat)]
    await store.commit(Changes(replacements=both[::order]))
    assert await store.find_by(CONVERSATION_IN_CHAT, giver.open_chat) == replace(both[1], version=2)


async def test_an_insert_takes_a_unique_key_that_its_unit_sets_free(store: Store) -> None:
    first = make(Shown)
    await store.commit(Changes(inserts=[first]))
    second = make(Shown, current_key=first.current_key)
    await store.commit(Changes(inserts=[second], replacements=[replace(stored(first), current_key=None)]))
    third = make(Shown, current_key=first.current_key)
    await store.commit(Changes(inserts=[third], deletions=[stored(second)]))
    assert await store.find_by(SHOWN_CURRENT, first.current_key) == stored(third)


# ---------------------------------------------------------------- out of an index


@pytest.mark.parametrize(("index", "field"), LEAVABLE, ids=[f"{named(index)}-{field}" for index, field in LEAVABLE])
async def test_a_document_with_none_in_a_field_is_not_in_the_index(
    store: Store, index: Index[Document], field: str
) -> None:
    inside = make(index.kind)
    same = {f: getattr(inside, f) for f in index.fields if not index.unique}
    outside = [make(index.kind, **{**same, field: None}) for _ in range(2)]
    await store.commit(Changes(inserts=[inside, *outside]))
    for prefix in range(len(index.fields) + 1):
        if prefix <= index.fields.index(field):
            equal = key(inside, index)[:prefix]
            assert await store.list(index, *equal) == [stored(inside)]
            assert await store.count(index, *equal) == 1
    await store.commit(Changes(replacements=[replace(stored(inside), **{field: None})]))
    assert await store.list(index) == []
    back = replace(stored(outside[0]), **{field: getattr(inside, field)})
    await store.commit(Changes(replacements=[back]))
    assert await store.list(index) == [replace(back, version=2)]


# ---------------------------------------------------------------- versions


async def test_a_replacement_reads_one_version_later_and_the_one_passed_in_stays_as_it_is(store: Store) -> None:
    counter = make(Counter, next=1)
    await store.commit(Changes(inserts=[counter]))
    assert counter.version == 0
    read = await store.get(Counter, counter.id)
    changed = replace(read, next=2)
    await store.commit(Changes(replacements=[changed]))
    assert (read.version, changed.version) == (1, 1)
    assert await store.get(Counter, counter.id) == Counter(id=counter.id, version=2, next=2)


@pytest.mark.parametrize("part", ["replacements", "deletions", "expectations"])
@pytest.mark.parametrize("version", [0, 1, 3])
async def test_a_document_at_another_version_is_a_conflict(store: Store, part: str, version: int) -> None:
    counter = make(Counter)
    await store.commit(Changes(inserts=[counter]))
    await store.commit(Changes(replacements=[stored(counter)]))
    with pytest.raises(Conflict) as refused:
        await store.commit(changing(part, replace(counter, version=version)))
    assert not isinstance(refused.value, Duplicate)
    assert await store.get(Counter, counter.id) == replace(counter, version=2)


@pytest.mark.parametrize("part", ["replacements", "deletions", "expectations"])
async def test_a_document_that_was_deleted_is_a_conflict(store: Store, part: str) -> None:
    counter = make(Counter)
    await store.commit(Changes(inserts=[counter]))
    await store.commit(Changes(deletions=[stored(counter)]))
    with pytest.raises(Conflict):
        await store.commit(changing(part, stored(counter)))
    assert await store.find(Counter, counter.id) is None


async def test_an_expectation_that_holds_changes_nothing(store: Store) -> None:
    expected, counter = make(Contact), make(Counter)
    await store.commit(Changes(inserts=[expected]))
    await store.commit(Changes(expectations=[stored(expected)]))
    await store.commit(Changes(inserts=[counter], expectations=[stored(expected)]))
    assert await store.get(Contact, expected.id) == stored(expected)
    assert await store.get(Counter, counter.id) == stored(counter)


async def test_a_deleted_document_leaves_its_indexes_and_its_id_may_be_used_again(store: Store) -> None:
    first = make(Address)
    await store.commit(Changes(inserts=[first]))
    again = make(Address, id=first.id)
    await store.commit(Changes(deletions=[stored(first)], inserts=[again]))
    assert await store.get(Address, first.id) == stored(again)
    assert await store.list(ADDRESSES_OF_CONTACT, first.contact_id) == []


async def test_inserting_a_document_that_was_read_is_a_mistake_of_the_program(store: Store) -> None:
    with pytest.raises(ValueError, match="counter"):
        await store.commit(Changes(inserts=[make(Counter, version=1)]))


async def test_a_replacement_of_what_the_same_unit_inserts_becomes_that_insert(store: Store) -> None:
    counter = make(Counter, next=1)
    await store.commit(Changes(inserts=[counter]) + Changes(replacements=[replace(counter, next=2)]))
    assert await store.get(Counter, counter.id) == Counter(id=counter.id, version=1, next=2)


async def test_of_two_replacements_in_one_unit_the_later_stands(store: Store) -> None:
    counter = make(Counter, next=1)
    await store.commit(Changes(inserts=[counter]))
    read = await store.get(Counter, counter.id)
    await store.commit(Changes(replacements=[replace(read, next=2)]) + Changes(replacements=[replace(read, next=3)]))
    assert await store.get(Counter, counter.id) == Counter(id=counter.id, version=2, next=3)


async def test_64_increments_at_once_count_to_64(store: Store) -> None:
    counter = make(Counter, next=0)
    await store.commit(Changes(inserts=[counter]))
    await asyncio.gather(*(increment(store, counter.id) for _ in range(64)))
    assert await store.get(Counter, counter.id) == Counter(id=counter.id, version=65, next=64)


# ---------------------------------------------------------------- order, bounds, paging


@with_one_store
@given(data=st.data())
async def test_documents_are_listed_in_order_between_bounds_and_page_by_page(store: Store, data: st.DataObject) -> None:
    moments = st.integers(0, 5).map(lambda n: START + timedelta(microseconds=n))
    conversation, other = new_id(), new_id()
    events = [
        make(Event, id=new_id(), conversation_id=conversation, at=at)
        for at in data.draw(st.lists(moments, max_size=12))
    ]
    events = data.draw(st.permutations(events))
    await store.commit(Changes(inserts=[*events, make(Event, conversation_id=other, at=START)]))
    since, until = data.draw(st.none() | moments), data.draw(st.none() | moments)
    descending, limit = data.draw(st.booleans()), data.draw(st.integers(1, 13))
    wanted = sorted(
        (stored(e) for e in events if (since is None or e.at >= since) and (until is None or e.at <= until)),
        key=lambda e: (e.at, e.id),
        reverse=descending,
    )

    async def page(after: Event | None) -> list[Event]:
        return await store.list(
            EVENTS_OF_CONVERSATION,
            conversation,
            since=since,
            until=until,
            after=after,
            descending=descending,
            limit=limit,
        )

    assert await page(None) == wanted[:limit]
    assert await store.count(EVENTS_OF_CONVERSATION, conversation) == len(events)
    assert await store.count(EVENTS_OF_CONVERSATION, conversation, since=since, until=until) == len(wanted)
    listed: list[Event] = []
    while found := await page(listed[-1] if listed else None):
        listed += found
    assert listed == wanted


@with_one_store
@given(values=st.lists(st.text(max_size=4), unique=True, max_size=8), descending=st.booleans())
async def test_text_is_ordered_by_its_octets(store: Store, values: list[str], descending: bool) -> None:
    channel = new_id()
    addresses = [make(Address, channel_id=channel, kind=AddressKind.MAIL, value=value) for value in values]
    await store.commit(Changes(inserts=addresses))
    listed = await store.list(ADDRESSES_EVERYWHERE, channel, AddressKind.MAIL, descending=descending)
    expected = sorted(values, key=lambda value: value.encode(), reverse=descending)
    assert [address.value for address in listed] == expected
    for value in values:
        found = await store.find_by(ADDRESSES_EVERYWHERE, channel, AddressKind.MAIL, value)
        assert found is not None
        assert found.value == value


@with_one_store
@given(numbers=st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, min_size=1, max_size=8))
async def test_numbers_are_ordered_as_numbers(store: Store, numbers: list[int]) -> None:
    conversations = [make(Conversation, number=number) for number in numbers]
    await store.commit(Changes(inserts=conversations))
    listed = await store.list(CONVERSATION_BY_NUMBER, since=min(numbers), until=max(numbers))
    middle = await store.list(CONVERSATION_BY_NUMBER, after=listed[0], limit=1, descending=True)
    await store.commit(Changes(deletions=listed))
    assert [conversation.number for conversation in listed] == sorted(numbers)
    assert middle == []


@with_one_store
@given(moments=st.lists(anything(datetime), unique=True, max_size=8))
async def test_instants_are_ordered_to_the_microsecond(store: Store, moments: list[datetime]) -> None:
    contact = ContactId(new_id())
    await store.commit(
        Changes(inserts=[make(Conversation, contact_id=contact, last_message_at=moment) for moment in moments])
    )
    listed = await store.list(CONVERSATIONS_OF_CONTACT, contact)
    assert [conversation.last_message_at for conversation in listed] == sorted(moments)


async def test_every_prefix_of_an_index_can_be_asked(store: Store) -> None:
    chats = [("a", "x", 1), ("a", "x", 2), ("a", "y", 0), ("b", "x", 0)]
    deliveries = [
        make(Delivery, id=f"{channel}{conversation}{n}", conversation_id=conversation, channel_id=channel)
        for channel, conversation, n in chats
    ]
    await store.commit(Changes(inserts=deliveries))
    [index] = [i for i in INDEXES if i.kind is Delivery and i.name == "by_state"]
    kind, state = deliveries[0].kind, deliveries[0].state
    assert [d.id for d in await store.list(index)] == ["ax1", "ax2", "ay0", "bx0"]
    assert [d.id for d in await store.list(index, "a")] == ["ax1", "ax2", "ay0"]
    assert [d.id for d in await store.list(index, "a", kind, state, descending=True)] == ["ay0", "ax2", "ax1"]
    assert [d.id for d in await store.list(index, "a", kind.value, state.value, limit=2)] == ["ax1", "ax2"]
    assert [await store.count(index, *("a", kind, state)[:n]) for n in range(4)] == [4, 3, 3, 3]
    first = await store.find_by(index, "a")
    assert first is not None
    assert first.id == "ax1"


async def test_truth_is_compared_as_truth(store: Store) -> None:
    here, gone = make(Secretary, active=True), make(Secretary, active=False)
    await store.commit(Changes(inserts=[here, gone]))
    assert await store.list(SECRETARIES, True) == [stored(here)]
    assert await store.list(SECRETARIES, False) == [stored(gone)]


async def test_paging_goes_on_behind_a_document_that_has_changed_or_gone_since(store: Store) -> None:
    receipts = [make(Receipt, id=f"r{n}", waiting_in="mail:desk") for n in range(4)]
    await store.commit(Changes(inserts=receipts))
    first, second, *rest = await store.list(RECEIPTS_WAITING, "mail:desk")
    await store.commit(Changes(replacements=[replace(second, waiting_in=None)], deletions=[first]))
    assert await store.list(RECEIPTS_WAITING, "mail:desk", after=second) == rest
    assert await store.list(RECEIPTS_WAITING, "mail:desk", after=first) == rest


async def test_a_limit_of_nothing_lists_nothing(store: Store) -> None:
    await store.commit(Changes(inserts=[make(Contact), make(Address)]))
    assert await store.list(ADDRESSES_OF_CONTACT, limit=0) == []


async def test_a_hundred_documents_are_listed_unless_more_are_asked_for(store: Store) -> None:
    receipts = [make(Receipt, waiting_in="mail:desk") for _ in range(101)]
    await store.commit(Changes(inserts=receipts))
    assert len(await store.list(RECEIPTS_WAITING, "mail:desk")) == 100
    assert len(await store.list(RECEIPTS_WAITING, "mail:desk", limit=1000)) == 101


@pytest.mark.parametrize(
    ("index", "equal", "bounds"),
    [
        (Index(Receipt, "by_lane", ("lane",)), (), {}),
        (RECEIPTS_BY_STATE, (None,), {}),
        (RECEIPTS_BY_STATE, ("mail:desk", None), {}),
        (ADDRESSES_OF_CONTACT, ("contact", "more"), {}),
        (ADDRESSES_OF_CONTACT, ("contact",), {"since": "a"}),
        (ADDRESSES_OF_CONTACT, ("contact",), {"until": "a"}),
        (RECEIPTS_WAITING, ("mail:desk",), {"limit": -1}),
        (RECEIPTS_WAITING, (), {"after": make(Receipt, waiting_in=None)}),
    ],
    ids=["undeclared", "none", "none after", "too many", "since nothing", "until nothing", "minus one", "after none"],
)
async def test_what_no_index_answers_is_a_mistake_of_the_program(
    store: Store, index: Index[Document], equal: tuple[str, ...], bounds: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r".+"):
        await store.list(index, *equal, **bounds)
    if not bounds:
        with pytest.raises(ValueError, match=r".+"):
            await store.find_by(index, *equal)
    if bounds.keys() <= {"since", "until"}:
        with pytest.raises(ValueError, match=r".+"):
            await store.count(index, *equal, **bounds)


# ---------------------------------------------------------------- blobs


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
async def test_a_raw_form_keeps_all_its_octets(store: Store, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    blob = Blob(BlobId(new_id()), data)
    await store.commit(Changes(blobs=[blob]))
    assert await store.read_blob(blob.id) == data


async def test_an_erased_raw_form_is_gone_and_erasing_it_again_is_no_error(store: Store) -> None:
    erased, kept = Blob(BlobId(new_id()), b"erased"), Blob(BlobId(new_id()), b"kept")
    await store.commit(Changes(blobs=[erased, kept]))
    await store.commit(Changes(blob_deletions=[erased.id]))
    await store.commit(Changes(blob_deletions=[erased.id]))
    with pytest.raises(NotFound):
        await store.read_blob(erased.id)
    assert await store.read_blob(kept.id) == b"kept"


async def test_a_raw_form_outlives_a_unit_that_was_to_erase_it_and_is_refused(store: Store) -> None:
    blob, counter = Blob(BlobId(new_id()), b"raw"), make(Counter)
    await store.commit(Changes(blobs=[blob], inserts=[counter]))
    with pytest.raises(Conflict):
        await store.commit(Changes(replacements=[replace(counter, version=7)], blob_deletions=[blob.id]))
    assert await store.read_blob(blob.id) == b"raw"


# ---------------------------------------------------------------- all there is


async def test_all_documents_of_a_kind_are_gone_through_page_by_page(store: Store) -> None:
    counters = [make(Counter) for _ in range(7)]
    await store.commit(Changes(inserts=[*counters, make(Contact)]))
    expected = sorted((stored(counter) for counter in counters), key=lambda counter: counter.id)
    found: list[Counter] = []
    while page := await store.scan(Counter, after=found[-1].id if found else "", limit=3):
        assert len(page) <= 3
        found += page
    assert found == expected


async def test_all_raw_forms_are_gone_through_page_by_page(store: Store) -> None:
    blobs = [Blob(BlobId(new_id()), b"raw") for _ in range(7)]
    await store.commit(Changes(blobs=blobs))
    found: list[BlobId] = []
    while page := await store.list_blobs(after=found[-1] if found else "", limit=3):
        assert len(page) <= 3
        found += page
    assert found == sorted(blob.id for blob in blobs)


# ---------------------------------------------------------------- watching


async def test_a_commit_wakes_everybody_who_watches_its_kind_and_they_can_read_it(store: Store) -> None:
    counter = make(Counter)
    watches = [store.watch(Counter, Contact), store.watch(Counter)]
    waiting = [asyncio.ensure_future(watch.wait(30)) for watch in watches]
    await asyncio.sleep(0)
    commit = asyncio.ensure_future(store.commit(Changes(inserts=[counter])))
    assert await asyncio.gather(*waiting) == [True, True]
    assert await store.find(Counter, counter.id) == stored(counter)
    await commit
    for watch in watches:
        watch.close()


async def test_who_watches_a_field_is_woken_only_by_what_a_commit_leaves_in_it(store: Store) -> None:
    arrival, elsewhere, ended = make(Receipt), make(Receipt), make(Receipt, waiting_in=None)
    mine = store.watch(Receipt, field="waiting_in", equal=arrival.waiting_in)
    anything = store.watch(Receipt, field="waiting_in")
    while await mine.wait(1.5):  # a stream that was only just opened wakes everybody
        pass
    await anything.wait(0)
    await store.commit(Changes(inserts=[ended]))
    assert not await anything.wait(0.2)
    await store.commit(Changes(inserts=[elsewhere]))
    assert await anything.wait(30)
    assert not await mine.wait(0.2)
    await store.commit(Changes(replacements=[replace(stored(ended), waiting_in=arrival.waiting_in)]))
    assert await mine.wait(30)
    mine.close()
    anything.close()


async def test_who_watches_a_field_hears_of_another_openings_commit(store: Store, open_store: OpenStore) -> None:
    receipt = make(Receipt)
    watch = store.watch(Receipt, field="waiting_in", equal=receipt.waiting_in)
    async with open_store() as other:
        waiting = asyncio.ensure_future(watch.wait(30))
        await asyncio.sleep(0)
        await other.commit(Changes(inserts=[receipt]))
        assert await waiting
    watch.close()


@pytest.mark.parametrize("how", ["inserts", "replacements", "deletions"])
async def test_a_commit_between_two_waits_is_not_missed(store: Store, how: str) -> None:
    counter = make(Counter)
    watch = store.watch(Counter)
    if how != "inserts":
        await store.commit(Changes(inserts=[counter]))
        assert await watch.wait(30)
        counter = stored(counter)
    await store.commit(changing(how, counter))
    assert await watch.wait(30)
    watch.close()


async def test_a_wait_that_nothing_ends_ends_in_time(store: Store) -> None:
    watch = store.watch(Counter)
    assert not await watch.wait(0.01)
    watch.close()


async def test_a_cancelled_wait_takes_no_commit_with_it(store: Store) -> None:
    watch = store.watch(Counter)
    waiting = asyncio.ensure_future(watch.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await store.commit(Changes(inserts=[make(Counter)]))
    assert await watch.wait(30)
    watch.close()


# ---------------------------------------------------------------- several processes


async def test_two_openings_of_one_store_see_each_other(open_store: OpenStore) -> None:
    async with open_store() as one, open_store() as other:
        watch = other.watch(Counter)
        counter = make(Counter)
        await one.commit(Changes(inserts=[counter]))
        assert await other.get(Counter, counter.id) == stored(counter)
        assert await watch.wait(30)
        await other.commit(Changes(replacements=[replace(stored(counter), next=9)]))
        with pytest.raises(Conflict):
            await one.commit(Changes(deletions=[stored(counter)]))
        assert await one.get(Counter, counter.id) == replace(counter, version=2, next=9)
        watch.close()


async def test_two_processes_counting_together_lose_no_count(store: Store, elsewhere: Elsewhere) -> None:
    counter = make(Counter, next=0)
    await store.commit(Changes(inserts=[counter]))
    process = await elsewhere("increment", counter.id, "40")
    assert process.stdin is not None
    assert process.stdout is not None
    assert await process.stdout.readline() == b"open\n"
    watch = store.watch(Counter)
    process.stdin.write(b"go\n")
    assert await watch.wait(30)
    for _ in range(40):
        await increment(store, counter.id)
    await process.communicate()
    assert process.returncode == 0
    assert await store.get(Counter, counter.id) == Counter(id=counter.id, version=81, next=80)
    watch.close()


async def test_a_source_key_is_taken_once_by_whoever_comes_first(open_store: OpenStore) -> None:
    async with open_store() as one, open_store() as other:
        rivals = [make(Receipt, channel_id="mail:desk", source_key="7:1") for _ in range(8)]
        stores = [one, other] * 4
        outcomes = await asyncio.gather(
            *(store.commit(Changes(inserts=[receipt])) for store, receipt in zip(stores, rivals, strict=True)),
            return_exceptions=True,
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Duplicate"] * 7 + ["NoneType"]
        [winner] = [r for r, outcome in zip(rivals, outcomes, strict=True) if outcome is None]
        assert await other.find_by(RECEIPT_BY_SOURCE, "mail:desk", "7:1") == stored(winner)
