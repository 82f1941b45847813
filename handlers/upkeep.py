"""What keeps a store small and its promises of erasing kept: a little at a time, while the desk works."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

import structlog

from handlers.desk import Desk, patiently
from handlers.forgetting import forget
from inbox import retention
from inbox.errors import Conflict, NotFound, StillInUse, StoreUnavailable
from inbox.forgetting import everyone_forgotten, scrubbed
from inbox.ledger import list_channels
from inbox.machinery import Forgotten, Lease, Progress
from inbox.model import Account, Conversation, Instruction, Receipt, Shown
from inbox.parts import ChannelId
from inbox.store.base import Changes

log = structlog.get_logger(__name__)

EVERY = 3600.0
"""Seconds between two rounds."""
BREATH = 0.05
"""Seconds between two commits: whoever waits for an answer goes first."""
SCRUB_AGAIN = 5.0
"""Seconds until files that somebody is reading are tried again."""
SOMEBODY_IS_AT_IT = timedelta(minutes=1)
"""So long whoever asked for somebody to be forgotten is left to it."""
JUMP = timedelta(hours=1)
PAGE = 200
_PRESSES = "upkeep presses of all"
"""Not as it was when only secretaries' were looked at: what principals pressed before is looked at too."""


async def keep_tidy(desk: Desk, lease: Lease | None = None, every: float = EVERY) -> None:
    """Erase what has been kept long enough and whoever is to be forgotten, for ever, until cancelled.

    Args:
        lease: under which this worker does so, where others might.
        every: seconds between two rounds.
    """
    upkeep = Upkeep(desk, lease)
    watch = desk.store.watch(Forgotten)
    time = asyncio.get_running_loop().time
    try:
        leaps, next_round = Leaps(desk.clock, time), time() + every
        while True:
            waits = await patiently(upkeep.finish_forgetting)
            # The first round comes an hour after the start, and none right after the clock leapt: a clock that is
            # years ahead until it is set right must not erase years.
            if time() >= next_round:
                next_round = time() + every
                if leaps.ahead():
                    log.warning("clock_leapt", loop="upkeep")
                else:
                    await patiently(upkeep.erase_outdated)
            await watch.wait(min(next_round - time(), SCRUB_AGAIN) if waits else max(next_round - time(), 0))
    finally:
        watch.close()


class Leaps:
    """Tells whether the clock went further than the time that passed."""

    def __init__(self, clock: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._was = clock(), monotonic()

    def ahead(self) -> bool:
        """Whether it did since this was asked last."""
        now, then = (self._clock(), self._monotonic()), self._was
        self._was = now
        return now[0] - then[0] - timedelta(seconds=now[1] - then[1]) > JUMP


class Upkeep:
    """One round and another; each can be broken off anywhere, and the next goes on."""

    def __init__(self, desk: Desk, lease: Lease | None = None) -> None:
        self._desk = desk
        self._lease = lease
        self._words_stay = True
        """Whether words that were erased may still be in the store's files: a worker before may have left some."""

    async def finish_forgetting(self) -> bool:
        """Go on where somebody's erasing was broken off, and empty the files of them; whether more is to be done."""
        waits = False
        async for person in everyone_forgotten(self._desk.store):
            if person.scrubbed_at is None:
                waits |= not await self._finish(person)
        return waits

    async def _finish(self, person: Forgotten) -> bool:
        store = self._desk.store
        if person.erased_at is None and self._desk.clock() - person.asked_at < SOMEBODY_IS_AT_IT:
            return False
        try:
            await forget(store, person.id, self._desk.clock)
            await store.scrub()
            newest = await store.get(Forgotten, person.id)
            await self._commit(scrubbed(newest, self._desk.clock()))
        except (Conflict, NotFound, StillInUse, StoreUnavailable) as error:
            log.info("not_forgotten_yet", contact=person.id, reason=str(error))
            return False
        return True

    async def erase_outdated(self) -> None:
        """One round over everything that is kept for a time."""
        store, clock = self._desk.store, self._desk.clock
        for account in self._desk.accounts.values():
            await self._erase_conversations(account)
        for channel in await list_channels(store):
            while await self._decided(partial(self._old_deliveries, channel)):
                pass
        await self._decided(lambda: retention.outdated_invitations(store, clock()))
        await self._decided(lambda: retention.outdated_proofs(store, clock()))
        await self._decided(lambda: retention.outdated_slips(store, clock()))
        await self._decided(lambda: retention.outdated_on_call(store, clock()))
        await self._erase_instructions()
        await self._erase_screens()
        await self._erase_presses()
        if self._words_stay:
            try:
                await store.scrub()
            except StoreUnavailable as error:  # somebody reads them
                log.info("files_not_scrubbed_yet", reason=str(error))
            else:
                self._words_stay = False

    async def _old_deliveries(self, channel: ChannelId) -> Changes:
        return await retention.outdated_deliveries(self._desk.store, channel, self._desk.clock())

    async def _erase_conversations(self, account: Account) -> None:
        store, clock = self._desk.store, self._desk.clock
        last: Conversation | None = None
        erased = 0
        while page := await retention.list_outdated(store, account, clock(), last):
            for conversation in page:
                done = False
                while not done:
                    newest = await store.find(Conversation, conversation.id)
                    step = newest and await retention.erase_outdated(store, self._desk.key, newest, account, clock())
                    if not step or not await self._commit(step.changes):
                        break
                    done = step.done
                erased += done
            last = page[-1]
        if erased:
            self._words_stay = True
            log.info("conversations_erased", account=account.id, count=erased)

    async def _erase_instructions(self) -> None:
        store, after = self._desk.store, ""
        while page := await store.scan(Instruction, after=after, limit=PAGE):
            await self._commit(retention.outdated_instructions(page, self._desk.clock()))
            after = page[-1].id

    async def _erase_screens(self) -> None:
        store, after = self._desk.store, ""
        bound = retention.older_than(self._desk.clock() - retention.KEEP_SHOWN)
        while page := [s for s in await store.scan(Shown, after=after, limit=PAGE) if s.id <= bound]:
            await self._commit(await retention.outdated_screens(store, page, self._desk.clock()))
            after = page[-1].id

    async def _erase_presses(self) -> None:
        """Looks at each receipt once in its life, when it is old enough."""
        store, now = self._desk.store, self._desk.clock()
        chats = await retention.DeskChats.of(store)
        bound = retention.older_than(now - retention.KEEP_PRESSES)
        while True:
            progress = await store.find(Progress, _PRESSES)
            behind = progress.behind if progress else ""
            page = [r for r in await store.scan(Receipt, after=behind, limit=PAGE) if r.id <= bound]
            if not page:
                return
            changes = retention.outdated_presses(page, chats, now)
            if not await self._commit(changes + retention.come_to(progress, _PRESSES, page[-1].id)):
                return

    async def _decided(self, decide: Callable[[], Awaitable[Changes]]) -> bool:
        """Whether there was something to do; it is done, or was changed by somebody else first."""
        changes = await decide()
        return bool(changes) and await self._commit(changes)

    async def _commit(self, changes: Changes) -> bool:
        """Whether it stands. What somebody else changed first, or now does in our stead, is left to the next round."""
        if not changes:
            return True
        try:
            await self._desk.store.commit(changes + Changes(expectations=[self._lease] if self._lease else []))
        except Conflict:
            return False
        finally:
            await asyncio.sleep(BREATH)
        return True
