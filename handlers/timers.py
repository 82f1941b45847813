"""What happens by itself when nobody presses anything."""

from __future__ import annotations

import asyncio

from handlers.desk import Desk, patiently
from handlers.queue import deal_waiting
from handlers.set_aside import send_due
from inbox.errors import Conflict
from inbox.instructions import cards_of, turned
from inbox.model import Conversation, Draft, Instruction, Lease, Presence
from inbox.snoozing import woken
from inbox.store.base import Changes
from inbox.store.documents import CONVERSATIONS_SNOOZED, INSTRUCTIONS_TURNING

PAGE = 100

BREATH = 0.02
"""Seconds between two dealings: every arrival changes a conversation, a hundred of them are one look."""


async def keep_waking(desk: Desk, lease: Lease | None = None) -> None:
    """Bring what was put off back when its moment has come; sleeps exactly until the next one.

    Args:
        lease: under which this worker does it, where others might.
    """
    watch = desk.store.watch(Conversation, field="snoozed_until_at")
    try:
        while True:
            seconds = await patiently(lambda: wake_due(desk, lease))
            await watch.wait(seconds)
    finally:
        watch.close()


async def wake_due(desk: Desk, lease: Lease | None = None) -> float | None:
    """Wake whatever is due; the seconds until the next, None where nothing is put off."""
    while True:
        now = desk.clock()
        due = await desk.store.list(CONVERSATIONS_SNOOZED, until=now, limit=PAGE)
        for before in due:
            try:
                changes = await woken(desk.store, before, now)
                await desk.store.commit(changes + Changes(expectations=[lease] if lease is not None else []))
            except Conflict:  # its contact wrote, somebody took it back or left, at this very moment: look again
                return BREATH
        if len(due) < PAGE:
            break
    following = await desk.store.list(CONVERSATIONS_SNOOZED, since=now, limit=1)
    if not following or following[0].snoozed_until_at is None:
        return None
    return max((following[0].snoozed_until_at - desk.clock()).total_seconds(), BREATH)


async def keep_sending(desk: Desk, lease: Lease | None = None) -> None:
    """Let replies that wait for their moment leave; sleeps exactly until the next one.

    Args:
        lease: under which this worker does it, where others might.
    """
    watch = desk.store.watch(Draft, field="send_at")
    try:
        while True:
            seconds = await patiently(lambda: send_due(desk, lease))
            await watch.wait(seconds)
    finally:
        watch.close()


async def keep_instructed(desk: Desk, lease: Lease | None = None) -> None:
    """Bring cards up to date when an instruction is announced, begins or is over; sleeps exactly until the next one.

    Args:
        lease: under which this worker does it, where others might.
    """
    watch = desk.store.watch(Instruction, field="turns_at")
    try:
        while True:
            seconds = await patiently(lambda: turn_due(desk, lease))
            await watch.wait(seconds)
    finally:
        watch.close()


async def turn_due(desk: Desk, lease: Lease | None = None) -> float | None:
    """Turn whatever is due; the seconds until the next, None where none will."""
    while True:
        now = desk.clock()
        due = await desk.store.list(INSTRUCTIONS_TURNING, until=now, limit=PAGE)
        for before in due:
            changes = Changes(replacements=[turned(before, now)]) + await cards_of(desk.store, before.account_id, now)
            try:
                await desk.store.commit(changes + Changes(expectations=[lease] if lease is not None else []))
            except Conflict:  # it was lifted at this very moment: look again
                return BREATH
        if len(due) < PAGE:
            break
    following = await desk.store.list(INSTRUCTIONS_TURNING, since=now, limit=1)
    if not following or following[0].turns_at is None:
        return None
    return max((following[0].turns_at - desk.clock()).total_seconds(), BREATH)


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
