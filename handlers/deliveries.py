"""What leaves: due deliveries are leased, handed to their channel, and brought to the state that is true."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
import structlog

from channels.base import Channel, Chat, ChatFile, ChatMessage, Reply
from channels.errors import (
    ChannelError,
    LoginRejected,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
)
from handlers import views
from handlers.desk import Desk
from handlers.drafts import current_key, message_key
from handlers.queue import count_queued, list_queued
from handlers.views import CardFacts, PreviewFacts, QueueFacts, Screen, Voice
from inbox import outbox
from inbox.assignment import may_serve
from inbox.conversations import last_said_at
from inbox.drafts import hold_before_retry, last_inbound, reply_recipients
from inbox.errors import Conflict, NotFound, StoreUnavailable
from inbox.model import (
    Account,
    Address,
    CardNotice,
    ChannelId,
    Contact,
    Conversation,
    Delivery,
    DeliveryId,
    DeliveryState,
    Direction,
    Draft,
    DraftState,
    FileNotice,
    Letter,
    Message,
    MessageId,
    Post,
    Presence,
    PreviewNotice,
    QueueNotice,
    Secretary,
    Shown,
    ShownKind,
    Status,
    TextNotice,
    new_id,
)
from inbox.store.base import Changes, Store
from inbox.store.documents import (
    ADDRESSES_OF_CONTACT,
    CONVERSATIONS_HELD,
    DELIVERIES_DUE,
    DELIVERIES_LEASED,
    MESSAGES_OF_CONVERSATION,
    SHOWN_CURRENT,
)

log = structlog.get_logger(__name__)

T = TypeVar("T")

PAGE = 200
MOST_LANES = 32
"""Deliveries one channel hands over side by side; within a lane one after another."""
MOST_SETTLINGS = 50
STORE_WAIT = 1.0
ON_THE_QUEUE = 10
"""Waiting requests the queue lists."""
ON_A_CARD = 12
"""Messages a card looks back over."""


class Deliveries:
    """Hands due deliveries over, lane by lane, and records what became of each."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lanes: dict[str, deque[Delivery]] = {}
        self._in_flight: set[DeliveryId] = set()
        # A server that hangs keeps only its own channel's deliveries waiting.
        self._slots: dict[ChannelId, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(MOST_LANES))
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Lease nothing more; `run` returns once what is being handed over has ended."""
        self._stopping.set()

    async def run(self, *, alone: bool) -> None:
        """Deliver until stopped or cancelled. Sleeps exactly until something is due.

        Args:
            alone: no other worker shares this store, so every lease found at the start is a dead worker's.
        """
        watch = self._desk.store.watch(Delivery)
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            async with asyncio.TaskGroup() as lanes:
                await _patiently(lambda: self._recover(everything=alone))
                while not self._stopping.is_set():
                    sleep = await _patiently(lambda: self._gather(lanes))
                    waiting = asyncio.create_task(watch.wait(sleep))
                    try:
                        await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        waiting.cancel()
                        await asyncio.gather(waiting, return_exceptions=True)
        finally:
            stopping.cancel()
            watch.close()

    async def _recover(self, *, everything: bool) -> None:
        """End the leases whose workers are gone."""
        now = self._desk.clock()
        until = now + 10 * outbox.LEASE if everything else now
        for delivery in await self._desk.store.list(DELIVERIES_LEASED, until=until, limit=PAGE):
            if delivery.id in self._in_flight:
                continue
            changes = await outbox.lease_expired(self._desk.store, delivery, now)
            try:
                await self._desk.store.commit(changes)
            except Conflict:
                continue  # its worker came back and settled it
            log.warning("lease_expired", delivery=delivery.id, kind=delivery.kind, leased_by=delivery.leased_by)

    async def _gather(self, group: asyncio.TaskGroup) -> float | None:
        """Hand what is due to its lanes; the seconds until something else may be due."""
        store, now = self._desk.store, self._desk.clock()
        await self._recover(everything=False)
        last: Delivery | None = None
        while True:
            page = await store.list(DELIVERIES_DUE, until=now, after=last, limit=PAGE)
            for delivery in page:
                if delivery.id in self._in_flight:
                    continue
                self._in_flight.add(delivery.id)
                lane = self._lanes.get(delivery.lane)
                if lane is not None:
                    lane.append(delivery)
                    continue
                self._lanes[delivery.lane] = deque([delivery])
                group.create_task(self._work_through(delivery.lane))
            if len(page) < PAGE:
                break
            last = page[-1]
        following = await store.list(DELIVERIES_DUE, since=now, limit=1)
        leased = await store.list(DELIVERIES_LEASED, limit=1)
        moments = [d.due_at for d in following if d.due_at] + [d.lease_until_at for d in leased if d.lease_until_at]
        if not moments:
            return None
        return max((min(moments) - self._desk.clock()).total_seconds(), 0.01)

    async def _work_through(self, lane: str) -> None:
        waiting = self._lanes[lane]
        try:
            while waiting and not self._stopping.is_set():
                async with self._slots[waiting[0].channel_id]:
                    await self._deliver(waiting[0])
                self._in_flight.discard(waiting.popleft().id)
        finally:
            self._in_flight.difference_update(d.id for d in waiting)
            del self._lanes[lane]

    async def _deliver(self, delivery: Delivery) -> None:
        """Lease one delivery, hand it over, settle it. Killed anywhere in here, it is still leased: see `_recover`."""
        if await self._put_off(delivery):
            return
        leased = await self._lease(delivery)
        if leased is None:
            return
        store, clock = self._desk.store, self._desk.clock
        error: str
        wait: timedelta | None
        try:
            sent_as, beside = await self._hand_over(leased)
        except (OutcomeUnknown, PermanentFailure, TemporaryFailure, LoginRejected) as failure:
            error, wait = failure.reason, getattr(failure, "retry_after", None)
            outcome = _outcome(leased, failure)
            log.info(
                "not_delivered",
                delivery=leased.id,
                kind=leased.kind,
                outcome=outcome,
                reason=error,
                detail=failure.detail,
            )
            self._desk.meter.delivered(leased.channel_id, outcome)
            if outcome == DeliveryState.UNKNOWN:
                await self._settle(leased, lambda d: outbox.unknown(store, d, error, clock()))
            elif outcome == DeliveryState.DEAD:
                await self._settle(leased, lambda d: outbox.died(store, d, error, clock()))
            else:
                await self._settle(leased, lambda d: outbox.retried(store, d, error, wait, clock()))
        except (NotFound, Conflict, StoreUnavailable) as failure:
            # Nothing left: what it needed could not be read, or a card was recorded by someone else first.
            log.info("not_delivered", delivery=leased.id, kind=leased.kind, reason=type(failure).__name__)
            gone = isinstance(failure, NotFound)
            ended = outbox.died if gone else _again
            await self._settle(leased, lambda d: ended(store, d, "failure.missing", clock()))
        except Exception:
            # A bug in a rendering or an adapter. It may have had its effect, and repeating it would meet the bug again.
            log.exception("delivery_failed", delivery=leased.id, kind=leased.kind)
            self._desk.meter.delivered(leased.channel_id, DeliveryState.UNKNOWN)
            await self._settle(leased, lambda d: outbox.unknown(store, d, "failure.other", clock()))
        else:
            self._desk.meter.delivered(leased.channel_id, DeliveryState.SENT)

            async def done(current: Delivery) -> Changes:
                return await outbox.sent(store, current, sent_as, clock()) + beside

            await self._settle(leased, done)

    async def _put_off(self, delivery: Delivery) -> bool:
        """Whether it is not this payload's turn yet; then it is due when it is. Asked before the lease: see `ready`."""
        channel = self._desk.channels.get(delivery.channel_id)
        if channel is None or not isinstance(delivery.payload, Letter | Post):
            return False
        wait = await channel.ready(delivery.payload)
        if wait <= 0:
            return False
        later = outbox.put_off(delivery, self._desk.clock() + timedelta(seconds=wait))
        with suppress(Conflict, StoreUnavailable):  # taken back meanwhile, or looked at again: it is still due
            await self._desk.store.commit(Changes(replacements=[later]))
        return True

    async def _lease(self, delivery: Delivery) -> Delivery | None:
        """The delivery in our hands; None when it was taken back, or somebody else has it."""
        store, now = self._desk.store, self._desk.clock()
        leased = outbox.leased(delivery, self._desk.worker, now)
        in_doubt = False
        while True:
            try:
                held = await hold_before_retry(store, delivery, now)
                await store.commit(held or Changes(replacements=[leased]))
            except Conflict:
                if not in_doubt:
                    return None
                # The commit that seemed to fail may have stood; then nobody else will hand it over.
                current = await _patiently(lambda: store.get(Delivery, delivery.id))
                return current if (current.leased_by, current.attempts) == (leased.leased_by, leased.attempts) else None
            except StoreUnavailable:
                log.warning("store_unavailable", delivery=delivery.id)
                in_doubt = True
                await asyncio.sleep(STORE_WAIT)
            else:
                return None if held else msgspec.structs.replace(leased, version=leased.version + 1)

    async def _settle(self, leased: Delivery, decide: Callable[[Delivery], Awaitable[Changes]]) -> None:
        """Record what became of a delivery; tries until it stands, for the effect cannot be taken back."""
        current = leased
        for _ in range(MOST_SETTLINGS):
            try:
                await self._desk.store.commit(await decide(current))
            except Conflict:
                current = await _patiently(lambda: self._desk.store.get(Delivery, leased.id))
                if current.state is not DeliveryState.LEASED or current.leased_by != leased.leased_by:
                    return
            except StoreUnavailable:
                log.warning("store_unavailable", delivery=leased.id)
                await asyncio.sleep(STORE_WAIT)
            else:
                return
        log.error("delivery_not_settled", delivery=leased.id)  # its lease runs out, and a person decides

    # ------------------------------------------------------------ handing over

    async def _hand_over(self, delivery: Delivery) -> tuple[str, Changes]:
        """Hand one payload to its channel; what the other side calls it, and what to commit beside that."""
        desk, payload = self._desk, delivery.payload
        match payload:
            case Letter():
                raw = await desk.store.read_blob(payload.blob_id)
                sent = await self._channel(delivery).send(payload, raw)
                return sent.reference, Changes()
            case Post():
                return (await self._channel(delivery).send(payload, None)).reference, Changes()
            case TextNotice():
                voice = Voice(desk.texts, payload.language, desk.time_zone, desk.clock())
                message = ChatMessage(
                    chat_id=payload.chat_id,
                    text=voice.say(payload.because.key, **payload.because.args),
                    keyboard=payload.buttons,
                    reply_to=payload.reply_to,
                )
                return (await self._chat(delivery).show(message)).reference, Changes()
            case CardNotice():
                return await self._card(delivery, payload)
            case PreviewNotice():
                return await self._preview(delivery, payload)
            case QueueNotice():
                return await self._queue(delivery, payload)
            case FileNotice():
                return await self._file(delivery, payload)

    def _channel(self, delivery: Delivery) -> Channel:
        channel = self._desk.channels.get(delivery.channel_id)
        if channel is None:
            raise PermanentFailure(delivery.channel_id, "no longer configured", reason="failure.channel_gone")
        return channel

    def _chat(self, delivery: Delivery) -> Chat:
        chat = self._desk.chats.get(delivery.channel_id)
        if chat is None:
            raise PermanentFailure(delivery.channel_id, "no longer configured", reason="failure.channel_gone")
        return chat

    def _voice(self, secretary: Secretary) -> Voice:
        return Voice(self._desk.texts, secretary.language, self._desk.time_zone, self._desk.clock())

    async def _card(self, delivery: Delivery, payload: CardNotice) -> tuple[str, Changes]:
        store = self._desk.store
        secretary = await store.get(Secretary, payload.secretary_id)
        conversation = await store.get(Conversation, payload.conversation_id)
        if not may_serve(secretary, conversation.account_id):
            return "", Changes()
        facts = await self._card_facts(secretary, conversation)
        voice = self._voice(secretary)
        key = current_key(secretary.id, ShownKind.CARD, conversation.id)
        current = await store.find_by(SHOWN_CURRENT, key)
        if current is None and not payload.fresh:
            return "", Changes()
        screen, seen = views.card(facts, voice), conversation.inbound_count
        shown = await self._show(delivery, secretary, conversation, None, screen, current, seen, fresh=payload.fresh)
        if payload.fresh:
            waited = voice.now - conversation.last_message_at
            self._desk.meter.card_shown(delivery.channel_id, waited.total_seconds())
            if current is not None:
                await self._collapse(delivery, secretary, current, views.superseded_card(conversation, voice))
        return shown

    async def _card_facts(self, secretary: Secretary, conversation: Conversation) -> CardFacts:
        store = self._desk.store
        newest = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, descending=True, limit=ON_A_CARD)
        replies = {m.id: await outbox.list_replies(store, m.id) for m in newest if m.direction is Direction.OUTBOUND}
        for delivery in await outbox.list_undecided(store, conversation.id):
            # However much was said since, a person must decide about it, and nothing else leaves before.
            if delivery.message_id is not None:
                replies.setdefault(delivery.message_id, [delivery])
        addresses = await store.list(ADDRESSES_OF_CONTACT, conversation.contact_id, limit=10)
        return CardFacts(
            viewer=secretary,
            conversation=conversation,
            account=await self._account(conversation),
            contact=await store.get(Contact, conversation.contact_id),
            contact_address=_address_shown(addresses, conversation),
            channel_icon="✉️" if conversation.chat_id is None else "✈️",
            holder=await store.get(Secretary, conversation.assignee_id) if conversation.assignee_id else None,
            messages=list(reversed(newest)),
            replies=replies,
            message_count=await store.count(MESSAGES_OF_CONVERSATION, conversation.id),
            blocked=conversation.chat_id is not None and any(a.blocked_at is not None for a in addresses),
        )

    async def _account(self, conversation: Conversation) -> Account:
        known = self._desk.accounts.get(conversation.account_id)
        return known or await self._desk.store.get(Account, conversation.account_id)

    async def _preview(self, delivery: Delivery, payload: PreviewNotice) -> tuple[str, Changes]:
        store = self._desk.store
        secretary = await store.get(Secretary, payload.secretary_id)
        draft = await store.get(Draft, payload.draft_id)
        conversation = await store.get(Conversation, draft.conversation_id)
        if not may_serve(secretary, conversation.account_id):
            return "", Changes()
        account = await self._account(conversation)
        answers = await last_inbound(store, conversation.id)
        sent = await store.find(Message, draft.message_id) if draft.message_id else None
        deliveries = await outbox.list_replies(store, draft.message_id) if draft.message_id else []
        is_open = draft.state is DraftState.OPEN
        unseen_count = max(conversation.inbound_count - draft.seen_inbound, 0) if is_open else 0
        newest = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, descending=True, limit=ON_A_CARD)
        inbound = [m for m in newest if m.direction is Direction.INBOUND]
        inbound.sort(key=lambda m: (last_said_at(m), m.position))
        if sent is not None:
            recipients = sent.recipients
        else:
            recipients = reply_recipients(answers, account) if conversation.chat_id is None else ()
        reply = Reply(
            account=account,
            conversation=conversation,
            message_id=draft.message_id or MessageId(draft.id),
            external_id=draft.id,
            text=draft.text,
            answers=answers,
            recipients=recipients,
            attachments=draft.attachments,
            now=self._desk.clock(),
        )
        channel = self._desk.channels.get(conversation.channel_id)
        if channel is None:
            raise PermanentFailure(delivery.channel_id, "no longer configured", reason="failure.channel_gone")
        facts = PreviewFacts(
            draft=draft,
            conversation=conversation,
            preview=channel.preview(reply),
            unseen=inbound[-unseen_count:] if unseen_count else [],
            unseen_count=unseen_count,
            deliveries=deliveries,
            undoable=outbox.is_revocable(deliveries),
        )
        current = await store.find_by(SHOWN_CURRENT, current_key(secretary.id, ShownKind.PREVIEW, draft.id))
        screen = views.preview(facts, self._voice(secretary))
        # Only the preview of an open draft shows what arrived since: replying to another has seen no more.
        seen = conversation.inbound_count if is_open else draft.seen_inbound
        return await self._show(delivery, secretary, conversation, draft, screen, current, seen, fresh=payload.fresh)

    async def _queue(self, delivery: Delivery, payload: QueueNotice) -> tuple[str, Changes]:
        store = self._desk.store
        secretary = await store.get(Secretary, payload.secretary_id)
        presence = await store.get(Presence, secretary.id)
        waiting = await list_queued(self._desk, secretary, limit=ON_THE_QUEUE)
        mine = await store.list(CONVERSATIONS_HELD, secretary.id, Status.OPEN, descending=True, limit=20)
        contacts = await store.find_many(Contact, [c.contact_id for c in (*waiting, *mine)])
        facts = QueueFacts(
            viewer=secretary,
            on_duty=presence.on_duty,
            waiting=waiting,
            # Two looks are two moments: a short list is its own count.
            waiting_count=len(waiting) if len(waiting) < ON_THE_QUEUE else await count_queued(self._desk, secretary),
            mine=mine,
            account_names={a.id: a.name for a in self._desk.accounts.values()},
            contact_names={c.id: c.name for c in contacts.values()},
        )
        screen = views.queue(facts, self._voice(secretary))
        return (await self._chat(delivery).show(_message(secretary, screen))).reference, Changes()

    async def _file(self, delivery: Delivery, payload: FileNotice) -> tuple[str, Changes]:
        store = self._desk.store
        secretary = await store.get(Secretary, payload.secretary_id)
        message = await store.get(Message, payload.message_id)
        if not may_serve(secretary, message.account_id):
            return "", Changes()
        attachment = message.attachments[payload.index]
        data: bytes | None = None
        if message.channel_id not in self._desk.chats:
            raw = await store.read_blob(message.blob_id) if message.blob_id else b""
            data = await asyncio.to_thread(self._desk.channels[message.channel_id].extract, raw, attachment)
        elif message.channel_id != secretary.channel_id:
            # A file id is one bot's own: another bot must hand the octets over (Bot API, "Sending files").
            data = await self._desk.chats[message.channel_id].fetch_file(attachment.path)
        sent = await self._chat(delivery).hand_over(
            ChatFile(chat_id=secretary.chat_id, attachment=attachment, data=data)
        )
        return sent.reference, Changes()

    # ------------------------------------------------------------ cards and previews in place

    async def _show(
        self,
        delivery: Delivery,
        secretary: Secretary,
        conversation: Conversation,
        draft: Draft | None,
        screen: Screen,
        current: Shown | None,
        seen_inbound: int,
        *,
        fresh: bool,
    ) -> tuple[str, Changes]:
        """Send a screen, or edit the current one to it, and remember which message shows what."""
        chat, now = self._chat(delivery), self._desk.clock()
        fingerprint = hashlib.sha256(msgspec.json.encode((screen.text, screen.entities, screen.keyboard))).hexdigest()
        if current is not None and not fresh:
            seen = msgspec.structs.replace(current, fingerprint=fingerprint, shown_inbound=seen_inbound, shown_at=now)
            if current.fingerprint == fingerprint:
                return str(current.telegram_message_id), Changes(replacements=[seen])
            try:
                sent = await chat.show(_message(secretary, screen, edits=current.telegram_message_id))
            except PermanentFailure as failure:
                if failure.reason != "failure.cannot_edit":
                    raise
            else:
                return sent.reference, Changes(replacements=[seen])
        sent = await chat.show(_message(secretary, screen))
        kind = ShownKind.CARD if draft is None else ShownKind.PREVIEW
        shown = Shown(
            id=new_id(),
            secretary_id=secretary.id,
            kind=kind,
            message_key=message_key(delivery.channel_id, secretary.chat_id, int(sent.reference)),
            telegram_message_id=int(sent.reference),
            conversation_id=conversation.id,
            draft_id=draft.id if draft else None,
            shown_inbound=seen_inbound,
            fingerprint=fingerprint,
            current_key=current_key(secretary.id, kind, draft.id if draft else conversation.id),
            shown_at=now,
        )
        changes = Changes(inserts=[shown])
        if current is not None:
            changes += Changes(replacements=[msgspec.structs.replace(current, current_key=None)])
        return sent.reference, changes

    async def _collapse(self, delivery: Delivery, secretary: Secretary, old: Shown, screen: Screen) -> None:
        """Fold an older card away; only tidiness, so a failure is let be."""
        try:
            await self._chat(delivery).show(_message(secretary, screen, edits=old.telegram_message_id))
        except ChannelError as failure:
            log.info("card_not_collapsed", delivery=delivery.id, reason=failure.reason)


def _message(secretary: Secretary, screen: Screen, edits: int | None = None) -> ChatMessage:
    return ChatMessage(
        chat_id=secretary.chat_id, text=screen.text, entities=screen.entities, keyboard=screen.keyboard, edits=edits
    )


def _address_shown(addresses: list[Address], conversation: Conversation) -> str:
    if conversation.chat_id is not None or not addresses:
        return ""
    value = addresses[0].value
    return "" if value.startswith("unknown:") else value


def _outcome(delivery: Delivery, failure: ChannelError) -> DeliveryState:
    """The state a failure leads to. In doubt, what may be repeated is, and nothing else."""
    match failure:
        case PermanentFailure():
            return DeliveryState.DEAD
        case OutcomeUnknown():
            return DeliveryState.DUE if outbox.is_repeatable(delivery) else DeliveryState.UNKNOWN
        case _:
            return DeliveryState.DUE


async def _again(store: Store, delivery: Delivery, error: str, now: datetime) -> Changes:
    return await outbox.retried(store, delivery, error, None, now)


async def _patiently(step: Callable[[], Awaitable[T]]) -> T:
    """Do a step over until the store can be reached."""
    while True:
        try:
            return await step()
        except StoreUnavailable:
            log.warning("store_unavailable")
            await asyncio.sleep(STORE_WAIT)
