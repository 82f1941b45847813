"""A telephone message is read as whoever answers the telephone writes it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from inbox.calls import as_dialled, find_number, is_likely, read_call
from inbox.errors import InvalidTransition

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=ZoneInfo("Europe/Paris"))
"""A Monday."""


@pytest.mark.parametrize(
    ("words", "caller", "number", "reason", "urgent", "call_back"),
    [
        (
            "Mme Durand, 06 12 34 56 78, rendez-vous à déplacer, urgent, rappeler demain 10 h",
            *("Mme Durand", "+33612345678", "rendez-vous à déplacer", True, "demain 10 h"),
        ),
        ("06.12.34.56.78 M. Petit\nfuite sous l'évier", "M. Petit", "+33612345678", "fuite sous l'évier", False, ""),
        ("Société Tôlex; +41 22 917 12 34; devis n° 12", "Société Tôlex", "+41229171234", "devis n° 12", False, ""),
        (
            "M. Roy - URGENT : plus de chauffage - 01 42 68 53 00",
            "M. Roy",
            "+33142685300",
            ": plus de chauffage",
            True,
            "",
        ),
        ("Me Blanc, tel 0612345678, à rappeler mardi 14h30", "Me Blanc", "+33612345678", "", False, "mardi 14h30"),
        ("Mme Anonyme, ne veut pas donner son numéro", "Mme Anonyme", "", "ne veut pas donner son numéro", False, ""),
        ("0612345678", "", "+33612345678", "", False, ""),
    ],
)
def test_it_is_read_in_any_order(
    words: str, caller: str, number: str, reason: str, urgent: bool, call_back: str
) -> None:
    call = read_call(words, "FR", NOW)
    assert (call.caller, call.number, call.urgent, call.call_back) == (caller, number, urgent, call_back)
    assert call.reason.lstrip(": ") == reason.lstrip(": ")


def test_when_to_call_back_is_understood_or_kept_as_it_was_said() -> None:
    assert read_call("Mme Roy, rappeler demain 10 h", "FR", NOW).call_back_at == NOW.replace(day=3)
    vague = read_call("Mme Roy, rappeler dans la soirée si possible", "FR", NOW)
    assert (vague.call_back, vague.call_back_at) == ("dans la soirée si possible", None)


@pytest.mark.parametrize("words", ["Mme Roy, 06 12 34 56", "Mme Roy 12 34 56 78 90 12 34 56 78"])
def test_a_number_that_cannot_be_one_is_refused_by_name(words: str) -> None:
    with pytest.raises(InvalidTransition) as refused:
        read_call(words, "FR", NOW)
    assert refused.value.key == "error.call_number"


@pytest.mark.parametrize("words", ["", "   ", "urgent", "x" * 3000])
def test_nothing_is_no_message(words: str) -> None:
    with pytest.raises(InvalidTransition) as refused:
        read_call(words, "FR", NOW)
    assert refused.value.key == "error.call_empty"


def test_a_number_is_written_as_people_there_write_it() -> None:
    assert as_dialled("+33612345678", "FR") == "06 12 34 56 78"
    assert as_dialled("+41229171234", "FR") == "+41 22 917 12 34"
    assert as_dialled("no number", "FR") == "no number"
    assert is_likely("+33612345678")
    assert not is_likely("+11234567890")
    assert find_number("Appel manqué de 01 42 68 53 00 le 12/03/2026 à 14:30", "FR") == "+33142685300"
    assert find_number("Commande 123456 du 12/03/2026", "FR") == ""
