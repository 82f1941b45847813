"""What arrives: committed raw first, then handled in order, each receipt to exactly one end."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress

import msgspec
import structlog
from aiogram import Bot, Dispatcher
from aiogram.dispatcher.event.bases import UNHANDLED

from channels.base import Accept, Arrival
from channels.errors import ChannelError, TemporaryFailure
from handlers import business, client, forums, principals, proving
from handlers.acknowledging import acknowledged
from handlers.crew import STORE_WAIT
from handlers.desk import LARGE, Desk, Unit, news, patiently
from handlers.views import Voice
from inbox import receipts
from inbox.accounts import account_addressed
from inbox.envelope import (
    Blocked,
    Connected,
    Correspondence,
    Envelope,
    Ignored,
    Reading,
    Unreadable,
    Update,
    Withdrawn,
)
from inbox.errors import Conflict, LeaseLost, NotFound, StoreUnavailable
from inbox.invitations import token_in
from inbox.leases import lane_claim
from inbox.machinery import Claim, Lease
from inbox.model import Cursor, Principal, Receipt, ReceiptState
from inbox.parts import UNSORTED, ChannelId, ReceiptId
from inbox.store.base import Blob, Changes
from inbox.store.documents import RECEIPT_BY_SOURCE, RECEIPTS_WAITING, SECRETARY_BY_TELEGRAM

log = structlog.get_logger(__name__)

MOST_DECISIONS = 12
"""How often a unit is decided anew after a Conflict before its receipt is parked."""
PAGE = 500
AHEAD = 4
"""Receipts of a lane that are read while the one before is handled."""
MOST_IN_FLIGHT = 2000
BREATH = 0.02
"""Seconds between two looks for arrivals while others are being handled."""
CROWDED_BREATH = 0.1
"""The same among other workers, where each look is at all that waits."""
RESCAN = 5.0
"""Seconds until all waiting receipts are looked at again while some are being handled."""
CROWDED = 0.05
"""Seconds to wait at most, times the tries so far, before deciding anew what another worker's commit undid."""


# ---------------------------------------------------------------- keeping


def accepting(desk: Desk, channel_id: ChannelId, lease: Lease | None = None) -> Accept:
    """The channel's way to have arrivals committed together with its position.

    Args:
        lease: under which this worker receives, where others might; once it is lost, LeaseLost is raised instead.
    """

    async def accept(arrivals: Sequence[Arrival], position: str) -> None:
        kept = _Kept(desk, channel_id, lease)
        for tries in range(MOST_DECISIONS):
            try:
                received = await kept.commit(arrivals, position)
            except Conflict:
                if desk.crew is not None:
                    if lease is not None:
                        await desk.crew.require(lease)
                    # Called by webhook, several workers move one cursor.
                    await asyncio.sleep(random.uniform(0, CROWDED * (tries + 1)))
                kept.doubted = True
            else:
                desk.meter.arrivals(channel_id, received)
                return
        raise StoreUnavailable(f"{channel_id}: the cursor changed {MOST_DECISIONS} times under us")

    return accept


class _Kept:
    """One try after another to commit a batch; from the second on, what is known already is left out."""

    def __init__(self, desk: Desk, channel_id: ChannelId, lease: Lease | None) -> None:
        self._desk = desk
        self._channel_id = channel_id
        self._lease = lease
        self.doubted = False

    async def commit(self, arrivals: Sequence[Arrival], position: str) -> int:
        now = self._desk.clock()
        changes = Changes(expectations=[self._lease] if self._lease else [])
        cursor = await self._desk.store.find(Cursor, self._channel_id)
        before = cursor.received if cursor else 0
        received = 0
        for arrival in {a.source_key: a for a in arrivals}.values():
            if self.doubted and await self._is_known(arrival, changes):
                continue
            received += 1
            receipt = receipts.arrived(
                self._channel_id,
                arrival.lane,
                arrival.source_key,
                len(arrival.raw),
                now,
                sequence=before + received,
            )
            changes += Changes(inserts=[receipt], blobs=[Blob(receipt.blob_id, arrival.raw)])
        if cursor is None:
            first = Cursor(id=self._channel_id, position=position, received=received, updated_at=now)
            changes += Changes(inserts=[first])
        else:
            moved = msgspec.structs.replace(
                cursor, position=position, received=cursor.received + received, updated_at=now
            )
            changes += Changes(replacements=[moved])
        await self._desk.store.commit(changes)
        return received

    async def _is_known(self, arrival: Arrival, changes: Changes) -> bool:
        store = self._desk.store
        earlier = await store.find_by(RECEIPT_BY_SOURCE, self._channel_id, arrival.source_key)
        if earlier is None:
            return False
        if self._desk.clock() - earlier.arrived_at < receipts.KEY_LIFETIME:
            return True
        if earlier.erased_at is not None or await store.read_blob(earlier.blob_id) == arrival.raw:
            return True
        changes.replacements[(Receipt, earlier.id)] = msgspec.structs.replace(earlier, source_key=None)
        return False


# ---------------------------------------------------------------- handling


async def spare_the_waiting(desk: Desk) -> None:
    """Forget the deaths counted for what still waits: the only worker stops in order, so nothing here killed it."""
    with suppress(Conflict, StoreUnavailable):  # then they keep a death too many: no reason not to stop
        for channel_id in desk.channels:
            waiting = await desk.store.list(RECEIPTS_WAITING, channel_id, limit=PAGE)
            blamed = [receipts.spared(receipt) for receipt in waiting if receipt.deaths]
            await desk.store.commit(Changes(replacements=blamed))


class Incoming:
    """Handles the waiting receipts of one channel: lanes side by side, each lane in order."""

    def __init__(
        self, desk: Desk, channel_id: ChannelId, dispatcher: Dispatcher, bots: Mapping[ChannelId, Bot]
    ) -> None:
        self._desk = desk
        self._channel_id = channel_id
        self._dispatcher = dispatcher
        self._bots = bots
        self._lanes: dict[str, deque[Receipt]] = {}
        self._in_flight: set[ReceiptId] = set()
        self._newest: Receipt | None = None
        self._more = False
        """Whether more wait than may be in flight at once."""
        self._scanned_at = 0.0
        self._look = asyncio.Event()
        """Set when there may be something to do that no commit says."""
        self._elsewhere: dict[str, float] = {}
        """Until when lanes that another worker has are left to it."""

    async def run(self) -> None:
        """Handle until cancelled; the commit of a receipt wakes it."""
        alone = self._desk.crew is None
        watch = self._desk.store.watch(Receipt, field="waiting_in", equal=self._channel_id)
        try:
            async with asyncio.TaskGroup() as lanes:
                if alone:
                    await patiently(self._count_deaths)
                while True:
                    await patiently(lambda: self._gather(lanes))
                    # Among others, a lane may become free by a death.
                    await news(watch, self._look, RESCAN if self._in_flight or not alone else None)
                    self._look.clear()
                    if self._in_flight:
                        await asyncio.sleep(BREATH if alone else CROWDED_BREATH)
        finally:
            watch.close()

    async def _count_deaths(self) -> None:
        """Count a death for whatever is first in its lane: the last worker may have died of it."""
        seen: set[str] = set()
        for receipt in await self._desk.store.list(RECEIPTS_WAITING, self._channel_id, limit=PAGE):
            if receipt.lane in seen:
                continue
            seen.add(receipt.lane)
            marked = receipts.survived(receipt, self._desk.clock())
            try:
                await self._desk.store.commit(Changes(replacements=[marked]))
            except Conflict:
                continue  # somebody replayed or parked it
            if marked.state is ReceiptState.PARKED:
                log.error("receipt_parked", receipt=receipt.id, channel=self._channel_id, error=marked.error)

    async def _gather(self, group: asyncio.TaskGroup) -> None:
        """Hand what waits to its lanes: what is newer than last time, and now and then all (a replay is older)."""
        clock = asyncio.get_running_loop().time()
        self._elsewhere = {lane: until for lane, until in self._elsewhere.items() if until > clock}
        # Among others always all: what was left to another worker is older than what came since, and its lane may be
        # free again by now.
        whole = not self._in_flight or self._desk.crew is not None or clock - self._scanned_at > RESCAN
        after = None if whole else self._newest
        if whole:
            self._scanned_at = clock
        while len(self._in_flight) < MOST_IN_FLIGHT:
            page = await self._desk.store.list(RECEIPTS_WAITING, self._channel_id, after=after, limit=PAGE)
            for receipt in page:
                self._newest = receipt
                if receipt.id in self._in_flight or receipt.lane in self._elsewhere:
                    continue
                self._in_flight.add(receipt.id)
                lane = self._lanes.get(receipt.lane)
                if lane is not None:
                    lane.append(receipt)
                    continue
                self._lanes[receipt.lane] = deque([receipt])
                group.create_task(self._lane(receipt.lane))
            if len(page) < PAGE:
                self._more = False
                break
            after = page[-1]
        else:
            self._more = True

    async def _lane(self, lane: str) -> None:
        """Handle a lane; among other workers, under a claim to it."""
        crew = self._desk.crew
        if crew is None:
            await self._work_through(lane, None)
            return
        claim = None
        try:
            claim = await crew.claim(lane_claim(self._channel_id, lane))
        except StoreUnavailable as failure:
            log.warning("store_unavailable", channel=self._channel_id, detail=str(failure))
        if claim is None:
            self._leave_to_others(lane)
            return
        try:
            await self._work_through(lane, claim)
        except LeaseLost:
            log.warning("claim_lost", channel=self._channel_id, claim=claim.id)
            return
        finally:
            await crew.give_back(claim)
        # What came after our last look was left to us, as long as the claim stood.
        self._scanned_at = 0.0
        self._look.set()

    def _leave_to_others(self, lane: str) -> None:
        self._in_flight.difference_update(receipt.id for receipt in self._lanes.pop(lane))
        self._elsewhere[lane] = asyncio.get_running_loop().time() + RESCAN

    async def _work_through(self, lane: str, claim: Claim | None) -> None:
        """Handle a lane in order until it is empty, reading a little ahead."""
        waiting = self._lanes[lane]
        reads: dict[ReceiptId, asyncio.Task[Reading]] = {}
        try:
            while waiting:
                for receipt in itertools.islice(waiting, AHEAD):
                    if receipt.id not in reads:
                        reads[receipt.id] = asyncio.create_task(self._read(receipt))
                first = waiting[0]
                try:
                    await self._handle(first, await reads[first.id], claim)
                except (StoreUnavailable, TemporaryFailure) as failure:
                    # What it takes to handle it cannot be asked now, of the store or the channel: those behind it wait.
                    log.warning("not_handled_yet", channel=self._channel_id, detail=str(failure))
                    reads.pop(first.id).cancel()
                    wanted = failure.retry_after if isinstance(failure, TemporaryFailure) else None
                    await asyncio.sleep(wanted.total_seconds() if wanted is not None else STORE_WAIT)
                    continue
                waiting.popleft()
                self._in_flight.discard(first.id)
                if self._more and len(self._in_flight) < MOST_IN_FLIGHT // 2:
                    self._look.set()
                del reads[first.id]
        finally:
            for task in reads.values():
                task.cancel()
            await asyncio.gather(*reads.values(), return_exceptions=True)
            self._in_flight.difference_update(receipt.id for receipt in self._lanes.pop(lane))

    async def _read(self, receipt: Receipt) -> Reading:
        async with self._desk.large if receipt.size > LARGE else nullcontext():
            return await self._read_now(receipt)

    async def _read_now(self, receipt: Receipt) -> Reading:
        try:
            raw = await self._desk.store.read_blob(receipt.blob_id)
        except NotFound:
            return Unreadable(error="its raw form is missing from the store")
        try:
            return await asyncio.to_thread(self._desk.channels[self._channel_id].read, raw)
        except Exception as error:
            # Reading never fails; were it to, the receipts behind this one must not wait for it.
            log.exception("receipt_unreadable", receipt=receipt.id, channel=self._channel_id)
            return Unreadable(error=f"{type(error).__name__} while it was read; see the log")

    async def _handle(self, receipt: Receipt, reading: Reading, claim: Claim | None) -> None:
        """Bring one receipt to its end.

        Raises:
            LeaseLost: another worker has the lane now.
            StoreUnavailable: it waits.
            TemporaryFailure: it waits, for the channel must be asked first.
        """
        crew, turns = self._desk.crew, self._desk.turns
        for decision in range(MOST_DECISIONS):
            unit = Unit(self._desk, receipt, claim)
            try:
                # Two units that give something to the same secretary cannot both commit. Where that happens
                # they go one at a time, or a hundred that come together would meet each other for ever.
                async with turns if decision or turns.locked() else nullcontext():
                    await self._decide(unit, reading)
                    if not unit.committed:
                        await unit.ignore("nothing to do")
                await self._answer_press(unit, reading)
                return
            except Conflict:
                receipt = await self._desk.store.get(Receipt, receipt.id)
                if receipt.state is not ReceiptState.WAITING:
                    return
                if crew is not None and claim is not None:
                    await crew.require(claim)
                    # Other workers' units do not wait for our turns.
                    await asyncio.sleep(random.uniform(0, CROWDED * (decision + 1)))
            except (StoreUnavailable, TemporaryFailure):
                raise
            except Exception as error:
                # Whatever a receipt makes go wrong must not stop the others: it is kept, shown and can be replayed.
                log.exception("receipt_parked", receipt=receipt.id, channel=self._channel_id)
                await self._park(receipt, f"{type(error).__name__} while it was handled; see the log", claim)
                return
        log.error("receipt_parked", receipt=receipt.id, channel=self._channel_id, error="too many conflicts")
        await self._park(receipt, f"decided {MOST_DECISIONS} times, and something else changed first each time", claim)

    async def _park(self, receipt: Receipt, error: str, claim: Claim | None) -> None:
        while True:
            current = await self._desk.store.get(Receipt, receipt.id)
            if current.state is not ReceiptState.WAITING:
                return
            try:
                parked = receipts.parked(current, error, self._desk.clock())
                await self._desk.store.commit(Changes(replacements=[parked], expectations=[claim] if claim else []))
            except Conflict:
                if self._desk.crew is not None and claim is not None:
                    await self._desk.crew.require(claim)
                continue
            return

    async def _decide(self, unit: Unit, reading: Reading) -> None:
        match reading:
            case Ignored(reason=reason, erased=erased):
                await unit.ignore(reason, erased=erased)
            case Unreadable(error=error):
                await self._park(unit.receipt, error, unit.claim)
                unit.committed = True
            case Blocked():
                await client.note_blocked(unit, reading)
            case Connected():
                await business.take_connection(unit, reading)
            case Correspondence():
                await business.take_message(unit, reading)
            case Withdrawn():
                await business.take_withdrawal(unit, reading)
            case Envelope():
                await self._take_mail(unit, reading)
            case Update():
                await self._take_update(unit, reading)

    async def _take_mail(self, unit: Unit, envelope: Envelope) -> None:
        desk = self._desk
        own = desk.own_account.get(self._channel_id)
        accounts = list(desk.accounts.values())
        account_id = account_addressed(accounts, envelope.addressed_to, own, envelope.routed) or UNSORTED
        taken = await desk.triage.take_in(unit.receipt, envelope, account_id, unit.now)
        if taken.ignored is not None:
            await unit.ignore(taken.ignored, taken.account_id, taken.conversation_id, erased=taken.erased)
            return
        changes = taken.changes
        if (guess := await proving.guess(unit, envelope, account_id)) is not None:
            changes = await proving.taken(guess, unit, envelope, changes)
        if taken.acknowledge is not None and taken.conversation is not None:
            changes += await acknowledged(desk, taken.conversation, taken.acknowledge, unit.now)
        await unit.commit(changes, account_id=taken.account_id, conversation_id=taken.conversation_id)

    async def _take_update(self, unit: Unit, update: Update) -> None:
        secretary = await self._desk.store.find_by(SECRETARY_BY_TELEGRAM, update.telegram_user_id)
        start = update.envelope.start if update.envelope else None
        joins = start is not None and token_in(start) is not None
        at_the_desk = secretary is not None and secretary.active and self._channel_id in self._desk.desk_bots
        if update.in_group:
            admitted = secretary if at_the_desk else None
            if not await forums.admitted(unit, update, admitted):
                return
        elif not joins and (known := await self._as_principal(update, at_the_desk=at_the_desk)) is not None:
            if update.topic is not None:
                unit.where = (known, update.chat_id, update.topic)
            await principals.take_update(unit, update, known)
            return
        elif joins or not at_the_desk:
            await client.take_update(unit, update)
            return
        if secretary is None:
            raise RuntimeError("only secretaries are admitted")
        voice = Voice(self._desk.texts, secretary.language, self._desk.time_zone, unit.now)
        if update.in_group or update.topic is not None:
            unit.where = (secretary, update.chat_id, update.topic)
        outcome = await self._dispatcher.feed_raw_update(
            self._bots[self._channel_id],
            dict(update.update),
            unit=unit,
            desk=self._desk,
            secretary=secretary,
            voice=voice,
            envelope=update.envelope,
        )
        if unit.conflict is not None:
            raise unit.conflict
        if outcome is UNHANDLED and not unit.committed:
            await unit.ignore("nothing at the desk answers to this")

    async def _as_principal(self, update: Update, *, at_the_desk: bool) -> Principal | None:
        """Who speaks for an account here: they do not work at the desk, or press what nobody at the desk has."""
        if self._channel_id not in self._desk.desk_bots or (at_the_desk and not principals.is_only_theirs(update)):
            return None
        return await principals.find_principal(self._desk.store, update.telegram_user_id)

    async def _answer_press(self, unit: Unit, reading: Reading) -> None:
        if not isinstance(reading, Update):
            return
        chat = self._desk.chats[self._channel_id]
        try:
            if reading.inline_query_id is not None:
                await chat.answer_search(reading.inline_query_id, unit.suggestions)
            if reading.callback_query_id is not None:
                await chat.answer_press(reading.callback_query_id, unit.toast, alert=unit.toast_is_alert)
        except ChannelError as error:
            # The press took effect and the card shows it; only the toast is missing.
            log.info("press_not_answered", channel=self._channel_id, reason=error.reason)
