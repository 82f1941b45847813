"""Invitations (RFC 5545, 5546) in facts. Read by icalendar, which is given only what is wanted, and of that not much.

What it is not given are time zones: a rule that fires every second until the
year 9999 is counted out by it. Their names are looked up; of a zone with a
name nobody knows, its own offsets are taken, for rules as calendars write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from channels.mail.headers import decode_octets, is_address, tidy
from inbox.particulars import Meeting

if TYPE_CHECKING:
    from icalendar import Component

MOST_EVENTS = 10
MOST_ATTENDEES = 50
LONGEST_LINE = 10_000
LONGEST_TITLE = 200

_NAME = re.compile(r"[A-Za-z-]{1,40}(?=[;:])")
_KEPT = frozenset(("DTSTART", "DTEND", "DURATION", "SUMMARY", "LOCATION", "ORGANIZER", "ATTENDEE", "RRULE", "STATUS"))
_TZID = re.compile(r";TZID=(\"[^\"]{1,200}\"|[^:;\"]{1,200})", re.I)
_METHODS = frozenset({"request", "cancel", "reply", "counter", "declinecounter", "publish", "add", "refresh"})
_REPEATS = re.compile(r"\bFREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)\b", re.I)


def read_calendar(octets: bytes, charset: str | None, method: str, written_in: tzinfo, path: str) -> list[Meeting]:
    """The events of a calendar. Never raises, on anything.

    Args:
        method: what the part itself says is asked, where the calendar does not.
        written_in: the zone of a time that names none.
        path: where in the mail it stands.
    """
    outline = _outline(decode_octets(octets, charset))
    asked = (outline.method or method).lower()
    asked = asked if asked in _METHODS else ""
    zones = _Zones(outline.zones, outline.default_zone, written_in)
    meetings = []
    for event in outline.events:
        meeting = _meeting(event, asked, zones, path)
        if meeting is not None:
            meetings.append(meeting)
    return meetings


# ---------------------------------------------------------------- its lines


@dataclass(slots=True)
class _Outline:
    """What of a calendar is read."""

    method: str
    default_zone: str
    zones: dict[str, list[list[str]]]
    """Of each zone its periods, as lines."""
    events: list[list[str]]


def _outline(text: str) -> _Outline:
    outline = _Outline("", "", {}, [])
    open_blocks: list[str] = []
    zone = ""
    period: list[str] = []
    event: list[str] = []
    for line in _lines(text):
        name, _, value = line.partition(":")
        name, value = name.strip().upper(), value.strip()
        if name == "BEGIN":
            open_blocks.append(value.upper())
            zone, period = ("", []) if value.upper() == "VTIMEZONE" else (zone, [])
            event = [] if value.upper() == "VEVENT" else event
        elif name == "END":
            block = open_blocks.pop() if open_blocks else ""
            if block in ("STANDARD", "DAYLIGHT") and zone and len(outline.zones) < 20:
                outline.zones.setdefault(zone, []).append(period)
            elif block == "VEVENT" and len(outline.events) < MOST_EVENTS:
                outline.events.append(event)
        elif not open_blocks or open_blocks[-1] == "VCALENDAR":
            if name == "METHOD":
                outline.method = value
            elif name == "X-WR-TIMEZONE":
                outline.default_zone = value
        elif open_blocks[-1] == "VTIMEZONE":
            zone = value.strip('"')[:200] if name == "TZID" else zone
        elif open_blocks[-1] in ("STANDARD", "DAYLIGHT"):
            period.append(line[:500])
        elif open_blocks[-1] == "VEVENT":
            found = _NAME.match(line)
            if found and found[0].upper() in _KEPT and len(event) < 20 + MOST_ATTENDEES:
                event.append(line)
        if len(open_blocks) > 10:
            break
    return outline


def _lines(text: str) -> Iterator[str]:
    unfolded = re.sub(r"\r?\n[ \t]", "", text.replace("\x00", ""))
    for line in unfolded.splitlines()[:20_000]:
        if line.strip():
            yield line[:LONGEST_LINE]


# ---------------------------------------------------------------- one event


def _meeting(lines: list[str], method: str, zones: _Zones, path: str) -> Meeting | None:
    event = _event(lines)
    if event is None:
        return None
    starts, ends = (_moment(event, name, _zone_name(lines, name), zones) for name in ("DTSTART", "DTEND"))
    if starts is not None and ends is None:
        length = _of(event.get("DURATION"), "dt")
        try:
            ends = starts + length if isinstance(length, timedelta) and abs(length.days) < 1000 else None
        except OverflowError:
            ends = None
    status = str(event.get("STATUS", "")).upper()
    attendees = _each(event.get("ATTENDEE"))[:MOST_ATTENDEES]
    answers = [_parameter(one, "PARTSTAT").lower() for one in attendees]
    repeats = _REPEATS.search(next((line for line in lines if line[:5].upper() == "RRULE"), ""))
    whole_days = type(starts) is date
    first_day = starts if type(starts) is date else None
    last_day = ends if type(ends) is date else None
    if first_day is not None and last_day is not None:
        last_day = max(first_day, last_day - timedelta(days=1))  # RFC 5545 §3.6.1: the end is not part of it
    return Meeting(
        method="cancel" if status == "CANCELLED" and method in ("", "request", "publish") else method,
        title=tidy(str(event.get("SUMMARY", "")), LONGEST_TITLE),
        starts_at=starts if isinstance(starts, datetime) else None,
        ends_at=ends if isinstance(ends, datetime) and isinstance(starts, datetime) and ends > starts else None,
        first_day=first_day,
        last_day=(last_day or first_day) if whole_days else None,
        place=tidy(str(event.get("LOCATION", "")), LONGEST_TITLE),
        organizer=_who(event.get("ORGANIZER")),
        attendees=tuple(dict.fromkeys(filter(None, map(_who, attendees)))),
        repeats=repeats[1].lower() if repeats else "",
        answer=answers[0] if method == "reply" and answers and answers[0] in _ANSWERS else "",
        path=path,
    )


_ANSWERS = frozenset({"accepted", "declined", "tentative"})


def _event(lines: list[str]) -> Component | None:
    # A tenth of a second that only mails with a calendar shall cost.
    from icalendar import Event

    kept = [_TZID.sub("", line, count=1) if line[:2].upper() == "DT" else line for line in lines]
    kept = [line for line in kept if line[:5].upper() != "RRULE"]
    try:
        return Event.from_ical("\r\n".join(["BEGIN:VEVENT", *kept, "END:VEVENT", ""]))
    except Exception:  # noqa: BLE001  # its errors have no common base; the file is there all the same
        return None


def _zone_name(lines: list[str], name: str) -> str:
    line = next((line for line in lines if line[: len(name)].upper() == name), "")
    found = _TZID.search(line)
    return found[1].strip('"') if found else ""


def _moment(event: Component, name: str, zone_name: str, zones: _Zones) -> datetime | date | None:
    value = _each(event.get(name))
    moment = _of(value[0], "dt") if value else None
    if isinstance(moment, datetime):
        try:
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zones.named(zone_name, moment))
            moment = moment.astimezone(UTC)
        except (OverflowError, ValueError):
            return None
    return moment if isinstance(moment, date) and 1900 <= moment.year <= 2200 else None


def _each(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _of(value: object, name: str) -> object:
    """An attribute; None where there is none, and of a value that icalendar could not read, which raises."""
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001  # BrokenCalendarProperty has no base but its own
        return None


def _parameter(value: object, name: str) -> str:
    parameters = _of(value, "params")
    return str(parameters.get(name, "")) if isinstance(parameters, Mapping) else ""


def _who(person: object) -> str:
    """A person's name; their address where there is none."""
    value = _each(person)
    if not value:
        return ""
    name = tidy(_parameter(value[0], "CN"), LONGEST_TITLE).strip("'\" ")
    address = re.sub(r"^mailto:", "", str(value[0]).strip(), flags=re.I).lower()
    return name or (address if is_address(address) else "")


# ---------------------------------------------------------------- zones


class _Zones:
    """The zones a calendar speaks of."""

    def __init__(self, described: dict[str, list[list[str]]], default: str, written_in: tzinfo) -> None:
        self._described = described
        self._default = default
        self._written_in = written_in

    def named(self, name: str, moment: datetime) -> tzinfo:
        """The zone of that name, at this local time; without a name the calendar's own."""
        for each in (name, *(() if name else (self._default,))):
            if not each:
                continue
            zone = _known(each)
            if zone is not None:
                return zone
            offset = _offset(self._described.get(each, []), moment)
            if offset is not None:
                return timezone(offset)
        return self._written_in


def _known(name: str) -> tzinfo | None:
    """A zone by its name in the tz database, by Windows' name, or by a name that ends in one of the first."""
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    said = name.strip().strip('"')
    if said.upper() in ("UTC", "GMT", "Z", "ETC/UTC"):
        return UTC
    words = said.strip("/").split("/")
    # /freeassociation.sourceforge.net/Tzfile/Europe/Paris
    tails = ["/".join(words[-count:]) for count in (3, 2) if len(words) > count]
    for each in (WINDOWS_TO_OLSON.get(said, ""), said, *tails):
        if re.fullmatch(r"[A-Za-z][\w+-]{0,30}(?:/[A-Za-z][\w+-]{0,30}){0,2}", each):
            try:
                return ZoneInfo(each)
            except (KeyError, OSError, ValueError):
                continue
    return None


_RULE_MONTH = re.compile(r"BYMONTH=(\d{1,2})\b", re.I)
_RULE_DAY = re.compile(r"BYDAY=([+-]?\d)?(MO|TU|WE|TH|FR|SA|SU)\b", re.I)
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def _offset(periods: list[list[str]], moment: datetime) -> timedelta | None:
    """The offset that holds at a local time: that of the period that began last."""
    best: tuple[datetime, timedelta] | None = None
    for lines in periods[:20]:
        facts = {line.partition(":")[0].partition(";")[0].upper(): line.partition(":")[2].strip() for line in lines}
        to = re.fullmatch(r"([+-])(\d\d)(\d\d)(?:\d\d)?", facts.get("TZOFFSETTO", ""))
        began = re.fullmatch(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)\d\d", facts.get("DTSTART", ""))
        if to is None or began is None:
            continue
        offset = (1 if to[1] == "+" else -1) * timedelta(hours=int(to[2]) % 24, minutes=int(to[3]) % 60)
        for start in _starts(began, facts.get("RRULE", ""), moment.year):
            if start <= moment and (best is None or start > best[0]):
                best = (start, offset)
    return best[1] if best else None


def _starts(began: re.Match[str], rule: str, year: int) -> Iterator[datetime]:
    """When a period begins, in the years that matter."""
    try:
        first = datetime(*(int(part) for part in began.groups()))  # type: ignore[arg-type]  # noqa: DTZ001  # local
    except ValueError:
        return
    yield first
    month, day = _RULE_MONTH.search(rule), _RULE_DAY.search(rule)
    if month is None or day is None or not 1 <= int(month[1]) <= 12:
        return
    for each in (year - 1, year):
        if each <= first.year or not 1 < each < 9999:
            continue
        found = _nth(each, int(month[1]), _DAYS.index(day[2].upper()), int(day[1] or 1))
        yield datetime(found.year, found.month, found.day, first.hour, first.minute)  # noqa: DTZ001  # local


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    """The first, second … or last such day of a month."""
    if number > 0:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (min(number, 4) - 1))
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - weekday) % 7 + 7 * (min(-number, 4) - 1))
