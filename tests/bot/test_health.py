import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from bot import health as health_module
from bot import logs
from bot.health import Health, Metrics, Served, Standing, serve
from inbox.errors import StoreUnavailable

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture
async def served(health: Health, metrics: Metrics) -> AsyncIterator[Served]:
    async with serve(health, metrics, "127.0.0.1", 0) as served:
        yield served


async def get_health(served: Served) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"{served.url}/healthz") as answer:
        return answer.status, await answer.json()


async def scrape(served: Served) -> dict[str, float]:
    async with aiohttp.ClientSession() as session, session.get(f"{served.url}/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        samples = re.findall(r"^([^#\s].*) (\S+)$", await answer.text(), re.MULTILINE)
    return {name: float(value) for name, value in samples}


async def test_a_worker_whose_parts_are_all_up_is_healthy(health: Health, served: Served) -> None:
    health.register("mail/cabinet")
    health.up("mail/cabinet")
    health.up("store")

    status, said = await get_health(served)

    assert status == 200
    assert said == {
        "status": "ok",
        "channels": {
            "mail/cabinet": {"alive": True, "since": "2026-03-02T12:00:00+00:00"},
            "store": {"alive": True, "since": "2026-03-02T12:00:00+00:00"},
        },
    }


async def test_a_part_that_has_not_reported_yet_is_starting(health: Health, served: Served) -> None:
    health.register("mail/cabinet")

    status, said = await get_health(served)

    assert status == 503
    assert said["status"] == "failing"
    assert said["channels"]["mail/cabinet"]["reason"] == "starting"


async def test_registering_a_part_again_does_not_take_it_down(health: Health) -> None:
    health.up("store")
    health.register("store")

    assert health.ailing == {}


async def test_one_part_down_is_named_and_the_others_are_not_blamed(health: Health, served: Served) -> None:
    health.up("store")
    health.up("mail/cabinet")
    health.down("mail/cabinet", "connection reset")

    status, said = await get_health(served)

    assert status == 503
    assert health.ailing == {"mail/cabinet": "connection reset"}
    assert said["channels"]["mail/cabinet"]["reason"] == "connection reset"
    assert said["channels"]["store"]["alive"] is True


async def test_a_part_that_comes_back_makes_the_worker_healthy_again(health: Health, served: Served) -> None:
    health.down("telegram/desk", "")
    assert health.ailing == {"telegram/desk": "no reason given"}
    health.up("telegram/desk")

    assert (await get_health(served))[0] == 200


async def test_a_part_that_is_another_workers_now_is_not_missed(health: Health, served: Served) -> None:
    health.down("mail/cabinet", "gone")
    health.forget("mail/cabinet")
    health.forget("never known")

    assert await get_health(served) == (200, {"status": "ok", "channels": {}})


def test_since_tells_the_turn_and_not_the_last_report(health: Health, clock: Clock) -> None:
    def since() -> str:
        told = health.report()["channels"]["mail"]["since"]
        assert isinstance(told, str)
        return told[11:16]

    health.register("mail")
    clock.at += timedelta(minutes=1)
    health.down("mail", "refused")
    assert since() == "12:01"

    clock.at += timedelta(minutes=1)
    health.down("mail", "refused again")
    assert since() == "12:01"

    clock.at += timedelta(minutes=1)
    health.up("mail")
    clock.at += timedelta(minutes=1)
    health.up("mail")
    assert since() == "12:03"


async def test_a_reason_tells_no_secret(health: Health, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_secrets", set())
    monkeypatch.setattr(logs, "_secrets_pattern", None)
    logs.mask("hunter22")
    health.down("mail/cabinet", "LOGIN marie hunter22 refused, mongodb://desk:pass@host " + "x" * 1000)

    _, said = await get_health(served)

    reason = said["channels"]["mail/cabinet"]["reason"]
    assert reason.startswith("LOGIN marie *** refused, mongodb://desk:***@host xxx")
    assert len(reason) == 200


async def test_what_the_worker_counts_is_scraped(metrics: Metrics, served: Served) -> None:
    metrics.channel_up("mail/cabinet")
    metrics.channel_down("telegram/desk")
    metrics.arrivals("mail/cabinet", 3)
    metrics.delivered("mail/cabinet", "sent")
    metrics.delivered("mail/cabinet", "sent")
    metrics.delivered("mail/cabinet", "unknown")
    metrics.card_shown("mail/cabinet", 0.06)
    metrics.committed(0.002)

    seen = await scrape(served)

    assert seen['permanence_channel_connected{channel="mail/cabinet"}'] == 1
    assert seen['permanence_channel_connected{channel="telegram/desk"}'] == 0
    assert seen['permanence_channel_disconnects_total{channel="telegram/desk"}'] == 1
    assert seen['permanence_received_total{channel="mail/cabinet"}'] == 3
    assert seen['permanence_deliveries_total{channel="mail/cabinet",outcome="sent"}'] == 2
    assert seen['permanence_deliveries_total{channel="mail/cabinet",outcome="unknown"}'] == 1
    assert seen['permanence_card_seconds_bucket{channel="mail/cabinet",le="0.05"}'] == 0
    assert seen['permanence_card_seconds_bucket{channel="mail/cabinet",le="0.075"}'] == 1
    assert seen["permanence_commit_seconds_sum"] == 0.002


async def test_two_workers_metrics_in_one_process_do_not_meet() -> None:
    one, other = Metrics(), Metrics()
    one.arrivals("mail", 1)

    assert b'permanence_received_total{channel="mail"}' in await one.exposition()
    assert b'permanence_received_total{channel="mail"}' not in await other.exposition()


async def test_the_ledger_is_asked_at_each_scrape(metrics: Metrics, served: Served) -> None:
    told = [
        Standing({("mail", "waiting"): 2, ("mail", "handled"): 5}, {"mail": 1.5}),
        Standing({("mail", "handled"): 7}, {"mail": 0}),
    ]

    async def standing() -> Standing:
        return told.pop(0)

    metrics.ask_at_each_scrape(standing)
    first, second = await scrape(served), await scrape(served)

    assert first['permanence_receipts{channel="mail",state="waiting"}'] == 2
    assert first['permanence_seconds_behind{channel="mail"}'] == 1.5
    assert first["permanence_store_up"] == 1
    assert second['permanence_receipts{channel="mail",state="handled"}'] == 7
    assert 'permanence_receipts{channel="mail",state="waiting"}' not in second


@pytest.mark.parametrize("slow", [False, True])
async def test_a_store_that_does_not_answer_costs_only_its_own_figures(
    slow: bool, metrics: Metrics, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "_STANDING_WITHIN", 0.05)
    answers = iter([Standing({("mail", "waiting"): 2}, {"mail": 3})])

    async def standing() -> Standing:
        for answer in answers:
            return answer
        if slow:
            await asyncio.sleep(60)
        raise StoreUnavailable

    metrics.ask_at_each_scrape(standing)
    metrics.arrivals("mail", 4)
    before, after = await scrape(served), await scrape(served)

    assert before['permanence_receipts{channel="mail",state="waiting"}'] == 2
    assert after["permanence_store_up"] == 0
    assert after['permanence_received_total{channel="mail"}'] == 4
    assert not any(name.startswith(("permanence_receipts", "permanence_seconds_behind")) for name in after)


async def test_a_taken_port_is_said_and_nothing_stays_open(health: Health, metrics: Metrics, served: Served) -> None:
    with pytest.raises(OSError, match="address already in use"):
        async with serve(health, metrics, "127.0.0.1", served.port):
            pass  # pragma: no cover


async def test_leaving_frees_the_port_though_a_scraper_stays_connected(health: Health, metrics: Metrics) -> None:
    async with aiohttp.ClientSession() as session:
        async with serve(health, metrics) as served:
            async with session.get(f"{served.url}/healthz") as answer:
                assert answer.status == 200
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 3

        async with serve(health, metrics, served.host, served.port) as again:
            assert again == served


def test_an_ipv6_host_makes_a_valid_address() -> None:
    assert Served("::1", 80).url == "http://[::1]:80"
    assert Served("127.0.0.1", 80).url == "http://127.0.0.1:80"
