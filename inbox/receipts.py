"""A receipt's way to exactly one end: handled, ignored with a reason, or parked with an error."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from inbox.model import Receipt, ReceiptState
from inbox.parts import AccountId, BlobId, ChannelId, ConversationId, ReceiptId, new_id

MOST_DEATHS = 5
"""A receipt that was first in line when that many workers died is parked: it may be what kills them."""

KEY_LIFETIME = timedelta(hours=48)
"""Telegram starts its update ids anew after a week of silence: an older receipt gives its key up."""


def arrived(
    channel_id: ChannelId, lane: str, source_key: str, size: int, now: datetime, *, sequence: int = 0
) -> Receipt:
    """A receipt that waits; its raw form is the blob it names."""
    return Receipt(
        id=ReceiptId(new_id()),
        channel_id=channel_id,
        lane=lane,
        source_key=source_key,
        blob_id=BlobId(new_id()),
        size=size,
        sequence=sequence,
        arrived_at=now,
        waiting_in=channel_id,
    )


def handled(
    receipt: Receipt, now: datetime, account_id: AccountId | None, conversation_id: ConversationId | None
) -> Receipt:
    """The receipt once its effect is committed."""
    return msgspec.structs.replace(
        receipt,
        state=ReceiptState.HANDLED,
        waiting_in=None,
        ended_at=now,
        account_id=account_id,
        conversation_id=conversation_id,
    )


def ignored(
    receipt: Receipt,
    reason: str,
    now: datetime,
    account_id: AccountId | None = None,
    conversation_id: ConversationId | None = None,
) -> Receipt:
    """The receipt, when there is nothing to do about it; `reason` says why."""
    return msgspec.structs.replace(
        receipt,
        state=ReceiptState.IGNORED,
        waiting_in=None,
        ended_at=now,
        reason=reason,
        account_id=account_id,
        conversation_id=conversation_id,
    )


def parked(receipt: Receipt, error: str, now: datetime) -> Receipt:
    """The receipt set aside for a person; it can be replayed."""
    return msgspec.structs.replace(receipt, state=ReceiptState.PARKED, waiting_in=None, ended_at=now, error=error)


def spared(receipt: Receipt) -> Receipt:
    """The receipt when its worker stopped in order: nobody died of it."""
    return msgspec.structs.replace(receipt, deaths=0)


def survived(receipt: Receipt, now: datetime) -> Receipt:
    """The receipt after a worker died with it first in line: one death more, or parked after too many."""
    deaths = receipt.deaths + 1
    if deaths >= MOST_DEATHS:
        return msgspec.structs.replace(
            parked(receipt, f"{deaths} workers died while it was first in line", now), deaths=deaths
        )
    return msgspec.structs.replace(receipt, deaths=deaths)
