"""Who does what, when several workers share a store: who is alive, what each holds, and what becomes of the dead.

Nobody asks the time of another machine. A worker replaces its document at
every beat; whoever looks twice and sees no beat in between notes that in it,
and who would note it once too often buries it.
What the dead held is free. A worker that only slept finds, when it wakes,
that its leases and claims are at other versions or gone: every commit made
under them is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from inbox.machinery import Claim, Worker
from inbox.model import Receipt
from inbox.receipts import survived
from inbox.store.base import Changes, Store
from inbox.store.documents import CLAIMS_OF_WORKER, LEASES_OF_WORKER, RECEIPTS_WAITING

BEAT = timedelta(seconds=2)
"""Between two beats of a worker, and between two looks at the others."""
SILENT_LOOKS = 3
"""Looks in a row that saw no beat: then a worker is dead. Counted, not timed: an observer that slept saw nothing.
Noted where all see it: an observer that dies leaves what it saw to the next."""
SURE_BEATS = 2
"""So many beats after its last one, a worker can still be sure that nobody has taken it for dead."""
MOST_HELD = 10_000
MOST_WAITING = 5_000


def joined(worker_id: str, host: str, now: datetime) -> Worker:
    """A worker that begins."""
    return Worker(id=worker_id, host=host, started_at=now, beat_at=now)


def beating(worker: Worker, now: datetime) -> Worker:
    """The same worker, still alive."""
    return msgspec.structs.replace(worker, beat_at=now, silence=0)


def silent(worker: Worker) -> Worker:
    """The same worker, once more without a beat."""
    return msgspec.structs.replace(worker, silence=worker.silence + 1)


def is_dead(worker: Worker) -> bool:
    """Whether it was silent too often."""
    return worker.silence >= SILENT_LOOKS


def is_lively(worker: Worker) -> bool:
    """Whether it may be expected to do something."""
    return worker.silence <= 1


class Roll:
    """The workers as one of them saw them last."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def look(self, workers: Iterable[Worker]) -> list[Worker]:
        """Those of these workers nothing was heard of, by anybody, since the look before."""
        there = list(workers)
        before, self._seen = self._seen, {worker.id: worker.version for worker in there}
        return [worker for worker in there if before.get(worker.id) == worker.version]

    def noted(self, worker: Worker) -> None:
        """Our own note in its document is no sign of life."""
        self._seen[worker.id] = worker.version + 1


def share(duties: int, workers: int) -> int:
    """How many of the duties each worker takes at once, so that all are taken."""
    return -(-duties // max(workers, 1))


def to_hand_on(duties: int, loads: Mapping[str, int], worker: str) -> int:
    """How many of its duties a worker hands on, so that in the end nobody has two more than another.

    Args:
        loads: how many each of those has that can be expected to take something, those with none included.
    """
    mine = loads[worker]
    least = duties // len(loads)
    for_the_least = 1 if mine > least > min(loads.values()) else 0
    return max(mine - share(duties, len(loads)), for_the_least)


def lane_claim(channel_id: str, lane: str) -> str:
    """The id of the claim on a lane of a channel's receipts."""
    return f"in {channel_id} {lane}"


def post_claim(lane: str) -> str:
    """The id of the claim on a lane of deliveries."""
    return f"out {lane}"


async def let_go(store: Store, worker: Worker) -> Changes:
    """A worker's end, in order: it is gone, and so is all it held."""
    held = await store.list(LEASES_OF_WORKER, worker.id, limit=MOST_HELD)
    return Changes(deletions=[worker, *held, *await _claims(store, worker)])


async def buried(store: Store, worker: Worker, channels: Iterable[str], now: datetime) -> Changes:
    """A dead worker's end: as `let_go`, and a death counted for whatever was first in the lanes it worked through."""
    claimed = {claim.id for claim in await _claims(store, worker)}
    first: dict[str, Receipt] = {}
    for channel_id in channels:
        for receipt in await store.list(RECEIPTS_WAITING, channel_id, limit=MOST_WAITING):
            first.setdefault(lane_claim(channel_id, receipt.lane), receipt)
    marked = [survived(receipt, now) for name, receipt in first.items() if name in claimed]
    return await let_go(store, worker) + Changes(replacements=marked)


async def _claims(store: Store, worker: Worker) -> list[Claim]:
    return await store.list(CLAIMS_OF_WORKER, worker.id, limit=MOST_HELD)
