"""Every channel compared with what its source holds: what was never received is received now, and the owners know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from channels.base import Arrival, Channel
from channels.errors import ChannelError
from handlers.desk import Desk
from inbox.errors import Conflict, StoreUnavailable
from inbox.ledger import balance
from inbox.machinery import Lease, Recount
from inbox.model import Cursor
from inbox.parts import Because, ChannelId
from inbox.reconciling import list_gaps, next_recount_at, recounted, taken_back
from inbox.store.base import Changes, Store
from inbox.store.documents import RECEIPT_BY_SOURCE
from inbox.watchkeeping import Patience, list_owners, list_up, told

log = structlog.get_logger(__name__)

MOST_DECISIONS = 50
LONGEST_SLEEP = 600.0
"""Seconds after which the clock is asked again: it may have been set."""
AFTER_FAILURE = 3600.0
"""Seconds until a source is asked again that could not be asked."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a comparison found and did."""

    channel: ChannelId
    on_server: int | None = None
    """None: there is no list to compare with."""
    gaps: int = 0
    """How many of those were not in the ledger."""
    taken_in: int = 0
    """How many of those are now."""

    @property
    def known(self) -> int:
        """How many were in the ledger."""
        return (self.on_server or 0) - self.gaps


async def reconcile(
    store: Store,
    channel: Channel,
    *,
    desk_bots: Collection[ChannelId],
    clock: Callable[[], datetime],
    patience: Patience | None = None,
) -> Reconciled:
    """Compare one channel's receipts with its source's own list, and take in what is missing.

    Works beside whoever receives the channel, and may be repeated: what is
    known by then is not taken in again. The owners are told in the commit of
    the first mail taken in, so that killed at any moment, what was not taken
    in is found the next time, and what was is known to them.

    Raises:
        ChannelError: the source cannot be asked now. What was taken in until then is kept.
    """
    cursor = await store.find(Cursor, channel.id)
    if cursor is None:  # nothing was ever received: there is nothing to compare
        return Reconciled(channel.id, on_server=None)
    keys = await channel.list_keys(cursor.position)
    if keys is None:
        return Reconciled(channel.id, on_server=None)
    gaps = await list_gaps(store, channel.id, keys)
    alert = _Alert(store, channel.id, len(gaps), desk_bots, patience or Patience(), clock)
    taken_in = 0

    async def take(arrivals: Sequence[Arrival]) -> None:
        nonlocal taken_in
        taken_in += await _take_back(store, channel.id, arrivals, alert, clock)

    if gaps:
        await channel.fetch(gaps, take)
    await _note(store, channel.id, alert, clock)
    return Reconciled(channel.id, on_server=len(keys), gaps=len(gaps), taken_in=taken_in)


class _Alert:
    """What the owners are told about a comparison: once, with the first commit it causes."""

    def __init__(
        self,
        store: Store,
        channel: ChannelId,
        count: int,
        desk_bots: Collection[ChannelId],
        patience: Patience,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._because = Because(key="notice.gap", args={"channel": channel, "count": str(count)})
        self._desk_bots = desk_bots
        self._patience = patience
        self._clock = clock
        self.needed = count > 0

    async def changes(self) -> Changes:
        if not self.needed:
            return Changes()
        now = self._clock()
        up = await list_up(self._store, self._desk_bots, self._patience.down, now)
        owners = await list_owners(self._store)
        return Changes(inserts=told([(owner, self._because) for owner in owners], up, now))


async def _take_back(
    store: Store, channel: ChannelId, arrivals: Sequence[Arrival], alert: _Alert, clock: Callable[[], datetime]
) -> int:
    for _ in range(MOST_DECISIONS):
        # The tally before the ledger: what arrives in between makes the cursor's version a stale one.
        cursor = await store.get(Cursor, channel)
        [line] = await balance(store, [channel])
        unknown = [
            (arrival.lane, arrival.source_key, arrival.raw)
            for arrival in arrivals
            if await store.find_by(RECEIPT_BY_SOURCE, channel, arrival.source_key) is None
        ]
        if not unknown:
            alert.needed = False  # whoever took them in meanwhile told the owners
            return 0
        try:
            await store.commit(taken_back(cursor, unknown, line, clock()) + await alert.changes())
        except Conflict:
            continue
        alert.needed = False
        return len(unknown)
    raise StoreUnavailable(f"{channel}: the cursor changed {MOST_DECISIONS} times under us")


async def _note(store: Store, channel: ChannelId, alert: _Alert, clock: Callable[[], datetime]) -> None:
    """Record the comparison; what was missing and is gone at its source by now is told here."""
    for _ in range(MOST_DECISIONS):
        before = await store.find(Recount, channel)
        try:
            await store.commit(recounted(before, channel, clock()) + await alert.changes())
        except Conflict:
            continue
        return


async def keep_reconciling(desk: Desk, patience: Patience, _: Lease | None = None) -> None:
    """Compare every channel with its source every day in the quiet hour, until cancelled.

    One worker does this for all, beside whoever receives; were it two, each
    mail would still be taken in once. A desk that was off in that hour does
    it when it comes back.
    """
    async with asyncio.TaskGroup() as group:
        for channel_id in desk.channels:
            group.create_task(_reconcile_daily(desk, channel_id, patience))


async def _reconcile_daily(desk: Desk, channel_id: ChannelId, patience: Patience) -> None:
    """The same for one channel; ends when its source keeps no list."""
    began = desk.clock()
    while True:
        pause: float | None = AFTER_FAILURE
        try:
            pause = await _reconcile_when_due(desk, channel_id, began, patience)
        except (ChannelError, StoreUnavailable) as failure:
            log.warning("not_reconciled", channel=channel_id, error=str(failure))
        except Exception:
            # Whatever nobody foresaw in an answer of a server, receiving and answering go on beside it.
            log.exception("not_reconciled", channel=channel_id)
        if pause is None:
            return
        await asyncio.sleep(pause)


async def _reconcile_when_due(desk: Desk, channel_id: ChannelId, began: datetime, patience: Patience) -> float | None:
    """Compare one channel if it is due; the seconds until that is to be asked again. None: its source keeps no list."""
    last = await desk.store.find(Recount, channel_id)
    due_at = next_recount_at(channel_id, last.counted_at if last else began, desk.time_zone)
    wait = (due_at - desk.clock()).total_seconds()
    if wait > 0:
        return min(wait, LONGEST_SLEEP)
    if await desk.store.find(Cursor, channel_id) is None:
        return AFTER_FAILURE  # it was never received yet
    found = await reconcile(
        desk.store, desk.channels[channel_id], desk_bots=desk.desk_bots, clock=desk.clock, patience=patience
    )
    if found.on_server is None:
        return None
    desk.meter.arrivals(channel_id, found.taken_in)
    say = log.error if found.gaps else log.info
    say("reconciled", channel=channel_id, on_server=found.on_server, gaps=found.gaps, taken_in=found.taken_in)
    return 0.0
