"""Calling those on call: the next one when it is due, and nobody any more once somebody has seen it."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from handlers.desk import Desk
from handlers.timers import do_due, keep
from inbox.alarms import days_begun, next_call
from inbox.machinery import Lease
from inbox.model import Alarm, OnCall
from inbox.store.base import Changes
from inbox.store.documents import ALARMS_DUE, ON_CALL_TURNING


async def keep_calling(desk: Desk, lease: Lease | None = None) -> None:
    """Call those on call for what is urgent and nobody has seen; sleeps exactly until the next call.

    Args:
        lease: under which this worker does it, where others might.
    """
    await keep(desk, ALARMS_DUE, lambda: call_due(desk, lease))


async def call_due(desk: Desk, lease: Lease | None = None) -> float | None:
    """Make whatever call is due; the seconds until the next, None where nobody is to be called."""
    return await do_due(desk, ALARMS_DUE, partial(_called, desk), lease)


async def keep_beginning(desk: Desk, lease: Lease | None = None) -> None:
    """Call whoever's days on call begin for what is urgent already; sleeps exactly until the next begin.

    Args:
        lease: under which this worker does it, where others might.
    """
    await keep(desk, ON_CALL_TURNING, lambda: begin_due(desk, lease))


async def begin_due(desk: Desk, lease: Lease | None = None) -> float | None:
    """Call for whatever days begin; the seconds until the next begin, None where none will."""
    return await do_due(desk, ON_CALL_TURNING, partial(_begun, desk), lease)


async def _begun(desk: Desk, on_call: OnCall, now: datetime) -> Changes:
    return await days_begun(desk.store, on_call, now)


async def _called(desk: Desk, alarm: Alarm, now: datetime) -> Changes:
    return await next_call(desk.store, alarm, now)
