"""To whom an acknowledgement goes, by what his mail says, and that it is a mail of good manners."""

from __future__ import annotations

from email import message_from_bytes, policy

import msgspec
import pytest

from channels.base import Reply
from channels.mail.acknowledgement import compose
from channels.mail.imap import ImapServer
from channels.mail.mailbox import Mailbox
from channels.mail.parse import read_mail
from channels.mail.smtp import SmtpServer
from inbox.acknowledgements import may_acknowledge
from inbox.model import Account
from inbox.particulars import Trust, Verdict
from inbox.parts import MessageId
from tests.builders import BERNARD, MAIL, NOW, ROUX, a_conversation, a_message, accounts
from tests.handlers.stage import Unobserved

DESK = accounts()
ACCOUNT = msgspec.structs.replace(DESK[ROUX], acknowledgement="", addresses=("secretariat@roux.example",))


def may(head: str, account: Account = ACCOUNT) -> bool:
    raw = f"{head}\nSubject: Bonjour\nMessage-ID: <x@example.net>\nDate: Mon, 2 Mar 2026 09:00:00 +0100\n\nBonjour\n"
    return may_acknowledge(account, DESK.values(), read_mail(raw.encode()))


@pytest.mark.parametrize("to", ["cabinet@roux.example", "Secretariat@Roux.example", "cabinet+urgent@roux.example"])
@pytest.mark.parametrize("field", ["To", "Cc"])
def test_a_person_who_wrote_to_us_is_told(to: str, field: str) -> None:
    assert may(f"From: Paul <paul@example.net>\n{field}: {to}")


@pytest.mark.parametrize(
    "head",
    [
        "From: Paul <paul@example.net>\nTo: cabinet@roux.example\nAuto-Submitted: auto-replied",
        "From: Paul <p@example.net>\nTo: cabinet@roux.example\nList-Id: <v.example>\nList-Post: <mailto:v@l.example>",
        "From: Paul <paul@example.net>\nTo: cabinet@roux.example\nPrecedence: list",
        "From: no-reply@example.net\nTo: cabinet@roux.example",
        "From: no-reply@site.example\nTo: cabinet@roux.example\nReply-To: nora@example.org",
        "From: Paul <paul@example.net>\nTo: cabinet@roux.example\nReply-To: victim@example.org",
        "From: Paul <paul@example.net>\nTo: cabinet@roux.example\nReturn-Path: <>",
        "From: MAILER-DAEMON@example.net\nTo: cabinet@roux.example",
        "From: cabinet@roux.example\nTo: cabinet@roux.example",
        "From: contact@bernard.example\nTo: cabinet@roux.example",
        "From: Paul <paul@example.net>\nTo: undisclosed-recipients:;",
        "From: Paul <paul@example.net>\nTo: somebody@else.example",
        "To: cabinet@roux.example",
    ],
)
def test_nobody_else_is(head: str) -> None:
    assert not may(head)


@pytest.mark.parametrize(
    ("verdict", "told"),
    [(Verdict.VERIFIED, True), (Verdict.UNKNOWN, True), (Verdict.UNVERIFIED, False), (Verdict.FORGED, False)],
)
def test_whoever_may_not_have_written_is_not_told(verdict: Verdict, told: bool) -> None:
    envelope = read_mail(
        b"From: Paul <paul@example.net>\nTo: cabinet@roux.example\nMessage-ID: <x@example.net>\n\nBonjour"
    )
    known = msgspec.structs.replace(envelope.particulars, trust=Trust(verdict=verdict))
    assert may_acknowledge(ACCOUNT, DESK.values(), msgspec.structs.replace(envelope, particulars=known)) is told


def test_only_accounts_that_want_it_do_it() -> None:
    head = "From: Paul <paul@example.net>\nTo: cabinet@roux.example, contact@bernard.example"
    assert not may(head, DESK[ROUX])
    assert not may(head, DESK[BERNARD])


def an_acknowledgement(subject: str = "Rendez-vous") -> Reply:
    conversation = msgspec.structs.replace(a_conversation(), subject=subject)
    return Reply(
        account=ACCOUNT,
        conversation=conversation,
        message_id=MessageId("acknowledgement-1"),
        external_id="1.2@roux.example",
        text="Reçu.\n\nSubject: pas un sujet",
        answers=a_message(conversation, "Ce qu'il a écrit"),
        recipients=("paul@example.net",),
        attachments=(),
        now=NOW,
        automatic=True,
    )


def test_the_mailbox_writes_it_so() -> None:
    imap, smtp = (
        ImapServer("127.0.0.1", 1, "none", None, "desk", ""),
        SmtpServer("127.0.0.1", 1, "none", None, None, None),
    )
    reply = an_acknowledgement()
    assert Mailbox(MAIL, imap, smtp, Unobserved()).compose(reply) == compose(reply)


@pytest.mark.parametrize(
    "subject", ["Rendez-vous", "Re: Rendez-vous", "Été à midi", "x" * 300, "", "Mot " * 60, "a\r\nBcc: b@x.test"]
)
def test_the_mail_says_that_a_machine_wrote_it(subject: str) -> None:
    reply = an_acknowledgement(subject)
    (parcel,) = compose(reply)
    (blob,) = parcel.blobs
    assert compose(reply) == (parcel,)
    mail = message_from_bytes(blob.data, policy=policy.default)
    assert not mail.defects
    assert mail["Auto-Submitted"] == "auto-replied"
    assert str(mail["Subject"]).startswith("Auto:")
    assert mail["Bcc"] is None
    assert [len(mail.get_all(name, [])) for name in ("Subject", "MIME-Version")] == [1, 1]
    assert mail["To"] == "paul@example.net"
    assert all(len(line) <= 998 for line in blob.data.split(b"\r\n"))
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines()[:3] == ["Reçu.", "", "Subject: pas un sujet"]
    assert "Ce qu'il a écrit" not in blob.data.decode()
    # Whoever reads it as we do answers nothing.
    assert read_mail(blob.data).particulars.unanswerable
