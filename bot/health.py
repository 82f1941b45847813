"""Whether the worker is alive and how it is doing, for the machines that watch it.

`/healthz` answers 200 while every registered part is up and 503 otherwise,
naming the parts; `/metrics` speaks Prometheus. Neither tells a secret, an
address or a word of a message, and both listen on loopback unless told otherwise.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from bot.logs import masked
from inbox.errors import StoreUnavailable

_STANDING_WITHIN = 5.0
_REASON_LENGTH = 200

# the desk promises a card within 100 ms of the announcement: the steps are finest there
_CARD_STEPS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_COMMIT_STEPS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Health:
    """The parts of this worker and whether each is up.

    A part is anything whose silence is trouble: a channel, the store, a loop.
    One that was registered and has not reported yet is down: it is starting.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._parts: dict[str, _Part] = {}

    def register(self, part: str) -> None:
        """Expect this part to come up; until it does, the worker is not healthy."""
        self._parts.setdefault(part, _Part("starting", self._clock()))

    def up(self, part: str) -> None:
        """The part does its work."""
        self._turn(part, None)

    def down(self, part: str, reason: str) -> None:
        """The part does not do its work, and why; secrets in the reason are masked."""
        self._turn(part, masked(reason)[:_REASON_LENGTH] or "no reason given")

    def forget(self, part: str) -> None:
        """The part is no longer this worker's: another holds it, or the config dropped it."""
        self._parts.pop(part, None)

    @property
    def ailing(self) -> dict[str, str]:
        """The parts that are down, each with its reason."""
        return {name: part.reason for name, part in sorted(self._parts.items()) if part.reason is not None}

    def report(self) -> dict[str, Any]:
        """What `/healthz` says."""
        return {
            "status": "failing" if self.ailing else "ok",
            "channels": {
                name: {
                    "alive": part.reason is None,
                    "since": part.since.isoformat(timespec="seconds"),
                    **({} if part.reason is None else {"reason": part.reason}),
                }
                for name, part in sorted(self._parts.items())
            },
        }

    def _turn(self, part: str, reason: str | None) -> None:
        known = self._parts.get(part)
        # a part that is still down for another reason has been down since the first
        same = known is not None and (known.reason is None) is (reason is None) and known.reason != "starting"
        self._parts[part] = _Part(reason, known.since if known is not None and same else self._clock())


@dataclass(frozen=True, slots=True)
class _Part:
    reason: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What only the store knows, asked at each scrape."""

    receipts: Mapping[tuple[str, str], int]
    """By channel and state."""
    seconds_behind: Mapping[str, float]
    """By channel: the age of its oldest waiting receipt, 0 when none waits."""


class Metrics:
    """What this worker counts and times.

    Labels are channels, states and outcomes, never a contact, a conversation
    or an address.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._ask: Callable[[], Awaitable[Standing]] | None = None
        ProcessCollector(registry=self.registry)
        self.receipts = Gauge(
            "permanence_receipts",
            "Receipts in the store, by channel and state",
            ["channel", "state"],
            registry=self.registry,
        )
        self.seconds_behind = Gauge(
            "permanence_seconds_behind",
            "Age of the oldest receipt that waits to be handled",
            ["channel"],
            registry=self.registry,
        )
        self.store_up = Gauge(
            "permanence_store_up",
            "Whether the store answered this scrape; if not, receipts and seconds_behind are missing",
            registry=self.registry,
        )
        self.connected = Gauge(
            "permanence_channel_connected",
            "Whether the channel is connected and receiving",
            ["channel"],
            registry=self.registry,
        )
        self.disconnects = Counter(
            "permanence_channel_disconnects",
            "How often the channel lost its connection or failed to make one",
            ["channel"],
            registry=self.registry,
        )
        self.received = Counter(
            "permanence_received",
            "Arrivals committed by this worker",
            ["channel"],
            registry=self.registry,
        )
        self.deliveries = Counter(
            "permanence_deliveries",
            "Attempts to hand a delivery over, by what came of them: sent, retry, unknown, dead",
            ["channel", "outcome"],
            registry=self.registry,
        )
        self.card_seconds = Histogram(
            "permanence_card_seconds",
            "From a source's announcement to the secretary's card handed to Telegram",
            ["channel"],
            buckets=_CARD_STEPS,
            registry=self.registry,
        )
        self.commit_seconds = Histogram(
            "permanence_commit_seconds",
            "From asking the store to commit to the commit being durable",
            buckets=_COMMIT_STEPS,
            registry=self.registry,
        )

    def channel_up(self, channel: str) -> None:
        """The channel is connected and receiving."""
        self.connected.labels(channel).set(1)

    def channel_down(self, channel: str) -> None:
        """The channel is not connected, or tried to and failed again."""
        self.connected.labels(channel).set(0)
        self.disconnects.labels(channel).inc()

    def arrivals(self, channel: str, count: int) -> None:
        """So many arrivals are committed."""
        self.received.labels(channel).inc(count)

    def delivered(self, channel: str, outcome: str) -> None:
        """One attempt to hand a delivery over ended so."""
        self.deliveries.labels(channel, outcome).inc()

    def card_shown(self, channel: str, seconds: float) -> None:
        """A card was handed over so long after its source announced it."""
        self.card_seconds.labels(channel).observe(seconds)

    def committed(self, seconds: float) -> None:
        """One commit took so long."""
        self.commit_seconds.observe(seconds)

    def ask_at_each_scrape(self, standing: Callable[[], Awaitable[Standing]]) -> None:
        """Where to learn what only the store knows; StoreUnavailable is an answer too."""
        self._ask = standing

    async def exposition(self) -> bytes:
        """Everything in Prometheus's text format, as of now."""
        if self._ask is not None:
            try:
                async with asyncio.timeout(_STANDING_WITHIN):
                    standing = await self._ask()
            except (StoreUnavailable, TimeoutError) as error:
                structlog.get_logger(__name__).warning("the store did not answer a scrape", error=repr(error))
                standing = None
            # nothing waits from here on: two scrapes at once cannot mix their figures
            self.receipts.clear()
            self.seconds_behind.clear()
            self.store_up.set(standing is not None)
            if standing is not None:
                for (channel, state), count in standing.receipts.items():
                    self.receipts.labels(channel, state).set(count)
                for channel, seconds in standing.seconds_behind.items():
                    self.seconds_behind.labels(channel).set(seconds)
        return generate_latest(self.registry)


@dataclass(frozen=True, slots=True)
class Served:
    """Where the two pages are, with the port that was really taken."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@asynccontextmanager
async def serve(health: Health, metrics: Metrics, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Served]:
    """Serve `/healthz` and `/metrics` until left; port 0 takes any free one.

    Raises:
        OSError: the port is taken, or the host is not this machine's.
    """

    async def healthz(_: web.Request) -> web.Response:
        report = health.report()
        return web.json_response(
            report, status=200 if report["status"] == "ok" else 503, headers={"Cache-Control": "no-store"}
        )

    async def exposed(_: web.Request) -> web.Response:
        return web.Response(body=await metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/metrics", exposed)
    # a scraper keeps its connection open: waiting for it would cost the worker its orderly stop
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        taken_host, taken_port = runner.addresses[0][:2]
        yield Served(taken_host, taken_port)
    finally:
        await runner.cleanup()
