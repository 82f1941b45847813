"""The watch over every channel: one that is down, behind or unusually silent is told to the owners, and its return."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime

import msgspec
import structlog

from handlers.desk import Desk
from inbox.errors import Conflict, StoreUnavailable
from inbox.machinery import Habit, Lease, Pulse, Trouble, TroubleKind
from inbox.model import Cursor, Secretary
from inbox.parts import Because, ChannelId
from inbox.store.base import Changes
from inbox.store.documents import RECEIPTS_WAITING, TROUBLES
from inbox.watchkeeping import Facts, Patience, counted, list_owners, list_up, told, trouble_id, wrong_with

log = structlog.get_logger(__name__)

MOST_TROUBLES = 10_000
MOST_NAMED = 12
"""Channels one sentence names; a network that is down takes them all along."""
MOST_DECISIONS = 12


# ---------------------------------------------------------------- what this worker hears


class Pulses:
    """What this worker hears of the channels it receives, written where whoever keeps the watch finds it."""

    def __init__(self) -> None:
        self._up: set[ChannelId] = set()
        self._owed: dict[ChannelId, bool] = {}
        self._news = asyncio.Event()

    def up(self, channel: ChannelId) -> None:
        """It is connected and receives."""
        self._up.add(channel)
        self._news.set()

    def down(self, channel: ChannelId) -> None:
        """It does not, or another worker receives it from now on."""
        self._up.discard(channel)
        self._owed.pop(channel, None)

    def owed(self, channel: ChannelId, something: bool) -> None:
        """Its server has something that it did not hand over yet."""
        if self._owed.get(channel) is not something:
            self._owed[channel] = something
            self._news.set()

    async def keep(self, desk: Desk, patience: Patience) -> None:
        """Write until cancelled: at once what changes, and now and then that all is as it was."""
        while True:
            self._news.clear()
            try:
                await self._write(desk)
            except StoreUnavailable:
                log.warning("store_unavailable")
            with suppress(TimeoutError):
                async with asyncio.timeout(patience.look.total_seconds() / 2):
                    await self._news.wait()

    async def _write(self, desk: Desk) -> None:
        pulses = await desk.store.find_many(Pulse, desk.channels)
        beats = [self._beat(pulses.get(channel_id), channel_id, desk.clock()) for channel_id in desk.channels]
        changes = [beat for beat in beats if beat]
        if not changes:
            return
        with suppress(Conflict):  # another worker wrote one of them: the next beat is soon enough
            await desk.store.commit(sum(changes, Changes()))

    def _beat(self, before: Pulse | None, channel_id: ChannelId, now: datetime) -> Changes:
        if before is None:
            return Changes(inserts=[Pulse(id=channel_id, heard_at=now)])
        if channel_id not in self._up:
            return Changes()
        since = before.owed_since_at
        if channel_id in self._owed:
            since = (since or now) if self._owed[channel_id] else None
        return Changes(replacements=[msgspec.structs.replace(before, heard_at=now, owed_since_at=since)])


# ---------------------------------------------------------------- what is told of it


async def keep_watch(desk: Desk, patience: Patience, lease: Lease | None = None) -> None:
    """Look at every channel until cancelled, and tell the owners what is wrong with any, once, and that it is over.

    One worker does this for all. What the owners were told is stored in the
    commit that tells them, so that whoever keeps the watch next goes on.

    Args:
        lease: under which this worker keeps the watch, where others might.
    """
    watch = _Watch(desk, patience, lease)
    while True:
        try:
            await watch.look()
        except (StoreUnavailable, Conflict) as failure:
            log.warning("watch_interrupted", error=type(failure).__name__)
        except Exception:
            # A watch that stumbles must not take down what it watches.
            log.exception("watch_interrupted")
        await asyncio.sleep(patience.look.total_seconds())


class _Watch:
    """One look after the other; only what two of them saw is believed.

    After a start, or when the clock was set, what was written before looks
    old, and the next look finds it renewed.
    """

    def __init__(self, desk: Desk, patience: Patience, lease: Lease | None) -> None:
        self._desk = desk
        self._patience = patience
        self._fence = Changes(expectations=[lease] if lease else [])
        self._seen: set[tuple[ChannelId, TroubleKind, bool]] = set()

    async def look(self) -> None:
        store, now = self._desk.store, self._desk.clock()
        troubles = {t.id: t for t in await store.list(TROUBLES, limit=MOST_TROUBLES)}
        habits = await self._habits()
        pulses = await store.find_many(Pulse, self._desk.channels)
        begun: dict[TroubleKind, dict[ChannelId, datetime]] = defaultdict(dict)
        over: dict[TroubleKind, list[Trouble]] = defaultdict(list)
        seen: set[tuple[ChannelId, TroubleKind, bool]] = set()
        for channel_id in self._desk.channels:
            if channel_id not in pulses:
                continue  # its first is being written
            waiting = await store.list(RECEIPTS_WAITING, channel_id, limit=1)
            known = {k: t for k in TroubleKind if (t := troubles.get(trouble_id(k, channel_id))) is not None}
            facts = Facts(
                pulse=pulses[channel_id],
                waiting_since_at=waiting[0].arrived_at if waiting else None,
                habit=habits.get(channel_id),
                open=known,
            )
            wrong = wrong_with(channel_id, facts, self._patience, now, self._desk.time_zone)
            for kind in TroubleKind:
                if (kind in wrong) is (kind in known):
                    continue
                seen.add((channel_id, kind, kind in wrong))
                if (channel_id, kind, kind in wrong) not in self._seen:
                    continue
                if kind in wrong:
                    begun[kind][channel_id] = wrong[kind]
                else:
                    over[kind].append(known[kind])
        self._seen = seen
        gone = [trouble for trouble in troubles.values() if trouble.channel_id not in self._desk.channels]
        await self._tell(begun, over, [t for t in troubles.values() if t not in gone], gone, now)

    async def _habits(self) -> dict[ChannelId, Habit]:
        store = self._desk.store
        mailboxes = self._patience.silent
        habits = dict(await store.find_many(Habit, mailboxes))
        cursors = await store.find_many(Cursor, mailboxes)
        inserts: list[Habit] = []
        replacements: list[Habit] = []
        for cursor in cursors.values():
            before = habits.get(cursor.id)
            after = counted(before, cursor.id, cursor.received, cursor.updated_at, self._desk.time_zone)
            if after is None:
                continue
            habits[cursor.id] = after
            (inserts if before is None else replacements).append(after)
        if inserts or replacements:
            await store.commit(Changes(inserts=inserts, replacements=replacements) + self._fence)
        return {ChannelId(name): habit for name, habit in habits.items()}

    async def _tell(
        self,
        begun: Mapping[TroubleKind, Mapping[ChannelId, datetime]],
        over: Mapping[TroubleKind, Iterable[Trouble]],
        troubles: Iterable[Trouble],
        gone: Iterable[Trouble],
        now: datetime,
    ) -> None:
        """Commit what began, lasts and ended, with a sentence for each kind, however many channels it names."""
        ended = [trouble for kind in over for trouble in over[kind]]
        again = [t for t in troubles if t not in ended and now - t.told_at > self._patience.again]
        changes = Changes(
            inserts=[
                Trouble(id=trouble_id(kind, channel), channel_id=channel, kind=kind, since_at=since, told_at=now)
                for kind in begun
                for channel, since in begun[kind].items()
            ],
            replacements=[msgspec.structs.replace(trouble, told_at=now) for trouble in again],
            deletions=[*ended, *gone],
        )
        if not changes:
            return
        owners = await list_owners(self._desk.store)
        up = await list_up(self._desk.store, self._desk.desk_bots, self._patience.down, now)
        for kind in TroubleKind:
            lasting = {**begun[kind], **{t.channel_id: t.since_at for t in again if t.kind is kind}}
            if lasting:
                log.warning("channel_trouble", kind=kind.value, channels=sorted(lasting))
                changes += Changes(inserts=told([(o, self._said(o, kind, lasting, now)) for o in owners], up, now))
            if back := [t.channel_id for t in ended if t.kind is kind]:
                log.info("channel_trouble_over", kind=kind.value, channels=sorted(back))
                because = Because(key=_OVER[kind], args={"channels": _named(back)})
                changes += Changes(inserts=told([(owner, because) for owner in owners], up, now))
        await self._desk.store.commit(changes + self._fence)

    def _said(
        self, owner: Secretary, kind: TroubleKind, lasting: Mapping[ChannelId, datetime], now: datetime
    ) -> Because:
        since = self._desk.texts.when(owner.language, self._desk.time_zone, min(lasting.values()), now)
        return Because(key=_BEGUN[kind], args={"channels": _named(lasting), "since": since})


_BEGUN = {
    TroubleKind.DOWN: "notice.channel_down",
    TroubleKind.BEHIND: "notice.channel_behind",
    TroubleKind.SILENT: "notice.channel_silent",
}
_OVER = {
    TroubleKind.DOWN: "notice.channel_back",
    TroubleKind.BEHIND: "notice.channel_caught_up",
    TroubleKind.SILENT: "notice.channel_heard",
}


def _named(channels: Iterable[ChannelId]) -> str:
    names = sorted(channels)
    return ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")


async def tell_login_rejected(desk: Desk, channel_id: ChannelId, patience: Patience) -> None:
    """Tell the owners that a server refuses our login, which stops that channel: it counts as down from now on."""
    for _ in range(MOST_DECISIONS):
        now = desk.clock()
        before = await desk.store.find(Trouble, trouble_id(TroubleKind.DOWN, channel_id))
        if before is None:
            trouble = Trouble(
                id=trouble_id(TroubleKind.DOWN, channel_id),
                channel_id=channel_id,
                kind=TroubleKind.DOWN,
                since_at=now,
                told_at=now,
            )
            changes = Changes(inserts=[trouble])
        else:
            changes = Changes(replacements=[msgspec.structs.replace(before, told_at=now)])
        because = Because(key="notice.login_rejected", args={"channel": channel_id})
        up = await list_up(desk.store, desk.desk_bots, patience.down, now)
        notices = told([(owner, because) for owner in await list_owners(desk.store)], up, now)
        try:
            await desk.store.commit(changes + Changes(inserts=notices))
        except Conflict:
            continue
        return
