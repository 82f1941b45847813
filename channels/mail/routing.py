"""Whose a mail is by its mailbox's own server: a header of a name the config gives, where nobody else can put it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from channels.mail.fields import read_fields
from channels.mail.headers import as_text
from inbox.envelope import Envelope

LONGEST = 320


@dataclass(frozen=True, slots=True)
class RouteHeader:
    """Where a server says whose a mail is.

    Every server a mail comes through writes its Received above all there was
    (RFC 5321 §4.4). What stands below the lines of ours was there before, and
    anybody can have written it.
    """

    name: str
    """Lower case."""
    below: int = 0
    """How many Received lines our own servers write above it."""

    def told(self, envelope: Envelope, raw: bytes) -> Envelope:
        """The envelope with what the header says; as it is where it says nothing. Never raises."""
        above = 0
        for field in read_fields(raw).fields:
            if field.name == "received":
                above += 1
                if above > self.below:
                    break
            elif field.name == self.name:
                said = " ".join(as_text(field.value).split()).strip("<>").lower()
                return msgspec.structs.replace(envelope, routed=said[:LONGEST]) if said else envelope
        return envelope
