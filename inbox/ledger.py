"""The ledger: everything a channel ever received is waiting, handled, ignored or parked, at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from inbox.errors import InvalidTransition
from inbox.model import Cursor, Event, Receipt, ReceiptState
from inbox.parts import UNSORTED, ChannelId, new_id
from inbox.receipts import MOST_DEATHS
from inbox.store.base import Changes, Store
from inbox.store.documents import CURSORS, RECEIPTS_BY_STATE

MOST_CHANNELS = 10_000
COUNT_AGAIN_AFTER = timedelta(hours=1)
"""So long a running worker goes by the history it counted, while every figure agrees with it."""
_LOOKS = 10
_ENDS = (ReceiptState.HANDLED, ReceiptState.IGNORED)
"""Those of which there are ever more; what waits or is parked is somebody's work, and so is little."""


class ChannelBalance(NamedTuple):
    """One channel's line of the ledger."""

    channel: ChannelId
    received: int
    """The tally kept beside the receipts, counted up as they were committed."""
    waiting: int
    handled: int
    ignored: int
    parked: int

    @property
    def missing(self) -> int:
        """How many were received and are in no state; below 0, how many more are there than were received."""
        return self.received - self.waiting - self.handled - self.ignored - self.parked

    @property
    def balanced(self) -> bool:
        """Whether every receipt is in exactly one state (promise 2)."""
        return self.missing == 0


async def list_channels(store: Store) -> list[ChannelId]:
    """Every channel that ever received, those no longer in the config included, by name."""
    return sorted(cursor.id for cursor in await store.list(CURSORS, limit=MOST_CHANNELS))


async def balance(store: Store, channels: Iterable[ChannelId]) -> list[ChannelBalance]:
    """The ledger of these channels, every receipt counted: for who looks once; a worker keeps a `Ledger`.

    Beside a running worker, unbalanced means it was so every time of several.
    """
    return [(await _count(store, channel))[0] for channel in channels]


class Ledger:
    """The ledger as a running worker keeps it: history is counted now and then, the rest at every look.

    What was handled stays so, and what was ignored nearly always: a look takes
    as long as what is recent, waiting or parked, however much lies behind it.
    Where the figures do not agree, history is counted again before anybody is
    told: a replay or an erasure moves it. A receipt of long ago that vanishes is
    missed after `COUNT_AGAIN_AFTER` at the latest.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._histories: dict[ChannelId, tuple[_History, datetime]] = {}
        """With the moment each was counted."""

    async def balance(self, channels: Iterable[ChannelId], now: datetime) -> list[ChannelBalance]:
        """The ledger of these channels. Unbalanced means it was so every time of several."""
        return [await self._balance_of(channel, now) for channel in channels]

    async def _balance_of(self, channel: ChannelId, now: datetime) -> ChannelBalance:
        history, counted_at = self._histories.get(channel, (None, now))
        if history is not None and timedelta() <= now - counted_at < COUNT_AGAIN_AFTER:
            line = await _look(self._store, channel, history)
            if line.balanced:
                return line
        line, history = await _count(self._store, channel)
        self._histories[channel] = history, now
        return line


class _History(NamedTuple):
    """What has ended of the first receipts of a channel, counted one by one."""

    up_to: int
    """The sequence of the last of them."""
    handled: int
    ignored: int


async def _count(store: Store, channel: ChannelId) -> tuple[ChannelBalance, _History]:
    """Every receipt, history first: nothing moves there while it is counted, however long that takes."""
    history = await _count_history(store, channel)
    # The reads of a look are as many moments: what arrives or ends in between is in two of them, or in
    # none. A receipt that is lost is missing every time.
    line = await _look(store, channel, history)
    for look in range(_LOOKS):
        if line.balanced:
            break
        await asyncio.sleep(0.01 * look)
        line = await _look(store, channel, history)
    return line, history


async def _count_history(store: Store, channel: ChannelId) -> _History:
    newest: list[Receipt] = []
    for state in _ENDS:
        newest += await store.list(RECEIPTS_BY_STATE, channel, state, descending=True, limit=1)
    up_to = max((receipt.sequence for receipt in newest), default=0)
    for oldest in await store.list(RECEIPTS_BY_STATE, channel, ReceiptState.WAITING, limit=1):
        up_to = min(up_to, oldest.sequence - 1)
    return _History(up_to, *[await store.count(RECEIPTS_BY_STATE, channel, state, until=up_to) for state in _ENDS])


async def _look(store: Store, channel: ChannelId, history: _History) -> ChannelBalance:
    cursor = await store.find(Cursor, channel)
    waiting, parked = [
        await store.count(RECEIPTS_BY_STATE, channel, state) for state in (ReceiptState.WAITING, ReceiptState.PARKED)
    ]
    handled, ignored = [
        await store.count(RECEIPTS_BY_STATE, channel, state, since=history.up_to + 1) for state in _ENDS
    ]
    return ChannelBalance(
        channel,
        received=cursor.received if cursor else 0,
        waiting=waiting,
        handled=history.handled + handled,
        ignored=history.ignored + ignored,
        parked=parked,
    )


async def list_receipts(
    store: Store,
    state: ReceiptState,
    *,
    channel: ChannelId | None = None,
    after: Receipt | None = None,
    limit: int = 100,
) -> list[Receipt]:
    """Receipts in one state, by channel and oldest first; `after` is the last one of the page before.

    It may have changed its state meanwhile: the page begins behind where it was.
    """
    found: list[Receipt] = []
    for name in [channel] if channel is not None else await list_channels(store):
        if after is not None and name < after.channel_id:
            continue
        behind = after if after is not None and after.channel_id == name else None
        found += await store.list(RECEIPTS_BY_STATE, name, state.value, after=behind, limit=limit - len(found))
        if len(found) >= limit:
            break
    return found


async def list_parked(
    store: Store, channel: ChannelId | None = None, after: Receipt | None = None, limit: int = 100
) -> list[Receipt]:
    """What waits for a person, by channel and oldest first."""
    return await list_receipts(store, ReceiptState.PARKED, channel=channel, after=after, limit=limit)


def replay(receipt: Receipt, now: datetime) -> Changes:
    """Have a parked or ignored receipt handled once more, from its raw form.

    Repeating it does no harm: what it caused already is known by its message id.

    Raises:
        InvalidTransition: it waits already, was handled, or its raw form was erased.
    """
    if receipt.erased_at is not None:
        raise InvalidTransition("error.raw_erased")
    if receipt.state not in (ReceiptState.PARKED, ReceiptState.IGNORED):
        raise InvalidTransition(state=receipt.state.value)
    again = msgspec.structs.replace(
        receipt,
        state=ReceiptState.WAITING,
        waiting_in=receipt.channel_id,
        # if it was what killed the workers, the next death is proof enough
        deaths=min(receipt.deaths, MOST_DEATHS - 1),
        reason=None,
        error=None,
        ended_at=None,
    )
    said = Event(
        id=new_id(),
        account_id=receipt.account_id or UNSORTED,
        conversation_id=receipt.conversation_id,
        at=now,
        kind="replayed",
        detail={"receipt": receipt.id, "was": receipt.state.value},
    )
    return Changes(replacements=[again], inserts=[said])
