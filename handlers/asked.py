"""Where what somebody asked for is shown: where they asked, as far as all who read there may see it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from channels.base import Chat, ChatFile, ChatMessage, SentAs
from channels.errors import PermanentFailure
from handlers.topics import Put
from inbox.instructions import Giver
from inbox.model import Forum, Topic
from inbox.notices import Asked, TextNotice
from inbox.outbox import shown_to
from inbox.parts import AccountId, Because
from inbox.store.base import Changes, Store
from inbox.topics import forum_id, may_stand_in


@dataclass(frozen=True, slots=True)
class Spot:
    """A chat and the topic in it, and whom it is for."""

    person: Giver
    chat_id: int
    topic: int | None
    changes: Changes
    """What to commit: that the group is told where it is shown instead."""

    @property
    def is_group(self) -> bool:
        """Whether others read there."""
        return self.chat_id != self.person.chat_id

    def allows(self, payload: Asked) -> bool:
        """Whether a message of the place it was asked in can be changed: it stands there."""
        return payload.group is None or self.is_group


async def spot_for(store: Store, person: Giver, payload: Asked, account_id: AccountId | None, now: datetime) -> Spot:
    """Where it is to be shown.

    Args:
        account_id: whose it is; None: it names accounts.
    """
    if payload.group is None:
        return Spot(person, person.chat_id, payload.topic, Changes())
    forum = await store.find(Forum, forum_id(person.channel_id, payload.group))
    if may_stand_in(forum, payload, account_id):
        return Spot(person, payload.group, payload.topic, Changes())
    line = TextNotice(
        chat_id=payload.group, language=person.language, because=Because(key="topics.at_home"), topic=payload.topic
    )
    return Spot(person, person.chat_id, None, Changes(inserts=[shown_to(person, line, now)]))


def is_of_topic(payload: Asked, person: Giver, topic: Topic | None) -> bool:
    """Whether it was asked in the conversation's own topic, or nowhere in particular: then that is where it goes."""
    if topic is not None and (payload.group or person.chat_id, payload.topic) == (topic.chat_id, topic.thread_id):
        return True
    return payload.group is None and payload.topic is None


async def show_at(chat: Chat, message: ChatMessage, spot: Spot) -> Put:
    """Show something there; without its topic where that is gone, and in their own chat where the group is."""
    there = replace(message, chat_id=spot.chat_id, topic=spot.topic, asks=message.asks and not spot.is_group)
    try:
        return Put(await answer_in(chat, there), spot.chat_id, spot.changes)
    except PermanentFailure:
        if not spot.is_group:
            raise
    home = replace(message, chat_id=spot.person.chat_id, edits=None, reply_to=None)
    return Put(await chat.show(home), spot.person.chat_id, spot.changes)


async def hand_over_at(chat: Chat, file: ChatFile, spot: Spot) -> Put:
    """The same for a file."""
    try:
        sent = await chat.hand_over(replace(file, chat_id=spot.chat_id, topic=spot.topic))
    except PermanentFailure as failure:
        if not spot.is_group and (spot.topic is None or failure.reason != "failure.topic_gone"):
            raise
    else:
        return Put(sent, spot.chat_id, spot.changes)
    return Put(await chat.hand_over(file), spot.person.chat_id, spot.changes)


async def answer_in(chat: Chat, message: ChatMessage) -> SentAs:
    """Show an answer in the topic it was asked for in, or without one where that is gone."""
    try:
        return await chat.show(message)
    except PermanentFailure as failure:
        if message.topic is None or failure.reason != "failure.topic_gone":
            raise
    return await chat.show(replace(message, topic=None))
