"""What a mail carries besides words and files, as facts for its card: meetings, business cards, signatures, pages."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import tzinfo

from channels.mail.calendars import read_calendar
from channels.mail.cards import read_cards
from channels.mail.cms import read_cms
from channels.mail.containers import is_cms
from channels.mail.parts import Part, Tree, decode_part
from channels.mail.words import Text
from inbox.particulars import BusinessCard, Meeting, Protection

LARGEST = 256 * 1024
"""Octets of a calendar, a card or a page that are looked at."""
MOST = 10
"""Meetings, and cards, of one mail."""

_CALENDARS = frozenset({"text/calendar", "application/ics", "text/x-vcalendar"})
_CARDS = frozenset({"text/vcard", "text/x-vcard", "text/directory", "application/vcard"})


def find_meetings(tree: Tree, written_in: tzinfo) -> tuple[Meeting, ...]:
    """The invitations of its calendars, each once: many programs send the same as a form of the words and as a file.

    Args:
        written_in: the zone of a time that names none.
    """
    meetings: dict[Meeting, Meeting] = {}
    for part in _of_type(tree, _CALENDARS, ".ics"):
        octets = decode_part(tree.raw, part, LARGEST)
        method = part.parameters.get("method", "")
        for meeting in read_calendar(octets, part.parameters.get("charset"), method, written_in, part.path):
            meetings.setdefault(_without_path(meeting), meeting)
    return tuple(meetings.values())[:MOST]


def _without_path(meeting: Meeting) -> Meeting:
    return Meeting(**{name: getattr(meeting, name) for name in meeting.__struct_fields__ if name != "path"})


def find_cards(tree: Tree) -> tuple[BusinessCard, ...]:
    """The people on its vCards."""
    cards: list[BusinessCard] = []
    for part in _of_type(tree, _CARDS, ".vcf"):
        cards += read_cards(decode_part(tree.raw, part, LARGEST), part.parameters.get("charset"), part.path)
    return tuple(cards[:MOST])


def _of_type(tree: Tree, types: frozenset[str], ending: str) -> Iterator[Part]:
    """The first parts of a type, and those without one whose name ends so; also those found in another part."""
    found = (
        part
        for leaf in tree.root.leaves()
        for part in (leaf, *(inner for child in leaf.inside or () for inner in child.leaves()))
        if part.media_type in types
        or (part.media_type == "application/octet-stream" and part.file_name.lower().rstrip().endswith(ending))
    )
    return itertools.islice(found, MOST)


# ---------------------------------------------------------------- protection

_STRENGTH = {
    Protection.SIGNED_PGP: 1,
    Protection.SIGNED_SMIME: 1,
    Protection.ENCRYPTED_PGP: 2,
    Protection.ENCRYPTED_SMIME: 2,
}
_ARMOURED = re.compile(r"^-----BEGIN PGP (MESSAGE|SIGNED MESSAGE)-----[ \t]*$", re.M)


def find_protection(tree: Tree, text: str) -> Protection | None:
    """How it is signed or locked, the outermost of the strongest; no signature is checked here."""
    found = list(_protections(tree, tree.root))
    armoured = _ARMOURED.search(text) if "-----BEGIN PGP" in text else None
    if armoured:
        found.append(Protection.ENCRYPTED_PGP if armoured[1] == "MESSAGE" else Protection.SIGNED_PGP)
    return max(found, key=lambda each: _STRENGTH[each], default=None)


def _protections(tree: Tree, part: Part) -> Iterator[Protection]:
    protocol = part.parameters.get("protocol", "").lower()
    kind = part.parameters.get("smime-type", "").lower()
    if part.media_type == "multipart/signed":
        # RFC 3156 §5, RFC 8551 §3.5.3; where the protocol is missing the signature itself says it.
        last = part.parts[-1].media_type if part.parts else ""
        yield Protection.SIGNED_SMIME if "pkcs7" in (protocol or last) else Protection.SIGNED_PGP
    elif part.media_type == "multipart/encrypted":
        yield Protection.ENCRYPTED_SMIME if "pkcs7" in protocol else Protection.ENCRYPTED_PGP
    elif is_cms(part):
        if kind not in ("enveloped-data", "authenveloped-data", "signed-data", "certs-only", "compressed-data"):
            kind = {"enveloped": "enveloped-data", "signed": "signed-data"}.get(
                read_cms(decode_part(tree.raw, part, LARGEST)).kind, ""
            )
        if kind in ("enveloped-data", "authenveloped-data"):
            yield Protection.ENCRYPTED_SMIME
        elif kind == "signed-data":
            yield Protection.SIGNED_SMIME
    for child in (*(part.parts or ()), *(part.inside or ())):
        yield from _protections(tree, child)


# ---------------------------------------------------------------- pages

_PICTURE = re.compile(rb"<img\b([^<>]{0,8000})>")
_POINT = re.compile(rb"\b(width|height)\s{0,9}[=:]\s{0,9}[\"']?\s{0,9}[01](?:px)?(?![\w.%])")
_CELL = re.compile(rb"<t[dh][\s>]")
_FORM = re.compile(rb"<(?:form|input|select|textarea|button|video|audio|svg|iframe)[\s>/]")
_RICH = re.compile(b"<img|<t[dh]|" + _FORM.pattern.partition(b"[")[0])
CELLS_OF_A_TABLE = 4
PICTURES_OF_A_PAGE = 2


def _may_be_rich(raw: bytes, part: Part) -> bool:
    """Whether a page may hold any of that, by its octets as they came: most hold none, and need not be decoded."""
    if part.encoding != "quoted-printable" or part.source is not None:
        return True
    came = raw[part.start : part.end].replace(b"=\r\n", b"").replace(b"=\n", b"").lower()
    return b"=3c" in came or _RICH.search(came) is not None


def is_rich(tree: Tree, text: Text) -> bool:
    """Whether its HTML shows more than its words: a table, several pictures, a form."""
    for part in text.pages[:3]:
        if not _may_be_rich(tree.raw, part):
            continue
        page = decode_part(tree.raw, part, LARGEST).lower()
        pictures = [picture for picture in _PICTURE.findall(page) if len(set(_POINT.findall(picture))) < 2]
        if len(pictures) >= PICTURES_OF_A_PAGE or _FORM.search(page):
            return True
        if len(_CELL.findall(page)) >= CELLS_OF_A_TABLE:
            return True
    return False
