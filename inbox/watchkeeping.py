"""When a channel's silence is trouble, and who is told: the rules of the watch that is kept over every channel."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from inbox.machinery import Habit, Pulse, Trouble, TroubleKind
from inbox.model import Delivery, Role, Secretary
from inbox.outbox import sentence_for
from inbox.parts import Because, ChannelId
from inbox.store.base import Store
from inbox.store.documents import SECRETARIES

WEEKS = 4
"""How far a habit looks back."""
USUAL = 6
"""Arrivals in the same hours of every one of those weeks that make their absence strange.

Mail that arrives by chance, on average nine in a stretch (which is what six at
least in each of four weeks comes to), fails to arrive once in eight thousand
such stretches.
"""
SHORTEST_SILENCE = 2
"""Whole hours without an arrival before a habit is asked at all."""
LONGEST_LOOK = timedelta(minutes=1)
MOST_SECRETARIES = 10_000


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what may last before the owners are told."""

    down: timedelta = timedelta(minutes=10)
    """Without a connection."""
    behind: timedelta = timedelta(minutes=30)
    """While something received is not handled, or something at the server is not received."""
    again: timedelta = timedelta(hours=24)
    """Until they are told once more of what lasts."""
    silent: Mapping[ChannelId, timedelta | None] = field(default_factory=dict)
    """Mailboxes that are expected to receive something: after how long without; None: their own habit tells."""

    @property
    def look(self) -> timedelta:
        """Between two looks: short beside the shortest of these times."""
        return min(LONGEST_LOOK, self.down / 5, self.behind / 5)


# ---------------------------------------------------------------- what a mailbox usually receives


def counted(habit: Habit | None, channel: ChannelId, received: int, at: datetime, time_zone: str) -> Habit | None:
    """The habit once the cursor's tally was looked at; None when nothing arrived since.

    Args:
        received: the tally.
        at: when the cursor last moved.
    """
    if habit is None:
        return Habit(id=channel, received=received, heard_at=at)
    if received == habit.received:
        return None
    hour, eldest = _hour(at, time_zone), _hour(at - timedelta(weeks=WEEKS + 1), time_zone)
    hours = {key: count for key, count in habit.hours.items() if key > _text(eldest)}
    hours[_text(hour)] = hours.get(_text(hour), 0) + max(received - habit.received, 0)
    return msgspec.structs.replace(habit, received=received, heard_at=at, hours=hours)


def is_unusually_silent(habit: Habit, now: datetime, time_zone: str) -> bool:
    """Whether nothing arrived in hours in which every one of the last weeks brought some.

    The hours are whole ones of the desk's own clocks, so nights, weekends and
    lunch breaks are silent because they always were, whatever the season. A
    mailbox that receives little, or has not been received for four weeks yet,
    is never called silent: it has no habit.
    """
    first = _hour(habit.heard_at, time_zone) + timedelta(hours=1)
    until = _hour(now, time_zone)
    if until - first < timedelta(hours=SHORTEST_SILENCE):
        return False
    until = min(until, first + timedelta(weeks=1))  # a longer silence would be compared with itself
    for weeks in range(1, WEEKS + 1):
        begin, end = (_text(hour - timedelta(weeks=weeks)) for hour in (first, until))
        if sum(count for hour, count in habit.hours.items() if begin <= hour < end) < USUAL:
            return False
    return True


def _hour(instant: datetime, time_zone: str) -> datetime:
    # Without its zone: a week earlier is the same hour on the clock, even if the clocks were changed in between.
    return instant.astimezone(ZoneInfo(time_zone)).replace(minute=0, second=0, microsecond=0, tzinfo=None)


def _text(hour: datetime) -> str:
    return f"{hour:%Y-%m-%dT%H}"


# ---------------------------------------------------------------- what is wrong now


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one channel."""

    pulse: Pulse
    waiting_since_at: datetime | None
    """When the oldest receipt arrived that is not handled yet."""
    habit: Habit | None
    open: Mapping[TroubleKind, Trouble]
    """What the owners were told and is not over."""


def wrong_with(
    channel: ChannelId, facts: Facts, patience: Patience, now: datetime, time_zone: str
) -> dict[TroubleKind, datetime]:
    """What is wrong with a channel, and since when."""
    found: dict[TroubleKind, datetime] = {}
    pulse = facts.pulse
    told = facts.open.get(TroubleKind.DOWN)
    if now - pulse.heard_at > patience.down or (told is not None and pulse.heard_at <= told.since_at):
        found[TroubleKind.DOWN] = pulse.heard_at
    oldest = min((at for at in (facts.waiting_since_at, pulse.owed_since_at) if at is not None), default=now)
    if now - oldest > patience.behind:
        found[TroubleKind.BEHIND] = oldest
    if facts.habit is not None and channel in patience.silent:
        told, heard_at = facts.open.get(TroubleKind.SILENT), facts.habit.heard_at
        if told is not None:
            silent = heard_at <= told.since_at
        elif TroubleKind.DOWN in found:
            silent = False  # that it is not connected says it all
        else:
            longest = patience.silent[channel]
            silent = (
                now - heard_at > longest if longest is not None else is_unusually_silent(facts.habit, now, time_zone)
            )
        if silent:
            found[TroubleKind.SILENT] = heard_at
    return found


def trouble_id(kind: TroubleKind, channel: ChannelId) -> str:
    """The one document of this trouble."""
    return f"{kind}:{channel}"


# ---------------------------------------------------------------- who is told


async def list_owners(store: Store) -> list[Secretary]:
    """Everybody who owns the desk."""
    everyone = await store.list(SECRETARIES, True, limit=MOST_SECRETARIES)
    return [secretary for secretary in everyone if secretary.role is Role.OWNER]


def told(
    sentences: Iterable[tuple[Secretary, Because]], bots_up: Collection[ChannelId], now: datetime
) -> list[Delivery]:
    """The notices that say this: through the bot each joined by, or another of the desk's while that one is down.

    Where none is up, it waits in the outbox for hers.

    Args:
        bots_up: the desk's bots that are connected.
    """
    notices = []
    for owner, because in sentences:
        through = owner.channel_id if owner.channel_id in bots_up or not bots_up else min(bots_up)
        # In a private chat, the chat's id is the person's, whichever bot it is with.
        notices.append(sentence_for(msgspec.structs.replace(owner, channel_id=through), because, now))
    return notices


async def list_up(store: Store, channels: Collection[ChannelId], within: timedelta, now: datetime) -> list[ChannelId]:
    """Those of the channels that were heard lately."""
    pulses = await store.find_many(Pulse, channels)
    return sorted(pulse.id for pulse in pulses.values() if now - pulse.heard_at <= within)
