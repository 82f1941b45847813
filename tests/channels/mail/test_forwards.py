# ruff: noqa: RUF001, E501  # words of many alphabets, some of them wide
"""Who first wrote what a mail hands on, whatever program handed it on, in whatever language."""

from __future__ import annotations

import time

import pytest

from channels.mail.forwards import Found, find_forward, is_forward_subject
from tests.channels.mail.test_quotes import ATTRIBUTIONS, HEADS, QUOTED, THEIRS

NOTE = "Bonjour,\n\npouvez-vous répondre à cette dame ?\n\nDr Roux"
BODY = "Je voudrais un rendez-vous mardi.\n\nNora Petit"

# Marker, then header; each of another program or language than the labelled mails have.
WHOLE = [
    "---------- Forwarded message ---------\nDe : Nora Petit <nora@petit.example>\nDate : lun. 2 mars 2026 à 14:05\n"
    "Subject: Rendez-vous\nTo: <cabinet@roux.example>",
    "---------- Message transféré ----------\nDe : Nora Petit <nora@petit.example>\nDate : 2 mars 2026\n"
    "Objet : Rendez-vous\nÀ : cabinet@roux.example",
    "Début du message transféré :\n\nDe: Nora Petit <nora@petit.example>\nObjet: Rendez-vous\nDate: 2 mars 2026 à 14:05\n"
    "À: cabinet@roux.example",
    "> Début du message réexpédié :\n>\n> De\xa0: Nora Petit <nora@petit.example>\n> Objet\xa0: Rendez-vous\n"
    "> Date\xa0: 2 mars 2026 à 14:05\n> À\xa0: cabinet@roux.example\n>",
    "-------- Message transféré --------\nSujet : \tRendez-vous\nDate : \tMon, 2 Mar 2026 14:05:00 +0100\n"
    "De : \tNora Petit <nora@petit.example>\nPour : \tcabinet@roux.example",
    "   ----- Mail transféré ----- De : Nora Petit <nora@petit.example>À : \"cabinet@roux.example\" "
    "<cabinet@roux.example>Envoyé : lundi 2 mars 2026 à 14:05:00 UTC+1Objet : Rendez-vous",
    "-------- Weitergeleitete Nachricht --------\nBetreff: Rendez-vous\nVon: Nora Petit <nora@petit.example>\n"
    "Datum: 02.03.2026 14:05\nAn: praxis@roux.example",
    "-------- Messaggio Inoltrato --------\nOggetto: Rendez-vous\nData: 2 mar 2026\nMittente: Nora Petit "
    "<nora@petit.example>\nA: studio@roux.example",
    "---------- Mensaje reenviado ----------\nDe: Nora Petit <nora@petit.example>\nFecha: 2 de marzo de 2026\n"
    "Asunto: Rendez-vous\nPara: consulta@roux.example",
    "---------- Doorgestuurd bericht ----------\nVan: Nora Petit <nora@petit.example>\nDatum: 2 maart 2026\n"
    "Onderwerp: Rendez-vous\nAan: praktijk@roux.example",
    "-------- Пересылаемое сообщение --------\nОт: Nora Petit <nora@petit.example>\nДата: 2 марта 2026\n"
    "Тема: Rendez-vous\nКому: cabinet@roux.example",
    "---------- 転送メッセージ ---------\n差出人: Nora Petit <nora@petit.example>\n日付: 2026年3月2日\n件名: Rendez-vous\n"
    "宛先: cabinet@roux.example",
    "---------- Forwarded message ---------\n寄件者： Nora Petit <nora@petit.example>\nDate: 2026年3月2日 週一\n"
    "Subject: Rendez-vous\nTo: <cabinet@roux.example>",
    "===== Viestin alku jota emme tunne =====\nLähettäjä: Nora Petit <nora@petit.example>\nPvm: 2.3.2026\n"
    "Aihe: Rendez-vous\nVastaanottaja: cabinet@roux.example",
    "---------- Forwarded message ---------\n*From:* Nora Petit [mailto:nora@petit.example]\n*Sent:* Monday\n"
    "*To:* cabinet@roux.example\n*Subject:* Rendez-vous",
]  # fmt: skip
SUBJECTS = [
    "Fwd: Rendez-vous", "FW: Rendez-vous", "Fw:Rendez-vous", "TR: Rendez-vous", "Tr : Rendez-vous", "WG: Termin",
    "I: Visita", "RV: Cita", "ENC: Consulta", "Doorst: Afspraak", "VS: Besøg", "VB: Besök", "VL: Käynti", "PD: Wizyta",
    "转发：预约", "転送: 予約", "[EXTERNE] TR : Rendez-vous", "Fwd: Re: Rendez-vous", "FW[2]: Visit", "İLT: Randevu",
]  # fmt: skip
NO_FORWARDS = ["Re: Fwd: Rendez-vous", "RE : TR: Rendez-vous", "Rendez-vous", "Transfert d'argent", "TRès urgent", "VS"]


def look(found: Found | None) -> tuple[str, str, str, str] | None:
    if found is None:
        return None
    return found.forward.address, found.forward.name, found.forward.subject, found.forward.text


@pytest.mark.parametrize("whole", WHOLE, ids=range(len(WHOLE)))
def test_what_a_program_puts_above_a_mail_it_hands_on_is_read(whole: str) -> None:
    quote = "> " if whole.startswith(">") else ""
    body = "\n".join(quote + line for line in BODY.split("\n"))
    found = find_forward("Pour vous", f"{NOTE}\n\n{whole}\n\n{body}\n")
    assert look(found) == ("nora@petit.example", "Nora Petit", "Rendez-vous", BODY)
    assert found is not None
    assert found.words == NOTE
    assert any(address.endswith("@roux.example") for address in found.forward.recipients)


@pytest.mark.parametrize("head", [head for head in HEADS if "\n" in head and head.count(":") > 3], ids=lambda h: h[:12])
def test_a_header_alone_is_a_forward_where_the_subject_says_so_and_an_answer_where_it_does_not(head: str) -> None:
    text = f"{NOTE}\n\n{head}\n\n{BODY}\n"
    found = find_forward("TR: Rendez-vous", text)
    assert found is not None
    assert found.forward.text == BODY
    assert found.words.startswith(NOTE)
    assert find_forward("RE: Rendez-vous", text) is None


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_an_answer_is_no_forward(attribution: str) -> None:
    assert find_forward("Re: Rendez-vous", f"{NOTE}\n\n{attribution}\n\n{QUOTED}\n") is None
    # Even where what it answers was handed on once.
    forwarded = f"{NOTE}\n\n{attribution}\n\n{WHOLE[0]}\n\n{THEIRS}"
    assert find_forward("Re: Fwd: Rendez-vous", forwarded) is None


@pytest.mark.parametrize(
    ("whole", "words"),
    [
        (
            "----- Forwarded message from Nora <nora@rive-droite.example> -----\n\nDate: Wed, 21 Feb 2024 07:14:24 +0100\n"
            "From: Nora <nora@rive-droite.example>\nSubject: Visite\n\nMardi ?\n\n----- End forwarded message -----\n",
            "",
        ),
        (
            "Voici.\n\n----- Message transféré de Nora <nora@rive-droite.example> -----\n"
            "     Date : mercredi 18 juin 2025 20:15\n       De : Nora <nora@rive-droite.example>\n"
            "    Objet : Visite\n\nMardi ?\n\n----- Fin du message transféré -----\n",
            "Voici.",
        ),
        (
            'Voici.\n\n> Message du 22/05/25 10:39\n> De : "Nora" <nora@rive-droite.example>\n'
            "> A : cabinet@roux.example\n> Copie à :\n> Objet : Visite\n>\n> Mardi ?\n",
            "Voici.",
        ),
    ],
)
def test_what_was_handed_on_begins_and_ends_where_its_program_says(whole: str, words: str) -> None:
    found = find_forward("TR: Visite", whole)
    assert found is not None
    forward = found.forward
    assert (forward.address, forward.name, forward.text) == ("nora@rive-droite.example", "Nora", "Mardi ?")
    assert found.words == words


def test_a_title_above_a_form_hands_nothing_on() -> None:
    form = (
        "Mode d'emploi :\n\n-------- Transfert d'appel --------\nDate : tous les jours\nDe : 18 h\nÀ : 8 h\n\n*21*.\n"
    )
    assert find_forward("Consignes", form) is None


def test_the_outermost_of_several_counts() -> None:
    text = f"{NOTE}\n\n{WHOLE[0]}\n\nVoyez :\n\n{WHOLE[8]}\n\n{BODY}\n"
    found = find_forward("Fwd: Fwd: Rendez-vous", text)
    assert found is not None
    assert found.forward.text.startswith("Voyez")


def test_a_marker_above_a_sentence_of_who_wrote_is_one_too() -> None:
    text = f'-------- Пересылаемое сообщение --------\n02.03.2026, 14:05, "Nora Petit" <nora@petit.example>:\n\n{BODY}'
    assert look(find_forward("Fwd: x", text)) == ("nora@petit.example", "Nora Petit", "", BODY)


def test_a_name_without_an_address_is_said_so() -> None:
    found = find_forward("FW: Visit", f"From: Nora Petit\nSent: Monday\nTo: us\nSubject: Visit\n\n{BODY}")
    assert look(found) == ("", "Nora Petit", "Visit", BODY)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_subject_of_a_forward_is_known(subject: str) -> None:
    assert is_forward_subject(subject)


@pytest.mark.parametrize("subject", NO_FORWARDS)
def test_other_subjects_are_not_taken_for_one(subject: str) -> None:
    assert not is_forward_subject(subject)


@pytest.mark.parametrize(
    "hostile",
    ["-" * 100_000, "- " * 50_000 + "forwarded message", "From: a\n" * 20_000, "--- a ---\n" * 4_000, "De : x <" * 20_000,
     "----- Forwarded message ----- " + "From: a To: b " * 10_000, "> \n" * 50_000, "_" * 60_000 + "a" + "_" * 60_000,
     "=\u2013" * 50_000, "forwarded by " * 10_000],
    ids=range(10),
)  # fmt: skip
def test_a_hostile_mail_takes_no_time(hostile: str) -> None:
    began = time.process_time()
    for subject in ("Fwd: a", "a", None):
        find_forward(subject, hostile)
    assert time.process_time() - began < 3
