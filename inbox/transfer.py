"""A firm that moves from one store to another: what the two say of it, so that no worker runs on the wrong one."""

from __future__ import annotations

import hashlib

from inbox.errors import StoreUnavailable
from inbox.machinery import DeskKey, Transfer
from inbox.matching import THE_KEY
from inbox.store.base import Store

INTO = "in"
OUT = "out"


async def fingerprint(store: Store) -> str | None:
    """What tells a firm's store from any other, wherever it is; None before its first worker ran."""
    key = await store.find(DeskKey, THE_KEY)
    return None if key is None else hashlib.sha256(b"fingerprint\x00" + key.secret).hexdigest()[:32]


async def refuse_half_a_store(store: Store) -> None:
    """Let no worker run on a store that a firm is moving into, or has left.

    Raises:
        StoreUnavailable: it is one.
    """
    into = await store.find(Transfer, INTO)
    if into is not None and into.finished_at is None:
        raise StoreUnavailable(
            f"a firm is being moved here from {into.peer}, and is not all here yet: "
            "end it with the same permanence copy, or go on with the old store"
        )
    out = await store.find(Transfer, OUT)
    if out is not None and out.finished_at is not None:
        raise StoreUnavailable(
            f"this firm was moved to {out.peer} on {out.finished_at:%Y-%m-%d %H:%M} UTC: write that into [store] url. "
            "To go back to what it was then, permanence restore this very file"
        )
