"""Header fields, as people meant them: decoded, on one line, bounded."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses

LONGEST_FIELD = 20_000
"""Characters of a field that are looked at."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\s\u2028\u2029]+")
_BIDI = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_QUOTED_WORD = re.compile(r'"(=\?[^"]*\?=)"')
_ID = re.compile(r"<([^<>\s]+)>")
# What senders call these is not what they mean: the names are of subsets, the text is of these.
_MEANT = {
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "ks_c_5601-1987": "cp949",
    "gb2312": "gb18030",
}


def text(octets: bytes, charset: str | None) -> str:
    """Octets as text: in their charset if that works, else in whatever does."""
    named = (charset or "utf-8").strip("\"' ").split(";")[0].strip().lower()
    for candidate in (_MEANT.get(named, named), "utf-8", "cp1252"):
        try:
            return octets.decode(candidate)
        except (LookupError, UnicodeError, ValueError):
            continue
    return octets.decode("latin-1")


def raw_field(message: Message, name: str) -> str:
    """A field as it stands in the mail, cut where it becomes absurd."""
    value = message.get(name)
    return "" if value is None else str(value)[:LONGEST_FIELD]


def decoded(value: str) -> str:
    """A field's text: encoded words decoded (RFC 2047), on one line, without control characters."""
    value = _from_octets(value[:LONGEST_FIELD])
    if "=?" not in value:
        return one_line(value)
    value = _QUOTED_WORD.sub(r"\1", value)
    try:
        words = decode_header(value)
    except (HeaderParseError, ValueError):
        return one_line(value)
    out: list[str] = []
    pending, charset = b"", ""
    for word, name in [*words, (b"", "end")]:
        octets = word if isinstance(word, bytes) else word.encode("utf-8", "surrogateescape")
        # A character may be split over two encoded words of one charset.
        if name is not None and name == charset:
            pending += octets
            continue
        if pending:
            out.append(text(pending, charset))
        pending, charset = (octets, name) if name is not None else (b"", "")
        if name is None:
            out.append(text(octets, "utf-8"))
    return one_line("".join(out))


def _from_octets(value: str) -> str:
    """A field that held raw 8-bit octets, as text."""
    if any("\udc80" <= character <= "\udcff" for character in value):
        return text(value.encode("utf-8", "surrogateescape"), "utf-8")
    return value


def one_line(value: str) -> str:
    """On one line: `=0D=0ABcc:` in an encoded word must never become a field (RFC 5322 §2.2)."""
    return _CONTROL.sub(" ", value).strip()


def addresses(values: list[str], most: int = 200) -> list[tuple[str, str]]:
    """Names (decoded) and addresses (lower case) in address fields; what is no address is left out."""
    found: list[tuple[str, str]] = []
    for value in values:
        for name, address in getaddresses([_from_octets(value[:LONGEST_FIELD])]):
            plain = one_line(address).lower()
            if "@" in plain and " " not in plain:
                found.append((decoded(name), plain))
            if len(found) >= most:
                return found
    return found


def message_ids(value: str) -> list[str]:
    """The Message-IDs in a field, in order, without brackets."""
    return list(dict.fromkeys(_ID.findall(value)))


def message_id(value: str) -> str:
    """The one Message-ID of a mail; some senders leave the brackets out."""
    found = _ID.findall(value)
    if found:
        return str(found[0])
    bare = one_line(value).strip("<>")
    return bare if "@" in bare and " " not in bare else ""


def file_name(value: str) -> str:
    """A name that is only a name: no path, no control or direction-changing characters."""
    cleaned = re.sub(r"[/\\:\x00-\x1f\x7f]+", "_", decoded(value).translate(_BIDI)).strip(". ")
    return cleaned[:200]
