"""The ledger compared with the mail server's own list: what was missing is taken in, once, and the owner knows."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from bot.demo.telegram_server import TelegramServer
from bot.settings import Settings
from bot.wiring import open_store
from channels.mail.positions import Position
from inbox.machinery import Recount
from inbox.model import Cursor, Receipt
from inbox.store.base import Changes
from tests.flow.hurried import (
    MAILBOX,
    all_handled,
    config,
    everything,
    hurry,
    ledger,
    notices,
    owned,
    quickly,
    the_owner,
    until,
)
from tests.flow.running import desk_settings, mail, running
from tests.servers.dovecot import Dovecot
from tests.servers.line import Line

NOWHERE = 1


def letter(number: int) -> bytes:
    return mail(
        f"Demande {number}",
        f"mail {number}",
        sender=f"Client {number} <client{number}@client.test>",
        message_id=f"m{number}@client.test",
    )


def texts(count: int) -> list[str]:
    return [f"mail {number}" for number in range(count)]


def settings_of(tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer) -> Settings:
    return owned(desk_settings(tmp_path, dovecot, NOWHERE, telegram))


async def permanence(*arguments: str, config: Path) -> tuple[int, list[list[str]], str]:
    """A command run as people run it: how it ended, the words of each line, and what it complained of."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("permanence"),
        *arguments,
        "--config",
        config,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    assert process.returncode is not None
    return process.returncode, [line.split() for line in said.decode().splitlines()], complained.decode()


async def lose(settings: Settings, which: Callable[[Receipt], bool]) -> None:
    """Delete receipts behind the desk's back."""
    async with open_store(settings, exclusive=False) as store:
        receipts = [receipt for receipt in await everything(store, Receipt) if which(receipt)]
        await store.commit(Changes(deletions=receipts))


async def advance(settings: Settings, by: int) -> None:
    """Put the cursor behind mails that were never received."""
    async with open_store(settings, exclusive=False) as store:
        cursor = await store.get(Cursor, MAILBOX)
        position = Position.from_text(cursor.position)
        ahead = msgspec.structs.replace(position, uid=position.uid + by).to_text()
        await store.commit(Changes(replacements=[msgspec.structs.replace(cursor, position=ahead)]))


async def test_a_receipt_that_vanished_is_found_and_handled_once_and_the_ledger_balances_again(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly())
    settings, path = settings_of(tmp_path, dovecot, telegram), config(tmp_path, dovecot, telegram)
    anne = the_owner(telegram)
    dovecot.deliver("cabinet", *map(letter, range(4)))
    async with running(settings):
        before = await until(settings, all_handled(4))
        assert (await permanence("receipts", "--reconcile", config=path))[:2] == (
            0,
            [
                ["channel", "on", "the", "server", "known", "gaps", "taken", "in"],
                ["mail:cabinet", "4", "4", "0", "0", "complete"],
                ["telegram:desk", "Telegram", "keeps", "no", "list", "to", "compare", "with"],
            ],
        )
        await lose(settings, lambda receipt: receipt.source_key == before.keys[2])
        assert not (await ledger(settings)).balanced
        code, lines, complained = await permanence("receipts", "--reconcile", "--channel", MAILBOX, config=path)
        assert (code, lines[1:]) == (1, [["mail:cabinet", "4", "3", "1", "1", "was", "incomplete"]])
        assert "mails were missing from the ledger" in complained
        found = await until(settings, all_handled(4))
        await anne.sees("🔎 mail:cabinet : 1 courriel présent sur le serveur manquait ici")
        # Its mail was in a conversation already: the receipt says so, and nobody reads it twice.
        assert found.texts == texts(4)
        assert found.states == {"handled": 3, "ignored": 1}
        assert found.balanced
        code, lines, _ = await permanence("receipts", "--reconcile", "--channel", MAILBOX, config=path)
        assert (code, lines[1:]) == (0, [["mail:cabinet", "4", "4", "0", "0", "complete"]])
        dovecot.deliver("cabinet", letter(4))
        found = await until(settings, all_handled(5))
    assert found.texts == texts(5)
    assert found.balanced
    assert len(notices(anne, "🔎")) == 1


async def test_mails_a_cursor_was_put_behind_are_taken_in_beside_the_running_worker_and_answered_for(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly())
    settings, path = settings_of(tmp_path, dovecot, telegram), config(tmp_path, dovecot, telegram)
    anne = the_owner(telegram)
    anne.user.send_text("/ici")
    dovecot.deliver("cabinet", *map(letter, range(2)))
    async with running(settings):
        await until(settings, all_handled(2))
    dovecot.deliver("cabinet", *map(letter, range(2, 5)))
    await advance(settings, 3)
    async with running(settings):
        dovecot.deliver("cabinet", letter(5))
        await until(settings, all_handled(3))
        both = await asyncio.gather(*(permanence("receipts", "--reconcile", config=path) for _ in range(2)))
        assert 1 in {code for code, _, _ in both}
        found = await until(settings, all_handled(6))
        await anne.sees("mail 2", button="close")
        await anne.sees("🔎 mail:cabinet : 3 courriels présents sur le serveur manquaient ici")
    assert len(notices(anne, "🔎")) == 1
    assert sorted(found.texts) == texts(6)
    assert found.states == {"handled": 6}
    assert found.balanced


async def test_a_comparison_killed_in_the_middle_loses_nothing_and_is_made_good_by_the_next(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly())
    settings = settings_of(tmp_path, dovecot, telegram)
    anne = the_owner(telegram)
    async with running(settings):
        dovecot.deliver("cabinet", letter(0))
        await until(settings, all_handled(1))
    dovecot.deliver("cabinet", *map(letter, range(1, 121)))
    await advance(settings, 120)
    fetched, portions = asyncio.Event(), 0

    async def stop_at_the_second_portion(data: bytes) -> bytes:
        nonlocal portions
        portions += b"BODY.PEEK" in data
        if portions > 1:
            fetched.set()
            await asyncio.Event().wait()
        return data

    async with Line(dovecot.imap_port) as line:
        line.to_server = stop_at_the_second_portion
        path = config(tmp_path, dovecot, telegram, line.port)
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("permanence"), "receipts", "--reconcile", "--config", path
        )
        await asyncio.wait_for(fetched.wait(), 30)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        for task in line._tasks:
            task.cancel()
    half = await ledger(settings)
    assert len(half.keys) == 51
    assert half.balanced
    code, lines, _ = await permanence("receipts", "--reconcile", config=config(tmp_path, dovecot, telegram))
    assert (code, lines[1][:5]) == (1, ["mail:cabinet", "121", "51", "70", "70"])
    async with running(settings):
        found = await until(settings, all_handled(121))
        await anne.sees("🔎 mail:cabinet : 120 courriels")
        await anne.sees("🔎 mail:cabinet : 70 courriels")
    assert sorted(found.texts) == sorted(texts(121))
    assert found.balanced


async def test_every_day_in_the_quiet_hour_the_desk_compares_by_itself(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly())
    settings = settings_of(tmp_path, dovecot, telegram)
    anne = the_owner(telegram)
    dovecot.deliver("cabinet", *map(letter, range(3)))
    async with running(settings):
        await until(settings, all_handled(3))
        async with open_store(settings, exclusive=False) as store:
            assert await store.find(Recount, MAILBOX) is None  # it waits for the night
            yesterday = datetime.now(UTC) - timedelta(hours=25)
            await store.commit(Changes(inserts=[Recount(id=MAILBOX, counted_at=yesterday)]))
    await lose(settings, lambda receipt: receipt.channel_id == MAILBOX)
    async with running(settings):  # last night it was off: it makes up for it now
        found = await until(settings, all_handled(3))
        await anne.sees("🔎 mail:cabinet : 3 courriels")
        async with open_store(settings, exclusive=False) as store:
            watch = store.watch(Recount)
            async with asyncio.timeout(20):
                while (await store.get(Recount, MAILBOX)).counted_at < yesterday + timedelta(hours=24):
                    await watch.wait(1)
            watch.close()
    assert found.texts == texts(3)
    assert found.balanced


async def test_a_server_that_cannot_be_asked_is_named_and_the_others_are_compared(
    tmp_path: Path, dovecot: Dovecot, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, quickly())
    settings, path = settings_of(tmp_path, dovecot, telegram), config(tmp_path, dovecot, telegram)
    assert (await permanence("receipts", "--reconcile", config=path))[0] == 1  # there is no store yet
    async with running(settings):
        await until(settings, lambda _: True)
    async with open_store(settings, exclusive=False) as store:
        cursor = await store.find(Cursor, MAILBOX)
        if cursor is not None:
            await store.commit(Changes(deletions=[cursor]))
    code, lines, _ = await permanence("receipts", "--reconcile", config=path)
    assert (code, lines[1]) == (0, ["mail:cabinet", "nothing", "received", "yet"])
    dovecot.deliver("cabinet", letter(0))
    async with running(settings):
        await until(settings, all_handled(1))
    await asyncio.to_thread(dovecot.stop)
    code, lines, complained = await permanence("receipts", "--reconcile", config=path)
    assert code == 1
    assert lines[1][:3] == ["mail:cabinet", "no", "connection"]
    assert lines[2][0] == "telegram:desk"
    assert "not every mailbox could be asked" in complained
    code, _, complained = await permanence("receipts", "--reconcile", "--channel", "mail:nobody", config=path)
    assert (code, "there is no channel mail:nobody" in complained) == (1, True)
