"""What Outlook's winmail.dat holds (TNEF, [MS-OXTNEF]): files and the mail's words.

Read by hand, for no maintained library does: every length is checked, every
count is bounded, and what does not fit ends the reading, not the mail.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from channels.mail.headers import decode_octets

SIGNATURE = b"\x78\x9f\x3e\x22"
MOST_ATTRIBUTES = 5000
"""Of one stream, and of one list of properties."""
MOST_FILES = 200
DEEPEST = 3
"""Mails attached to mails, each a stream of its own."""

# [MS-OXTNEF] §2.1.3.2; the upper half of each is its type.
_BODY, _MESSAGE_PROPERTIES, _CODEPAGE = 0x0002800C, 0x00069003, 0x00069007
_BEGINS_FILE, _TITLE, _DATA, _FILE_PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
# [MS-OXPROPS]
_PR_SUBJECT, _PR_BODY, _PR_RTF, _PR_HTML, _PR_CODEPAGE = 0x0037, 0x1000, 0x1009, 0x1013, 0x3FDE
_PR_NAME, _PR_DATA, _PR_SHORT_FILE_NAME, _PR_FILE_NAME = 0x3001, 0x3701, 0x3704, 0x3707
_PR_MEDIA_TYPE, _PR_CONTENT_ID = 0x370E, 0x3712
# [MS-OXCDATA] §2.11.1: what a value of each type takes, filled up to four octets.
_FIXED = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_STRING8, _UNICODE, _BINARY, _OBJECT = 0x1E, 0x1F, 0x102, 0x0D
_SEVERAL, _NAMED = 0x1000, 0x8000


@dataclass(slots=True)
class File:
    """A file of a winmail.dat; `start` to `end` are its octets there."""

    name: str = ""
    media_type: str = ""
    content_id: str = ""
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class Winmail:
    """All that was found."""

    files: list[File] = field(default_factory=list)
    plain: str = ""
    html: bytes = b""
    charset: str = "cp1252"
    """Of the HTML."""
    rtf: bytes = b""
    """Compressed, as it stands there."""
    subject: str = ""


@dataclass(slots=True)
class _Property:
    id: int
    type: int
    start: int
    end: int


def read_winmail(octets: bytes) -> Winmail | None:
    """The contents of a winmail.dat, as far as it can be read; None for what is none. Never raises on any octets."""
    if not octets.startswith(SIGNATURE):
        return None
    found = Winmail()
    _read_stream(octets, 0, len(octets), found, 0)
    return found


def _read_stream(octets: bytes, start: int, end: int, found: Winmail, depth: int) -> None:
    file: File | None = None
    for level, attribute, first, last in _attributes(octets, start, end):
        if attribute == _BEGINS_FILE:
            _keep(file, found)
            file = File()
        elif level == 1:
            if attribute == _CODEPAGE and last - first >= 4:
                found.charset = _charset(struct.unpack_from("<I", octets, first)[0])
            elif attribute == _BODY:
                found.plain = decode_octets(octets[first:last].partition(b"\0")[0], found.charset)
            elif attribute == _MESSAGE_PROPERTIES:
                _read_message(octets, first, last, found)
        elif file is not None:
            if attribute == _TITLE:
                file.name = file.name or _string(octets, first, last, found.charset)
            elif attribute == _DATA:
                file.start, file.end = first, last
            elif attribute == _FILE_PROPERTIES and not _read_file(octets, first, last, file, found, depth):
                file = None
    _keep(file, found)


def _keep(file: File | None, found: Winmail) -> None:
    if file is not None and file.end > file.start and len(found.files) < MOST_FILES:
        found.files.append(file)


def _attributes(octets: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Level, id and place of each attribute; their sums are not compared, for what is here is all there is."""
    at = start + 6  # the signature and a key
    for _ in range(MOST_ATTRIBUTES):
        if at + 9 > end:
            return
        level, attribute, length = struct.unpack_from("<BII", octets, at)
        at += 9
        if level not in (1, 2):
            return
        yield level, attribute, at, min(at + length, end)
        at += length + 2


def _properties(octets: bytes, start: int, end: int) -> Iterator[_Property]:
    """The properties of a list ([MS-OXTNEF] §2.1.3.4); of those with several values the first."""
    if start + 4 > end:
        return
    (count,) = struct.unpack_from("<I", octets, start)
    at = start + 4
    for _ in range(min(count, MOST_ATTRIBUTES)):
        if at + 4 > end:
            return
        kind, identity = struct.unpack_from("<HH", octets, at)
        at += 4
        if identity >= _NAMED:
            if at + 24 > end:
                return
            is_text, length = struct.unpack_from("<II", octets, at + 16)
            at += 24 + (_filled(length) if is_text else 0)
            identity = 0  # its number means something in its own stream only
        several, kind = kind & _SEVERAL, kind & ~_SEVERAL
        has_length = kind in (_STRING8, _UNICODE, _BINARY, _OBJECT)
        values = 1
        if several or has_length:
            if at + 4 > end:
                return
            (values,) = struct.unpack_from("<I", octets, at)
            at += 4
        if not has_length:
            if kind not in _FIXED:
                return
            if values:
                yield _Property(identity, kind, at, min(at + _FIXED[kind], end))
            at += _FIXED[kind] * values
            continue
        for number in range(min(values, MOST_ATTRIBUTES)):
            if at + 4 > end:
                return
            (length,) = struct.unpack_from("<I", octets, at)
            at += 4
            if number == 0:
                yield _Property(identity, kind, at, min(at + length, end))
            at += _filled(length)


def _filled(length: int) -> int:
    return (length + 3) & ~3


def _read_message(octets: bytes, start: int, end: int, found: Winmail) -> None:
    for each in _properties(octets, start, end):
        if each.id == _PR_CODEPAGE and each.type == 0x03 and each.end - each.start == 4:
            found.charset = _charset(struct.unpack_from("<I", octets, each.start)[0])
        elif each.id == _PR_BODY:
            found.plain = _value(octets, each, found.charset)
        elif each.id == _PR_HTML and each.type == _BINARY:
            found.html = octets[each.start : each.end]
        elif each.id == _PR_HTML:
            found.html = _value(octets, each, found.charset).encode()
        elif each.id == _PR_RTF and each.type == _BINARY:
            found.rtf = octets[each.start : each.end]
        elif each.id == _PR_SUBJECT:
            found.subject = _value(octets, each, found.charset)


def _read_file(octets: bytes, start: int, end: int, file: File, found: Winmail, depth: int) -> bool:
    """Take in what the properties say of a file; False where it is a mail, whose own files are taken in its place."""
    for each in _properties(octets, start, end):
        if each.id == _PR_FILE_NAME:
            file.name = _value(octets, each, found.charset) or file.name
        elif each.id in (_PR_NAME, _PR_SHORT_FILE_NAME):
            file.name = file.name or _value(octets, each, found.charset)
        elif each.id == _PR_MEDIA_TYPE:
            file.media_type = _value(octets, each, found.charset)
        elif each.id == _PR_CONTENT_ID:
            file.content_id = _value(octets, each, found.charset)
        elif each.id == _PR_DATA:
            place = each.start + (16 if each.type == _OBJECT else 0)  # the id of its interface comes first
            if each.type == _OBJECT and octets.startswith(SIGNATURE, place, each.end):
                if depth < DEEPEST:
                    inner = Winmail(files=found.files, charset=found.charset)
                    _read_stream(octets, place, each.end, inner, depth + 1)
                return False
            file.start, file.end = place, max(place, each.end)
    return True


def _value(octets: bytes, each: _Property, charset: str) -> str:
    if each.type == _UNICODE:
        text = octets[each.start : each.end].decode("utf-16-le", "replace")
        return text.partition("\0")[0]
    return _string(octets, each.start, each.end, charset) if each.type in (_STRING8, _BINARY) else ""


def _string(octets: bytes, start: int, end: int, charset: str) -> str:
    return decode_octets(octets[start:end].partition(b"\0")[0], charset)


_CODEPAGES = {
    1200: "utf-16-le", 20127: "us-ascii", 20866: "koi8-r", 20932: "euc-jp", 21866: "koi8-u", 50220: "iso-2022-jp",
    50221: "iso-2022-jp", 50222: "iso-2022-jp", 50225: "iso-2022-kr", 51932: "euc-jp", 51949: "euc-kr",
    52936: "hz-gb-2312", 54936: "gb18030", 65000: "utf-7", 65001: "utf-8",
}  # fmt: skip


def _charset(codepage: int) -> str:
    """A Windows code page by the name we decode it by."""
    if 28591 <= codepage <= 28606:
        return f"iso-8859-{codepage - 28590}"
    return _CODEPAGES.get(codepage, f"cp{codepage}")
