"""What is particular about a mail besides its words: facts its reader found, kept with the message and shown on cards.

All of it is what the mail says of itself, or what a server we trust says of
it; nothing here decides whose it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum

from inbox.parts import Part

# ---------------------------------------------------------------- machines


class Automatic(StrEnum):
    """What kind of machine wrote a mail that no person wrote."""

    REPLY = "reply"
    """It answers by itself: an absence, "we received your message"."""
    NOTICE = "notice"
    """A machine tells something: an alert, an invoice, a report, a newsletter."""
    BOUNCE = "bounce"
    """A mail server says what became of a mail."""


class FailureKind(StrEnum):
    """What became of one recipient."""

    PERMANENT = "permanent"
    """It will never arrive."""
    TEMPORARY = "temporary"
    """It did not arrive, for a reason that may pass; the server has given up."""
    DELAYED = "delayed"
    """It has not arrived yet, and the server goes on trying."""
    DELIVERED = "delivered"
    """It arrived: a success notice somebody asked for (RFC 3461)."""


class Failure(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One recipient a report speaks of."""

    address: str
    """Lower case; "" where the report does not say."""
    kind: FailureKind
    code: str = ""
    """The status (RFC 3463) it gives, `5.1.1`, made as telling as its words allow; "" where they say nothing."""
    says: str = ""
    """The server's words, on one line, as a person may be shown them."""


class Bounce(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What a mail server reports of a mail we may have sent."""

    failures: tuple[Failure, ...]
    original_id: str = ""
    """The Message-ID of the mail it speaks of, without brackets; "" where the report does not quote it."""


# ---------------------------------------------------------------- who really wrote


class Forward(Part, frozen=True, kw_only=True, omit_defaults=True):
    """A mail that stands inside this one, handed on by whom this one is from."""

    address: str
    """Of who first wrote it, lower case; "" where it is not said."""
    name: str = ""
    subject: str = ""
    text: str = ""
    """What it said."""
    written_at: datetime | None = None
    recipients: tuple[str, ...] = ()
    external_id: str = ""
    """Its Message-ID without brackets, where it was handed on as a whole mail."""
    path: str = ""
    """The part of the mail that is it (`2`), where it was handed on as a whole mail; "" where it was quoted."""


class Verdict(StrEnum):
    """Whether a mail comes from the domain it says it is from."""

    VERIFIED = "verified"
    """DMARC passed, or a signature or SPF of the very domain in From did."""
    UNKNOWN = "unknown"
    """Nobody could tell: its domain says nothing of itself, or our server does not look."""
    UNVERIFIED = "unverified"
    """It does not prove to be from there, and its domain's owner asks for nothing to be done about that."""
    FORGED = "forged"
    """The domain's owner says that such a mail is not theirs (DMARC reject or quarantine), or SPF failed hard."""


class Trust(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What is known about a mail's origin. Results are RFC 8601's words (`pass`, `fail`, `softfail` …); "" is none."""

    verdict: Verdict
    spf: str = ""
    dkim: str = ""
    dmarc: str = ""
    by: str = ""
    """Who looked: the receiving server's authserv-id, or "" for ourselves."""


# ---------------------------------------------------------------- what it carries


class Meeting(Part, frozen=True, kw_only=True, omit_defaults=True):
    """An invitation of a calendar (RFC 5545, 5546)."""

    method: str = ""
    """`request`, `cancel`, `reply`, `counter`, `publish`; lower case."""
    title: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    first_day: date | None = None
    """Instead of the instants, for whole days."""
    last_day: date | None = None
    """The last day it takes, itself included."""
    place: str = ""
    organizer: str = ""
    """Name, or address."""
    attendees: tuple[str, ...] = ()
    repeats: str = ""
    """`daily`, `weekly`, `monthly`, `yearly`; "" where it does not."""
    answer: str = ""
    """In a reply: `accepted`, `declined`, `tentative`."""
    path: str = ""
    """The part of the mail it stands in."""


class BusinessCard(Part, frozen=True, kw_only=True, omit_defaults=True):
    """A vCard (RFC 6350)."""

    name: str = ""
    organization: str = ""
    phones: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    """Mail addresses."""
    path: str = ""


class Protection(StrEnum):
    """How a mail is signed or locked."""

    SIGNED_SMIME = "signed_smime"
    SIGNED_PGP = "signed_pgp"
    ENCRYPTED_SMIME = "encrypted_smime"
    ENCRYPTED_PGP = "encrypted_pgp"


class Particulars(Part, frozen=True, kw_only=True, omit_defaults=True):
    """All of it, of one mail."""

    fresh: tuple[tuple[int, int], ...] = ()
    """Where in the text the author's own new words stand, as (start, end) in characters, in order; the rest is quoted
    or a signature. Empty: all of it is theirs, or none where it only hands on what it quotes."""
    automatic: Automatic | None = None
    """Set where no person wrote it."""
    unanswerable: bool = False
    """Nothing may go back to it by itself: it is automatic, from a list, in bulk, from no-reply or nobody
    (RFC 3834 §2)."""
    bounce: Bounce | None = None
    forwards: tuple[Forward, ...] = ()
    trust: Trust | None = None
    meetings: tuple[Meeting, ...] = ()
    cards: tuple[BusinessCard, ...] = ()
    protection: Protection | None = None
    is_rich: bool = False
    """Its HTML says more than its words do (tables, pictures, forms): worth opening as a page."""
    list_id: str = ""
    """The mailing list it came through (RFC 2919)."""


PLAIN = Particulars()
"""Nothing particular."""


def fresh_part(text: str, fresh: Sequence[tuple[int, int]]) -> str:
    """The words at these places of a text, no two empty lines together; "" where there are no places."""
    return re.sub(r"\n{3,}", "\n\n", "".join(text[start:end] for start, end in fresh)).strip()
