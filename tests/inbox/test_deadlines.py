"""By when an answer is due: counted in opening time, set exactly while somebody waits for what is promised."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from inbox.deadlines import answer_by, due, is_late
from inbox.hours import Hours, read_week
from tests.builders import NOW, a_conversation, an_account, at

PARIS = ZoneInfo("Europe/Paris")
HOURS = Hours(week=read_week("mon-fri 8:30-12:30 14:00-18:30"), holidays="FR")


def test_the_lunch_break_and_the_weekend_do_not_count() -> None:
    account = msgspec.structs.replace(an_account(), hours=HOURS, answer_minutes=60)
    assert answer_by(account, datetime(2026, 6, 5, 12, tzinfo=PARIS)) == datetime(2026, 6, 5, 14, 30, tzinfo=PARIS)
    assert answer_by(account, datetime(2026, 6, 5, 18, 15, tzinfo=PARIS)) == datetime(2026, 6, 8, 9, 15, tzinfo=PARIS)


def test_without_hours_every_minute_counts_and_without_a_promise_nothing_is_due() -> None:
    promising = msgspec.structs.replace(an_account(), answer_minutes=30)
    assert answer_by(promising, NOW) == NOW + timedelta(minutes=30)
    assert answer_by(an_account(), NOW) is None


def test_nothing_is_due_where_nobody_waits() -> None:
    promising = msgspec.structs.replace(an_account(), answer_minutes=30)
    waiting = due(a_conversation(), promising)
    assert waiting.answer_by_at == at(30)
    assert (is_late(waiting, at(29)), is_late(waiting, at(30))) == (False, True)
    answered = due(msgspec.structs.replace(waiting, waiting_since_at=None), promising)
    assert answered.answer_by_at is None
    assert not is_late(answered, at(99))
