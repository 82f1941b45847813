"""Who is alive among several workers, and what becomes of what the dead held."""

from __future__ import annotations

import msgspec
import pytest

from inbox.leases import (
    SILENT_LOOKS,
    SURE_BEATS,
    Roll,
    beating,
    buried,
    is_dead,
    is_lively,
    joined,
    lane_claim,
    let_go,
    post_claim,
    share,
    silent,
    to_hand_on,
)
from inbox.machinery import Claim, Lease, Worker
from inbox.model import Receipt, ReceiptState
from inbox.receipts import MOST_DEATHS
from inbox.store.sqlite import SqliteStore
from tests.builders import DESK, MAIL, NOW, a_receipt, at, put

replace = msgspec.structs.replace


def a_worker(name: str, version: int = 1) -> Worker:
    return replace(joined(name, "host", NOW), version=version)


def stored(worker: Worker) -> Worker:
    return replace(worker, version=worker.version + 1)


def test_a_worker_is_dead_once_it_was_looked_at_several_times_and_never_beat() -> None:
    roll, worker = Roll(), a_worker("one")
    assert roll.look([worker]) == []
    for silence in range(1, SILENT_LOOKS + 1):
        assert not is_dead(worker)
        assert roll.look([worker]) == [worker]
        roll.noted(worker)
        worker = stored(silent(worker))
        assert worker.silence == silence
    assert is_dead(worker)


def test_what_an_observer_noted_before_it_died_counts_for_the_next() -> None:
    worker = a_worker("one")
    for _ in range(SILENT_LOOKS):
        observer = Roll()
        observer.look([worker])
        [quiet] = observer.look([worker])
        worker = stored(silent(quiet))
    assert is_dead(worker)


def test_two_observers_side_by_side_do_not_count_twice() -> None:
    one, two, worker = Roll(), Roll(), a_worker("one")
    for roll in (one, two):
        roll.look([worker])
    assert one.look([worker]) == [worker]
    one.noted(worker)
    worker = stored(silent(worker))
    assert two.look([worker]) == []


def test_a_worker_that_beats_is_alive_whatever_its_clock_says() -> None:
    roll, worker = Roll(), a_worker("one")
    for beat in range(50):
        assert roll.look([worker]) == []
        worker = stored(beating(replace(worker, silence=SILENT_LOOKS - 1), at(-beat)))
        assert worker.silence == 0


def test_nothing_is_expected_of_a_worker_that_missed_two_beats() -> None:
    assert [is_lively(replace(a_worker("one"), silence=n)) for n in range(3)] == [True, True, False]


def test_a_worker_knows_that_it_may_be_dead_before_anybody_can_bury_it() -> None:
    # Whoever saw its last beat looks a beat later for the first time in vain.
    assert SURE_BEATS < SILENT_LOOKS


@pytest.mark.parametrize(
    ("duties", "workers", "most"), [(7, 3, 3), (6, 3, 2), (1, 3, 1), (0, 3, 0), (5, 1, 5), (5, 0, 5)]
)
def test_duties_are_shared_out_to_the_last(duties: int, workers: int, most: int) -> None:
    assert share(duties, workers) == most
    assert most * max(workers, 1) >= duties


@pytest.mark.parametrize(
    ("duties", "loads", "handed_on"),
    [
        (7, {"me": 7}, 0),
        (7, {"me": 7, "b": 0}, 3),
        (7, {"me": 3, "b": 3, "c": 1}, 1),
        (7, {"me": 3, "b": 2, "c": 2}, 0),
        (7, {"me": 2, "b": 3, "c": 2}, 0),
        (2, {"me": 1, "b": 1, "c": 0}, 0),
        (0, {"me": 0, "b": 0}, 0),
    ],
)
def test_who_has_too_much_hands_on_and_nobody_does_so_for_ever(
    duties: int, loads: dict[str, int], handed_on: int
) -> None:
    assert to_hand_on(duties, loads, "me") == handed_on


async def test_a_worker_that_leaves_takes_along_what_it_held_and_nothing_else(store: SqliteStore) -> None:
    one, two = joined("one", "host", NOW), joined("two", "host", NOW)
    mine = [Lease(id="deal", worker_id="one", taken_at=NOW), Claim(id="in x", worker_id="one", taken_at=NOW)]
    theirs = [Lease(id="receive", worker_id="two", taken_at=NOW), Claim(id="in y", worker_id="two", taken_at=NOW)]
    await put(store, one, two, *mine, *theirs)
    await store.commit(await let_go(store, await store.get(Worker, "one")))
    assert [worker.id for worker in await store.scan(Worker)] == ["two"]
    assert [lease.id for lease in await store.scan(Lease)] == ["receive"]
    assert [claim.id for claim in await store.scan(Claim)] == ["in y"]


async def test_a_death_is_counted_for_what_was_first_in_the_lanes_of_the_dead_and_for_nothing_else(
    store: SqliteStore,
) -> None:
    first = replace(a_receipt(MAIL), sequence=1)
    second = replace(a_receipt(MAIL), sequence=2)
    others = replace(a_receipt(DESK, lane="chat:5"), sequence=1)
    unclaimed = replace(a_receipt(DESK, lane="chat:6"), sequence=2)
    await put(
        store,
        *(second, first, others, unclaimed),
        joined("one", "host", NOW),
        Claim(id=lane_claim(MAIL, "INBOX"), worker_id="one", taken_at=NOW),
        Claim(id=post_claim("telegram:desk:7"), worker_id="one", taken_at=NOW),
        Claim(id=lane_claim(DESK, "chat:5"), worker_id="two", taken_at=NOW),
    )
    await store.commit(await buried(store, await store.get(Worker, "one"), [MAIL, DESK], at(1)))
    deaths = {receipt.id: receipt.deaths for receipt in await store.scan(Receipt)}
    assert deaths == {first.id: 1, second.id: 0, others.id: 0, unclaimed.id: 0}
    assert [claim.worker_id for claim in await store.scan(Claim)] == ["two"]


async def test_what_many_workers_died_of_is_parked(store: SqliteStore) -> None:
    receipt = replace(a_receipt(MAIL), deaths=MOST_DEATHS - 1)
    claim = Claim(id=lane_claim(MAIL, "INBOX"), worker_id="one", taken_at=NOW)
    await put(store, receipt, joined("one", "host", NOW), claim)
    await store.commit(await buried(store, await store.get(Worker, "one"), [MAIL], at(1)))
    parked = await store.get(Receipt, receipt.id)
    assert parked.state is ReceiptState.PARKED
    assert "workers died" in (parked.error or "")
