"""What only the store on MongoDB promises: queries, doubts, files, upgrades. The rest is in `tests.contracts`."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import gridfs
import msgspec
import pymongo
import pytest
from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import OperationFailure

from inbox.errors import Conflict, Duplicate, NotFound, StoreTooNew, StoreUnavailable
from inbox.machinery import Counter
from inbox.model import Address, Contact, Conversation, Event, Receipt
from inbox.parts import BlobId, new_id
from inbox.store import migrations
from inbox.store.base import Blob, Changes, Index
from inbox.store.columns import column
from inbox.store.documents import (
    ADDRESSES_OF_CONTACT,
    CONVERSATION_BY_NUMBER,
    CONVERSATION_IN_CHAT,
    INDEXES,
    KINDS,
    RECEIPT_BY_SOURCE,
)
from inbox.store.migrations import Migration
from inbox.store.mongo import MongoStore, blobs, commits, link, shapes, watching
from inbox.store.mongo.layout import CHUNKS, FILES, UPLOADS
from inbox.store.mongo.look import look
from tests.contracts.backends import at, empty_database
from tests.contracts.documents import make
from tests.servers.mongo import ABANDONED, MongoServer, Way, What, forget_sockets

replace = msgspec.structs.replace
Driver = Literal["pymongo", "motor"]
Data = Database[dict[str, Any]]
LARGE = 2 * blobs.SMALL


def stored(document: Any) -> Any:
    """The document as it reads after the commit that inserted it."""
    return replace(document, version=1)


@pytest.fixture(autouse=True)
def no_sockets_left() -> Iterator[None]:
    yield
    forget_sockets()


@pytest.fixture
def url(mongo_url: str) -> Iterator[str]:
    with empty_database(mongo_url) as place:
        yield place


@pytest.fixture
def fresh(mongo_url: str) -> Iterator[str]:
    """The URL of a database that does not exist yet, and is dropped afterwards: for tests of how one is made."""
    name = f"fresh_{ObjectId()}"
    yield at(mongo_url, name)
    with pymongo.MongoClient[dict[str, Any]](mongo_url) as client:
        client.drop_database(name)


@pytest.fixture
async def store(url: str) -> AsyncIterator[MongoStore]:
    async with MongoStore(url) as opened:
        yield opened


@pytest.fixture
def data(url: str) -> Iterator[Data]:
    """The database as somebody who knows MongoDB sees it."""
    with by_hand(url) as database:
        yield database


@pytest.fixture(scope="module")
def server() -> Iterator[MongoServer]:
    """A server of our own, to be killed."""
    with MongoServer() as made:
        yield made


@contextmanager
def by_hand(place: str) -> Iterator[Data]:
    with pymongo.MongoClient[dict[str, Any]](place) as client:
        yield client.get_default_database()


# ---------------------------------------------------------------- every query has its index


def stages(plan: Any) -> Iterator[str]:
    """The names of all stages of a plan."""
    if isinstance(plan, Mapping):
        if "stage" in plan:
            yield plan["stage"]
        for inner in plan.values():
            yield from stages(inner)
    elif isinstance(plan, list):
        for inner in plan:
            yield from stages(inner)


def shapes_of(index: Index[Any]) -> Iterator[tuple[str, shapes.Selection]]:
    """Every shape of query the store may ask of an index."""
    document = make(index.kind)
    values = tuple(column(getattr(document, field)) for field in index.fields)
    for equal in range(len(index.fields) + 1):
        bound = values[equal] if equal < len(values) else None
        for since, until, after, descending in itertools.product(
            (None, bound), (None, bound), (None, document), (0, 1)
        ):
            name = f"{index} equal={equal} since={since} until={until} after={bool(after)} descending={descending}"
            yield (
                name,
                shapes.selection(
                    index, values[:equal], since=since, until=until, after=after, descending=bool(descending)
                ),
            )
        yield f"count {index} {equal}", shapes.counting(index, values[:equal])


async def test_every_query_is_answered_from_its_index(store: MongoStore, data: Data) -> None:
    scanned = []
    for index in INDEXES:
        kept = data[KINDS[index.kind]]
        keys = {*index.fields, "_id"}
        asked: set[str] = set()
        for name, chosen in shapes_of(index):
            within = {field for part in (chosen.where, *chosen.where.get("$or", ())) for field in part} - {"$or"}
            assert within <= keys, name  # nothing is looked up in the document to choose it
            if repr(chosen) in asked:
                continue
            asked.add(repr(chosen))
            found = kept.find(chosen.where).hint(chosen.hint)
            if chosen.sort:
                found = found.sort(chosen.sort)
            if "COLLSCAN" in set(stages(found.explain()["queryPlanner"])):
                scanned.append(name)
    assert scanned == []


@pytest.mark.parametrize(
    ("collection", "where", "hint"),
    [
        ("contact", {"_id": "one"}, None),
        ("contact", {"_id": {"$in": ["one", "two"]}}, None),
        ("contact", {"_id": {"$gt": "one"}}, "_id_"),
        ("contact", {"_id": "one", "version": 3}, "_id_"),
        (FILES, {"filename": "one"}, "blob__by_id"),
        (FILES, {"filename": {"$in": ["one"]}}, "blob__by_id"),
        (FILES, {"filename": {"$gt": "one"}}, "blob__by_id"),
        (CHUNKS, {"files_id": ObjectId()}, "blob__of_file"),
        (UPLOADS, {"_id": {"$lt": ObjectId()}, "swept": None}, "_id_"),
    ],
)
async def test_what_is_asked_by_id_scans_nothing(
    store: MongoStore, data: Data, collection: str, where: dict[str, Any], hint: str | None
) -> None:
    found = data[collection].find(where)
    plan = (found.hint(hint) if hint else found).explain()["queryPlanner"]
    assert "COLLSCAN" not in set(stages(plan))


def test_no_indexed_field_has_the_name_of_one_of_the_stores_own() -> None:
    own = {"_id", "version", "schema", "unit", "body", "expected"}
    assert not own & {field for index in INDEXES for field in index.fields}


# ---------------------------------------------------------------- nothing slips between two transactions


async def test_two_units_that_each_expect_what_the_other_changes_do_not_both_commit(url: str) -> None:
    """A transaction sees one moment: were an expectation only read, both would find it fulfilled."""
    async with MongoStore(url) as one, MongoStore(url) as other:
        for _ in range(10):
            left, right = make(Contact), make(Contact)
            await one.commit(Changes(inserts=[left, right]))
            left, right = stored(left), stored(right)
            outcomes = await asyncio.gather(
                one.commit(Changes(expectations=[left], replacements=[replace(right, name="no longer there")])),
                other.commit(Changes(expectations=[right], replacements=[replace(left, name="no longer there")])),
                return_exceptions=True,
            )
            assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "NoneType"]


async def test_units_that_expect_the_same_document_all_commit(store: MongoStore) -> None:
    expected = make(Contact)
    await store.commit(Changes(inserts=[expected]))
    counters = [make(Counter) for _ in range(12)]
    await asyncio.gather(*(store.commit(Changes(inserts=[c], expectations=[stored(expected)])) for c in counters))
    assert len(await store.find_many(Counter, [counter.id for counter in counters])) == 12
    assert await store.get(Contact, expected.id) == stored(expected)


async def test_what_a_killed_worker_had_locked_is_waited_for(server: MongoServer, store: MongoStore, url: str) -> None:
    """Whoever dies within a transaction leaves its documents locked until the server gives it up."""
    counter = make(Counter, next=0)
    await store.commit(Changes(inserts=[counter]))
    code = (
        "import os, pymongo, sys\n"
        "client = pymongo.MongoClient(sys.argv[1])\n"
        "session = client.start_session()\n"
        "session.start_transaction()\n"
        "database = client.get_default_database()\n"
        "database['counter'].update_one({'_id': sys.argv[2]}, {'$inc': {'expected': 1}}, session=session)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, url, counter.id], check=False)
    assert killed.returncode == -9
    changes = Changes(replacements=[replace(stored(counter), next=1)], inserts=[make(Contact)])
    async with asyncio.timeout(ABANDONED + 30):
        await store.commit(changes)
    assert (await store.get(Counter, counter.id)).next == 1


async def test_a_document_that_stays_locked_is_given_up_in_time(
    store: MongoStore, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "PATIENCE", 0.2)
    counter = make(Counter)
    await store.commit(Changes(inserts=[counter]))
    with data.client.start_session() as session, session.start_transaction():
        data["counter"].update_one({"_id": counter.id}, {"$inc": {"expected": 1}}, session=session)
        with pytest.raises(StoreUnavailable):
            await store.commit(Changes(replacements=[stored(counter)], inserts=[make(Contact)]))
        session.abort_transaction()
    await store.commit(Changes(replacements=[stored(counter)], inserts=[make(Contact)]))


# ---------------------------------------------------------------- commits whose answer is lost


def deciding(*whats: What) -> Callable[[int], Awaitable[What]]:
    """These become of the first commits, and the rest pass."""

    async def decide(number: int) -> What:
        return whats[number] if number < len(whats) else "passes"

    return decide


@asynccontextmanager
async def through(way: Way, name: str, driver: Driver) -> AsyncIterator[MongoStore]:
    """A store whose commits go that way."""
    async with MongoStore(at(way.url, name), driver=driver) as store:
        way.passed = 0  # opening it committed too
        yield store


ALWAYS_UNHEARD: tuple[What, ...] = ("is done unheard",) * 4

UNITS: dict[str, Callable[[Counter, Contact], Changes]] = {
    "one insert": lambda _counter, _contact: Changes(inserts=[make(Event)]),
    "one replacement": lambda counter, _contact: Changes(replacements=[replace(counter, next=counter.next + 1)]),
    "one deletion": lambda counter, _contact: Changes(deletions=[counter]),
    "several": lambda counter, contact: Changes(
        inserts=[make(Event)],
        replacements=[replace(counter, next=counter.next + 1)],
        expectations=[contact],
        blobs=[Blob(BlobId(new_id()), b"raw")],
    ),
}


@pytest.mark.parametrize("what", ["is lost", "is done unheard"])
@pytest.mark.parametrize(
    ("driver", "times", "kind"),
    [
        ("pymongo", 1, "one deletion"),  # more often, and it cannot be told who deleted it: see the next test
        *(("pymongo", times, kind) for kind in UNITS if kind != "one deletion" for times in (1, 3)),
        ("motor", 3, "one insert"),
        ("motor", 3, "several"),
    ],
)
async def test_a_commit_whose_connection_breaks_happens_once(
    server: MongoServer, what: What, driver: Driver, times: int, kind: str
) -> None:
    counter, contact = make(Counter, next=0), make(Contact)
    async with Way(server, deciding()) as way, through(way, "doubts", driver) as store:
        await store.commit(Changes(inserts=[counter, contact]))
        counter, contact = stored(counter), stored(contact)
        way.passed, way.decide = 0, deciding(*[what] * times)
        await store.commit(UNITS[kind](counter, contact))
        assert way.passed >= times + 1
        found = await store.find(Counter, counter.id)
        expected = {
            "one insert": counter,
            "one deletion": None,
        }.get(kind, replace(counter, version=2, next=1))
        assert found == expected


async def test_a_deletion_whose_answers_are_all_lost_is_unknown(server: MongoServer) -> None:
    counter = make(Counter)
    async with Way(server, deciding()) as way, through(way, "doubts", "pymongo") as store:
        await store.commit(Changes(inserts=[counter]))
        way.passed, way.decide = 0, deciding(*ALWAYS_UNHEARD)
        with pytest.raises(StoreUnavailable, match="not known"):
            await store.commit(Changes(deletions=[stored(counter)]))
        assert await store.find(Counter, counter.id) is None


async def test_a_commit_that_somebody_else_overtook_while_it_was_in_doubt_is_a_conflict(server: MongoServer) -> None:
    counter = make(Counter, next=0)
    async with Way(server, deciding()) as way, through(way, "doubts", "pymongo") as store:
        await store.commit(Changes(inserts=[counter]))
        async with MongoStore(at(server.url, "doubts")) as other:

            async def overtake(number: int) -> What:
                if number == 0:
                    return "is lost"
                if number == 1:
                    await other.commit(Changes(replacements=[replace(stored(counter), next=100)]))
                    return "is lost"
                return "passes"

            way.passed, way.decide = 0, overtake
            with pytest.raises(Conflict):
                await store.commit(Changes(replacements=[replace(stored(counter), next=1)]))
            assert (await store.get(Counter, counter.id)).next == 100


@pytest.mark.parametrize(
    ("driver", "what", "kind"),
    [
        *(("pymongo", what, kind) for what in ("is lost", "is done unheard") for kind in ("one insert", "several")),
        ("motor", "is done unheard", "several"),
    ],
)
async def test_a_unit_is_done_once_though_the_server_is_killed_in_its_commit(
    driver: Driver, what: What, kind: str
) -> None:
    """It comes back with its data, and remembers no session: the unit's own mark tells whether it stood."""
    with MongoServer() as server:
        counter, contact = make(Counter, next=0), make(Contact)
        killed = asyncio.Event()

        async def die(number: int) -> What:
            if number == 1:  # asked again: by now the first one was done, or lost
                await asyncio.to_thread(server.kill)
                killed.set()
            return what if number == 0 else "is lost" if number == 1 else "passes"

        async with Way(server, deciding()) as way, through(way, "killed", driver) as store:
            await store.commit(Changes(inserts=[counter, contact]))
            counter, contact = stored(counter), stored(contact)
            way.passed, way.decide = 0, die
            commit = asyncio.ensure_future(store.commit(UNITS[kind](counter, contact)))
            await killed.wait()
            await asyncio.to_thread(server.start)
            await commit
            expected = counter if kind == "one insert" else replace(counter, version=2, next=1)
            assert await store.find(Counter, counter.id) == expected
            assert len(await store.scan(Event)) == 1


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_a_server_that_stays_away_makes_the_store_unavailable(driver: Driver) -> None:
    with MongoServer() as server:
        options = "?serverSelectionTimeoutMS=300&connectTimeoutMS=300&socketTimeoutMS=500"
        async with MongoStore(at(server.url, "away") + options, driver=driver) as store:
            counter = make(Counter)
            await store.commit(Changes(inserts=[counter]))
            server.kill()
            asked: list[Callable[[], Awaitable[Any]]] = [
                lambda: store.find(Counter, counter.id),
                lambda: store.find_many(Counter, [counter.id]),
                lambda: store.list(CONVERSATION_BY_NUMBER),
                lambda: store.count(CONVERSATION_BY_NUMBER),
                lambda: store.scan(Counter),
                lambda: store.list_blobs(),
                lambda: store.read_blob(BlobId("any")),
            ]
            for ask in asked:
                with pytest.raises(StoreUnavailable, match=r"^mongodb://127\.0\.0\.1:\d+/away: "):
                    await ask()
            server.start()
            assert await eventually_found(store, counter.id) == stored(counter)
            await store.commit(Changes(replacements=[stored(counter)], inserts=[make(Contact)]))


async def eventually_found(store: MongoStore, counter_id: str) -> Counter | None:
    async with asyncio.timeout(60):
        while True:
            try:
                return await store.find(Counter, counter_id)
            except StoreUnavailable:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_a_server_that_falls_silent_is_given_up(driver: Driver) -> None:
    with MongoServer() as server:
        options = "?serverSelectionTimeoutMS=300&connectTimeoutMS=300&socketTimeoutMS=300"
        async with MongoStore(at(server.url, "silent") + options, driver=driver) as store:
            await store.commit(Changes(inserts=[make(Counter)]))
            server.suspend()
            try:
                with pytest.raises(StoreUnavailable):
                    await store.find(Counter, "any")
            finally:
                server.resume()
            assert await eventually_found(store, "any") is None


async def test_a_store_that_closes_leaves_what_hangs_to_its_fate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inbox.store.mongo.CLOSING", 0.2)
    with MongoServer() as server:
        async with MongoStore(at(server.url, "hangs")) as store:
            await store.commit(Changes(inserts=[make(Counter)]))
            server.suspend()
            commit = asyncio.ensure_future(store.commit(Changes(inserts=[make(Counter), make(Contact)])))
            await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable, match="closed"):
            await commit


async def test_a_read_that_is_cancelled_ends_however_often(store: MongoStore) -> None:
    """A driver may lose a cancellation; a loop of the desk that lost its own would never end."""

    async def for_ever() -> None:
        while True:
            await store.find(Counter, "any")

    for moment in range(60):
        task = asyncio.ensure_future(for_ever())
        await asyncio.sleep(moment * 0.0007)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=30)
        assert done
        assert task.cancelled()


# ---------------------------------------------------------------- raw forms in GridFS


@pytest.mark.parametrize("size", [0, 1, blobs.CHUNK, blobs.CHUNK + 1, LARGE, 20_000_000])
async def test_a_raw_form_is_a_file_any_gridfs_reads(store: MongoStore, data: Data, size: int) -> None:
    octets = bytes(range(256)) * (size // 256) + bytes(size % 256)
    blob = Blob(BlobId(new_id()), octets)
    await store.commit(Changes(blobs=[blob]))
    with gridfs.GridFSBucket(data, "blob").open_download_stream_by_name(blob.id) as stream:
        assert stream.read() == octets
    assert await store.read_blob(blob.id) == octets
    assert data[UPLOADS].count_documents({}) == 0


async def test_a_large_raw_form_whose_unit_is_refused_leaves_nothing(store: MongoStore, data: Data) -> None:
    taken = make(Counter)
    await store.commit(Changes(inserts=[taken]))
    blob = Blob(BlobId(new_id()), bytes(LARGE))
    with pytest.raises(Duplicate):
        await store.commit(Changes(inserts=[taken], blobs=[blob]))
    with pytest.raises(NotFound):
        await store.read_blob(blob.id)
    assert [data[name].count_documents({}) for name in (FILES, CHUNKS, UPLOADS)] == [0, 0, 0]


async def test_a_large_raw_form_met_again_is_a_duplicate_and_the_first_stays(store: MongoStore) -> None:
    blob = Blob(BlobId(new_id()), b"a" * LARGE)
    await store.commit(Changes(blobs=[blob]))
    with pytest.raises(Duplicate) as refused:
        await store.commit(Changes(blobs=[Blob(blob.id, b"b" * LARGE)]))
    assert (refused.value.kind, refused.value.index) == ("blob", "id")
    assert await store.read_blob(blob.id) == blob.data


@pytest.mark.parametrize("size", [100, LARGE])
async def test_an_erased_raw_form_leaves_no_octet(store: MongoStore, data: Data, size: int) -> None:
    blob = Blob(BlobId(new_id()), bytes(size))
    await store.commit(Changes(blobs=[blob]))
    await store.commit(Changes(blob_deletions=[blob.id]))
    assert [data[name].count_documents({}) for name in (FILES, CHUNKS, UPLOADS)] == [0, 0, 0]


async def test_uploads_that_nobody_made_visible_are_swept_after_a_day(store: MongoStore, data: Data) -> None:
    now = datetime.now(UTC)
    kept = Blob(BlobId(new_id()), bytes(LARGE))
    await store.commit(Changes(blobs=[kept]))
    old, young = (ObjectId.from_datetime(now - age) for age in (timedelta(days=1, minutes=1), timedelta(hours=23)))
    erased = ObjectId()
    for upload in (old, young, erased):
        data[CHUNKS].insert_many([{"files_id": upload, "n": n, "data": b"raw"} for n in range(3)])
    data[UPLOADS].insert_many([{"_id": old}, {"_id": young}, {"_id": erased, "swept": True}])
    async with link_to(data) as connected:
        assert await blobs.sweep(connected, now) == 2
    assert {chunk["files_id"] for chunk in data[CHUNKS].find()} - {young} == {data[FILES].find_one({})["_id"]}  # type: ignore[index]
    assert [row["_id"] for row in data[UPLOADS].find()] == [young]
    assert await store.read_blob(kept.id) == kept.data


async def test_an_upload_that_was_swept_is_not_made_visible(
    store: MongoStore, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = blobs.upload

    async def upload_slowly(connected: link.Link, files: Any) -> None:
        await upload(connected, files)
        assert await blobs.sweep(connected, datetime.now(UTC) + timedelta(days=2)) == 1

    monkeypatch.setattr(blobs, "upload", upload_slowly)
    blob = Blob(BlobId(new_id()), bytes(LARGE))
    with pytest.raises(StoreUnavailable, match="more than a day"):
        await store.commit(Changes(blobs=[blob], inserts=[make(Counter)]))
    with pytest.raises(NotFound):
        await store.read_blob(blob.id)


async def test_a_raw_form_with_a_chunk_missing_is_damaged_not_short(store: MongoStore, data: Data) -> None:
    blob = Blob(BlobId(new_id()), bytes(LARGE))
    await store.commit(Changes(blobs=[blob]))
    data[CHUNKS].delete_one({"n": 1})
    with pytest.raises(StoreUnavailable, match="damaged"):
        await store.read_blob(blob.id)


@asynccontextmanager
async def link_to(data: Data) -> AsyncIterator[link.Link]:
    host, port = data.client.address or ("", 0)
    connected = link.Link(f"mongodb://{host}:{port}/{data.name}", "pymongo")
    yield connected
    await connected.close(3)


# ---------------------------------------------------------------- what cannot be stored


async def test_a_document_larger_than_mongodb_holds_is_its_callers_alone(store: MongoStore) -> None:
    """It is no StoreUnavailable: that would be tried for ever. A receipt that makes one is parked with this error."""
    with pytest.raises(ValueError, match="too large"):
        await store.commit(Changes(inserts=[make(Contact, name="a" * 17_000_000)]))
    large = make(Contact, name="a" * 16_000_000)
    await store.commit(Changes(inserts=[large]))
    assert await store.get(Contact, large.id) == stored(large)


async def test_what_cannot_be_encoded_is_refused_before_anything_is_sent(store: MongoStore) -> None:
    with pytest.raises(UnicodeEncodeError):
        await store.commit(Changes(inserts=[make(Contact, name="\ud800")]))
    naive = make(Contact).created_at.replace(tzinfo=None)
    with pytest.raises(TypeError):
        await store.commit(Changes(inserts=[make(Conversation, last_message_at=naive)]))


async def test_a_number_beyond_64_bits_is_its_callers_alone(store: MongoStore) -> None:
    with pytest.raises(OverflowError):
        await store.commit(Changes(inserts=[make(Conversation, number=2**63)]))
    await store.commit(Changes(inserts=[make(Conversation)]))


async def test_a_body_nobody_can_read_makes_the_store_unavailable(store: MongoStore, data: Data) -> None:
    counter = make(Counter)
    await store.commit(Changes(inserts=[counter]))
    data["counter"].update_one({"_id": counter.id}, {"$set": {"body": b"{"}})
    with pytest.raises(StoreUnavailable):
        await store.find(Counter, counter.id)


# ---------------------------------------------------------------- who is woken


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_a_commit_elsewhere_wakes_who_watches_its_kind_and_nobody_else(url: str, driver: Driver) -> None:
    async with MongoStore(url, driver=driver) as one, MongoStore(url) as other:
        counters, contacts = one.watch(Counter), one.watch(Contact)
        await contacts.wait(3 * watching.AWAIT_MS / 1000)  # whatever the opening woke
        await counters.wait(0)
        await other.commit(Changes(inserts=[make(Counter)]))
        assert await counters.wait(30)
        assert not await contacts.wait(0)


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_a_stream_that_broke_is_opened_again_and_what_it_missed_wakes(
    server: MongoServer, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "REOPENING", 0.05)
    async with Way(server, deciding()) as way, through(way, "streams", driver) as store:
        watch = store.watch(Counter)
        async with MongoStore(at(server.url, "streams")) as other:
            for _ in range(3):
                way.cut()
                await other.commit(Changes(inserts=[make(Counter)]))
                assert await watch.wait(30)


async def test_where_streams_are_refused_everybody_looks_for_themselves(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(*_: Any, **__: Any) -> Any:
        raise OperationFailure("not authorized on desk to execute command", 13)

    monkeypatch.setattr(link.Link, "watch", refuse)
    monkeypatch.setattr(watching, "POLLING", 0.01)
    async with MongoStore(url) as store, MongoStore(url) as other:
        watch = store.watch(Counter)
        await other.commit(Changes(inserts=[make(Counter)]))
        assert await watch.wait(30)
    assert "refuses change streams" in caplog.text


# ---------------------------------------------------------------- opening: what is declared, and whose it is


async def test_indexes_are_brought_in_line_with_what_is_declared(fresh: str) -> None:
    receipt = make(Receipt)
    async with MongoStore(fresh) as store:
        await store.commit(Changes(inserts=[receipt, make(Address)]))
    with by_hand(fresh) as data:
        data["receipt"].drop_index("receipt__by_source")
        data["receipt"].update_one({"_id": receipt.id}, {"$unset": {"source_key": ""}})  # as one who did not declare it
        data["address"].drop_index("address__of_contact")
        data["address"].create_index([("contact_id", 1)], name="address__of_contact")  # declared otherwise
        data["address"].create_index([("body", 1)], name="address__of_old")  # declared no more
        data["address"].create_index([("version", 1)], name="somebodys")
    async with MongoStore(fresh) as store:
        assert await store.find_by(RECEIPT_BY_SOURCE, receipt.channel_id, receipt.source_key) == stored(receipt)
        assert await store.count(ADDRESSES_OF_CONTACT) == 1
    with by_hand(fresh) as data:
        found = data["address"].index_information()
        assert {"address__of_contact", "somebodys"} <= found.keys()
        assert "address__of_old" not in found
        assert [key for key, _ in found["address__of_contact"]["key"]] == ["contact_id", "_id"]


async def test_several_workers_make_a_store_together(fresh: str) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(_open_and_count(fresh))
    async with MongoStore(fresh) as store:
        assert len(await store.scan(Counter)) == 4


async def _open_and_count(place: str) -> None:
    async with MongoStore(place) as store:
        await store.commit(Changes(inserts=[make(Counter)]))


async def test_a_database_that_is_not_ours_is_refused_and_left_as_it_is(fresh: str) -> None:
    with by_hand(fresh) as data:
        data["account"].insert_one({"name": "somebody's"})
        with pytest.raises(StoreUnavailable, match="not a store of Permanence"):
            await MongoStore(fresh).__aenter__()
        assert data.list_collection_names() == ["account"]


async def test_a_store_of_a_newer_version_is_refused(fresh: str) -> None:
    async with MongoStore(fresh):
        pass
    with by_hand(fresh) as data:
        data["permanence"].update_one({}, {"$set": {"schema": migrations.SCHEMA_VERSION + 1}})
    with pytest.raises(StoreTooNew):
        await MongoStore(fresh).__aenter__()


async def test_a_worker_stops_writing_when_a_newer_version_begins_to_upgrade_its_store(fresh: str) -> None:
    async with MongoStore(fresh) as store:
        watch = store.watch(Counter)
        with by_hand(fresh) as data:
            data["permanence"].update_one({}, {"$set": {"upgrading_to": migrations.SCHEMA_VERSION + 1}})
        async with asyncio.timeout(30):
            while True:
                await watch.wait(5)
                try:
                    await store.find(Counter, "any")
                except StoreTooNew:
                    break
        with pytest.raises(StoreTooNew):
            await store.commit(Changes(inserts=[make(Counter)]))


async def test_documents_of_an_older_version_are_upgraded_and_found(
    fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [make(Conversation, id=f"c{n:04}", open_chat=f"chat-{n}") for n in range(450)]
    async with MongoStore(fresh) as store:
        await store.commit(Changes(inserts=before))

    def swapped(plain: dict[str, Any]) -> dict[str, Any]:
        """Keys go round: while documents change one by one, two have the same."""
        number = int(plain["open_chat"].partition("-")[2])
        return {**plain, "open_chat": f"chat-{(number + 1) % 450}"}

    newer = migrations.SCHEMA_VERSION + 1
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", newer)
    monkeypatch.setattr(migrations, "MIGRATIONS", (Migration(to=newer, kind="conversation", transform=swapped),))
    async with MongoStore(fresh) as store:
        for document in (before[0], before[449]):
            after = f"chat-{(int(document.id[1:]) + 1) % 450}"
            assert await store.get(Conversation, document.id) == replace(document, version=1, open_chat=after)
            assert await store.find_by(CONVERSATION_IN_CHAT, after) == replace(document, version=1, open_chat=after)
    async with MongoStore(fresh) as store:  # once is enough
        assert await store.get(Conversation, "c0000") == replace(before[0], version=1, open_chat="chat-1")


async def test_an_upgrade_that_was_broken_off_is_taken_up_where_it_was_left(
    fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [make(Contact, id=f"c{n:04}", name="n") for n in range(450)]
    async with MongoStore(fresh) as store:
        await store.commit(Changes(inserts=before))
    changed = 0

    def longer(plain: dict[str, Any]) -> dict[str, Any]:
        nonlocal changed
        changed += 1
        if changed == 300:
            raise KeyboardInterrupt
        return {**plain, "name": plain["name"] + "!"}

    newer = migrations.SCHEMA_VERSION + 1
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", newer)
    monkeypatch.setattr(migrations, "MIGRATIONS", (Migration(to=newer, kind="contact", transform=longer),))
    with pytest.raises(KeyboardInterrupt):
        await MongoStore(fresh).__aenter__()
    with pytest.raises(StoreUnavailable, match="being upgraded"):
        await MongoStore(fresh).__aenter__()
    with by_hand(fresh) as data:  # as it is two minutes later
        data["permanence"].update_one({}, {"$set": {"upgrade_held_until": datetime.now(UTC) - timedelta(seconds=1)}})
    async with MongoStore(fresh) as store:
        assert {contact.name for contact in await store.scan(Contact, limit=1000)} == {"n!"}


async def test_a_server_that_is_no_replica_set_is_refused_with_the_remedy() -> None:
    with MongoServer(replica_set=False) as alone:
        with pytest.raises(StoreUnavailable, match=r"rs\.initiate"):
            await MongoStore(at(alone.url, "desk")).__aenter__()
        [seen], _ = await look(at(alone.url, "desk"), "pymongo")
        assert (seen.level, "rs.initiate()" in seen.remedy) == ("error", True)


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_a_look_says_which_server_answers_and_changes_nothing(fresh: str, driver: Driver) -> None:
    (first, *others, last), there = await look(fresh, driver)
    assert not there
    assert "will be made" in last.says
    assert first.level == "ok"
    assert "replica set" in first.says
    assert {seen.level for seen in others} <= {"warning"}
    with by_hand(fresh) as data:
        assert data.list_collection_names() == []


# PyMongo's monitor, stopped while it connects, leaves its socket to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*unclosed <socket", "ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_look_at_nothing_says_where_and_no_password() -> None:
    place = "mongodb://desk:hunter2@127.0.0.1:1/desk?serverSelectionTimeoutMS=200"
    [seen], _ = await look(place, "pymongo")
    assert seen.level == "error"
    assert seen.says.startswith("mongodb://127.0.0.1:1/desk: ")
    assert "hunter2" not in seen.says
    with pytest.raises(StoreUnavailable) as refused:
        await MongoStore(place).__aenter__()
    assert "hunter2" not in str(refused.value)


def test_without_its_driver_the_store_says_what_to_install() -> None:
    code = (
        "import sys\n"
        "sys.modules['pymongo'] = None\n"
        "from inbox.errors import StoreUnavailable\n"
        "try:\n"
        "    import inbox.store.mongo\n"
        "except StoreUnavailable as refused:\n"
        "    print(refused)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'permanence[mongodb]'" in said
