"""What leaves: due deliveries are leased, handed to their channel, and brought to the state that is true."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec
import structlog

from channels.errors import (
    ChannelError,
    LoginRejected,
    OutcomeUnknown,
    PermanentFailure,
    SomeRefused,
    TemporaryFailure,
)
from handlers.crew import STORE_WAIT
from handlers.desk import Desk, news, patiently
from handlers.handover import Handover
from handlers.passing import followed
from inbox import outbox, unseen
from inbox.drafts import hold_before_retry
from inbox.errors import Conflict, NotFound, StoreUnavailable
from inbox.leases import post_claim
from inbox.machinery import Claim
from inbox.model import Delivery, DeliveryKind, DeliveryState
from inbox.notices import CardNotice, Letter, PinNotice, Post
from inbox.parts import ChannelId, DeliveryId
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    DELIVERIES_DUE,
    DELIVERIES_LEASED,
)

log = structlog.get_logger(__name__)

PAGE = 200
MOST_LANES = 32
"""Deliveries one channel hands over side by side; within a lane one after another."""
MOST_SETTLINGS = 50
RESCAN = 5.0
"""Among other workers: seconds until a lane is looked at again that another had, or may have died with."""


class Deliveries:
    """Hands due deliveries over, lane by lane, and records what became of each."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._handover = Handover(desk)
        self._lanes: dict[str, deque[Delivery]] = {}
        self._in_flight: dict[DeliveryId, int] = {}
        """What is in our hands, at the version it was due at."""
        self._due_again: set[DeliveryId] = set()
        """What somebody made due once more while it was in our hands."""
        # A server that hangs keeps only its own channel's deliveries waiting.
        self._slots: dict[ChannelId, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(MOST_LANES))
        self._stopping = False
        self._look = asyncio.Event()
        """Set when there may be something to do that no commit says."""
        self._elsewhere: dict[str, float] = {}
        """Until when lanes that another worker has are left to it."""

    def stop(self) -> None:
        """Lease nothing more; `run` returns once what is being handed over has ended."""
        self._stopping = True
        self._look.set()

    async def run(self) -> None:
        """Deliver until stopped or cancelled. Sleeps exactly until something is due."""
        watch = self._desk.store.watch(Delivery, field="due_at")
        try:
            async with asyncio.TaskGroup() as lanes:
                if self._desk.crew is None:
                    await patiently(lambda: self._recover(starting=True))
                while not self._stopping:
                    sleep = await patiently(lambda: self._gather(lanes))
                    await news(watch, self._look, sleep)
                    self._look.clear()
        finally:
            watch.close()

    async def _recover(self, *, starting: bool = False) -> None:
        """End the leases whose workers are gone.

        Args:
            starting: this is the store's only worker and begins, so every lease is a dead one's.
        """
        store, now = self._desk.store, self._desk.clock()
        for delivery in await store.list(DELIVERIES_LEASED, limit=PAGE):
            if delivery.id in self._in_flight or not (starting or await self._is_orphaned(delivery, now)):
                continue
            changes = await unseen.lease_expired(store, delivery, now)
            changes += await self._followed(changes.newest(delivery))
            try:
                await store.commit(changes)
            except Conflict:
                continue  # its worker came back and settled it
            log.warning("lease_expired", delivery=delivery.id, kind=delivery.kind, leased_by=delivery.leased_by)

    async def _is_orphaned(self, delivery: Delivery, now: datetime) -> bool:
        if delivery.lease_until_at is not None and delivery.lease_until_at <= now:
            return True
        crew = self._desk.crew
        return crew is not None and delivery.leased_by is not None and not await crew.is_living(delivery.leased_by)

    async def _gather(self, group: asyncio.TaskGroup) -> float | None:
        """Hand what is due to its lanes; the seconds until something else may be due."""
        store, now = self._desk.store, self._desk.clock()
        await self._recover()
        clock = asyncio.get_running_loop().time()
        self._elsewhere = {lane: until for lane, until in self._elsewhere.items() if until > clock}
        last: Delivery | None = None
        while True:
            page = await store.list(DELIVERIES_DUE, until=now, after=last, limit=PAGE)
            for delivery in page:
                if (held := self._in_flight.get(delivery.id)) is not None:
                    if held != delivery.version:
                        self._due_again.add(delivery.id)
                    continue
                if delivery.lane in self._elsewhere:
                    continue
                self._in_flight[delivery.id] = delivery.version
                lane = self._lanes.get(delivery.lane)
                if lane is not None:
                    lane.append(delivery)
                    continue
                self._lanes[delivery.lane] = deque([delivery])
                group.create_task(self._lane(delivery))
            if len(page) < PAGE:
                break
            last = page[-1]
        following = await store.list(DELIVERIES_DUE, since=now, limit=1)
        leased = await store.list(DELIVERIES_LEASED, limit=1)
        moments = [d.due_at for d in following if d.due_at] + [d.lease_until_at for d in leased if d.lease_until_at]
        longest = None if self._desk.crew is None else RESCAN
        if not moments:
            return longest
        wait = max((min(moments) - self._desk.clock()).total_seconds(), 0.01)
        return wait if longest is None else min(wait, longest)

    async def _lane(self, first: Delivery) -> None:
        """Hand a lane's deliveries over; among other workers, under a claim to it."""
        crew = self._desk.crew
        if crew is None or first.kind is DeliveryKind.REPLY:
            # Replies need no claim: each becomes due when the one before it has ended.
            await self._work_through(first.lane, None)
            return
        claim = None
        try:
            claim = await crew.claim(post_claim(first.lane))
        except StoreUnavailable as failure:
            log.warning("store_unavailable", lane=first.lane, detail=str(failure))
        if claim is None:
            self._let_go(self._lanes.pop(first.lane))
            self._elsewhere[first.lane] = asyncio.get_running_loop().time() + RESCAN
            return
        try:
            await self._work_through(first.lane, claim)
        finally:
            await crew.give_back(claim)
        self._look.set()  # what fell due after our last look was left to us, as long as the claim stood

    async def _work_through(self, lane: str, claim: Claim | None) -> None:
        waiting = self._lanes[lane]
        try:
            while waiting and not self._stopping:
                delivery = _most_wanted(waiting)
                async with self._slots[delivery.channel_id]:
                    await self._deliver(delivery, claim)
                waiting.remove(delivery)
                self._let_go([delivery])
        finally:
            self._let_go(waiting)
            del self._lanes[lane]

    def _let_go(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            self._in_flight.pop(delivery.id, None)
            if delivery.id in self._due_again:
                self._due_again.discard(delivery.id)
                self._look.set()

    async def _deliver(self, delivery: Delivery, claim: Claim | None) -> None:
        """Lease one delivery, hand it over, settle it. Killed anywhere in here, it is still leased: see `_recover`."""
        crew = self._desk.crew
        if await self._put_off(delivery):
            return
        if crew is not None:
            await crew.until_sure()
        leased = await self._lease(delivery, claim)
        if leased is None:
            return
        store, clock = self._desk.store, self._desk.clock
        if crew is not None and not crew.sure:
            # It slept right here: others may have taken it for dead, and the delivery from it.
            await self._settle(leased, _given_back(clock()))
            return
        error: str
        wait: timedelta | None
        try:
            sent_as, beside = await self._handover.hand_over(leased)
        except SomeRefused as failure:
            log.info("divided", delivery=leased.id, detail=failure.detail)
            refused = {
                recipient: (why.reason, getattr(why, "retry_after", None), isinstance(why, PermanentFailure))
                for recipient, why in failure.refused.items()
            }
            self._desk.meter.delivered(leased.channel_id, DeliveryState.DUE)
            await self._settle(leased, lambda d: outbox.divided(store, d, refused, clock()))
        except (OutcomeUnknown, PermanentFailure, TemporaryFailure, LoginRejected) as failure:
            error, wait = failure.reason, getattr(failure, "retry_after", None)
            outcome = _outcome(leased, failure)
            log.info(
                "not_delivered",
                delivery=leased.id,
                kind=leased.kind,
                outcome=outcome,
                reason=error,
                detail=failure.detail,
            )
            self._desk.meter.delivered(leased.channel_id, outcome)
            if outcome == DeliveryState.UNKNOWN:
                await self._settle(leased, lambda d: unseen.in_doubt(store, d, error, clock()))
            elif outcome == DeliveryState.DEAD:
                await self._settle(leased, lambda d: unseen.died(store, d, error, clock()))
            else:
                await self._settle(leased, lambda d: outbox.retried(store, d, error, wait, clock()))
        except (NotFound, Conflict, StoreUnavailable) as failure:
            # Nothing left: what it needed could not be read, or a card was recorded by someone else first.
            log.info("not_delivered", delivery=leased.id, kind=leased.kind, reason=type(failure).__name__)
            gone = isinstance(failure, NotFound)
            ended = outbox.died if gone else _again
            await self._settle(leased, lambda d: ended(store, d, "failure.missing", clock()))
        except Exception:
            # A bug in a rendering or an adapter. It may have had its effect, and repeating it would meet the bug again.
            log.exception("delivery_failed", delivery=leased.id, kind=leased.kind)
            is_shown = outbox.is_repeatable(leased)
            bug = unseen.died if is_shown else unseen.in_doubt
            self._desk.meter.delivered(leased.channel_id, DeliveryState.DEAD if is_shown else DeliveryState.UNKNOWN)
            await self._settle(leased, lambda d: bug(store, d, "failure.other", clock()))
        else:
            self._desk.meter.delivered(leased.channel_id, DeliveryState.SENT)

            async def done(current: Delivery) -> Changes:
                return await outbox.sent(store, current, sent_as, clock()) + beside

            await self._settle(leased, done)

    async def _put_off(self, delivery: Delivery) -> bool:
        """Whether it is not this payload's turn yet; then it is due when it is. Asked before the lease: see `ready`."""
        channel = self._desk.channels.get(delivery.channel_id)
        if channel is None or not isinstance(delivery.payload, Letter | Post):
            return False
        wait = await channel.ready(delivery.payload)
        if wait <= 0:
            return False
        later = outbox.put_off(delivery, self._desk.clock() + timedelta(seconds=wait))
        with suppress(Conflict):  # taken back meanwhile
            await patiently(lambda: self._desk.store.commit(Changes(replacements=[later])))
        return True

    async def _lease(self, delivery: Delivery, claim: Claim | None) -> Delivery | None:
        """The delivery in our hands; None when it was taken back, or somebody else has it."""
        store, now = self._desk.store, self._desk.clock()
        leased = outbox.leased(delivery, self._desk.worker, now)
        in_doubt = False
        while True:
            try:
                held = await hold_before_retry(store, delivery, now)
                under = Changes(expectations=[claim] if claim else [])
                await store.commit((held or Changes(replacements=[leased])) + under)
            except Conflict:
                if not in_doubt:
                    return None
                # The commit that seemed to fail may have stood; then nobody else will hand it over.
                current = await patiently(lambda: store.get(Delivery, delivery.id))
                return current if (current.leased_by, current.attempts) == (leased.leased_by, leased.attempts) else None
            except StoreUnavailable as failure:
                log.warning("store_unavailable", delivery=delivery.id, detail=str(failure))
                in_doubt = True
                await asyncio.sleep(STORE_WAIT)
            else:
                return None if held else msgspec.structs.replace(leased, version=leased.version + 1)

    async def _settle(self, leased: Delivery, decide: Callable[[Delivery], Awaitable[Changes]]) -> None:
        """Record what became of a delivery; tries until it stands, for the effect cannot be taken back."""
        current = leased
        conflicts = 0
        while conflicts < MOST_SETTLINGS:
            try:
                changes = await decide(current)
                changes += await self._followed(changes.newest(current))
                await self._desk.store.commit(changes)
            except Conflict:
                conflicts += 1
                found = await patiently(lambda: self._desk.store.find(Delivery, leased.id))
                back = outbox.come_back(leased, found) if found is not None else None
                if back is None:  # settled by somebody else, or erased with whom it was for
                    return
                current = back
            except StoreUnavailable as failure:
                # However long the disk is full: it is known what became of it, and given up it would be in doubt.
                log.warning("store_unavailable", delivery=leased.id, detail=str(failure))
                await asyncio.sleep(STORE_WAIT)
            else:
                return
        log.error("delivery_not_settled", delivery=leased.id)  # its lease runs out, and a person decides

    async def _followed(self, ended: Delivery) -> Changes:
        """What follows from what became of it; nothing, where a rule meets its bug: what was delivered stays so."""
        try:
            return await followed(self._desk, ended, self._desk.clock())
        except (Conflict, StoreUnavailable):
            raise
        except Exception:
            log.exception("following_failed", delivery=ended.id, kind=ended.kind)
            return Changes()


def _most_wanted(waiting: deque[Delivery]) -> Delivery:
    """The first of a lane that answers something; cards that come by themselves wait behind it, and pins behind all.

    A chat takes a message a second: twenty new cards must not keep her own
    preview from her.
    """
    return min(waiting, key=lambda d: _BEHIND.get(type(d.payload), 0))


_BEHIND: dict[type, int] = {CardNotice: 1, PinNotice: 2}


def _outcome(delivery: Delivery, failure: ChannelError) -> DeliveryState:
    """The state a failure leads to. In doubt, what may be repeated is, and nothing else."""
    match failure:
        case PermanentFailure():
            return DeliveryState.DEAD
        case OutcomeUnknown():
            return DeliveryState.DUE if outbox.is_repeatable(delivery) else DeliveryState.UNKNOWN
        case _:
            return DeliveryState.DUE


def _given_back(now: datetime) -> Callable[[Delivery], Awaitable[Changes]]:
    async def decide(current: Delivery) -> Changes:
        return Changes(replacements=[outbox.given_back(current, now)])

    return decide


async def _again(store: Store, delivery: Delivery, error: str, now: datetime) -> Changes:
    return await outbox.retried(store, delivery, error, None, now)
