"""Mails that machines write, mails that people write by strange ways, and to whom nothing may go back by itself."""

from __future__ import annotations

import pytest

from channels.mail.automatic import Origin, read_origin
from channels.mail.parse import read_mail
from channels.mail.parts import Tree
from inbox.particulars import Automatic

PERSON = (
    "From: Paul Martin <paul.martin@example.net>",
    "To: cabinet@roux.example",
    "Date: Mon, 2 Mar 2026 09:00:00 +0100",
    "Message-ID: <1@example.net>",
    "Return-Path: <paul.martin@example.net>",
)


def origin(*fields: str, drop: str = "") -> Origin:
    """Of a mail with these fields and a person's usual ones, where they name none themselves."""
    given = {field.partition(":")[0].lower() for field in fields} | {drop.lower()}
    usual = [field for field in PERSON if field.partition(":")[0].lower() not in given]
    return read_origin(Tree("\n".join([*usual, *fields, "", "Bonjour"]).encode()), None)


def test_a_persons_mail_is_a_persons() -> None:
    assert origin("Subject: Rendez-vous") == Origin(None, unanswerable=False, list_id="")


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (["Auto-Submitted: auto-replied"], Automatic.REPLY),
        (["Auto-Submitted: auto-replied (vacation)"], Automatic.REPLY),
        (["Auto-Submitted: auto-generated; type=cron"], Automatic.NOTICE),
        (["Auto-Submitted: AUTO-GENERATED", "In-Reply-To: <2@roux.example>"], Automatic.REPLY),
        (["Auto-Submitted: auto-notified"], Automatic.NOTICE),
        (["X-Autoreply: yes"], Automatic.REPLY),
        (["From: nagios <nagios@surveillance.example>", "Subject: ** PROBLEM **"], Automatic.NOTICE),
        (["From: root@nas.example"], Automatic.NOTICE),
        (["From: Kurier <powiadomienia@paczki.example>"], Automatic.NOTICE),
        (["From: suivi-notification@colis.example", "Reply-To: notifications@colis.example"], Automatic.NOTICE),
        (["X-Mailer: Grafana"], Automatic.NOTICE),
        (["X-List-Administrivia: yes", "List-Post: <mailto:membres@liste.example>"], Automatic.NOTICE),
        (["X-Autorespond: Re: Rendez-vous"], Automatic.REPLY),
        (["X-Apple-Action: VACATION"], Automatic.REPLY),
        (["Precedence: auto_reply"], Automatic.REPLY),
        (["X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent"], Automatic.REPLY),
        (["X-Auto-Response-Suppress: All", "In-Reply-To: <2@roux.example>"], Automatic.REPLY),
        (["X-Auto-Response-Suppress: OOF"], Automatic.NOTICE),
        (["Return-Path: <>"], Automatic.NOTICE),
        (["Return-Path: <>", "References: <2@roux.example>"], Automatic.REPLY),
        (["From: MAILER-DAEMON@mx.example.net"], Automatic.NOTICE),
        (["X-Cron-Env: <SHELL=/bin/sh>"], Automatic.NOTICE),
        (["From: Assurance <no-reply@assurance.example>"], Automatic.NOTICE),
        (["From: Banque <ne-pas-repondre@banque.example>"], Automatic.NOTICE),
        (["From: Shop <noreply+4711@shop.example>"], Automatic.NOTICE),
        (["From: Amt <nichtantworten@amt.example>"], Automatic.NOTICE),
        (["Precedence: bulk"], Automatic.NOTICE),
        (["List-Unsubscribe: <https://news.example/out>", "List-Id: <news.shop.example>"], Automatic.NOTICE),
        (["Feedback-ID: 4:c12:shop:mailer"], Automatic.NOTICE),
    ],
)
def test_marks_of_machines(fields: list[str], kind: Automatic) -> None:
    found = origin("Subject: Rendez-vous", *fields)
    assert (found.automatic, found.unanswerable) == (kind, True)


def test_a_dmarc_report_is_told_by_its_subject() -> None:
    subject = "Subject: [Preview] Report Domain: roux.example Submitter: mx.example Report-ID: 1"
    assert origin(subject, "X-Mailer: Outlook").automatic is Automatic.NOTICE


ABSENT = [
    "Automatic reply: Your question", "Out of Office: Re: hello", "Réponse automatique : Rendez-vous",
    "Absence du bureau", "Abwesenheitsnotiz: Termin", "Automatische Antwort: Termin", "Risposta automatica: fattura",
    "Fuori ufficio", "Respuesta automática: cita", "Fuera de la oficina: cita", "Resposta automática: consulta",
    "Automatisch antwoord: afspraak", "Afwezigheid: afspraak", "Automatiskt svar: möte", "Automatisk svar: møde",
    "Automaattinen vastaus: tapaaminen", "Automatyczna odpowiedź: spotkanie", "Automatická odpověď: schůzka",
    "Automatikus válasz: időpont", "Răspuns automat: programare", "Otomatik yan\u0131t: randevu",
    "Αυτόματη απάντηση: ραντεβού", "Автоответ: встреча", "Автоматический ответ: встреча",
    "Автоматична відповідь: зустріч", "自動応答: 会議", "不在通知", "自动回复: 会议", "부재중 자동 응답: 회의",
    "I will be out of office until Monday", "Je suis en congés jusqu'au 12", "OOO: travelling",
]  # fmt: skip


@pytest.mark.parametrize("subject", ABSENT)
def test_the_subject_of_an_absence_counts_where_something_else_says_the_same(subject: str) -> None:
    assert origin(f"Subject: {subject}", "In-Reply-To: <2@roux.example>").automatic is Automatic.REPLY
    assert origin(f"Subject: {subject}", "X-Auto-Response-Suppress: DR").automatic is Automatic.REPLY
    assert origin(f"Subject: {subject}", "Return-Path: <>").automatic is Automatic.REPLY
    assert origin(f"Subject: {subject}", drop="Message-ID").automatic is Automatic.REPLY


@pytest.mark.parametrize("subject", ABSENT)
def test_the_same_subject_is_a_persons_where_nothing_else_does(subject: str) -> None:
    assert origin(f"Subject: {subject}").automatic is None
    assert origin(f"Subject: Re: {subject}", "In-Reply-To: <2@roux.example>").automatic is None


@pytest.mark.parametrize(
    "fields",
    [
        ["Subject: Re: Out of office policy", "In-Reply-To: <2@roux.example>"],
        ["Subject: RE: Automatic reply: Rendez-vous", "In-Reply-To: <2@roux.example>"],
        ["Subject: Réponse automatique à mettre en place vendredi"],
        ["Subject: Message automatique : quel texte mettre ?"],
        ["Subject: Absence de mon fils lundi", "In-Reply-To: <2@roux.example>"],
        ["Subject: Rendez-vous", "Auto-Submitted: no"],
        ["Subject: Re: Rendez-vous", "X-Auto-Response-Suppress: OOF", "In-Reply-To: <2@roux.example>"],
        ["Subject: Rendez-vous", "X-Auto-Response-Suppress: DR, RN, NRN"],
        [
            "Subject: Clés",
            "X-Auto-Response-Suppress: All",
            "Message-ID: <AS8P@AS8PR04MB7622.eurprd04.prod.outlook.com>",
        ],
        ["Subject: Clés", "X-Auto-Response-Suppress: DR, OOF, AutoReply", "Thread-Index: AQHbhenemvl42v21s406"],
        ["Subject: Portail", "Precedence: bulk", "X-Mailer: HCL Notes Build V1201"],
        ["Subject: Devis", "From: wordpress@site.example", "Reply-To: nora@client.example"],
        ["Subject: Re: Devis", "From: root@atelier.example"],
        ["Subject: Rendez-vous", "Return-Path: <>", "X-Mailer: Microsoft Outlook 16.0"],
        ["Subject: Re: Rendez-vous", "Return-Path: <>", "User-Agent: Mozilla Thunderbird"],
        ["Subject: Question", "From: postmaster@petite-boite.example", "X-Mailer: Apple Mail (2.3774)"],
        ["Subject: Re: votre message", "From: postmaster@petite-boite.example", "In-Reply-To: <2@roux.example>"],
        # The form of a web site hands on what its visitor wrote.
        ["Subject: Contact", "From: no-reply@site.example", "Reply-To: Nora <nora@example.org>"],
        ["Subject: Contact", "From: form@site.example", "Reply-To: nora@example.org", "Feedback-ID: 1:eu:ses"],
    ],
)
def test_what_people_write_is_never_a_machines(fields: list[str]) -> None:
    assert origin(*fields).automatic is None


@pytest.mark.parametrize(
    "subject", ["FW: Rendez-vous", "TR : Rendez-vous", "WG: Termin", "RV: cita", "I: appuntamento"]
)
def test_what_a_clients_rule_forwards_is_a_persons(subject: str) -> None:
    rule = ["Auto-Submitted: auto-generated", "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent"]
    assert origin(f"Subject: {subject}", *rule) == Origin(None, unanswerable=True, list_id="")
    redirected = origin("Subject: Rendez-vous", "X-MS-Exchange-Inbox-Rules-Loop: cabinet@client.example")
    assert redirected.automatic is None
    absent = origin("Subject: Automatic reply: FW: Rendez-vous", *rule)
    assert absent.automatic is Automatic.NOTICE


@pytest.mark.parametrize(
    ("method", "sender", "kind"),
    [
        ("REQUEST", "paul@example.net", None),
        ("CANCEL", "paul@example.net", None),
        ("REPLY", "paul@example.net", Automatic.NOTICE),
        ("REQUEST", "no-reply@agenda.example", Automatic.NOTICE),
        ("REQUEST", "calendar-notification@agenda.example", Automatic.NOTICE),
    ],
)
def test_who_asks_to_meet_is_a_person_even_if_his_calendar_writes(
    method: str, sender: str, kind: Automatic | None
) -> None:
    raw = (
        f"From: {sender}\nTo: cabinet@roux.example\nSubject: Invitation\nAuto-Submitted: auto-generated\n"
        "Message-ID: <1@calendar.example>\nDate: Mon, 2 Mar 2026 09:00:00 +0100\n"
        "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nRéunion\n--b\n"
        f"Content-Type: text/calendar; method={method}\n\nBEGIN:VCALENDAR\nEND:VCALENDAR\n--b--\n"
    )
    assert read_mail(raw.encode()).particulars.automatic is kind


def test_a_person_on_a_mailing_list_is_a_person_nothing_may_go_back_to() -> None:
    listed = [
        "Subject: [voisins] fête", "List-Id: Voisins <voisins.lists.example>",
        "List-Post: <mailto:voisins@lists.example>",
        "List-Unsubscribe: <mailto:voisins-leave@lists.example>", "Precedence: list",
    ]  # fmt: skip
    assert origin(*listed) == Origin(None, unanswerable=True, list_id="voisins.lists.example")


@pytest.mark.parametrize(
    "field",
    [
        "Precedence: bulk", "Precedence: junk", "List-Id: <x.example>", "X-Loop: paul@example.net", "Return-Path: <>",
        "X-Auto-Response-Suppress: All", "From: noreply@site.example", "Feedback-ID: 1:eu:ses",
    ],
)  # fmt: skip
def test_nothing_goes_back_by_itself(field: str) -> None:
    assert origin("Subject: Re: Contact", field, "X-Mailer: iPhone Mail").unanswerable
    assert origin("Subject: Contact", field, "Reply-To: nora@example.org").unanswerable


@pytest.mark.parametrize("kind", ["disposition-notification", "feedback-report"])
def test_a_report_that_is_none_of_deliverys_is_a_machines(kind: str) -> None:
    raw = (
        f"From: paul@example.net\nSubject: Lu\nMessage-ID: <1@x.test>\nContent-Type: multipart/report; boundary=b;"
        f" report-type={kind}\n\n--b\n\nLu.\n--b\nContent-Type: message/{kind}\n\nDisposition: displayed\n--b--\n"
    ).encode()
    particulars = read_mail(raw).particulars
    assert particulars.automatic is not None
    assert particulars.bounce is None


def test_fields_that_say_nothing_hurt_nobody() -> None:
    for name in (
        "Auto-Submitted",
        "Precedence",
        "X-Auto-Response-Suppress",
        "List-Id",
        "Return-Path",
        "From",
        "X-Autoreply",
    ):
        for value in ("", " ", ";", "<", "<>" * 3, "=?utf-8?q?=FF?=", "(" * 50, "no"):
            read_mail(f"{name}: {value}\nSubject: x\n\nx".encode())
