"""The ledger compared with the source's own list: what the source has, was to be received, and is not in the ledger."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from inbox import receipts
from inbox.ledger import ChannelBalance
from inbox.machinery import Recount
from inbox.model import Cursor, Receipt
from inbox.parts import ChannelId
from inbox.store.base import Blob, Changes, Store
from inbox.store.documents import RECEIPT_BY_SOURCE

QUIET_HOUR = 3
"""On the desk's clocks: nobody writes and nobody waits."""
PAGE = 500


async def list_gaps(store: Store, channel: ChannelId, keys: Sequence[str]) -> list[str]:
    """Those of the source's keys that no receipt has, whatever became of it. Reads the ledger a page at a time."""
    left = sorted(set(keys))
    gaps: list[str] = []
    last: Receipt | None = None
    at = 0
    while at < len(left):
        page = await store.list(RECEIPT_BY_SOURCE, channel, since=left[at], until=left[-1], after=last, limit=PAGE)
        known = {receipt.source_key for receipt in page}
        until = page[-1].source_key if len(page) == PAGE else None
        while at < len(left) and (until is None or left[at] <= until):
            if left[at] not in known:
                gaps.append(left[at])
            at += 1
        last = page[-1] if page else None
    return gaps


def taken_back(
    cursor: Cursor, arrivals: Sequence[tuple[str, str, bytes]], line: ChannelBalance, now: datetime
) -> Changes:
    """The receipts of what was missing, and the tally that counts them; the position stays where it is.

    A receipt that was committed once and vanished from the store is in the
    tally already, which is how `line` says that it is missing: one in its
    place is not counted a second time.

    Args:
        arrivals: lane, source key and raw form of each.
    """
    vanished = max(0, line.missing)
    made = [
        (receipts.arrived(cursor.id, lane, key, len(raw), now, sequence=cursor.received + max(0, nth - vanished)), raw)
        for nth, (lane, key, raw) in enumerate(arrivals, start=1)
    ]
    tallied = msgspec.structs.replace(cursor, received=cursor.received + max(0, len(made) - vanished))
    return Changes(
        inserts=[receipt for receipt, _ in made],
        blobs=[Blob(receipt.blob_id, raw) for receipt, raw in made],
        replacements=[tallied],
    )


def recounted(before: Recount | None, channel: ChannelId, now: datetime) -> Changes:
    """That the channel was compared with its source."""
    if before is None:
        return Changes(inserts=[Recount(id=channel, counted_at=now)])
    return Changes(replacements=[msgspec.structs.replace(before, counted_at=now)])


def next_recount_at(channel: ChannelId, last: datetime, time_zone: str) -> datetime:
    """When to compare next: in the first quiet hour after the last time, each channel in a minute of its own."""
    zone = ZoneInfo(time_zone)
    minute = zlib.crc32(channel.encode()) % 60
    day = last.astimezone(zone).date()
    at = datetime.combine(day, time(QUIET_HOUR, minute), zone)
    if at <= last:
        at = datetime.combine(day + timedelta(days=1), time(QUIET_HOUR, minute), zone)
    return at.astimezone(UTC)
