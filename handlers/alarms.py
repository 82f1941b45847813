"""Calling those on call: the next one when it is due, and nobody any more once somebody has seen it."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from handlers.desk import Desk
from handlers.timers import do_due, keep
from inbox.alarms import next_call
from inbox.model import Alarm, Lease
from inbox.store.base import Changes
from inbox.store.documents import ALARMS_DUE


async def keep_calling(desk: Desk, lease: Lease | None = None) -> None:
    """Call those on call for what is urgent and nobody has seen; sleeps exactly until the next call.

    Args:
        lease: under which this worker does it, where others might.
    """
    await keep(desk, ALARMS_DUE, lambda: call_due(desk, lease))


async def call_due(desk: Desk, lease: Lease | None = None) -> float | None:
    """Make whatever call is due; the seconds until the next, None where nobody is to be called."""
    return await do_due(desk, ALARMS_DUE, partial(_called, desk), lease)


async def _called(desk: Desk, alarm: Alarm, now: datetime) -> Changes:
    return await next_call(desk.store, alarm, now)
