"""Whom a reply by mail goes to, who gets a copy, and from which of the account's addresses it leaves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from inbox.accounts import is_own_address, without_tag
from inbox.errors import InvalidTransition
from inbox.forwarded import first_writer_of
from inbox.model import Account, Draft, Message

MOST_COPIES = 50
"""Servers of large providers take about a hundred recipients of one mail; a reply to more is a circular."""


class Addressees(NamedTuple):
    """Whom a reply goes to."""

    to: tuple[str, ...]
    copies: tuple[str, ...]


def reply_recipients(answers: Message | None, account: Account) -> tuple[str, ...]:
    """Whom a mail reply goes to by itself. Copies are a choice of the secretary, not of a forged header."""
    return reply_candidates(answers, account)[:1]


def reply_candidates(answers: Message | None, account: Account) -> tuple[str, ...]:
    """Whom a mail reply may be for, whom it goes to by itself first.

    That is its writer. A mail that opens a conversation may name another
    address to answer to: a web form writes for its visitor so. One that joins
    a conversation may not: a forged one would take it elsewhere. Of a mail
    that was handed on and opens a conversation it is who first wrote; who
    handed it on is the other choice.
    """
    if answers is None:
        return ()
    opens = answers.position == 1 or answers.opens
    first_wrote = first_writer_of(answers, account)
    answered_at = answers.reply_to if opens else ""
    if is_own_address(account, answered_at.lower()):
        answered_at = ""  # ours: we would answer ourselves
    writer = answered_at or answers.author_address
    found = (first_wrote, writer) if opens else (writer, first_wrote)
    return tuple(dict.fromkeys(filter(None, found)))


def addressees(draft: Draft, answers: Message | None, account: Account) -> Addressees:
    """Whom this draft would go to if it were sent now."""
    to = draft.recipients or reply_recipients(answers, account)
    return Addressees(to, tuple(each for each in draft.copies if each not in to))


def copy_candidates(draft: Draft, answers: Message | None, account: Account) -> tuple[str, ...]:
    """Who may get a copy of the draft, in an order that choosing does not change: the others the answered mail names.

    Then who else may be answered, and whom its author named herself.
    """
    to = addressees(draft, answers, account).to
    others = answers.recipients if answers else ()
    named = (*others, *reply_candidates(answers, account), *draft.copies)
    return tuple(dict.fromkeys(a for a in named if a and a not in to and not is_own_address(account, a.lower())))


def everyone(draft: Draft, answers: Message | None, account: Account) -> tuple[str, ...]:
    """The copies of a reply to all: the others of the answered mail, and those chosen already."""
    others = answers.recipients if answers else ()
    candidates = copy_candidates(draft, answers, account)
    return tuple(each for each in candidates if each in others or each in draft.copies)[:MOST_COPIES]


def with_copy(draft: Draft, address: str, *, wanted: bool) -> Draft:
    """The draft with a copy to this address, or without one; as it is where that changes nothing.

    Raises:
        InvalidTransition: it has as many as a mail may have.
    """
    if wanted == (address in draft.copies):
        return draft
    if not wanted:
        return msgspec.structs.replace(draft, copies=tuple(each for each in draft.copies if each != address))
    if len(draft.copies) >= MOST_COPIES:
        raise InvalidTransition("error.too_many_copies", count=str(MOST_COPIES))
    return msgspec.structs.replace(draft, copies=(*draft.copies, address))


def sender_address(answers: Message | None, account: Account) -> str | None:
    """The address a reply leaves from: the one of the account's the mail was written to, else its identity's.

    Never one that is not the account's: a mail that names another account's beside ours is answered from ours.
    """
    own = account.identity.from_address
    if answers is None:
        return own
    for written_to in _once((*answers.recipients, *answers.delivered_to)):
        for address in (written_to, without_tag(written_to)):
            if is_own_address(account, address.lower()):
                return own if own and address.lower() == own.lower() else address
    return own


def _once(addresses: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(addresses))
