"""The tree of a mail's parts: where each begins and ends in the raw mail, and its octets when they are wanted.

Parts are places in the raw mail, not copies of it: a mail of 30 MB costs
little more than its header until somebody wants an attachment.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from channels.mail.headers import Fields, as_text, decode_base64, first, read_head, read_parameters

MOST_PARTS = 500
DEEPEST = 50


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
        self._count = 0
        self.root = self._part(0, len(raw), "", 0, "text/plain")

    def find(self, path: str) -> Part | None:
        """The part of that path."""
        return next((part for part in self.root.leaves() if part.path == path), None)

    def _part(self, start: int, end: int, path: str, depth: int, default: str) -> Part:
        self._count += 1
        head = read_head(self.raw, start, end)
        self.defects.update(dict.fromkeys(head.defects))
        fields = head.fields
        media_type, parameters = read_parameters(first(fields, "content-type"))
        if not _MEDIA_TYPE.fullmatch(media_type):
            # RFC 2045 §5.2: without a type, or with one that is none, it is plain text; but a file is not.
            named = "content-type" in fields and "attachment" in as_text(first(fields, "content-disposition")).lower()
            media_type = "application/octet-stream" if named else _SHORT_TYPES.get(media_type, default)
        encoding = as_text(first(fields, "content-transfer-encoding")).partition(";")[0].strip("\"' \t\n").lower()
        part = Part(path, fields, head.body, end, media_type, parameters, encoding)
        if not media_type.startswith("multipart/"):
            part.path = path or "1"
            return part
        if depth >= DEEPEST:
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
        line = b"--" + boundary
        at, opened, count = multipart.start, -1, 0
        while count <= MOST_PARTS:
            found = raw.find(line, at, end)
            if found < 0:
                break
            at = found + len(line)
            if found > multipart.start and raw[found - 1] != 0x0A:
                continue
            after = _AFTER_BOUNDARY.match(raw, at, end)
            if after is None:
                continue
            if opened >= 0:
                count += 1
                stop = found - 1
                yield opened, max(opened, stop - 1 if raw[stop - 1] == 0x0D else stop)
            if after[1]:
                return
            opened = at = after.end()
        if opened >= 0:
            self.defects["unclosed"] = None
            yield opened, end


_MEDIA_TYPE = re.compile(r"[\w!#$&^+.-]+/[\w!#$&^+.-]+", re.ASCII)
_SHORT_TYPES = {"text": "text/plain", "html": "text/html", "plain": "text/plain"}
_AFTER_BOUNDARY = re.compile(rb"(--)?[ \t]*(?:\r?\n|\Z)")
_GUESS = re.compile(rb"^--([^\s]{1,200}?)[ \t]*\r?$", re.M)


# ---------------------------------------------------------------- octets


def decode_part(raw: bytes, part: Part, most: int | None = None) -> bytes:
    """The octets of a part, decoded; of a longer one about the first `most`."""
    start, end = part.start, part.end
    if most is not None and end - start > most:
        end = raw.find(b"\n", start + most, min(end, start + most + 1000)) + 1 or start + most
    octets = raw[start:end]
    match part.encoding:
        case "base64":
            return decode_base64(octets)
        case "quoted-printable":
            return binascii.a2b_qp(octets)
        case "x-uuencode" | "uuencode" | "x-uue" | "uue":
            return _uudecode(octets)
        case _:
            return octets


def decoded_size(raw: bytes, part: Part) -> int:
    """How many octets `decode_part` gives: counted, not decoded, where it is large."""
    start, end = part.start, part.end
    if part.encoding == "base64" and end - start > 2**16:
        padding = raw.find(b"=", start, end)  # what follows it is not decoded either
        end = padding if padding >= 0 else end
        letters = end - start - sum(raw.count(blank, start, end) for blank in (b"\n", b"\r", b" ", b"\t"))
        return letters * 3 // 4
    if part.encoding in ("", "7bit", "8bit", "binary"):
        return end - start
    if part.encoding == "quoted-printable" and end - start > 2**20:
        return end - start - 2 * raw.count(b"=", start, end) - raw.count(b"=\r\n", start, end)
    return len(decode_part(raw, part))


def _uudecode(octets: bytes) -> bytes:
    decoded = bytearray()
    for line in octets.splitlines():
        if line.startswith(b"begin ") or not line:
            continue
        if line == b"end":
            break
        try:
            decoded += binascii.a2b_uu(line)
        except binascii.Error:
            # Lines padded by a broken encoder: only as much as the first character says.
            length = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                decoded += binascii.a2b_uu(line[:length])
            except binascii.Error:
                continue
    return bytes(decoded)
