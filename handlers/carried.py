"""What a mail carries besides words and files, a line each: invitations, business cards, a signature, a lock. Pure."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from handlers.legible import person
from inbox.model import Message
from inbox.particulars import BusinessCard, Meeting, Protection

if TYPE_CHECKING:
    from handlers.views import Voice

MOST = 3
"""Meetings, and cards, that are shown of one message; the files have them all."""


def carried(message: Message, voice: Voice) -> list[str]:
    """The lines, most telling first; none for most messages."""
    facts = message.particulars
    lines = [f"📅 {_meeting(meeting, voice)}" for meeting in facts.meetings[:MOST]]
    lines += [f"📇 {_card(card)}" for card in facts.cards[:MOST]]
    if facts.protection is not None:
        lines.append(_protection(facts.protection, voice, has_file=bool(message.attachments)))
    return lines


def _meeting(meeting: Meeting, voice: Voice) -> str:
    said = [
        person(meeting.title, 100) or voice.say("meeting.untitled"),
        _when(meeting, voice),
        person(meeting.place, 80),
    ]
    if meeting.repeats in _REPEATS:
        said.append(voice.say(f"meeting.{meeting.repeats}"))
    if meeting.method == "reply":
        said += [person(each, 60) for each in meeting.attendees[:1]]
    elif meeting.organizer:
        said.append(voice.say("meeting.by", name=person(meeting.organizer, 60)))
    kind = meeting.answer or meeting.method
    label = voice.say(f"meeting.{kind if kind in _KINDS else 'publish'}")
    return f"{label} {', '.join(part for part in said if part)}"


_KINDS = frozenset({"request", "cancel", "counter", "reply", "accepted", "declined", "tentative", "publish"})
_REPEATS = frozenset({"daily", "weekly", "monthly", "yearly"})


def _when(meeting: Meeting, voice: Voice) -> str:
    """From when to when, by the clock of whoever reads it."""
    if meeting.starts_at is None:
        first, last = meeting.first_day, meeting.last_day
        if first is None:
            return ""
        if last is None or last <= first:
            return _day(first, voice)
        return voice.say("meeting.days", day=_day(first, voice), last=_day(last, voice))
    zone = ZoneInfo(voice.time_zone)
    start = meeting.starts_at.astimezone(zone)
    end = start if meeting.ends_at is None else meeting.ends_at.astimezone(zone)
    day, hour, until = _day(start, voice), f"{start:%H:%M}", f"{end:%H:%M}"
    if end <= start:
        return voice.say("meeting.moment", day=day, start=hour)
    if end.date() == start.date():
        return voice.say("meeting.hours", day=day, start=hour, end=until)
    return voice.say("meeting.days_and_hours", day=day, start=hour, last=_day(end, voice), end=until)


def _day(day: date, voice: Voice) -> str:
    return voice.texts.day(voice.language, day)


def _card(card: BusinessCard) -> str:
    said = [card.name, card.organization, *card.phones[:2], *card.addresses[:2]]
    return " · ".join(part for part in (person(each, 60) for each in said) if part)


def _protection(protection: Protection, voice: Voice, *, has_file: bool) -> str:
    if protection in (Protection.SIGNED_SMIME, Protection.SIGNED_PGP):
        return f"🔏 {voice.say(f'protection.{protection}')}"
    sentence = f"🔒 {voice.say(f'protection.{protection}')}"
    return f"{sentence}{voice.say('protection.file')}" if has_file else sentence
