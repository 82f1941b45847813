"""Several workers on one store: what must be done once is done by one of them, and who slept commits nothing."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.base import Arrival
from handlers.crew import Buried, Crew, Duty
from handlers.desk import Unit
from handlers.incoming import Incoming, accepting
from handlers.start import build_dispatcher
from inbox.errors import Conflict, LeaseLost
from inbox.leases import lane_claim
from inbox.ledger import balance
from inbox.machinery import Claim, Lease, Worker
from inbox.model import Conversation, Cursor, Delivery, Message, Receipt, ReceiptState
from inbox.store.base import Changes, Store
from inbox.store.sqlite import SqliteStore
from tests.builders import MAIL, NOW
from tests.flow.running import mail
from tests.handlers.stage import Letterbox, a_desk

BEAT = timedelta(milliseconds=50)
PATIENCE = 20.0


class Hands:
    """What each worker is doing at this moment, and what it ever did."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self.at_work: Counter[tuple[str, str]] = Counter()

    def duties(self, worker: str) -> dict[str, Duty]:
        return {name: self._duty(worker, name) for name in self.names}

    def _duty(self, worker: str, name: str) -> Duty:
        async def duty(lease: Lease | None) -> None:
            assert lease is not None
            self.at_work[worker, name] += 1
            try:
                await asyncio.Event().wait()
            finally:
                self.at_work[worker, name] -= 1

        return duty

    def held(self) -> dict[str, list[str]]:
        """Who does each duty."""
        return {
            name: [w for (w, n), times in self.at_work.items() for _ in range(times) if n == name]
            for name in self.names
        }

    def load(self) -> list[int]:
        loads = Counter(worker for workers in self.held().values() for worker in workers)
        return sorted(loads.values())


async def eventually(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not look():  # noqa: ASYNC110  # nobody tells when a lease moves
            await asyncio.sleep(BEAT.total_seconds() / 2)


def now() -> datetime:
    return NOW


@asynccontextmanager
async def crew_on(path: Path, name: str) -> AsyncIterator[Crew]:
    async with SqliteStore(path) as store:
        crew = Crew(store, name, "host", [MAIL], now, beat=BEAT)
        await crew.join()
        yield crew


@asynccontextmanager
async def at_work(path: Path, name: str, hands: Hands) -> AsyncIterator[asyncio.Task[None]]:
    """A worker that keeps its duties; left, it is dead rather than gone: it lets go of nothing."""
    async with crew_on(path, name) as crew:
        task = asyncio.create_task(crew.keep(hands.duties(name)))
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Buried):
                await task


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "desk.db"


async def test_each_duty_is_done_by_one_worker_and_nobody_has_two_more_than_another(path: Path) -> None:
    hands = Hands(f"receive {n}" for n in range(7))
    async with at_work(path, "one", hands), at_work(path, "two", hands), at_work(path, "three", hands):
        await eventually(lambda: hands.load() == [2, 2, 3])
        assert all(len(workers) == 1 for workers in hands.held().values())


async def test_what_a_dead_worker_held_is_taken_over_by_the_living(path: Path) -> None:
    hands = Hands(f"receive {n}" for n in range(6))
    async with at_work(path, "one", hands), AsyncExitStack() as stack:
        await stack.enter_async_context(at_work(path, "two", hands))
        await eventually(lambda: hands.load() == [3, 3])
        await stack.aclose()
        await eventually(lambda: hands.load() == [6])
        async with SqliteStore(path) as store:
            assert [worker.id for worker in await store.scan(Worker)] == ["one"]


async def test_a_worker_that_leaves_in_order_is_not_waited_for(path: Path) -> None:
    hands = Hands(["deal"])
    async with crew_on(path, "one") as leaving:
        keeping = asyncio.create_task(leaving.keep(hands.duties("one")))
        await eventually(lambda: hands.held() == {"deal": ["one"]})
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await leaving.leave()
        async with SqliteStore(path) as store:
            assert not await store.scan(Worker)
            assert not await store.scan(Lease)


async def test_a_worker_that_was_taken_for_dead_drops_everything_and_says_so(path: Path) -> None:
    hands = Hands(["deal"])
    async with at_work(path, "one", hands) as one:
        await eventually(lambda: hands.held() == {"deal": ["one"]})
        async with SqliteStore(path) as store:
            await _bury(store, "one")
        with pytest.raises(Buried):
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(one)
        assert hands.held() == {"deal": []}


async def _bury(store: Store, name: str) -> None:
    while True:
        with suppress(Conflict):  # it beat right then
            return await store.commit(Changes(deletions=[await store.get(Worker, name)]))


async def test_a_worker_is_not_sure_of_itself_when_it_did_not_beat(path: Path) -> None:
    async with crew_on(path, "one") as crew:
        assert crew.sure
        await eventually(lambda: not crew.sure)
        waiting = asyncio.create_task(crew.until_sure())
        keeping = asyncio.create_task(crew.keep({}))
        async with asyncio.timeout(PATIENCE):
            await waiting
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def test_who_slept_while_another_took_over_receives_nothing_more(path: Path) -> None:
    async with crew_on(path, "one") as one, crew_on(path, "two") as two:
        name = f"receive {MAIL}"
        slept = await one._take(name, None)
        assert slept is not None
        await _bury(one._store, "one")
        await two._look()
        taken = await two._take(name, await two._store.get(Lease, name))
        assert taken is not None
        await accepting(a_desk(two._store, crew=two), MAIL, taken)([Arrival("1:1", MAIL, b"first")], "1")
        late = accepting(a_desk(one._store, crew=one), MAIL, slept)
        with pytest.raises(LeaseLost):
            await late([Arrival("1:2", MAIL, b"second")], "0")
        cursor = await two._store.get(Cursor, MAIL)
        assert (cursor.position, cursor.received) == ("1", 1)
        assert [receipt.source_key for receipt in await two._store.scan(Receipt)] == ["1:1"]


async def test_of_two_that_claim_a_lane_together_one_gets_it(path: Path) -> None:
    async with crew_on(path, "one") as one, crew_on(path, "two") as two:
        claims = await asyncio.gather(one.claim("in x"), two.claim("in x"))
        [mine] = [claim for claim in claims if claim is not None]
        holder, other = (one, two) if mine.worker_id == "one" else (two, one)
        assert await other.claim("in x") is None
        await holder.give_back(mine)
        theirs = await other.claim("in x")
        assert theirs is not None
        await other.require(theirs)
        with pytest.raises(LeaseLost):
            await holder.require(mine)


async def test_the_lane_of_a_dead_worker_can_be_claimed_and_what_it_still_does_there_is_refused(path: Path) -> None:
    async with crew_on(path, "one") as one, crew_on(path, "two") as two:
        slept = await one.claim("in x")
        assert slept is not None
        await _bury(one._store, "one")
        await two._look()
        assert await two.claim("in x") is not None
        with pytest.raises(LeaseLost):
            await one.require(slept)


async def test_what_is_handled_under_a_claim_that_was_lost_is_not_committed(path: Path) -> None:
    async with crew_on(path, "one") as one, crew_on(path, "two") as two:
        desk = a_desk(one._store, crew=one)
        await accepting(desk, MAIL)([Arrival("1:1", "x", b"first")], "1")
        [receipt] = await one._store.scan(Receipt)
        slept = await one.claim(lane_claim(MAIL, "x"))
        await _bury(one._store, "one")
        await two._look()
        assert await two.claim(lane_claim(MAIL, "x")) is not None
        with pytest.raises(Conflict):
            await Unit(desk, receipt, slept).ignore("seen by who slept")
        assert (await two._store.get(Receipt, receipt.id)).state is ReceiptState.WAITING


class NobodyWorks(asyncio.TaskGroup):
    """Takes every lane on, and begins none."""

    def create_task(self, coro: Any, **_: Any) -> Any:
        coro.close()


async def test_a_lane_that_was_left_to_another_begins_with_what_waited_longest(path: Path) -> None:
    async with crew_on(path, "one") as one:
        desk = a_desk(one._store, crew=one, channels={MAIL: Letterbox()})
        accept, incoming = accepting(desk, MAIL), Incoming(desk, MAIL, build_dispatcher(), {})
        incoming._elsewhere["x"] = math.inf
        await accept([Arrival("1:1", "x", b"first"), Arrival("1:2", "another", b"busy with this")], "2")
        await incoming._gather(NobodyWorks())
        assert list(incoming._lanes) == ["another"]
        incoming._elsewhere.clear()  # it gave the lane back
        await accept([Arrival("1:3", "x", b"second")], "3")
        await incoming._gather(NobodyWorks())
        assert [receipt.source_key for receipt in incoming._lanes["x"]] == ["1:1", "1:3"]


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_two_workers_handle_the_mails_of_many_lanes_once_and_in_order(path: Path) -> None:
    lanes, mails = 6, 10
    async with AsyncExitStack() as stack:
        stores = []
        for name in ("one", "two"):
            crew = await stack.enter_async_context(crew_on(path, name))
            stores.append(crew._store)
            desk = a_desk(crew._store, crew=crew, channels={MAIL: Letterbox()})
            loops = [Incoming(desk, MAIL, build_dispatcher(), {}).run(), crew.keep({})]
            for loop in loops:
                task = asyncio.create_task(loop)
                stack.push_async_callback(_ended, task)
        accept = accepting(a_desk(stores[0]), MAIL)
        for number in range(mails):
            arrivals = [
                Arrival(
                    f"1:{lane}.{number}",
                    f"lane {lane}",
                    mail(
                        f"Demande {lane}",
                        f"mot {number}",
                        sender=f"{lane}@client.test",
                        message_id=f"{lane}.{number}@x",
                    ),
                )
                for lane in range(lanes)
            ]
            await accept(arrivals, str(number))

        async def all_handled() -> bool:
            [line] = await balance(stores[0], [MAIL])
            return line.handled == lanes * mails

        async with asyncio.timeout(60):
            while not await all_handled():  # noqa: ASYNC110  # the ledger tells nobody
                await asyncio.sleep(0.05)
        messages = await stores[1].scan(Message, limit=1000)
        assert len(messages) == lanes * mails
        for lane in range(lanes):
            theirs = [m for m in messages if m.author_address == f"{lane}@client.test"]
            order = sorted(theirs, key=lambda m: m.id)
            assert [m.text.strip() for m in order] == [f"mot {number}" for number in range(mails)]
        [line] = await balance(stores[1], [MAIL])
        assert line.balanced
        assert not await stores[1].scan(Claim)
        assert len(await stores[1].scan(Conversation, limit=1000)) == lanes * mails
        assert all(receipt.state is ReceiptState.HANDLED for receipt in await stores[1].scan(Receipt, limit=1000))
        assert not await stores[1].scan(Delivery)
