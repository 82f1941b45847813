"""One topic a conversation in her chat, where she wants that and Telegram keeps it; else plain cards, by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import structlog
from aiogram import Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message

from channels.base import Chat, ChatFile, ChatMessage, SentAs
from channels.errors import PermanentFailure, TopicRefused
from handlers.callbacks import WantTopics
from handlers.desk import Desk, Unit
from handlers.drafts import current_key
from handlers.forums import link
from handlers.legible import one_line, person, shortened
from handlers.views import Voice
from inbox.model import (
    Contact,
    Conversation,
    Priority,
    Secretary,
    ShownKind,
    Standing,
    Topic,
    TopicChoice,
    TopicRefusal,
)
from inbox.notices import TextNotice, TopicNotice
from inbox.outbox import sentence_for, shown_to
from inbox.parts import Because, Button
from inbox.store.base import Changes
from inbox.store.documents import SHOWN_CURRENT
from inbox.topics import (
    Place,
    find_topic,
    is_in_force,
    list_places,
    made,
    refused,
    refused_still,
    standing_of,
)

log = structlog.get_logger(__name__)

LONGEST_NAME = 128
"""Bot API, createForumTopic, name."""
COLOURS = {Priority.URGENT: 0xFB6F5F, Priority.NORMAL: 0x8EEE98, Priority.LATER: 0x6FB9F0}
"""Bot API, createForumTopic, icon_color: six are allowed, and none can be changed later."""
MARKS = {Standing.OPEN: "", Standing.GIVEN: "➡️ ", Standing.CLOSED: "✔️ "}


def build_router() -> Router:
    """/sujets, and its button."""
    router = Router(name="topics")
    router.message.register(say_or_set, Command("sujets", "topics"))
    router.callback_query.register(press, WantTopics.filter())
    return router


# ---------------------------------------------------------------- her choice

_WORDS = {"on": True, "oui": True, "yes": True, "off": False, "non": False, "no": False}


async def say_or_set(
    message: Message, command: CommandObject, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Whether she has topics, or from now on has them or not; in a group, whose are kept there."""
    if message.chat.type != "private":
        await link(message, command, unit, desk, secretary)
        return
    wanted = _WORDS.get((command.args or "").strip().casefold())
    choice = await desk.store.find(TopicChoice, secretary.id)
    has = choice is not None and choice.wanted
    changes = Changes() if wanted is None else _chosen(choice, secretary, wanted, unit.now)
    told = _told(secretary, has if wanted is None else wanted, message.message_id, unit, voice)
    await unit.commit(changes + told)


async def press(
    query: CallbackQuery, callback_data: WantTopics, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """The same by button, which says what it does however late it is pressed."""
    choice = await desk.store.find(TopicChoice, secretary.id)
    await unit.commit(_chosen(choice, secretary, callback_data.on, unit.now))
    unit.say(voice.say("topics.wanted" if callback_data.on else "topics.unwanted"), alert=True)


def _chosen(before: TopicChoice | None, secretary: Secretary, wanted: bool, now: datetime) -> Changes:
    choice = TopicChoice(id=secretary.id, version=before.version if before else 0, wanted=wanted, chosen_at=now)
    return Changes(replacements=[choice]) if before else Changes(inserts=[choice])


def _told(secretary: Secretary, has: bool, reply_to: int, unit: Unit, voice: Voice) -> Changes:
    label = voice.say("button.topics_stop" if has else "button.topics_begin")
    button = Button(text=label, data=WantTopics(on=not has).pack())
    because = Because(key="topics.wanted" if has else "topics.unwanted")
    return Changes(inserts=[sentence_for(secretary, because, unit.now, reply_to=reply_to, buttons=((button,),))])


# ---------------------------------------------------------------- what it is called


def topic_name(conversation: Conversation, contact: Contact, standing: Standing) -> str:
    """What its topic is called: how it stands, its number, whose and what it is; as much as Telegram takes."""
    who, what = person(contact.name, 60), one_line(conversation.subject, LONGEST_NAME)
    name = f"{MARKS[standing]}#{conversation.number} {who}".rstrip()
    return shortened(f"{name} · {what}" if what else name, LONGEST_NAME)


# ---------------------------------------------------------------- shown in it


@dataclass(frozen=True, slots=True)
class Opened:
    """What came of asking for a topic: its thread, or None where a plain card takes over; and what to commit."""

    thread_id: int | None
    changes: Changes


async def open_topic(
    desk: Desk, chat: Callable[[], Chat], secretary: Secretary, conversation: Conversation, now: datetime
) -> Opened:
    """Ask Telegram for a conversation's topic, if that is wanted and an earlier refusal does not stand.

    Killed before its changes are committed, it is asked for again: then one
    topic stays empty. What she writes there counts as words that reply to
    nothing.

    Args:
        chat: asked for last, once everything is read (see `Handover._require_lease`).
    """
    changes = Changes()
    for place in await list_places(desk.store, secretary, conversation.account_id):
        opened = await _opened_in(place, desk, chat, secretary, conversation, now)
        changes += opened.changes
        if opened.thread_id is not None:
            return Opened(opened.thread_id, changes)
    return Opened(None, changes)


async def _opened_in(
    place: Place,
    desk: Desk,
    chat: Callable[[], Chat],
    secretary: Secretary,
    conversation: Conversation,
    now: datetime,
) -> Opened:
    store = desk.store
    refusal = await store.find(TopicRefusal, place.refusal_id)
    if refusal is not None and is_in_force(refusal, place.asked_at, now):
        return Opened(None, Changes())
    contact = await store.get(Contact, conversation.contact_id)
    name = topic_name(conversation, contact, Standing.OPEN)
    if refusal is not None and _is_still_off(refusal, place) and not await chat().keeps_topics():
        return Opened(None, Changes(replacements=[refused_still(refusal, now)]))
    try:
        if place.is_group and not await chat().is_member(place.chat_id, secretary.telegram_user_id):
            return Opened(None, Changes())  # what she would not see there comes to her
        thread_id = await chat().open_topic(place.chat_id, name, COLOURS[conversation.priority])
    except TopicRefused as failure:
        log.info("topic_refused", channel=secretary.channel_id, reason=failure.reason, detail=failure.detail)
        changes, told = refused(place, refusal, failure.reason, failure.retry_after, now)
        if told:
            lasts = failure.reason in ("topics.off", "topics.refused")
            key = "topics.group_refused" if place.is_group and lasts else failure.reason
            changes += Changes(inserts=[sentence_for(secretary, Because(key=key), now)])
        return Opened(None, changes)
    return Opened(thread_id, await made(store, secretary, conversation, place, thread_id, name, refusal))


def _is_still_off(refusal: TopicRefusal, place: Place) -> bool:
    """Whether Telegram said of itself that it keeps none, and she did not ask since: then it is asked, not tried."""
    return refusal.reason == "topics.off" and not place.is_group and place.asked_at <= refusal.refused_at


@dataclass(frozen=True, slots=True)
class Put:
    """How something was shown, in which chat, and what to commit: that its topic is forgotten."""

    sent: SentAs
    chat_id: int
    changes: Changes


async def show_in(chat: Chat, message: ChatMessage, topic: Topic | None) -> Put:
    """Show something in a topic; where that is closed or gone, in her chat as it is, and the topic is forgotten."""
    if topic is None or message.edits is not None:
        return Put(await chat.show(message), message.chat_id, Changes())
    # A message of another chat is nothing to reply to.
    reply_to = message.reply_to if topic.chat_id == message.chat_id else None
    inside = replace(message, chat_id=topic.chat_id, topic=topic.thread_id, reply_to=reply_to)
    inside = replace(inside, asks=message.asks and topic.chat_id == message.chat_id)  # others write there too
    try:
        sent = await chat.show(inside)
    except PermanentFailure as failure:
        if not _is_gone(failure, message.chat_id, topic):
            raise
        return Put(await chat.show(message), message.chat_id, Changes(deletions=[topic]))
    return Put(sent, topic.chat_id, _unless_there(sent, topic))


async def hand_over_in(chat: Chat, file: ChatFile, topic: Topic | None) -> Put:
    """The same for a file."""
    if topic is None:
        return Put(await chat.hand_over(file), file.chat_id, Changes())
    try:
        sent = await chat.hand_over(replace(file, chat_id=topic.chat_id, topic=topic.thread_id))
    except PermanentFailure as failure:
        if not _is_gone(failure, file.chat_id, topic):
            raise
        return Put(await chat.hand_over(file), file.chat_id, Changes(deletions=[topic]))
    return Put(sent, topic.chat_id, _unless_there(sent, topic))


def _is_gone(failure: PermanentFailure, own_chat: int, topic: Topic) -> bool:
    """Whether it is the topic that cannot be written in. A group can shut the bot out in many ways; she never does."""
    return failure.reason == "failure.topic_gone" or topic.chat_id != own_chat


async def pin_card(desk: Desk, chat: Callable[[], Chat], secretary: Secretary, conversation: Conversation) -> Changes:
    """Pin the newest card of a conversation in its topic in place of the one before; where we may not, it is not."""
    topic = await find_topic(desk.store, secretary, conversation.id, conversation.account_id)
    card = await desk.store.find_by(SHOWN_CURRENT, current_key(secretary.id, ShownKind.CARD, conversation.id))
    if topic is None or card is None or not card.message_key.startswith(f"{topic.channel_id}:{topic.chat_id}:"):
        return Changes()
    newest, before = card.telegram_message_id, topic.pinned
    if newest == before:
        return Changes()
    try:
        await chat().pin(topic.chat_id, newest)
    except PermanentFailure as failure:
        # Nothing hangs on it: the next card is another try.
        log.info("card_not_pinned", channel=secretary.channel_id, reason=failure.reason, detail=failure.detail)
        return Changes()
    if before is not None:
        try:
            await chat().unpin(topic.chat_id, before)
        except PermanentFailure as failure:  # it was deleted
            log.info("card_not_unpinned", channel=secretary.channel_id, reason=failure.reason, detail=failure.detail)
    return Changes(replacements=[msgspec.structs.replace(topic, pinned=newest)])


def _unless_there(sent: SentAs, topic: Topic) -> Changes:
    # A private chat may take what was for a deleted topic without a word (tdlib/telegram-bot-api#854).
    return Changes() if sent.topic == topic.thread_id else Changes(deletions=[topic])


async def brought_up(
    desk: Desk, topic: Topic, secretary: Secretary, conversation: Conversation, holder: Secretary | None, now: datetime
) -> Changes:
    """What a topic still needs to say how its conversation stands: a line, where it was given away, and its name."""
    contact = await desk.store.get(Contact, conversation.contact_id)
    standing = standing_of(conversation, secretary.id)
    changes = Changes()
    if standing != topic.standing:
        changes += Changes(replacements=[msgspec.structs.replace(topic, standing=standing)])
        if standing is Standing.GIVEN and holder is not None:
            line = TextNotice(
                chat_id=topic.chat_id,
                language=secretary.language,
                because=Because(key="topics.given", args={"number": str(conversation.number), "other": holder.name}),
                topic=topic.thread_id,
            )
            changes += Changes(inserts=[shown_to(secretary, line, now)])
    if topic_name(conversation, contact, standing) != topic.name:
        payload = TopicNotice(secretary_id=secretary.id, conversation_id=conversation.id)
        named = shown_to(secretary, payload, now, about=conversation)
        changes += Changes(inserts=[named])
    return changes


async def name_topic(desk: Desk, chat: Callable[[], Chat], secretary: Secretary, conversation: Conversation) -> Changes:
    """Give a topic the name it should have by now; one that is gone is forgotten."""
    topic = await find_topic(desk.store, secretary, conversation.id, conversation.account_id)
    if topic is None:
        return Changes()
    contact = await desk.store.get(Contact, conversation.contact_id)
    standing = standing_of(conversation, secretary.id)
    name = topic_name(conversation, contact, standing)
    if name == topic.name:
        return Changes()
    try:
        await chat().name_topic(topic.chat_id, topic.thread_id, name)
        if topic.chat_id != secretary.chat_id:
            await chat().shut_topic(topic.chat_id, topic.thread_id, shut=standing is not Standing.OPEN)
    except PermanentFailure as failure:
        if failure.reason == "failure.topic_gone":
            return Changes(deletions=[topic])
        # Nothing hangs on its name: it is tried again when it is to change again.
        log.info("topic_not_renamed", channel=secretary.channel_id, reason=failure.reason, detail=failure.detail)
    return Changes(replacements=[msgspec.structs.replace(topic, name=name)])
