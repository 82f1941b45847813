"""The wall clock set an hour back or forward under a running worker: nothing lost, doubled, stuck or declared dead."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable
from pathlib import Path

import pytest

from inbox.model import DeliveryState
from tests.crash import scenes
from tests.crash.day import WITHIN, Day
from tests.crash.nursery import Child, Nursery
from tests.servers.scripted_smtp import ANSWERS_LATE

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR = 3600


class Wall:
    """The clock on the wall of the worker's machine, and how wrong it is."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "wall"
        self.is_off(0)

    def is_off(self, seconds: float) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self.file)


@pytest.fixture
def wall(tmp_path: Path) -> Wall:
    return Wall(tmp_path)


async def _works(day: Day, worker: Child) -> None:
    """All that can be waiting for a time, on this side of a jump and on that."""
    await scenes.a_mail_is_answered(day)
    day.mail("Et mon ordonnance ?")
    await day.sees(day.anne, "Et mon ordonnance ?", button="rel:")
    await scenes.lucas_writes(day)
    await day.settles()
    assert worker.alive
    await day.is_true()


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
async def test_a_reply_that_waits_out_its_undo_time_leaves_when_that_is_over(
    nursery: Nursery, morning: Path, tmp_path: Path, wall: Wall, jump: float
) -> None:
    day = Day(tmp_path, nursery, undo=3)
    async with day.open(before=morning):
        worker = await day.start(wall=wall.file)
        answering = asyncio.create_task(scenes.a_mail_is_answered(day))
        await day.sees(day.anne, "Votre réponse", button="undo")
        wall.is_off(jump)
        await _soon(answering)
        await worker.says("clock_jumped")
        assert (await day.has_ended("Oui, jeudi à 9 h.")).state is DeliveryState.SENT
        day.mail("Et mon ordonnance ?")
        await day.sees(day.anne, "Et mon ordonnance ?", button="rel:")
        await day.settles()
        await day.is_true()


async def _soon(what: Awaitable[None]) -> None:
    async with asyncio.timeout(WITHIN):
        await what


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
async def test_a_reply_that_is_to_be_tried_again_is_tried_again(
    nursery: Nursery, morning: Path, tmp_path: Path, wall: Wall, jump: float
) -> None:
    """The server was busy, and the clock is set while the next try is waited for, five seconds by the rule."""
    day = Day(tmp_path, nursery)
    async with day.open(before=morning):
        day.smtp.scripts[0] = {"RCPT": "450 4.2.1 mailbox busy"}
        await day.start(wall=wall.file)
        answering = asyncio.create_task(scenes.a_mail_is_answered(day))
        await day.sees(day.anne, "Oui, jeudi à 9 h.", "nouvel essai")
        wall.is_off(jump)
        day.smtp.scripts[0] = {}
        for says in day.smtp.says:
            says["RCPT"] = "250 2.1.5 ok"
        await _soon(answering)
        await day.settles()
        await day.is_true()
        assert day.arrived("Oui, jeudi à 9 h.") == 1


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
async def test_a_reply_that_is_being_handed_over_is_ours_still(
    nursery: Nursery, morning: Path, tmp_path: Path, wall: Wall, jump: float
) -> None:
    """Its lease of twelve minutes is over by the wall; the worker that has it knows better."""
    day = Day(tmp_path, nursery)
    async with day.open(before=morning):
        day.smtp.scripts[0] = {"text": ANSWERS_LATE}
        worker = await day.start(wall=wall.file)
        answering = asyncio.create_task(scenes.a_mail_is_answered(day))
        await asyncio.wait_for(day.smtp.has_text.wait(), WITHIN)
        wall.is_off(jump)
        # Whatever else falls due has the leases looked at.
        day.mail("Et mon ordonnance ?")
        await day.sees(day.anne, "Et mon ordonnance ?", button="rel:")
        day.smtp.reads.set()
        await _soon(answering)
        await day.settles()
        assert "lease_expired" not in worker.log.read_text()
        await day.is_true()
        assert (await day.has_ended("Oui, jeudi à 9 h.")).state is DeliveryState.SENT


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
async def test_all_that_comes_and_goes_after_a_jump_comes_and_goes_as_before(
    nursery: Nursery, morning: Path, tmp_path: Path, wall: Wall, jump: float
) -> None:
    day = Day(tmp_path, nursery)
    async with day.open(before=morning):
        worker = await day.start(wall=wall.file)
        await worker.says('"started"')
        wall.is_off(jump)
        await _works(day, worker)
        assert f'"direction": "{"back" if jump < 0 else "forward"}"' in worker.log.read_text()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_worker_that_starts_an_hour_before_the_last_one_ended_does_not_wait_for_that_hour(
    nursery: Nursery, morning: Path, tmp_path: Path, wall: Wall, how: signal.Signals
) -> None:
    """What waits was due seconds later by the old clock: it is an hour away by the new."""
    day = Day(tmp_path, nursery, undo=10)
    async with day.open(before=morning):
        worker = await day.start(wall=wall.file)
        answering = asyncio.create_task(scenes.a_mail_is_answered(day))
        await day.sees(day.anne, "Votre réponse", button="undo")
        await worker.end(how)
        day.deaths += 1
        wall.is_off(-HOUR)
        after = await day.start(wall=wall.file)
        await _soon(answering)
        await after.says("clock_behind")
        await day.settles()
        await day.is_true()
        assert (await day.has_ended("Oui, jeudi à 9 h.")).state is DeliveryState.SENT
