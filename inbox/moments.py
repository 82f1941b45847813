"""A moment as people write it: "demain 9 h", "lundi", "ce soir", "12/03 à 14:30", "in 2 hours".

French and English, capitals and accents aside. What is not understood whole is
not guessed: somebody is asked again rather than rung at the wrong hour.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from inbox.errors import InvalidTransition
from inbox.notes import plain

LONGEST = timedelta(days=366)
MORNING = time(9)
AFTERNOON = time(14)
EVENING = time(18)

_HOURS = (
    ("soir|soiree|evening|tonight", EVENING),
    ("apres-midi|apres midi|afternoon", AFTERNOON),
    ("matin|matinee|morning", MORNING),
    ("midi|noon", time(12)),
)
_DAYS = (
    "lundi|monday|mon",
    "mardi|tuesday|tue",
    "mercredi|wednesday|wed",
    "jeudi|thursday|thu",
    "vendredi|friday|fri",
    "samedi|saturday|sat",
    "dimanche|sunday|sun",
)
MONTHS = (
    "janvier|january|janv|jan",
    "fevrier|february|fevr|feb",
    "mars|march|mar",
    "avril|april|avr|apr",
    "mai|may",
    "juin|june|jun",
    "juillet|july|juil|jul",
    "aout|august|aug",
    "septembre|september|sept|sep",
    "octobre|october|oct",
    "novembre|november|nov",
    "decembre|december|dec",
)
_UNITS = (
    ("minutes|minute|min|mn", timedelta(minutes=1)),
    ("heures|heure|hours|hour", timedelta(hours=1)),
    ("jours|jour|days|day", timedelta(days=1)),
    ("semaines|semaine|weeks|week", timedelta(weeks=1)),
)
_SPAN = re.compile(
    rf"(?:dans |in )?(\d{{1,3}}) ?({'|'.join(names for names, _ in _UNITS)})|(?:dans|in) (\d{{1,2}}) ?h(?: ?(\d\d))?"
)
_CLOCK = re.compile(r"\b(?:a |at )?(\d{1,2})(?: ?(?:h|:) ?(\d\d)?|(?= ?[ap]\.?m\b))(?: ?([ap])\.?m\b)?")
_NUMBERS = re.compile(r"\b(?:(\d{4})-(\d\d)-(\d\d)|(\d{1,2})[/.](\d{1,2})(?:[/.](\d{4}|\d\d))?)(?![\d:])")
_NAMED = re.compile(
    rf"\b(\d{{1,2}})(?:er|st|nd|rd|th)? (?:de )?({'|'.join(MONTHS)})\b\.?(?: (\d{{4}}))?"
    rf"|\b({'|'.join(MONTHS)}) (\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (\d{{4}}))?"
)
_IDLE = re.compile(r"\b(?:le|la|a|at|on|the|ce|cet|cette|this|prochaine?|next|vers|de|au)\b|[,.]")


def require_ahead(moment: datetime, now: datetime) -> None:
    """Hold that something can wait until then.

    Raises:
        InvalidTransition: it is past, or more than a year away.
    """
    if moment <= now:
        raise InvalidTransition("error.moment_past")
    if moment > now + LONGEST:
        raise InvalidTransition("error.moment_far")


def read_moment(words: str, now: datetime) -> datetime | None:
    """The moment these words name, the next such after `now`; None where they name none, or something else besides.

    A day without an hour is nine o'clock of that day.

    Args:
        now: by the clock of whoever wrote; the moment has its time zone.
    """
    said = " ".join(plain(words).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())
    span = _SPAN.fullmatch(said)
    if span is not None:
        return _after(span, now)
    hour, said = _hour(said)
    day, is_open, said = _day(said, now)
    if _IDLE.sub(" ", said).split() or (day is None and hour is None):
        return None
    if day is None:
        moment = datetime.combine(now.date(), hour or MORNING, now.tzinfo)
        return moment if moment > now else datetime.combine(now.date() + timedelta(days=1), moment.time(), now.tzinfo)
    moment = datetime.combine(day, hour or MORNING, now.tzinfo)
    if moment <= now and is_open is not None:
        moment = datetime.combine(is_open, moment.time(), now.tzinfo)
    return moment if moment > now else None


def _after(span: re.Match[str], now: datetime) -> datetime:
    if span[3] is not None:
        length = timedelta(hours=int(span[3]), minutes=int(span[4] or 0))
    else:
        length = int(span[1]) * next(unit for names, unit in _UNITS if re.fullmatch(names, span[2]))
    if length >= timedelta(days=1):
        return now + length  # in three days at this hour, whatever the clocks do
    return (now.astimezone(UTC) + length).astimezone(now.tzinfo)


def _hour(said: str) -> tuple[time | None, str]:
    for names, hour in _HOURS:
        if found := re.search(rf"\b(?:{names})\b", said):
            if clock := _CLOCK.search(said):  # "demain matin 8 h"
                said, found_hour = _cut(said, clock), _clock(clock)
                return found_hour, re.sub(rf"\b(?:{names})\b", " ", said)
            return hour, _cut(said, found)
    clock = _CLOCK.search(said)
    return (_clock(clock), _cut(said, clock)) if clock is not None else (None, said)


def _clock(found: re.Match[str]) -> time | None:
    hour, minute = int(found[1]), int(found[2] or 0)
    if found[3] is not None:
        hour = hour % 12 + (12 if found[3] == "p" else 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _day(said: str, now: datetime) -> tuple[date | None, date | None, str]:
    """The day, the one meant where its hour is past already, and what else was said."""
    today = now.date()
    for names, days in (("apres-demain|day after tomorrow", 2), ("demain|tomorrow", 1), ("aujourd'hui|today", 0)):
        if found := re.search(rf"\b(?:{names})\b", said):
            return today + timedelta(days=days), None, _cut(said, found)
    for number, names in enumerate(_DAYS):
        if found := re.search(rf"\b(?:{names})\b", said):
            day = today + timedelta(days=(number - today.weekday()) % 7)
            return day, day + timedelta(days=7), _cut(said, found)
    if found := _NUMBERS.search(said):
        year, month, day_of = (found[1], found[2], found[3]) if found[1] else (found[6], found[5], found[4])
        return *_in_year(year, int(month), int(day_of), today), _cut(said, found)
    if found := _NAMED.search(said):
        name, day_of, year = (found[2], found[1], found[3]) if found[1] else (found[4], found[5], found[6])
        month_number = next(n for n, names in enumerate(MONTHS, 1) if re.fullmatch(names, name))
        return *_in_year(year, month_number, int(day_of), today), _cut(said, found)
    return None, None, said


def _in_year(year: str | None, month: int, day: int, today: date) -> tuple[date | None, date | None]:
    years = [int(year) + (2000 if len(year) == 2 else 0)] if year else [today.year, today.year + 1]
    days = []
    for each in years:
        try:
            days.append(date(each, month, day))
        except ValueError:
            continue
    if year is None:
        days = [each for each in days if each >= today]
    return (days[0] if days else None), (days[1] if len(days) > 1 else None)


def _cut(said: str, found: re.Match[str]) -> str:
    return f"{said[: found.start()]} {said[found.end() :]}"
