"""The worker: one asyncio process that receives, handles, delivers, and stops in order."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from bot import logs
from bot.clock import SteadyClock
from bot.health import Health, Metrics, Standing, serve
from bot.locales import Catalogue
from bot.memory import memory_of, remembered
from bot.settings import Settings
from bot.wiring import (
    build_channels,
    declared_accounts,
    declared_owners,
    desk_bots,
    open_store,
    own_accounts,
    patience,
    routes,
)
from channels.base import Channel
from channels.errors import LoginRejected
from channels.telegram.bot import TelegramBot
from handlers.alarms import keep_beginning, keep_calling
from handlers.crew import Buried, Crew, Duty
from handlers.deliveries import Deliveries
from handlers.desk import Desk, patiently
from handlers.digests import keep_digesting
from handlers.incoming import Incoming, accepting, spare_the_waiting
from handlers.reconciling import keep_reconciling
from handlers.restored import settle_the_past
from handlers.start import build_dispatcher
from handlers.timers import keep_dealing, keep_instructed, keep_sending, keep_waking
from handlers.upkeep import keep_tidy
from handlers.watchkeeping import Pulses, keep_watch, tell_login_rejected
from inbox.accounts import bring_in_line, list_accounts, unsorted_account
from inbox.errors import Conflict, StoreUnavailable
from inbox.invitations import owners_in_line
from inbox.ledger import Ledger
from inbox.machinery import DeskKey, Lease
from inbox.matching import THE_KEY
from inbox.model import Cursor
from inbox.parts import ChannelId, new_id
from inbox.store.base import Changes, Store
from inbox.store.documents import CURSORS, RECEIPTS_WAITING, SECRETARIES
from inbox.transfer import refuse_half_a_store
from inbox.watchkeeping import Patience

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger(__name__)

GRACE = timedelta(seconds=7)
"""How long what is being handed over may take to end once we are asked to stop; the whole stop takes ten seconds."""
MOST_SECRETARIES = 10_000
MOST_TRIES = 20


class _Observer:
    """Tells health, figures and log how the channels are doing."""

    def __init__(self, health: Health, metrics: Metrics, pulses: Pulses) -> None:
        self._health = health
        self._metrics = metrics
        self._pulses = pulses

    def up(self, channel: ChannelId) -> None:
        log.info("channel_up", channel=channel)
        self._health.up(channel)
        self._metrics.channel_up(channel)
        self._pulses.up(channel)

    def down(self, channel: ChannelId, reason: str, retry_in: float | None) -> None:
        log.warning("channel_down", channel=channel, reason=reason, retry_in=retry_in)
        self._health.down(channel, reason)
        self._metrics.channel_down(channel)
        self._pulses.down(channel)

    def expect(self, channel: ChannelId) -> None:
        """This worker begins to receive from it."""
        self._health.register(channel)

    def forget(self, channel: ChannelId) -> None:
        """Another worker receives from it now."""
        self._health.forget(channel)
        self._pulses.down(channel)

    def announced(self, channel: ChannelId) -> None:
        log.debug("announced", channel=channel)

    def owed(self, channel: ChannelId, something: bool) -> None:
        self._pulses.owed(channel, something)


async def run(
    settings: Settings,
    *,
    started: Callable[[], None] | None = None,
    stop: asyncio.Event | None = None,
    clock: Callable[[], datetime] | None = None,
) -> None:
    """Run the desk until SIGTERM or SIGINT (or until `stop` is set, when given), then stop within ten seconds.

    Killed at any moment instead, it goes on where it was at the next start:
    nothing lost, and whatever may have left marked unknown. On a store that
    several workers share, the others go on with what it held.

    Args:
        clock: the time now; the machine's, made steady, when none is given.

    Raises:
        StoreTooNew, StoreUnavailable: the store cannot be opened; nothing was touched.
    """
    clock = clock or SteadyClock()
    for secret in settings.secrets():
        logs.mask(secret)
    health, metrics, pulses = Health(), Metrics(), Pulses()
    observer = _Observer(health, metrics, pulses)
    async with open_store(
        settings, exclusive=True, on_commit=lambda _units, seconds: metrics.committed(seconds)
    ) as store:
        await refuse_half_a_store(store)
        if isinstance(clock, SteadyClock):
            clock.not_before(await _last_known(store, clock()))
        await _bring_in_line(store, settings, clock)
        channels = build_channels(settings, observer)
        desk = await _desk(settings, store, channels, metrics, clock)
        await settle_the_past(desk, remembered(memory_of(settings)))
        ledger = Ledger(store)
        metrics.ask_at_each_scrape(lambda: _standing(desk, ledger))
        with _stopping(stop) as asked_to_stop:
            async with (
                serve(health, metrics, host=settings.web.host, port=settings.web.port) as served,
                routes(settings, channels),
            ):
                log.info("started", figures=served.url, channels=len(channels))
                try:
                    while not asked_to_stop.is_set():
                        ours = _among_others(desk, shared=settings.store.shared)
                        await _work(ours, observer, pulses, patience(settings), asked_to_stop, started)
                finally:
                    await asyncio.gather(*(channel.close() for channel in channels.values()))
    log.info("stopped")


def _among_others(desk: Desk, *, shared: bool) -> Desk:
    """The desk for one life of this worker: taken for dead by the others, it begins another under another name."""
    name = f"{socket.gethostname()}:{os.getpid()}:{new_id()[-6:]}"
    crew = Crew(desk.store, name, socket.gethostname(), desk.channels, desk.clock) if shared else None
    return replace(desk, worker=name, crew=crew)


@contextmanager
def _stopping(stop: asyncio.Event | None) -> Iterator[asyncio.Event]:
    if stop is not None:
        yield stop
        return
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, asked.set)
    try:
        yield asked
    finally:
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)


async def _work(
    desk: Desk,
    observer: _Observer,
    pulses: Pulses,
    patience: Patience,
    asked_to_stop: asyncio.Event,
    started: Callable[[], None] | None,
) -> None:
    """All loops, in one task group that owns their end; it ends when asked to stop, or when the others bury us."""
    dispatcher = build_dispatcher()
    bots = {channel_id: chat.aiogram for channel_id, chat in desk.chats.items() if isinstance(chat, TelegramBot)}
    deliveries = Deliveries(desk)
    async with asyncio.TaskGroup() as group:
        stopping = group.create_task(asked_to_stop.wait())
        if desk.crew is not None:
            joining = group.create_task(desk.crew.join())
            await asyncio.wait([stopping, joining], return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                joining.cancel()
                return
        duties = group.create_task(_keep(desk, _duties(desk, observer, patience)), name="duties")
        loops: list[asyncio.Task[None]] = [duties]
        loops.append(group.create_task(pulses.keep(desk, patience), name="pulses"))
        for channel_id, channel in desk.channels.items():
            incoming = Incoming(desk, channel_id, dispatcher, bots)
            loops.append(group.create_task(incoming.run(), name=f"incoming {channel_id}"))
            if not _is_one_workers(channel):
                receiving = _receive(desk, channel, observer, patience, None)
                loops.append(group.create_task(receiving, name=f"receiving {channel_id}"))
        delivering = group.create_task(deliveries.run(), name="delivering")
        if started is not None:
            started()
        await asyncio.wait([stopping, duties], return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping", worker=desk.worker)
        stopping.cancel()
        deliveries.stop()
        for loop in loops:
            loop.cancel()
        await asyncio.wait([delivering], timeout=GRACE.total_seconds())
        delivering.cancel()
    if desk.crew is None:
        await spare_the_waiting(desk)
    else:
        await desk.crew.leave()


def _is_one_workers(channel: Channel) -> bool:
    """Whether one worker at a time receives from it; a bot that Telegram calls is everybody's."""
    return not (isinstance(channel, TelegramBot) and channel.is_called)


def _duties(desk: Desk, observer: _Observer, patience: Patience) -> dict[str, Duty]:
    """What one worker does for all, by the name of its lease."""
    duties: dict[str, Duty] = {
        "deal": partial(keep_dealing, desk),
        "wake": partial(keep_waking, desk),
        "send": partial(keep_sending, desk),
        "instruct": partial(keep_instructed, desk),
        "digest": partial(keep_digesting, desk),
        "call": partial(keep_calling, desk),
        "on call": partial(keep_beginning, desk),
        "tidy": partial(keep_tidy, desk),
        "watch": partial(keep_watch, desk, patience),
        "reconcile": partial(keep_reconciling, desk, patience),
    }
    for channel_id, channel in desk.channels.items():
        if _is_one_workers(channel):
            duties[f"receive {channel_id}"] = partial(_receive, desk, channel, observer, patience)
    return duties


async def _keep(desk: Desk, duties: Mapping[str, Duty]) -> None:
    """See to the duties, all of them or our share among others, until cancelled, or buried by the others."""
    if desk.crew is not None:
        with suppress(Buried):
            await desk.crew.keep(duties)
        return
    async with asyncio.TaskGroup() as group:
        for name, duty in duties.items():
            group.create_task(duty(None), name=name)


async def _receive(desk: Desk, channel: Channel, observer: _Observer, patience: Patience, lease: Lease | None) -> None:
    """Receive from one channel; one that refuses our login stops alone, until somebody mends that, who is told."""
    observer.expect(channel.id)
    try:
        while True:
            cursor = await patiently(lambda: desk.store.find(Cursor, channel.id))
            try:
                await channel.run(cursor.position if cursor else None, accepting(desk, channel.id, lease))
            except LoginRejected as rejected:
                log.error("login_rejected", channel=channel.id, detail=rejected.detail)
                observer.down(channel.id, "login rejected", None)
                await patiently(lambda: tell_login_rejected(desk, channel.id, patience))
                await channel.readmitted()
                observer.expect(channel.id)
    except asyncio.CancelledError:
        if lease is not None:
            observer.forget(channel.id)  # another worker's now
        raise


async def _last_known(store: Store, now: datetime) -> datetime:
    """When something was last received, by the clock of whoever did: time does not begin before that again."""
    newest = await store.list(CURSORS, descending=True, limit=1)
    return newest[0].updated_at if newest else now


async def _bring_in_line(store: Store, settings: Settings, clock: Callable[[], datetime]) -> None:
    """Make the stored accounts and owners say what the config says, whichever of several workers comes first."""
    for _ in range(MOST_TRIES):
        try:
            return await _say_what_is_declared(store, settings, clock())
        except Conflict:
            await asyncio.sleep(random.uniform(0, 0.2))
    raise StoreUnavailable("the accounts changed under us again and again; are workers with different configs running?")


async def _say_what_is_declared(store: Store, settings: Settings, now: datetime) -> None:
    unsorted = unsorted_account(
        Catalogue().say(settings.desk.language, "account.unsorted"),
        settings.desk.language,
        settings.desk.time_zone,
        settings.desk.retention_days,
    )
    declared = [*declared_accounts(settings), unsorted]
    changes = bring_in_line(declared, await list_accounts(store))
    everyone = await store.list(SECRETARIES, True, limit=MOST_SECRETARIES)
    everyone += await store.list(SECRETARIES, False, limit=MOST_SECRETARIES)
    changes += owners_in_line(declared_owners(settings), everyone, now)
    if changes:
        await store.commit(changes)


async def _desk(
    settings: Settings,
    store: Store,
    channels: dict[ChannelId, Channel],
    metrics: Metrics,
    clock: Callable[[], datetime],
) -> Desk:
    return Desk(
        store=store,
        channels=channels,
        chats={channel_id: c for channel_id, c in channels.items() if isinstance(c, TelegramBot)},
        accounts={account.id: account for account in await list_accounts(store)},
        own_account=own_accounts(settings),
        desk_bots=frozenset(desk_bots(settings)),
        key=await _signing_key(store),
        texts=Catalogue(),
        clock=clock,
        meter=metrics,
        language=settings.desk.language,
        time_zone=settings.desk.time_zone,
        undo=timedelta(seconds=settings.desk.undo_seconds),
        country=settings.desk.country,
        trial=timedelta(days=settings.desk.approval_days),
        worker="",
    )


async def _signing_key(store: Store) -> DeskKey:
    """The secret that signs our Message-IDs: made once, by whichever worker starts first."""
    while True:
        key = await store.find(DeskKey, THE_KEY)
        if key is not None:
            return key
        try:
            await store.commit(Changes(inserts=[DeskKey(id=THE_KEY, secret=secrets.token_bytes(32))]))
        except Conflict:
            continue


async def _standing(desk: Desk, ledger: Ledger) -> Standing:
    """What the store knows of the channels, for the figures."""
    now, behind = desk.clock(), {}
    lines = await ledger.balance(list(desk.channels), now)
    for channel_id in desk.channels:
        oldest = await desk.store.list(RECEIPTS_WAITING, channel_id, limit=1)
        behind[str(channel_id)] = (now - oldest[0].arrived_at).total_seconds() if oldest else 0.0
    receipts = {
        (str(line.channel), state): getattr(line, state)
        for line in lines
        for state in ("waiting", "handled", "ignored", "parked")
    }
    return Standing(receipts=receipts, seconds_behind=behind)
