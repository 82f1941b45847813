import pytest

from inbox import receipts
from inbox.errors import Duplicate
from inbox.model import Receipt, ReceiptState
from inbox.parts import AccountId, ConversationId
from inbox.store.base import Changes
from inbox.store.documents import RECEIPT_BY_SOURCE, RECEIPTS_BY_STATE, RECEIPTS_WAITING
from inbox.store.sqlite import SqliteStore
from tests.builders import MAIL, NOW, a_receipt, at, put


def test_a_receipt_waits_where_it_arrived_until_it_ends() -> None:
    receipt = receipts.arrived(MAIL, "INBOX", "1:7", 42, NOW)
    assert (receipt.state, receipt.waiting_in, receipt.source_key) == (ReceiptState.WAITING, MAIL, "1:7")
    assert (receipt.size, receipt.arrived_at, receipt.ended_at) == (42, NOW, None)


def test_each_end_says_what_it_must() -> None:
    receipt = a_receipt()
    done = receipts.handled(receipt, at(1), AccountId("roux"), ConversationId("c"))
    assert (done.state, done.account_id, done.conversation_id) == (ReceiptState.HANDLED, "roux", "c")
    left = receipts.ignored(receipt, "received before", at(1))
    assert (left.state, left.reason) == (ReceiptState.IGNORED, "received before")
    kept = receipts.parked(receipt, "unreadable", at(1))
    assert (kept.state, kept.error) == (ReceiptState.PARKED, "unreadable")
    for ended in (done, left, kept):
        assert (ended.waiting_in, ended.ended_at) == (None, at(1))


def test_what_several_workers_died_with_is_set_aside() -> None:
    receipt = a_receipt()
    for deaths in range(1, receipts.MOST_DEATHS):
        receipt = receipts.survived(receipt, at(deaths))
        assert (receipt.state, receipt.deaths) == (ReceiptState.WAITING, deaths)
    parked = receipts.survived(receipt, at(9))
    assert (parked.state, parked.deaths, parked.waiting_in) == (ReceiptState.PARKED, receipts.MOST_DEATHS, None)
    assert parked.error == f"{receipts.MOST_DEATHS} workers died while it was first in line"


async def test_what_the_source_delivers_twice_is_refused_the_second_time(store: SqliteStore) -> None:
    await put(store, receipts.arrived(MAIL, "INBOX", "1:7", 42, NOW))
    with pytest.raises(Duplicate) as refused:
        await put(store, receipts.arrived(MAIL, "INBOX", "1:7", 42, at(1)))
    assert (refused.value.kind, refused.value.index) == ("receipt", RECEIPT_BY_SOURCE.name)


async def test_those_that_wait_are_found_in_the_order_they_arrived_and_no_others(store: SqliteStore) -> None:
    arrived = [a_receipt() for _ in range(5)]
    await put(store, *reversed(arrived))
    first = await store.get(Receipt, arrived[0].id)
    await store.commit(Changes(replacements=[receipts.handled(first, at(1), None, None)]))
    assert [r.id for r in await store.list(RECEIPTS_WAITING, MAIL)] == [r.id for r in arrived[1:]]
    counts = {s: await store.count(RECEIPTS_BY_STATE, MAIL, s.value) for s in ReceiptState}
    assert counts == {"waiting": 4, "handled": 1, "ignored": 0, "parked": 0}
