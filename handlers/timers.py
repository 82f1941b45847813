"""What happens by itself when nobody presses anything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from handlers.desk import Desk, patiently
from handlers.queue import deal_waiting
from handlers.set_aside import moment_come
from inbox.errors import Conflict
from inbox.instructions import cards_of, turned
from inbox.machinery import Lease
from inbox.model import Conversation, Instruction, Presence
from inbox.snoozing import woken
from inbox.store.base import Changes, D, Index
from inbox.store.documents import CONVERSATIONS_SNOOZED, DRAFTS_SCHEDULED, INSTRUCTIONS_TURNING

PAGE = 100

BREATH = 0.02
"""Seconds between two dealings: every arrival changes a conversation, a hundred of them are one look."""


async def keep_waking(desk: Desk, lease: Lease | None = None) -> None:
    """Bring what was put off back when its moment has come; sleeps exactly until the next one.

    Args:
        lease: under which this worker does it, where others might.
    """
    await keep(desk, CONVERSATIONS_SNOOZED, lambda: wake_due(desk, lease))


async def wake_due(desk: Desk, lease: Lease | None = None) -> float | None:
    """Wake whatever is due; the seconds until the next, None where nothing is put off."""
    return await do_due(desk, CONVERSATIONS_SNOOZED, partial(woken, desk.store), lease)


async def keep_sending(desk: Desk, lease: Lease | None = None) -> None:
    """Let replies that wait for their moment leave; sleeps exactly until the next one.

    Args:
        lease: under which this worker does it, where others might.
    """
    await keep(desk, DRAFTS_SCHEDULED, lambda: send_due(desk, lease))


async def send_due(desk: Desk, lease: Lease | None = None) -> float | None:
    """Let whatever is due leave; the seconds until the next, None where nothing waits."""
    return await do_due(desk, DRAFTS_SCHEDULED, partial(moment_come, desk), lease)


async def keep_instructed(desk: Desk, lease: Lease | None = None) -> None:
    """Bring cards up to date when an instruction is announced, begins or is over; sleeps exactly until the next one.

    Args:
        lease: under which this worker does it, where others might.
    """
    await keep(desk, INSTRUCTIONS_TURNING, lambda: turn_due(desk, lease))


async def turn_due(desk: Desk, lease: Lease | None = None) -> float | None:
    """Turn whatever is due; the seconds until the next, None where none will."""
    return await do_due(desk, INSTRUCTIONS_TURNING, partial(_turned, desk), lease)


async def _turned(desk: Desk, before: Instruction, now: datetime) -> Changes:
    return Changes(replacements=[turned(before, now)]) + await cards_of(desk.store, before.account_id, now)


async def keep(desk: Desk, index: Index[D], do_due: Callable[[], Awaitable[float | None]]) -> None:
    """Do whatever falls due by an index of moments, and sleep until the next of them or a new one."""
    watch = desk.store.watch(index.kind, field=index.fields[0])
    try:
        while True:
            await watch.wait(await patiently(do_due))
    finally:
        watch.close()


async def do_due(
    desk: Desk, index: Index[D], decide: Callable[[D, datetime], Awaitable[Changes]], lease: Lease | None
) -> float | None:
    """Commit what becomes of each document whose moment has come; the seconds until the next one's.

    Args:
        decide: what changes then; the document is not found by the index any more.
    """
    while True:
        now = desk.clock()
        due = await desk.store.list(index, until=now, limit=PAGE)
        for document in due:
            try:
                changes = await decide(document, now)
                await desk.store.commit(changes + Changes(expectations=[lease] if lease is not None else []))
            except Conflict:  # somebody wrote, took it back, lifted it or left at this very moment: look again
                return BREATH
        if len(due) < PAGE:
            break
    following = await desk.store.list(index, since=now, limit=1)
    if not following:
        return None
    moment: datetime = getattr(following[0], index.fields[0])
    return max((moment - desk.clock()).total_seconds(), BREATH)


async def keep_dealing(desk: Desk, lease: Lease | None = None) -> None:
    """Deal what waits whenever somebody comes, has room again, or a request goes back to the queue.

    Args:
        lease: under which this worker deals, where others might.
    """
    watch = desk.store.watch(Conversation, Presence)
    try:
        while True:
            await patiently(lambda: deal_waiting(desk, lease))
            await watch.wait()
            await asyncio.sleep(BREATH)
    finally:
        watch.close()
