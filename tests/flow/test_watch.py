"""What an owner hears of a channel that is down, behind or silent: once, in her words, and when it is over."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from bot.demo.telegram_server import TelegramServer
from bot.settings import BotSettings, OwnerSettings
from bot.wiring import open_store
from channels.mail.mailbox import Mailbox
from inbox.envelope import Envelope
from inbox.machinery import Habit, Trouble
from inbox.model import Cursor, Delivery, DeliveryState
from inbox.store.base import Changes
from tests.flow.hurried import MAILBOX, PACE, all_handled, everything, hurry, notices, owned, quickly, the_owner, until
from tests.flow.running import At, desk_settings, mail, running
from tests.servers.dovecot import Dovecot
from tests.servers.scripted_imap import ScriptedImap

NOWHERE = 1
PARIS = ZoneInfo("Europe/Paris")
SOON = timedelta(seconds=1)
SECOND_TOKEN = "43000001:AAE-second-token-that-opens-nothing"


async def test_a_mailbox_that_is_down_is_told_once_also_over_a_restart_and_its_return_as_well(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly(down=SOON))
    settings = owned(desk_settings(tmp_path, dovecot, NOWHERE, telegram))
    lise = At(telegram.user(902, "Lise"))
    lise.user.start()
    english = OwnerSettings(id=902, name="Lise", language="en")
    settings = settings.model_copy(update={"owners": (*settings.owners, english)})
    anne = the_owner(telegram)
    async with running(settings):
        dovecot.deliver("cabinet", mail("Bonjour", "Un mot.", message_id="q1@client.test"))
        await until(settings, all_handled(1))
        await asyncio.to_thread(dovecot.stop)
        await anne.sees("🔌 mail:cabinet : pas de connexion depuis", "« permanence check »")
        await lise.sees("🔌 mail:cabinet: no connection since", "“permanence check”")
        await asyncio.sleep(2)
    async with running(settings):
        await asyncio.sleep(2.5)  # several looks: it is still down, and was told
        assert notices(anne, "mail:cabinet") == notices(anne, "pas de connexion")
        assert len(notices(anne, "mail:cabinet")) == len(notices(lise, "mail:cabinet")) == 1
        await asyncio.to_thread(dovecot.start)
        await anne.sees("✅ mail:cabinet", "rétablie")
        await lise.sees("✅ mail:cabinet", "back")
    assert len(notices(anne, "mail:cabinet")) == len(notices(lise, "mail:cabinet")) == 2


async def test_what_lasts_is_told_again_after_a_long_while(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly(down=SOON, again=timedelta(seconds=2)))
    settings = owned(desk_settings(tmp_path, dovecot, NOWHERE, telegram))
    anne = the_owner(telegram)
    async with running(settings):
        await until(settings, lambda _: True)
        await asyncio.to_thread(dovecot.stop)
        async with asyncio.timeout(20):
            while len(notices(anne, "pas de connexion")) < 3:
                anne.user.saw.clear()
                await anne.user.saw.wait()
    assert notices(anne, "rétablie") == []


async def test_a_connection_that_flickers_is_not_worth_a_word(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly(down=timedelta(seconds=20)))
    settings = owned(desk_settings(tmp_path, dovecot, NOWHERE, telegram))
    anne = the_owner(telegram)
    async with running(settings):
        for number in range(3):
            await asyncio.to_thread(dovecot.kill9)
            await asyncio.to_thread(dovecot.start)
            dovecot.deliver("cabinet", mail("Bonjour", f"mail {number}", message_id=f"q{number}@client.test"))
            await until(settings, all_handled(number + 1))
    assert notices(anne, "mail:cabinet") == []


async def test_a_bot_that_is_down_is_told_through_another_of_the_desks_bots(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly(down=SOON))
    settings = owned(desk_settings(tmp_path, dovecot, NOWHERE, telegram))
    async with TelegramServer(token=SECOND_TOKEN, username="second_bot") as second:
        other = BotSettings(token=SecretStr(SECOND_TOKEN), api_server=second.url)
        settings = settings.model_copy(update={"bots": {**settings.bots, "second": other}})
        anne, elsewhere = the_owner(telegram), the_owner(second)
        async with running(settings):
            await until(settings, lambda _: True)
            await anne.sees("")  # the first bot answered her Start: it was up
            await telegram.go_down()
            await elsewhere.sees("🔌 telegram:desk : pas de connexion depuis")
            await telegram.go_up()
            await anne.sees("✅ telegram:desk", "rétablie")
        assert notices(anne, "pas de connexion") == []


async def test_where_no_bot_is_left_the_notice_waits_in_the_outbox(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly(down=SOON))
    settings = owned(desk_settings(tmp_path, dovecot, NOWHERE, telegram))
    anne = the_owner(telegram)
    async with running(settings):
        await anne.sees("")
        await telegram.go_down()
        async with open_store(settings, exclusive=False) as store:
            watch = store.watch(Trouble, Delivery)
            async with asyncio.timeout(20):
                while not await everything(store, Trouble):
                    await watch.wait(1)
            watch.close()
            waiting = [
                d for d in await everything(store, Delivery) if d.state in (DeliveryState.DUE, DeliveryState.LEASED)
            ]
            assert len(waiting) == 1
        await telegram.go_up()
        await anne.sees("🔌 telegram:desk : pas de connexion depuis")
        await anne.sees("✅ telegram:desk", "rétablie")


async def test_mail_that_is_received_and_not_handled_is_told(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly(behind=SOON))
    settings = owned(desk_settings(tmp_path, dovecot, NOWHERE, telegram))
    anne = the_owner(telegram)
    held = asyncio.Event()
    read = Mailbox.read
    loop = asyncio.get_running_loop()

    def slowly(self: Mailbox, raw: bytes) -> Envelope:
        asyncio.run_coroutine_threadsafe(held.wait(), loop).result(30)
        return read(self, raw)

    monkeypatch.setattr(Mailbox, "read", slowly)
    async with running(settings):
        dovecot.deliver("cabinet", mail("Bonjour", "Un mot.", message_id="q1@client.test"))
        await anne.sees("⏳ mail:cabinet : du retard", "attend d’être traité depuis")
        held.set()
        await anne.sees("✅ mail:cabinet", "rattrapé")
    assert len(notices(anne, "⏳")) == 1


async def test_mail_the_server_announced_and_does_not_hand_over_is_told(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly(behind=SOON), pace=replace(PACE, undelivered=(timedelta(seconds=1),) * 30))
    anne = the_owner(telegram)
    async with ScriptedImap() as scripted:
        scripted.mails = {1: mail("Bonjour", "Un mot.", message_id="q1@client.test")}
        scripted.scripts["UID FETCH"] = lambda tag, args: f"{tag} OK\r\n".encode() if "BODY" in args else None
        settings = owned(desk_settings(tmp_path, dovecot, NOWHERE, telegram), port=scripted.port)
        async with running(settings):
            await anne.sees("⏳ mail:cabinet : du retard")
            scripted.scripts.clear()
            await anne.sees("✅ mail:cabinet", "rattrapé")
            await until(settings, all_handled(1))
    assert len(notices(anne, "⏳")) == 1


async def test_a_mailbox_that_is_silent_against_its_habit_is_told_until_mail_arrives_again(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly(down=timedelta(seconds=10), silent={MAILBOX: None}))
    settings = owned(desk_settings(tmp_path, dovecot, NOWHERE, telegram))
    anne = the_owner(telegram)
    dovecot.deliver("cabinet", mail("Bonjour", "Un mot.", message_id="q1@client.test"))
    async with running(settings):
        await until(settings, all_handled(1))
    async with open_store(settings, exclusive=False) as store:
        # Four weeks of ten mails an hour, and nothing for the last five hours.
        cursor = await store.get(Cursor, MAILBOX)
        last = cursor.updated_at - timedelta(hours=5)
        week = (datetime.now(UTC) - timedelta(hours=n) for n in range(24 * 30))
        hours = {f"{at.astimezone(PARIS):%Y-%m-%dT%H}": 10 for at in week if at < last}
        before = await store.find(Habit, MAILBOX)
        habit = Habit(id=MAILBOX, received=cursor.received, heard_at=last, hours=hours)
        gone = Changes(deletions=[before]) if before else Changes()
        await store.commit(gone + Changes(inserts=[habit]))
    async with running(settings):
        await anne.sees("🔕 mail:cabinet : aucun courriel reçu depuis", "un courriel d’essai")
        dovecot.deliver("cabinet", mail("Essai", "Un essai.", message_id="q2@client.test"))
        await anne.sees("✅ mail:cabinet", "arrivent de nouveau")
    assert len(notices(anne, "🔕")) == 1
