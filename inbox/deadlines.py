"""By when an answer is due: what an account tells its clients to expect, counted in its opening time."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from inbox.hours import after_open
from inbox.model import Account, Conversation


def answer_by(account: Account, since: datetime) -> datetime | None:
    """By when somebody who writes at a moment has an answer; None where the account promises nothing.

    None, too, where it is not open for so long within a year.
    """
    if not account.answer_minutes:
        return None
    within = timedelta(minutes=account.answer_minutes)
    if account.hours is None:
        return since + within
    return after_open(account.hours, account.time_zone, since, within)


def due(conversation: Conversation, account: Account) -> Conversation:
    """The conversation with the deadline of its answer: set exactly while somebody waits for one that is promised."""
    waiting = conversation.waiting_since_at
    by = answer_by(account, waiting) if waiting is not None else None
    return msgspec.structs.replace(conversation, answer_by_at=by)


def is_late(conversation: Conversation, now: datetime) -> bool:
    """Whether an answer was due before now."""
    return conversation.answer_by_at is not None and conversation.answer_by_at <= now
