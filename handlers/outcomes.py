"""How far what we wrote has got, what mail servers reported of it since, and what a person must decide. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from aiogram.utils.formatting import Bold, Text

from handlers.legible import one_line
from inbox.model import Delivery, DeliveryState, Direction, Message
from inbox.notices import Letter
from inbox.particulars import Failure, FailureKind
from inbox.parts import MessageId
from inbox.reports import FAILED, advice, said_of

if TYPE_CHECKING:
    from handlers.views import Voice

Replies = Mapping[MessageId, Sequence[Delivery]]
"""The deliveries of outbound messages."""


def delivery_state(deliveries: Sequence[Delivery], voice: Voice) -> str:
    """How far an outbound message has got, in a few words, and what mail servers reported of it since."""
    reported = [failure for delivery in deliveries for failure in said_of(delivery)]
    said = [
        voice.say(_REPORTED[failure.kind], who=_whom(failure, deliveries))
        for failure in sorted(reported, key=lambda f: f.kind not in FAILED)[:3]
    ]
    if len(reported) > 3:
        said.append(f"+{len(reported) - 3}")
    recipients = {r for d in deliveries if isinstance(d.payload, Letter) for r in d.payload.recipients}
    if reported and len(recipients) <= sum(1 for f in reported if f.kind in FAILED):
        return " · ".join(said)  # "sent" would say that somebody has it
    return " · ".join([_leaving(deliveries, voice), *said])


_REPORTED = {
    FailureKind.PERMANENT: "delivery.undelivered",
    FailureKind.TEMPORARY: "delivery.undelivered",
    FailureKind.DELAYED: "delivery.delayed",
    FailureKind.DELIVERED: "delivery.arrived",
}


def _whom(failure: Failure, deliveries: Sequence[Delivery]) -> str:
    """The address a report names, or those it can only be about."""
    if failure.address:
        return one_line(failure.address, 100)
    letters = [d.payload for d in deliveries if isinstance(d.payload, Letter)]
    return one_line(", ".join(recipient for letter in letters for recipient in letter.recipients), 200)


def _leaving(deliveries: Sequence[Delivery], voice: Voice) -> str:
    divided = _divided(deliveries, voice)
    if divided:
        return divided
    states = {d.state for d in deliveries}
    for state in (DeliveryState.DEAD, DeliveryState.UNKNOWN):
        if state in states:
            return voice.say(f"delivery.{state}")
    if states & {DeliveryState.DUE, DeliveryState.QUEUED, DeliveryState.LEASED}:
        errors = [d.error for d in deliveries if d.state is DeliveryState.DUE and d.error]
        return f"{voice.say('delivery.retrying')} — {voice.say(errors[0])}" if errors else voice.say("delivery.due")
    if DeliveryState.CANCELLED in states:
        return voice.say("delivery.cancelled")
    ended = max((d.ended_at for d in deliveries if d.ended_at is not None), default=None)
    return voice.say("delivery.sent", when=voice.when(ended)) if ended else voice.say("delivery.due")


def _divided(deliveries: Sequence[Delivery], voice: Voice) -> str:
    """The same of a mail that some have and others have not; empty for any other."""
    letters = [(d, d.payload) for d in deliveries if isinstance(d.payload, Letter)]
    arrived = [d.ended_at for d, _ in letters if d.state is DeliveryState.SENT and d.ended_at is not None]
    without = [(d, r) for d, letter in letters for r in letter.recipients if d.state is not DeliveryState.SENT]
    if not arrived or not without:
        return ""
    pending = [(d, r) for d, r in without if d.state in (DeliveryState.DUE, DeliveryState.LEASED)]
    return voice.say(
        "delivery.partly_due" if pending else "delivery.partly",
        when=voice.when(max(arrived)),
        who=one_line(", ".join(recipient for _, recipient in pending or without), 200),
    )


def undecided(replies: Replies) -> list[Delivery]:
    """What may have left, or will not: somebody must say what becomes of it."""
    return [
        d
        for deliveries in replies.values()
        for d in deliveries
        if d.state in (DeliveryState.DEAD, DeliveryState.UNKNOWN)
    ]


def trouble(messages: Sequence[Message], replies: Replies, voice: Voice) -> list[Text | str]:
    """What a person must decide, and what is known about it."""
    lines: list[Text | str] = []
    for delivery in undecided(replies)[:3]:
        error = voice.say(delivery.error or "failure.other")
        lines += ["\n\n", Bold(_what_failed(delivery, replies, voice)), "\n", error]
    for failure, deliveries in _returned(messages, replies)[:3]:
        who = _whom(failure, deliveries)
        lines += ["\n\n", Bold(voice.say("trouble.undelivered", who=who)), "\n", voice.say(advice(failure), who=who)]
    return lines


def _returned(messages: Sequence[Message], replies: Replies) -> list[tuple[Failure, Sequence[Delivery]]]:
    """Whom the newest reply did not reach, as mail servers report; what was said since speaks for itself."""
    outbound = [m for m in messages if m.direction is Direction.OUTBOUND]
    if not outbound:
        return []
    deliveries = replies.get(outbound[-1].id, ())
    return [(failure, deliveries) for d in deliveries for failure in said_of(d) if failure.kind in FAILED]


def _what_failed(delivery: Delivery, replies: Replies, voice: Voice) -> str:
    together = next((d for d in replies.values() if delivery in d), ())
    if len(together) < 2 or not isinstance(delivery.payload, Letter):
        return voice.say(f"trouble.{delivery.state}")
    who = one_line(", ".join(delivery.payload.recipients), 200)
    is_dead = delivery.state is DeliveryState.DEAD
    return voice.say("trouble.dead_for" if is_dead else "trouble.unknown_for", who=who)
