"""When an account is open: as its clocks on the wall show it, also on the nights they change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbox.hours import (
    Closure,
    Hours,
    Span,
    after_open,
    closing,
    is_open,
    next_opening,
    read_week,
    require_holidays,
    time_open,
)

PARIS = "Europe/Paris"
USUAL = Hours(week=read_week("mon-fri 8:30-12:30 14:00-18:30, sat 9:00-12:00"), holidays="FR")


def paris(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(PARIS))


def test_a_lunch_break_is_closed_and_the_minute_it_ends_is_open() -> None:
    assert is_open(USUAL, PARIS, paris(2026, 6, 2, 8, 30))
    assert not is_open(USUAL, PARIS, paris(2026, 6, 2, 12, 30))
    assert is_open(USUAL, PARIS, paris(2026, 6, 2, 14))
    assert next_opening(USUAL, PARIS, paris(2026, 6, 2, 12, 30)) == paris(2026, 6, 2, 14)
    assert closing(USUAL, PARIS, paris(2026, 6, 2, 9)) == paris(2026, 6, 2, 12, 30)
    assert closing(USUAL, PARIS, paris(2026, 6, 2, 13)) is None


def test_a_public_holiday_and_a_closed_week_are_passed_over() -> None:
    # Friday, 1 May 2026; and Moselle has Good Friday besides.
    assert next_opening(USUAL, PARIS, paris(2026, 4, 30, 19)) == paris(2026, 5, 2, 9)
    moselle = Hours(week=USUAL.week, holidays="FR-57")
    assert is_open(USUAL, PARIS, paris(2026, 4, 3, 10))
    assert not is_open(moselle, PARIS, paris(2026, 4, 3, 10))
    away = Hours(week=USUAL.week, closed=(Closure(first=date(2026, 8, 3), last=date(2026, 8, 23)),))
    assert next_opening(away, PARIS, paris(2026, 8, 1, 12)) == paris(2026, 8, 24, 8, 30)


def test_four_hours_from_friday_afternoon_are_over_on_saturday_morning() -> None:
    since = paris(2026, 6, 5, 17, 0)
    assert after_open(USUAL, PARIS, since, timedelta(hours=4)) == paris(2026, 6, 6, 11, 30)
    assert time_open(USUAL, PARIS, since, paris(2026, 6, 6, 11, 30)) == timedelta(hours=4)
    # From a closed moment it counts from the next opening, and may end as it closes.
    assert after_open(USUAL, PARIS, paris(2026, 6, 7, 3), timedelta(hours=4)) == paris(2026, 6, 8, 12, 30)


def test_a_night_that_is_an_hour_longer_is_open_an_hour_longer() -> None:
    nights = Hours(week=read_week("mon-sun 0:00-24:00"))
    longer = time_open(nights, PARIS, paris(2026, 10, 25), paris(2026, 10, 26))
    shorter = time_open(nights, PARIS, paris(2026, 3, 29), paris(2026, 3, 30))
    assert (longer, shorter) == (timedelta(hours=25), timedelta(hours=23))
    # The hour from two to three never came.
    lost = Hours(week=read_week("sun 2:00-3:00"))
    assert time_open(lost, PARIS, paris(2026, 3, 29), paris(2026, 3, 30)) == timedelta(0)


def test_what_never_opens_is_said_to_never_open() -> None:
    never = Hours(week=USUAL.week, closed=(Closure(first=date(2026, 1, 1), last=date(2030, 1, 1)),))
    assert next_opening(never, PARIS, paris(2026, 6, 1)) is None
    assert after_open(never, PARIS, paris(2026, 6, 1), timedelta(hours=1)) is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "no hours"),
        ("lundi 8:00-12:00", "'lundi' is no day"),
        ("fri-mon 8:00-12:00", "ends before"),
        ("mon", "names no hours"),
        ("mon 8:00", "'8:00' is not from one time"),
        ("mon 12:00-8:00", "later one"),
        ("mon 8:70-9:00", "later one"),
        ("mon 8:00-25:00", "later one"),
        ("mon 8:00-12:00 11:00-13:00", "overlap"),
        ("mon-wed 8:00-12:00, tue 9:00-10:00", "'tue' is named twice"),
    ],
)
def test_hours_that_cannot_be_are_refused_in_words(words: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_week(words)


def test_french_days_and_hours_are_read_as_well() -> None:
    assert read_week("lun-ven 8h30-12h 14h-18h30") == read_week("mon-fri 8:30-12:00 14:00-18:30")


def test_a_country_nobody_knows_is_refused() -> None:
    require_holidays("FR-57")
    for unknown in ("XX", "FR-ZZ"):
        with pytest.raises(ValueError, match=unknown):
            require_holidays(unknown)


# ---------------------------------------------------------------- always


ZONES = ("Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Asia/Kolkata")


@st.composite
def weeks(draw: st.DrawFn) -> Hours:
    """Any week: none to three spans a day, at any minute."""
    week = []
    for _ in range(7):
        edges = sorted(draw(st.sets(st.integers(0, 1440), max_size=6)))
        week.append(tuple(Span(opens=a, closes=b) for a, b in zip(edges[::2], edges[1::2], strict=False)))
    return Hours(week=tuple(week))


def around_a_change() -> st.SearchStrategy[datetime]:
    """Instants near the nights on which clocks change somewhere, to the minute."""
    changes = [(3, 29), (10, 25), (3, 8), (11, 1), (4, 5), (10, 4), (9, 6), (4, 24), (10, 29)]
    return st.builds(
        lambda day, minutes: datetime(2026, day[0], day[1], tzinfo=UTC) + timedelta(minutes=minutes),
        st.sampled_from(changes),
        st.integers(-2 * 1440, 3 * 1440),
    )


@settings(max_examples=150, deadline=None)
@given(weeks(), st.sampled_from(ZONES), around_a_change(), st.integers(0, 3 * 1440))
def test_open_time_is_the_minutes_a_wall_clock_shows_as_open(
    hours: Hours, zone: str, since: datetime, minutes: int
) -> None:
    until = since + timedelta(minutes=min(minutes, 600))
    # Minutes are what spans are made of, and clocks change on the full minute.
    counted = sum(is_open(hours, zone, since + timedelta(minutes=m)) for m in range(min(minutes, 600)))
    assert time_open(hours, zone, since, until) == timedelta(minutes=counted)


@settings(max_examples=150, deadline=None)
@given(weeks(), st.sampled_from(ZONES), around_a_change(), st.integers(1, 2000))
def test_the_instant_after_so_much_open_time_has_so_much_before_it(
    hours: Hours, zone: str, since: datetime, minutes: int
) -> None:
    length = timedelta(minutes=minutes)
    reached = after_open(hours, zone, since, length)
    if reached is None:
        assert time_open(hours, zone, since, since + timedelta(days=366)) < length
        return
    assert time_open(hours, zone, since, reached) == length
    # Not a second sooner.
    assert time_open(hours, zone, since, reached - timedelta(seconds=1)) == length - timedelta(seconds=1)


@settings(max_examples=150, deadline=None)
@given(weeks(), st.sampled_from(ZONES), around_a_change())
def test_nothing_is_open_before_the_next_opening(hours: Hours, zone: str, at: datetime) -> None:
    opens = next_opening(hours, zone, at)
    if opens is None:
        assert not any(hours.week)
        return
    assert is_open(hours, zone, opens)
    assert time_open(hours, zone, at, opens) == timedelta(0)
