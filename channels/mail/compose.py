"""A reply in its final form: one mail, whose octets are fixed before anybody tries to send it."""

from __future__ import annotations

import html
import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time

from channels.base import Parcel, Preview, Reply
from inbox.model import BlobId, Letter, Message
from inbox.store.base import Blob

MOST_REFERENCES = 40
LONGEST_QUOTE = 20_000

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")
_ID = re.compile(r"[^\s<>]+@[^\s<>]+")

# Every part is encoded to ASCII within 76 columns, so no server on the way has to touch it.
_POLICY = SMTP.clone(cte_type="7bit", max_line_length=76)


def compose(reply: Reply) -> tuple[Parcel, ...]:
    """One letter to the reply's recipients, threaded under the mail it answers.

    The same reply gives the same octets: nothing in it is drawn by chance or
    by the clock.
    """
    raw = _octets(reply)
    letter = Letter(
        sender=reply.account.identity.from_address or "",
        recipients=reply.recipients,
        blob_id=BlobId(f"letter-{reply.message_id}"),
        message_id=reply.external_id,
    )
    return (Parcel(letter, (Blob(letter.blob_id, raw),)),)


def preview(reply: Reply) -> Preview:
    """The letter as its reader will see it, without the quoted original."""
    identity = reply.account.identity
    sender = f"{identity.display_name} <{identity.from_address}>" if identity.from_address else identity.display_name
    headers = [("preview.from", sender), ("preview.to", ", ".join(reply.recipients[:1]))]
    if len(reply.recipients) > 1:
        headers.append(("preview.cc", ", ".join(reply.recipients[1:])))
    headers.append(("preview.subject", answer_subject(reply.conversation.subject)))
    return Preview(headers=tuple(headers), text=letter_text(reply))


def letter_text(reply: Reply) -> str:
    """The words that leave, with the signature; the quoted original follows them."""
    signature = reply.account.identity.signature.strip()
    # RFC 3676 §4.3: "-- " on a line of its own begins a signature.
    return f"{reply.text.strip()}\n\n-- \n{signature}" if signature else reply.text.strip()


def answer_subject(subject: str) -> str:
    """The conversation's subject as an answer's; it has no prefix of its own (`inbox.conversations.bare_subject`)."""
    return f"Re: {_one_line(subject)}".strip()


def _octets(reply: Reply) -> bytes:
    account, answers = reply.account, reply.answers
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = _address(account.identity.from_address or "", account.identity.display_name)
    mail["To"] = [_address(recipient) for recipient in reply.recipients[:1]]
    if len(reply.recipients) > 1:
        mail["Cc"] = [_address(recipient) for recipient in reply.recipients[1:]]
    mail["Subject"] = answer_subject(reply.conversation.subject)
    mail["Date"] = format_datetime(reply.now.astimezone(ZoneInfo(account.time_zone)).replace(microsecond=0))
    mail["Message-ID"] = f"<{reply.external_id}>"
    if answers is not None and _ID.fullmatch(answers.external_id):
        mail["In-Reply-To"] = f"<{answers.external_id}>"
        mail["References"] = _references(answers)
    mail["Content-Language"] = account.language
    attribution, quoted = _quote(reply)
    text = letter_text(reply)
    mail.set_content(
        text + (f"\n\n{attribution}\n{_with_marks(quoted)}" if quoted else "") + "\n",
        cte="quoted-printable",
    )
    mail.add_alternative(_html(reply, attribution, quoted), subtype="html", cte="quoted-printable")
    mail.set_boundary(f"=_{sha256(reply.message_id.encode()).hexdigest()[:32]}")
    return mail.as_bytes()


def _references(answers: Message) -> str:
    """RFC 5322 §3.6.4: the parent's References, then its Message-ID; the middle of a very long thread left out."""
    ids = [reference for reference in (*answers.references, answers.external_id) if _ID.fullmatch(reference)]
    ids = list(dict.fromkeys(ids))
    if len(ids) > MOST_REFERENCES:
        ids = [ids[0], *ids[-(MOST_REFERENCES - 1) :]]
    return " ".join(f"<{reference}>" for reference in ids)


def _address(address: str, name: str = "") -> Address:
    """An address object: whatever a name holds, it stays a name."""
    local, _, domain = _one_line(address).rpartition("@")
    return Address(display_name=_one_line(name), username=local, domain=domain)


def _one_line(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())


def _quote(reply: Reply) -> tuple[str, str]:
    """The line above the quoted original, and the original."""
    answers = reply.answers
    if answers is None or not answers.text.strip():
        return "", ""
    quoted = answers.text.strip()[:LONGEST_QUOTE]
    when = _when(answers.written_at or answers.created_at, reply)
    name = _one_line(answers.author_name or answers.author_address)
    if reply.account.language == "fr":
        return f"Le {when}, {name} a écrit :", quoted
    return f"On {when}, {name} wrote:", quoted


def _when(instant: datetime, reply: Reply) -> str:
    local = instant.astimezone(ZoneInfo(reply.account.time_zone))
    language = reply.account.language
    day = format_date(local, "long", locale=language)
    hour = format_time(local, "HH:mm", locale=language)
    return f"{day} à {hour}" if language == "fr" else f"{day} at {hour}"


def _with_marks(quoted: str) -> str:
    return "\n".join(f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in quoted.splitlines())


def _html(reply: Reply, attribution: str, quoted: str) -> str:
    signature = reply.account.identity.signature.strip()
    parts = [f"<div>{_marked_up(reply.text.strip())}</div>"]
    if signature:
        parts.append(f'<br><div class="signature" style="color:#555">-- <br>{_marked_up(signature)}</div>')
    if quoted:
        parts.append(
            f"<br><div>{html.escape(attribution)}</div>"
            f'<blockquote style="margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex">'
            f"{_marked_up(quoted)}</blockquote>"
        )
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="{html.escape(reply.account.language)}"><head><meta charset="utf-8"></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )


def _marked_up(text: str) -> str:
    """Plain text as HTML: escaped, its lines kept, its links links."""
    done: list[str] = []
    at = 0
    for link in _LINK.finditer(text):
        url = html.escape(link[0], quote=True)
        done += [html.escape(text[at : link.start()]), f'<a href="{url}">{url}</a>']
        at = link.end()
    done.append(html.escape(text[at:]))
    return "".join(done).replace("\n", "<br>\n")
