"""The days a sentence speaks of: "congé du 3 au 14 août", "pas de rendez-vous jeudi", "until Friday".

French and English, capitals and accents aside. What could mean several
things is not guessed: whoever wrote it is asked to say it otherwise, and
what was read is shown back before it holds.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import NamedTuple

from inbox.errors import InvalidTransition
from inbox.moments import MONTHS
from inbox.notes import plain

# Whole words only: "mon portable" is no Monday.
_WEEKDAYS = (
    "lundi|monday",
    "mardi|tuesday",
    "mercredi|wednesday",
    "jeudi|thursday",
    "vendredi|friday",
    "samedi|saturday",
    "dimanche|sunday",
)
_W = "|".join(_WEEKDAYS)
_M = "|".join(MONTHS)
_NTH = "(?:er|st|nd|rd|th)?"
_DAY = re.compile(
    rf"(?<![\d/.])(?:\b(?:{_W}),? )?(?:"
    rf"\b(?P<day>\d{{1,2}}){_NTH} (?:de |of )?(?P<month>{_M})\b\.?(?: (?P<year>\d{{4}})\b)?"
    rf"|\b(?P<us_month>{_M}) (?P<us_day>\d{{1,2}}){_NTH}\b(?:,? (?P<us_year>\d{{4}})\b)?"
    rf"|\b(?P<iso>\d{{4}}-\d\d-\d\d)\b"
    rf"|\b(?P<n_day>\d{{1,2}})/(?P<n_month>\d{{1,2}})(?:/(?P<n_year>\d{{4}}|\d\d))?(?![\d/])"
    rf")|\b(?P<weekday>{_W})\b|\b(?P<near>apres-demain|demain|aujourd'hui|day after tomorrow|tomorrow|today)\b"
)
_SHARED_MONTH = re.compile(rf"\b(?:(?:{_W}),? )?(\d{{1,2}}){_NTH} ?(?:au|to|until|-) ?(?:(?:le|{_W}) )?$")
_SHARED_BY_AND = re.compile(rf"(\bentre (?:le )?|\bbetween |\d, ?)?\b(\d{{1,2}}){_NTH} (?:et|and) (?:le )?$")
_SHARED_MONTH_BEHIND = re.compile(r"^ ?(?:to|until|-) ?(\d{1,2})\b(?! ?(?:h|:))")
_TO = re.compile(r"^,? ?(?:au|a|to|until|till|through|jusqu'au|jusqu'a|jusqu'|-)(?: le)? ?$")
_AND = re.compile(r"^,? ?(?:et|and)(?: le| on)? ?$")
_UNTIL = re.compile(r"\b(?:jusqu'au|jusqu'a|jusqu'|until|till|through)(?: le| the)? ?$")
_SINCE = re.compile(r"\b(?:a partir (?:du|de|d')|a compter (?:du|de|d')|des|from|starting|as of)(?: le| on)? ?$")
_EVERY = re.compile(r"\b(?:le|les|chaque|tous les|every|each) ?$")
_NEXT_WEEK = re.compile(r"\b(?:(?:la )?semaine prochaine|next week)\b")
_THIS_WEEK = re.compile(r"\b(?:cette semaine|this week)\b")
_NEAR = {
    "aujourd'hui": 0,
    "today": 0,
    "demain": 1,
    "tomorrow": 1,
    "apres-demain": 2,
    "day after tomorrow": 2,
}


class Period(NamedTuple):
    """From which day to which, both included; None where it has no beginning or no end."""

    first: date | None = None
    last: date | None = None


def read_period(words: str, today: date) -> Period:
    """The days these words speak of; neither where they name none: then what they say holds for good.

    A date without a year is the next such one; so a range over New Year's Eve
    ends next year. A weekday is the next such day, unless every one is meant
    ("le mercredi").

    Raises:
        InvalidTransition: they can be read in several ways, or what they speak of is over.
    """
    said = re.sub("[\N{EN DASH}\N{EM DASH}]", "-", plain(words).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    said = " ".join(said.split())
    found = list(_DAY.finditer(said))
    if len(found) > 2:
        raise InvalidTransition("error.days_unclear")
    period = _between(said, found[0], found[1], today) if len(found) == 2 else _around(said, found, today)
    if period.last is not None and period.last < today:
        raise InvalidTransition("error.days_past")
    if period.first is not None and period.last is not None and period.last < period.first:
        raise InvalidTransition("error.days_unclear")
    return period


def _around(said: str, found: list[re.Match[str]], today: date) -> Period:
    """The period of a sentence that names one day, or none."""
    if not found:
        monday = today - timedelta(days=today.weekday())
        if _NEXT_WEEK.search(said):
            return Period(monday + timedelta(days=7), monday + timedelta(days=13))
        return Period(today, monday + timedelta(days=6)) if _THIS_WEEK.search(said) else Period()
    (token,) = found
    before, behind = said[: token.start()], said[token.end() :]
    if token["weekday"] and _EVERY.search(before):
        return Period()
    if token["day"] and (shared := _SHARED_MONTH.search(before)):
        return _up_to(_day(token, today), int(shared[1]))
    if token["day"] and (listed := _SHARED_BY_AND.search(before)):
        return _listed(_up_to(_day(token, today), int(listed[2])), listed[1] or "")
    if token["us_day"] and (shared := _SHARED_MONTH_BEHIND.search(behind)):
        first = _day(token, today)
        return Period(first, _made(first.year, first.month, int(shared[1])))
    day = _day(token, today)
    if _UNTIL.search(before):
        return Period(today, day)
    return Period(day, None) if _SINCE.search(before) else Period(day, day)


def _between(said: str, one: re.Match[str], other: re.Match[str], today: date) -> Period:
    """The period of a sentence that names two days."""
    middle = said[one.end() : other.start()]
    if one["weekday"] and other["day"] and (shared := _SHARED_MONTH.search(middle)):
        return _up_to(_day(other, today), int(shared[1]))  # "du lundi 3 au vendredi 14 août"
    if _TO.search(middle):
        if other["weekday"]:
            first = _day(one, today)
            return Period(first, _day(other, first))
        last = _day(other, today)
        first = _day(one, today)
        if not (one["weekday"] or one["near"] or _says_year(one)):
            # Without a year it is the last such day before the end, even if that is past.
            first = _made(last.year, first.month, first.day)
            first = first if first <= last else _made(last.year - 1, first.month, first.day)
        return Period(first, last)
    if _AND.search(middle):
        first = _day(one, today)
        last = _day(other, first)
        behind = re.search(r"\b(?:entre|between)(?: le)? ?$", said[: one.start()])
        return _listed(Period(first, last), behind[0] if behind else "")
    raise InvalidTransition("error.days_unclear")


def _listed(period: Period, before: str) -> Period:
    """Two days with an "and" between them: a range where that is said, or where they follow each other."""
    follow = period.first is not None and period.last == period.first + timedelta(days=1)
    if before.startswith(("entre", "between")) or (follow and not before):
        return period
    raise InvalidTransition("error.days_unclear")


def _up_to(last: date, day: int) -> Period:
    """A range whose first day is in the month of its last."""
    return Period(_made(last.year, last.month, day), last)


def _says_year(token: re.Match[str]) -> bool:
    return bool(token["year"] or token["us_year"] or token["n_year"] or token["iso"])


def _day(token: re.Match[str], today: date) -> date:
    """The day a token names, the next such one where it leaves that open."""
    if token["near"]:
        return today + timedelta(days=_NEAR[token["near"]])
    if token["weekday"]:
        number = next(n for n, names in enumerate(_WEEKDAYS) if re.fullmatch(names, token["weekday"]))
        return today + timedelta(days=(number - today.weekday()) % 7)
    if token["iso"]:
        year, month, day = map(int, token["iso"].split("-"))
        return _made(year, month, day)
    if token["n_day"]:
        month, day = int(token["n_month"]), int(token["n_day"])
    else:
        name = token["month"] or token["us_month"]
        month = next(n for n, names in enumerate(MONTHS, 1) if re.fullmatch(names, name))
        day = int(token["day"] or token["us_day"])
    said = token["year"] or token["us_year"] or token["n_year"]
    if said:
        return _made(int(said) + (2000 if len(said) == 2 else 0), month, day)
    for year in range(today.year, today.year + 9):  # 29 February may be years away
        try:
            found = date(year, month, day)
        except ValueError:
            continue
        if found >= today:
            return found
    raise InvalidTransition("error.days_unclear")


def _made(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise InvalidTransition("error.days_unclear") from None
