"""The fields and the addresses in what a mail server reports, wherever in its text they stand."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from channels.mail.headers import is_address

MOST_LINES = 3000
LONGEST_LINE = 2000


class Group(NamedTuple):
    """The fields a report says of one recipient (RFC 3464 §2.3), or of the mail (§2.2)."""

    fields: dict[str, str]

    def address(self) -> str:
        """Whom the mail was written to; where that is not said, whom that became on the way (RFC 3464 §2.3.1)."""
        names = ("original-recipient", "final-recipient", "x-actual-recipient")
        return next(filter(None, (address_in(typed(self.fields.get(name, ""))) for name in names)), "")

    @property
    def is_of_recipient(self) -> bool:
        return not self.fields.keys().isdisjoint(_TOLD)


# ---------------------------------------------------------------- fields in text

_FIELD = re.compile(r"[ \t]{0,8}([A-Za-z][A-Za-z0-9-]{1,60})[ \t]{0,3}:[ \t]*(.*)")
_TOLD = frozenset({"final-recipient", "original-recipient", "x-actual-recipient"})
_GROUP_FIELDS = _TOLD | {
    "action",
    "status",
    "diagnostic-code",
    "x-diagnostic-code",
    "remote-mta",
    "last-attempt-date",
    "will-retry-until",
    "reporting-mta",
    "arrival-date",
    "received-from-mta",
    "x-original-message-id",
    "original-message-id",
    "original-envelope-id",
}


def groups_in(text: str, *, strict: bool) -> Iterator[Group]:
    """The groups of fields in a status part, or among a text's lines (`strict`: only fields of RFC 3464 count)."""
    fields: dict[str, str] = {}
    last = ""
    for line in text.split("\n")[:MOST_LINES]:
        line = line[:LONGEST_LINE]
        found = _FIELD.match(line)
        name = found[1].lower() if found else ""
        if found and name in _GROUP_FIELDS and not (last and line[:1] in " \t" and not strict):
            if name in fields and name in _TOLD:
                yield Group(fields)
                fields = {}
            fields.setdefault(name, found[2].strip())
            last = name
        elif line[:1] in (" ", "\t") and last and line.strip():
            fields[last] = (fields[last] + " " + line.strip())[:LONGEST_LINE]
        else:
            last = ""
            if not line.strip() and fields:
                yield Group(fields)
                fields = {}
    if fields:
        yield Group(fields)


def typed(value: str) -> str:
    """A field's value without its type (`rfc822;`, `smtp;`)."""
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon and re.fullmatch(r"[\w ()/.-]{1,40}", kind) else value.strip()


# ---------------------------------------------------------------- addresses in text

_NOT = r"\s<>()\[\]\\,;:@\"\u3000-\u303f\uff00-\uff60"
"""What stands in no address, and what Chinese and Japanese put around one."""
_LOCAL = rf"(?:\"[^\"\n]{{1,100}}\"|[^'{_NOT}][^{_NOT}]{{0,127}})"
_SPEC = _LOCAL + rf"@(?:\[[0-9A-Fa-f.:IPv]{{3,60}}\]|[^'/?=&{_NOT}]{{1,255}})"
ADDRESS = re.compile(_SPEC)
LEADING = re.compile(
    r"^[\s>*•·\-–|]{0,20}(?:<?(?:mailto|smtp):)?[<'\"(\[]{0,2}(?:mailto:|smtp:|rfc822;\s?)?(" + _SPEC + ")", re.I
)
COMMANDED = re.compile(r"\b(?:RCPT TO|for|to|recipient|user|mailbox|address):?\s?<(" + _SPEC + ")>", re.I)
REFUSED = re.compile(r"\b[45]\d\d\b.{0,200}?<?(" + _SPEC + ")", re.I)
LABELLED = re.compile(r"^.{0,60}[:\uff1a]\s{0,10}[<'\"]?(" + _SPEC + ")")


def address_in(text: str) -> str:
    """The first address in a text, lower case; "" where there is none."""
    found = ADDRESS.search(text[:1000])
    return clean(found[0]) if found else ""


def clean(found: str) -> str:
    """An address as it is compared, without the sentence's end; "" where it is none after all."""
    address = found.strip().rstrip(".,。、:…'").lower()
    return address if is_address(address) else ""


_KNOWN = frozenset(
    {
        "received", "return-path", "from", "to", "subject", "date", "message-id", "mime-version", "content-type",
        "delivered-to", "x-mailer", "content-transfer-encoding", "dkim-signature", "user-agent", "sender", "cc",
        "reply-to", "in-reply-to", "references", "x-original-to",
    }
)  # fmt: skip
_TELLING = frozenset({"received", "return-path", "message-id", "date", "subject", "dkim-signature"})
_HEADER_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60}):(?:\s|$|<|\S)")


def is_header(names: Collection[str]) -> bool:
    """Whether fields of these names, lower case, are a mail's."""
    known = _KNOWN.intersection(names)
    return len(known) >= 3 and not known.isdisjoint(_TELLING)


def begin_of_header(lines: list[str]) -> int | None:
    """Where the header of a mail begins among lines of text."""
    begin, names = -1, set[str]()
    for number, line in enumerate(lines[: MOST_LINES * 2]):
        found = _HEADER_LINE.match(line)
        if found:
            if begin < 0:
                begin, names = number, set()
            names.add(found[1].lower())
            if is_header(names):
                return begin
        elif not line[:1].isspace() or not line.strip():
            begin = -1
    return None
