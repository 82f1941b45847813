"""Two addresses that prove to be one person's: a code or a link mailed to one of them comes back by the other.

Nobody's word is taken for it. Whoever claims an address that is not theirs
never sees what was sent there; whoever has that address and opens the link
out of curiosity proves nothing about who claimed it, and nothing changes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Collection, Iterable
from datetime import datetime, timedelta

import msgspec

from inbox.assignment import may_serve
from inbox.contacts import address_name, joined
from inbox.conversations import event
from inbox.errors import InvalidTransition, StillInUse
from inbox.invitations import token_hash
from inbox.machinery import DeskKey
from inbox.matching import read_message_id
from inbox.model import Address, AddressKind, Contact, Delivery, DeliveryState, Proof, Secretary
from inbox.notices import Letter
from inbox.outbox import sentence_for
from inbox.particulars import Bounce
from inbox.parts import AccountId, Because, DeliveryId, SecretaryId, new_id
from inbox.reports import FAILED
from inbox.store.base import Changes, Store
from inbox.store.documents import ADDRESS_BY_VALUE, CONVERSATIONS_OF_CONTACT, PROOF_OF_CONTACT

LIFETIME = timedelta(hours=24)
PROVED = "contacts_proved"
"""The line of history that says so."""
LANE = "proof:"
"""Before a proof's id: the lane of its letter."""
MOST_TRIES = 5
"""Wrong codes after which another must be sent: of a million codes, five."""
AGAIN_AFTER = timedelta(minutes=10)
"""Before that, nothing is sent to the same address a second time."""
KEPT = timedelta(days=2)
"""How long a proof is kept once it is over."""
_CODE = re.compile(r"\s*(\d{3})[ \u00a0\u202f-]?(\d{3})\s*[.!]?\s*\Z", re.ASCII)
_CODE_IN_A_MAIL = re.compile(r"(?<![\d.,-])(\d{3})[ \u00a0\u202f-]?(\d{3})(?![\d.,-]*\d)", re.ASCII)
READ = 400
"""Characters of a mail's own words in which a code is looked for."""


def code_in(words: str) -> str | None:
    """The code a chat message consists of."""
    found = _CODE.match(words)
    return "".join(found.groups()) if found else None


def code_in_mail(words: str) -> str | None:
    """The code that stands at the beginning of a mail."""
    found = _CODE_IN_A_MAIL.search(words[:READ])
    return "".join(found.groups()) if found else None


def code_of(proof_id: str, key: DeskKey) -> str:
    """The six digits of a proof: made anew where they are compared, so that they stand in no document."""
    made = hmac.digest(key.secret, f"proof code:{proof_id}".encode(), hashlib.sha256)
    return f"{int.from_bytes(made[:8]) % 1_000_000:06}"


def proof_token(proof_id: str, key: DeskKey) -> str:
    """The token of its link."""
    made = hmac.digest(key.secret, f"proof:{proof_id}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def begun(contact: Contact, mail: str, asked_by: SecretaryId, key: DeskKey, now: datetime) -> Proof:
    """What is to prove that a mail address and a contact are one person's."""
    proof_id = new_id()
    return Proof(
        id=proof_id,
        account_id=contact.account_id,
        contact_id=contact.id,
        open_for=contact.id,
        mail=mail,
        token_hash=token_hash(proof_token(proof_id, key)),
        delivery_id=DeliveryId(new_id()),
        asked_by=asked_by,
        created_at=now,
        expires_at=now + LIFETIME,
    )


async def find_open(store: Store, contact: Contact, now: datetime) -> Proof | None:
    """What a contact can still prove."""
    proof = await store.find_by(PROOF_OF_CONTACT, contact.id)
    return proof if proof is not None and now < proof.expires_at else None


async def in_place_of(store: Store, contact: Contact, mail: str, now: datetime) -> Changes:
    """What goes as another proof is begun: only the newest code and link of a contact are good.

    Raises:
        InvalidTransition: one was sent to the same address a moment ago.
    """
    before = await store.find_by(PROOF_OF_CONTACT, contact.id)
    if before is None:
        return Changes()
    if before.mail == mail and now - before.created_at < AGAIN_AFTER:
        raise InvalidTransition("error.proof_sent", address=mail)
    return Changes(replacements=[msgspec.structs.replace(before, open_for=None)])


def is_right(proof: Proof, code: str, key: DeskKey) -> bool:
    """Whether that is the proof's code."""
    return hmac.compare_digest(code_of(proof.id, key), code)


def guessed(proof: Proof) -> Proof:
    """The proof after a wrong code; after the last one that is allowed it proves nothing any more."""
    tries = proof.tries + 1
    return msgspec.structs.replace(proof, tries=tries, open_for=proof.open_for if tries < MOST_TRIES else None)


def used(proof: Proof, now: datetime) -> Proof:
    """The proof once it proved something: it proves nothing else."""
    return msgspec.structs.replace(proof, open_for=None, used_at=now)


def require_good(proof: Proof, now: datetime) -> None:
    """Hold that its link is still good.

    Raises:
        InvalidTransition: it was used or replaced, or has expired.
    """
    if proof.open_for is None or now >= proof.expires_at:
        raise InvalidTransition("error.proof_over")


def comes_back(addresses: Iterable[Address]) -> bool:
    """Whether a contact has an address a proof could come back from: a telephone is none."""
    ways = (AddressKind.MAIL, AddressKind.TELEGRAM)
    return any(a.kind in ways and not a.value.startswith("unknown:") for a in addresses)


async def belongs(store: Store, contact: Contact, kind: AddressKind, value: str) -> bool:
    """Whether an address is the contact's already."""
    address = await store.find_by(ADDRESS_BY_VALUE, contact.account_id, kind, value)
    return address is not None and address.contact_id == contact.id


async def proved(
    store: Store, proof: Proof, contact: Contact, other: Address, now: datetime, pending: Changes
) -> Changes:
    """Whoever is at the other address is this contact; the proof is used. By the same rule as joining by hand.

    Args:
        other: as it is to be, where nobody wrote from it yet.
        pending: what the same unit changes besides; it is part of what is returned.

    Raises:
        InvalidTransition: both have too much history to be joined in one commit.
    """
    changes = pending + Changes(replacements=[used(proof, now)])
    there = await store.find_by(ADDRESS_BY_VALUE, contact.account_id, other.kind, other.value)
    if there is not None and there.contact_id == contact.id:
        return changes  # somebody joined them by hand meanwhile
    whose = [contact]
    if there is None:
        changes += Changes(inserts=[other], expectations=[contact])
    else:
        gone = await store.get(Contact, there.contact_id)
        whose.append(gone)
        try:
            changes = await joined(store, contact, gone, changes)
        except InvalidTransition:
            changes = await joined(store, gone, contact, changes)  # the shorter history moves
    detail = {"contact": contact.name, "address": address_name(other)}
    for each in whose:
        newest = await store.list(CONVERSATIONS_OF_CONTACT, each.id, descending=True, limit=1)
        changes += Changes(inserts=[event(PROVED, c, now, actor=contact, detail=detail) for c in newest])
    return changes


async def proof_undelivered(
    store: Store, key: DeskKey, account_id: AccountId, bounce: Bounce, now: datetime
) -> Changes | None:
    """What a mail server's report about a proof's letter changes: whoever asked for it is told, once.

    None where it is about no such letter: only our own signature, in the same account, says that it is.
    """
    named = read_message_id(key, bounce.original_id)
    proof = await store.find(Proof, named) if named is not None else None
    if proof is None or proof.account_id != account_id:
        return None
    failed = any(failure.kind in FAILED for failure in bounce.failures)
    return await _void(store, proof, now) if failed else Changes()


async def letter_died(store: Store, delivery: Delivery, now: datetime) -> Changes:
    """The same, where our own mail server would not even take it; nothing where it is no such letter."""
    proof = await _of_letter(store, delivery)
    return await _void(store, proof, now) if proof is not None else Changes()


async def letter_in_doubt(store: Store, delivery: Delivery, now: datetime) -> Changes:
    """Whoever asked learns that it may not have left: nobody sees the letter itself. It may have, so it stays good."""
    proof = await _of_letter(store, delivery)
    if proof is None or proof.open_for is None:
        return Changes()
    return await asker_told(store, proof, Because(key="proof.unknown", args={"address": proof.mail}), now)


async def _of_letter(store: Store, delivery: Delivery) -> Proof | None:
    if not delivery.lane.startswith(LANE):
        return None
    return await store.find(Proof, delivery.lane.removeprefix(LANE))


async def _void(store: Store, proof: Proof, now: datetime) -> Changes:
    if proof.open_for is None:
        return Changes()
    changes = Changes(replacements=[msgspec.structs.replace(proof, open_for=None)])
    return changes + await asker_told(store, proof, Because(key="proof.undelivered", args={"address": proof.mail}), now)


async def asker_told(store: Store, proof: Proof, because: Because, now: datetime) -> Changes:
    """What became of a proof, for whoever asked for it; nothing where they may not know any more."""
    asker = await store.find(Secretary, proof.asked_by)
    if asker is None or not asker.active or not may_serve(asker, proof.account_id):
        return Changes()
    return Changes(inserts=[sentence_for(asker, because, now)])


async def about(store: Store, account_id: AccountId, ids: Collection[str], mail: Collection[str]) -> Changes:
    """What goes with somebody who is forgotten: proofs of theirs, or mailed to them, and the letters.

    Raises:
        StillInUse: one of these is leaving.
    """
    found = [p async for p in everyones(store, account_id) if p.contact_id in ids or p.mail in mail]
    letters = await store.find_many(Delivery, [p.delivery_id for p in found])
    if any(d.state is DeliveryState.LEASED for d in letters.values()):
        raise StillInUse("a proof of theirs is leaving")
    return Changes(
        deletions=[*found, *letters.values()],
        blob_deletions=[d.payload.blob_id for d in letters.values() if isinstance(d.payload, Letter)],
    )


async def everyones(store: Store, account_id: AccountId) -> AsyncIterator[Proof]:
    """Every proof that was asked for in an account and is not long over."""
    after = ""
    while page := await store.scan(Proof, after=after):
        for proof in page:
            if proof.account_id == account_id:
                yield proof
        after = page[-1].id
