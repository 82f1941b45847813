"""What a delivery shows or sends: rendered from the newest facts at the moment it is handed over."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta

import msgspec
import structlog

from channels.base import Channel, Chat, ChatFile, ChatMessage, Reply
from channels.errors import (
    ChannelError,
    LoginRejected,
    PermanentFailure,
    TemporaryFailure,
    TopicRefused,
)
from handlers import previews, views
from handlers.asked import answer_in, hand_over_at, is_of_topic, show_at, spot_for
from handlers.desk import LARGE, Desk
from handlers.digests import digest_letter
from handlers.drafts import current_key, message_key
from handlers.panels import Panels, message_of
from handlers.portraits import PortraitFacts, portrait
from handlers.previews import PreviewFacts
from handlers.rota import alarm_line
from handlers.told import Told
from handlers.topics import Put, brought_up, hand_over_in, name_topic, open_topic, pin_card, show_in
from handlers.views import CardFacts, Screen, Voice
from inbox import outbox
from inbox.addressees import addressees, copy_candidates, everyone, reply_candidates, sender_address
from inbox.approval import needs_approval
from inbox.assignment import is_supervisor, list_present, may_serve, receivers
from inbox.business import connection_id, is_own_answer, speaks_for
from inbox.contacts import address_in
from inbox.conversations import last_said_at
from inbox.drafts import is_awaited, last_inbound
from inbox.errors import Conflict, StoreUnavailable
from inbox.instructions import Giver, list_standing, on_cards
from inbox.merging import candidates
from inbox.model import (
    Account,
    Address,
    Alarm,
    BusinessConnection,
    Contact,
    Conversation,
    Delivery,
    Direction,
    Draft,
    DraftState,
    Message,
    Principal,
    Priority,
    Role,
    Secretary,
    Shown,
    ShownKind,
    Status,
    Topic,
)
from inbox.moving import destinations
from inbox.notices import (
    AlarmNotice,
    Asked,
    CardNotice,
    ContactNotice,
    DigestNotice,
    FileForm,
    FileNotice,
    HistoryNotice,
    KeepNotice,
    Letter,
    PinNotice,
    Post,
    PreviewNotice,
    QuestionNotice,
    TakenNotice,
    TextNotice,
    TopicNotice,
)
from inbox.parts import PHONE, UNSORTED, Attachment, Because, BlobId, ChannelId, MessageId, new_id
from inbox.passing import routes_to
from inbox.reachable import is_blocked, other_ways
from inbox.separating import MOST_ADDRESSES
from inbox.set_aside import list_set_aside
from inbox.store.base import Blob, Changes
from inbox.store.documents import (
    ADDRESSES_OF_CONTACT,
    CONVERSATIONS_OF_CONTACT,
    EVENTS_OF_CONVERSATION,
    MESSAGES_OF_CONVERSATION,
    SECRETARIES,
    SHOWN_CURRENT,
)
from inbox.templates import list_templates
from inbox.topics import find_topic, is_hers, over_elsewhere

log = structlog.get_logger(__name__)

IN_A_HISTORY = 60
"""Lines of history that are shown at once."""
ON_A_CARD = 12
"""Messages a card looks back over."""
MOST_SECRETARIES = 10_000


class Handover:
    """Hands one delivery's payload to its channel. What a secretary sees is made here, and so never stale."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._locked_out: set[ChannelId] = set()
        """Channels whose server refuses our login, and whose owners know."""
        self._large = asyncio.Lock()
        self._panels = Panels(desk, self._chat)
        self._told = Told(desk, self._chat)

    async def hand_over(self, delivery: Delivery) -> tuple[str, Changes]:
        """Hand one payload to its channel; what the other side calls it, and what to commit beside that."""
        desk, payload = self._desk, delivery.payload
        match payload:
            case Letter():
                raw = await desk.store.read_blob(payload.blob_id)
                channel = self._channel(delivery)
                try:
                    sent = await channel.send(payload, raw)
                except LoginRejected:
                    await self._tell_owners(delivery)
                    raise
                self._locked_out.discard(delivery.channel_id)
                return sent.reference, Changes()
            case Post():
                blob_id = payload.attachment.blob_id if payload.attachment else None
                data = await desk.store.read_blob(blob_id) if blob_id else None
                payload = await self._from_where(delivery, payload)
                return (await self._channel(delivery).send(payload, data)).reference, Changes()
            case DigestNotice(account_id=str()):
                principal = await desk.store.get(Principal, payload.principal_id)
                letter, raw = await digest_letter(desk, self._channel(delivery), principal, payload, delivery.id)
                return (await self._channel(delivery).send(letter, raw)).reference, Changes()
            case KeepNotice():
                return await self._keep(delivery, payload)
            case TextNotice():
                voice = Voice(desk.texts, payload.language, desk.time_zone, desk.clock())
                message = ChatMessage(
                    chat_id=payload.chat_id,
                    text=voice.say(payload.because.key, **payload.because.args),
                    keyboard=payload.buttons,
                    reply_to=payload.reply_to,
                    topic=payload.topic,
                )
                return (await answer_in(self._chat(delivery), message)).reference, Changes()
            case CardNotice():
                return await self._card(delivery, payload)
            case PreviewNotice():
                return await self._preview(delivery, payload)
            case QuestionNotice():
                return await self._question(delivery, payload)
            case TopicNotice():
                secretary, conversation = await self._hers(payload)
                if not may_serve(secretary, conversation.account_id):
                    return "", Changes()
                return "", await name_topic(desk, lambda: self._chat(delivery), secretary, conversation)
            case PinNotice():
                secretary, conversation = await self._hers(payload)
                if not may_serve(secretary, conversation.account_id):
                    return "", Changes()
                return "", await pin_card(desk, lambda: self._chat(delivery), secretary, conversation)
            case HistoryNotice():
                return await self._history(delivery, payload)
            case ContactNotice():
                return await self._contact(delivery, payload)
            case FileNotice():
                return await self._file(delivery, payload)
            case TakenNotice() | DigestNotice() | AlarmNotice():
                return await self._told.show(delivery, payload)
            case panel:
                return await self._panels.show(delivery, panel)

    async def _from_where(self, delivery: Delivery, post: Post) -> Post:
        """The post with what Telegram now calls the account it leaves from, where that is somebody's own."""
        if post.through is None:
            return post
        key = connection_id(delivery.channel_id, post.through)
        connection = await self._desk.store.find(BusinessConnection, key)
        speaks = await speaks_for(self._desk.store, post.through, delivery.account_id or UNSORTED)
        if connection is None or not connection.is_enabled or not speaks:
            raise PermanentFailure(delivery.channel_id, "not connected any more", reason="failure.business_off")
        return msgspec.structs.replace(post, connection=connection.connection_id)

    def _channel(self, delivery: Delivery) -> Channel:
        self._require_lease(delivery)
        channel = self._desk.channels.get(delivery.channel_id)
        if channel is None:
            raise PermanentFailure(delivery.channel_id, "no longer configured", reason="failure.channel_gone")
        return channel

    def _chat(self, delivery: Delivery) -> Chat:
        self._require_lease(delivery)
        chat = self._desk.chats.get(delivery.channel_id)
        if chat is None:
            raise PermanentFailure(delivery.channel_id, "no longer configured", reason="failure.channel_gone")
        return chat

    async def _tell_owners(self, delivery: Delivery) -> None:
        """Say once, until a letter leaves again, that replies wait because a server refuses our password."""
        if delivery.channel_id in self._locked_out:
            return
        self._locked_out.add(delivery.channel_id)
        store, now = self._desk.store, self._desk.clock()
        because = Because(key="notice.sending_rejected", args={"channel": delivery.channel_id})
        everyone = await store.list(SECRETARIES, True, limit=MOST_SECRETARIES)
        owners = [s for s in everyone if s.role is Role.OWNER]
        try:
            await store.commit(Changes(inserts=[outbox.sentence_for(owner, because, now) for owner in owners]))
        except StoreUnavailable:
            self._locked_out.discard(delivery.channel_id)  # nobody was told: the next try does
            raise

    def _require_lease(self, delivery: Delivery) -> None:
        """Asked last, once everything is read: nothing leaves on waking from a sleep longer than its lease.

        Whoever took the delivery over meanwhile has the say; else it is due again at once.
        """
        crew = self._desk.crew
        if not outbox.may_begin(delivery, self._desk.clock()) or (crew is not None and not crew.sure):
            raise TemporaryFailure(
                delivery.channel_id, "slept through its lease", reason="failure.slept", retry_after=timedelta(0)
            )

    def _voice(self, secretary: Giver) -> Voice:
        return Voice(self._desk.texts, secretary.language, self._desk.time_zone, self._desk.clock())

    async def _is_seen(self, delivery: Delivery, secretary: Secretary, topic: Topic) -> bool:
        """Whether she sees what is shown in a topic: a group may be left."""
        if topic.chat_id == secretary.chat_id:
            return True
        try:
            return await self._chat(delivery).is_member(topic.chat_id, secretary.telegram_user_id)
        except TopicRefused:
            return False

    async def _hers(self, payload: CardNotice | TopicNotice | PinNotice) -> tuple[Secretary, Conversation]:
        secretary = await self._desk.store.get(Secretary, payload.secretary_id)
        return secretary, await self._desk.store.get(Conversation, payload.conversation_id)

    async def _card(self, delivery: Delivery, payload: CardNotice) -> tuple[str, Changes]:
        store = self._desk.store
        secretary, conversation = await self._hers(payload)
        if not may_serve(secretary, conversation.account_id):
            return "", Changes()
        facts = await self._card_facts(secretary, conversation)
        if payload.menu:
            given = receivers(await list_present(store, conversation.account_id), conversation)
            ready = await list_templates(store, conversation.account_id)
            theirs = await store.list(CONVERSATIONS_OF_CONTACT, conversation.contact_id, descending=True, limit=30)
            facts = dataclasses.replace(
                facts,
                menu=payload.menu,
                receivers=[c.secretary for c in given],
                templates=ready,
                mergeable=candidates(conversation, theirs),
                places=destinations(self._desk.accounts, conversation, secretary),
            )
        voice = self._voice(secretary)
        key = current_key(secretary.id, ShownKind.CARD, conversation.id)
        current = await store.find_by(SHOWN_CURRENT, key)
        if current is None and not payload.fresh:
            return "", Changes()
        topic, beside = await self._topic_of(secretary, conversation), Changes()
        if topic is not None and payload.fresh and not await self._is_seen(delivery, secretary, topic):
            topic = None
        if topic is None and not payload.menu and is_hers(conversation, secretary):
            opened = await open_topic(self._desk, lambda: self._chat(delivery), secretary, conversation, voice.now)
            beside = opened.changes
            if opened.thread_id is not None:
                # One call a delivery: what was made is committed before anything is shown in it.
                quiet = payload.quiet or not payload.fresh
                inside = outbox.card_for(secretary, conversation, voice.now, fresh=True, quiet=quiet)
                return str(opened.thread_id), beside + Changes(inserts=[inside])
        if topic is not None and topic.chat_id != secretary.chat_id:
            facts = dataclasses.replace(facts, shared=True)
        screen, seen = views.card(facts, voice), conversation.inbound_count
        mine = facts.holder is not None and facts.holder.id == secretary.id and conversation.status is Status.OPEN
        asks = payload.asks and mine and conversation.channel_id != PHONE and topic is None
        reference, changes = await self._show(
            delivery,
            secretary,
            conversation,
            None,
            screen,
            current,
            seen,
            voice.now,
            fresh=payload.fresh,
            quiet=payload.quiet,
            asks=asks,
            topic=topic,
        )
        if topic is not None and (Topic, topic.id) in changes.deletions:
            topic = None
        told = False
        if payload.fresh:
            waited = voice.now - conversation.last_message_at
            self._desk.meter.card_shown(delivery.channel_id, waited.total_seconds())
            if current is not None:
                left = views.left_of_card(facts, voice, topic) if topic is not None else None
                folded = left or views.superseded_card(conversation, voice)
                told = await self._collapse(delivery, secretary, current, folded)
        if topic is not None:
            if payload.fresh:
                newest = facts.messages[-1].position if facts.messages else 0
                until = topic.card_position if told else topic.told_position
                topic = msgspec.structs.replace(topic, told_position=until, card_position=newest)
                changes += Changes(replacements=[topic])
            if any(isinstance(each, Shown) for each in changes.inserts.values()):
                pin = PinNotice(secretary_id=secretary.id, conversation_id=conversation.id)
                changes += Changes(inserts=[outbox.shown_to(secretary, pin, voice.now, about=conversation)])
            changes += await brought_up(self._desk, topic, secretary, conversation, facts.holder, voice.now)
        if payload.fresh and is_hers(conversation, secretary):
            changes += await over_elsewhere(store, conversation, secretary, voice.now)
        return reference, beside + changes

    async def _card_facts(self, secretary: Secretary, conversation: Conversation) -> CardFacts:
        store = self._desk.store
        newest = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, descending=True, limit=ON_A_CARD)
        replies = {m.id: await outbox.list_replies(store, m.id) for m in newest if m.direction is Direction.OUTBOUND}
        for delivery in await outbox.list_undecided(store, conversation.id):
            # However much was said since, a person must decide about it, and nothing else leaves before.
            if delivery.message_id is not None and delivery.message_id not in replies:
                replies[delivery.message_id] = await outbox.list_replies(store, delivery.message_id)
        addresses = await store.list(ADDRESSES_OF_CONTACT, conversation.contact_id, limit=10)
        return CardFacts(
            viewer=secretary,
            conversation=conversation,
            account=await self._account(conversation),
            contact=await store.get(Contact, conversation.contact_id),
            contact_address=_address_shown(addresses, conversation),
            channel_icon=_icon(conversation),
            holder=await store.get(Secretary, conversation.assignee_id) if conversation.assignee_id else None,
            messages=sorted(newest, key=lambda m: (m.created_at, m.position)),
            replies=replies,
            message_count=await store.count(MESSAGES_OF_CONVERSATION, conversation.id),
            known=await self._took_part_before(conversation),
            before=await store.list(CONVERSATIONS_OF_CONTACT, conversation.contact_id, descending=True, limit=2),
            matters=await store.count(CONVERSATIONS_OF_CONTACT, conversation.contact_id),
            set_aside=[
                (draft, await store.get(Secretary, draft.author_id))
                for draft in await list_set_aside(store, conversation)
            ],
            instructions=on_cards(await list_standing(store, conversation.account_id), self._desk.clock()),
            blocked=is_blocked(addresses, conversation),
            other_ways=other_ways(addresses, conversation),
            own_telegram=await self._own_telegram(conversation),
            tells_account=conversation.channel_id == PHONE and await self._has_way(conversation),
            on_call=await self._on_call(secretary, conversation),
        )

    async def _own_telegram(self, conversation: Conversation) -> BusinessConnection | None:
        """Whose own Telegram it is held in."""
        if conversation.through is None:
            return None
        key = connection_id(conversation.channel_id, conversation.through)
        return await self._desk.store.find(BusinessConnection, key)

    async def _on_call(self, secretary: Secretary, conversation: Conversation) -> str:
        store = self._desk.store
        alarm = await store.find(Alarm, conversation.id)
        if alarm is None or alarm.account_id != conversation.account_id:
            return ""
        last = await store.find(Principal, alarm.last)
        return alarm_line(alarm, last.name if last is not None else "?", self._voice(secretary))

    async def _has_way(self, conversation: Conversation) -> bool:
        account, urgent = await self._account(conversation), conversation.priority is Priority.URGENT
        return (await routes_to(self._desk.store, account, urgent=urgent)).exist

    async def _took_part_before(self, conversation: Conversation) -> tuple[str, ...]:
        """Who took part in the conversation this one refers to."""
        if conversation.related_to is None:
            return ()
        related = await self._desk.store.find(Conversation, conversation.related_to)
        # A wall may have been moved since: it was placed in its account only then.
        return related.participants if related is not None and related.account_id == conversation.account_id else ()

    async def _account(self, conversation: Conversation) -> Account:
        known = self._desk.accounts.get(conversation.account_id)
        return known or await self._desk.store.get(Account, conversation.account_id)

    async def _preview(self, delivery: Delivery, payload: PreviewNotice) -> tuple[str, Changes]:
        store = self._desk.store
        secretary = await store.get(Secretary, payload.secretary_id)
        looked_at = self._desk.clock()
        draft = await store.get(Draft, payload.draft_id)
        conversation = await store.get(Conversation, draft.conversation_id)
        if not may_serve(secretary, conversation.account_id):
            return "", Changes()
        is_author = secretary.id == draft.author_id
        current = await store.find_by(SHOWN_CURRENT, current_key(secretary.id, ShownKind.PREVIEW, draft.id))
        if not is_author and not (is_supervisor(secretary) and (payload.fresh or current is not None)):
            return "", Changes()
        account = await self._account(conversation)
        answers = await last_inbound(store, conversation.id)
        addresses = await store.list(ADDRESSES_OF_CONTACT, conversation.contact_id, limit=10)
        sent = await store.find(Message, draft.message_id) if draft.message_id else None
        deliveries = await outbox.list_replies(store, draft.message_id) if draft.message_id else []
        is_open = draft.state is DraftState.OPEN
        unseen_count = max(conversation.inbound_count - draft.seen_inbound, 0) if is_open else 0
        newest = await store.list(MESSAGES_OF_CONVERSATION, conversation.id, descending=True, limit=ON_A_CARD)
        # What somebody answered in their own Telegram must be seen as well, before another answer leaves.
        own = [] if conversation.through is None else [m for m in newest if is_own_answer(m, conversation)]
        received = [m for m in newest if m.direction is Direction.INBOUND or m in own]
        inbound = [m for m in received if m.particulars.automatic is None]
        inbound.sort(key=lambda m: (last_said_at(m), m.position))
        by_mail = conversation.chat_id is None
        to: tuple[str, ...] = ()
        copies: tuple[str, ...] = ()
        sender = account.identity.from_address
        if sent is not None:
            to, copies = tuple(r for r in sent.recipients if r not in sent.copies), sent.copies
            sender = sent.author_address
        elif by_mail:
            to, copies = addressees(draft, answers, account)
            sender = sender_address(answers, account)
        reply = Reply(
            account=account,
            conversation=conversation,
            message_id=draft.message_id or MessageId(draft.id),
            external_id=draft.id,
            text=draft.text,
            styles=draft.styles,
            answers=answers,
            recipients=to,
            attachments=draft.attachments,
            now=self._desk.clock(),
            copies=copies,
            sender=sender or "",
            in_name_of=connection.name if (connection := await self._own_telegram(conversation)) else "",
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
            automatic=[
                m
                for m in reversed(received)
                if m.particulars.automatic is not None and is_open and m.created_at > draft.created_at
            ],
            deliveries=deliveries,
            undoable=outbox.is_revocable(deliveries),
            redirected_from=_redirected_from(answers, to),
            to=to,
            to_candidates=reply_candidates(answers, account) if by_mail else (),
            copy_candidates=copy_candidates(draft, answers, account) if by_mail else (),
            everyone=everyone(draft, answers, account) if by_mail else (),
            awaited=[file for file in draft.attachments if is_open and is_awaited(file, conversation)],
            author=None if is_author else await store.get(Secretary, draft.author_id),
            needs_approval=is_author and needs_approval(account, secretary, self._desk.trial, looked_at),
            received=inbound,
            approver=await store.find(Secretary, draft.approved_by or "")
            if draft.approved_by != draft.author_id
            else None,
            menu=payload.menu,
            blocked=is_open and is_blocked(addresses, conversation),
            other_ways=other_ways(addresses, conversation),
        )
        voice = self._voice(secretary)
        screen = previews.preview(facts, voice)
        # Only the preview of an open draft shows what arrived since: replying to another has seen no more.
        seen = conversation.inbound_count if is_open else draft.seen_inbound
        topic = await find_topic(store, secretary, conversation.id, conversation.account_id)
        shown = await self._show(
            delivery, secretary, conversation, draft, screen, current, seen, looked_at, fresh=payload.fresh, topic=topic
        )
        if payload.fresh and current is not None:
            # Its button would send words that it does not show.
            await self._collapse(delivery, secretary, current, previews.superseded_preview(conversation, voice))
        return shown

    async def _question(self, delivery: Delivery, payload: QuestionNotice) -> tuple[str, Changes]:
        """Ask, and remember by which message: her reply to it is the answer."""
        secretary = await self._desk.store.get(Secretary, payload.secretary_id)
        about = payload.conversation_id
        conversation = None if about is None else await self._desk.store.get(Conversation, about)
        voice = self._voice(secretary)
        question = ChatMessage(
            chat_id=secretary.chat_id,
            text=voice.say(payload.because.key, **payload.because.args),
            reply_to=payload.reply_to,
            asks=True,
        )
        put = await self._put(delivery, secretary, payload, conversation, question)
        sent = put.sent
        shown = Shown(
            id=new_id(),
            secretary_id=secretary.id,
            kind=ShownKind.QUESTION,
            message_key=message_key(delivery.channel_id, put.chat_id, int(sent.reference)),
            telegram_message_id=int(sent.reference),
            conversation_id=about,
            draft_id=payload.draft_id,
            shown_inbound=0 if conversation is None else conversation.inbound_count,
            fingerprint="",
            current_key=None,
            shown_at=voice.now,
            purpose=payload.purpose,
        )
        return sent.reference, put.changes + Changes(inserts=[shown])

    async def _history(self, delivery: Delivery, payload: HistoryNotice) -> tuple[str, Changes]:
        store = self._desk.store
        secretary = await store.get(Secretary, payload.secretary_id)
        conversation = await store.get(Conversation, payload.conversation_id)
        if not may_serve(secretary, conversation.account_id):
            return "", Changes()
        newest = await store.list(EVENTS_OF_CONVERSATION, conversation.id, descending=True, limit=IN_A_HISTORY)
        people = await store.find_many(Secretary, {event.actor for event in newest if event.actor})
        screen = views.history(conversation, list(reversed(newest)), list(people.values()), self._voice(secretary))
        return await self._beside_card(delivery, secretary, payload, conversation, screen)

    async def _beside_card(
        self,
        delivery: Delivery,
        secretary: Secretary,
        payload: Asked,
        about: Conversation | Message,
        screen: Screen,
    ) -> tuple[str, Changes]:
        """Show what belongs to a conversation where it was asked for, else in its topic where it has one."""
        put = await self._put(delivery, secretary, payload, about, message_of(secretary, screen))
        return put.sent.reference, put.changes

    async def _put(
        self,
        delivery: Delivery,
        secretary: Secretary,
        payload: Asked,
        about: Conversation | Message | None,
        message: ChatMessage,
    ) -> Put:
        topic = None if about is None else await self._topic_of(secretary, about)
        if is_of_topic(payload, secretary, topic):
            return await show_in(self._chat(delivery), message, topic)
        account_id = None if about is None else about.account_id
        spot = await spot_for(self._desk.store, secretary, payload, account_id, self._desk.clock())
        return await show_at(self._chat(delivery), message, spot)

    async def _file_beside_card(
        self, delivery: Delivery, secretary: Secretary, payload: Asked, about: Message, file: ChatFile
    ) -> tuple[str, Changes]:
        topic = await self._topic_of(secretary, about)
        if is_of_topic(payload, secretary, topic):
            put = await hand_over_in(self._chat(delivery), file, topic)
        else:
            spot = await spot_for(self._desk.store, secretary, payload, about.account_id, self._desk.clock())
            put = await hand_over_at(self._chat(delivery), file, spot)
        return put.sent.reference, put.changes

    async def _topic_of(self, secretary: Secretary, about: Conversation | Message) -> Topic | None:
        conversation_id = about.id if isinstance(about, Conversation) else about.conversation_id
        return await find_topic(self._desk.store, secretary, conversation_id, about.account_id)

    async def _contact(self, delivery: Delivery, payload: ContactNotice) -> tuple[str, Changes]:
        store = self._desk.store
        secretary = await store.get(Secretary, payload.secretary_id)
        conversation = await store.get(Conversation, payload.conversation_id)
        if not may_serve(secretary, conversation.account_id):
            return "", Changes()
        contact = await store.get(Contact, conversation.contact_id)
        facts = PortraitFacts(
            conversation=conversation,
            account=await self._account(conversation),
            contact=contact,
            addresses=await store.list(ADDRESSES_OF_CONTACT, contact.id, limit=MOST_ADDRESSES),
            newest=await store.list(CONVERSATIONS_OF_CONTACT, contact.id, descending=True, limit=8),
            count=await store.count(CONVERSATIONS_OF_CONTACT, contact.id),
            may_bar=is_supervisor(secretary) or conversation.assignee_id == secretary.id,
        )
        screen = portrait(facts, self._voice(secretary))
        return await self._beside_card(delivery, secretary, payload, conversation, screen)

    async def _file(self, delivery: Delivery, payload: FileNotice) -> tuple[str, Changes]:
        store = self._desk.store
        secretary = await store.get(Secretary, payload.secretary_id)
        message = await store.get(Message, payload.message_id)
        if not may_serve(secretary, message.account_id):
            return "", Changes()
        if payload.form not in (FileForm.ATTACHMENT, FileForm.SOUND):
            return await self._hand_whole(delivery, secretary, payload, message)
        attachment = message.attachments[payload.index]
        async with self._large if attachment.size > LARGE else nullcontext():
            return await self._hand_file(delivery, secretary, payload, message, attachment)

    async def _hand_file(
        self, delivery: Delivery, secretary: Secretary, payload: FileNotice, message: Message, attachment: Attachment
    ) -> tuple[str, Changes]:
        caption, playable = "", payload.form is FileForm.SOUND
        if playable:  # Telegram shows no name of a voice message
            caption = views.caption(await self._desk.store.get(Conversation, message.conversation_id), attachment)
        data: bytes | None = None
        if attachment.blob_id is not None:
            data = await self._desk.store.read_blob(attachment.blob_id)
        elif message.channel_id not in self._desk.chats:
            data = await self._extracted(message, attachment)
        elif message.channel_id != secretary.channel_id:
            # A file id is one bot's own: another bot must hand the octets over (Bot API, "Sending files").
            data = await self._desk.chats[message.channel_id].fetch_file(attachment.path)
        file = ChatFile(secretary.chat_id, attachment, data, caption, playable=playable)
        return await self._file_beside_card(delivery, secretary, payload, message, file)

    async def _hand_whole(
        self, delivery: Delivery, secretary: Secretary, payload: FileNotice, message: Message
    ) -> tuple[str, Changes]:
        """A message's text; a mail as a page, or as it came."""
        form = payload.form
        if form is FileForm.TEXT:
            return await self._hand_text(delivery, secretary, payload, message)
        channel = self._desk.channels.get(message.channel_id)
        if channel is None:
            raise PermanentFailure(message.channel_id, "no longer configured", reason="failure.channel_gone")
        async with self._large:  # whatever its size: only the receipt knows that
            async with self._desk.large:
                data = await self._desk.store.read_blob(message.blob_id) if message.blob_id else b""
                if form is FileForm.PAGE:
                    data = await asyncio.to_thread(channel.page, data, self._voice(secretary).say)
            file = ChatFile(chat_id=secretary.chat_id, attachment=views.whole_mail(message, form, len(data)), data=data)
            return await self._file_beside_card(delivery, secretary, payload, message, file)

    async def _keep(self, delivery: Delivery, payload: KeepNotice) -> tuple[str, Changes]:
        """Fetch what a draft's letter will hold, one file after the other, each kept as soon as it is here.

        One that can never be had leaves the draft, and its author is told which and why.
        """
        while True:
            draft = await self._desk.store.get(Draft, payload.draft_id)
            conversation = await self._desk.store.get(Conversation, draft.conversation_id)
            awaited = [file for file in draft.attachments if is_awaited(file, conversation)]
            if draft.state is not DraftState.OPEN or not awaited:
                return "", Changes()
            file = awaited[0]
            self._require_lease(delivery)
            async with self._large if file.size > LARGE else nullcontext():
                await self._keep_one(payload, file)

    async def _keep_one(self, payload: KeepNotice, file: Attachment) -> None:
        store, refusal = self._desk.store, ""
        blobs: list[Blob] = []
        chat = self._desk.chats.get(file.held_by) if file.held_by else None
        try:
            if chat is None:
                raise PermanentFailure(file.held_by or "", "no longer configured", reason="failure.channel_gone")
            blobs = [Blob(BlobId(new_id()), await chat.fetch_file(file.path))]
        except PermanentFailure as failure:
            refusal = failure.reason
        secretary = await store.get(Secretary, payload.secretary_id)
        while True:
            draft = await store.get(Draft, payload.draft_id)
            if draft.state is not DraftState.OPEN or file not in draft.attachments:
                return
            files, now = list(draft.attachments), self._desk.clock()
            at = files.index(file)
            changes = Changes(blobs=blobs)
            if blobs:
                # What is sent is as she saw it: her preview stays the newest.
                files[at] = msgspec.structs.replace(file, blob_id=blobs[0].id, size=len(blobs[0].data))
                kept = msgspec.structs.replace(draft, attachments=tuple(files))
            else:
                del files[at]
                kept = msgspec.structs.replace(draft, attachments=tuple(files), updated_at=now)
                too_big = refusal == "failure.file_too_big"
                key = "notice.file_too_big" if too_big else "notice.file_left_out"
                because = Because(key=key, args={"name": file.name})
                changes += Changes(inserts=[outbox.sentence_for(secretary, because, now)])
            changes += Changes(replacements=[kept], inserts=[outbox.preview_for(secretary, kept, now, fresh=False)])
            try:
                await store.commit(changes)
            except Conflict:
                continue  # she changed it meanwhile
            return

    async def _hand_text(
        self, delivery: Delivery, secretary: Secretary, payload: FileNotice, message: Message
    ) -> tuple[str, Changes]:
        screen = views.whole_text(message, self._voice(secretary))
        if screen is not None:
            return await self._beside_card(delivery, secretary, payload, message, screen)
        data = message.text.encode()
        attachment = views.whole_mail(message, FileForm.TEXT, len(data))
        file = ChatFile(chat_id=secretary.chat_id, attachment=attachment, data=data)
        return await self._file_beside_card(delivery, secretary, payload, message, file)

    async def _extracted(self, message: Message, attachment: Attachment) -> bytes:
        async with self._desk.large:  # whatever its size: only the receipt knows that
            raw = await self._desk.store.read_blob(message.blob_id) if message.blob_id else b""
            return await asyncio.to_thread(self._desk.channels[message.channel_id].extract, raw, attachment)

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
        now: datetime,
        *,
        fresh: bool,
        quiet: bool = False,
        asks: bool = False,
        topic: Topic | None,
    ) -> tuple[str, Changes]:
        """Send a screen, or edit the current one to it, and remember which message shows what, as it was `now`."""
        chat = self._chat(delivery)
        fingerprint = hashlib.sha256(msgspec.json.encode((screen.text, screen.entities, screen.keyboard))).hexdigest()
        # What stood in a group that keeps other accounts' topics by now is brought up to date elsewhere.
        stays = current is not None and _chat_of(current) in (secretary.chat_id, topic and topic.chat_id)
        if current is not None and stays and not fresh:
            seen = msgspec.structs.replace(current, fingerprint=fingerprint, shown_inbound=seen_inbound, shown_at=now)
            if current.fingerprint == fingerprint:
                return str(current.telegram_message_id), Changes(replacements=[seen])
            try:
                sent = await chat.show(_in_place_of(current, message_of(secretary, screen)))
            except PermanentFailure as failure:
                # Who shuts the bot out of a group does not shut it out of her chat.
                if failure.reason != "failure.cannot_edit" and not _is_elsewhere(current, secretary):
                    raise
            else:
                return sent.reference, Changes(replacements=[seen])
        message = dataclasses.replace(message_of(secretary, screen, silent=quiet), asks=asks)
        put = await show_in(chat, message, topic)
        sent = put.sent
        kind = ShownKind.CARD if draft is None else ShownKind.PREVIEW
        shown = Shown(
            id=new_id(),
            secretary_id=secretary.id,
            kind=kind,
            message_key=message_key(delivery.channel_id, put.chat_id, int(sent.reference)),
            telegram_message_id=int(sent.reference),
            conversation_id=conversation.id,
            draft_id=draft.id if draft else None,
            shown_inbound=seen_inbound,
            asks=asks,
            fingerprint=fingerprint,
            current_key=current_key(secretary.id, kind, draft.id if draft else conversation.id),
            shown_at=now,
        )
        changes = put.changes + Changes(inserts=[shown])
        if current is not None:
            changes += Changes(replacements=[msgspec.structs.replace(current, current_key=None)])
        return sent.reference, changes

    async def _collapse(self, delivery: Delivery, secretary: Secretary, old: Shown, screen: Screen) -> bool:
        """Fold an older card or preview away; only tidiness, so a failure is let be. Whether it was."""
        try:
            await self._chat(delivery).show(_in_place_of(old, message_of(secretary, screen)))
        except ChannelError as failure:
            log.info("screen_not_collapsed", delivery=delivery.id, reason=failure.reason)
            return False
        return True


def _redirected_from(answers: Message | None, recipients: Sequence[str]) -> str:
    """Who wrote, where the reply goes to another domain because they said so."""
    led_to = views.leads_elsewhere(answers) if answers is not None else ""
    return answers.author_address if answers is not None and led_to and led_to in recipients else ""


def _icon(conversation: Conversation) -> str:
    if conversation.channel_id == PHONE:
        return "☎️"
    if conversation.through is not None:
        return "📲"
    return "✉️" if conversation.chat_id is None else "✈️"


def _in_place_of(shown: Shown, message: ChatMessage) -> ChatMessage:
    """The message in place of one that is shown, in whichever chat that stands."""
    return dataclasses.replace(message, chat_id=_chat_of(shown), edits=shown.telegram_message_id, asks=shown.asks)


def _is_elsewhere(shown: Shown, secretary: Secretary) -> bool:
    return _chat_of(shown) != secretary.chat_id


def _chat_of(shown: Shown) -> int:
    return int(shown.message_key.rsplit(":", 2)[1])


def _address_shown(addresses: list[Address], conversation: Conversation) -> str:
    address = address_in(conversation, addresses) if conversation.chat_id is None else None
    return "" if address is None or address.value.startswith("unknown:") else address.value
