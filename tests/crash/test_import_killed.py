"""SIGKILL at random moments of bringing years of mail in, beside a worker: nothing lost, nothing twice, nobody told."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import pytest

from inbox.ledger import balance, list_channels
from inbox.model import Conversation, Cursor, Delivery, Direction, Message, Receipt, Status
from inbox.parts import ChannelId
from inbox.store.sqlite import SqliteStore
from tests.builders import at
from tests.crash.day import Day
from tests.crash.nursery import Nursery

SOURCE = ChannelId("import:vasseur")
KILLS = 10
MATTERS = 150
"""Each a question, our answer and a thank-you."""
OURS = "Cabinet du Dr Vasseur <cabinet@desk.test>"


def letter(matter: int, step: int) -> EmailMessage:
    made = EmailMessage()
    theirs = f"Client {matter} <client{matter}@client.test>"
    made["From"], made["To"] = (OURS, theirs) if step == 1 else (theirs, OURS)
    made["Subject"] = f"Affaire {matter}"
    made["Message-ID"] = f"<{matter}.{step}@client.test>"
    made["Date"] = format_datetime(at(-100_000 + step * MATTERS + matter))
    if step:
        made["In-Reply-To"] = f"<{matter}.{step - 1}@client.test>"
    made.set_content(f"Lettre {matter}.{step}")
    return made


def all_letters() -> list[EmailMessage]:
    return [letter(matter, step) for step in range(3) for matter in range(MATTERS)]


@pytest.mark.timeout(300)
@pytest.mark.asyncio(loop_scope="module")
async def test_history_that_is_broken_off_ten_times_is_there_once(
    nursery: Nursery, morning: Path, tmp_path: Path
) -> None:
    path = tmp_path / "old.mbox"
    written = b"".join(b"From a@b Mon Mar  2 14:05:00 2020\n" + each.as_bytes() + b"\n" for each in all_letters())
    path.write_bytes(written)
    day = Day(tmp_path, nursery)
    kills = 0
    async with day.open(before=morning), SqliteStore(day.store) as store:
        worker = await day.start()
        await worker.says('"started"')
        shown = len(day.anne.user.messages())

        async def done() -> int:
            cursor = await store.find(Cursor, SOURCE)
            return int(cursor.position.partition(" ")[2]) if cursor is not None else 0

        while kills < KILLS:
            before = await done()
            child = await nursery.start(
                "import", path, "--account", "vasseur", "--config", day.config, log=tmp_path / "import.log"
            )
            while child.alive and await done() == before:  # noqa: ASYNC110  # the store tells nobody in another process
                await asyncio.sleep(0.002)
            await asyncio.sleep(random.uniform(0, 0.03))
            if await child.end(signal.SIGKILL) != -signal.SIGKILL:
                break
            kills += 1
        assert kills == KILLS, f"it was over after {kills} kills: give it more to do"
        assert "brought in" in str(await day.command("import", str(path), "--account", "vasseur"))
        # The worker goes on with what comes, and is told nothing of what came long ago.
        day.mail("Puis-je passer jeudi ?")
        await day.sees(day.anne, "Puis-je passer jeudi ?", button="rel:")
        await day.settles()
        assert len(day.anne.user.messages()) == shown + 1

        old = [m for m in await store.scan(Message, limit=10_000) if m.text.startswith("Lettre")]
        said = Counter(m.text.strip() for m in old)
        assert said == Counter(str(each.get_content()).strip() for each in all_letters())
        assert sum(m.direction is Direction.OUTBOUND for m in old) == MATTERS
        matters = [c for c in await store.scan(Conversation, limit=10_000) if c.subject.startswith("Affaire")]
        assert Counter(c.message_count for c in matters) == {3: MATTERS}
        assert {c.status for c in matters} == {Status.CLOSED}
        theirs = {c.id for c in matters}
        assert [d for d in await store.scan(Delivery, limit=10_000) if d.conversation_id in theirs] == []
        assert sum(r.channel_id == SOURCE for r in await store.scan(Receipt, limit=10_000)) == 3 * MATTERS
        assert all(line.balanced for line in await balance(store, await list_channels(store)))
        assert await store.verify() == []
