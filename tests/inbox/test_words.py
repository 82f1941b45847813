"""By which words things are found."""

from __future__ import annotations

import msgspec
import pytest

from inbox.words import passage, sought, words_of
from tests.builders import a_contact


def indexed(text: str) -> set[str]:
    contact = a_contact()
    return set(words_of(msgspec.structs.replace(contact, name=text, note="")).split(" ")[1:])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("L’Été, ÉCHÉANCE", {"ete", "echeance"}),
        ("Saint-Étienne aujourd'hui", {"saint", "etienne", "aujourd", "hui"}),
        ("cœur Œuvre STRASSE Straße", {"coeur", "oeuvre", "strasse"}),
        ("paul.martin@example.net", {"paul", "martin", "example", "net"}),
        ("rappeler 06.12 34-56 78", {"rappeler", "06", "12", "34", "56", "78", "612345678"}),
        ("+33 6 12 34 56 78", {"33", "6", "12", "34", "56", "78", "612345678"}),
        ("e\u0301te\u0301 Иван", {"ete", "иван"}),
        ("“?!” à", set()),
    ],
)
def test_words_are_compared_without_capitals_accents_and_signs(text: str, words: set[str]) -> None:
    assert indexed(text) == words


@pytest.mark.parametrize(
    ("query", "words", "begun"),
    [
        ("facture Dup", ("facture",), "dup"),
        ("facture Dup ", ("facture", "dup"), None),
        ("le de", ("le", "de"), None),
        ("06 12 34 56 78", ("612345678",), None),
        ("0612345678", ("612345678",), None),
        ("Dupont +33 6 12 34 56 78", ("612345678", "dupont"), None),
        ("l’", (), None),
        ('"*" OR x^', ("or",), None),
    ],
)
def test_a_query_is_read_as_its_words(query: str, words: tuple[str, ...], begun: str | None) -> None:
    assert sought(query) == (words, begun, ())


@pytest.mark.parametrize(
    ("query", "words", "begun", "phrases"),
    [
        ('"Pas de rendez-vous"', ("pas", "de", "rendez", "vous"), None, (" pas de rendez vous ",)),
        ("« pas de » dos", ("pas", "de"), "dos", (" pas de ",)),
        ("“l’heure”", ("heure",), None, (" l heure ",)),
        ('dossier "clos hier" "à qui"', ("dossier", "clos", "hier", "qui"), None, (" clos hier ", " a qui ")),
        ('"pas de rend', ("pas", "de"), "rend", (" pas de rend",)),
        ('"pas de', ("pas",), None, (" pas de",)),
        ('"06 12 34"', ("06", "12", "34"), None, (" 06 12 34 ",)),
        ('""', (), None, ()),
    ],
)
def test_quoted_words_are_read_as_they_follow_one_another(
    query: str, words: tuple[str, ...], begun: str | None, phrases: tuple[str, ...]
) -> None:
    assert sought(query) == (words, begun, phrases)


def test_the_passage_is_where_quoted_words_stand_together() -> None:
    text = "De vous à moi, " + "bla " * 30 + "pas de Rendez-Vous jeudi"
    assert passage(text, sought('"rendez vous"')).endswith("pas de Rendez-Vous jeudi")


def test_the_passage_is_where_a_word_stands() -> None:
    text = "Bonjour, " + "bla " * 30 + "voici l’échéance du prêt. " + "bla " * 30
    assert "l’échéance du prêt" in passage(text, sought("echeance"))
    assert passage(text, sought("echeance")).startswith("…")
    assert passage("tél. 06 12 34 56 78", sought("+33612345678")) == "tél. 06 12 34 56 78"
    assert passage(text, sought("absent")) == ""
