from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from inbox import receipts
from inbox.errors import Conflict, InvalidTransition
from inbox.ledger import balance, list_channels, list_parked, list_receipts, replay
from inbox.model import UNSORTED, ChannelId, Cursor, Event, Receipt, ReceiptState
from inbox.store.base import Blob, Changes
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
    arrived = [receipts.arrived(channel, channel, f"{channel}-{first + n}", 3, NOW) for n in range(count)]
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
