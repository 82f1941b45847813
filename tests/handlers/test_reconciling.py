"""The nightly comparison as it goes wrong: it is tried again, and nothing else is disturbed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from channels.base import Arrival, Take
from channels.errors import TemporaryFailure
from handlers import reconciling
from handlers.reconciling import keep_reconciling, reconcile
from inbox.machinery import Recount
from inbox.model import Cursor, Delivery, Receipt, Role
from inbox.parts import ChannelId
from inbox.store.base import Changes
from inbox.watchkeeping import Patience
from tests.builders import MAIL
from tests.flow.hurried import everything
from tests.handlers.stage import CABINET, Letterbox, Stage

NIGHT = timedelta(hours=25)
OURS = frozenset([ChannelId("telegram:desk")])


class Listing(Letterbox):
    """A mailbox whose server keeps a list, and delivers what a test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] | None = []
        self.failures_to_list: list[Exception] = []
        self.gone: set[str] = set()
        self.asked = asyncio.Event()

    async def list_keys(self, position: str) -> list[str] | None:
        self.asked.set()
        if self.failures_to_list:
            raise self.failures_to_list.pop(0)
        return self.keys

    async def fetch(self, keys: Sequence[str], take: Take) -> None:
        raw = b"From: a@client.test\r\nSubject: Demande\r\nMessage-ID: <%s@client.test>\r\n\r\nUn mot.\r\n"
        arrivals = [
            Arrival(source_key=key, lane=MAIL, raw=raw % key.replace(":", ".").encode())
            for key in keys
            if key not in self.gone
        ]
        if arrivals:
            await take(arrivals)


async def received(stage: Stage, box: Letterbox, *, counted: timedelta | None = NIGHT) -> None:
    """The mailbox was received before, and compared so long ago."""
    now = datetime.now(UTC)
    stage.desk.channels[MAIL] = box  # type: ignore[index]  # a stage's desk is a test's to change
    inserts: list[Cursor | Recount] = [Cursor(id=MAIL, position="here", updated_at=now)]
    if counted is not None:
        inserts.append(Recount(id=MAIL, counted_at=now - counted))
    await stage.store.commit(Changes(inserts=inserts))


async def compared(stage: Stage) -> None:
    """Wait until the comparison is recorded."""
    watch = stage.store.watch(Recount)
    async with asyncio.timeout(20):
        while (await stage.store.get(Recount, MAIL)).counted_at < datetime.now(UTC) - timedelta(hours=1):
            await watch.wait(1)
    watch.close()


@pytest.mark.parametrize("failure", [TemporaryFailure(MAIL, "not now"), KeyError("what nobody foresaw")])
async def test_a_comparison_that_fails_is_made_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(reconciling, "AFTER_FAILURE", 0.01)
    async with Stage(tmp_path / "desk.db") as stage:
        box = Listing()
        box.failures_to_list = [failure]
        await received(stage, box)
        task = asyncio.create_task(keep_reconciling(stage.desk, Patience()))
        await compared(stage)
        assert box.failures_to_list == []
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_gone_at_its_server_is_told_and_not_waited_for(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db") as stage:
        owner = await stage.join("Anne", role=Role.OWNER)
        box = Listing()
        box.keys, box.gone = ["7:1", "7:2"], {"7:1", "7:2"}
        await received(stage, box, counted=None)
        found = await reconcile(stage.store, box, desk_bots=OURS, clock=stage.desk.clock)
        assert (found.on_server, found.known, found.gaps, found.taken_in) == (2, 0, 2, 0)
        await owner.sees("🔎", "2 courriels")
        assert [r for r in await everything(stage.store, Receipt) if r.channel_id == MAIL] == []


async def test_a_channel_whose_source_keeps_no_list_or_was_never_received_is_left_alone(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db") as stage:
        box = Listing()
        found = await reconcile(stage.store, box, desk_bots=OURS, clock=stage.desk.clock)
        assert (found.on_server, box.asked.is_set()) == (None, False)
        await received(stage, box, counted=None)
        box.keys = None
        found = await reconcile(stage.store, box, desk_bots=OURS, clock=stage.desk.clock)
        assert (found.on_server, found.gaps) == (None, 0)
        assert await everything(stage.store, Recount) == []
        found = await reconcile(stage.store, stage.desk.channels[CABINET], desk_bots=OURS, clock=stage.desk.clock)
        assert found.on_server is None
        assert await everything(stage.store, Delivery) == []


async def test_two_comparisons_at_once_take_each_mail_in_once_and_tell_it_once(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db") as stage:
        owner = await stage.join("Anne", role=Role.OWNER, on_duty=False)
        box = Listing()
        box.keys = [f"7:{uid}" for uid in range(1, 21)]
        await received(stage, box, counted=None)
        runs = [reconcile(stage.store, box, desk_bots=OURS, clock=stage.desk.clock) for _ in range(3)]
        found = await asyncio.gather(*runs)
        assert sum(run.taken_in for run in found) == 20
        await owner.sees("🔎", "20 courriels")
        receipts = await everything(stage.store, Receipt)
        assert sorted(receipt.sequence for receipt in receipts if receipt.channel_id == MAIL) == list(range(1, 21))
        notices = [d for d in await everything(stage.store, Delivery) if "notice.gap" in repr(d.payload)]
        assert len(notices) == 1
