"""Long polling: nothing confirmed before it is committed, whatever the network and Telegram do."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from channels.errors import LoginRejected
from channels.telegram.bot import TelegramBot
from inbox.errors import StoreUnavailable
from tests.channels.telegram.conftest import BuildBot
from tests.channels.telegram.parts import Keeper, Listener, running, until
from tests.servers.telegram import Telegram


async def test_what_waited_and_what_comes_later_is_kept_in_order(
    telegram: Telegram, bot: TelegramBot, keeper: Keeper, listener: Listener
) -> None:
    telegram.lucie.send_text("Bonjour")
    telegram.lucie.send_text("Il y a quelqu’un ?")
    async with running(bot, keeper):
        await keeper.has(2)
        telegram.omar.send_text("Hello")
        await keeper.has(3)
    assert keeper.texts == ["Bonjour", "Il y a quelqu’un ?", "Hello"]
    assert [arrival.lane for arrival in keeper.arrivals] == ["1001", "1001", "1002"]
    assert [arrival.source_key for arrival in keeper.arrivals] == [str(u["update_id"]) for u in keeper.updates]
    assert listener.said == ["up"]


async def test_only_what_was_committed_is_confirmed(telegram: Telegram, bot: TelegramBot, keeper: Keeper) -> None:
    committed = asyncio.Event()

    async def slowly(*batch: object) -> None:
        await committed.wait()

    telegram.lucie.send_text("Bonjour")
    task = asyncio.create_task(bot.run(None, slowly))
    await until(lambda: telegram.made("getUpdates"))
    await asyncio.sleep(0.1)
    assert telegram.pending() == 1
    committed.set()
    await until(lambda: not telegram.pending())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_position_is_where_to_go_on(telegram: Telegram, build_bot: BuildBot, keeper: Keeper) -> None:
    telegram.lucie.send_text("Premier")
    async with running(build_bot(), keeper):
        await keeper.has(1)
    telegram.lucie.send_text("Second")
    async with running(build_bot(), keeper, keeper.positions[-1]):
        await keeper.has(2)
    assert keeper.texts == ["Premier", "Second"]


async def test_a_bot_that_was_called_before_is_polled_from_whatever_waits(
    telegram: Telegram, bot: TelegramBot, keeper: Keeper
) -> None:
    telegram.lucie.send_text("Bonjour")
    async with running(bot, keeper, "webhook"):
        await keeper.has(1)


async def test_update_ids_that_start_anew_are_received(telegram: Telegram, bot: TelegramBot, keeper: Keeper) -> None:
    telegram.bot().next_update_id = 5000
    telegram.lucie.send_text("après une semaine de silence")
    async with running(bot, keeper, "890000000"):
        await keeper.has(1)
        telegram.lucie.send_text("et encore")
        await keeper.has(2)
    assert keeper.positions == ["5001", "5002"]


async def test_a_commit_that_fails_is_tried_with_the_same_batch(
    telegram: Telegram, bot: TelegramBot, keeper: Keeper, listener: Listener
) -> None:
    telegram.lucie.send_text("Bonjour")
    keeper.refusals = [StoreUnavailable("busy"), ZeroDivisionError("a bug")]
    async with running(bot, keeper):
        await keeper.has(1)
    assert keeper.calls == 3
    assert keeper.texts == ["Bonjour"]
    assert listener.said == [
        "down: the store cannot be reached",
        "down: updates cannot be committed; see the log",
        "up",
    ]


async def test_updates_no_library_knows_stop_nothing(telegram: Telegram, bot: TelegramBot, keeper: Keeper) -> None:
    telegram.inject({"thought_reading": {"of": {"id": 1001}}})
    telegram.inject({"message": "not even an object"})
    telegram.inject({"message": {"text": "half a pair: \ud83d", "chat": {"id": 7}}})
    telegram.lucie.send_text("Bonjour")
    async with running(bot, keeper):
        await keeper.has(4)
        telegram.lucie.send_text("Toujours là")
        await keeper.has(5)
    assert keeper.updates[0]["thought_reading"] == {"of": {"id": 1001}}
    assert keeper.updates[2]["message"]["text"] == "half a pair: \ud83d"
    assert [arrival.lane for arrival in keeper.arrivals] == ["other", "other", "7", "1001", "1001"]


async def test_an_update_without_a_number_is_kept_with_its_batch(
    telegram: Telegram, bot: TelegramBot, keeper: Keeper
) -> None:
    telegram.inject({"update_id": None, "message": {}})
    telegram.lucie.send_text("Bonjour")
    async with running(bot, keeper):
        await keeper.has(2)
        await until(lambda: not telegram.pending())
    assert keeper.arrivals[0].source_key.startswith("sha256:")
    assert keeper.updates[1]["message"]["text"] == "Bonjour"


async def test_an_outage_is_told_and_survived(
    telegram: Telegram, bot: TelegramBot, keeper: Keeper, listener: Listener
) -> None:
    async with running(bot, keeper):
        await listener.hears("up")
        await telegram.go_down()
        told = await listener.hears("down: Telegram cannot be reached (ClientConnectorError)")
        telegram.lucie.send_text("pendant la panne")
        await telegram.go_up()
        await listener.hears("up", after=told)
        await keeper.has(1)
    assert keeper.texts == ["pendant la panne"]


@pytest.mark.parametrize("drop", ["before", "after"])
async def test_a_dropped_connection_loses_and_doubles_nothing(
    telegram: Telegram, bot: TelegramBot, keeper: Keeper, drop: str
) -> None:
    telegram.fail_next("getUpdates", times=2, drop=drop)  # type: ignore[arg-type]  # from the list above
    telegram.lucie.send_text("Bonjour")
    async with running(bot, keeper):
        await keeper.has(1)
        telegram.lucie.send_text("Encore")
        await keeper.has(2)
    assert keeper.texts == ["Bonjour", "Encore"]


async def test_errors_of_telegrams_are_waited_out_with_growing_waits(
    telegram: Telegram, bot: TelegramBot, keeper: Keeper, listener: Listener
) -> None:
    telegram.fail_next("getUpdates", times=5, status=502)
    async with running(bot, keeper):
        await listener.hears("up")
    waits = [wait for wait in listener.retries if wait is not None]
    assert len(waits) == 5
    assert waits[4] > waits[0] * 3
    assert waits[0] < 0.02


async def test_a_wait_telegram_asks_for_is_kept(
    telegram: Telegram, bot: TelegramBot, keeper: Keeper, listener: Listener
) -> None:
    telegram.fail_next("getUpdates", retry_after=1)
    async with running(bot, keeper):
        await listener.hears("up")
    assert listener.said == ["down: Telegram asks to wait", "up"]
    first, second, *_ = telegram.made("getUpdates")
    assert second.at - first.at >= 1


async def test_another_poller_is_named_and_does_not_end_us(
    telegram: Telegram, build_bot: BuildBot, keeper: Keeper, listener: Listener
) -> None:
    async with running(build_bot(), keeper):
        await listener.hears("up")
        await until(lambda: telegram.bot().poll)
        async with running(build_bot(), Keeper()):
            told = await listener.hears("down: another program polls with this bot's token")
        await listener.hears("up", after=told)
        telegram.lucie.send_text("Bonjour")
        await keeper.has(1)


async def test_a_webhook_left_behind_is_removed_and_what_waited_for_it_received(
    telegram: Telegram, build_bot: BuildBot, keeper: Keeper, listener: Listener
) -> None:
    left_behind = build_bot()
    await left_behind.aiogram.set_webhook("https://old.example/telegram")
    telegram.lucie.send_text("Bonjour")
    bot = build_bot()
    assert "a webhook is set" in next(f.says for f in await bot.check() if f.level == "warning")
    async with running(bot, keeper):
        await keeper.has(1)
    assert listener.said[0] == "down: a webhook was set; it is removed now"


@pytest.mark.parametrize("status", [401, 404])
async def test_a_refused_token_ends_receiving(
    telegram: Telegram, build_bot: BuildBot, keeper: Keeper, status: int
) -> None:
    telegram.fail_next("getUpdates", status=status)
    with pytest.raises(LoginRejected):
        await build_bot().run(None, keeper)


async def test_a_token_telegram_does_not_know_ends_receiving_and_is_never_told(
    build_bot: BuildBot, keeper: Keeper
) -> None:
    bot = build_bot(token="99:AAAA-secret-of-another-bot")
    with pytest.raises(LoginRejected) as raised:
        await bot.run(None, keeper)
    assert "AAAA-secret" not in str(raised.value)
    assert [finding.level for finding in await bot.check()] == ["error"]


async def test_a_press_older_than_telegram_keeps_is_gone_and_a_message_is_not(
    telegram: Telegram, bot: TelegramBot, keeper: Keeper
) -> None:
    sent = telegram.bot().add(telegram.bot().chats[1001], telegram.bot().as_user(), {"text": "?"})
    with pytest.raises(TimeoutError):
        await telegram.lucie.press(sent["message_id"], "take", seconds=0.01)
    telegram.lucie.send_text("Bonjour")
    telegram.clock.pass_by(151)
    async with running(bot, keeper):
        await keeper.has(1)
    assert keeper.texts == ["Bonjour"]


# ---------------------------------------------------------------- a worker that dies


_WORKER = """
import asyncio, os, sys
from channels.telegram import updates
from channels.telegram.bot import TelegramBot
url, token, kept, *deaths = sys.argv[1:]
updates.BATCH = 7

class Silent:
    def up(self, channel): pass
    def down(self, channel, reason, retry_in): pass
    def announced(self, channel): pass
    def owed(self, channel, something): pass

def die(where):
    if dies == where:
        os.kill(os.getpid(), 9)

async def accept(arrivals, position):
    die("before")
    lines = [f"{a.source_key}\\n" for a in arrivals] + [f"at {position}\\n"]
    with open(kept, "a") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    die("after")

def receive(dies_now):
    global dies
    dies = dies_now
    with open(kept) as file:
        positions = [line.split()[1] for line in file if line.startswith("at ")]
    bot = TelegramBot("telegram:desk", token, Silent(), api_server=url)
    asyncio.run(bot.run(positions[-1] if positions else None, accept))

# Forked, for the sake of the seconds that importing takes: each is a process of its own and dies by SIGKILL.
for dies_now in deaths:
    child = os.fork()
    if child == 0:
        receive(dies_now)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -9:
        sys.exit(f"the worker was to die {dies_now} committing")
receive("never")
"""


async def test_a_poller_killed_before_or_after_committing_loses_nothing(telegram: Telegram, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.touch()
    for number in range(30):
        telegram.lucie.send_text(f"message {number}")
    expected = [str(update["update_id"]) for update in telegram.bot().pending()]
    deaths = ("after", "before", "after", "after")
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WORKER, telegram.url, telegram.token, str(kept), *deaths
    )
    try:
        await until(lambda: not telegram.pending() or worker.returncode is not None, seconds=60)
        assert worker.returncode is None
    finally:
        if worker.returncode is None:
            os.kill(worker.pid, signal.SIGKILL)
        await worker.wait()
    keys = [line for line in kept.read_text().splitlines() if not line.startswith("at ")]
    assert sorted(set(keys)) == expected
