"""Telegram's limits are kept before they are met, and a 429 is obeyed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from channels.base import ChatMessage, SentAs
from channels.errors import TemporaryFailure
from channels.telegram import limits
from channels.telegram.bot import TelegramBot
from channels.telegram.limits import Limits
from inbox.notices import Post
from tests.channels.telegram.conftest import BuildBot
from tests.servers.telegram import Telegram


async def send_patiently(bot: TelegramBot, chat_id: int, text: str) -> int:
    """Send as the outbox does: when it is ready, and again when it is time. How often it was put off."""
    post = Post(chat_id=chat_id, text=text)
    put_off = 0
    while True:
        wait = await bot.ready(post)
        if not wait:
            try:
                await bot.send(post, None)
            except TemporaryFailure as failure:
                wait = (failure.retry_after or timedelta()).total_seconds()
            else:
                return put_off
        put_off += 1
        await asyncio.sleep(wait)


async def test_a_burst_reaches_everybody_without_a_single_429(build_bot: BuildBot) -> None:
    async with Telegram(limits=True) as telegram:
        people = [telegram.user(5000 + n) for n in range(25)]
        for person in people:
            person.start()
        bot = build_bot(api_server=telegram.url)
        wanted = [(person, f"message {n}") for person in people for n in range(2)]
        wanted += [(people[0], f"message {n}") for n in range(2, 6)]
        put_off = await asyncio.gather(*(send_patiently(bot, person.id, text) for person, text in wanted))
        assert telegram.violations == 0
        assert sum(len(telegram.texts(person)) for person in people) == len(wanted)
        assert sorted(telegram.texts(people[0])) == [f"message {n}" for n in range(6)]
        assert sum(put_off) > 0


async def test_a_429_pauses_its_chat_and_only_its_chat(telegram: Telegram, bot: TelegramBot) -> None:
    telegram.fail_next("sendMessage", retry_after=30)
    lucies = Post(chat_id=1001, text="Bonjour")
    with pytest.raises(TemporaryFailure) as failed:
        await bot.send(lucies, None)
    assert failed.value.retry_after == timedelta(seconds=30)
    assert 29 < await bot.ready(lucies) <= 30
    for message in (ChatMessage(1001, "x"), ChatMessage(1001, "x", edits=1)):
        with pytest.raises(TemporaryFailure) as failed:
            await bot.show(message)
        assert failed.value.retry_after is not None
        assert 29 < failed.value.retry_after.total_seconds() <= 30
    assert len(telegram.made("sendMessage", "editMessageText")) == 1
    await bot.show(ChatMessage(1002, "Hello"))
    assert telegram.texts(telegram.omar) == ["Hello"]


async def test_two_chats_paused_at_once_pause_the_bot(telegram: Telegram, bot: TelegramBot) -> None:
    telegram.fail_next("sendMessage", retry_after=30, times=2)
    for chat_id in (1001, 1002):
        with pytest.raises(TemporaryFailure):
            await bot.show(ChatMessage(chat_id, "x"))
    assert await bot.ready(Post(chat_id=1003, text="x")) > 29


async def test_a_pause_ends(telegram: Telegram, bot: TelegramBot) -> None:
    telegram.fail_next("sendMessage", retry_after=1)
    assert await send_patiently(bot, 1001, "après la pause") == 1
    assert telegram.texts(telegram.lucie) == ["après la pause"]


async def test_one_busy_chat_does_not_hold_up_another(telegram: Telegram, bot: TelegramBot) -> None:
    busy = [asyncio.create_task(bot.show(ChatMessage(1001, str(n)))) for n in range(8)]
    await asyncio.sleep(0)
    await bot.show(ChatMessage(1002, "Hello"))
    assert len(telegram.texts(telegram.lucie)) <= 4
    outcomes = await asyncio.gather(*busy, return_exceptions=True)
    put_off = [outcome for outcome in outcomes if isinstance(outcome, TemporaryFailure)]
    shown = [outcome for outcome in outcomes if isinstance(outcome, SentAs)]
    assert len(shown) == len(telegram.texts(telegram.lucie))
    assert len(put_off) == 8 - len(shown) > 0


async def test_a_group_takes_twenty_at_once_and_no_more() -> None:
    kept = Limits()
    waits = await asyncio.gather(*(kept.turn(-100_123) for _ in range(22)))
    assert sorted(waits) == [0.0] * 20 + [3.0] * 2


async def test_idle_chats_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IDLE", 0.2)
    kept = Limits()
    for chat_id in range(5):
        await kept.turn(chat_id)
        kept.pause(chat_id, -1)
    assert kept.remembered() == 5
    await asyncio.sleep(0.3)
    await kept.turn(99)
    assert kept.remembered() == 1
