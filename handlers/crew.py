"""The workers that share a store: one of them does what must be done once, any of them what anyone may do.

On an embedded store there is one worker and no crew: it does everything, and
nothing here runs.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from inbox.errors import Conflict, LeaseLost, StoreUnavailable
from inbox.leases import (
    BEAT,
    MOST_HELD,
    SURE_BEATS,
    Roll,
    beating,
    buried,
    is_dead,
    is_lively,
    joined,
    let_go,
    share,
    silent,
    to_hand_on,
)
from inbox.machinery import Claim, Lease, Worker
from inbox.parts import ChannelId
from inbox.store.base import Changes, Store

log = structlog.get_logger(__name__)

Duty = Callable[[Lease | None], Coroutine[None, None, None]]
"""What one worker does for all, until cancelled. It commits only while the store holds its lease as it was given."""

STORE_WAIT = 1.0
"""Seconds until the store is asked again after it could not be reached."""
_TRIES = 20


class Buried(Exception):
    """The others took this worker for dead: what it holds may be theirs. It begins anew, under another name."""


class Crew:
    """This worker among those that share the store.

    Args:
        channels: whose lanes are looked at when a worker dies in them.
        beat: the same for all workers of a store.
    """

    def __init__(
        self,
        store: Store,
        worker: str,
        host: str,
        channels: Iterable[ChannelId],
        clock: Callable[[], datetime],
        *,
        beat: timedelta = BEAT,
    ) -> None:
        self.worker = worker
        self._store = store
        self._host = host
        self._channels = tuple(channels)
        self._clock = clock
        self._beat_every = beat.total_seconds()
        self._roll = Roll()
        self._living = self._lively = frozenset([worker])
        self._duties: dict[str, tuple[Lease, asyncio.Task[None]]] = {}
        self._left_over: set[str] = set()
        self._beaten_at = self._looked_at = -math.inf
        self._beaten = asyncio.Event()
        self._look_now = asyncio.Event()

    # ------------------------------------------------------------ alive

    @property
    def sure(self) -> bool:
        """Whether nobody can have taken this worker for dead yet: asked before anything that has an effect outside."""
        return time.monotonic() - self._beaten_at < self._beat_every * SURE_BEATS

    async def until_sure(self) -> None:
        """Wait for a beat, where the last one is too long ago."""
        while not self.sure:
            self._beaten.clear()
            await self._beaten.wait()

    async def join(self) -> None:
        """Be one of them, as soon as the store can be reached; what this worker holds is its own from here on."""
        while True:
            began = time.monotonic()
            try:
                with suppress(Conflict):  # a try whose outcome was not known stood
                    await self._store.commit(Changes(inserts=[joined(self.worker, self._host, self._clock())]))
                break
            except StoreUnavailable as failure:
                log.warning("store_unavailable", worker=self.worker, detail=str(failure))
                await asyncio.sleep(STORE_WAIT)
        self._beaten_at = began
        log.info("joined", worker=self.worker)

    async def leave(self) -> None:
        """Be gone, and let go of everything, so that the others need not wait for our silence."""
        for _ in range(_TRIES):
            try:
                me = await self._store.find(Worker, self.worker)
                if me is not None:
                    await self._store.commit(await let_go(self._store, me))
            except Conflict:
                continue  # a claim of ours ended meanwhile
            except StoreUnavailable as failure:
                log.warning(
                    "store_unavailable", worker=self.worker, detail=str(failure)
                )  # then they find out by our silence
            log.info("left", worker=self.worker)
            return

    async def keep(self, duties: Mapping[str, Duty]) -> None:
        """Beat, bury the dead, and take on our share of the duties, until cancelled.

        A duty is begun under its lease and cancelled when that is lost or
        handed on. All have ended when this returns.

        Raises:
            Buried: the others took this worker for dead.
        """
        try:
            async with asyncio.TaskGroup() as group:
                # By itself: however long a look takes, or a duty to end, the beats go on.
                group.create_task(self._keep_beating())
                while True:
                    try:
                        await self._look()
                        await self._share_out(duties, group)
                    except StoreUnavailable as failure:
                        log.warning("store_unavailable", worker=self.worker, detail=str(failure))
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._beat_every):
                            await self._look_now.wait()
                    self._look_now.clear()
        except BaseExceptionGroup as group_of:
            if gone := group_of.subgroup(Buried):
                raise Buried from gone
            raise

    async def _keep_beating(self) -> None:
        while True:
            try:
                await self._beat()
            except StoreUnavailable as failure:
                log.warning("store_unavailable", worker=self.worker, detail=str(failure))
            except Conflict:
                continue  # somebody noted our silence, or has buried us: the next try tells
            await asyncio.sleep(self._beat_every)

    async def _beat(self) -> None:
        began = time.monotonic()
        me = await self._store.find(Worker, self.worker)
        if me is None:
            log.warning("buried", worker=self.worker)
            raise Buried
        await self._store.commit(Changes(replacements=[beating(me, self._clock())]))
        # From before it was committed: the others may have looked right then.
        self._beaten_at = began
        self._beaten.set()

    async def _look(self) -> None:
        there = await self._store.scan(Worker, limit=MOST_HELD)
        if time.monotonic() - self._looked_at > self._beat_every * 0.9:  # looks closer together prove nothing
            self._looked_at = time.monotonic()
            for worker in self._roll.look(there):
                if worker.id != self.worker:
                    await self._note(worker)
            there = await self._store.scan(Worker, limit=MOST_HELD)
        self._living = frozenset(worker.id for worker in there)
        self._lively = frozenset(worker.id for worker in there if is_lively(worker))

    async def _note(self, quiet: Worker) -> None:
        """Note that a worker was silent; or bury it."""
        noted = silent(quiet)
        with suppress(Conflict):  # it is alive after all, or somebody else was faster
            if is_dead(noted):
                await self._store.commit(await buried(self._store, quiet, self._channels, self._clock()))
                log.warning("worker_died", worker=quiet.id, last_beat=quiet.beat_at.isoformat())
            else:
                await self._store.commit(Changes(replacements=[noted]))
                self._roll.noted(quiet)

    async def is_living(self, worker_id: str) -> bool:
        """Whether a worker is alive, as far as anybody knows."""
        return worker_id in self._living or await self._store.find(Worker, worker_id) is not None

    # ------------------------------------------------------------ duties: one worker for as long as it lives

    async def _share_out(self, duties: Mapping[str, Duty], group: asyncio.TaskGroup) -> None:
        leases = {lease.id: lease for lease in await self._store.scan(Lease, limit=MOST_HELD)}
        for name in list(self._duties):
            if leases.get(name) != self._duties[name][0]:
                log.warning("lease_lost", lease=name, worker=self.worker)
                await self._end(name)
        held = Counter(lease.worker_id for name, lease in leases.items() if name in duties)
        loads = {worker: held[worker] for worker in self._lively | {self.worker}}
        mine = list(self._duties)
        for name in mine[len(mine) - to_hand_on(len(duties), loads, self.worker) :]:
            lease = self._duties[name][0]
            await self._end(name)
            with suppress(Conflict):
                await self._store.commit(Changes(deletions=[lease]))
            log.info("lease_handed_on", lease=name, worker=self.worker)
        left_over, self._left_over = self._left_over, set()
        for name in [name for name in duties if name not in mine and self._is_free(leases.get(name))]:
            if len(self._duties) >= share(len(duties), len(loads)) and name not in left_over:
                self._left_over.add(name)  # for who has less to do; still free at the next look, it is anybody's
                continue
            taken = await self._take(name, leases.get(name))
            if taken is not None:
                log.info("lease_taken", lease=name, worker=self.worker)
                self._duties[name] = (taken, group.create_task(duties[name](taken), name=name))

    def _is_free(self, held: Lease | None) -> bool:
        return held is None or held.worker_id not in self._living - {self.worker}

    async def _take(self, name: str, held: Lease | None) -> Lease | None:
        mine = Lease(id=name, version=held.version if held else 0, worker_id=self.worker, taken_at=self._clock())
        try:
            await self._store.commit(Changes(replacements=[mine]) if held else Changes(inserts=[mine]))
        except Conflict:
            return None
        return await self._store.find(Lease, name)

    async def _end(self, name: str) -> None:
        _, task = self._duties.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def require(self, held: Lease | Claim) -> None:
        """Nothing, while what was taken is still ours.

        Raises:
            LeaseLost: it is another's, or nobody's.
        """
        current = await self._store.find(type(held), held.id)
        if current != held:
            self._look_now.set()
            raise LeaseLost(f"{held.id} is no longer held by {held.worker_id}")

    # ------------------------------------------------------------ claims: whoever comes first, for a short while

    async def claim(self, name: str) -> Claim | None:
        """The right to work through a lane; None when another worker has it."""
        held = await self._store.find(Claim, name)
        if held is not None and held.worker_id != self.worker and await self.is_living(held.worker_id):
            return None
        version = held.version if held else 0
        mine = Claim(id=name, version=version, worker_id=self.worker, taken_at=self._clock())
        try:
            await self._store.commit(Changes(replacements=[mine]) if held else Changes(inserts=[mine]))
        except Conflict:
            return None
        return Claim(id=name, version=version + 1, worker_id=self.worker, taken_at=mine.taken_at)

    async def give_back(self, claim: Claim) -> None:
        """Let go of a lane; what is no longer ours stays as it is."""
        try:
            await self._store.commit(Changes(deletions=[claim]))
        except (Conflict, StoreUnavailable):
            log.info("claim_not_given_back", claim=claim.id)
