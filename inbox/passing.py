"""A telephone message on its way to whom it is for: by Telegram, by mail, or both, as each of them chose."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from inbox.assignment import balance, is_supervisor, may_serve, queued
from inbox.calls import is_call
from inbox.conversations import REOPENED, event, over, placement_event
from inbox.deadlines import due
from inbox.errors import InvalidTransition
from inbox.model import (
    Account,
    Alarm,
    Conversation,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Message,
    Presence,
    Principal,
    Priority,
    Secretary,
    Status,
    Way,
)
from inbox.notices import TakenNotice
from inbox.outbox import card_for, sentence_for, shown_to
from inbox.parts import PHONE, Because, ConversationId, MessageId
from inbox.principals import list_principals
from inbox.store.base import Changes, Store
from inbox.store.documents import DELIVERIES_OF_CONVERSATION, MESSAGES_OF_CONVERSATION, SECRETARIES

MOST_SECRETARIES = 10_000
ON_THEIR_WAY = (DeliveryState.DUE, DeliveryState.LEASED)


def has_mail(account: Account) -> bool:
    """Whether its telephone messages can be passed on by mail."""
    return bool(account.messages_to and account.mailbox and account.identity.from_address)


class Routes(NamedTuple):
    """By which ways a telephone message goes to an account; by none, where nothing leads there."""

    mail: bool = False
    rings: tuple[Principal, ...] = ()
    """Who has it in Telegram."""
    quietly: tuple[Principal, ...] = ()
    """Who has it there without a sound: they want only what is urgent to ring, and it has no other way."""

    @property
    def exist(self) -> bool:
        """Whether it arrives anywhere."""
        return self.mail or bool(self.rings or self.quietly)


def routes(account: Account, principals: Iterable[Principal], *, urgent: bool) -> Routes:
    """The ways a telephone message goes: those its principals chose; by mail where they said nothing.

    Whoever wants mail has it in Telegram where the account has no address: nothing is for nobody.
    """
    by_mail = has_mail(account)
    mail, rings, quietly = False, [], []
    everyone = list(principals)
    for each in everyone:
        way = each.way or Way.MAIL
        if way is Way.URGENT:
            if urgent:
                rings.append(each)
            elif by_mail:
                mail = True
            else:
                quietly.append(each)
            continue
        if way is not Way.MAIL or not by_mail:
            rings.append(each)
        mail = mail or (way is not Way.TELEGRAM and by_mail)
    return Routes(mail or (by_mail and not everyone), tuple(rings), tuple(quietly))


async def routes_to(store: Store, account: Account, *, urgent: bool) -> Routes:
    """The same, with those who speak for it now."""
    return routes(account, await list_principals(store, account.id), urgent=urgent)


async def told_in_telegram(
    store: Store,
    account: Account,
    conversation: Conversation,
    message: Message,
    secretary: Secretary,
    now: datetime,
    due_at: datetime,
) -> Changes:
    """A telephone message for each of an account's principals who wants it in Telegram.

    Args:
        message: whose words they read.
        due_at: until then it can be taken back.
    """
    way = await routes_to(store, account, urgent=conversation.priority is Priority.URGENT)
    made = []
    for principal in (*way.rings, *way.quietly):
        payload = TakenNotice(
            principal_id=principal.id,
            message_id=message.id,
            secretary_id=secretary.id,
            quiet=principal in way.quietly,
        )
        shown = shown_to(principal, payload, now, about=conversation)
        # What is not to ring comes with what the day brought, where they want that.
        later = principal.digest_at if principal in way.quietly and principal.digest_at is not None else due_at
        made.append(msgspec.structs.replace(shown, due_at=max(due_at, later)))
    return Changes(inserts=made)


async def list_told(store: Store, conversation_id: ConversationId, *states: DeliveryState) -> list[Delivery]:
    """What principals are, or were, told of a call in Telegram."""
    found: list[Delivery] = []
    for state in states:
        found += await store.list(DELIVERIES_OF_CONVERSATION, conversation_id, DeliveryKind.NOTICE, state)
    return [each for each in found if isinstance(each.payload, TakenNotice)]


async def called_off(
    store: Store, conversation_id: ConversationId, message_id: MessageId | None, now: datetime
) -> Changes:
    """What principals were to be told is taken back with the letter that says the same.

    Args:
        message_id: the letter's.

    Raises:
        InvalidTransition: one of them is being told at this moment, or has read it.
    """
    read = await list_told(store, conversation_id, DeliveryState.SENT)
    has_it = any(isinstance(d.payload, TakenNotice) and d.payload.message_id == message_id for d in read)
    if has_it or await list_told(store, conversation_id, DeliveryState.LEASED):
        raise InvalidTransition("error.too_late")
    waiting = await list_told(store, conversation_id, DeliveryState.DUE)
    return Changes(
        replacements=[
            msgspec.structs.replace(d, state=DeliveryState.CANCELLED, due_at=None, ended_at=now) for d in waiting
        ]
    )


# ---------------------------------------------------------------- what became of it


async def arrived(store: Store, delivery: Delivery, told: TakenNotice, now: datetime) -> Changes:
    """A principal has it: the history says who, and a call that goes by Telegram alone is done with the first of them.

    Whoever opened it again since, or waits in it for an answer, goes on with it.
    """
    if delivery.conversation_id is None:
        return Changes()
    before = await store.get(Conversation, delivery.conversation_id)
    principal = await store.get(Principal, told.principal_id)
    changes = Changes(inserts=[event("told_principal", before, now, detail={"other": principal.name})])
    is_reopened = before.because is not None and before.because.key == REOPENED
    taken_up = is_reopened or before.waiting_since_at is not None
    if before.channel_id != PHONE or taken_up or not await is_all_there_is(store, before):
        return changes
    if any(d.id != delivery.id for d in await list_told(store, before.id, DeliveryState.SENT)):
        return changes
    alarm = await store.find(Alarm, before.id)
    if alarm is not None and alarm.due_at is not None:  # it is done once somebody has seen it
        return changes + Changes(expectations=[alarm])
    after = over(before, Because(key="because.passed_on"), now)
    changes += Changes(replacements=[after]) + await balance(store, before, after, now)
    if before.assignee_id is not None:
        holder = await store.get(Secretary, before.assignee_id)
        changes += Changes(inserts=[card_for(holder, after, now, fresh=False)])
    return changes


async def is_all_there_is(store: Store, conversation: Conversation) -> bool:
    """Whether an open conversation is a telephone message and nothing else."""
    if conversation.status is Status.CLOSED or conversation.inbound_count != 1:
        return False
    said = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, limit=1)
    return bool(said) and is_call(said[0])  # what was merged has none


async def whom_to_tell(store: Store, conversation: Conversation, first: str = "") -> list[Secretary]:
    """Who must know that an account does not: whoever passed it on, its holder, and the supervisors.

    Args:
        first: the secretary who is named first, where she still serves the account.
    """
    everyone = await store.list(SECRETARIES, True, limit=MOST_SECRETARIES)
    serving = [s for s in everyone if may_serve(s, conversation.account_id)]
    wanted = [s for s in serving if is_supervisor(s) or s.id in (first, conversation.assignee_id)]
    return sorted(wanted, key=lambda s: (s.id != first, s.id != conversation.assignee_id, s.id))


async def not_told(store: Store, delivery: Delivery, told: TakenNotice, now: datetime, *, by_mail: bool) -> Changes:
    """A principal cannot be reached: the desk is told, and what reaches nobody waits for an answer again.

    Args:
        by_mail: it leaves by mail instead, in the same commit.

    Raises:
        NotFound: the conversation was erased.
    """
    conversation = await store.get(Conversation, delivery.conversation_id or "")
    principal = await store.get(Principal, told.principal_id)
    others = [d for d in await list_told(store, conversation.id, *ON_THEIR_WAY) if d.id != delivery.id]
    has_it = await list_told(store, conversation.id, DeliveryState.SENT)
    goes_on = by_mail or conversation.channel_id != PHONE
    says = "notice.not_told_nobody"
    if others or has_it:
        says = "notice.not_told_others"
    if goes_on:
        says = "notice.not_told_mail"
    args = {"number": str(conversation.number), "name": principal.name}
    because = Because(key=says, args=args)
    people = await whom_to_tell(store, conversation, told.secretary_id)
    changes = Changes(
        inserts=[
            *(sentence_for(s, because, now) for s in people),
            event("not_told_principal", conversation, now, detail={"other": principal.name}),
        ],
        # Two who cannot be reached, at the same moment: one of them is the last.
        expectations=others,
    )
    if goes_on or others or has_it or conversation.merged_into is not None:
        return changes
    return changes + await waits_again(store, conversation, Because(key="because.not_told"), now)


async def waits_again(store: Store, before: Conversation, because: Because, now: datetime) -> Changes:
    """What reached nobody it was for, before its holder, who is rung, or in the queue."""
    after = msgspec.structs.replace(
        before,
        status=Status.OPEN,
        closed_at=None,
        snoozed_until_at=None,
        waiting_since_at=before.waiting_since_at or now,
        because=because,
    )
    after = due(after, await store.get(Account, after.account_id))
    holder = await store.get(Secretary, before.assignee_id) if before.assignee_id is not None else None
    presence = await store.find(Presence, holder.id) if holder is not None else None
    if holder is None or presence is None or not presence.on_duty or not may_serve(holder, before.account_id):
        after = queued(after, because, now)
        told = Changes(inserts=[placement_event(after, now)])
    else:
        told = Changes(inserts=[card_for(holder, after, now, fresh=True)])
    return told + Changes(replacements=[after]) + await balance(store, before, after, now)
