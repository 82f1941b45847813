"""How a mail is read: raw octets in, an envelope out, whatever they are.

Reading costs time in proportion to the mail and memory in proportion to its
text: attachments are measured, not decoded. What cannot be understood is named
in the envelope's `defects`; nothing is refused.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator
from typing import NamedTuple

from channels.mail.automatic import read_origin
from channels.mail.bounces import read_bounce
from channels.mail.headers import (
    Fields,
    decode_octets,
    decode_text,
    first,
    read_addresses,
    read_date,
    read_head,
    read_ids,
    read_own_id,
    tidy,
)
from channels.mail.html import html_to_text
from channels.mail.parts import Part, Tree, decode_part, decoded_size
from inbox.envelope import Envelope, Sender
from inbox.model import AddressKind, Attachment, AttachmentKind
from inbox.particulars import Particulars

logger = logging.getLogger(__name__)

LONGEST_TEXT = 100_000
"""Characters of a mail's text that are kept."""
MOST_OCTETS = 2 * 2**20
"""Of an encoded text that are decoded: even as quoted-printable UTF-8 that is more than is kept."""
MOST_ATTACHMENTS = 200
LONGEST_FILE_NAME = 150
_LEFT_OUT = frozenset({"header_too_long", "nesting", "too_many_attachments", "too_many_parts"})
"""Defects that mean: there is more in the raw mail than in the envelope."""


def read_mail(raw: bytes) -> Envelope:
    """The envelope of a mail. Never raises, on anything."""
    try:
        return _read(raw)
    except Exception:
        # Whatever is wrong with our reading, the mail is here and somebody must see it.
        logger.exception("a mail of %d octets could not be read", len(raw))
        return Envelope(
            external_id=f"sha256:{hashlib.sha256(raw).hexdigest()}",
            sender=Sender(kind=AddressKind.MAIL, value=""),
            text=_tidied(raw[:MOST_OCTETS].decode("latin-1"))[:LONGEST_TEXT],
            truncated=len(raw) > LONGEST_TEXT,
            defects=("unreadable",),
        )


def extract(raw: bytes, path: str) -> bytes:
    """The octets of one attachment of a mail, decoded.

    Raises:
        KeyError: the mail has no part of that path.
    """
    raw = _with_line_ends(raw)
    part = Tree(raw).find(path)
    if part is None:
        raise KeyError(path)
    return decode_part(raw, part)


def _with_line_ends(raw: bytes) -> bytes:
    return raw if b"\n" in raw else raw.replace(b"\r", b"\n")


def _read(raw: bytes) -> Envelope:
    raw = _with_line_ends(raw)
    tree = Tree(raw)
    fields, defects = tree.root.fields, tree.defects
    sender, name = _sender(fields)
    if not sender:
        defects["no_sender"] = None
    recipients = _values(fields, "to", "cc")
    answered = read_ids(fields.get("in-reply-to", ()))
    earlier = read_ids(fields.get("references", ()))
    written_at = read_date(first(fields, "date"))
    if written_at is None:
        defects["no_date" if not first(fields, "date").strip() else "date"] = None
    own_id = read_own_id(first(fields, "message-id"))
    if not own_id:
        defects["no_message_id"] = None
    reply_to = next(iter(_values(fields, "reply-to")), None)
    subject = decode_text(first(fields, "subject"))
    text = _Text(tree)
    attachments = _attachments(raw, text.files, defects)
    bounce = read_bounce(tree)
    origin = read_origin(tree, bounce)
    particulars = Particulars(
        # One line a field: what its own module makes of the mail. Each is a pure function that never raises.
        automatic=origin.automatic,
        unanswerable=origin.unanswerable,
        bounce=bounce,
        list_id=origin.list_id,
    )
    return Envelope(
        external_id=own_id or _content_id(raw, tree.root),
        sender=Sender(kind=AddressKind.MAIL, value=sender, name=name),
        subject=subject,
        text=text.text,
        truncated=text.is_cut or not _LEFT_OUT.isdisjoint(defects),
        attachments=attachments,
        written_at=written_at,
        references=tuple(dict.fromkeys((*answered, *reversed(earlier)))),
        thread=tuple(dict.fromkeys((*earlier, *answered))),
        addressed_to=tuple(
            dict.fromkeys((*_values(fields, "delivered-to", "x-original-to", "envelope-to"), *recipients))
        ),
        recipients=recipients,
        reply_to=reply_to if reply_to != sender else None,
        defects=tuple(defects),
        particulars=particulars,
    )


# ---------------------------------------------------------------- header


def _sender(fields: Fields) -> tuple[str, str]:
    """Whose mail it is: address and name. From, and where that names nobody Sender and Return-Path."""
    named = ""
    for field in ("from", "sender", "return-path"):
        for address in read_addresses(fields.get(field, ())[:1]):
            if address.value:
                return address.value, address.name or named
            named = named or address.name
    return "", named


def _values(fields: Fields, *names: str) -> tuple[str, ...]:
    """The addresses of these fields, without doubles."""
    found = (address.value for name in names for address in read_addresses(fields.get(name, ())))
    return tuple(dict.fromkeys(value for value in found if value))


_IDENTIFYING = ("from", "sender", "to", "cc", "reply-to", "subject", "date", "in-reply-to", "references")


def _content_id(raw: bytes, root: Part) -> str:
    """An id for a mail without one: the same mail fetched again, or come by another way, has the same.

    So only what its author wrote counts: not what servers on the way add
    (Received, Delivered-To, X-…), nor whether lines end in LF or CRLF.
    """
    digest = hashlib.sha256()
    for name in _IDENTIFYING:
        for value in root.fields.get(name, ()):
            digest.update(name.encode() + b":" + b" ".join(value.split()) + b"\n")
    digest.update(b"\n")
    for start in range(root.start, len(raw), 2**20):
        # A CR at the end of a block belongs to the LF that begins the next; no other CR is kept either.
        digest.update(raw[start : start + 2**20].replace(b"\r", b""))
    return f"sha256:{digest.hexdigest()}"


# ---------------------------------------------------------------- text


class _Words(NamedTuple):
    """What a part says, and whether some of it was left out."""

    text: str
    is_cut: bool


class _Text:
    """Chooses the parts whose words are shown; every other one is a file."""

    def __init__(self, tree: Tree) -> None:
        self.files: list[Part] = []
        self._raw = tree.raw
        self._read: dict[str, _Words] = {}
        pieces: list[str] = []
        room = LONGEST_TEXT
        self.is_cut = False
        for part in self._shown(tree.root, self.files):
            if room <= 0:
                self.is_cut = True
                break
            words = self._words(part)
            self.is_cut |= words.is_cut or len(words.text) > room
            if words.text:
                pieces.append(words.text[:room])
                room -= len(words.text)
        self.text = "\n\n".join(pieces)[:LONGEST_TEXT]

    def _shown(self, part: Part, files: list[Part]) -> Iterator[Part]:
        if part.parts is None:
            if _is_text(part):
                yield part
            else:
                files.append(part)
        elif part.media_type == "multipart/alternative":
            yield from self._best(part, files)
        else:
            for child in part.parts:
                yield from self._shown(child, files)

    def _best(self, alternative: Part, files: list[Part]) -> list[Part]:
        """One of the forms of the same words: the plain one, unless it says nothing."""
        forms: list[list[Part]] = []
        for child in alternative.parts or ():
            mine: list[Part] = []
            forms.append(list(self._shown(child, mine)))
            # Another form of the same words is no file; a picture or an invitation is.
            files += [file for file in mine if not file.media_type.startswith("text/x-amp")]
        plain = [form for form in forms if form and all(part.media_type == "text/plain" for part in form)]
        others = [form for form in forms if form and form not in plain]
        for form in plain:
            said = self._said(form)
            # "Your mail program does not show HTML": what the mail says is then in the other form.
            apology = len(said) < 250 and _NEEDS_HTML.search(said)
            if said and not (apology and any(len(self._said(other)) > 4 * len(said) for other in others)):
                return form
        return next(iter((*others, *plain)), [])

    def _said(self, form: list[Part]) -> str:
        return "".join(self._words(part).text for part in form)

    def _words(self, part: Part) -> _Words:
        words = self._read.get(part.path)
        if words is None:
            words = self._read[part.path] = _read_words(self._raw, part)
        return words


_NEEDS_HTML = re.compile(r"\bhtml\b", re.I)


def _read_words(raw: bytes, part: Part) -> _Words:
    octets = decode_part(raw, part, MOST_OCTETS)
    is_cut = part.end - part.start > MOST_OCTETS
    charset = part.parameters.get("charset")
    if part.media_type == "text/html":
        if charset is None:
            declared = _META_CHARSET.search(octets[:4096])
            charset = declared[1].decode() if declared else None
        text, left_out = html_to_text(decode_octets(octets, charset))
        return _Words(_tidied(text), is_cut or left_out)
    text = decode_octets(octets, charset)
    is_cut |= len(text) > 4 * LONGEST_TEXT
    text = text[: 4 * LONGEST_TEXT]
    if part.parameters.get("format", "").lower() == "flowed":
        text = _unwrapped(text, joined=part.parameters.get("delsp", "").lower() == "yes")
    return _Words(_tidied(text), is_cut)


def _is_text(part: Part) -> bool:
    if part.media_type not in ("text/plain", "text/html"):
        return False
    return part.disposition[0] != "attachment" and not part.file_name


_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.I)
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufeff]")
_EMPTY_LINES = re.compile(r"\n{4,}")


def _tidied(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    # RFC 3676 §4.3: "-- " begins a signature.
    text = "\n".join([line if line == "-- " else line.rstrip(" \t\xa0") for line in lines])
    return _EMPTY_LINES.sub("\n\n\n", _UNSEEN.sub("", text)).strip("\n")


def _unwrapped(text: str, *, joined: bool) -> str:
    """Paragraphs as they were before they were wrapped to be sent (RFC 3676 §4)."""
    lines: list[str] = []
    open_at = -1  # the quote depth of the paragraph that the next line continues
    for line in text.replace("\r\n", "\n").split("\n"):
        words = line.lstrip(">")
        depth = len(line) - len(words)
        words = words[1:] if words.startswith(" ") else words
        if depth == open_at and words != "-- ":
            lines[-1] += words
        else:
            lines.append(f"{'>' * depth} {words}" if depth else words)
        flows = words.endswith(" ") and words != "-- "
        if flows and joined:
            lines[-1] = lines[-1][:-1]
        open_at = depth if flows else -1
    return "\n".join(lines)


# ---------------------------------------------------------------- attachments


_ENDINGS = {
    "application/pdf": ".pdf", "application/pkcs7-mime": ".p7m", "application/pkcs7-signature": ".p7s",
    "application/pgp-signature": ".asc", "application/zip": ".zip", "application/msword": ".doc",
    "audio/amr": ".amr", "audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/ogg": ".ogg", "audio/wav": ".wav",
    "image/gif": ".gif", "image/heic": ".heic", "image/jpeg": ".jpg", "image/jpg": ".jpg", "image/png": ".png",
    "image/svg+xml": ".svg", "image/webp": ".webp", "image/tiff": ".tiff", "image/bmp": ".bmp",
    "message/rfc822": ".eml", "message/global": ".eml", "text/calendar": ".ics", "text/css": ".css",
    "text/csv": ".csv", "text/html": ".html", "text/plain": ".txt", "text/rtf": ".rtf", "text/vcard": ".vcf",
    "text/x-vcard": ".vcf", "text/xml": ".xml", "message/delivery-status": ".txt", "text/rfc822-headers": ".txt",
    "video/mp4": ".mp4", "video/quicktime": ".mov", "video/webm": ".webm",
}  # fmt: skip
_KINDS = {
    ".jpg": AttachmentKind.PHOTO, ".jpeg": AttachmentKind.PHOTO, ".png": AttachmentKind.PHOTO,
    ".webp": AttachmentKind.PHOTO, ".mp3": AttachmentKind.AUDIO, ".m4a": AttachmentKind.AUDIO,
    ".wav": AttachmentKind.AUDIO, ".flac": AttachmentKind.AUDIO, ".amr": AttachmentKind.AUDIO,
    ".ogg": AttachmentKind.VOICE, ".oga": AttachmentKind.VOICE, ".opus": AttachmentKind.VOICE,
    ".mp4": AttachmentKind.VIDEO, ".mov": AttachmentKind.VIDEO, ".webm": AttachmentKind.VIDEO,
}  # fmt: skip


def _attachments(raw: bytes, files: list[Part], defects: dict[str, None]) -> tuple[Attachment, ...]:
    if len(files) > MOST_ATTACHMENTS:
        defects["too_many_attachments"] = None
    listed = []
    for part in files[:MOST_ATTACHMENTS]:
        name = _file_name(raw, part)
        attachment = Attachment(
            name=name,
            media_type=part.media_type,
            size=decoded_size(raw, part),
            kind=_kind(part.media_type, name),
            path=part.path,
        )
        listed.append(attachment)
    return tuple(listed)


def _kind(media_type: str, name: str) -> AttachmentKind:
    ending = _ENDINGS.get(media_type, "")
    if media_type == "application/octet-stream":
        ending = "." + name.rpartition(".")[2].lower()
    if ending in _KINDS:
        return _KINDS[ending]
    match media_type.partition("/")[0]:
        case "audio":
            return AttachmentKind.AUDIO
        case "video":
            return AttachmentKind.VIDEO
        case _:
            return AttachmentKind.FILE


# What separates folders anywhere, and what Windows refuses in a name.
_UNSAFE = re.compile(r'[/\\:*?"<>|]+')


def _file_name(raw: bytes, part: Part) -> str:
    """A name to save it under: no folder, nothing hidden in it; one made up where its author gave none."""
    name = tidy(part.file_name, 20_000)
    ending = _ENDINGS.get(part.media_type, ".bin")
    if not name and part.media_type.startswith("message/"):
        head = read_head(raw, part.start, part.end)
        subject = decode_text(first(head.fields, "subject"), 80)
        name = subject + ending if subject else ""
    name = _UNSAFE.sub("_", name).strip(" ")
    if not name.strip("._ "):
        return f"attachment-{part.path}{ending}"
    if len(name) > LONGEST_FILE_NAME:
        stem, dot, last = name.rpartition(".")
        kept = dot + last if stem and len(last) <= 10 else ""
        name = (stem if kept else name)[: LONGEST_FILE_NAME - len(kept)] + kept
    return name.rstrip(". ")
