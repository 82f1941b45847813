"""When an account is open: spans of the week on its own clocks, public holidays, and the days it is closed.

What a clock on the wall shows decides, also on the nights clocks change: an
hour that comes twice is open twice, one that never comes is not. All instants
are aware; the time zone is an IANA name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from inbox.parts import Part

LONGEST_CLOSURE = timedelta(days=366)
"""What does not open within it does not open."""
_DAYS = (
    ("mon", "lun"),
    ("tue", "mar"),
    ("wed", "mer"),
    ("thu", "jeu"),
    ("fri", "ven"),
    ("sat", "sam"),
    ("sun", "dim"),
)
_MINUTES_A_DAY = 24 * 60
_DAY_WORD = re.compile(r"(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?")
_SPAN = re.compile(r"(\d{1,2})(?:[:h](\d\d)?)?-(\d{1,2})(?:[:h](\d\d)?)?")


class Span(Part, frozen=True, kw_only=True):
    """From one time of the day, included, to another, excluded; in minutes since midnight, 1440 at most."""

    opens: int
    closes: int


class Closure(Part, frozen=True, kw_only=True):
    """Whole days that are closed, both included."""

    first: date
    last: date


class Hours(Part, frozen=True, kw_only=True):
    """When an account is open."""

    week: tuple[tuple[Span, ...], ...]
    """The spans of each day, Monday first; in order, and apart from one another."""
    holidays: str = ""
    """The country, and the region where it has days of its own, whose public holidays are closed: `FR`, `FR-57`."""
    closed: tuple[Closure, ...] = ()


# ---------------------------------------------------------------- reading


def read_week(words: str) -> tuple[tuple[Span, ...], ...]:
    """The spans of each day, from words like `mon-fri 8:30-12:30 14:00-18:30, sat 9:00-12:00`.

    Raises:
        ValueError: what is wrong with them, as whoever wrote them may be told.
    """
    week: list[tuple[Span, ...] | None] = [None] * 7
    for part in filter(None, (part.strip() for part in re.split(r"[,;\n]", words.lower()))):
        days, *spans = part.split()
        named = _DAY_WORD.fullmatch(days)
        if named is None:
            raise ValueError(f"{days!r} is no day")
        first, last = _day(named["first"]), _day(named["last"] or named["first"])
        if last < first:
            raise ValueError(f"{days!r} ends before it begins")
        if not spans:
            raise ValueError(f"{part!r} names no hours")
        read = tuple(sorted((_span(span) for span in spans), key=lambda span: span.opens))
        if any(later.opens < earlier.closes for earlier, later in pairwise(read)):
            raise ValueError(f"{part!r} has hours that overlap")
        for day in range(first, last + 1):
            if week[day] is not None:
                raise ValueError(f"{_DAYS[day][0]!r} is named twice")
            week[day] = read
    if not any(week):
        raise ValueError("no hours are named")
    return tuple(spans or () for spans in week)


def _day(word: str) -> int:
    for number, names in enumerate(_DAYS):
        if word in names:
            return number
    raise ValueError(f"{word!r} is no day")


def _span(words: str) -> Span:
    found = _SPAN.fullmatch(words)
    if found is None:
        raise ValueError(f"{words!r} is not from one time to another")
    opens = int(found[1]) * 60 + int(found[2] or 0)
    closes = int(found[3]) * 60 + int(found[4] or 0)
    if int(found[2] or 0) > 59 or int(found[4] or 0) > 59 or not 0 <= opens < closes <= _MINUTES_A_DAY:
        raise ValueError(f"{words!r} is not from one time of a day to a later one")
    return Span(opens=opens, closes=closes)


def require_holidays(place: str) -> None:
    """Hold that the public holidays of a country, or of one of its regions, are known.

    Raises:
        ValueError: they are not.
    """
    _holidays(place, 2026)


@lru_cache(maxsize=256)
def _holidays(place: str, year: int) -> frozenset[date]:
    # here, for it takes a while to load, and many accounts ask for none
    from holidays import country_holidays

    country, _, region = place.partition("-")
    try:
        return frozenset(country_holidays(country, subdiv=region or None, years=year))
    except NotImplementedError:
        raise ValueError(f"no public holidays are known of {place!r}") from None


# ---------------------------------------------------------------- what they say


def is_open(hours: Hours, time_zone: str, at: datetime) -> bool:
    """Whether it is open at an instant."""
    local = at.astimezone(ZoneInfo(time_zone))
    minute = local.hour * 60 + local.minute
    return any(span.opens <= minute < span.closes for span in _spans(hours, local.date()))


def next_opening(hours: Hours, time_zone: str, at: datetime) -> datetime | None:
    """The first instant from `at` on at which it is open; None where that is more than a year away."""
    for opens, closes in _stretches(hours, time_zone, at, at + LONGEST_CLOSURE):
        if closes > at:
            return max(opens, at.astimezone(UTC))
    return None


def closing(hours: Hours, time_zone: str, at: datetime) -> datetime | None:
    """When it closes that is open at this instant; None where it is not open."""
    for opens, closes in _stretches(hours, time_zone, at, at + timedelta(days=1)):
        if opens <= at < closes:
            return closes
    return None


def time_open(hours: Hours, time_zone: str, since: datetime, until: datetime) -> timedelta:
    """How much of the time between two instants it is open."""
    return sum(
        (
            max(min(closes, until) - max(opens, since), timedelta(0))
            for opens, closes in _stretches(hours, time_zone, since, until)
        ),
        timedelta(0),
    )


def after_open(hours: Hours, time_zone: str, since: datetime, length: timedelta) -> datetime | None:
    """The instant by which it was open for so long from `since` on; None where a year is not enough.

    It is an instant at which it is open, or one at which it closes; with a
    length of nothing, the next at which it is open.
    """
    if length <= timedelta(0):
        return next_opening(hours, time_zone, since)
    left = length
    for opens, closes in _stretches(hours, time_zone, since, since + LONGEST_CLOSURE + length):
        begins = max(opens, since.astimezone(UTC))
        if closes <= begins:
            continue
        if closes - begins >= left:
            return begins + left
        left -= closes - begins
    return None


def _spans(hours: Hours, day: date) -> tuple[Span, ...]:
    if any(closure.first <= day <= closure.last for closure in hours.closed):
        return ()
    if hours.holidays and day in _holidays(hours.holidays, day.year):
        return ()
    return hours.week[day.weekday()]


def _stretches(hours: Hours, time_zone: str, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """When it is open in the days from one instant to another, in order, in UTC."""
    zone = ZoneInfo(time_zone)
    day, last = since.astimezone(zone).date() - timedelta(days=1), until.astimezone(zone).date()
    while day <= last:
        if spans := _spans(hours, day):
            yield from _of_day(day, spans, zone)
        day += timedelta(days=1)


def _of_day(day: date, spans: tuple[Span, ...], zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """The spans of a day as instants; on either side of a change of clocks, those its clocks show there."""
    midnight = datetime.combine(day, time(), UTC)
    # No zone is farther from UTC than that, and none changes its clocks twice in so few days.
    before, after = midnight - timedelta(hours=15), midnight + timedelta(hours=39)
    earlier, later = _offset(before, zone), _offset(after, zone)
    stretches = []
    changes_at = after if earlier == later else _change(before, after, zone)
    for offset, begins, ends in ((earlier, before, changes_at), (later, changes_at, after)):
        for span in spans:
            opens = max(midnight + timedelta(minutes=span.opens) - offset, begins)
            closes = min(midnight + timedelta(minutes=span.closes) - offset, ends)
            if opens < closes:
                stretches.append((opens, closes))
    return sorted(stretches)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The second at which clocks change between two instants."""
    earlier = _offset(before, zone)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before).total_seconds() // 2)
        before, after = (middle, after) if _offset(middle, zone) == earlier else (before, middle)
    return after
