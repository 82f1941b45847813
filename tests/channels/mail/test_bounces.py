"""Reports of mails that did not arrive, as many kinds of server write them; and people's mails about them."""

from __future__ import annotations

import time

import pytest

from channels.mail.bounces import read_bounce
from channels.mail.parse import read_mail
from channels.mail.parts import Tree
from inbox.particulars import Automatic, Bounce, Failure, FailureKind

OURS = "0190aaaa-0000-7000-8000-000000000001.0123456789abcdef@roux.example"
RETURNED = f"""Return-Path: <cabinet@roux.example>
Received: from desk.example (desk.example [192.0.2.1]) by mx.example.org; Mon, 2 Mar 2026 09:00:00 +0100
From: Cabinet Roux <cabinet@roux.example>
To: Paul Martin <paul.martin@example.net>
Subject: Re: Rendez-vous
Date: Mon, 2 Mar 2026 09:00:00 +0100
Message-ID: <{OURS}>

Bonjour Monsieur
"""


def a_report(
    text: str, *, sender: str = "MAILER-DAEMON@mx.example.org", subject: str = "failure notice", charset: str = "utf-8"
) -> bytes:
    """A server's mail in one piece, as most wrote them before there was a form."""
    head = (
        f"Return-Path: <>\nFrom: {sender}\nTo: cabinet@roux.example\nSubject: {subject}\n"
        f"Date: Mon, 2 Mar 2026 09:01:00 +0100\nMessage-ID: <r1@mx.example.org>\n"
        f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n\n"
    )
    return head.encode() + text.encode(charset)


def a_status(fields: str, *, text: str = "Sorry.", returned: str = RETURNED, report: str = "delivery-status") -> bytes:
    """A report in the form of RFC 3464."""
    return (
        "Return-Path: <>\nFrom: Mail Delivery System <MAILER-DAEMON@mx.example.org>\nTo: cabinet@roux.example\n"
        "Subject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type={report}; boundary="b"\n\n'
        f"--b\nContent-Type: text/plain\n\n{text}\n\n"
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n{fields}\n"
        f"--b\nContent-Type: message/rfc822\n\n{returned}\n--b--\n"
    ).encode()


def read(raw: bytes) -> Bounce:
    bounce = read_bounce(Tree(raw))
    assert bounce is not None
    return bounce


def only(raw: bytes) -> Failure:
    (failure,) = read(raw).failures
    return failure


# ---------------------------------------------------------------- the form


def test_a_report_in_the_form_says_who_why_and_of_which_mail() -> None:
    bounce = read(
        a_status(
            "Final-Recipient: rfc822; paul.martin@example.net\nOriginal-Recipient: rfc822;paul.martin@example.net\n"
            "Action: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.example.net\n"
            "Diagnostic-Code: smtp; 550 5.1.1 <paul.martin@example.net>:\n"
            "    Recipient address rejected: User unknown\n"
        )
    )
    assert bounce == Bounce(
        failures=(
            Failure(
                address="paul.martin@example.net",
                kind=FailureKind.PERMANENT,
                code="5.1.1",
                says="550 5.1.1 <paul.martin@example.net>: Recipient address rejected: User unknown",
            ),
        ),
        original_id=OURS,
    )


def test_each_recipient_has_an_end_of_its_own() -> None:
    bounce = read(
        a_status(
            "Final-Recipient: rfc822; a@example.net\nAction: failed\nStatus: 5.2.2\n\n"
            "Final-Recipient: rfc822; b@example.net\nAction: delayed\nStatus: 4.4.1\n\n"
            "Final-Recipient: rfc822; c@example.net\nAction: relayed\nStatus: 2.0.0\n\n"
            "Final-Recipient: rfc822; d@example.net\nAction: failed\nStatus: 4.4.7\n"
        )
    )
    assert [(f.address[0], f.kind, f.code) for f in bounce.failures] == [
        ("a", FailureKind.PERMANENT, "5.2.2"),
        ("b", FailureKind.DELAYED, "4.4.1"),
        ("c", FailureKind.DELIVERED, "2.0.0"),
        ("d", FailureKind.TEMPORARY, "4.4.7"),
    ]


def test_whom_it_was_written_to_counts_more_than_whom_that_became() -> None:
    fields = (
        "Original-Recipient: rfc822; paul@example.net\nFinal-Recipient: rfc822; u4711@backend.example\n"
        "Action: failed\nStatus: 5.1.1\n"
    )
    assert only(a_status(fields)).address == "paul@example.net"


def test_a_vague_status_gives_way_to_what_the_server_said() -> None:
    fields = (
        "Final-Recipient: rfc822; paul@example.net\nAction: failed\nStatus: 5.0.0\n"
        "Diagnostic-Code: smtp; 552 5.2.2 Mailbox full\n"
    )
    assert only(a_status(fields)).code == "5.2.2"
    words = fields.replace("552 5.2.2 Mailbox full", "550 La boîte du destinataire est pleine")
    assert only(a_status(words)).code == "5.2.2"


def test_a_status_part_under_a_wrong_name_is_read_too() -> None:
    fields = "Final-Recipient: rfc822; paul@example.net\nAction: failed\nStatus: 5.1.1\n"
    raw = a_status(fields, report="x").replace(b"message/delivery-status", b"text/plain; charset=us-ascii")
    assert only(raw).address == "paul@example.net"
    in_one = a_report(f"Rapport technique :\n\nReporting-MTA: dns; mx.example.org\n\n{fields}\n{RETURNED}")
    assert only(in_one).code == "5.1.1"


def test_the_header_alone_names_the_mail_too() -> None:
    raw = a_status("Final-Recipient: rfc822; paul@example.net\nAction: failed\nStatus: 5.1.1\n")
    assert read(raw.replace(b"message/rfc822", b"text/rfc822-headers")).original_id == OURS


def test_a_report_without_the_mail_may_name_it_in_its_own_header() -> None:
    raw = a_report("Your message could not be delivered to <paul@example.net>: mailbox unavailable")
    assert read(raw).original_id == ""
    named = raw.replace(b"Subject:", f"In-Reply-To: <{OURS}>\nSubject:".encode(), 1)
    assert read(named).original_id == OURS


def test_the_name_we_gave_the_envelope_will_do() -> None:
    raw = a_status("Final-Recipient: rfc822; paul@example.net\nAction: failed\nStatus: 5.1.1\n", returned="")
    assert read(raw).original_id == ""
    named = raw.replace(b"Reporting-MTA:", f"Original-Envelope-Id: {OURS.replace('-', '+2D')}\nReporting-MTA:".encode())
    assert read(named).original_id == OURS


# ---------------------------------------------------------------- words

QMAIL = """Hi. This is the qmail-send program at mx.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{who}>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

"""
EXIM = """This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {who}
    host mx.example.net [192.0.2.7]
    SMTP error from remote mail server after RCPT TO:<{who}>:
    550 5.1.1 User does not exist

------ This is a copy of the message, including all the headers. ------

"""
SENDMAIL = """The original message was received at Mon, 2 Mar 2026 09:00:00 +0100
from desk.example [192.0.2.1]

   ----- The following addresses had permanent fatal errors -----
<{who}>
    (reason: 550 5.1.1 User unknown)

   ----- Transcript of session follows -----
... while talking to mx.example.net.:
>>> RCPT To:<{who}>
<<< 550 5.1.1 User unknown
550 5.1.1 <{who}>... User unknown

"""
EXCHANGE_FR = """Votre message n'a pas pu être remis aux destinataires suivants :

{who}
L'adresse de messagerie est introuvable. Vérifiez l'adresse et réessayez.

Informations de diagnostic pour les administrateurs :

Serveur de génération : mx.example.net
#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##

En-têtes de message d'origine :

"""
FRENCH = """Bonjour,

Votre message n'a pas été distribué à l'adresse suivante :

    {who}

Motif : utilisateur inconnu

--- Message original ---

"""
GERMAN = """Ihre Nachricht konnte nicht zugestellt werden.

Empfänger: {who}
Grund: Der Empfänger ist unbekannt

"""
SPANISH = """No se ha podido entregar su mensaje a los siguientes destinatarios:

<{who}>: el usuario no existe

"""
ITALIAN = """Impossibile recapitare il messaggio ai seguenti destinatari:

  {who}
  L'indirizzo del destinatario è inesistente

"""
PORTUGUESE = """A sua mensagem não foi entregue.

Destinatário: {who}
Motivo: o endereço não existe

"""
DUTCH = """Uw bericht kon niet worden afgeleverd. Het bericht is niet bezorgd bij:

{who}
550 5.1.1 onbekende gebruiker

"""
POLISH = """Wiadomość nie została dostarczona do:

{who}
Taki adres nie istnieje (550 5.1.1)

"""
RUSSIAN = """Увы, Ваше письмо не может быть доставлено получателю:

  {who}
    Пользователь не найден

"""
JAPANESE = """次の宛先にメールを配信できませんでした。

<{who}>
ユーザが見つかりません

"""
CHINESE = """抱歉\uff0c您的邮件被退回来了……

收件人邮件地址\uff1a{who}
退信原因\uff1a收件人不存在

"""
KOREAN = """메일이 다음 수신자에게 전송되지 못했습니다.

<{who}>: 존재하지 않는 주소입니다 (550 5.1.1)

"""
TEXTS = {
    "qmail": QMAIL, "exim": EXIM, "sendmail": SENDMAIL, "exchange fr": EXCHANGE_FR, "fr": FRENCH, "de": GERMAN,
    "es": SPANISH, "it": ITALIAN, "pt": PORTUGUESE, "nl": DUTCH, "pl": POLISH, "ru": RUSSIAN, "ja": JAPANESE,
    "zh": CHINESE, "ko": KOREAN,
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
@pytest.mark.parametrize("who", ["paul.martin@example.net", "o'neil+dossier@sous.domaine.example"])
def test_words_of_many_servers_and_languages(text: str, who: str) -> None:
    bounce = read(a_report(text.format(who=who) + RETURNED.replace("paul.martin@example.net", who)))
    assert [(f.address, f.kind, f.code) for f in bounce.failures] == [(who, FailureKind.PERMANENT, "5.1.1")]
    assert bounce.original_id == OURS


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("La boîte aux lettres du destinataire est pleine", "5.2.2"),
        ("Das Postfach des Empfängers ist voll", "5.2.2"),
        ("El buzón del destinatario está lleno", "5.2.2"),
        ("Quota dépassé", "5.2.2"),
        ("552 message size exceeds fixed maximum", "5.2.2"),
        ("Le message est trop volumineux", "5.3.4"),
        ("Le domaine du destinataire n'existe pas", "5.1.2"),
        ("Host or domain name not found", "5.1.2"),
        ("Ce compte est désactivé: le compte a été désactivé", "5.2.1"),
        ("554 rejeté comme spam", "5.7.1"),
        ("550-5.7.26 Unauthenticated email from roux.example is not accepted due to DMARC policy", "5.7.26"),
        ("delivery retry timeout exceeded", "5.4.7"),
    ],
)
def test_the_reason_becomes_a_status(reason: str, code: str) -> None:
    assert only(a_report(f"Non remis.\n\n<paul@example.net>:\n{reason}\n\n{RETURNED}")).code == code


def test_several_recipients_keep_their_own_reasons() -> None:
    bounce = read(
        a_report(
            "I'm afraid I wasn't able to deliver your message to the following addresses.\n\n"
            "<a@example.net>:\nRemote host said: 552 5.2.2 Mailbox full\n\n"
            "<b@example.net>:\nRemote host said: 421 4.7.0 Try again later\n"
            "I'm not going to try again; this message has been in the queue too long.\n\n"
            "--- Below this line is a copy of the message.\n\n" + RETURNED
        )
    )
    assert [(f.address, f.kind, f.code) for f in bounce.failures] == [
        ("a@example.net", FailureKind.PERMANENT, "5.2.2"),
        ("b@example.net", FailureKind.TEMPORARY, "4.4.7"),
    ]


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Warning: message 1abc delayed 24 hours", "The address to which the message has not yet been delivered is:"),
        ("Delivery Status Notification (Delay)", "Delivery to the following recipient has been delayed:"),
        ("Remise différée", "Votre message n'a pas encore été remis. De nouvelles tentatives seront faites."),
    ],
)
def test_a_delay_is_no_failure(subject: str, text: str) -> None:
    raw = a_report(f"{text}\n\n  paul.martin@example.net\n\nThe server will retry for 4 more days.\n", subject=subject)
    assert (only(raw).address, only(raw).kind) == ("paul.martin@example.net", FailureKind.DELAYED)


def test_failed_recipients_named_in_the_header_are_believed_first() -> None:
    raw = a_report("A message that you sent could not be delivered.\n").replace(
        b"Subject:", b"X-Failed-Recipients: a@example.net, b@example.net\nSubject:", 1
    )
    assert [f.address for f in read(raw).failures] == ["a@example.net", "b@example.net"]


def test_our_own_mail_may_come_back_under_the_subject_of_an_answer() -> None:
    raw = (
        b"Return-Path: <>\nFrom: postmaster@roux.example\nTo: cabinet@roux.example\nSubject: Re: Rendez-vous\n"
        b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n\n'
        b"I wasn't able to deliver your message to the following addresses.\n"
        b"This is a permanent error; I've given up.\n\nFailed recipient(s):\nnora@client.example\n\n"
        b"550 no such user\n--b\nContent-Type: message/rfc822\n\nFrom: cabinet@roux.example\nTo: nora@client.example\n"
        b"Message-ID: <ours@roux.example>\nSubject: Rendez-vous\n\nBonjour\n--b--\n"
    )
    assert [failure.address for failure in read(raw).failures] == ["nora@client.example"]
    theirs = raw.replace(b"\n\nFrom: cabinet@roux.example", b"\n\nFrom: nora@client.example")
    assert read_bounce(Tree(theirs)) is None


def test_a_postmaster_may_be_whom_it_did_not_reach() -> None:
    raw = a_report("There was an error delivering your mail to <postmaster@example.net>.\n\nHost not found\n")
    assert only(raw).address == "postmaster@example.net"


# ---------------------------------------------------------------- what is none


@pytest.mark.parametrize(
    "head",
    [
        "From: Paul <paul@example.net>\nSubject: Undelivered Mail Returned to Sender",
        "From: Paul <paul@example.net>\nSubject: Fwd: Undelivered Mail Returned to Sender",
        "From: Paul <paul@example.net>\nSubject: Tr : Non remis\nX-Mailer: iPhone Mail (22A3354)",
    ],
)
def test_a_person_who_quotes_a_bounce_has_sent_none(head: str) -> None:
    text = EXIM.format(who="paul@example.net")
    raw = f"{head}\nMessage-ID: <1@example.net>\nDate: Mon, 2 Mar 2026 09:00:00 +0100\n\n{text}{RETURNED}".encode()
    envelope = read_mail(raw)
    assert envelope.particulars.bounce is None
    assert envelope.particulars.automatic is None


def test_a_person_who_hands_a_report_on_has_sent_none() -> None:
    report = a_status("Final-Recipient: rfc822; paul@example.net\nAction: failed\nStatus: 5.1.1\n")
    inner = report.split(b"\n\n", 1)[1]
    raw = (
        b"From: Paul <paul@example.net>\nSubject: Fwd: probleme\nMessage-ID: <1@example.net>\n"
        b'Date: Mon, 2 Mar 2026 09:00:00 +0100\nContent-Type: multipart/mixed; boundary="b"\n\n' + inner
    )
    assert read_bounce(Tree(raw)) is None


@pytest.mark.parametrize("kind", ["disposition-notification", "feedback-report"])
def test_other_reports_are_none(kind: str) -> None:
    raw = a_status("Final-Recipient: rfc822; paul@example.net\nDisposition: manual-action; displayed\n", report=kind)
    assert read_bounce(Tree(raw.replace(b"message/delivery-status", f"message/{kind}".encode()))) is None


def test_an_absence_notice_from_nobody_is_none() -> None:
    raw = a_report(
        "Je suis absent jusqu'au 12 mars. En cas d'urgence : claire@example.net",
        sender="Paul <paul@example.net>",
        subject="Réponse automatique : Rendez-vous",
    )
    assert read_bounce(Tree(raw)) is None
    assert read_mail(raw).particulars.automatic is Automatic.REPLY


@pytest.mark.parametrize(
    "text",
    [
        "Je suis absent. Votre message n'a pas été transmis : écrivez à claire@example.net",
        "I am away. Mail sent to me could not be delivered to anybody else; ask claire@example.net",
        "Mein Postfach wird nicht gelesen, Ihre Nachricht konnte nicht zugestellt werden: claire@example.net",
    ],
)
@pytest.mark.parametrize("mark", ["Return-Path: <>", "Auto-Submitted: auto-replied", "From: no-reply@example.net"])
def test_an_absence_notice_that_speaks_of_delivery_is_none(text: str, mark: str) -> None:
    given = "" if mark.startswith("From") else "From: Paul <paul@example.net>\n"
    raw = f"{mark}\n{given}To: cabinet@roux.example\nSubject: Congés\nIn-Reply-To: <{OURS}>\n\n{text}\n"
    assert read_mail(raw.encode()).particulars.bounce is None


def test_a_delay_in_words_of_failure_is_a_delay() -> None:
    raw = a_report(
        "A message that you sent has not yet been delivered to one or more of its recipients after more than 24 hours."
        "\n\n  paul@example.net\n    Delay reason: connection timed out\n\n"
        "No action is required on your part. Delivery attempts will continue.\n",
        subject="Warning: message 1abc-def delayed 24 hours",
    )
    assert (only(raw).kind, only(raw).code) == (FailureKind.DELAYED, "4.4.7")


def test_a_success_notice_says_that_it_arrived() -> None:
    raw = a_status("Final-Recipient: rfc822; paul@example.net\nAction: delivered\nStatus: 2.1.5\n")
    assert only(raw).kind is FailureKind.DELIVERED


@pytest.mark.parametrize(
    "text",
    [
        "a" * 300_000,
        "<a@b.test>:\n" * 50_000,
        "a@" * 100_000,
        "550 " * 80_000,
        "Received: x\n" * 30_000,
        "\n" * 300_000,
    ],
)
def test_a_report_made_to_be_slow_is_not(text: str) -> None:
    began = time.perf_counter()
    read_mail(a_report(text))
    assert time.perf_counter() - began < 2
