"""A mail's header as it travelled: each field whole, octet for octet, in its place.

`headers` reads what people mean; signatures and the marks of servers are about the octets and their order.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from channels.mail.headers import LONGEST_HEAD

MOST_FIELDS = 2000

# Possessive: nothing follows that could ask for less of it.
_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:[^\n]*+\n?(?:[ \t][^\n]*+\n?)*+")
_END_OF_LINE = re.compile(rb"[^\n]*\n?")


class RawField(NamedTuple):
    """One field: its name in lower case, and all its octets, line ends CRLF, the last one included."""

    name: str
    octets: bytes

    @property
    def value(self) -> bytes:
        """What stands behind the colon, folded as it came."""
        return self.octets.partition(b":")[2]


class RawHead(NamedTuple):
    """A header in order, and where the body begins."""

    fields: tuple[RawField, ...]
    body: int
    whole: bool
    """Whether all of the header was read, and nothing in it was no field."""

    def named(self, name: str) -> list[RawField]:
        """The fields of that name, from the top."""
        return [field for field in self.fields if field.name == name]


def read_fields(raw: bytes) -> RawHead:
    """The header of a mail."""
    fields: list[RawField] = []
    at, whole = 0, True
    while raw.startswith((b"\r\n", b"\n"), at) and at < 1000:
        at += 2 if raw.startswith(b"\r", at) else 1
    end = min(len(raw), at + LONGEST_HEAD)
    while at < end:
        if raw.startswith((b"\r\n", b"\n"), at):
            return RawHead(tuple(fields), at + (2 if raw.startswith(b"\r", at) else 1), whole)
        found = _FIELD.match(raw, at, end)
        if found is None:
            whole = False  # an mbox's separator line, or junk
            at = _END_OF_LINE.match(raw, at, end).end()  # type: ignore[union-attr]  # it matches anything
            continue
        if len(fields) == MOST_FIELDS:
            break
        octets = with_crlf(found[0])
        fields.append(
            RawField(found[1].decode("ascii").lower(), octets if octets.endswith(b"\n") else octets + b"\r\n")
        )
        at = found.end()
    return RawHead(tuple(fields), at, whole and at >= len(raw))


_BARE_LF = re.compile(rb"(?<!\r)\n")


def with_crlf(octets: bytes) -> bytes:
    """The octets with every line end as it is on the wire (RFC 5321 §2.3.8)."""
    return _BARE_LF.sub(b"\r\n", octets) if b"\n" in octets else octets
