"""Rules of topics: where each conversation has one in a secretary's chat, how it stands, what a refusal means."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from inbox.model import (
    Conversation,
    Delivery,
    Forum,
    Principal,
    Secretary,
    Standing,
    Status,
    Topic,
    TopicChoice,
    TopicRefusal,
)
from inbox.notices import (
    Asked,
    LinksNotice,
    PrincipalsNotice,
    QuestionNotice,
    QueueNotice,
    SearchNotice,
    TeamNotice,
    TemplatesNotice,
    TextNotice,
)
from inbox.outbox import card_for
from inbox.parts import UNSORTED, AccountId, ChannelId, SecretaryId, new_id
from inbox.store.base import Changes, Store
from inbox.store.documents import FORUMS, TOPICS

TOLD_AGAIN = timedelta(days=1)
"""She is told once why there are no topics, and again when that has been so for this long."""
PASSING = "topics.rate"
"""The one refusal that a topic made meanwhile does not disprove."""


def thread_key(channel_id: str, chat_id: int, thread_id: int) -> str:
    """What a topic is found by when somebody writes in it."""
    return f"{channel_id}:{chat_id}:{thread_id}"


class Place(NamedTuple):
    """Where the topics of an account's conversations are kept for a secretary."""

    chat_id: int
    asked_at: datetime
    """When somebody last asked for topics there."""
    refusal_id: str
    """Where it is noted that there are none to be had."""
    is_group: bool


async def list_places(store: Store, secretary: Secretary, account_id: AccountId) -> list[Place]:
    """The group linked to the account, or to all of them; then her own chat, where she wants topics there."""
    places = []
    forum = await find_forum(store, secretary.channel_id, account_id)
    if forum is not None:
        places.append(Place(forum.chat_id, forum.linked_at, f"{secretary.id}@{forum.id}", is_group=True))
    choice = await store.find(TopicChoice, secretary.id)
    if choice is not None and choice.wanted:
        places.append(Place(secretary.chat_id, choice.chosen_at, secretary.id, is_group=False))
    return places


async def find_forum(store: Store, channel_id: ChannelId, account_id: AccountId) -> Forum | None:
    """The group in which an account's topics are kept; none for what is nobody's yet, which only supervisors see."""
    if account_id == UNSORTED:
        return None
    own = await store.find_by(FORUMS, channel_id, account_id)
    return own or await store.find_by(FORUMS, channel_id, "")


async def find_topic(store: Store, secretary: Secretary, conversation_id: str, account_id: AccountId) -> Topic | None:
    """Where a conversation is shown her; None: in her chat as it is, for topics are not wanted or it has none yet."""
    topic = await store.find_by(TOPICS, conversation_id, secretary.id)
    if topic is None:
        return None
    chats = {place.chat_id for place in await list_places(store, secretary, account_id)}
    # She may have joined anew, through another bot, and a group may show other accounts by now.
    return topic if topic.channel_id == secretary.channel_id and topic.chat_id in chats else None


def is_hers(conversation: Conversation, secretary: Secretary) -> bool:
    """Whether it is for her to have a topic of it."""
    return conversation.assignee_id == secretary.id and conversation.status is not Status.CLOSED


def standing_of(conversation: Conversation, secretary_id: SecretaryId) -> Standing:
    """How a conversation stands for her."""
    if conversation.status is Status.CLOSED:
        return Standing.CLOSED
    given = conversation.assignee_id is not None and conversation.assignee_id != secretary_id
    return Standing.GIVEN if given else Standing.OPEN


async def made(
    store: Store,
    secretary: Secretary,
    conversation: Conversation,
    place: Place,
    thread_id: int,
    name: str,
    refusal: TopicRefusal | None,
) -> Changes:
    """A topic that Telegram just made, in place of the one there was; and that it keeps them again."""
    topic = Topic(
        id=new_id(),
        conversation_id=conversation.id,
        secretary_id=secretary.id,
        channel_id=secretary.channel_id,
        chat_id=place.chat_id,
        thread_id=thread_id,
        thread_key=thread_key(secretary.channel_id, place.chat_id, thread_id),
        name=name,
        standing=standing_of(conversation, secretary.id),
    )
    before = await store.find_by(TOPICS, conversation.id, secretary.id)
    if before is None:
        changes = Changes(inserts=[topic])
    else:
        changes = Changes(replacements=[msgspec.structs.replace(topic, id=before.id, version=before.version)])
    if refusal is not None and refusal.reason != PASSING:
        changes += Changes(deletions=[refusal])
    return changes


async def over_elsewhere(store: Store, conversation: Conversation, holder: Secretary, now: datetime) -> Changes:
    """What tells those who had it before that their topic of it is over, however it came to its holder."""
    topics = await store.list(TOPICS, conversation.id)
    open_still = {t.secretary_id for t in topics if t.standing is Standing.OPEN} - {holder.id}
    others = await store.find_many(Secretary, open_still)
    return Changes(inserts=[card_for(other, conversation, now, fresh=False) for other in others.values()])


# ---------------------------------------------------------------- refusals


def is_in_force(refusal: TopicRefusal, asked_at: datetime, now: datetime) -> bool:
    """Whether Telegram need not be asked again yet: nobody asked for topics since, and its time is not over."""
    return asked_at <= refusal.refused_at and (refusal.again_at is None or now < refusal.again_at)


def refused(
    place: Place,
    before: TopicRefusal | None,
    reason: str,
    retry_after: timedelta | None,
    now: datetime,
) -> tuple[Changes, bool]:
    """That there is no topic to be had now, and whether she must be told: once, until something is different."""
    told = (
        before is None
        or before.reason != reason
        or place.asked_at > before.refused_at
        or now - before.told_at > TOLD_AGAIN
    )
    refusal = TopicRefusal(
        id=place.refusal_id,
        version=before.version if before else 0,
        reason=reason,
        refused_at=now,
        told_at=now if told or before is None else before.told_at,
        again_at=None if retry_after is None else now + retry_after,
    )
    return Changes(replacements=[refusal]) if before else Changes(inserts=[refusal]), told


def refused_still(refusal: TopicRefusal, now: datetime) -> TopicRefusal:
    """The same refusal after another look, which is worth repeating after the same time."""
    after = None if refusal.again_at is None else refusal.again_at - refusal.refused_at
    again_at = None if after is None else now + after
    return msgspec.structs.replace(refusal, refused_at=now, again_at=again_at)


# ---------------------------------------------------------------- where answers go

HERS_ALONE = (QueueNotice, SearchNotice, TeamNotice, TemplatesNotice, LinksNotice, PrincipalsNotice)
"""What is about more than a group is for, or lets somebody in: it is shown in her own chat, wherever she asked."""


def forum_id(channel_id: str, chat_id: int) -> str:
    """What a linked group is found by."""
    return f"{channel_id}:{chat_id}"


def in_topic(
    changes: Changes, person: Secretary | Principal, channel_id: ChannelId, chat_id: int, thread_id: int | None
) -> Changes:
    """The same, with what answers somebody put where they wrote or pressed: a topic of their chat, or a group."""
    placed = Changes() + changes
    group = None if chat_id == person.chat_id else chat_id
    for key, document in changes.inserts.items():
        if not isinstance(document, Delivery) or document.lane != f"{channel_id}:{person.chat_id}":
            continue
        payload = document.payload
        if isinstance(payload, TextNotice) and payload.topic is None:
            payload = msgspec.structs.replace(payload, chat_id=chat_id, topic=thread_id)
        elif isinstance(payload, Asked):
            payload = msgspec.structs.replace(payload, group=group, topic=thread_id)
        placed.inserts[key] = msgspec.structs.replace(document, payload=payload)
    return placed


def may_stand_in(forum: Forum | None, payload: Asked, account_id: AccountId | None) -> bool:
    """Whether all who are in a group may read what one of them asked for there.

    Args:
        account_id: whose it is; None: it names accounts.
    """
    asks_what_to_find = isinstance(payload, QuestionNotice) and payload.conversation_id is None
    if forum is None or isinstance(payload, HERS_ALONE) or asks_what_to_find or account_id == UNSORTED:
        return False
    return not forum.shelf or forum.shelf == account_id
