"""A mail read as far as it can be: never an exception, never an unbounded time."""

from __future__ import annotations

import binascii
import email
import email.parser
import email.policy
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any, NamedTuple

from channels.mail.headers import addresses, decoded, file_name, message_id, message_ids, raw_field, text
from channels.mail.html_text import text_of_html
from inbox.envelope import Envelope, Sender
from inbox.model import AddressKind, Attachment, AttachmentKind

logger = logging.getLogger(__name__)

MOST_HEADER = 256_000
"""Octets of a mail's header that are read."""
MOST_PARTS = 500
MOST_DEPTH = 60
LONGEST_TEXT = 100_000
"""Characters of text shown; the raw form has all of it."""
MOST_REFERENCES = 100


class _AsItStands(email.policy.Compat32):
    """Fields as the str they were read as: no Header objects, no surprises."""

    def header_fetch_parse(self, name: str, value: Any) -> Any:
        return value


_POLICY = _AsItStands()


class _Leaf(NamedTuple):
    path: str
    """As IMAP numbers parts (RFC 3501 §6.4.5): `1`, `2.1`."""
    part: Message


def read_mail(raw: bytes) -> Envelope:
    """What a mail says. Never raises: a mail nobody can read is still an envelope, with its defects named."""
    try:
        return _read(raw)
    except Exception as error:  # noqa: BLE001  # whatever is in it, a mail is shown and its raw form kept
        logger.warning("a mail could not be read: %s", type(error).__name__)
        return Envelope(
            external_id=f"sha256:{sha256(raw).hexdigest()}",
            sender=Sender(kind=AddressKind.MAIL, value=""),
            text="",
            defects=(f"unreadable: {type(error).__name__}",),
        )


def extract(raw: bytes, path: str) -> bytes:
    """The octets of the part at `path`, decoded.

    Raises:
        LookupError: the mail has no such part.
    """
    message, _ = _parse(raw)
    for leaf in _leaves(message):
        if leaf.path == path:
            return _octets(leaf.part)
    raise LookupError(f"no part {path}")


# ---------------------------------------------------------------- structure


def _parse(raw: bytes) -> tuple[Message, list[str]]:
    defects: list[str] = []
    end = _header_end(raw)
    if end > MOST_HEADER:
        cut = raw.rfind(b"\n", 0, MOST_HEADER) + 1
        raw = raw[:cut] + raw[end:]
        defects.append("header cut")
    try:
        message = email.message_from_bytes(raw, policy=_POLICY)
    except RecursionError:
        message = email.parser.BytesHeaderParser(policy=_POLICY).parsebytes(raw)
        defects.append("nested too deeply")
    return message, defects


def _header_end(raw: bytes) -> int:
    ends = [end for end in (raw.find(b"\r\n\r\n"), raw.find(b"\n\n")) if end >= 0]
    return min(ends, default=len(raw))


def _leaves(message: Message) -> Iterator[_Leaf]:
    """The parts that hold something, in order; bounded in number and depth."""
    waiting: list[tuple[str, Message, int]] = [("", message, 0)]
    seen = 0
    while waiting and seen < MOST_PARTS:
        path, part, depth = waiting.pop()
        seen += 1
        if part.get_content_maintype() == "multipart" and part.is_multipart() and depth < MOST_DEPTH:
            children = list(part.get_payload())
            for number in range(min(len(children), MOST_PARTS), 0, -1):
                child = f"{path}.{number}" if path else str(number)
                waiting.append((child, children[number - 1], depth + 1))
            continue
        yield _Leaf(path or "1", part)


def _payload(part: Message) -> str:
    payload = part.get_payload()
    return payload if isinstance(payload, str) else ""


def _encoding(part: Message) -> str:
    return raw_field(part, "Content-Transfer-Encoding").strip().lower()


def _octets(part: Message) -> bytes:
    """A part's content, its transfer encoding undone as far as it can be."""
    if part.is_multipart():
        return b"\n".join(inner.as_bytes(policy=_POLICY) for inner in part.get_payload() if isinstance(inner, Message))
    octets = part.get_payload(decode=True)
    return octets if isinstance(octets, bytes) else b""


def _size(part: Message) -> int:
    """The octets a part has once decoded, without decoding it where its length tells."""
    payload = _payload(part)
    if part.is_multipart() or _encoding(part) not in ("base64", "7bit", "8bit", "binary", ""):
        return len(_octets(part))
    if _encoding(part) != "base64":
        return len(payload)
    characters = len(payload) - payload.count("\n") - payload.count("\r") - payload.count(" ")
    return max(characters * 3 // 4 - payload[-4:].count("="), 0)


# ---------------------------------------------------------------- contents


def _read(raw: bytes) -> Envelope:
    message, defects = _parse(raw)
    body, attachments, truncated = _contents(message, defects)
    sender = _sender(message)
    thread = _thread(message)
    recipients = tuple(dict.fromkeys(a for _, a in addresses(_all(message, "To", "Cc"))))
    delivered = (a for _, a in addresses(_all(message, "Delivered-To", "X-Original-To", "Envelope-To")))
    answer_to = [a for _, a in addresses(_all(message, "Reply-To"))]
    subject = decoded(raw_field(message, "Subject"))
    return Envelope(
        external_id=message_id(raw_field(message, "Message-ID")) or _content_id(message, raw),
        sender=sender,
        subject=subject,
        text=body,
        truncated=truncated,
        attachments=tuple(attachments),
        written_at=_date(raw_field(message, "Date")),
        references=_references(message),
        thread=thread,
        addressed_to=tuple(dict.fromkeys((*delivered, *recipients))),
        recipients=recipients,
        reply_to=answer_to[0] if answer_to and answer_to[0] != sender.value else None,
        defects=tuple(defects),
    )


def _contents(message: Message, defects: list[str]) -> tuple[str, list[Attachment], bool]:
    plain: list[str] = []
    rich: list[str] = []
    attachments: list[Attachment] = []
    for leaf in _leaves(message):
        part = leaf.part
        kind = part.get_content_type()
        name = _name(part, defects)
        is_text = kind in ("text/plain", "text/html") and not part.is_multipart()
        broken = part.get_content_maintype() == "multipart" and not part.is_multipart()
        if broken:
            # A boundary that never comes: what stands there is text.
            defects.append("multipart without parts")
            plain.append(text(_octets(part), None))
        elif not is_text or name or part.get_content_disposition() == "attachment":
            attachments.append(_attachment(leaf, kind, name))
        else:
            (plain if kind == "text/plain" else rich).append(_decoded_text(part, defects))
    words = "\n".join(plain).strip()
    if not words and rich:
        words = "\n".join(text_of_html(html) for html in rich)
    words = words.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    return words[:LONGEST_TEXT], attachments, len(words) > LONGEST_TEXT


def _decoded_text(part: Message, defects: list[str]) -> str:
    try:
        octets = _octets(part)
    except (binascii.Error, ValueError):
        defects.append("transfer encoding")
        octets = _payload(part).encode("utf-8", "surrogateescape")
    try:
        charset = part.get_content_charset()
    except (LookupError, ValueError, AttributeError, TypeError):
        charset = None
    return text(octets, charset)


def _name(part: Message, defects: list[str]) -> str:
    try:
        found = part.get_filename()
    except (LookupError, ValueError, AttributeError, TypeError):
        defects.append("file name")
        return "unnamed"
    return file_name(found) if found else ""


def _attachment(leaf: _Leaf, kind: str, name: str) -> Attachment:
    part = leaf.part
    if not name:
        if kind == "message/rfc822":
            inner = part.get_payload()
            first = inner[0] if isinstance(inner, list) and inner else None
            subject = decoded(raw_field(first, "Subject")) if isinstance(first, Message) else ""
            name = file_name(subject or "message")[:100] + ".eml"
        else:
            name = f"{kind.replace('/', '-')}-{leaf.path}"
    return Attachment(name=name, media_type=kind, size=_size(part), kind=_kind(kind, name), path=leaf.path)


def _kind(media_type: str, name: str) -> AttachmentKind:
    main = media_type.partition("/")[0]
    if main == "image":
        return AttachmentKind.PHOTO
    if main == "audio":
        spoken = media_type == "audio/ogg" or "voice" in name.lower()
        return AttachmentKind.VOICE if spoken else AttachmentKind.AUDIO
    return AttachmentKind.VIDEO if main == "video" else AttachmentKind.FILE


# ---------------------------------------------------------------- header


def _all(message: Message, *names: str) -> list[str]:
    return [str(value) for name in names for value in message.get_all(name, [])]


def _sender(message: Message) -> Sender:
    for name in ("From", "Sender", "Return-Path"):
        found = addresses(_all(message, name), 1)
        if found:
            return Sender(kind=AddressKind.MAIL, value=found[0][1], name=found[0][0])
    return Sender(kind=AddressKind.MAIL, value="", name=decoded(raw_field(message, "From")))


def _thread(message: Message) -> tuple[str, ...]:
    """References and then In-Reply-To, as a reply's References continues them (RFC 5322 §3.6.4)."""
    ids = message_ids(raw_field(message, "References")) + message_ids(raw_field(message, "In-Reply-To"))
    ids = list(dict.fromkeys(ids))
    return tuple(ids if len(ids) <= MOST_REFERENCES else [ids[0], *ids[-MOST_REFERENCES + 1 :]])


def _references(message: Message) -> tuple[str, ...]:
    """In-Reply-To first, then References from the newest back."""
    nearest = message_ids(raw_field(message, "In-Reply-To"))
    older = message_ids(raw_field(message, "References"))[::-1]
    return tuple(dict.fromkeys((*nearest, *older)))[:MOST_REFERENCES]


def _date(value: str) -> datetime | None:
    try:
        written = parsedate_to_datetime(value)
        return written.replace(tzinfo=UTC) if written.tzinfo is None else written.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


_LASTING = ("from", "to", "cc", "subject", "date", "in-reply-to", "references", "content-type")


def _content_id(message: Message, raw: bytes) -> str:
    """An id for a mail that has none: the same mail delivered again by another way has the same."""
    end = _header_end(raw)
    digest = sha256()
    for name in _LASTING:
        digest.update(f"{name}:{' '.join(raw_field(message, name).split())}\n".encode("utf-8", "surrogateescape"))
    digest.update(raw[end:].strip().replace(b"\r\n", b"\n"))
    return f"sha256:{digest.hexdigest()}"
