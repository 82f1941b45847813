"""Moments as people write them in French and English, on a Tuesday at half past three."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbox.moments import read_moment

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 3, 10, 15, 30, tzinfo=PARIS)


@pytest.mark.parametrize(
    ("words", "moment"),
    [
        ("demain", "2026-03-11 09:00"),
        ("Demain 9h", "2026-03-11 09:00"),
        ("demain à 14 h 30", "2026-03-11 14:30"),
        ("demain soir", "2026-03-11 18:00"),
        ("demain matin 8h", "2026-03-11 08:00"),
        ("après-demain", "2026-03-12 09:00"),
        ("ce soir", "2026-03-10 18:00"),
        ("lundi", "2026-03-16 09:00"),
        ("lundi prochain", "2026-03-16 09:00"),
        ("lundi 14h30", "2026-03-16 14:30"),
        ("mardi", "2026-03-17 09:00"),
        ("mardi 16h", "2026-03-10 16:00"),
        ("vendredi après-midi", "2026-03-13 14:00"),
        ("12/03 9h", "2026-03-12 09:00"),
        ("le 12/03 à 9:15", "2026-03-12 09:15"),
        ("12/02", "2027-02-12 09:00"),
        ("10/03 9h", "2027-03-10 09:00"),
        ("12/03/2027", "2027-03-12 09:00"),
        ("2026-04-01 10:00", "2026-04-01 10:00"),
        ("3 avril", "2026-04-03 09:00"),
        ("le 1er avril à 10h", "2026-04-01 10:00"),
        ("April 3", "2026-04-03 09:00"),
        ("18h", "2026-03-10 18:00"),
        ("9h", "2026-03-11 09:00"),
        ("midi", "2026-03-11 12:00"),
        ("dans 2 heures", "2026-03-10 17:30"),
        ("dans 2h", "2026-03-10 17:30"),
        ("30 min", "2026-03-10 16:00"),
        ("3 jours", "2026-03-13 15:30"),
        ("dans une", None),
        ("tomorrow 9am", "2026-03-11 09:00"),
        ("tomorrow at 2pm", "2026-03-11 14:00"),
        ("next monday", "2026-03-16 09:00"),
        ("tonight", "2026-03-10 18:00"),
        ("in 2 hours", "2026-03-10 17:30"),
        ("9/3 7h", "2027-03-09 07:00"),
        ("31/02", None),
        ("25h", None),
        ("demain si possible", None),
        ("bientôt", None),
        ("", None),
        ("aujourd’hui 10h", None),
        ("10/03/2026 9h", None),
    ],
)
def test_what_is_meant(words: str, moment: str | None) -> None:
    meant = datetime.strptime(moment, "%Y-%m-%d %H:%M").replace(tzinfo=PARIS) if moment else None
    assert read_moment(words, NOW) == meant


@given(st.text(max_size=30) | st.text(alphabet="0123456789h:/ demainlu-.", max_size=20))
def test_a_moment_is_ahead_or_none(words: str) -> None:
    moment = read_moment(words, NOW)
    assert moment is None or moment > NOW
