"""What only the embedded store promises: its file, its writer, its upgrades. The rest is in `tests.contracts`."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import secrets
import shutil
import signal
import sqlite3
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inbox.errors import Conflict, Duplicate, NotFound, StoreTooNew, StoreUnavailable
from inbox.machinery import Backup, Counter
from inbox.model import Address, Contact, Conversation, Event, Receipt, Shown
from inbox.parts import BlobId, ConversationId, new_id
from inbox.store import migrations
from inbox.store import sqlite as sqlite_store
from inbox.store.base import Blob, Changes
from inbox.store.documents import (
    ADDRESSES_OF_CONTACT,
    CONVERSATION_BY_NUMBER,
    EVENTS_OF_CONVERSATION,
    INDEXES,
    RECEIPT_BY_SOURCE,
    SHOWN_CURRENT,
)
from inbox.store.migrations import Migration
from inbox.store.sqlite import SqliteStore, file
from inbox.store.sqlite.sql import TABLES, counting, index_name, selection
from inbox.words import Sought
from tests.contracts.documents import make

ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "desk.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(path) as opened:
        yield opened


@pytest.fixture
def writers(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """The connections that write, of the stores a test opens: to take their disk away."""
    made: list[sqlite3.Connection] = []

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        made.append(file_connect(*args, **kwargs))
        return made[-1]

    file_connect = file.connect_to_write
    monkeypatch.setattr(file, "connect_to_write", connect)
    return made


@contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as somebody who knows SQLite sees it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        yield connection


def octets(path: Path) -> dict[str, str]:
    """A digest of the file and its log."""
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in (path, Path(f"{path}-wal")) if f.exists()}


def names(folder: Path) -> list[str]:
    return sorted(found.name for found in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def start(module: str, *arguments: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *map(str, arguments)), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )


async def left_behind(path: Path, folder: Path) -> Path:
    """A copy of the store as a power cut would leave it: the file, and a log that nobody has tidied away."""
    copy = folder / "left.db"
    async with SqliteStore(path) as store:
        await store.commit(Changes(inserts=[make(Counter)]))
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
    return copy


# ---------------------------------------------------------------- the writer


async def test_what_waits_together_is_committed_with_few_syncs(path: Path) -> None:
    groups: list[int] = []
    async with SqliteStore(path, on_commit=lambda units, seconds: groups.append(units if seconds > 0 else 0)) as store:
        await asyncio.gather(*(store.commit(Changes(inserts=[make(Counter)])) for _ in range(200)))
    assert sum(groups) == 200
    assert len(groups) < 20
    assert max(groups) == 64


async def test_a_watcher_of_commits_that_fails_does_not_end_the_writer(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_units: int, _seconds: float) -> None:
        raise RuntimeError

    counter = make(Counter)
    async with SqliteStore(path, on_commit=fail) as store:
        await store.commit(Changes(inserts=[make(Counter)]))
        await store.commit(Changes(inserts=[counter]))
        assert await store.find(Counter, counter.id)
    assert "what watches commits failed" in caplog.text


async def test_a_number_sqlite_cannot_hold_is_its_callers_mistake_alone(store: SqliteStore) -> None:
    good = [make(Conversation) for _ in range(4)]
    units = [Changes(inserts=[document]) for document in (*good[:2], make(Conversation, number=2**63), *good[2:])]
    outcomes = await asyncio.gather(*map(store.commit, units), return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes] == [
        *("NoneType", "NoneType", "OverflowError", "NoneType", "NoneType")
    ]
    assert await store.count(CONVERSATION_BY_NUMBER) == 4


async def test_a_raw_form_too_large_for_sqlite_is_refused_alone(path: Path, writers: list[sqlite3.Connection]) -> None:
    async with SqliteStore(path) as store:
        writers[0].setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)
        good = [make(Counter), make(Counter)]
        large = Changes(inserts=[make(Contact)], blobs=[Blob(BlobId("large"), bytes(200_000))])
        units = [Changes(inserts=[good[0]]), large, Changes(inserts=[good[1]])]
        outcomes = await asyncio.gather(*map(store.commit, units), return_exceptions=True)
        assert [type(outcome).__name__ for outcome in outcomes] == ["NoneType", "StoreUnavailable", "NoneType"]
        assert len(await store.find_many(Counter, [counter.id for counter in good])) == 2


async def test_a_large_raw_form_is_written_whole_or_not_at_all_and_none_of_it_stays_in_memory(
    store: SqliteStore,
) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    contact, other = make(Contact), make(Contact)
    await store.commit(Changes(inserts=[contact]))
    octets = os.urandom(64 * 2**20)
    before = resident()
    await store.commit(Changes(inserts=[other], blobs=[Blob(BlobId("large"), octets)]))
    assert resident() - before < 32 * 2**20
    assert await store.read_blob(BlobId("large")) == octets
    with pytest.raises(Duplicate):
        await store.commit(Changes(inserts=[contact], blobs=[Blob(BlobId("refused"), octets)]))
    with pytest.raises(Duplicate):
        await store.commit(Changes(blobs=[Blob(BlobId("large"), octets[::-1])]))
    assert list(await store.list_blobs()) == ["large"]
    assert await store.read_blob(BlobId("large")) == octets


async def test_reads_that_are_cancelled_leave_the_readers_to_the_others(store: SqliteStore) -> None:
    counter = make(Counter)
    await store.commit(Changes(inserts=[counter]))
    reads = [asyncio.ensure_future(store.get(Counter, counter.id)) for _ in range(200)]
    await asyncio.sleep(0)
    for read in reads[::2]:
        read.cancel()
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert {outcome.id for outcome in outcomes[1::2] if isinstance(outcome, Counter)} == {counter.id}
    assert not any(isinstance(outcome, BaseException) for outcome in outcomes[1::2])


async def test_what_cannot_be_encoded_is_refused_before_anybody_waits_for_it(store: SqliteStore) -> None:
    with pytest.raises(UnicodeEncodeError):
        await store.commit(Changes(inserts=[make(Contact, name="\ud800")]))
    naive = make(Contact).created_at.replace(tzinfo=None)
    with pytest.raises(TypeError):
        await store.commit(Changes(inserts=[make(Conversation, last_message_at=naive)]))


async def test_a_commit_wakes_nobody_who_watches_other_kinds(store: SqliteStore) -> None:
    watch = store.watch(Contact)
    await store.commit(Changes(inserts=[make(Counter)]))
    assert not await watch.wait(0)
    await store.commit(Changes(inserts=[make(Contact)]))
    watch.close()
    await store.commit(Changes(inserts=[make(Contact)]))
    assert await watch.wait(0)
    assert not await watch.wait(0)


async def test_a_refused_unit_wakes_nobody(store: SqliteStore) -> None:
    counter = make(Counter)
    await store.commit(Changes(inserts=[counter]))
    watch = store.watch(Counter)
    with pytest.raises(Duplicate):
        await store.commit(Changes(inserts=[counter]))
    assert not await watch.wait(0)
    watch.close()


async def test_another_processes_commit_is_noticed_by_a_store_that_never_rests(path: Path) -> None:
    async with SqliteStore(path) as busy, SqliteStore(path) as other:
        watch = busy.watch(Contact)

        async def never_rest() -> None:
            while True:
                await busy.commit(Changes(inserts=[make(Counter)]))

        working = asyncio.ensure_future(never_rest())
        await other.commit(Changes(inserts=[make(Contact)]))
        assert await watch.wait(30)
        working.cancel()
        await asyncio.wait([working])
        watch.close()


async def test_the_log_stays_short_however_much_is_written_and_read(path: Path) -> None:
    longest = 0
    async with SqliteStore(path, exclusive=True) as store:

        async def read() -> None:
            while True:
                await store.list(EVENTS_OF_CONVERSATION, ConversationId("one"))

        readers = [asyncio.ensure_future(read()) for _ in range(3)]
        for number in range(60):
            blob = Blob(BlobId(f"{number}"), bytes(500_000))
            await store.commit(Changes(inserts=[make(Event, conversation_id=ConversationId("one"))], blobs=[blob]))
            longest = max(longest, Path(f"{path}-wal").stat().st_size)
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)
    assert longest < 15_000_000


# ---------------------------------------------------------------- disks that fail


async def test_a_full_disk_refuses_what_waits_together_and_the_writer_goes_on(
    path: Path, writers: list[sqlite3.Connection]
) -> None:
    async with SqliteStore(path) as store:
        before = make(Counter)
        await store.commit(Changes(inserts=[before]))
        [writer] = writers
        [pages] = writer.execute("PRAGMA page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count = {pages + 2}")
        large = [Changes(blobs=[Blob(BlobId(f"{n}"), bytes(50_000))]) for n in range(5)]
        outcomes = await asyncio.gather(*map(store.commit, large), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 5
        assert str(path) in str(outcomes[0])
        assert "full" in str(outcomes[0])
        with pytest.raises(NotFound):
            await store.read_blob(BlobId("0"))
        assert await store.find(Counter, before.id)
        writer.execute("PRAGMA max_page_count = 1000000")
        await asyncio.gather(*map(store.commit, large))
        assert len(await store.read_blob(BlobId("4"))) == 50_000
        assert await store.verify() == []


async def test_a_file_that_became_read_only_refuses_commits_until_it_is_not(
    path: Path, writers: list[sqlite3.Connection]
) -> None:
    counter = make(Counter)
    async with SqliteStore(path) as store:
        writers[0].execute("PRAGMA query_only = 1")
        with pytest.raises(StoreUnavailable, match="readonly"):
            await store.commit(Changes(inserts=[counter]))
        assert await store.find(Counter, counter.id) is None
        writers[0].execute("PRAGMA query_only = 0")
        await store.commit(Changes(inserts=[counter]))
        assert await store.find(Counter, counter.id)


async def test_an_io_error_while_writing_refuses_the_commit_and_the_writer_goes_on(path: Path) -> None:
    process = await start("tests.inbox.store.limited", path)
    said, _ = await process.communicate()
    assert process.returncode == 0
    refused, after = said.decode().splitlines()
    assert refused.startswith(f"refused: {path}: ")
    assert after == "2000000 octets, []"


async def test_a_commit_that_fails_takes_back_the_whole_group(path: Path, writers: list[sqlite3.Connection]) -> None:
    counter = make(Counter)
    async with SqliteStore(path) as store:
        # A reference that is checked at the end of a transaction lets all go well but its COMMIT.
        writers[0].executescript(
            "PRAGMA foreign_keys = 1; CREATE TABLE parent (id PRIMARY KEY); CREATE TABLE child"
            " (id REFERENCES parent DEFERRABLE INITIALLY DEFERRED);"
            "CREATE TRIGGER orphan AFTER INSERT ON counter BEGIN INSERT INTO child VALUES (NEW.id); END"
        )
        units = [Changes(inserts=[counter]), Changes(inserts=[make(Contact)]), Changes(inserts=[make(Event)])]
        outcomes = await asyncio.gather(*map(store.commit, units), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
        assert len({id(outcome) for outcome in outcomes}) == 3
        assert await store.find(Counter, counter.id) is None
        writers[0].execute("DROP TRIGGER orphan")
        await asyncio.gather(*map(store.commit, units))
        assert await store.find(Counter, counter.id)


async def test_a_file_another_process_keeps_locked_is_unavailable(
    path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "BUSY", 0.05)
    async with SqliteStore(path) as impatient:
        with by_hand(path) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked"):
                await impatient.commit(Changes(inserts=[make(Counter)]))
            with pytest.raises(StoreUnavailable, match="locked"):
                await SqliteStore(path).__aenter__()
            assert await impatient.count(CONVERSATION_BY_NUMBER) == 0
        await impatient.commit(Changes(inserts=[make(Counter)]))


async def test_nothing_acknowledged_is_lost_when_the_worker_is_killed(path: Path) -> None:
    acknowledged: set[int] = set()
    for life, moment in enumerate((30, 200, 411, 750)):
        process = await start("tests.inbox.store.load", path, life * 100_000)
        assert process.stdout is not None
        for _ in range(moment):
            acknowledged.add(int(await process.stdout.readline()))
        process.kill()
        rest, _ = await process.communicate()
        acknowledged |= {int(line) for line in rest.split()}
        assert process.returncode == -signal.SIGKILL
        async with SqliteStore(path, exclusive=True) as store:
            assert await store.verify() == []
            events = await store.list(EVENTS_OF_CONVERSATION, ConversationId("one"), limit=100_000)
            kept = {int(event.id.partition("-")[2]) for event in events}
            assert acknowledged <= kept
            assert len(await store.find_many(Counter, [f"counter-{number}" for number in kept])) == len(kept)
            for number in kept:
                assert len(await store.read_blob(BlobId(f"blob-{number}"))) == 6000


# ---------------------------------------------------------------- opening


async def test_only_its_owner_may_read_the_file_its_log_and_its_backup(path: Path, tmp_path: Path) -> None:
    async with SqliteStore(path, exclusive=True) as store:
        await store.commit(Changes(inserts=[make(Counter)]))
        await store.backup(tmp_path / "copy.db")
        assert {name: mode(tmp_path / name) for name in names(tmp_path)} == dict.fromkeys(
            ("desk.db", "desk.db-wal", "desk.db-shm", "desk.db.lock", "copy.db"), 0o600
        )


async def test_a_store_that_was_closed_is_one_file(path: Path, tmp_path: Path) -> None:
    async with SqliteStore(path) as store:
        await store.commit(Changes(inserts=[make(Counter)]))
        assert await store.count(CONVERSATION_BY_NUMBER) == 0
    assert names(tmp_path) == ["desk.db"]


async def test_a_second_worker_is_refused_with_the_name_of_the_file(path: Path) -> None:
    counter = make(Counter)
    async with SqliteStore(path, exclusive=True) as worker:
        with pytest.raises(StoreUnavailable) as refused:
            await SqliteStore(path, exclusive=True).__aenter__()
        assert str(refused.value) == f"{path} is in use by another worker; stop that one first"
        async with SqliteStore(path) as looking:
            await looking.commit(Changes(inserts=[counter]))
        assert await worker.find(Counter, counter.id)
    async with SqliteStore(path, exclusive=True) as next_worker:
        assert await next_worker.find(Counter, counter.id)


async def test_opening_what_cannot_be_opened_names_it_and_holds_nothing(tmp_path: Path) -> None:
    noise = tmp_path / "noise.db"
    noise.write_bytes(b"This is no database. " * 100)
    for path in (tmp_path / "nowhere" / "desk.db", tmp_path, noise):
        with pytest.raises(StoreUnavailable, match=path.name):
            await SqliteStore(path, exclusive=path == noise).__aenter__()
    noise.unlink()
    async with SqliteStore(noise, exclusive=True):
        pass


async def test_somebody_elses_database_is_left_as_it_is(path: Path) -> None:
    with by_hand(path) as other:
        other.execute("CREATE TABLE contact (name)")
    before = octets(path)
    with pytest.raises(StoreUnavailable, match="not a store of Permanence"):
        await SqliteStore(path).__aenter__()
    assert octets(path) == before


async def test_a_file_that_may_only_be_read_is_refused() -> None:
    # root may write anything: then somebody else looks, in a folder open to everybody
    somebody = 65534 if os.geteuid() == 0 else os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "desk.db"
        async with SqliteStore(path):
            pass
        path.chmod(0o444)
        Path(folder).chmod(0o555)
        me = os.geteuid()
        os.seteuid(somebody)
        try:
            with pytest.raises(StoreUnavailable, match=str(path)):
                await SqliteStore(path).__aenter__()
        finally:
            os.seteuid(me)
            Path(folder).chmod(0o700)


async def test_opening_a_store_again_writes_nothing(path: Path, store: SqliteStore) -> None:
    await store.commit(Changes(inserts=[make(Counter)]))
    before = octets(path)
    async with SqliteStore(path) as again:
        assert await again.verify() == []
    assert octets(path) == before


async def test_a_new_store_may_be_opened_by_several_at_once(path: Path) -> None:
    stores = [SqliteStore(path) for _ in range(6)]
    await asyncio.gather(*(store.__aenter__() for store in stores))
    await asyncio.gather(*(store.commit(Changes(inserts=[make(Counter)])) for store in stores))
    assert await stores[0].verify() == []
    await asyncio.gather(*(store.__aexit__() for store in stores))


async def test_an_opening_that_is_cancelled_holds_nothing(path: Path) -> None:
    for steps in range(4):
        opening = asyncio.ensure_future(SqliteStore(path, exclusive=True).__aenter__())
        for _ in range(steps):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        assert opening.cancelled()
    async with SqliteStore(path, exclusive=True):
        pass
    assert not Path(f"{path}-wal").exists()


async def test_a_closing_that_is_cancelled_still_closes(path: Path) -> None:
    store = await SqliteStore(path, exclusive=True).__aenter__()
    closing_it = asyncio.ensure_future(store.__aexit__())
    await asyncio.sleep(0)
    closing_it.cancel()
    await asyncio.wait([closing_it])
    assert closing_it.cancelled()
    async with SqliteStore(path, exclusive=True):
        pass


async def test_a_document_that_cannot_be_read_is_told_without_what_it_says(path: Path, store: SqliteStore) -> None:
    contact = make(Contact, name="a secret")
    await store.commit(Changes(inserts=[contact]))
    with by_hand(path) as connection:
        connection.execute("UPDATE contact SET body = json_remove(body, '$.account_id')")
    with pytest.raises(StoreUnavailable) as refused:
        await store.get(Contact, contact.id)
    assert "account_id" in str(refused.value)
    assert "a secret" not in str(refused.value)


# ---------------------------------------------------------------- queries


def shapes() -> Iterator[tuple[str, str, int, bool]]:
    """Every query that can be asked: its index, its SQL, its parameters, whether it is answered by the index alone."""
    flags = [False, True]
    for index in INDEXES:
        for equal in range(len(index.fields) + 1):
            for since, until, after, descending in itertools.product(flags, repeat=4):
                if (since or until) and equal == len(index.fields):
                    continue
                if not after and not descending:
                    counted = counting(index, equal, since=since, until=until)
                    yield index_name(index), counted, counted.count("?"), True
                shape = selection(index, equal, since=since, until=until, after=after, descending=descending)
                yield index_name(index), shape.sql, shape.sql.count("?"), False


def test_every_query_is_answered_by_its_index_in_its_order(path: Path) -> None:
    asyncio.run(_opened_once(path))
    seen = 0
    with by_hand(path) as connection:
        for index, query, parameters, covered in shapes():
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", [1] * parameters)]
            assert len(plan) == 1, (query, plan)
            using = f"USING {'COVERING ' if covered else ''}INDEX {index}"
            assert using in plan[0], (query, plan)
            # All of an index may be walked, but only where nothing was asked of its fields.
            if " = ?" in query or " >= ?" in query or " <= ?" in query or " > (" in query or " < (" in query:
                assert plan[0].startswith("SEARCH"), (query, plan)
            seen += 1
        for table in TABLES.values():
            for query in (table.get, table.expect, table.delete, table.replace):
                plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", [1] * query.count("?"))]
                assert "(id=?)" in plan[0], (query, plan)
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {table.get_many}", ["[]"])]
            assert "(id=?)" in plan[0], plan
    assert seen > 300


async def _opened_once(path: Path) -> None:
    async with SqliteStore(path):
        pass


# ---------------------------------------------------------------- backup, verify


async def test_a_backup_made_while_the_store_is_written_is_whole_and_of_one_moment(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    async with SqliteStore(path, exclusive=True) as store:
        written: list[Event] = []
        enough = asyncio.Event()

        async def write() -> None:
            while True:
                pair = [make(Event, conversation_id=ConversationId("one")) for _ in range(2)]
                await store.commit(Changes(inserts=pair, blobs=[Blob(BlobId(new_id()), bytes(20_000))]))
                written.extend(pair)
                if len(written) >= 100:
                    enough.set()

        writing = [asyncio.ensure_future(write()) for _ in range(4)]
        await enough.wait()
        acknowledged = list(written)
        await store.backup(target)
        for task in writing:
            task.cancel()
        await asyncio.wait(writing)
    assert names(tmp_path) == ["copy.db", "desk.db", "desk.db.lock"]
    async with SqliteStore(target) as copy:
        assert await copy.verify() == []
        copied = {event.id for event in await copy.list(EVENTS_OF_CONVERSATION, limit=100_000)}
    assert {event.id for event in acknowledged} <= copied
    assert len(copied) % 2 == 0


async def test_a_backup_replaces_a_file_only_when_asked_and_never_the_store(
    path: Path, tmp_path: Path, store: SqliteStore
) -> None:
    counter = make(Counter)
    target = tmp_path / "copy.db"
    target.write_bytes(b"something else")
    with pytest.raises(FileExistsError, match=r"copy\.db"):
        await store.backup(target)
    assert target.read_bytes() == b"something else"
    await store.commit(Changes(inserts=[counter]))
    Path(f"{target}-wal").write_bytes(b"the log of something else")
    await store.backup(target, overwrite=True)
    assert not Path(f"{target}-wal").exists()
    assert mode(target) == 0o600
    async with SqliteStore(target) as copy:
        assert await copy.find(Counter, counter.id)
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match=r"desk\.db"):
            await store.backup(path, overwrite=overwrite)
    assert await store.verify() == []


async def test_a_backup_beside_the_log_of_another_file_is_refused(tmp_path: Path, store: SqliteStore) -> None:
    Path(tmp_path / "copy.db-wal").write_bytes(b"a log")
    with pytest.raises(FileExistsError, match=r"copy\.db-wal"):
        await store.backup(tmp_path / "copy.db")


async def test_a_backup_that_fails_leaves_nothing(
    path: Path, tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OSError, match="No such file"):
        await store.backup(tmp_path / "nowhere" / "copy.db")
    monkeypatch.setattr(file, "connect_to_read", lambda _: sqlite3.connect("file:nothing?mode=ro", uri=True))
    with pytest.raises(StoreUnavailable, match=r"copy\.db"):
        await store.backup(tmp_path / "copy.db")
    assert all(name.startswith(path.name) for name in names(tmp_path))


async def test_verify_names_what_is_wrong(path: Path, store: SqliteStore) -> None:
    lost, broken, whole = make(Address), make(Address), make(Address)
    await store.commit(Changes(inserts=[lost, broken, whole]))
    assert await store.verify() == []
    with by_hand(path) as connection:
        connection.execute("UPDATE address SET contact_id = 'another' WHERE id = ?", (lost.id,))
        connection.execute("UPDATE address SET body = '{' WHERE id = ?", (broken.id,))
    problems = await store.verify()
    assert len(problems) == 2
    assert any(lost.id in problem for problem in problems)
    assert any(broken.id in problem for problem in problems)


async def test_verify_stops_after_a_hundred_findings(path: Path, store: SqliteStore) -> None:
    await store.commit(Changes(inserts=[make(Counter) for _ in range(150)]))
    with by_hand(path) as connection:
        connection.execute("UPDATE counter SET version = 7")
    assert len(await store.verify()) == 100


async def test_verify_finds_a_damaged_file(path: Path) -> None:
    async with SqliteStore(path) as store:
        await store.commit(Changes(inserts=[make(Address) for _ in range(500)]))
    with by_hand(path) as connection:
        [page] = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (index_name(ADDRESSES_OF_CONTACT),)
        ).fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as damaged:
        damaged.seek((page - 1) * size)
        damaged.write(b"\xff" * size)
    async with SqliteStore(path) as store:
        with pytest.raises(StoreUnavailable, match="malformed"):
            await store.list(ADDRESSES_OF_CONTACT)
        assert await store.verify()


# ---------------------------------------------------------------- upgrades


def newer(monkeypatch: pytest.MonkeyPatch, *steps: Migration) -> None:
    """From here on this program is a later version, with these migrations."""
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", max(step.to for step in steps))
    monkeypatch.setattr(migrations, "MIGRATIONS", steps)


async def test_a_store_of_a_newer_version_is_refused_untouched(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        newer(later, Migration(to=99, kind="contact", transform=dict))
        left = await left_behind(path, tmp_path)
    before = octets(left)
    assert set(before) == {"left.db", "left.db-wal"}
    for exclusive in (False, True):
        with pytest.raises(StoreTooNew, match=r"left\.db .*schema 99") as refused:
            await SqliteStore(left, exclusive=exclusive).__aenter__()
        assert "restore a backup" in str(refused.value)
    assert octets(left) == before


async def test_documents_of_older_versions_go_through_every_migration_in_order(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = [make(Contact, name=f"contact {n}") for n in range(1200)]
    other = make(Counter)
    async with SqliteStore(path) as store:
        await store.commit(Changes(inserts=[*old, other]))
    with by_hand(path) as connection:
        connection.execute(
            "UPDATE contact SET body = json_set(json_remove(body, '$.name'), '$.called', body ->> 'name')"
        )
    newer(
        monkeypatch,
        Migration(to=3, kind="contact", transform=lambda d: {**d, "name": d["label"].upper()}),
        Migration(to=2, kind="contact", transform=lambda d: {**d, "label": d["called"]}),
    )
    async with SqliteStore(path) as store:
        found = await store.find_many(Contact, [contact.id for contact in old])
        assert found == {c.id: msgspec.structs.replace(c, version=1, name=c.name.upper()) for c in old}
        assert await store.get(Counter, other.id) == msgspec.structs.replace(other, version=1)
        assert await store.verify() == []
    async with SqliteStore(path) as store:
        assert await store.find_many(Contact, [contact.id for contact in old]) == found


async def test_a_migration_may_move_unique_keys_between_documents(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conversations = [make(Conversation, number=number) for number in range(1, 6)]
    async with SqliteStore(path) as store:
        await store.commit(Changes(inserts=conversations))
    newer(monkeypatch, Migration(to=2, kind="conversation", transform=lambda d: {**d, "number": d["number"] + 1}))
    async with SqliteStore(path) as store:
        found = await store.list(CONVERSATION_BY_NUMBER)
        assert [(c.id, c.number) for c in found] == [(c.id, c.number + 1) for c in conversations]
        with pytest.raises(Duplicate):
            await store.commit(Changes(inserts=[make(Conversation, number=6)]))


@pytest.mark.parametrize(
    "transform",
    [lambda d: {**d, "created_at": "yesterday"}, lambda d: {"id": d["id"]}, lambda _: 1 / 0],
    ids=["ill-typed", "incomplete", "failing"],
)
async def test_a_migration_that_fails_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, transform: migrations.Transform
) -> None:
    contacts = [make(Contact) for _ in range(3)]
    async with SqliteStore(path) as store:
        await store.commit(Changes(inserts=contacts))
    with monkeypatch.context() as later:
        good = Migration(to=2, kind="contact", transform=lambda d: {**d, "name": "changed"})
        newer(later, good, Migration(to=3, kind="contact", transform=transform))
        with pytest.raises((StoreUnavailable, ZeroDivisionError)):
            await SqliteStore(path).__aenter__()
    async with SqliteStore(path, exclusive=True) as store:
        assert [await store.get(Contact, c.id) for c in contacts] == [
            msgspec.structs.replace(c, version=1) for c in contacts
        ]


async def test_an_upgrade_killed_half_way_is_none_and_the_next_one_is_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contacts = [make(Contact, name="quiet") for _ in range(3000)]
    async with SqliteStore(path) as store:
        await store.commit(Changes(inserts=contacts))
    for after in (1, 2500):
        process = await start("tests.inbox.store.upgrade", path, after)
        await process.communicate()
        assert process.returncode == -signal.SIGKILL
        async with SqliteStore(path) as store:
            found = await store.find_many(Contact, [contact.id for contact in contacts])
            assert {contact.name for contact in found.values()} == {"quiet"}
    newer(monkeypatch, Migration(to=2, kind="contact", transform=lambda d: {**d, "name": "LOUD"}))
    async with SqliteStore(path) as store:
        found = await store.find_many(Contact, [contact.id for contact in contacts])
        assert {contact.name for contact in found.values()} == {"LOUD"}


async def test_two_openings_at_once_upgrade_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counters = [make(Counter, next=1) for _ in range(500)]
    async with SqliteStore(path) as store:
        await store.commit(Changes(inserts=counters))
    newer(monkeypatch, Migration(to=2, kind="counter", transform=lambda d: {**d, "next": d["next"] + 1}))
    stores = [SqliteStore(path) for _ in range(3)]
    with by_hand(path) as other:
        other.execute("BEGIN IMMEDIATE")
        opening = [asyncio.ensure_future(store.__aenter__()) for store in stores]
        await asyncio.sleep(0.2)  # so that all three have seen the old version, and wait their turn
        other.execute("COMMIT")
        await asyncio.gather(*opening)
    found = await stores[0].find_many(Counter, [counter.id for counter in counters])
    await asyncio.gather(*(store.__aexit__() for store in stores))
    assert {counter.next for counter in found.values()} == {2}


async def test_nothing_is_upgraded_under_a_worker_that_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contact = make(Contact)
    async with SqliteStore(path, exclusive=True) as worker:
        await worker.commit(Changes(inserts=[contact]))
        with monkeypatch.context() as later:
            newer(later, Migration(to=2, kind="contact", transform=lambda d: {**d, "name": "changed"}))
            with pytest.raises(StoreUnavailable, match=r"desk\.db must be upgraded"):
                await SqliteStore(path).__aenter__()
        assert await worker.get(Contact, contact.id) == msgspec.structs.replace(contact, version=1)
        await worker.commit(Changes(inserts=[make(Contact)]))


async def test_missing_columns_and_indexes_are_added_and_filled_and_undeclared_indexes_go(path: Path) -> None:
    receipt, shown = make(Receipt), make(Shown)
    async with SqliteStore(path) as store:
        await store.commit(Changes(inserts=[receipt, shown, *(make(Receipt) for _ in range(1100))]))
    with by_hand(path) as older:
        for index in INDEXES:
            if index.kind is Receipt:
                older.execute(f"DROP INDEX {index_name(index)}")
        older.execute("ALTER TABLE receipt DROP COLUMN source_key")
        # A version that does not know an index leaves it out, and its columns as they were.
        older.execute(f"DROP INDEX {index_name(SHOWN_CURRENT)}")
        older.execute("UPDATE shown SET current_key = 'stale'")
        older.execute("CREATE UNIQUE INDEX counter__once ON counter (version)")
        older.execute("DROP TABLE event")
    async with SqliteStore(path) as store:
        assert await store.verify() == []
        found = await store.find_by(RECEIPT_BY_SOURCE, receipt.channel_id, receipt.source_key)
        assert found == msgspec.structs.replace(receipt, version=1)
        assert await store.find_by(SHOWN_CURRENT, shown.current_key)
        await store.commit(Changes(inserts=[make(Counter), make(Counter), make(Event)]))
        with pytest.raises(Conflict):
            await store.commit(Changes(inserts=[make(Shown, current_key=shown.current_key)]))


# ---------------------------------------------------------------- what is deleted

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


async def test_words_are_merged_out_of_an_index_in_portions_and_commits_go_between(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_store, "MERGED", 1)
    monkeypatch.setattr(sqlite_store, "MERGE_PAUSE", 0)
    async with SqliteStore(path, exclusive=True) as store:
        contacts = [make(Contact, name=f"{secrets.token_hex(40)} zqzq") for _ in range(300)]
        for start in range(0, 300, 10):
            await store.commit(Changes(inserts=contacts[start : start + 10]))
        await store.commit(Changes(deletions=[await store.get(Contact, c.id) for c in contacts[:150]]))
        scrubbing = asyncio.create_task(store.scrub())
        between = 0
        while not scrubbing.done():
            await store.commit(Changes(inserts=[make(Contact, name="après")]))
            between += not scrubbing.done()
        await scrubbing
        assert between > 3, "whoever commits meanwhile waited for the whole of it"
        found = await store.search(Contact, Sought(("zqzq",)), None, limit=500)
        assert {c.id for c in found} == {c.id for c in contacts[150:]}
        octets = path.read_bytes()
        assert not any(c.name[:20].encode() in octets for c in contacts[:150])
        assert await store.verify() == []


async def test_only_the_worker_empties_the_log_and_not_while_somebody_reads_it(path: Path) -> None:
    contact = make(Contact, name="zqzq")
    async with SqliteStore(path, exclusive=True) as worker, SqliteStore(path) as other:
        await worker.commit(Changes(inserts=[contact]))
        await worker.commit(Changes(deletions=[await worker.get(Contact, contact.id)]))
        log = Path(f"{path}-wal")
        assert b"zqzq" in log.read_bytes()
        with pytest.raises(StoreUnavailable, match="looked after by its worker"):
            await other.scrub()
        await worker.scrub()
        assert (log.stat().st_size, b"zqzq" in path.read_bytes()) == (0, False)
        await worker.commit(Changes(inserts=[make(Contact)]))
        assert await worker.verify() == []


async def test_a_backup_bears_its_mark_and_only_the_newest(tmp_path: Path, store: SqliteStore) -> None:
    first = Backup(id="backup", taken_at=NOON)
    await store.backup(tmp_path / "one.db", mark=first)
    assert await store.scan(Backup) == []
    async with SqliteStore(tmp_path / "one.db") as copy:
        assert [b.taken_at for b in await copy.scan(Backup)] == [NOON]
        later = Backup(id="backup", taken_at=NOON + timedelta(days=1))
        await copy.backup(tmp_path / "two.db", mark=later)
    async with SqliteStore(tmp_path / "two.db") as copy:
        assert [(b.taken_at, b.version) for b in await copy.scan(Backup)] == [(later.taken_at, 1)]
        assert await copy.verify() == []
