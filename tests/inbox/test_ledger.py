import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inbox import receipts
from inbox.errors import Conflict, InvalidTransition
from inbox.ledger import COUNT_AGAIN_AFTER, Ledger, balance, list_channels, list_parked, list_receipts, replay
from inbox.model import Cursor, Event, Receipt, ReceiptState
from inbox.parts import UNSORTED, ChannelId
from inbox.store.base import Blob, Changes, Index, Value
from inbox.store.sqlite import SqliteStore

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
MAIL = ChannelId("mail:accueil")
BOT = ChannelId("telegram:desk")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(tmp_path / "desk.db") as opened:
        yield opened


async def receive(store: SqliteStore, channel: ChannelId, count: int) -> list[Receipt]:
    """As a worker does: the receipts, their raw forms and the cursor's tally in one commit."""
    cursor = await store.find(Cursor, channel)
    first = cursor.received if cursor else 0
    arrived = [
        receipts.arrived(channel, channel, f"{channel}-{first + n}", 3, NOW, sequence=first + n + 1)
        for n in range(count)
    ]
    changes = Changes(inserts=arrived, blobs=[Blob(receipt.blob_id, b"raw") for receipt in arrived])
    if cursor is None:
        changes += Changes(inserts=[Cursor(id=channel, position="1", received=count, updated_at=NOW)])
    else:
        moved = msgspec.structs.replace(cursor, received=first + count)
        changes += Changes(replacements=[moved])
    await store.commit(changes)
    return [await store.get(Receipt, receipt.id) for receipt in arrived]


async def test_every_receipt_is_in_exactly_one_column(store: SqliteStore) -> None:
    _, handled, ignored, parked = await receive(store, MAIL, 4)
    await store.commit(
        Changes(
            replacements=[
                receipts.handled(handled, NOW, None, None),
                receipts.ignored(ignored, "ignored.duplicate", NOW),
                receipts.parked(parked, "unreadable", NOW),
            ]
        )
    )
    await receive(store, BOT, 2)
    mail, bot, nothing = await balance(store, [MAIL, BOT, ChannelId("mail:new")])
    assert mail == (MAIL, 4, 1, 1, 1, 1)
    assert bot == (BOT, 2, 2, 0, 0, 0)
    assert nothing == ("mail:new", 0, 0, 0, 0, 0)
    assert [line.balanced for line in (mail, bot, nothing)] == [True, True, True]
    assert await list_channels(store) == [MAIL, BOT]


async def test_a_receipt_that_vanished_is_missed(store: SqliteStore) -> None:
    _, lost = await receive(store, MAIL, 2)
    await store.commit(Changes(deletions=[lost]))
    [line] = await balance(store, [MAIL])
    assert (line.balanced, line.missing) == (False, 1)


async def test_what_is_parked_is_listed_by_channel_oldest_first_and_in_pages(store: SqliteStore) -> None:
    mails, updates = await receive(store, MAIL, 3), await receive(store, BOT, 2)
    await store.commit(Changes(replacements=[receipts.parked(each, "unreadable", NOW) for each in (*updates, *mails)]))
    await receive(store, MAIL, 1)
    everything = [receipt.id for receipt in (*mails, *updates)]
    assert [receipt.id for receipt in await list_parked(store)] == everything
    assert [receipt.id for receipt in await list_parked(store, BOT)] == [receipt.id for receipt in updates]
    pages: list[str] = []
    after = None
    while page := await list_parked(store, after=after, limit=2):
        assert len(page) <= 2
        pages += [receipt.id for receipt in page]
        after = page[-1]
    assert pages == everything


async def test_a_parked_receipt_waits_again_once_replayed_and_the_ledger_stays_balanced(store: SqliteStore) -> None:
    [receipt] = await receive(store, MAIL, 1)
    await store.commit(Changes(replacements=[receipts.parked(receipt, "unreadable", NOW)]))
    [parked] = await list_parked(store)
    changes = replay(parked, LATER)
    await store.commit(changes)
    [again] = await list_receipts(store, ReceiptState.WAITING)
    assert (again.id, again.waiting_in, again.error, again.ended_at) == (receipt.id, MAIL, None, None)
    assert again.blob_id == receipt.blob_id
    [line] = await balance(store, [MAIL])
    assert line == (MAIL, 1, 1, 0, 0, 0)
    [said] = [document for document in changes.inserts.values() if isinstance(document, Event)]
    assert (said.kind, said.account_id, said.at) == ("replayed", UNSORTED, LATER)
    assert said.detail == {"receipt": receipt.id, "was": "parked"}


async def test_two_people_replaying_together_replay_once(store: SqliteStore) -> None:
    [receipt] = await receive(store, MAIL, 1)
    await store.commit(Changes(replacements=[receipts.parked(receipt, "unreadable", NOW)]))
    [parked] = await list_parked(store)
    await store.commit(replay(parked, LATER))
    with pytest.raises(Conflict):
        await store.commit(replay(parked, LATER))


def test_an_ignored_receipt_can_be_replayed_and_a_handled_or_waiting_one_not() -> None:
    receipt = receipts.arrived(MAIL, MAIL, "1:1", 3, NOW)
    ignored = receipts.ignored(receipt, "ignored.duplicate", NOW)
    [again] = replay(ignored, LATER).replacements.values()
    assert isinstance(again, Receipt)
    assert (again.state, again.reason) == (ReceiptState.WAITING, None)
    for other in (receipt, receipts.handled(receipt, NOW, None, None)):
        with pytest.raises(InvalidTransition) as refused:
            replay(other, LATER)
        assert refused.value.args_shown == {"state": other.state.value}


def test_what_killed_the_workers_is_parked_again_at_the_next_death() -> None:
    receipt = receipts.arrived(MAIL, MAIL, "1:1", 3, NOW)
    while receipt.state is ReceiptState.WAITING:
        receipt = receipts.survived(receipt, NOW)
    [again] = replay(receipt, LATER).replacements.values()
    assert isinstance(again, Receipt)
    assert again.state is ReceiptState.WAITING
    assert receipts.survived(again, LATER).state is ReceiptState.PARKED


# ---------------------------------------------------------------- as a running worker keeps it


async def ended(store: SqliteStore, count: int) -> list[Receipt]:
    """Mails half of which were handled and half ignored."""
    old = await receive(store, MAIL, count)
    half = count // 2
    await store.commit(
        Changes(
            replacements=[
                *(receipts.handled(receipt, NOW, None, None) for receipt in old[:half]),
                *(receipts.ignored(receipt, "ignored.duplicate", NOW) for receipt in old[half:]),
            ]
        )
    )
    return [await store.get(Receipt, receipt.id) for receipt in old]


async def test_a_kept_ledger_says_what_a_whole_count_says_after_every_change(store: SqliteStore) -> None:
    ledger = Ledger(store)
    old = await ended(store, 10)

    async def is_said(*line: int) -> None:
        assert await ledger.balance([MAIL], LATER) == [(MAIL, *line)] == await balance(store, [MAIL])

    await is_said(10, 0, 5, 5, 0)
    one, other = await receive(store, MAIL, 2)
    await is_said(12, 2, 5, 5, 0)
    await store.commit(Changes(replacements=[receipts.parked(one, "unreadable", LATER)]))
    await is_said(12, 1, 5, 5, 1)
    await store.commit(Changes(replacements=[receipts.handled(other, LATER, None, None)]))
    await is_said(12, 0, 6, 5, 1)
    # what was ignored long ago waits again, and is handled
    await store.commit(replay(old[-1], LATER))
    await is_said(12, 1, 6, 4, 1)
    waiting = await store.get(Receipt, old[-1].id)
    await store.commit(Changes(replacements=[receipts.handled(waiting, LATER, None, None)]))
    await is_said(12, 0, 7, 4, 1)
    await store.commit(replay(await store.get(Receipt, one.id), LATER))
    await is_said(12, 1, 7, 4, 0)
    await receive(store, MAIL, 1)
    await is_said(13, 2, 7, 4, 0)


async def test_a_kept_ledger_counts_history_once_however_often_it_is_asked(store: SqliteStore) -> None:
    await ended(store, 10)
    await receive(store, MAIL, 1)
    counted = 0
    count = store.count

    async def counting(index: Index[Receipt], *equal: Value, since: Value = None, until: Value = None) -> int:
        nonlocal counted
        found = await count(index, *equal, since=since, until=until)
        counted += found
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "count", counting)
        ledger = Ledger(store)
        for minutes in range(5):
            await ledger.balance([MAIL], NOW + timedelta(minutes=minutes))
    assert counted == 10 + 5  # ten of long ago, and five times the one that waits


async def test_what_vanishes_from_history_is_missed_within_an_hour_and_at_once_by_who_counts_all(
    store: SqliteStore,
) -> None:
    ledger = Ledger(store)
    old = await ended(store, 10)
    [line] = await ledger.balance([MAIL], NOW)
    assert line.balanced
    await store.commit(Changes(deletions=[old[0]]))
    [line] = await balance(store, [MAIL])
    assert line.missing == 1
    [line] = await ledger.balance([MAIL], NOW + COUNT_AGAIN_AFTER)
    assert line.missing == 1


async def test_what_vanishes_from_history_is_missed_at_once_when_the_clock_is_set_back(store: SqliteStore) -> None:
    ledger = Ledger(store)
    old = await ended(store, 10)
    await ledger.balance([MAIL], NOW)
    await store.commit(Changes(deletions=[old[0]]))
    [line] = await ledger.balance([MAIL], NOW - COUNT_AGAIN_AFTER / 2)
    assert line.missing == 1


@pytest.mark.parametrize("end", [receipts.handled, receipts.parked, None])
async def test_what_vanishes_among_the_recent_is_missed_at_once(store: SqliteStore, end: Any) -> None:
    ledger = Ledger(store)
    await ended(store, 10)
    await ledger.balance([MAIL], NOW)
    [new] = await receive(store, MAIL, 1)
    if end is not None:
        ends = end(new, NOW, None, None) if end is receipts.handled else end(new, "unreadable", NOW)
        await store.commit(Changes(replacements=[ends]))
        new = await store.get(Receipt, new.id)
    [line] = await ledger.balance([MAIL], NOW)
    assert line.balanced
    await store.commit(Changes(deletions=[new]))
    [line] = await ledger.balance([MAIL], NOW)
    assert line.missing == 1


async def test_receipts_from_before_they_were_numbered_are_history(store: SqliteStore) -> None:
    old = await ended(store, 10)
    unnumbered = [msgspec.structs.replace(receipt, sequence=0) for receipt in old]
    await store.commit(Changes(replacements=unnumbered))
    ledger = Ledger(store)
    assert await ledger.balance([MAIL], NOW) == [(MAIL, 10, 0, 5, 5, 0)]
    await receive(store, MAIL, 1)
    assert await ledger.balance([MAIL], NOW) == [(MAIL, 11, 1, 5, 5, 0)] == await balance(store, [MAIL])


async def test_no_false_alarm_while_mails_pour_in(store: SqliteStore) -> None:
    ledger = Ledger(store)
    await ended(store, 10)
    pouring = True

    async def pour() -> None:
        while pouring:
            [new] = await receive(store, MAIL, 1)
            await store.commit(Changes(replacements=[receipts.handled(new, NOW, None, None)]))
            await asyncio.sleep(0.003)

    async with asyncio.TaskGroup() as group:
        group.create_task(pour())
        for minutes in range(0, 120, 10):
            [line] = await ledger.balance([MAIL], NOW + timedelta(minutes=minutes))
            assert line.balanced, line
        pouring = False
