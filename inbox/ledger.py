"""The ledger: everything a channel ever received is waiting, handled, ignored or parked, at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from inbox.errors import InvalidTransition
from inbox.model import UNSORTED, ChannelId, Cursor, Event, Receipt, ReceiptState, new_id
from inbox.receipts import MOST_DEATHS
from inbox.store.base import Changes, Store
from inbox.store.documents import CURSORS, RECEIPTS_BY_STATE

MOST_CHANNELS = 10_000
_LOOKS = 10


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
    """The ledger of these channels. Beside a running worker, unbalanced means it was so every time of several."""
    return [await _balance_of(store, channel) for channel in channels]


async def _balance_of(store: Store, channel: ChannelId) -> ChannelBalance:
    # Five reads are five moments: what arrives or ends in between is in two of them, or in none. A
    # receipt that is lost is missing every time.
    line = await _look(store, channel)
    for look in range(_LOOKS):
        if line.balanced:
            break
        await asyncio.sleep(0.01 * look)
        line = await _look(store, channel)
    return line


async def _look(store: Store, channel: ChannelId) -> ChannelBalance:
    cursor = await store.find(Cursor, channel)
    counts = {state.value: await store.count(RECEIPTS_BY_STATE, channel, state.value) for state in ReceiptState}
    return ChannelBalance(channel, cursor.received if cursor else 0, **counts)


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
        InvalidTransition: it waits already, or was handled.
    """
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
