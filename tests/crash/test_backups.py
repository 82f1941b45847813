"""Backups of a busy desk, one put back, and the desk going on from it: once, whatever was done since."""

from __future__ import annotations

import asyncio
import random
import signal
import stat
from collections import Counter
from pathlib import Path

import pytest

from inbox.ledger import balance, list_channels
from inbox.machinery import Backup
from inbox.model import DeliveryKind, DeliveryState, Direction, Message
from inbox.restored import THE_BACKUP
from inbox.store.base import Store
from inbox.store.documents import CONVERSATION_BY_NUMBER, DELIVERIES_BY_STATE, MESSAGES_OF_CONVERSATION
from inbox.store.sqlite import SqliteStore
from tests.contracts.backends import empty_database, open_at
from tests.crash.day import CABINET, Day
from tests.crash.nursery import Nursery

BACKUPS = 3
MOST_MAILS = 12
BUSY = "450 4.2.1 try again later"


async def said_in(store: Store) -> Counter[str]:
    """What clients said, by how often it stands there."""
    found: list[Message] = []
    for conversation in await store.list(CONVERSATION_BY_NUMBER, limit=1000):
        found += await store.list(MESSAGES_OF_CONVERSATION, conversation.id, limit=1000)
    return Counter(m.text.strip() for m in found if m.direction is Direction.INBOUND)


async def answer(day: Day, words: str, to: str) -> None:
    """Anne answers the mail with these words."""
    card = await day.sees(day.anne, to, button="rel:")
    day.anne.reply(card, words)
    day.press(day.anne, await day.sees(day.anne, "Aperçu", words, button="send"), "send")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_backup_made_while_the_desk_works_is_gone_on_from_without_doing_anything_twice(
    nursery: Nursery, morning: Path, tmp_path: Path
) -> None:
    day = Day(tmp_path, nursery)
    async with day.open(before=morning):
        worker = await day.start()
        copies = await _backups_under_load(day, tmp_path)
        day.mail("Puis-je passer jeudi ?")
        day.smtp.scripts[0] = {"MAIL": BUSY}
        await answer(day, "Oui, jeudi à 9 h.", "Puis-je passer jeudi ?")
        await day.until(lambda store: store.list(DELIVERIES_BY_STATE, CABINET, DeliveryKind.REPLY, DeliveryState.DUE))
        await _backed_up(day, tmp_path / "last.db")
        for copy in (*copies, tmp_path / "last.db"):
            await _is_whole(copy)

        # After the backups: the reply leaves, a mail and a message come, and the machine is lost.
        day.smtp.scripts[0] = {}
        for says in day.smtp.says:
            says["MAIL"] = "250 2.1.0 ok"
        assert (await day.has_ended("Oui, jeudi à 9 h.")).state is DeliveryState.SENT
        day.mail("Venu après la sauvegarde")
        await day.sees(day.anne, "Venu après la sauvegarde")
        day.lucas.user.send_text("Perdu avec la machine")
        await day.settles()
        await worker.end(signal.SIGKILL)

        said = await day.command("restore", str(tmp_path / "last.db"))
        assert said is not None
        assert "is what it was on" in said
        checking = await nursery.start("check", "--config", day.config, log=tmp_path / "check.log")
        await checking.ended()
        checked = checking.last_words()
        assert "1 deliveries that may have left since will be put before people" in checked
        await day.start()
        await day.sees(day.anne, "Le bureau a été rétabli depuis une sauvegarde")
        await day.sees(day.anne, "1 réponse qui a pu partir depuis attend")
        # What came by mail since comes again by itself.
        await day.sees(day.anne, "Venu après la sauvegarde", button="rel:")
        await day.settles()
        undecided = await day.has_ended("Oui, jeudi à 9 h.")
        assert (undecided.state, undecided.error) == (DeliveryState.UNKNOWN, "failure.restored")
        card = await day.sees(day.anne, "Oui, jeudi à 9 h.", button=f"del:{undecided.id}:sent")
        assert day.arrived("Oui, jeudi à 9 h.") == 1
        day.press(day.anne, card, f"del:{undecided.id}:sent")

        async def confirmed(_: Store) -> bool:
            return (await day.has_ended("Oui, jeudi à 9 h.")).state is DeliveryState.SENT

        await day.until(confirmed)
        await day.settles()
        assert day.arrived("Oui, jeudi à 9 h.") == 1, "it never left a second time"
        async with SqliteStore(day.store) as store:
            assert await said_in(store) == Counter(day.said), "each mail and each message from before is there once"
            assert all(line.balanced for line in await balance(store, await list_channels(store)))
            assert (await store.get(Backup, THE_BACKUP)).settled_at is not None
        assert day.worker is not None
        assert await day.worker.end(signal.SIGTERM) == 0


async def _backups_under_load(day: Day, folder: Path) -> list[Path]:
    """Backups made by the program while mails and messages come, each begun while something is on its way."""
    day.lucas.user.start("garnier")
    await day.sees(day.lucas, "Plomberie Garnier")
    feeding = asyncio.create_task(_feed(day))
    copies = [folder / f"copy-{number}.db" for number in range(BACKUPS)]
    for copy in copies:
        await _backed_up(day, copy)
    feeding.cancel()
    await asyncio.gather(feeding, return_exceptions=True)
    await day.settles()
    return copies


async def _backed_up(day: Day, copy: Path) -> None:
    said = await day.command("backup", str(copy))
    assert said is not None
    assert "verified" in said
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


async def _feed(day: Day) -> None:
    number = 0
    while True:
        number += 1
        if number % 8 == 1 and number < MOST_MAILS * 8:  # Anne is dealt twenty requests and no more
            day.mail(f"mail {number}")
        day.lucas_writes(f"message {number}")
        await asyncio.sleep(0.05)


async def _is_whole(copy: Path) -> None:
    async with SqliteStore(copy) as store:
        assert await store.verify() == []
        assert all(line.balanced for line in await balance(store, await list_channels(store)))
        assert (await store.get(Backup, THE_BACKUP)).settled_at is None
        said = await said_in(store)
        assert said.total() == len(said), "nothing stands there twice"


KILLS = 4


@pytest.mark.asyncio(loop_scope="module")
async def test_a_running_firm_moves_to_a_server_and_its_talk_goes_on_there(
    nursery: Nursery, morning: Path, tmp_path: Path, mongo_url: str
) -> None:
    chance = random.Random(7)
    day = Day(tmp_path, nursery)
    with empty_database(mongo_url) as url:
        async with day.open(before=morning):
            worker = await day.start()
            day.lucas.user.start("garnier")
            await day.sees(day.lucas, "Plomberie Garnier")
            question = day.lucas_writes("Ma chaudière fuit")
            await day.sees(day.anne, "Ma chaudière fuit", button="take:")
            # Beside the worker, killed again and again; what came meanwhile follows in the last pass.
            for _ in range(KILLS):
                copying = await nursery.start(
                    "copy", "--to", url, "--rehearse", "--config", day.config, log=tmp_path / "c"
                )
                await asyncio.wait([asyncio.create_task(copying.ended())], timeout=chance.uniform(0.5, 2.5))
                await copying.end(signal.SIGKILL)
            rehearsed = await day.command("copy", "--to", url, "--rehearse")
            assert rehearsed is not None
            assert "rehearsed" in rehearsed
            for number in range(5):
                day.mail(f"Venu pendant le déménagement {number}")
            await day.sees(day.anne, "Venu pendant le déménagement 4", button="rel:")
            await day.settles()
            assert await worker.end(signal.SIGTERM) == 0
            for _ in range(KILLS):
                copying = await nursery.start("copy", "--to", url, "--config", day.config, log=tmp_path / "c")
                await asyncio.wait([asyncio.create_task(copying.ended())], timeout=chance.uniform(0.3, 1.2))
                await copying.end(signal.SIGKILL)
            last = await nursery.start("copy", "--to", url, "--config", day.config, log=tmp_path / "c")
            await last.ended()  # one of those before may have come to its end
            assert "all of it" in last.last_words()
            refused = await nursery.start("run", "--config", day.config, log=tmp_path / "old.log")
            assert await refused.ended() == 1
            assert "this firm was moved to" in refused.last_words()

            there = day.config.read_text().replace(f"sqlite:{day.store}", url)
            day.config.write_text(there)
            await (await day.start()).says('"started"')
            day.press(day.anne, await day.sees(day.anne, "Ma chaudière fuit", button="take:"), "take:")
            day.anne.reply(await day.sees(day.anne, "Ma chaudière fuit", button="rel:"), "Nous arrivons.")
            day.press(day.anne, await day.sees(day.anne, "Aperçu", "Nous arrivons.", button="send"), "send")
            got = await day.sees(day.lucas, "Nous arrivons.")
            assert got["reply_to_message"]["message_id"] == question["message_id"]
            day.mail("Et le courrier vient ici")
            await day.sees(day.anne, "Et le courrier vient ici", button="rel:")
            assert day.worker is not None
            assert await day.worker.end(signal.SIGTERM) == 0
        async with open_at(f"pymongo:{url}") as store:
            assert await said_in(store) == Counter(day.said)
            assert all(line.balanced for line in await balance(store, await list_channels(store)))
