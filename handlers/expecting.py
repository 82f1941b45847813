"""What a client may expect, in words: when an account is open, and when they will hear from it. Pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from handlers.desk import Texts
from inbox.acknowledgements import Outlook, outlook
from inbox.hours import Hours, Span
from inbox.model import Account
from inbox.parts import Because

LONGEST_WEEK = 110
"""Characters of a week's hours that are said in one line; a week with more is not said at all."""


def moment(texts: Texts, language: str, time_zone: str, at: datetime, now: datetime) -> str:
    """An instant ahead as people say it to each other: "demain à 8 h 30"."""
    zone = ZoneInfo(time_zone)
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    hour = texts.hour(language, local.time())
    if local.date() == today:
        return texts.say(language, "when.today", hour=hour)
    if local.date() == today + timedelta(days=1):
        return texts.say(language, "when.tomorrow", hour=hour)
    return texts.say(language, "when.day", day=texts.weekday(language, local.date()), hour=hour)


def week(texts: Texts, language: str, hours: Hours) -> str:
    """The hours of a week in one line, days that are alike together; "" where that would be too long."""
    said: list[str] = []
    first = 0
    while first < 7:
        last = first
        while last < 6 and hours.week[last + 1] == hours.week[first]:
            last += 1
        if spans := hours.week[first]:
            days = "–".join(dict.fromkeys(texts.day_of_week(language, day) for day in (first, last)))
            said.append(f"{days} {', '.join(_span(texts, language, span) for span in spans)}")
        first = last + 1
    line = " ; ".join(said) if language == "fr" else "; ".join(said)
    return line if len(line) <= LONGEST_WEEK else ""


def _span(texts: Texts, language: str, span: Span) -> str:
    closes = time(span.closes // 60 % 24, span.closes % 60)
    return f"{texts.hour(language, time(span.opens // 60, span.opens % 60))}–{texts.hour(language, closes)}"


def line_for(account: Account, texts: Texts, language: str, now: datetime, *, has_holder: bool) -> Because | None:
    """The one line that helps whoever begins a matter in Telegram; None where none does."""
    ahead = outlook(account, now)
    args = {"account": account.identity.display_name or account.name, **_moments(ahead, account, texts, language, now)}
    if ahead.is_closed and "opens" not in args:
        return Because(key="client.closed_for_long", args=args)
    if ahead.is_closed:
        return Because(key="client.closed_answer" if "answer" in args else "client.closed", args=args)
    if "answer" in args:
        return Because(key="client.answer_by", args=args)
    return None if has_holder else Because(key="client.nobody_yet", args=args)


def greeting(account: Account, texts: Texts, language: str, now: datetime, *, switched: bool) -> Because:
    """What whoever comes to an account is told: to whom they write, how, and when it is open.

    Args:
        switched: they wrote to another account through the same bot before.
    """
    args = {"account": account.identity.display_name or account.name}
    if switched:
        return Because(key="client.switched", args=args)
    hours = week(texts, language, account.hours) if account.hours is not None else ""
    if not hours:
        return Because(key="client.welcome_to", args=args)
    args |= {"hours": hours, **_moments(outlook(account, now), account, texts, language, now)}
    return Because(key="client.welcome_closed" if "opens" in args else "client.welcome_hours", args=args)


def fill(text: str, account: Account, texts: Texts, language: str, now: datetime) -> str:
    """The words of an acknowledgement with `{hours}` and `{answer}` filled in; a line that held nothing else goes."""
    ahead = outlook(account, now)
    args = _moments(ahead, account, texts, language, now)
    hours = answer = ""
    if ahead.is_closed:
        hours = texts.say(
            language, "acknowledgement.closed" if "opens" in args else "acknowledgement.closed_long", **args
        )
    elif "closes" in args:
        hours = texts.say(language, "acknowledgement.open", **args)
    if "answer" in args:
        answer = texts.say(language, "acknowledgement.answer", **args)
    lines = []
    for line in text.split("\n"):
        said = line.replace("{hours}", hours).replace("{answer}", answer)
        if said == line:
            lines.append(line)
        elif said := " ".join(said.split()):
            lines.append(said)
    return "\n".join(lines).strip()


def _moments(ahead: Outlook, account: Account, texts: Texts, language: str, now: datetime) -> dict[str, str]:
    named = {"opens": ahead.opens_at, "closes": ahead.closes_at, "answer": ahead.answer_at}
    return {name: moment(texts, language, account.time_zone, at, now) for name, at in named.items() if at is not None}
