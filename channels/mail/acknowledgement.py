"""An acknowledgement in its final form: a reply like any other, that says a machine wrote it (RFC 3834)."""

from __future__ import annotations

import dataclasses
import re

import msgspec

from channels.base import Parcel, Reply
from channels.mail import compose as letters
from channels.mail.headers import tidy
from inbox.conversations import bare_subject
from inbox.store.base import Blob

MARKS = b"Auto-Submitted: auto-replied\r\nX-Auto-Response-Suppress: All\r\n"
"""RFC 3834 §5 for all the world, and Exchange's own word for the same. No Precedence: some filters take it for spam."""
MARKS_OF_NO_ANSWER = b"Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n"
"""RFC 3834 §5.1: of what a machine writes, and nobody asked for by a mail."""
_SUBJECT = re.compile(rb"^Subject:.*?\r\n(?![ \t])", re.M | re.S)


def compose(reply: Reply) -> tuple[Parcel, ...]:
    """One letter that quotes nothing of what it answers, if it answers anything; the same reply gives the same octets.

    Its envelope's sender is the account's own address. RFC 3834 §3.3 allows
    the null one, but submission servers of large providers refuse or replace
    that, and SPF cannot vouch for it; and our address answers no automatic
    mail by itself, which is what the paragraph wants. So a report that it did
    not arrive comes back, and is noted.
    """
    if reply.answers is not None:
        reply = dataclasses.replace(reply, answers=msgspec.structs.replace(reply.answers, text=""))
        subject = _subject(reply.conversation.subject)
    else:
        subject = None
    return tuple(
        dataclasses.replace(parcel, blobs=tuple(Blob(blob.id, _marked(blob.data, subject)) for blob in parcel.blobs))
        for parcel in letters.compose(reply)
    )


def _subject(subject: str) -> bytes:
    # RFC 3834 §3.1.5: "Auto: ", then the subject it answers.
    said = letters.shortened(f"Auto: {bare_subject(tidy(subject))}".strip())
    return f"Subject: {letters.write_words(said)}\r\n".encode()


def _marked(letter: bytes, subject: bytes | None) -> bytes:
    head, blank, body = letter.partition(b"\r\n\r\n")
    if subject is None:
        return head + b"\r\n" + MARKS_OF_NO_ANSWER + blank[2:] + body
    return _SUBJECT.sub(lambda _: subject + MARKS, head + b"\r\n", count=1) + blank[2:] + body
