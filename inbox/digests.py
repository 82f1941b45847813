"""What a day brought, for those an account belongs to: counted from what is stored, told once, at their hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from inbox.answered import has_left
from inbox.calls import is_call
from inbox.errors import NotFound
from inbox.model import (
    Account,
    Contact,
    Conversation,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Direction,
    Message,
    Principal,
    Status,
    Way,
)
from inbox.notices import DigestNotice
from inbox.outbox import shown_to
from inbox.parts import AccountId, ChannelId, DeliveryId
from inbox.passing import has_mail
from inbox.store.base import Changes, Store
from inbox.store.documents import CONVERSATIONS_OF_ACCOUNT, MESSAGES_OF_CONVERSATION

HOURS = (8, 12, 18, 20)
"""At which a digest may come."""
MOST_CONVERSATIONS = 500
"""Conversations of an account, the newest, that are looked through."""
_OF_ONE = 50


def next_at(hour: int, time_zone: str, now: datetime) -> datetime:
    """When it is next this hour there: of days with a change of clocks too, once a day."""
    zone = ZoneInfo(time_zone)
    day = now.astimezone(zone).date()
    while (moment := datetime.combine(day, time(hour), zone).astimezone(UTC)) <= now:
        day += timedelta(days=1)
    return moment


def wanted_at(principal: Principal, hour: int, time_zone: str, now: datetime) -> Principal:
    """The principal with a digest at this hour, by that clock; -1: with none.

    Raises:
        NotFound: it is no hour that can be chosen.
    """
    if hour == principal.digest_hour:
        return principal
    if hour == -1:
        return msgspec.structs.replace(principal, digest_hour=None, digest_at=None, digest_since_at=None)
    if hour not in HOURS:
        raise NotFound
    return msgspec.structs.replace(
        principal,
        digest_hour=hour,
        digest_at=next_at(hour, time_zone, now),
        digest_since_at=principal.digest_since_at or now,
    )


class Entry(NamedTuple):
    """One thing that came in."""

    at: datetime
    contact: str
    subject: str


class Digest(NamedTuple):
    """What a while brought an account."""

    account: Account
    received: int
    """Messages that people wrote."""
    calls: int
    answered: int
    """Replies that left in its name."""
    waiting: int
    """Requests somebody waits for an answer in, now."""
    newest: Sequence[Entry]
    """What came in and the calls, one line a request, the newest first."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to say."""
        return not (self.received or self.calls or self.answered or self.waiting)


async def digest_of(store: Store, account: Account, since: datetime, until: datetime) -> Digest:
    """What came in, was answered and waits."""
    found: list[Conversation] = []
    for status in Status:
        found += await store.list(
            CONVERSATIONS_OF_ACCOUNT, account.id, status, since=since, descending=True, limit=MOST_CONVERSATIONS
        )
    contacts = await store.find_many(Contact, {c.contact_id for c in found})
    received = calls = answered = 0
    newest: list[Entry] = []
    for conversation in found:
        contact = contacts.get(conversation.contact_id)
        if contact is None or contact.barred_at is not None:
            continue
        said = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, descending=True, limit=_OF_ONE)
        within = [m for m in said if since <= m.created_at < until]
        came = [m for m in within if m.direction is Direction.INBOUND and m.particulars.automatic is None]
        taken = sum(1 for m in came if is_call(m))
        calls, received = calls + taken, received + len(came) - taken
        for message in within:
            if message.direction is Direction.OUTBOUND and not _is_for_account(message, account):
                answered += await has_left(store, message)
        if came:
            newest.append(Entry(max(m.created_at for m in came), contact.name, conversation.subject))
    still_open = await store.list(
        CONVERSATIONS_OF_ACCOUNT, account.id, Status.OPEN, descending=True, limit=MOST_CONVERSATIONS
    )
    waiting = sum(1 for c in still_open if c.waiting_since_at is not None)
    return Digest(account, received, calls, answered, waiting, sorted(newest, key=lambda e: e.at, reverse=True))


def _is_for_account(message: Message, account: Account) -> bool:
    """Whether it passed a call on, and so was for whoever reads this."""
    return account.messages_to is not None and message.recipients == (account.messages_to,)


async def due(
    store: Store, principal: Principal, accounts: Mapping[AccountId, Account], time_zone: str, now: datetime
) -> Changes:
    """What is committed when the hour of a principal's digest has come: it leaves by their way, and the next is set.

    Nothing leaves where there is nothing to say. Its moment stands in the id of
    each delivery: no second one of it can ever be.
    """
    if principal.digest_hour is None or principal.digest_at is None:
        return Changes()
    theirs = [accounts[a] for a in principal.accounts if a in accounts and not accounts[a].retired]
    zone = theirs[0].time_zone if theirs else time_zone
    until, since = principal.digest_at, principal.digest_since_at or principal.digest_at - timedelta(days=1)
    after = msgspec.structs.replace(
        principal, digest_at=next_at(principal.digest_hour, zone, now), digest_since_at=until
    )
    changes = Changes(replacements=[after])
    told = [each for each in theirs if not (await digest_of(store, each, since, until)).is_empty]
    if not told or not principal.active:
        return changes
    way = principal.way or Way.MAIL
    by_mail = [a for a in told if has_mail(a) and way in (Way.MAIL, Way.BOTH)]
    made: list[Delivery] = []
    for account in by_mail:
        notice = DigestNotice(principal_id=principal.id, account_id=account.id, since_at=since, until_at=until)
        made.append(_letter(notice, account, f"{account.id}:{until.isoformat()}", now))
    if way is not Way.MAIL or len(by_mail) < len(told):
        notice = DigestNotice(principal_id=principal.id, since_at=since, until_at=until, quiet=way is Way.URGENT)
        shown = shown_to(principal, notice, now)
        made.append(msgspec.structs.replace(shown, id=DeliveryId(f"digest:{principal.id}:{until.isoformat()}")))
    known = await store.find_many(Delivery, [each.id for each in made])
    # Two who read one address are told there once.
    return changes + Changes(inserts=[each for each in made if each.id not in known])


def _letter(notice: DigestNotice, account: Account, key: str, now: datetime) -> Delivery:
    """To leave once: what a mail server may have is not sent again."""
    return Delivery(
        id=DeliveryId(f"digest:{key}"),
        account_id=account.id,
        kind=DeliveryKind.ACKNOWLEDGEMENT,
        channel_id=account.mailbox or ChannelId(""),
        lane=f"digest:{account.id}",
        state=DeliveryState.DUE,
        due_at=now,
        payload=notice,
        created_at=now,
    )
