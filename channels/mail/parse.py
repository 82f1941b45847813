"""How a mail is read: raw octets in, an envelope out, whatever they are.

Reading costs time in proportion to the mail and memory in proportion to its
text: attachments are measured, not decoded. What cannot be understood is named
in the envelope's `defects`; nothing is refused.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence

from channels.mail.attachments import MOST_ATTACHMENTS as MOST_ATTACHMENTS
from channels.mail.attachments import list_attachments
from channels.mail.automatic import read_origin
from channels.mail.bounces import read_bounce
from channels.mail.containers import find_part
from channels.mail.contents import find_cards, find_meetings, find_protection, is_rich
from channels.mail.forwards import find_forward, is_forward_subject
from channels.mail.headers import (
    Fields,
    decode_octets,
    decode_text,
    first,
    read_addresses,
    read_date,
    read_ids,
    read_own_id,
    zone_of,
)
from channels.mail.lines import lines_of
from channels.mail.parts import Part, Tree, decode_part
from channels.mail.quotes import Spans, fresh_spans
from channels.mail.words import LONGEST_TEXT as LONGEST_TEXT
from channels.mail.words import MOST_OCTETS, Text, tidied
from inbox.envelope import Envelope, Sender
from inbox.model import AddressKind
from inbox.particulars import Forward, Particulars

logger = logging.getLogger(__name__)

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
            text=tidied(raw[:MOST_OCTETS].decode("latin-1"))[:LONGEST_TEXT],
            truncated=len(raw) > LONGEST_TEXT,
            defects=("unreadable",),
        )


def extract(raw: bytes, path: str) -> bytes:
    """The octets of one attachment of a mail, decoded.

    Raises:
        KeyError: the mail has no part of that path.
    """
    raw = _with_line_ends(raw)
    part = find_part(Tree(raw), path)
    if part is None:
        raise KeyError(path)
    return decode_part(raw, part)


def _with_line_ends(raw: bytes) -> bytes:
    return raw if b"\n" in raw else raw.replace(b"\r", b"\n")


def _read(raw: bytes) -> Envelope:
    raw = _with_line_ends(raw)
    tree = Tree(raw)
    fields, defects = _in_its_charset(tree), tree.defects
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
    text = Text(tree)
    attachments = list_attachments(raw, text.files, defects)
    bounce = read_bounce(tree)
    origin = read_origin(tree, bounce)
    fresh, forwards = _handed_on(tree, subject, text, answered) if origin.automatic is None else ((), ())
    particulars = Particulars(
        # One line a field: what its own module makes of the mail. Each is a pure function that never raises.
        fresh=fresh,
        forwards=forwards,
        automatic=origin.automatic,
        unanswerable=origin.unanswerable,
        bounce=bounce,
        list_id=origin.list_id,
        meetings=find_meetings(tree, zone_of(first(fields, "date"))),
        cards=find_cards(tree),
        protection=find_protection(tree, text.text),
        is_rich=is_rich(tree, text),
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


MOST_HANDED_ON = 20
"""Mails attached to one that are read; the others are files."""


def _handed_on(tree: Tree, subject: str, text: Text, answered: Sequence[str]) -> tuple[Spans, tuple[Forward, ...]]:
    """Where its author's own words stand, and the mails it hands on: quoted in it, or attached whole."""
    lines = lines_of(text.text)
    inline = find_forward(subject, text.text, lines)
    if inline is not None:
        return ((0, inline.began_at),) if inline.words else (), (inline.forward,)
    whole = [part for part in text.files if part.media_type == "message/rfc822" and part.source is None]
    if not whole or (answered and not is_forward_subject(subject)):
        return fresh_spans(text.text, lines), ()  # who answers with a mail attached shows it, and hands nothing on
    return fresh_spans(text.text, lines), tuple(_attached(tree.raw, part) for part in whole[:MOST_HANDED_ON])


def _attached(raw: bytes, part: Part) -> Forward:
    inner = Tree(_with_line_ends(decode_part(raw, part, MOST_OCTETS)))
    fields = inner.root.fields
    address, name = _sender(fields)
    return Forward(
        address=address,
        name=name,
        subject=decode_text(first(fields, "subject")),
        text=Text(inner).text,
        written_at=read_date(first(fields, "date")),
        recipients=_values(fields, "to", "cc"),
        external_id=read_own_id(first(fields, "message-id")),
        path=part.path,
    )


# ---------------------------------------------------------------- header


_WORDED = ("from", "sender", "to", "cc", "reply-to", "subject")


def _in_its_charset(tree: Tree) -> Fields:
    """The mail's fields; what of them is neither ASCII nor UTF-8 in the charset its text is in.

    Programs that encode nothing write both alike.
    """
    fields = tree.root.fields
    odd = [name for name in _WORDED if not all(map(bytes.isascii, fields.get(name, ())))]
    if not odd:
        return fields
    charset = next((part.parameters["charset"] for part in tree.root.leaves() if "charset" in part.parameters), None)
    if charset is None or decode_octets(b"From:", charset) != "From:":
        return fields  # UTF-16, EBCDIC
    return fields | {name: [_in_utf8(value, charset) for value in fields[name]] for name in odd}


def _in_utf8(value: bytes, charset: str) -> bytes:
    try:
        value.decode()
    except UnicodeDecodeError:
        return decode_octets(value, charset).encode()
    return value


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
