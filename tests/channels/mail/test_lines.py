"""Looking only at the lines of a mail that are odd finds what looking at all of them finds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.mail.forwards import find_forward
from channels.mail.heads import unmarked_lines
from channels.mail.lines import MOST_LINES, Lines, lines_of
from channels.mail.quotes import fresh_spans
from tests.channels.mail import test_forwards, test_quotes, test_quotes_of_programs

SENTENCES = [
    "Bonjour, mardi à 10 h me convient.",
    "Nous avons bien reçu les pièces jointes et les transmettons au cabinet : merci !",
    "la commande 7871 n'est pas arrivée",
    "Всё в порядке, спасибо.",  # it is Russian
    "Τα λέμε αύριο.",  # noqa: RUF001  # it is Greek
    "資料をお送りします。",
]


def _texts(values: object) -> list[str]:
    if isinstance(values, str):
        return [values]
    parts = values if isinstance(values, tuple | list) else getattr(values, "values", ())
    return [text for part in parts for text in _texts(part)]


WHOLE = sorted(
    set(
        _texts(
            [
                *(test_quotes.ATTRIBUTIONS, test_quotes.HEADS, test_quotes.DEVICES, test_quotes.PROSE),
                *(test_quotes_of_programs.ANSWERS, test_quotes_of_programs.ENTIRE, test_quotes_of_programs.PROSE),
                test_forwards.WHOLE,
            ]
        )
    )
)
LIKE_SENTENCES = [
    "Nora from my mobile",
    "Notre iPhone'umdan gönderildi",
    "Viesti on lähetetty puhelimesta",
    "Merci de répondre au-dessus de cette ligne",
    "Obtenir Outlook pour iOS",
    "Von meinem iPhone gesendet",
    "Ar> Pouvez-vous venir mardi ?",
    "Début du message transféré : le voici\n\nDe : Roux <a@roux.example>\nDate : 5 mars 2026 10:12\nObjet : RDV",
]
LINES = sorted({line for text in (*WHOLE, *LIKE_SENTENCES) for line in text.split("\n")})


def every_line_of(text: str) -> Lines:
    """The same lines, and none passed over."""
    said = unmarked_lines(text, MOST_LINES)
    return Lines(text.split("\n")[:MOST_LINES], said, [number for number, line in enumerate(said) if line])


def assert_same(text: str) -> None:
    for subject in (None, "Re: Rendez-vous", "Tr: Rendez-vous"):
        assert find_forward(subject, text) == find_forward(subject, text, every_line_of(text))
    for with_signature in (False, True):
        fast = fresh_spans(text, with_signature=with_signature)
        assert fast == fresh_spans(text, every_line_of(text), with_signature=with_signature)


@pytest.mark.parametrize("text", [*WHOLE, *(f"Oui, mardi.\n\n{line}" for line in LIKE_SENTENCES)])
def test_of_mails_as_programs_write_them(text: str) -> None:
    assert_same(text)


@st.composite
def lines(draw: st.DrawFn) -> str:
    line = draw(st.sampled_from(LINES) | st.sampled_from(SENTENCES))
    match draw(st.sampled_from(("as it is", "quoted", "indented", "cut", "loud"))):
        case "quoted":
            return "> " + line
        case "indented":
            return "  " + line
        case "cut":
            return line[: draw(st.integers(0, len(line)))]
        case "loud":
            return line.upper()
        case _:
            return line


@given(st.lists(lines(), min_size=1, max_size=25))
@settings(max_examples=400)
def test_of_mails_that_nobody_wrote(mail: list[str]) -> None:
    assert_same("\n".join(mail))


@given(st.text(alphabet="aZé9 .,:>|-_*\n€@<я転Ω：", max_size=200))  # noqa: RUF001  # some of them wide
@settings(max_examples=300)
def test_of_any_characters(text: str) -> None:
    assert_same(text)


def test_a_sentence_is_passed_over() -> None:
    assert lines_of("\n".join(SENTENCES[:5])).odd == []
