"""The tree of a mail's parts: where each begins and ends in the raw mail, and its octets when they are wanted.

Parts are places in the raw mail, not copies of it: a mail of 30 MB costs
little more than its header until somebody wants an attachment.
"""

from __future__ import annotations

import binascii
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

from channels.mail.headers import Fields, as_text, decode_base64, first, read_head, read_parameters

MOST_PARTS = 500
DEEPEST = 50
MOST_SEARCHED = 3
"""How often a large mail is searched whole for the parts of multiparts in one another."""
ALWAYS_SEARCHED = 32 * 2**20
"""Octets that are searched even if that is more often."""
MOST_MISSES = 1000
"""Lines that only begin like a delimiter and are looked at one by one."""
PIECE = 2**20
"""Octets decoded at once."""
MOST_UU_LINES = 2_250_000
"""Lines of uuencode that are read: a mail of 128 MiB has no more, unless they are made to be many."""


@dataclass(slots=True)
class Part:
    """One part. `start` to `end` is its body in the raw mail, still encoded."""

    path: str
    """As IMAP counts (RFC 3501 §6.4.5): "1", "2.1"; the root of a multipart is ""."""
    fields: Fields
    start: int
    end: int
    media_type: str
    parameters: dict[str, str]
    encoding: str
    parts: list[Part] | None = None
    """Of a multipart that could be taken apart."""
    source: bytes | None = field(default=None, repr=False)
    """The octets `start` and `end` count in, where these are not the mail's own (`channels.mail.containers`)."""
    inside: list[Part] | None = field(default=None, repr=False)
    """The parts in its octets, once they were looked for."""
    _disposition: tuple[str, dict[str, str]] | None = field(default=None, repr=False)

    @property
    def disposition(self) -> tuple[str, dict[str, str]]:
        """Its disposition ("attachment", "inline" or "") and the parameters of that."""
        if self._disposition is None:
            self._disposition = read_parameters(first(self.fields, "content-disposition"))
        return self._disposition

    @property
    def file_name(self) -> str:
        """The name its author gave it, unsafe as it came."""
        return self.disposition[1].get("filename") or self.parameters.get("name") or ""

    def leaves(self) -> Iterator[Part]:
        """The parts that are not taken apart any further, in order."""
        if self.parts is None:
            yield self
        else:
            for part in self.parts:
                yield from part.leaves()


class Tree:
    """A whole mail, taken apart as far as the limits go."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.defects: dict[str, None] = {}
        self.opened = 0
        """How many containers were looked into (`channels.mail.containers`)."""
        self.rtf_read = False
        self._count = 0
        self._searchable = MOST_SEARCHED * len(raw) + ALWAYS_SEARCHED
        self.root = self._part(0, len(raw), "", 0, "text/plain")

    def _part(self, start: int, end: int, path: str, depth: int, default: str) -> Part:
        self._count += 1
        head = read_head(self.raw, start, end)
        self.defects.update(dict.fromkeys(head.defects))
        fields = head.fields
        media_type, parameters = read_parameters(first(fields, "content-type"))
        if not _MEDIA_TYPE.fullmatch(media_type):
            # RFC 2045 §5.2: without a type, or with one that is none, it is plain text; but a file is not.
            is_named = (
                "content-type" in fields and "attachment" in as_text(first(fields, "content-disposition")).lower()
            )
            media_type = "application/octet-stream" if is_named else _SHORT_TYPES.get(media_type, default)
        named = _ENCODING.search(as_text(first(fields, "content-transfer-encoding")))
        encoding = _ENCODINGS.get(named[0].lower(), named[0].lower()) if named else ""
        part = Part(path, fields, head.body, end, media_type, parameters, encoding)
        if not media_type.startswith("multipart/"):
            part.path = path or "1"
            return part
        self._searchable -= end - head.body
        if depth >= DEEPEST or self._searchable < 0:
            self.defects["nesting"] = None
            return part
        self._take_apart(part, depth)
        if part.parts is None:
            # What it holds is shown as text rather than not at all.
            self.defects["multipart_without_parts"] = None
            part.path = path or "1"
            part.media_type, part.parameters = "text/plain", {}
        return part

    def _take_apart(self, part: Part, depth: int) -> None:
        default = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"  # RFC 2046 §5.1.5
        boundary = part.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")
        places = list(self._places(part, boundary)) if boundary else []
        if not places:
            guess = _GUESS.search(self.raw, part.start, min(part.end, part.start + 4096))
            if guess is None:
                return
            self.defects["boundary"] = None
            places = list(self._places(part, guess[1]))
        part.parts = []
        for number, (start, end) in enumerate(places, 1):
            if self._count >= MOST_PARTS:
                self.defects["too_many_parts"] = None
                break
            path = f"{part.path}.{number}" if part.path else str(number)
            part.parts.append(self._part(start, end, path, depth + 1, default))

    def _places(self, multipart: Part, boundary: bytes) -> Iterator[tuple[int, int]]:
        """Where the parts between the delimiter lines lie (RFC 2046 §5.1.1)."""
        raw, end = self.raw, multipart.end
        opened, count = -1, 0
        for found, closes, after in _delimiters(raw, multipart.start, end, boundary):
            if opened >= 0:
                count += 1
                yield opened, max(opened, found - 1 if raw[found - 1] == 0x0D else found)
            if closes or count > MOST_PARTS:
                return
            opened = min(end, after + (2 if raw.startswith(b"\r\n", after, end) else 1))
        if opened >= 0:
            self.defects["unclosed"] = None
            yield opened, end


def _delimiters(raw: bytes, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, bool, int]]:
    """Where each delimiter's line begins (at the line end before it), whether it is the last, and where it ends.

    The line end behind one is not part of it: it may begin the next.
    """
    line = b"\n--" + boundary
    first = _AFTER_BOUNDARY.match(raw, start + len(line) - 1, end) if raw.startswith(line[1:], start, end) else None
    if first:
        yield start, first[1] is not None, first.end()
    at, misses = start, 0
    while misses < MOST_MISSES:
        at = raw.find(line, at, end)
        if at < 0:
            return
        after = _AFTER_BOUNDARY.match(raw, at + len(line), end)
        if after is None:
            misses += 1
        else:
            yield at, after[1] is not None, after.end()
        at += len(line)
    # Somebody made them to look like delimiters. In one pattern each costs no more than its octets; making it
    # costs more than all of an ordinary mail.
    for found in re.compile(re.escape(line) + _AFTER_BOUNDARY.pattern).finditer(raw, at, end):
        yield found.start(), found[1] is not None, found.end()


_MEDIA_TYPE = re.compile(r"[\w!#$&^+.-]+/[\w!#$&^+.-]+", re.ASCII)
_ENCODING = re.compile(r"[\w-]+", re.ASCII)
# As people and programs misspell them.
_ENCODINGS = {
    "base-64": "base64", "base_64": "base64", "b64": "base64",
    "quotedprintable": "quoted-printable", "quoted_printable": "quoted-printable", "qp": "quoted-printable",
}  # fmt: skip
_SHORT_TYPES = {"text": "text/plain", "html": "text/html", "plain": "text/plain"}
_AFTER_BOUNDARY = re.compile(rb"(--)?[ \t]*+(?=\r?\n|\Z)")
_GUESS = re.compile(rb"^--([^\s]{1,200}?)[ \t]*\r?$", re.M)


# ---------------------------------------------------------------- octets


def decode_part(raw: bytes, part: Part, most: int | None = None) -> bytes:
    """The octets of a part, decoded; of a longer one about the first `most`."""
    raw, start, end = part.source if part.source is not None else raw, part.start, part.end
    if most is not None and end - start > most:
        end = raw.find(b"\n", start + most, min(end, start + most + 1000)) + 1 or start + most
    match part.encoding:
        case "base64":
            return _decode_base64(raw, start, end)
        case "quoted-printable":
            return _decode_quoted_printable(raw, start, end)
        case encoding if encoding in _UUENCODE:
            return _uudecode(raw, start, end)
        case _:
            return raw[start:end]


def decoded_size(raw: bytes, part: Part) -> int:
    """How many octets `decode_part` gives: counted, not decoded, where it is large."""
    raw, start, end = part.source if part.source is not None else raw, part.start, part.end
    if part.encoding == "base64" and end - start > 2**16:
        padding = raw.find(b"=", start, end)
        if padding >= 0 and raw[padding : min(end, padding + 200)].strip(b"= \t\r\n"):
            return len(decode_part(raw, part))  # something follows that may be more of it
        end = padding if padding >= 0 else end
        letters = end - start - sum(raw.count(blank, start, end) for blank in (b"\n", b"\r", b" ", b"\t"))
        return letters * 3 // 4
    if part.encoding == "quoted-printable" and end - start > 2**20:
        return end - start - 2 * raw.count(b"=", start, end) - raw.count(b"=\r\n", start, end)
    if part.encoding in _UUENCODE and end - start > 2**20:
        return (end - start) * 45 // (63 if raw.find(b"\r\n", start, end) >= 0 else 62)  # of lines that are full
    if part.encoding in ("base64", "quoted-printable") or part.encoding in _UUENCODE:
        return len(decode_part(raw, part))
    return end - start


_MORE_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]*+")
_PADDED = re.compile(rb"[A-Za-z0-9+/\s]++={0,2}")
MOST_PADDED = 100_000


def _decode_base64(raw: bytes, start: int, end: int) -> bytes:
    padding = raw.find(b"=", start, end)
    if (
        padding < 0
        or not raw[padding : min(end, padding + 200)].strip(b"= \t\r\n")
        or not _MORE_BASE64.fullmatch(raw, padding, end)
    ):
        return decode_base64(memoryview(raw)[start:end])
    # Some programs encode a file piece by piece, and pad each.
    decoded = BytesIO()
    for piece in itertools.islice(_PADDED.finditer(raw, start, end), MOST_PADDED):
        decoded.write(decode_base64(piece[0]))
    return decoded.getvalue()


_UUENCODE = frozenset({"x-uuencode", "uuencode", "x-uue", "uue"})


def _decode_quoted_printable(raw: bytes, start: int, end: int) -> bytes:
    decoded = BytesIO()  # gives its octets away without copying them
    while start < end:
        stop = min(start + PIECE, end)
        if stop < end:
            # Not within "=C3", nor between "=" and the line end it takes back.
            stop = raw.rfind(b"\n", start, stop) + 1 or raw.rfind(b"=", max(start + 1, stop - 2), stop)
            stop = stop if stop > start else start + PIECE
        piece = raw[start:stop]
        if any(end in piece for end in (b" \n", b" \r\n", b"\t\n", b"\t\r\n")):
            # RFC 2045 §6.7 (3): blanks at a line's end were added on the way.
            piece = _BLANK_ENDS.sub(b"", piece)
        decoded.write(binascii.a2b_qp(piece))
        start = stop
    return decoded.getvalue()


_BLANK_ENDS = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")
_LINE = re.compile(rb"[^\r\n]++")


def _uudecode(raw: bytes, start: int, end: int) -> bytes:
    decoded = BytesIO()
    for found in itertools.islice(_LINE.finditer(raw, start, end), MOST_UU_LINES):
        line = found[0]
        if line.startswith(b"begin "):
            continue
        if line == b"end":
            break
        try:
            decoded.write(binascii.a2b_uu(line))
        except binascii.Error:
            # Lines padded by a broken encoder: only as much as the first character says.
            length = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                decoded.write(binascii.a2b_uu(line[:length]))
            except binascii.Error:
                continue
    return decoded.getvalue()
