"""A mail's header, read as people write it: broken, folded anywhere, in any charset. Nothing here raises.

Everything is bounded: a header field costs time in proportion to its length,
and only so much of it is looked at.
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from channels.mail.charsets import decode_octets as decode_octets

LONGEST_HEAD = 256 * 1024
LONGEST_FIELD = 64 * 1024
LONGEST_TEXT = 1000
"""Characters of a decoded subject or name that are kept."""
LONGEST_NAME = 200
MOST_ADDRESSES = 1000
LONGEST_ADDRESS = 320
LONGEST_ID = 900

Fields = dict[str, list[bytes]]
"""Field bodies by lower-case name, in the order they stand; line ends are LF."""


class Address(NamedTuple):
    """One mailbox of an address field."""

    name: str
    value: str


# ---------------------------------------------------------------- fields

_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)\n?", re.M)
_STARTS_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_KNOWN_FIELD = re.compile(
    rb"^(?:From|To|Subject|Date|Message-ID|MIME-Version|Content-Type|Content-Transfer-Encoding|Received)[ \t]*:",
    re.M | re.I,
)


class Head(NamedTuple):
    """A header and where the body after it begins."""

    fields: Fields
    body: int
    defects: tuple[str, ...]


def read_head(raw: bytes, start: int, end: int) -> Head:
    """The header that begins at `start` of `raw`, whose part ends at `end`."""
    defects: list[str] = []
    while raw.startswith((b"\r\n", b"\n"), start, end):
        # A part may have no header at all; a mail that begins with empty lines still has one.
        at = start + (2 if raw.startswith(b"\r", start) else 1)
        if not _STARTS_FIELD.match(raw, at, min(at + 200, end)):
            return Head({}, at, ())
        start = at
    found = _END_OF_HEAD.search(raw, start, end)
    stop, body = (found.start(), found.end()) if found else (end, end)
    if stop - start > LONGEST_HEAD:
        defects.append("header_too_long")
    head = raw[start : min(stop, start + LONGEST_HEAD)]
    if b"\r" in head:
        head = head.replace(b"\r\n", b"\n").replace(b"\r", b"\n" if b"\n" not in head else b" ")
    fields: Fields = {}
    at, last_known = 0, -1
    for field in _FIELD.finditer(head):
        # RFC 4155: an mbox's separator line is none of the mail's.
        if field.start() != at and not (at == 0 and head.startswith((b"From ", b">From "))):
            if last_known < 0:
                last_known = max((known.start() for known in _KNOWN_FIELD.finditer(head)), default=0)
            if last_known < field.start():
                break  # it only looks like a field: the body has begun
            defects.append("header_line")
        name, value = field.groups()
        if len(value) > LONGEST_FIELD:
            defects.append("header_too_long")
            value = value[:LONGEST_FIELD]
        fields.setdefault(name.decode("ascii").lower(), []).append(value)
        at = field.end()
    if at < len(head) and stop - start <= LONGEST_HEAD:
        # The body follows without an empty line.
        defects.append("header_unfinished")
        before = head[:at].count(b"\n")
        body = start
        for _ in range(before):
            body = raw.find(b"\n", body) + 1
    return Head(fields, body, tuple(dict.fromkeys(defects)))


def first(fields: Fields, name: str) -> bytes:
    """The first field of that name; empty where there is none."""
    values = fields.get(name)
    return values[0] if values else b""


# ---------------------------------------------------------------- words

_ENCODED = re.compile(r"=\?([^?\s]{1,75})\?([bBqQ])\?(.{0,2000}?)\?=", re.S)
# CR and LF hidden in an encoded word would end the field where it is written again; the bidirectional
# controls make one name look like another.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_BLANKS = re.compile(r"\s+")


def decode_text(value: bytes, longest: int = LONGEST_TEXT) -> str:
    """A field's text on one line, encoded words decoded (RFC 2047), nothing in it that could pass for another line."""
    return tidy(decode_words(as_text(value)), longest)


def as_text(value: bytes) -> str:
    """A field's octets as characters, encoded words left as they are."""
    return value.decode("ascii") if value.isascii() else decode_octets(value, None)


def tidy(text: str, longest: int = LONGEST_TEXT) -> str:
    """One line, without control and direction characters, at most `longest` characters."""
    return _BLANKS.sub(" ", _UNSHOWN.sub(" ", text[: longest * 20])).strip()[:longest].rstrip()


def decode_words(text: str) -> str:
    """Text with its encoded words decoded, also where they may not stand."""
    if "=?" not in text:
        return text
    said: list[str] = []
    octets, charset, at = b"", "", 0
    for word in _ENCODED.finditer(text[: 20 * LONGEST_TEXT]):
        between = text[at : word.start()]
        named = word[1].partition("*")[0].lower()  # RFC 2231 §5: a language may follow
        if octets and (named != charset or between.strip()):
            said.append(decode_octets(octets, charset))
            octets = b""
        if not at or between.strip():
            said.append(between)
        # One character may be split over two words, against RFC 2047 §5.
        octets += _word_octets(named, word[2], word[3])
        charset, at = named, word.end()
    if octets:
        said.append(decode_octets(octets, charset))
    said.append(text[at:])
    return "".join(said)


def _word_octets(charset: str, encoding: str, encoded: str) -> bytes:
    octets = encoded.encode("utf-8", "replace")
    if len(octets) != len(encoded) and len(decode_octets(octets, charset)) != len(encoded):
        # Some of it was never encoded; as_text has made characters of it.
        octets = encoded.encode("latin-1", "replace")
    if encoding in "bB":
        return decode_base64(octets)
    return binascii.a2b_qp(octets, header=True)


_NO_LETTERS = bytes(octet for octet in range(256) if not re.match(rb"[A-Za-z0-9+/]", bytes([octet])))


def decode_base64(octets: bytes | memoryview) -> bytes:
    """What can be decoded, whatever is missing at the end or strange in between."""
    try:
        return binascii.a2b_base64(octets)
    except binascii.Error:
        pass
    # Its end is missing, so no padding in it ended anything: only the letters count.
    decoded, left = BytesIO(), b""
    for start in range(0, len(octets), 2**20):
        letters = left + bytes(octets[start : start + 2**20]).translate(None, _NO_LETTERS)
        whole = len(letters) // 4 * 4
        decoded.write(binascii.a2b_base64(letters[:whole]))
        left = letters[whole:]
    # One character that is left over says nothing.
    decoded.write(binascii.a2b_base64(left + b"==") if len(left) > 1 else b"")
    return decoded.getvalue()


# ---------------------------------------------------------------- addresses

_ADDRESS_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"?'  # a quoted string, perhaps never closed
    r"|=\?[^?\s]{1,75}\?[bBqQ]\?[^?]{0,2000}\?="  # an encoded word, which may contain commas
    r"|<[^<>]*>?|[,;:()]|\\.|[^\"<,;:()=\\]+|[=\\]",
    re.S,
)
# Bounded repetitions, or a field of "a"s would cost its length squared.
_UNSEEN = "\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
_ADDR_SPEC = re.compile(
    rf'(?:"(?:[^"\\{_UNSEEN}]|\\[ -~]){{1,128}}"|[^\s<>()\[\]\\,;:@"{_UNSEEN}]{{1,256}})'
    rf'@(?:\[[0-9A-Za-z.:]{{1,60}}\]|[^\s<>()\[\]\\,;:@"{_UNSEEN}]{{1,255}})'
)


def is_address(text: str) -> bool:
    """Whether this is one address and nothing else: safe in a header and in a command."""
    return len(text) <= LONGEST_ADDRESS and _ADDR_SPEC.fullmatch(text) is not None


def read_addresses(values: Iterable[bytes]) -> list[Address]:
    """The mailboxes of address fields, groups dissolved. An address is in lower case, "" where it cannot be read."""
    found: list[Address] = []
    for value in values:
        for address in _addresses(as_text(value)):
            found.append(address)
            if len(found) == MOST_ADDRESSES:
                return found
    return found


def _addresses(text: str) -> Iterator[Address]:
    words: list[str] = []
    comment: list[str] = []
    held = ""  # a name cut by a comma nobody quoted: Dupont, Jean <jean@example.org>
    angle: str | None = None
    depth = 0
    pieces = [*_ADDRESS_TOKEN.findall(text), ","]
    closing = pieces.count(")")
    for piece in pieces:
        if piece == "(" and closing:
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
            closing -= 1
            if not closing:
                depth = 0
        elif depth:
            comment.append(piece)
        elif piece in (",", ";"):
            address = _address(words, comment, angle)
            if address is not None and not address.value and angle is None and len(held) < LONGEST_TEXT:
                held += address.name + ", "
            elif address is not None:
                yield Address(held + address.name, address.value) if held and angle is not None else address
                held = ""
            words, comment, angle = [], [], None
        elif piece == ":" and angle is None:
            words.clear()  # what stood before is the name of a group
        elif piece.startswith("<"):
            angle = piece if angle is None or _ADDR_SPEC.search(angle) is None else angle
        else:
            words.append(piece)
    if held:
        yield Address(held.rstrip(", "), "")


def _address(words: list[str], comment: list[str], angle: str | None) -> Address | None:
    said = "".join(words).strip()
    if angle is None:
        spec, beside = _spec_in(said)
        if not spec and not said:
            return None
        return Address((_phrase(comment) or beside) if spec else _phrase(words), spec)
    spec = _spec(_uncommented(angle).strip("<> \t\r\n")) or _spec(said)
    return Address(_phrase(words) or _phrase(comment), spec)


def _spec_in(said: str) -> tuple[str, str]:
    """The address in words that no bracket sets apart, and what else they say."""
    spec = _spec(said)
    written = decode_words(said[:2000])
    if not spec or written.lower() == spec:
        return spec, ""
    # Of what is encoded as a whole, or lacks its brackets.
    found = _ADDR_SPEC.search(written)
    beside = written[: found.start()].rstrip(" \t\r\n<") if found else ""
    return spec, _phrase([beside.removesuffix("mailto:")])


_COMMENT_SIGN = re.compile(r"\\.|[()]", re.S)


def _uncommented(text: str) -> str:
    """Without comments, however deep (RFC 5322 §3.2.2)."""
    if "(" not in text or '"' in text:
        return text
    kept: list[str] = []
    depth = at = 0
    for sign in _COMMENT_SIGN.finditer(text):
        if sign[0] == "(":
            if depth == 0:
                kept.append(text[at : sign.start()])
            depth += 1
        elif sign[0] == ")" and depth:
            depth -= 1
            at = sign.end()
    return "".join([*kept, text[at:]]) if depth == 0 else text


# RFC 5322 §4.4: blanks may stand beside a dot or an at sign.
_LOOSE = re.compile(r"[ \t\r\n]+(?=[.@])|(?<=[.@])[ \t\r\n]+")


def _spec(text: str) -> str:
    written = decode_words(text[:2000])
    if written != text[:2000] and _UNSHOWN.search(written):
        return ""  # no program encodes a line end in an address; behind it stands whom a forger wants
    if "@" not in written:
        return ""
    tight = _LOOSE.sub("", written)
    found = _ADDR_SPEC.fullmatch(tight) or _ADDR_SPEC.search(written)
    if found is None:
        return ""
    # RFC 3490 §4: whoever writes a domain in ASCII makes letters of its look-alikes first, and of a wide comma a comma.
    local, _, domain = found[0].rpartition("@")
    spec = f"{local}@{unicodedata.normalize('NFKC', domain)}".rstrip(".").lower()
    return spec if is_address(spec) else ""


def _phrase(words: list[str]) -> str:
    said = []
    for word in words:
        if word.startswith('"'):
            word = re.sub(r'\\(.)|"', r"\1", word, flags=re.S)
        said.append(word)
    name = tidy(decode_words("".join(said)), LONGEST_NAME)
    marks = "'\" " if name.count("<") == name.count(">") > 0 and not name.startswith("<") else "'\"<> "
    return name.strip(marks)


# ---------------------------------------------------------------- ids

_ID = re.compile(r"<([^<>]{1,2000})>")
_COMMENT = re.compile(r"\([^()]*\)")


def read_ids(values: Iterable[bytes], most: int = 1000) -> list[str]:
    """The message ids of fields, without brackets and the white space of folding, in order, without doubles."""
    ids: dict[str, None] = {}
    for value in values:
        text = as_text(value)
        found = _ID.findall(text) or [
            word for word in re.split(r"[\s,;]+", _COMMENT.sub(" ", text)) if "@" in word.strip("<>@")
        ]
        for each in found:
            one = _BLANKS.sub("", _UNSHOWN.sub("", each)).strip("<>")
            if one and len(one) <= LONGEST_ID:
                ids[one] = None
                if len(ids) == most:
                    return list(ids)
    return list(ids)


def read_own_id(value: bytes) -> str:
    """The id of a Message-ID field; empty where it says none."""
    ids = read_ids([value], 1)
    if ids:
        return ids[0]
    # Without brackets and without a domain: still what others refer to.
    words = _UNSHOWN.sub("", as_text(value).strip()).split()
    return words[0].strip("<>") if len(words) == 1 and 3 < len(words[0]) <= LONGEST_ID else ""


# ---------------------------------------------------------------- dates


def read_date(value: bytes) -> datetime | None:
    """The moment a Date field names, in UTC; a time without a zone is taken for UTC.

    None too where nobody can have written then: at the ends of what can be
    counted, the hour of another zone is past them.
    """
    text = _COMMENT.sub(" ", as_text(value[:300])).strip()
    if not text:
        return None
    moment: datetime
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if 1900 <= moment.year <= 2200 else None


_ZONE = re.compile(r"\s([+-])([01]\d)([0-5]\d)\b")


def zone_of(value: bytes) -> tzinfo:
    """The zone its author's clock shows, by the Date field; UTC where that says none."""
    found = _ZONE.search(as_text(value[:300]))
    if found is None:
        return UTC
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(offset if found[1] == "+" else -offset)


# ---------------------------------------------------------------- parameters

_PARAMETER = re.compile(r';\s*([^\s=;"]{1,100})\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)', re.S)
_UNPARTED = re.compile(r"(?:file)?name\*?[0-9*]{0,4}\s{0,9}=|(?:charset|boundary)\s{0,9}=", re.I)
_PIECE = re.compile(r"(.+?)(?:\*(\d{1,3}))?(\*)?", re.S)


def read_parameters(value: bytes) -> tuple[str, dict[str, str]]:
    """A field's first word, lower case, and its parameters decoded (RFC 2045, 2231, and 2047 where it may not be)."""
    text = as_text(value)
    word, semicolon, _ = text.partition(";")
    named = word.split(maxsplit=1)
    if len(named) == 2 and _UNPARTED.match(named[1]):
        # The semicolon was forgotten.
        word, semicolon = named[0], ";"
        text = f"{word};{text.lstrip()[len(word) :]}"
    if not semicolon:
        return word.strip().lower(), {}
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    for name, said in _PARAMETER.findall(text, len(word)):
        said = _unquoted(said)
        piece = _PIECE.fullmatch(name.lower())
        if piece is None or (piece[2] is None and piece[3] is None):
            plain.setdefault(name.lower(), decode_words(said))
        else:
            pieces.setdefault(piece[1], {}).setdefault(int(piece[2] or 0), (piece[3] is not None, said))
    for name, numbered in pieces.items():
        plain[name] = _joined(numbered)
    return word.strip().lower(), plain


def _unquoted(said: str) -> str:
    if not said.startswith('"'):
        return said.strip()
    # Only a quote and a backslash are escaped by programs that also write C:\file.
    return re.sub(r'\\(["\\])', r"\1", said[1:-1] if len(said) > 1 and said.endswith('"') else said[1:])


def _joined(numbered: dict[int, tuple[bool, str]]) -> str:
    charset, octets = None, b""
    for position, (_, (is_encoded, said)) in enumerate(sorted(numbered.items())):
        if position == 0 and is_encoded and said.count("'") >= 2:
            charset, _, said = said.split("'", 2)
        octets += unquote_to_bytes(said) if is_encoded else said.encode("utf-8", "replace")
    return decode_words(decode_octets(octets, charset))
