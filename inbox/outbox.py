"""The outbox: everything that leaves, from due to its end. Never silently gone, never blindly repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from inbox.assignment import balance
from inbox.calls import is_call
from inbox.conversations import event
from inbox.errors import InvalidTransition
from inbox.matching import chat_message_id, in_own_telegram
from inbox.model import (
    Alarm,
    Conversation,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Draft,
    Event,
    Message,
    Principal,
    Secretary,
    Status,
)
from inbox.notices import (
    CardNotice,
    DigestNotice,
    FileNotice,
    KeepNotice,
    Letter,
    Payload,
    Post,
    PreviewNotice,
    TextNotice,
)
from inbox.particulars import FailureKind
from inbox.parts import AccountId, Because, Button, ChannelId, ConversationId, DeliveryId, MessageId, new_id
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    DELIVERIES_AFTER,
    DELIVERIES_OF_CONVERSATION,
    DELIVERIES_OF_MESSAGE,
    DRAFT_OF_MESSAGE,
    MESSAGES_OF_CONVERSATION,
)

LEASE = timedelta(minutes=12)
"""Longer than any call to Telegram may take, the upload of a large file and the making of a voice message included."""
LETTER_LEASE = timedelta(minutes=50)
"""Longer than a mail server may take for all of it: greeting, commands, text, and the answer to the final dot.

See `channels.mail.smtp.Patience`."""
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=15)
GIVE_UP_AFTER = timedelta(days=2)

PENDING = (DeliveryState.DUE, DeliveryState.QUEUED)
UNSETTLED = (
    DeliveryState.QUEUED,
    DeliveryState.DUE,
    DeliveryState.LEASED,
    DeliveryState.UNKNOWN,
    DeliveryState.DEAD,
)


# ---------------------------------------------------------------- notices


def notice(
    payload: Payload,
    channel_id: ChannelId,
    chat_id: int,
    now: datetime,
    *,
    account_id: AccountId | None = None,
    conversation_id: ConversationId | None = None,
    kind: DeliveryKind = DeliveryKind.NOTICE,
) -> Delivery:
    """Something to show in a chat at once. Showing it twice does no harm, so it is repeated when in doubt."""
    return Delivery(
        id=DeliveryId(new_id()),
        account_id=account_id,
        conversation_id=conversation_id,
        kind=kind,
        channel_id=channel_id,
        lane=f"{channel_id}:{chat_id}",
        state=DeliveryState.DUE,
        due_at=now,
        payload=payload,
        created_at=now,
    )


def shown_to(
    person: Secretary | Principal,
    payload: Payload,
    now: datetime,
    *,
    about: Conversation | Draft | Message | None = None,
) -> Delivery:
    """Something to show somebody in their chat with the desk.

    Args:
        about: what it is erased with.
    """
    of = about.id if isinstance(about, Conversation) else about.conversation_id if about is not None else None
    return notice(
        payload,
        person.channel_id,
        person.chat_id,
        now,
        account_id=about.account_id if about is not None else None,
        conversation_id=of,
    )


def card_for(
    secretary: Secretary,
    conversation: Conversation,
    now: datetime,
    *,
    fresh: bool,
    quiet: bool = False,
    asks: bool = False,
) -> Delivery:
    """The conversation's card, for this secretary.

    Args:
        asks: she wanted to see it, so her reply box may open. Never of what comes by itself: it would take the words
            she is writing to somebody else.
    """
    card = CardNotice(secretary_id=secretary.id, conversation_id=conversation.id, fresh=fresh, quiet=quiet, asks=asks)
    return shown_to(secretary, card, now, about=conversation)


def preview_for(secretary: Secretary, draft: Draft, now: datetime, *, fresh: bool) -> Delivery:
    """The draft as the client will see it, for its author."""
    return shown_to(
        secretary, PreviewNotice(secretary_id=secretary.id, draft_id=draft.id, fresh=fresh), now, about=draft
    )


def keep_for(secretary: Secretary, draft: Draft, now: datetime) -> Delivery:
    """The draft's files fetched and kept here, as far as they leave by another way than they came."""
    fetched = shown_to(secretary, KeepNotice(secretary_id=secretary.id, draft_id=draft.id), now, about=draft)
    # In a lane of its own: no card waits for a slow file.
    return msgspec.structs.replace(fetched, lane=f"draft:{draft.id}")


def sentence_for(
    secretary: Secretary,
    because: Because,
    now: datetime,
    *,
    reply_to: int | None = None,
    buttons: tuple[tuple[Button, ...], ...] = (),
    about: Conversation | None = None,
) -> Delivery:
    """One sentence of the catalogue, for this secretary.

    Args:
        about: what it is erased with.
    """
    return shown_to(
        secretary,
        TextNotice(
            chat_id=secretary.chat_id,
            language=secretary.language,
            because=because,
            reply_to=reply_to,
            buttons=buttons,
        ),
        now,
        about=about,
    )


# ---------------------------------------------------------------- replies


def replies(
    message: Message,
    conversation: Conversation,
    payloads: Sequence[Letter | Post],
    tail: Delivery | None,
    now: datetime,
    due_at: datetime,
) -> list[Delivery]:
    """The deliveries that carry an outbound message, each waiting for the one before it.

    Args:
        tail: an earlier reply of the conversation that has not ended; this one leaves behind it.
    """
    made: list[Delivery] = []
    previous = tail.id if tail else None
    for payload in payloads:
        waits = previous is not None
        delivery = Delivery(
            id=DeliveryId(new_id()),
            account_id=message.account_id,
            conversation_id=message.conversation_id,
            message_id=message.id,
            kind=DeliveryKind.REPLY,
            channel_id=conversation.channel_id,
            lane=f"conversation:{conversation.id}",
            state=DeliveryState.QUEUED if waits else DeliveryState.DUE,
            due_at=None if waits else due_at,
            after=previous,
            earliest_at=due_at,
            payload=payload,
            created_at=now,
        )
        made.append(delivery)
        previous = delivery.id
    return made


async def last_unsettled_reply(store: Store, conversation_id: ConversationId) -> Delivery | None:
    """The last reply of a conversation that has not ended: what a further one must wait for."""
    open_ends: list[Delivery] = []
    for state in UNSETTLED:
        open_ends += await store.list(DELIVERIES_OF_CONVERSATION, conversation_id, DeliveryKind.REPLY, state)
    # The one nothing waits for: ids of several workers are only as ordered as their clocks.
    awaited = {d.after for d in open_ends}
    return max((d for d in open_ends if d.id not in awaited), key=lambda d: d.id, default=None)


async def list_undecided(store: Store, conversation_id: ConversationId) -> list[Delivery]:
    """The replies of a conversation that wait for a person's decision."""
    found: list[Delivery] = []
    for state in (DeliveryState.DEAD, DeliveryState.UNKNOWN):
        found += await store.list(DELIVERIES_OF_CONVERSATION, conversation_id, DeliveryKind.REPLY, state)
    return found


async def list_replies(store: Store, message_id: MessageId) -> list[Delivery]:
    """The deliveries that carry one outbound message, in order."""
    return await store.list(DELIVERIES_OF_MESSAGE, message_id)


def is_revocable(deliveries: Sequence[Delivery]) -> bool:
    """Whether a reply can still be taken back: no part of it has left, or may have. A failed attempt had no effect."""
    return bool(deliveries) and all(d.state in PENDING and not d.irrevocable for d in deliveries)


async def cancel_reply(store: Store, message: Message, now: datetime) -> Changes:
    """Take an outbound message back before any of it left.

    Raises:
        InvalidTransition: it is leaving or has left.
    """
    deliveries = await list_replies(store, message.id)
    if not is_revocable(deliveries):
        raise InvalidTransition("error.too_late")
    changes = Changes(
        replacements=[
            msgspec.structs.replace(d, state=DeliveryState.CANCELLED, due_at=None, after=None, ended_at=now)
            for d in deliveries
        ]
    )
    ours = {d.id for d in deliveries}
    for delivery in deliveries:
        followers = [f for f in await store.list(DELIVERIES_AFTER, delivery.id) if f.id not in ours]
        changes += Changes(replacements=[_let_go(f, now) for f in followers])
    return changes


# ---------------------------------------------------------------- handing over


def leased(delivery: Delivery, worker: str, now: datetime) -> Delivery:
    """The delivery in a worker's hands; committed before anything is handed over."""
    return msgspec.structs.replace(
        delivery,
        state=DeliveryState.LEASED,
        due_at=None,
        leased_by=worker,
        lease_until_at=now + _lease_for(delivery),
        attempts=delivery.attempts + 1,
    )


def _lease_for(delivery: Delivery) -> timedelta:
    return LETTER_LEASE if isinstance(delivery.payload, Letter | DigestNotice) else LEASE


def may_begin(leased: Delivery, now: datetime) -> bool:
    """Whether the effect may still begin under this lease: only in its first tenth.

    A worker that slept since (a stopped process, a laptop's lid, a store that
    hung) could otherwise hand over what another has taken over meanwhile.
    What begins in time also ends before the lease does.
    """
    if leased.lease_until_at is None:
        return False
    return leased.lease_until_at - now > _lease_for(leased) * 9 / 10


def come_back(leased: Delivery, current: Delivery) -> Delivery | None:
    """The delivery for a worker that returns and knows how its own attempt ended, whatever is made of it by now.

    Others may have called it unknown, or due again, when its lease ran out:
    who handed it over knows better. None when that attempt is history: a
    person decided, or another attempt began.
    """
    # Sending again begins a new life: `created_at` moves with it.
    same = (current.attempts, current.created_at) == (leased.attempts, leased.created_at)
    open_still = current.state in (DeliveryState.LEASED, DeliveryState.UNKNOWN, DeliveryState.DUE)
    if not same or not open_still:
        return None
    # What a mail server reported meanwhile is nobody's attempt.
    return msgspec.structs.replace(leased, version=current.version, reported=current.reported)


def put_off(delivery: Delivery, until: datetime) -> Delivery:
    """The delivery when it is not its turn yet; nothing was tried."""
    return msgspec.structs.replace(delivery, due_at=until)


def given_back(delivery: Delivery, now: datetime) -> Delivery:
    """A leased delivery that was not handed over after all; nothing was tried."""
    return msgspec.structs.replace(
        delivery,
        state=DeliveryState.DUE,
        due_at=now,
        leased_by=None,
        lease_until_at=None,
        attempts=delivery.attempts - 1,
    )


def _ended(delivery: Delivery, state: DeliveryState, now: datetime, **fields: str | None) -> Delivery:
    return msgspec.structs.replace(
        delivery,
        state=state,
        due_at=None,
        lease_until_at=None,
        leased_by=None,
        after=None,
        ended_at=now,
        **fields,
    )


def _let_go(follower: Delivery, now: datetime) -> Delivery:
    due_at = max(now, follower.earliest_at or now)
    return msgspec.structs.replace(follower, state=DeliveryState.DUE, due_at=due_at, after=None)


def is_repeatable(delivery: Delivery) -> bool:
    """Whether handing it over twice does no harm: what a secretary sees may come twice, what a client reads may not."""
    return delivery.kind is DeliveryKind.NOTICE


async def sent(store: Store, delivery: Delivery, sent_as: str, now: datetime) -> Changes:
    """It arrived at its server: the next of its conversation may leave."""
    changes = await _arrived(store, delivery, sent_as, now)
    if delivery.kind is DeliveryKind.REPLY and delivery.message_id and isinstance(delivery.payload, Post):
        message = changes.newest(await store.get(Message, delivery.message_id))
        # Telegram names a message only now: by this name the client's reply to it finds its conversation.
        post = delivery.payload
        name = chat_message_id(delivery.channel_id, in_own_telegram(post.through, f"{post.chat_id}:{sent_as}"))
        if message.external_id == unsent_id(message.id):
            changes += Changes(replacements=[msgspec.structs.replace(message, external_id=name)])
        elif name != message.external_id:
            changes += Changes(replacements=[msgspec.structs.replace(message, parts=(*message.parts, name))])
    return changes


async def _arrived(store: Store, delivery: Delivery, sent_as: str, now: datetime) -> Changes:
    changes = Changes(replacements=[_ended(delivery, DeliveryState.SENT, now, sent_as=sent_as, error=None)])
    if delivery.kind is not DeliveryKind.REPLY or delivery.message_id is None:
        return changes
    changes += await _followers_let_go(store, delivery, now)
    message = await store.get(Message, delivery.message_id)
    if await _answers(store, delivery, message):
        return changes + await _answered(store, delivery, message, now)
    if isinstance(delivery.payload, Letter):
        changes += await _show(store, delivery, now)
    return changes


async def _answers(store: Store, delivery: Delivery, message: Message) -> bool:
    """Whether the message has reached whom it is for, once this delivery is sent."""
    if isinstance(delivery.payload, Letter):
        return not delivery.payload.copy and not has_failed(delivery)
    return await _others_all_sent(store, delivery, message.id)


def has_failed(delivery: Delivery) -> bool:
    """Whether a mail server reports, perhaps before the one we handed it to said yes, that somebody has not got it."""
    return any(f.kind in (FailureKind.PERMANENT, FailureKind.TEMPORARY) for f in delivery.reported)


def unsent_id(message_id: MessageId) -> str:
    """The external id of a Telegram message that Telegram has not named yet."""
    return f"unsent:{message_id}"


async def _followers_let_go(store: Store, delivery: Delivery, now: datetime) -> Changes:
    return Changes(replacements=[_let_go(f, now) for f in await store.list(DELIVERIES_AFTER, delivery.id)])


async def _others_all_sent(store: Store, delivery: Delivery, message_id: MessageId) -> bool:
    others = await list_replies(store, message_id)
    return all(d.state is DeliveryState.SENT for d in others if d.id != delivery.id)


async def _answered(store: Store, delivery: Delivery, message: Message, now: datetime) -> Changes:
    """The conversation is answered, unless its contact wrote again after what the author had seen."""
    before = await store.get(Conversation, message.conversation_id)
    after = before
    alarm = await store.find(Alarm, before.id)
    is_rung = alarm is not None and alarm.due_at is not None  # then it is done once somebody has seen it
    if (message.seen_inbound or 0) >= before.inbound_count:
        after = msgspec.structs.replace(before, waiting_since_at=None, answer_by_at=None)
        if before.inbound_count == 1 and not is_rung and await _was_passed_on(store, before):
            after = msgspec.structs.replace(
                after, status=Status.CLOSED, closed_at=now, queued_at=None, because=Because(key="because.passed_on")
            )
    changes = Changes(
        replacements=[after],
        inserts=[event("sent", after, now, detail={"message": message.id, "by": message.author_name})],
        expectations=[alarm] if alarm is not None and is_rung else [],
    )
    changes += await balance(store, before, after, now)
    return changes + await _show(store, delivery, now)


async def _was_passed_on(store: Store, conversation: Conversation) -> bool:
    """Whether all there is to a conversation is a telephone message, which the account has now."""
    said = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, limit=1)
    return conversation.status is Status.OPEN and bool(said) and is_call(said[0])


async def _show(store: Store, delivery: Delivery, now: datetime, *, ring: bool = False) -> Changes:
    """Bring card and preview of the reply's author up to date; `ring` sends a fresh card."""
    if delivery.message_id is None or delivery.conversation_id is None:
        return Changes()
    message = await store.get(Message, delivery.message_id)
    conversation = await store.get(Conversation, delivery.conversation_id)
    notices: list[Delivery] = []
    author = await store.find(Secretary, message.author_id)
    draft = await store.find_by(DRAFT_OF_MESSAGE, message.id)
    if author is not None:
        if draft is not None:
            notices.append(preview_for(author, draft, now, fresh=False))
            if draft.approved_by not in (None, author.id):
                approver = await store.get(Secretary, draft.approved_by or author.id)
                notices.append(preview_for(approver, draft, now, fresh=False))
        notices.append(card_for(author, conversation, now, fresh=ring))
    if conversation.assignee_id is not None and conversation.assignee_id != message.author_id:
        holder = await store.get(Secretary, conversation.assignee_id)
        notices.append(card_for(holder, conversation, now, fresh=ring))
    return Changes(inserts=notices)


async def retried(
    store: Store, delivery: Delivery, error: str, retry_after: timedelta | None, now: datetime
) -> Changes:
    """Not sent, nothing had an effect: due again after a growing wait, or dead after two days of trying."""
    if _is_hopeless(delivery, now):
        return await died(store, delivery, error, now)
    changes = Changes(replacements=[_due_again(delivery, error, retry_after, now)])
    if delivery.kind is DeliveryKind.REPLY:
        changes += await _show(store, delivery, now)
    return changes


def _is_hopeless(delivery: Delivery, now: datetime) -> bool:
    return now - delivery.created_at > GIVE_UP_AFTER


def _due_again(delivery: Delivery, error: str, retry_after: timedelta | None, now: datetime) -> Delivery:
    # A server that names a time means it; a wait of our own grows.
    wait = min(FIRST_WAIT * 2 ** min(delivery.attempts - 1, 16), LONGEST_WAIT) if retry_after is None else retry_after
    return msgspec.structs.replace(
        delivery, state=DeliveryState.DUE, due_at=now + wait, lease_until_at=None, leased_by=None, error=error
    )


async def divided(
    store: Store, delivery: Delivery, refused: Mapping[str, tuple[str, timedelta | None, bool]], now: datetime
) -> Changes:
    """Nothing left, because some recipients are refused: from here on each of those has a delivery of its own.

    The others are due at once. All of them carry the same octets and the same
    Message-ID, and no recipient is in two of them, so nobody gets it twice.

    Args:
        refused: by recipient: why, what time the server named, and whether it is for ever.
    """
    letter = delivery.payload
    if not isinstance(letter, Letter):
        raise TypeError("only a letter has recipients")
    first, *_ = letter.recipients
    others = tuple(r for r in letter.recipients if r not in refused)

    def part(*recipients: str) -> Letter:
        return msgspec.structs.replace(letter, recipients=recipients, copy=letter.copy or first not in recipients)

    rest = msgspec.structs.replace(
        delivery, payload=part(*others), state=DeliveryState.DUE, due_at=now, lease_until_at=None, leased_by=None
    )
    changes = Changes(replacements=[rest])
    for recipient, (error, retry_after, for_ever) in refused.items():
        alone = msgspec.structs.replace(delivery, id=DeliveryId(new_id()), version=0, payload=part(recipient))
        if for_ever or _is_hopeless(delivery, now):
            alone = _ended(alone, DeliveryState.DEAD, now, error=error)
            changes += Changes(inserts=await _told_of_end(store, alone, error, now))
        else:
            alone = _due_again(alone, error, retry_after, now)
        changes += Changes(inserts=[alone])
    ring = any(isinstance(d, Delivery) and d.state is DeliveryState.DEAD for d in changes.inserts.values())
    return changes + await _show(store, delivery, now, ring=ring)


async def died(store: Store, delivery: Delivery, error: str, now: datetime) -> Changes:
    """It will never be sent by itself. What was to follow it waits for a person."""
    return await _ended_badly(store, delivery, DeliveryState.DEAD, error, now)


async def unknown(store: Store, delivery: Delivery, error: str, now: datetime) -> Changes:
    """It may have left. It is not repeated; a person decides."""
    in_doubt = msgspec.structs.replace(delivery, irrevocable=True)
    return await _ended_badly(store, in_doubt, DeliveryState.UNKNOWN, error, now)


async def _ended_badly(store: Store, delivery: Delivery, state: DeliveryState, error: str, now: datetime) -> Changes:
    changes = Changes(replacements=[_ended(delivery, state, now, error=error)])
    if isinstance(delivery.payload, FileNotice):
        # She asked for it; a card that fails is shown by the next one.
        asked = await store.get(Secretary, delivery.payload.secretary_id)
        return changes + Changes(inserts=[sentence_for(asked, Because(key=error), now)])
    if delivery.kind is not DeliveryKind.REPLY or delivery.conversation_id is None:
        return changes
    changes += Changes(inserts=await _told_of_end(store, changes.newest(delivery), error, now))
    return changes + await _show(store, delivery, now, ring=True)


async def _told_of_end(store: Store, ended: Delivery, error: str, now: datetime) -> list[Event]:
    """The line of the history that says so."""
    if ended.conversation_id is None:
        return []
    conversation = await store.get(Conversation, ended.conversation_id)
    return [event(f"delivery_{ended.state}", conversation, now, detail={"delivery": ended.id, "error": error})]


async def lease_expired(store: Store, delivery: Delivery, now: datetime) -> Changes:
    """The worker that held it is gone: what may be repeated is due again, the rest may have left."""
    if is_repeatable(delivery):
        again = msgspec.structs.replace(
            delivery, state=DeliveryState.DUE, due_at=now, lease_until_at=None, leased_by=None
        )
        return Changes(replacements=[again])
    return await unknown(store, delivery, "failure.worker_died", now)


# ---------------------------------------------------------------- a person decides


async def send_again(store: Store, delivery: Delivery, secretary: Secretary, now: datetime) -> Changes:
    """Try a dead or unknown delivery once more, because a person says so: the same octets, the same Message-ID.

    Raises:
        InvalidTransition: it is neither dead nor unknown.
    """
    _require_undecided(delivery)
    again = msgspec.structs.replace(
        delivery,
        state=DeliveryState.DUE,
        due_at=now,
        ended_at=None,
        error=None,
        created_at=now,
        attempts=0,
        irrevocable=True,
    )
    return Changes(replacements=[again]) + await _decided(store, delivery, secretary, "sent_again", now)


async def confirm_sent(store: Store, delivery: Delivery, secretary: Secretary, now: datetime) -> Changes:
    """A person knows that an unknown delivery arrived.

    Raises:
        InvalidTransition: it is neither dead nor unknown.
    """
    _require_undecided(delivery)
    return await _arrived(store, delivery, f"confirmed by {secretary.id}", now) + await _decided(
        store, delivery, secretary, "confirmed", now
    )


async def give_up(store: Store, delivery: Delivery, secretary: Secretary, now: datetime) -> Changes:
    """A person lets a dead or unknown delivery rest, and the later parts of its message with it.

    The replies that waited behind it may leave.

    Raises:
        InvalidTransition: it is neither dead nor unknown.
    """
    _require_undecided(delivery)
    abandoned = [delivery]
    if delivery.message_id is not None:
        abandoned += [d for d in await list_replies(store, delivery.message_id) if d.state is DeliveryState.QUEUED]
    changes = Changes(replacements=[_ended(d, DeliveryState.CANCELLED, now) for d in abandoned])
    ids = {d.id for d in abandoned}
    for one in abandoned:
        followers = [f for f in await store.list(DELIVERIES_AFTER, one.id) if f.id not in ids]
        changes += Changes(replacements=[_let_go(f, now) for f in followers])
    return changes + await _decided(store, delivery, secretary, "given_up", now)


def _require_undecided(delivery: Delivery) -> None:
    if delivery.state not in (DeliveryState.DEAD, DeliveryState.UNKNOWN):
        raise InvalidTransition("error.already_decided")


async def _decided(store: Store, delivery: Delivery, secretary: Secretary, kind: str, now: datetime) -> Changes:
    if delivery.conversation_id is None:
        return Changes()
    conversation = await store.get(Conversation, delivery.conversation_id)
    line = event(kind, conversation, now, actor=secretary, detail={"delivery": delivery.id})
    return Changes(inserts=[line]) + await _show(store, delivery, now)
