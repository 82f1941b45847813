"""Being called by Telegram: 200 only for what is committed, and nothing from anybody else."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from channels.telegram.bot import TelegramBot
from channels.telegram.updates import LARGEST_UPDATE
from inbox.envelope import Unreadable
from inbox.errors import StoreUnavailable
from tests.channels.telegram.conftest import BuildBot
from tests.channels.telegram.parts import Keeper, Listener, running, until
from tests.servers.telegram import CHANNEL, Telegram

SECRET = "a-secret-of-this-test"
PROOF = {"X-Telegram-Bot-Api-Secret-Token": SECRET}


class Served:
    """A bot that is called, and the address it is called at."""

    def __init__(self, bot: TelegramBot, url: str) -> None:
        self.bot = bot
        self.url = url


@pytest_asyncio.fixture
async def served(build_bot: BuildBot) -> AsyncIterator[Served]:
    app = web.Application()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    bots: list[TelegramBot] = []

    async def passed_on(request: web.Request) -> web.StreamResponse:
        # the address is known only once it listens, and the bot is told the address
        handler = bots[0].routes()[0].handler
        answer: web.StreamResponse = await handler(request)
        return answer

    app.router.add_post("/{tail:.*}", passed_on)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/telegram/desk"
    bots.append(build_bot(receive="webhook", webhook_url=url, webhook_secret=SECRET))
    yield Served(bots[0], url)
    await runner.cleanup()


async def call(url: str, body: bytes, headers: dict[str, str]) -> int:
    async with aiohttp.ClientSession() as session, session.post(url, data=io.BytesIO(body), headers=headers) as answer:
        return answer.status


async def test_updates_arrive_by_webhook_in_order(
    telegram: Telegram, served: Served, keeper: Keeper, listener: Listener
) -> None:
    telegram.lucie.send_text("avant")
    async with running(served.bot, keeper):
        await listener.hears("up")
        telegram.lucie.send_text("après")
        await keeper.has(2)
        await until(lambda: not telegram.pending())
        assert [finding.level for finding in await served.bot.check()] == ["ok"]
    assert keeper.texts == ["avant", "après"]
    assert set(keeper.positions) == {"webhook"}


async def test_what_could_not_be_committed_is_sent_again(telegram: Telegram, served: Served, keeper: Keeper) -> None:
    keeper.refusals = [StoreUnavailable("busy"), ZeroDivisionError("a bug")]
    telegram.lucie.send_text("Bonjour")
    async with running(served.bot, keeper):
        await keeper.has(1)
    assert keeper.calls == 3


async def test_while_the_worker_stops_telegram_keeps_what_it_has(
    telegram: Telegram, served: Served, keeper: Keeper, listener: Listener
) -> None:
    async with running(served.bot, keeper):
        await listener.hears("up")
    assert await call(served.url, b'{"update_id": 1}', PROOF) == 503
    telegram.lucie.send_text("Bonjour")
    await until(lambda: (webhook := telegram.bot().webhook) and webhook.error)
    assert telegram.pending() == 1
    assert "could not call" in (await served.bot.check())[1].says


@pytest.mark.parametrize("proof", [{}, {"X-Telegram-Bot-Api-Secret-Token": "guessed"}])
async def test_without_the_secret_nothing_is_taken(
    served: Served, keeper: Keeper, listener: Listener, proof: dict[str, str]
) -> None:
    async with running(served.bot, keeper):
        await listener.hears("up")
        assert await call(served.url, b'{"update_id": 1}', proof) == 403
    assert keeper.arrivals == []


async def test_a_body_larger_than_any_update_is_refused(served: Served, keeper: Keeper, listener: Listener) -> None:
    async with running(served.bot, keeper):
        await listener.hears("up")
        assert await call(served.url, b" " * (LARGEST_UPDATE + 1), PROOF) == 413
    assert keeper.arrivals == []


async def test_a_body_in_many_pieces_is_one_update(served: Served, keeper: Keeper, listener: Listener) -> None:
    text = "x" * 600_000
    async with running(served.bot, keeper):
        await listener.hears("up")
        assert await call(served.url, b'{"update_id": 5, "message": {"text": "' + text.encode() + b'"}}', PROOF) == 200
    assert keeper.texts == [text]


async def test_what_is_no_update_is_kept_as_it_came(served: Served, keeper: Keeper, listener: Listener) -> None:
    async with running(served.bot, keeper):
        await listener.hears("up")
        assert await call(served.url, b"\xff{not json", PROOF) == 200
    [kept] = keeper.arrivals
    assert kept.raw == b"\xff{not json"
    assert isinstance(served.bot.read(kept.raw), Unreadable)


async def test_telegram_is_asked_to_call_until_it_says_yes(
    telegram: Telegram, served: Served, keeper: Keeper, listener: Listener
) -> None:
    telegram.fail_next("setWebhook", times=2, status=502)
    async with running(served.bot, keeper):
        await listener.hears("up")
    assert [said.partition(":")[0] for said in listener.said] == ["down", "down", "up"]


async def test_a_webhook_that_is_not_set_is_found(telegram: Telegram, served: Served) -> None:
    assert "not set yet" in (await served.bot.check())[1].says


def test_a_webhook_without_a_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="secret"):
        TelegramBot(CHANNEL, "1:x", Listener(), receive="webhook", webhook_url="https://desk.example/")


async def test_calls_side_by_side_are_committed_one_by_one(
    telegram: Telegram, served: Served, listener: Listener
) -> None:
    inside, most = 0, 0

    async def accept(*batch: object) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.01)
        inside -= 1

    task = asyncio.create_task(served.bot.run(None, accept))
    await listener.hears("up")
    answers = await asyncio.gather(*(call(served.url, b'{"update_id": %d}' % n, PROOF) for n in range(5)))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert answers == [200] * 5
    assert most == 1
