"""The ledger against the source's list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from inbox import receipts
from inbox.ledger import ChannelBalance, balance
from inbox.machinery import Recount
from inbox.model import Cursor, Receipt
from inbox.parts import ChannelId
from inbox.reconciling import PAGE, list_gaps, next_recount_at, recounted, taken_back
from inbox.store.base import Blob, Changes
from inbox.store.sqlite import SqliteStore

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BOX, OTHER = ChannelId("mail:accueil"), ChannelId("mail:autre")
PARIS = "Europe/Paris"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(tmp_path / "desk.db") as opened:
        yield opened


async def keep(store: SqliteStore, keys: list[str], channel: ChannelId = BOX) -> None:
    made = [receipts.arrived(channel, channel, key, 3, NOW) for key in keys]
    await store.commit(Changes(inserts=made, blobs=[Blob(receipt.blob_id, b"raw") for receipt in made]))


async def test_gaps_are_what_the_source_has_and_no_receipt_of_the_channel(store: SqliteStore) -> None:
    await keep(store, ["7:1", "7:2", "7:10", "6:3", "7:99"])
    await keep(store, ["7:3"], OTHER)
    assert await list_gaps(store, BOX, ["7:1", "7:2", "7:3", "7:10", "7:11"]) == ["7:11", "7:3"]
    assert await list_gaps(store, BOX, []) == []
    assert await list_gaps(store, ChannelId("mail:new"), ["7:1"]) == ["7:1"]


@pytest.mark.parametrize("missing", [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 3 * PAGE + 6])
async def test_gaps_are_found_wherever_a_page_of_the_ledger_ends(store: SqliteStore, missing: int) -> None:
    keys = [f"7:{number}" for number in range(1, 3 * PAGE + 8)]
    in_order = sorted(keys)
    await keep(store, [key for key in keys if key != in_order[missing]])
    assert await list_gaps(store, BOX, keys) == [in_order[missing]]


async def test_a_receipt_whose_raw_form_was_erased_is_no_gap(store: SqliteStore) -> None:
    await keep(store, ["7:1"])
    [receipt] = await store.scan(Receipt)
    await store.commit(Changes(blob_deletions=[receipt.blob_id]))
    assert await list_gaps(store, BOX, ["7:1"]) == []


async def test_what_was_never_received_is_counted_and_what_vanished_is_not_counted_twice(store: SqliteStore) -> None:
    await keep(store, ["7:1", "7:2"])
    await store.commit(Changes(inserts=[Cursor(id=BOX, position="here", received=3, updated_at=NOW)]))
    cursor = await store.get(Cursor, BOX)
    [line] = await balance(store, [BOX])
    assert line.missing == 1  # 7:3 vanished; 7:4 was never received
    await store.commit(taken_back(cursor, [(BOX, "7:3", b"three"), (BOX, "7:4", b"four")], line, NOW))
    [line] = await balance(store, [BOX])
    assert (line.received, line.waiting, line.balanced) == (4, 4, True)
    after = await store.get(Cursor, BOX)
    assert (after.position, after.updated_at) == ("here", NOW)
    newest = await store.scan(Receipt)
    assert await store.read_blob(newest[-1].blob_id) == b"four"


def test_more_receipts_than_the_tally_are_no_reason_to_count_less() -> None:
    cursor = Cursor(id=BOX, position="here", received=3, updated_at=NOW)
    line = ChannelBalance(BOX, received=3, waiting=5, handled=0, ignored=0, parked=0)
    changes = taken_back(cursor, [(BOX, "7:9", b"nine")], line, NOW)
    [tallied] = changes.replacements.values()
    assert isinstance(tallied, Cursor)
    assert tallied.received == 4


def test_it_is_done_every_day_in_the_quiet_hour_of_the_desk_each_mailbox_in_its_minute() -> None:
    zone = ZoneInfo(PARIS)
    at = datetime(2026, 3, 27, 12, 0, tzinfo=zone)
    days = []
    for _ in range(5):  # over the change of clocks
        at = next_recount_at(BOX, at, PARIS)
        assert at.tzinfo is UTC
        days.append(at.astimezone(zone))
    assert [day.day for day in days] == [28, 29, 30, 31, 1]
    assert {day.hour for day in days} == {3}
    assert len({next_recount_at(ChannelId(f"mail:{n}"), at, PARIS) for n in range(100)}) > 30
    # done a little late, the next one is tomorrow's all the same
    assert next_recount_at(BOX, at + timedelta(hours=5), PARIS) - at == timedelta(days=1)


def test_the_last_comparison_is_remembered() -> None:
    [first] = recounted(None, BOX, NOW).inserts.values()
    assert first == Recount(id=BOX, counted_at=NOW)
    stored = Recount(id=BOX, counted_at=NOW, version=1)
    [again] = recounted(stored, BOX, NOW + timedelta(days=1)).replacements.values()
    assert again == msgspec.structs.replace(stored, counted_at=NOW + timedelta(days=1))
