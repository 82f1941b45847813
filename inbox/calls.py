"""The telephone message: who called, by which number, why, how urgent, and when to call back.

Whoever answers the telephone writes it in one go, in any order: "Mme Durand,
06 12 34 56 78, rendez-vous à déplacer, urgent, rappeler demain 10 h". It is
read by rule, shown as it will stand, and corrected by being written anew.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

import msgspec
import phonenumbers

from inbox.assignment import require_serves
from inbox.contacts import kind_of
from inbox.errors import InvalidTransition
from inbox.model import AddressKind, Message, Secretary, Slip
from inbox.moments import read_moment
from inbox.notes import plain
from inbox.parts import PHONE, AccountId, SlipId, new_id
from inbox.store.base import Store

LONGEST = 2000
_PARTS = re.compile(r"[,;\n]+|\s[-–—]\s")
_DIGITS = re.compile(r"(?:\+|\b)\d(?:[\s.\-/()]{0,3}\d){5,}")
_URGENT = re.compile(r"\b(?:tres |very )?(?:urgent|urgente|urgence|asap)\b")
_CALL_BACK = re.compile(r"\b(?:a rappeler|(?:merci de |prière de )?rappeler|rappelez|to call back|call back|recall)\b")
_NUMBER_WORDS = re.compile(r"^(?:au|tel|tél|téléphone|phone|numéro|n°|mobile|portable)\W*$", re.IGNORECASE)


class Call(NamedTuple):
    """What was understood of it."""

    caller: str
    number: str
    """In international form (E.164), "" where there is none."""
    reason: str
    urgent: bool
    call_back: str
    """When they want to be called back, in the words it was said with."""
    call_back_at: datetime | None


def read_call(words: str, country: str, now: datetime) -> Call:
    """What a telephone message says.

    Args:
        country: whose numbers are written without a country code (ISO 3166).
        now: in the time zone moments are meant in.

    Raises:
        InvalidTransition: there is nothing in it, or a number that cannot be one.
    """
    words = words.strip()
    if not words or len(words) > LONGEST:
        raise InvalidTransition("error.call_empty", count=str(LONGEST))
    number, rest = _number(words, country)
    caller, reason, urgent, call_back = "", [], False, ""
    for part in (" ".join(each.split()) for each in _PARTS.split(rest)):
        said = plain(part)
        if _URGENT.search(said):
            urgent = True
            part = _without(part, _URGENT)
        if found := _CALL_BACK.search(plain(part)):
            call_back = part[found.end() :].strip(" :.") or part
            part = part[: found.start()].strip()
        if not part.strip(" .!") or _NUMBER_WORDS.match(part):
            continue
        if not caller:
            caller = part
        else:
            reason.append(part)
    if not caller and not number:
        raise InvalidTransition("error.call_empty", count=str(LONGEST))
    return Call(
        caller=caller[:100],
        number=number,
        reason=", ".join(reason),
        urgent=urgent,
        call_back=call_back,
        call_back_at=read_moment(call_back, now) if call_back else None,
    )


def _without(part: str, pattern: re.Pattern[str]) -> str:
    said = plain(part)
    # What `plain` takes away of a letter is its accent alone: the places are the same.
    found = pattern.search(said)
    return f"{part[: found.start()]} {part[found.end() :]}".strip(" !.") if found and len(said) == len(part) else ""


def _number(words: str, country: str) -> tuple[str, str]:
    """The number in them, and the rest."""
    for match in phonenumbers.PhoneNumberMatcher(words, country, phonenumbers.Leniency.POSSIBLE):
        number = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
        return number, f"{words[: match.start]},{words[match.end :]}"
    if found := _DIGITS.search(words):
        raise InvalidTransition("error.call_number", number=found[0][:30])
    return "", words


def is_likely(number: str) -> bool:
    """Whether somebody can have this number: it begins as numbers there begin."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


def as_dialled(number: str, country: str) -> str:
    """A number as people in that country write it."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    here = parsed.country_code == phonenumbers.country_code_for_region(country)
    kind = phonenumbers.PhoneNumberFormat.NATIONAL if here else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(parsed, kind)


def find_number(text: str, country: str) -> str:
    """The first number in a text that somebody can have, in international form; "" where there is none."""
    for match in phonenumbers.PhoneNumberMatcher(text[:5000], country, phonenumbers.Leniency.VALID):
        return phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
    return ""


def begun(account_id: AccountId, secretary: Secretary, now: datetime) -> Slip:
    """A telephone message nothing is written on yet."""
    return Slip(id=SlipId(new_id()), account_id=account_id, author_id=secretary.id, created_at=now, updated_at=now)


def filled_out(slip: Slip, words: str, call: Call, now: datetime) -> Slip:
    """The telephone message with these words, in place of what it said."""
    return msgspec.structs.replace(
        slip,
        words=words,
        caller=call.caller,
        number=call.number,
        reason=call.reason,
        urgent=call.urgent,
        call_back=call.call_back,
        call_back_at=call.call_back_at,
        updated_at=now,
    )


async def get_hers(store: Store, slip_id: str, secretary: Secretary) -> Slip:
    """The telephone message she takes.

    Raises:
        InvalidTransition: it is not hers, or passed on or thrown away already.
        NotFound: she serves its account no more.
    """
    slip = await store.find(Slip, slip_id)
    if slip is None:
        raise InvalidTransition("error.slip_gone")
    require_serves(secretary, slip.account_id)
    if slip.author_id != secretary.id:
        raise InvalidTransition("error.not_yours")
    return slip


def is_call(message: Message) -> bool:
    """Whether somebody telephoned: a message was taken for them, or they spoke on an answering machine."""
    return message.external_id.startswith(f"{PHONE}:") or kind_of(message.author_address) is AddressKind.PHONE
