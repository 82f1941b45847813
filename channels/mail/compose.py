"""A reply in its final form: one mail, whose octets are fixed before anybody tries to send it.

The header is written here and not by `email.message`, which refuses some
addresses, folds long unbroken words wrongly and encodes by rules that change
with Python's version; a retry must be the same mail.
"""

from __future__ import annotations

import binascii
import html
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from email.utils import format_datetime
from hashlib import sha256
from typing import TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
from babel.dates import format_date, format_time

from channels.base import Parcel, Preview, Reply
from channels.mail.headers import is_address, tidy
from channels.mail.markup import marked_up, plain, styled
from inbox import styles
from inbox.conversations import bare_subject
from inbox.model import Message
from inbox.notices import Letter
from inbox.particulars import Forward
from inbox.parts import Attachment, BlobId, Entity
from inbox.store.base import Blob

MOST_REFERENCES = 40
LONGEST_REFERENCES = 8000
"""Octets. Sendmail takes a header of 32 KB as it comes, Postfix one of 100 KB; addresses need most of it."""
LONGEST_SUBJECT = 998
"""Characters as they are written, the most Gmail takes."""
LONGEST_QUOTE = 20_000


def compose(reply: Reply) -> tuple[Parcel, ...]:
    """One letter to the reply's recipients, threaded under the mail it answers.

    The same reply gives the same octets: nothing in it is drawn by chance or
    by the clock. It is ASCII in short lines, so that no server on the way has
    to touch it; only an address beyond ASCII stays as it is (RFC 6532).
    """
    letter = Letter(
        sender=wire_address(_sender(reply)),
        recipients=tuple(dict.fromkeys(wire_address(each) for each in (*reply.recipients, *reply.copies))),
        blob_id=BlobId(f"letter-{reply.message_id}"),
        message_id=reply.external_id,
    )
    raw = _octets(reply, letter)
    files = tuple(msgspec.structs.replace(a, path=path, held_by=None, blob_id=None) for path, a in _numbered(reply))
    return (Parcel(letter, (Blob(letter.blob_id, raw),), files),)


def preview(reply: Reply) -> Preview:
    """The letter as its reader will see it, without the quoted original."""
    name, sender = tidy(reply.account.identity.display_name), _sender(reply)
    headers = [("preview.from", f"{name} <{sender}>".strip() if sender else name)]
    headers.append(("preview.to", ", ".join(reply.recipients)))
    if reply.copies:
        headers.append(("preview.cc", ", ".join(reply.copies)))
    headers.append(("preview.subject", _subject(reply)))
    return Preview(headers=tuple(headers), text=_under(reply, _clean(reply.text)), styles=_styles(reply))


def _sender(reply: Reply) -> str:
    return reply.sender or reply.account.identity.from_address or ""


def letter_text(reply: Reply) -> str:
    """The words that leave, with the signature; the quoted original follows them."""
    return _under(reply, plain(_clean(reply.text), _styles(reply)))


def _styles(reply: Reply) -> tuple[Entity, ...]:
    return styles.carried_over(reply.styles, reply.text, _clean(reply.text))


def _under(reply: Reply, words: str) -> str:
    signature = _clean(reply.account.identity.signature)
    # RFC 3676 §4.3: "-- " on a line of its own begins a signature.
    return f"{words}\n\n-- \n{signature}" if signature else words


def _subject(reply: Reply) -> str:
    # What answers nothing is the first word on its matter.
    subject = reply.conversation.subject
    return answer_subject(subject) if reply.answers is not None else shortened(tidy(subject))


def answer_subject(subject: str) -> str:
    """The subject of an answer: "Re: " once, whatever stood before; the end left out of one that Gmail would refuse."""
    return shortened(f"Re: {bare_subject(tidy(subject))}".strip())


def shortened(subject: str) -> str:
    """As much of a subject as can be written in `LONGEST_SUBJECT`."""
    words = subject
    while len(written := write_words(subject)) > LONGEST_SUBJECT:
        words = words[: len(words) * LONGEST_SUBJECT // len(written)]
        subject = f"{words.rstrip()}…"
    return subject


def wire_address(address: str) -> str:
    """An address as servers exchange it: its domain in ASCII where it can be."""
    local, at, domain = address.strip().rpartition("@")
    if domain.isascii():
        return address.strip()
    try:
        return f"{local}{at}{domain.encode('idna').decode()}"
    except UnicodeError:
        return address.strip()


# ---------------------------------------------------------------- header


def _octets(reply: Reply, letter: Letter) -> bytes:
    account, answers = reply.account, reply.answers
    boundary = f"=_{sha256(reply.message_id.encode()).hexdigest()[:32]}"  # "=_" is in no encoded text
    to = _mailboxes(reply.recipients)
    # Who is in both stands in To only.
    copies = [each for each in _mailboxes(reply.copies) if each not in to]
    header = [
        f"From: {_mailbox(letter.sender, account.identity.display_name)}",
        "To: " + (",\r\n ".join(to) or "undisclosed-recipients:;"),
    ]
    if copies:
        header.append("Cc: " + ",\r\n ".join(copies))
    header.append(f"Subject: {write_words(_subject(reply))}")
    header.append(f"Date: {format_datetime(reply.now.astimezone(_zone(reply)).replace(microsecond=0))}")
    header.append(f"Message-ID: <{_UNSAFE_IN_ID.sub('', reply.external_id)}>")
    answered = _wire_id(_answered_id(reply))
    if answered:
        header.append(f"In-Reply-To: <{answered}>")
    references = _references(answers, answered)
    if references:
        header.append("References: " + "\r\n ".join(references))
    attribution, quoted = _quote(reply)
    text = letter_text(reply)
    if quoted:
        text += f"\n\n{attribution}\n{_with_marks(quoted)}"
    header += [f"Content-Language: {_language(reply)}", "MIME-Version: 1.0"]
    words = _multipart(
        "alternative", boundary, [_part("plain", text), _part("html", _html(reply, attribution, quoted))]
    )
    if reply.attachments:
        files = [_file_part(file, data) for file, data in zip(reply.attachments, reply.contents, strict=True)]
        words = _multipart("mixed", f"{boundary}_", [words, *files])
    return "\r\n".join([*header, *words, ""]).encode()


def _multipart(subtype: str, boundary: str, parts: Sequence[Sequence[str]]) -> list[str]:
    lines = [f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"', ""]
    for part in parts:
        lines += [f"--{boundary}", *part]
    return [*lines, f"--{boundary}--"]


def _mailboxes(addresses: Sequence[str]) -> list[str]:
    """Those that are addresses, as they stand in a field; of the others their server will be told as well."""
    return list(dict.fromkeys(filter(None, (_mailbox(wire_address(each)) for each in addresses))))


_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")


def _mailbox(address: str, name: str = "") -> str:
    """A mailbox for an address field; empty where the address is none, which its server will be told as well."""
    if not is_address(address):
        return ""
    name = tidy(name, 200)
    if not name:
        return address
    # Quotes may be escaped within quotes, but some programs stop at the first, or show the backslash.
    if not name.isascii() or "=?" in name or len(name) > 60 or set(name) & set('"\\'):
        return f"{_encoded(name)}\r\n <{address}>"
    if not _ATOMS.fullmatch(name):
        name = f'"{name}"'
    return f"{name} <{address}>" if len(name) + len(address) < 66 else f"{name}\r\n <{address}>"


def write_words(text: str) -> str:
    """Words as they stand in a field that holds nothing else, folded, encoded where they must be (RFC 2047)."""
    if not text.isascii() or "=?" in text or any(len(word) > 60 for word in text.split(" ")):
        return _encoded(text)
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) > 64:
            lines.append(word)
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return "\r\n ".join(lines)


def _encoded(text: str) -> str:
    """Encoded words of whole characters, one a line, in the encoding that makes fewer of them (RFC 2047 §2, §5)."""
    octets = [character.encode("utf-8", "replace") for character in text]
    said = [_in_q(character, its) for character, its in zip(text, octets, strict=True)]
    if sum(map(len, said)) <= sum(map(len, octets)) * 4 / 3:
        return "\r\n ".join(f"=?utf-8?q?{''.join(word)}?=" for word in _gathered(said, 54))
    words = (b"".join(word) for word in _gathered(octets, 39))
    return "\r\n ".join(f"=?utf-8?b?{binascii.b2a_base64(word, newline=False).decode()}?=" for word in words)


def _in_q(character: str, octets: bytes) -> str:
    # What may stand in a name as well as in a subject (RFC 2047 §5, rule 3).
    if character.isascii() and (character.isalnum() or character in "!*+-/"):
        return character
    return "_" if character == " " else "".join(f"={octet:02X}" for octet in octets)


Piece = TypeVar("Piece", str, bytes)


def _gathered(pieces: Sequence[Piece], most: int) -> list[list[Piece]]:
    """The pieces in groups of at most so much together; at least one group."""
    groups: list[list[Piece]] = [[]]
    length = 0
    for piece in pieces:
        if length + len(piece) > most:
            groups.append([])
            length = 0
        groups[-1].append(piece)
        length += len(piece)
    return groups


_UNSAFE_IN_ID = re.compile(r"[^!-;=?-~]")
_WIRE_ID = re.compile(r"[!-;=?-~]{1,900}")
_OURS = re.compile(r"(?:#[0-9a-f]{16})+$")


def _wire_id(external_id: str) -> str:
    """The Message-ID a stored id stands for; empty where the mail had none, or none that can be written."""
    if external_id.startswith("sha256:"):
        return ""
    wire = _OURS.sub("", external_id)  # inbox.matching.distinguishing_id
    # An encoded word is no part of an id, but many a program would decode it there, line ends and all.
    return wire if _WIRE_ID.fullmatch(wire) and "=?" not in wire else ""


def _answered_id(reply: Reply) -> str:
    """The Message-ID of what is answered: for who wrote what was handed on, that of the mail they wrote."""
    handed_on = _handed_on(reply)
    if handed_on is not None and handed_on.external_id:
        return handed_on.external_id
    return reply.answers.external_id if reply.answers is not None else ""


def _references(answers: Message | None, answered: str) -> list[str]:
    """RFC 5322 §3.6.4: the parent's References, then its Message-ID; the middle of a very long thread left out."""
    if answers is None:
        return []
    ids = list(dict.fromkeys(filter(None, map(_wire_id, (*answers.references, answers.external_id)))))
    if answered:
        ids = [*(one for one in ids if one != answered), answered]
    if len(ids) > MOST_REFERENCES:
        half = MOST_REFERENCES // 2
        ids = [*ids[:half], *ids[-half:]]
    while sum(map(len, ids)) > LONGEST_REFERENCES:
        del ids[(len(ids) - 1) // 2]
    return [f"<{one}>" for one in ids]


# ---------------------------------------------------------------- body


def _part(subtype: str, text: str) -> list[str]:
    octets = text.encode("utf-8", "replace")
    quoted = binascii.b2a_qp(octets, istext=True).decode()
    base64 = binascii.b2a_base64(octets, newline=False).decode()
    lines = [f"Content-Type: text/{subtype}; charset=utf-8"]
    if len(quoted) <= len(base64):
        # A line that begins with "From " is changed by servers that keep mail in mbox files.
        encoded = re.sub(r"^From ", "=46rom ", quoted, flags=re.M).split("\n")
        return [*lines, "Content-Transfer-Encoding: quoted-printable", "", *encoded]
    octets = text.replace("\n", "\r\n").encode("utf-8", "replace")
    base64 = binascii.b2a_base64(octets, newline=False).decode()
    return [
        *lines,
        "Content-Transfer-Encoding: base64",
        "",
        *(base64[at : at + 76] for at in range(0, len(base64), 76)),
    ]


def _numbered(reply: Reply) -> list[tuple[str, Attachment]]:
    """The files by the part of the letter each of them is: the first part is the words."""
    return [(str(number), file) for number, file in enumerate(reply.attachments, 2)]


_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}")


def _file_part(file: Attachment, data: bytes) -> list[str]:
    """A file, whatever it is called, as base64 in lines of 76 (RFC 2045 §6.8)."""
    media_type = file.media_type.lower()
    if not _MEDIA_TYPE.fullmatch(media_type) or media_type.startswith(("multipart/", "message/")):
        media_type = "application/octet-stream"  # RFC 2046 §5.2: a message may not be in base64
    name = _file_name(file)
    encoded = binascii.b2a_base64(data, newline=False).decode()
    return [
        # RFC 2047 has no place there, but many programs look for the name nowhere else.
        f"Content-Type: {media_type};\r\n name={_quoted_name(name)}",
        "Content-Transfer-Encoding: base64",
        "Content-Disposition: attachment;\r\n " + ";\r\n ".join(_name_parameters(name)),
        "",
        *(encoded[at : at + 76] for at in range(0, len(encoded), 76)),
    ]


LONGEST_FILE_NAME = 120


def _file_name(file: Attachment) -> str:
    """A name that is one everywhere: no folder, no control characters, not too long, its ending kept."""
    name = unicodedata.normalize("NFC", tidy(re.split(r"[/\\]", file.name)[-1], 1000)).strip(" .")
    name = re.sub(r'[<>:"|?*\ud800-\udfff]', "_", name)
    if len(name) > LONGEST_FILE_NAME:
        stem, dot, ending = name.rpartition(".")
        short = dot and len(ending) <= 10
        name = f"{stem[: LONGEST_FILE_NAME - len(ending) - 1]}.{ending}" if short else name[:LONGEST_FILE_NAME]
    return name if any(map(str.isalnum, name)) else "file"


def _quoted_name(name: str) -> str:
    # Some programs end a parameter at any semicolon, quoted or not.
    if name.isascii() and "=?" not in name and ";" not in name and len(name) <= 60:
        return f'"{name}"'
    return f'"{_encoded(name)}"'


def _name_parameters(name: str) -> list[str]:
    """The file name of a Content-Disposition, in pieces where it is long or beyond ASCII (RFC 2231 §3, §4)."""
    if name.isascii() and len(name) <= 60 and not set(name) & set("%'*;") and "=?" not in name:
        return [f'filename="{name}"']
    encoded, pieces, piece = (quote(character, safe="") for character in name), [], "utf-8''"
    for character in encoded:
        if len(piece) + len(character) > 60:
            pieces.append(piece)
            piece = ""
        piece += character
    if not pieces:
        return [f"filename*={piece}"]
    return [f"filename*{number}*={part}" for number, part in enumerate((*pieces, piece))]


_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def _clean(text: str) -> str:
    return _NO_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _language(reply: Reply) -> str:
    return reply.account.language if re.fullmatch(r"[A-Za-z0-9-]{1,35}", reply.account.language) else "en"


def _zone(reply: Reply) -> tzinfo:
    try:
        return ZoneInfo(reply.account.time_zone)
    except (KeyError, ValueError, OSError):
        return UTC


def _quote(reply: Reply) -> tuple[str, str]:
    """The line above the quoted original, and the original."""
    answers = reply.answers
    if answers is None:
        return "", ""
    handed_on = _handed_on(reply)
    whole = _clean(answers.text if handed_on is None else handed_on.text)
    if not whole:
        return "", ""
    quoted = whole[:LONGEST_QUOTE]
    if answers.truncated or len(whole) > LONGEST_QUOTE:
        quoted += "\n[…]"
    if handed_on is None:
        name, written_at = answers.author_name or answers.author_address, answers.written_at or answers.created_at
        return _said_by(name, written_at, reply), quoted
    return _said_by(handed_on.name or handed_on.address, handed_on.written_at, reply), quoted


def _handed_on(reply: Reply) -> Forward | None:
    """What was handed on, where the reply goes to who wrote it: what the other said to that was said to us."""
    readers = {each.lower() for each in (*reply.recipients, *reply.copies)}
    forwards = reply.answers.particulars.forwards if reply.answers is not None else ()
    return next((forward for forward in forwards if forward.address in readers), None)


def _said_by(name: str, written_at: datetime | None, reply: Reply) -> str:
    name, in_french = tidy(name, 200), reply.account.language.startswith("fr")
    if written_at is None:
        return f"{name} a écrit\xa0:" if in_french else f"{name} wrote:"
    day, hour = _when(written_at, reply)
    return f"Le {day} à {hour}, {name} a écrit\xa0:" if in_french else f"On {day} at {hour}, {name} wrote:"


def _when(instant: datetime, reply: Reply) -> tuple[str, str]:
    local = instant.astimezone(_zone(reply))
    language = "fr" if reply.account.language.startswith("fr") else "en"
    return format_date(local, "long", locale=language), format_time(local, "HH:mm", locale=language)


def _with_marks(quoted: str) -> str:
    return "\n".join(f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in quoted.split("\n"))


def _html(reply: Reply, attribution: str, quoted: str) -> str:
    signature = _clean(reply.account.identity.signature)
    parts = [f'<div dir="auto">{styled(_clean(reply.text), _styles(reply))}</div>']
    if signature:
        parts.append(f'<br><div class="signature" style="color:#555">-- <br>\n{marked_up(signature)}</div>')
    if quoted:
        parts.append(
            f"<br><div>{html.escape(attribution)}</div>\n"
            f'<blockquote type="cite" style="margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex">'
            f"{marked_up(quoted)}</blockquote>"
        )
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="{_language(reply)}"><head><meta charset="utf-8"></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )
