"""When silence is trouble, and when it is a weekend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from inbox.machinery import Habit, Pulse, Trouble, TroubleKind
from inbox.model import Role
from inbox.parts import Because, ChannelId
from inbox.watchkeeping import Facts, Patience, counted, is_unusually_silent, told, trouble_id, wrong_with
from tests.builders import a_secretary

PARIS = "Europe/Paris"
ZONE = ZoneInfo(PARIS)
BOX = ChannelId("mail:accueil")
MONDAY = datetime(2026, 3, 9, 9, 0, tzinfo=ZONE)


def habit(last: datetime, *, an_hour: int = 3, opens: int = 8, closes: int = 19, weeks: int = 5) -> Habit:
    """A mailbox that receives so many mails in every office hour, until `last`."""
    hours: dict[str, int] = {}
    at = (last - timedelta(weeks=weeks)).replace(minute=0, tzinfo=None)
    while at <= last.replace(tzinfo=None):
        if at.weekday() < 5 and opens <= at.hour < closes:
            hours[f"{at:%Y-%m-%dT%H}"] = an_hour
        at += timedelta(hours=1)
    return Habit(id=BOX, received=1000, heard_at=last.astimezone(UTC), hours=hours)


def silent_from(last: datetime, now: datetime, **given: int) -> bool:
    return is_unusually_silent(habit(last, **given), now.astimezone(UTC), PARIS)


# ---------------------------------------------------------------- habits


def test_a_morning_without_mail_is_strange() -> None:
    assert not silent_from(MONDAY, MONDAY + timedelta(hours=2, minutes=30))
    assert silent_from(MONDAY, MONDAY + timedelta(hours=3, minutes=10))


def test_nights_and_weekends_are_silent_because_they_always_were() -> None:
    evening = datetime(2026, 3, 6, 18, 50, tzinfo=ZONE)  # a Friday
    for hours in range(1, 24 * 3):
        now = evening + timedelta(hours=hours)
        if now < datetime(2026, 3, 9, 10, 0, tzinfo=ZONE):
            assert not silent_from(evening, now), now
    assert silent_from(evening, datetime(2026, 3, 9, 11, 0, tzinfo=ZONE))


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_the_change_of_clocks_is_no_silence_and_hides_none(day: str) -> None:
    friday = datetime.fromisoformat(day).replace(hour=18, minute=50, tzinfo=ZONE) - timedelta(days=2)
    monday = datetime.fromisoformat(day).replace(tzinfo=ZONE) + timedelta(days=1)
    assert not silent_from(friday, monday.replace(hour=9, minute=30))
    assert silent_from(friday, monday.replace(hour=11))


def test_a_mailbox_that_receives_little_or_is_new_has_no_habit() -> None:
    assert not silent_from(MONDAY, MONDAY + timedelta(hours=6), an_hour=0)
    assert not silent_from(MONDAY, MONDAY + timedelta(hours=6), weeks=3)
    # one mail an hour: its absence counts once six of them are missing
    assert not silent_from(MONDAY, MONDAY + timedelta(hours=6, minutes=30), an_hour=1)
    assert silent_from(MONDAY, MONDAY + timedelta(hours=7, minutes=30), an_hour=1)


def test_one_week_without_mail_in_the_last_four_is_a_reason_to_say_nothing() -> None:
    known = habit(MONDAY)
    holiday = f"{MONDAY - timedelta(weeks=2):%Y-%m-%d}"
    quieter = {hour: count for hour, count in known.hours.items() if not hour.startswith(holiday)}
    now = (MONDAY + timedelta(hours=6)).astimezone(UTC)
    assert is_unusually_silent(known, now, PARIS)
    known = Habit(id=BOX, received=1000, heard_at=known.heard_at, hours=quieter)
    assert not is_unusually_silent(known, now, PARIS)


def test_a_silence_of_weeks_is_still_strange() -> None:
    assert silent_from(MONDAY, MONDAY + timedelta(days=20))


def test_a_habit_counts_by_the_hour_and_forgets_what_is_older_than_it_looks_back() -> None:
    at = MONDAY.astimezone(UTC)
    first = counted(None, BOX, 40, at, PARIS)
    assert first == Habit(id=BOX, received=40, heard_at=at)
    assert counted(first, BOX, 40, at + timedelta(hours=1), PARIS) is None
    later = counted(first, BOX, 43, at + timedelta(minutes=10), PARIS)
    assert later is not None
    assert (later.received, later.hours) == (43, {"2026-03-09T09": 3})
    more = counted(later, BOX, 44, at + timedelta(minutes=20), PARIS)
    assert more is not None
    assert more.hours == {"2026-03-09T09": 4}
    month = counted(more, BOX, 45, at + timedelta(weeks=6), PARIS)
    assert month is not None
    assert month.hours == {"2026-04-20T10": 1}


# ---------------------------------------------------------------- what is wrong


NOW = MONDAY.astimezone(UTC)
MINUTE = timedelta(minutes=1)


def facts(
    *,
    heard: timedelta = timedelta(),
    owed: timedelta | None = None,
    waiting: timedelta | None = None,
    last: timedelta | None = None,
    told: Trouble | None = None,
) -> Facts:
    return Facts(
        pulse=Pulse(id=BOX, heard_at=NOW - heard, owed_since_at=None if owed is None else NOW - owed),
        waiting_since_at=None if waiting is None else NOW - waiting,
        habit=None if last is None else Habit(id=BOX, received=3, heard_at=NOW - last),
        open={} if told is None else {told.kind: told},
    )


def trouble(kind: TroubleKind, since: timedelta) -> Trouble:
    return Trouble(id=trouble_id(kind, BOX), channel_id=BOX, kind=kind, since_at=NOW - since, told_at=NOW - since)


def wrong(known: Facts, **silent: timedelta | None) -> dict[TroubleKind, datetime]:
    patience = Patience(silent={BOX: silent["after"]} if silent else {})
    return wrong_with(BOX, known, patience, NOW, PARIS)


def test_down_behind_and_silent_begin_once_patience_ends() -> None:
    assert wrong(facts(heard=10 * MINUTE)) == {}
    assert wrong(facts(heard=11 * MINUTE)) == {TroubleKind.DOWN: NOW - 11 * MINUTE}
    assert wrong(facts(waiting=30 * MINUTE, owed=30 * MINUTE)) == {}
    assert wrong(facts(waiting=31 * MINUTE, owed=40 * MINUTE)) == {TroubleKind.BEHIND: NOW - 40 * MINUTE}
    day = timedelta(hours=24)
    assert wrong(facts(last=day), after=day) == {}
    assert wrong(facts(last=day + MINUTE), after=day) == {TroubleKind.SILENT: NOW - day - MINUTE}
    assert wrong(facts(last=day + MINUTE)) == {}, "nobody expects anything there"


def test_silence_of_a_mailbox_that_is_down_is_not_told_beside_it() -> None:
    down = facts(heard=timedelta(days=2), last=timedelta(days=2))
    assert set(wrong(down, after=timedelta(hours=24))) == {TroubleKind.DOWN}


def test_silence_is_over_with_the_next_mail_and_not_with_the_hour() -> None:
    known = facts(last=timedelta(hours=5), told=trouble(TroubleKind.SILENT, timedelta(hours=5)))
    assert set(wrong(known, after=None)) == {TroubleKind.SILENT}
    known = facts(last=timedelta(hours=1), told=trouble(TroubleKind.SILENT, timedelta(hours=5)))
    assert wrong(known, after=None) == {}


def test_a_refused_login_is_over_only_once_the_channel_was_heard() -> None:
    refused = trouble(TroubleKind.DOWN, MINUTE)
    assert set(wrong(facts(heard=2 * MINUTE, told=refused))) == {TroubleKind.DOWN}
    assert wrong(facts(heard=timedelta(), told=refused)) == {}


# ---------------------------------------------------------------- who is told


def test_a_notice_leaves_through_the_owners_bot_or_another_that_is_up_or_waits_for_hers() -> None:
    owner = a_secretary("Anne", role=Role.OWNER)
    because = Because(key="notice.channel_back", args={"channels": BOX})
    hers, other = owner.channel_id, ChannelId("telegram:other")
    for up, expected in (([hers, other], hers), ([other], other), ([], hers)):
        [notice] = told([(owner, because)], up, NOW)
        assert (notice.channel_id, notice.lane) == (expected, f"{expected}:{owner.chat_id}")
