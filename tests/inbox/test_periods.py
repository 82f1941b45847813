"""The days a sentence speaks of, read or refused, never guessed."""

from __future__ import annotations

from datetime import date

import pytest

from inbox.errors import InvalidTransition
from inbox.periods import read_period

MONDAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("words", "first", "last"),
    [
        ("Congé du 3 au 14 août", "2026-08-03", "2026-08-14"),
        ("du lundi 3 au vendredi 14 août : congé", "2026-08-03", "2026-08-14"),
        ("congés 3–14 août", "2026-08-03", "2026-08-14"),
        ("entre le 3 et le 14 août, remplacée par le Dr Petit", "2026-08-03", "2026-08-14"),
        ("vacances du 3 août au 14 août 2027", "2027-08-03", "2027-08-14"),
        ("fermé du 20 décembre au 5 janvier", "2026-12-20", "2027-01-05"),
        ("congé du 25 février au 6 mars", "2026-02-25", "2026-03-06"),
        ("absent les 3 et 4 mars", "2026-03-03", "2026-03-04"),
        ("pas de rendez-vous jeudi", "2026-03-05", "2026-03-05"),
        ("pas de rdv lundi et mardi", "2026-03-02", "2026-03-03"),
        ("fermé de mercredi à vendredi", "2026-03-04", "2026-03-06"),
        ("absent demain", "2026-03-03", "2026-03-03"),
        ("absent le 12/03", "2026-03-12", "2026-03-12"),
        ("absent le 1er février", "2027-02-01", "2027-02-01"),
        ("jusqu’à vendredi, visites à domicile", "2026-03-02", "2026-03-06"),
        ("jusqu'au 12 mars", "2026-03-02", "2026-03-12"),
        ("à partir du 1er avril, la séance est à 60 €", "2026-04-01", None),
        ("fermé la semaine prochaine", "2026-03-09", "2026-03-15"),
        ("on leave from 3 to 14 August", "2026-08-03", "2026-08-14"),
        ("away August 3 to 14", "2026-08-03", "2026-08-14"),
        ("no appointments on Thursday", "2026-03-05", "2026-03-05"),
        ("away until Friday", "2026-03-02", "2026-03-06"),
        ("ne jamais donner mon portable", None, None),
        ("appelez le 06.12.34.56.78, ou 01 02 03 04 05", None, None),
        ("pas de rendez-vous le mercredi", None, None),
    ],
)
def test_days_are_read(words: str, first: str | None, last: str | None) -> None:
    period = read_period(words, MONDAY)
    assert tuple(None if day is None else day.isoformat() for day in period) == (first, last)


@pytest.mark.parametrize(
    "words",
    [
        "le 3 mars et le 9 mars",
        "les 3 et 9 mars",
        "les 3, 4 et 5 mars",
        "lundi, mardi et jeudi",
        "du 30 au 31 février",
        "absent le 31/02/2027",
        "du 14 au 3 août",
    ],
)
def test_what_could_mean_several_things_is_asked_again(words: str) -> None:
    with pytest.raises(InvalidTransition) as refused:
        read_period(words, MONDAY)
    assert refused.value.key == "error.days_unclear"


@pytest.mark.parametrize("words", ["closed March 1, 2026", "congé du 3 au 14 août 2025"])
def test_days_that_are_past_are_refused(words: str) -> None:
    with pytest.raises(InvalidTransition) as refused:
        read_period(words, MONDAY)
    assert refused.value.key == "error.days_past"
