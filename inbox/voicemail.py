"""A telephone provider's mail that somebody spoke on the answering machine: it is a call, not a mail.

Its writer is whoever called. What is not certainly such a mail stays one: it
holds a sound, a machine sent it, it says in its subject or first words what
it is, and it names a number somebody can have.
"""

from __future__ import annotations

import re

import msgspec

from inbox.calls import as_dialled, find_number
from inbox.envelope import Envelope, Sender
from inbox.model import AddressKind
from inbox.notes import plain
from inbox.particulars import Automatic
from inbox.parts import AttachmentKind

_SAYS = re.compile(
    r"\b(?:message[rs]? vocaux?|message vocal|messagerie vocale|repondeur|voice ?mail|voice message|vm from|"
    r"sprachnachricht|sprachmitteilung|anrufbeantworter|mensaje de voz|buzon de voz|messaggio vocale|voicemailbericht"
    r")\b"
)
_MACHINE = re.compile(
    r"(?:no|ne|do)[-_.]?(?:t[-_.]?)?(?:pas[-_.]?)?re(?:ply|pondre)|noreply|voicemail|voice|vocal|messagerie|repondeur|"
    r"asterisk|freepbx|pbx|3cx|notif\w*|telephonie|voip|sip"
)
_CALLER = re.compile(
    r"(?:\b(?:de|du|from|von|appelant|appel de|emetteur|correspondant|caller|caller ?id|numero)\b)\W{0,12}"
)
_FIRST = 400


def as_call(envelope: Envelope, country: str) -> Envelope | None:
    """The call such a mail tells of: from whoever called, with the sound; None where the mail is none.

    Args:
        country: whose numbers are written without a country code (ISO 3166).
    """
    if envelope.sender.kind is not AddressKind.MAIL or envelope.particulars.forwards:
        return None
    sounds = any(a.kind in (AttachmentKind.VOICE, AttachmentKind.AUDIO) for a in envelope.attachments)
    if not sounds or not _SAYS.search(plain(f"{envelope.subject} {envelope.text[:_FIRST]}")):
        return None
    local = plain(envelope.sender.value.partition("@")[0])
    automatic = envelope.particulars.automatic
    if automatic in (Automatic.REPLY, Automatic.BOUNCE) or (automatic is None and not _MACHINE.search(local)):
        return None
    number = _caller(envelope, country)
    if not number:
        return None
    shown = as_dialled(number, country)
    return msgspec.structs.replace(
        envelope,
        sender=Sender(kind=AddressKind.PHONE, value=number, name=shown),
        reply_to=None,
        particulars=msgspec.structs.replace(envelope.particulars, automatic=None),
    )


def _caller(envelope: Envelope, country: str) -> str:
    """The number that called: in the subject, behind the word for it, or the first there is."""
    if number := find_number(envelope.subject, country):
        return number
    text = envelope.text[:5000]
    said = plain(text)
    if len(said) == len(text):
        for found in _CALLER.finditer(said):
            if number := find_number(text[found.end() : found.end() + 40].partition("\n")[0], country):
                return number
    return find_number(text, country)
