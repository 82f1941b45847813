"""vCards (RFC 6350, RFC 2426, vCard 2.1), as far as a desk wants them: who, of which firm, how to reach them."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from channels.mail.headers import decode_octets, is_address, tidy
from inbox.particulars import BusinessCard

MOST_CARDS = 10
MOST_LINES = 2000
MOST_VALUES = 5
LONGEST = 200

_LINE = re.compile(r"(?:[\w-]{1,60}\.)?([\w-]{1,60})((?:;(?:[^\":;]|\"[^\"]*\")*)*):(.*)", re.S)
_QUOTED_PRINTABLE = re.compile(r";(?:encoding=)?quoted-printable\b", re.I)
_CHARSET = re.compile(r";charset=\"?([\w.:-]{1,40})", re.I)
_PHONE = re.compile(r"[^\d+() ./*#;=-]")


def read_cards(octets: bytes, charset: str | None, path: str) -> list[BusinessCard]:
    """The cards of a file, those without a name or an address left out. Never raises, on anything."""
    cards: list[BusinessCard] = []
    facts: dict[str, list[str]] = {}
    for name, value in _properties(octets, charset):
        if name == "BEGIN" and value.upper() == "VCARD":
            facts = {}
        elif name == "END" and value.upper() == "VCARD":
            card = _card(facts, path)
            if card is not None and card not in cards:
                cards.append(card)
            facts = {}
            if len(cards) == MOST_CARDS:
                break
        else:
            facts.setdefault(name, []).append(value)
    return cards


def _card(facts: dict[str, list[str]], path: str) -> BusinessCard | None:
    family, given, *_ = [*(_fields(facts.get("N", [""])[0])), "", ""]
    name = _line(_plain(facts.get("FN", [""])[0])) or _line(f"{given} {family}")
    firm = _line(", ".join(part for part in _fields(facts.get("ORG", [""])[0]) if part.strip()))
    phones = [_line(value.removeprefix("tel:").partition(";")[0]) for value in facts.get("TEL", [])]
    addresses = [_line(_plain(value)).removeprefix("mailto:").lower() for value in facts.get("EMAIL", [])]
    card = BusinessCard(
        name=name,
        organization=firm,
        phones=tuple(dict.fromkeys(p for p in phones if any(map(str.isdigit, p)) and not _PHONE.search(p)))[
            :MOST_VALUES
        ],
        addresses=tuple(dict.fromkeys(a for a in addresses if is_address(a)))[:MOST_VALUES],
        path=path,
    )
    return card if card.name or card.organization or card.phones or card.addresses else None


def _line(value: str) -> str:
    return tidy(value, LONGEST)


def _properties(octets: bytes, charset: str | None) -> Iterator[tuple[str, str]]:
    """Name and value of each line, unfolded and decoded, escapes left in it."""
    # Each line may be in a charset of its own (vCard 2.1): so octets first, one character each.
    text = octets.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
    lines = re.sub(r"\n[ \t]", "", text).split("\n")[:MOST_LINES]
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        found = _LINE.fullmatch(line[:20_000])
        if found is None:
            continue
        name, parameters, value = found[1].upper(), found[2], found[3]
        if name in ("PHOTO", "LOGO", "SOUND", "KEY"):
            continue
        if _QUOTED_PRINTABLE.search(parameters):
            while value.endswith("=") and at < len(lines):
                value = value[:-1] + lines[at]
                at += 1
                if len(value) > 20_000:
                    break
            raw = binascii.a2b_qp(value.encode("latin-1"))
        else:
            raw = value.encode("latin-1")
        named = _CHARSET.search(parameters)
        yield name, decode_octets(raw, named[1] if named else charset)


def _fields(value: str) -> list[str]:
    """The fields of a value (RFC 6350 §3.4)."""
    return [_plain(field) for field in re.split(r"(?<!\\);", value)]


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value)
