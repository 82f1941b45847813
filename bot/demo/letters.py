"""What a client's mail program does with a mail: writes one, answers one, shows one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP, default
from email.utils import localtime, make_msgid, parsedate_to_datetime

from bot.demo.mail_server import Mail


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a mail address."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that travels with a mail."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as a person sees it, and the three headers that thread it."""

    number: int
    sender: Person
    reply_to: str
    recipients: tuple[Person, ...]
    subject: str
    date: datetime
    text: str
    files: tuple[File, ...]
    message_id: str
    in_reply_to: str
    references: str


def write(
    sender: Person,
    to: str,
    subject: str,
    text: str,
    *,
    answers: Letter | None = None,
    files: Sequence[File] = (),
) -> bytes:
    """A mail ready to submit; one that answers another carries its thread on (RFC 5322 §3.6.4)."""
    mail = EmailMessage(policy=SMTP)
    local, _, domain = sender.address.partition("@")
    mail["From"] = Address(sender.name, local, domain)
    mail["To"] = to
    mail["Subject"] = " ".join(subject.split())
    mail["Date"] = localtime()
    mail["Message-ID"] = make_msgid(domain=domain)
    if answers is not None:
        mail["In-Reply-To"] = answers.message_id
        mail["References"] = f"{answers.references} {answers.message_id}".strip()
    mail.set_content(text)
    for file in files:
        kind, _, subtype = file.media_type.partition("/")
        mail.add_attachment(file.data, maintype=kind, subtype=subtype, filename=file.name)
    return mail.as_bytes()


def read(mail: Mail) -> Letter:
    """What the mail program shows of a mail."""
    parsed = BytesParser(policy=default).parsebytes(mail.raw)
    body = parsed.get_body(("plain", "html"))
    senders = _people(parsed, "From") or (Person("", ""),)
    answer_to = _people(parsed, "Reply-To") or senders
    date = parsed["Date"]
    return Letter(
        number=mail.number,
        sender=senders[0],
        reply_to=answer_to[0].address,
        recipients=_people(parsed, "To"),
        subject=str(parsed["Subject"] or ""),
        date=parsedate_to_datetime(date).astimezone(UTC) if date else mail.at,
        text=str(body.get_content()).replace("\r\n", "\n") if body is not None else "",
        files=tuple(
            File(part.get_filename() or "", part.get_content_type(), _octets(part))
            for part in parsed.iter_attachments()
        ),
        message_id=str(parsed["Message-ID"] or ""),
        in_reply_to=str(parsed["In-Reply-To"] or ""),
        references=" ".join(str(parsed["References"] or "").split()),
    )


def _people(mail: EmailMessage, header: str) -> tuple[Person, ...]:
    found = mail[header]
    return tuple(Person(each.display_name, each.addr_spec) for each in found.addresses) if found else ()


def _octets(part: EmailMessage) -> bytes:
    data = part.get_payload(decode=True)
    # a mail attached to a mail has no octets of its own to decode
    return data if isinstance(data, bytes) else part.as_bytes()
