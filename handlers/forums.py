"""Groups with topics: which account's are kept in one, who may say so, and whose words count there."""

from __future__ import annotations

import msgspec
from aiogram.filters import CommandObject
from aiogram.types import Message

from handlers.desk import Desk, Unit
from inbox.assignment import is_supervisor, may_serve, require_serves
from inbox.envelope import Update
from inbox.errors import InvalidTransition, NotAllowed
from inbox.model import Delivery, Forum, Secretary
from inbox.outbox import sentence_for
from inbox.parts import UNSORTED, AccountId, Because
from inbox.store.base import Changes
from inbox.store.documents import FORUMS, SHOWN_BY_MESSAGE, TOPIC_BY_THREAD
from inbox.topics import forum_id, thread_key

COMMANDS = ("/sujets", "/topics")


# ---------------------------------------------------------------- who counts


async def admitted(unit: Unit, update: Update, secretary: Secretary | None) -> bool:
    """Whether what was said or pressed in a group counts; whatever does not has ended here.

    Only invited people count, each only in groups whose account they serve;
    and of their words those in a conversation's topic, and those that reply
    to what the desk shows. The rest is talk.
    """
    talk = await _talk(unit, update, secretary)
    if talk:
        await unit.ignore(talk)
        if secretary is None:
            unit.say(unit.desk.texts.say(unit.desk.language, "error.not_of_the_desk"), alert=True)
        return False
    forum = await unit.desk.store.find(Forum, forum_id(unit.receipt.channel_id, update.chat_id))
    serves = secretary is None or forum is None or not forum.shelf or may_serve(secretary, AccountId(forum.shelf))
    if not serves and not _is_command(update):
        unit.refusal = InvalidTransition("error.not_in_this_group")
    return True


def _is_command(update: Update) -> bool:
    words = update.envelope.text if update.envelope is not None else ""
    return words.partition(" ")[0].partition("@")[0] in COMMANDS


async def _talk(unit: Unit, update: Update, secretary: Secretary | None) -> str:
    """Why something is nothing to the desk; "" where it is."""
    if secretary is None:
        return "said or pressed in a group by somebody who is not of the desk"
    if _is_command(update):
        return ""
    if await unit.desk.store.find(Forum, forum_id(unit.receipt.channel_id, update.chat_id)) is None:
        return "a group that is not linked"
    if update.callback_query_id is None and not await _is_for_us(unit, update):
        return "talk in a group"
    return ""


async def _is_for_us(unit: Unit, update: Update) -> bool:
    store, channel_id, envelope = unit.desk.store, unit.receipt.channel_id, update.envelope
    if update.topic is not None:
        key = thread_key(channel_id, update.chat_id, update.topic)
        if await store.find_by(TOPIC_BY_THREAD, key) is not None:
            return True
    if envelope is None or envelope.replies_to is None:
        return False
    return await store.find_by(SHOWN_BY_MESSAGE, f"{channel_id}:{envelope.replies_to}") is not None


async def account_here(unit: Unit) -> AccountId | None:
    """The account of the group somebody wrote in; None: it is no group, or one for all of them."""
    if unit.where is None:
        return None
    forum = await unit.desk.store.find(Forum, forum_id(unit.receipt.channel_id, unit.where[1]))
    return AccountId(forum.shelf) if forum is not None and forum.shelf else None


# ---------------------------------------------------------------- linking


async def link(message: Message, command: CommandObject, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """`/sujets ici`, with an account's key or for all: topics are kept in this group; `/sujets non`: no longer."""
    if not is_supervisor(secretary):
        raise NotAllowed
    here, _, shelf = " ".join((command.args or "").casefold().split()).partition(" ")
    found = await desk.store.find(Forum, forum_id(unit.receipt.channel_id, message.chat.id))
    if here in ("ici", "here"):
        changes = await _linked(message.chat.id, shelf, found, unit, desk, secretary)
    elif here in ("non", "no", "off"):
        changes = Changes(deletions=[found] if found else []) + _told(unit, secretary, "topics.unlinked")
    else:
        raise InvalidTransition("error.forum_how")
    await unit.commit(changes)


async def _linked(
    chat_id: int, shelf: str, found: Forum | None, unit: Unit, desk: Desk, secretary: Secretary
) -> Changes:
    if shelf:
        if shelf not in desk.accounts or shelf == UNSORTED:
            raise InvalidTransition("error.forum_how")
        require_serves(secretary, AccountId(shelf))
    elif secretary.accounts is not None:
        raise NotAllowed  # nobody shows a group more than she may see
    channel_id = unit.receipt.channel_id
    other = await desk.store.find_by(FORUMS, channel_id, shelf)
    if other is not None and (found is None or other.id != found.id):
        raise InvalidTransition("error.forum_elsewhere")
    forum = Forum(
        id=forum_id(channel_id, chat_id),
        channel_id=channel_id,
        chat_id=chat_id,
        shelf=shelf,
        linked_by=secretary.id,
        linked_at=unit.now,
    )
    if found is None:
        changes = Changes(inserts=[forum])
    else:
        changes = Changes(replacements=[msgspec.structs.replace(forum, version=found.version)])
    name = desk.accounts[AccountId(shelf)].name if shelf else ""
    key = "topics.linked" if shelf else "topics.linked_all"
    return changes + _told(unit, secretary, key, **({"account": name} if shelf else {}))


def _told(unit: Unit, secretary: Secretary, key: str, **args: str) -> Changes:
    told: Delivery = sentence_for(secretary, Because(key=key, args=args), unit.now)
    return Changes(inserts=[told])
