"""The demo's script: the real worker between the stand-ins, a day from the first mail to the last answer."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rich.console import Console

from bot.demo.desk import DemoDesk
from bot.demo.scene import ANNE, SOPHIE
from bot.demo.script import UNDO_SECONDS, Day, play
from bot.demo.seat import Seat


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[DemoDesk]:
    async with DemoDesk(tmp_path, undo_seconds=UNDO_SECONDS) as running:
        yield running


async def test_every_step_of_the_day_holds(desk: DemoDesk) -> None:
    said = io.StringIO()
    assert await play(desk, Console(file=said, width=100)) == 0, said.getvalue()
    for name, _ in Day(desk, Console(file=io.StringIO())).steps:
        assert name in said.getvalue()
    assert len(desk.mail.inbox(SOPHIE.address)) == 2


async def test_a_step_that_fails_ends_the_script_and_is_named(desk: DemoDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def deaf(*_: object, sender: str) -> None:
        """The client's words never reach the desk, and nobody waits long for them."""
        monkeypatch.setattr("bot.demo.seat.PATIENCE", 0.2)

    monkeypatch.setattr(desk.mail, "deliver", deaf)
    said = io.StringIO()
    assert await play(desk, Console(file=said, width=100)) == 1
    assert "Step 2 failed: Sophie writes a mail to Dr Vasseur" in said.getvalue()


async def test_a_worker_that_stops_ends_what_waits_for_it(desk: DemoDesk) -> None:
    anne = Seat(desk.telegram, ANNE)
    anne.say(f"/start {desk.invitations[ANNE.id]}")
    await anne.sees("a welcome", ANNE.first_name)
    waiting = asyncio.create_task(desk.unless_the_worker_fails(asyncio.Event().wait()))
    await asyncio.sleep(0)
    desk.stop_worker()
    with pytest.raises(RuntimeError, match="the worker has stopped"):
        await waiting
