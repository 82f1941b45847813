"""What a mail server reports of a mail of ours: which delivery it is about, and what a person must do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from inbox.machinery import DeskKey
from inbox.matching import read_message_id
from inbox.model import Delivery, Message
from inbox.notices import Letter
from inbox.outbox import list_replies
from inbox.particulars import Bounce, Failure, FailureKind
from inbox.parts import AccountId
from inbox.store.base import Store

FAILED = (FailureKind.PERMANENT, FailureKind.TEMPORARY)
"""It has not arrived, and nobody goes on trying."""
MOST_REPORTED = 200
"""Recipients of one delivery that are remembered: a forger's report may name any number."""


class Reported(NamedTuple):
    """The message a report is about, and the deliveries that carried it."""

    message: Message
    """Ours; or the client's, where the report is about our acknowledgement of it."""
    deliveries: list[Delivery]


async def find_reported(store: Store, key: DeskKey, account_id: AccountId, bounce: Bounce) -> Reported | None:
    """What of ours a report is about; None when nothing proves that it is about anything.

    Reports come from servers, who take part in no conversation, and anyone can
    write one: only our own signature, in the same account, finds the delivery.
    """
    message_id = read_message_id(key, bounce.original_id)
    message = await store.find(Message, message_id) if message_id is not None else None
    if message is None or message.account_id != account_id:
        return None
    carried = await list_replies(store, message.id)
    deliveries = [d for d in carried if isinstance(d.payload, Letter) and d.payload.message_id == bounce.original_id]
    return Reported(message, deliveries) if deliveries else None


def marked(deliveries: Sequence[Delivery], failures: Sequence[Failure]) -> list[Delivery]:
    """Those of the deliveries that change by what is reported, with it; none when all of it was known before."""
    after = {delivery.id: delivery for delivery in deliveries}
    for failure in failures:
        delivery = after[_carrier(deliveries, failure).id]
        before = next((f for f in delivery.reported if f.address == failure.address), None)
        if before is not None and (before.kind in FAILED or _same(before, failure)):
            continue  # the last word was said
        others = tuple(f for f in delivery.reported if f is not before)
        if len(others) < MOST_REPORTED:
            after[delivery.id] = msgspec.structs.replace(delivery, reported=(*others, failure))
    return [after[d.id] for d in deliveries if after[d.id] is not d]


def _carrier(deliveries: Sequence[Delivery], failure: Failure) -> Delivery:
    """The delivery that went to this recipient; the first where the address changed on the way."""
    return next((d for d in deliveries if failure.address in _recipients(d)), deliveries[0])


def _recipients(delivery: Delivery) -> tuple[str, ...]:
    return tuple(r.lower() for r in delivery.payload.recipients) if isinstance(delivery.payload, Letter) else ()


def _same(before: Failure, failure: Failure) -> bool:
    return (before.kind, before.code) == (failure.kind, failure.code)


def is_for_first(message: Message, failure: Failure) -> bool:
    """Whether it is whom the message was for who has not got it: its first recipient, or who can only be that."""
    recipients = [r.lower() for r in message.recipients]
    return not recipients or failure.address == recipients[0] or failure.address not in recipients


def said_of(delivery: Delivery) -> list[Failure]:
    """What is reported of a delivery, with the address it was written to where the report names none."""
    recipients = _recipients(delivery)
    return [
        f if f.address or len(recipients) != 1 else msgspec.structs.replace(f, address=recipients[0])
        for f in delivery.reported
    ]


def advice(failure: Failure) -> str:
    """What to do about it: the key of a sentence. By the status's subject and detail (RFC 3463 §3.2–3.8)."""
    subject, _, detail = failure.code.partition(".")[2].partition(".")
    match subject, detail:
        case ("1", "2") | ("4", "3" | "4" | "310" | "312"):
            return "undelivered.domain"
        case ("1", "7" | "8"):  # it is our own address they mean
            return "undelivered.refused"
        case ("1", _):
            return "undelivered.address"
        case ("2", "2"):
            return "undelivered.full"
        case ("2", "3") | ("3", "4"):
            return "undelivered.too_large"
        case ("2", _):
            return "undelivered.closed"
        case ("6" | "7", _):
            return "undelivered.refused"
        case ("4", _):
            return "undelivered.unreachable"
    return "undelivered.temporary" if failure.kind is FailureKind.TEMPORARY else "undelivered.other"
