"""What a secretary writes: a reply to a card is a draft; she sees it as the client will, and changes it or not."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from aiogram import F, Router
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from handlers import callbacks
from handlers.callbacks import Discard, DraftFor, Edit, Send
from handlers.desk import Desk, Unit
from handlers.filling import filled_in
from handlers.views import Voice, choose_conversation
from inbox import styles
from inbox.approval import told_approvers
from inbox.drafts import (
    MOST_FILES,
    changed,
    discarded,
    find_open,
    is_awaited,
    require_author,
    require_may_write,
    written,
)
from inbox.envelope import Envelope
from inbox.errors import InvalidTransition
from inbox.model import Contact, Conversation, Draft, DraftState, Secretary, ShownKind, Status, Topic
from inbox.outbox import card_for, keep_for, preview_for, sentence_for
from inbox.parts import Attachment, Because, ConversationId, Entity, SecretaryId
from inbox.store.base import Changes
from inbox.store.documents import (
    CONVERSATIONS_HELD,
    DRAFT_BY_ALBUM,
    DRAFT_BY_SOURCE,
    SHOWN_BY_MESSAGE,
    SHOWN_CURRENT,
    TOPIC_BY_THREAD,
)
from inbox.topics import thread_key

MOST_HELD = 200


def build_router() -> Router:
    """Her words, her edits, and the buttons of a preview. Include it last: it takes every other message."""
    router = Router(name="drafts")
    router.callback_query.register(discard, Discard.filter())
    router.callback_query.register(explain_edit, Edit.filter())
    router.callback_query.register(choose, DraftFor.filter())
    router.message.register(write, F.text, ~F.text.startswith("/"))
    router.message.register(write, carries_files)
    router.message.register(refuse_others, ~F.text)
    router.message.register(unknown_command, F.text.startswith("/"))
    router.edited_message.register(edit_words, F.text)
    router.edited_message.register(edit_words, carries_files)
    return router


def carries_files(message: Message, envelope: Envelope | None = None) -> bool:
    """Whether there is a file in it."""
    return envelope is not None and bool(envelope.attachments)


def message_key(channel_id: str, chat_id: int, message_id: int) -> str:
    """What a message in a secretary's chat is found by."""
    return f"{channel_id}:{chat_id}:{message_id}"


def current_key(secretary_id: str, kind: ShownKind, subject_id: str) -> str:
    """What the current card of a conversation, or preview of a draft, is found by."""
    return f"{secretary_id}:{kind}:{subject_id}"


# ---------------------------------------------------------------- writing


class Words(NamedTuple):
    """What one message of hers holds for a draft."""

    text: str
    files: tuple[Attachment, ...]
    source: str
    album: str | None = None
    styles: tuple[Entity, ...] = ()


async def write(message: Message, unit: Unit, desk: Desk, secretary: Secretary, envelope: Envelope) -> None:
    """Her words and files become a draft of the conversation whose card or preview she replies to."""
    channel_id, chat_id = unit.receipt.channel_id, message.chat.id
    words = Words(
        text=message.text or message.caption or "",
        files=tuple(msgspec.structs.replace(file, held_by=channel_id) for file in envelope.attachments),
        source=message_key(channel_id, chat_id, message.message_id),
        album=f"{channel_id}:{chat_id}:{message.media_group_id}" if message.media_group_id else None,
        styles=set_in(message),
    )
    if words.album is not None:
        begun = await desk.store.find_by(DRAFT_BY_ALBUM, words.album)
        if begun is not None and begun.state is DraftState.OPEN and begun.author_id == secretary.id:
            # Only the first file of an album need say what it replies to.
            conversation = await desk.store.get(Conversation, begun.conversation_id)
            await put(conversation, words, begun.seen_inbound, unit, desk, secretary, replaces=False)
            return
    try:
        conversation, seen, replaces = await addressed(message, unit, desk)
    except InvalidTransition:
        if message.reply_to_message is not None:
            raise
        await _write_unaddressed(message, words, unit, desk, secretary)
        return
    await put(conversation, words, seen, unit, desk, secretary, replaces=replaces)


def set_in(message: Message) -> tuple[Entity, ...]:
    """How the words of a message of hers are set."""
    found = message.entities or message.caption_entities or []
    return styles.kept(Entity(type=e.type, offset=e.offset, length=e.length, url=e.url) for e in found)


async def addressed(message: Message, unit: Unit, desk: Desk) -> tuple[Conversation, int, bool]:
    """The conversation whose card or preview this replies to, how much of it that showed, and whether it is a preview.

    In a conversation's topic nothing need be replied to.

    Raises:
        InvalidTransition: it replies to neither, in no topic of ours.
    """
    replied = message.reply_to_message
    if replied is not None:
        key = message_key(unit.receipt.channel_id, message.chat.id, replied.message_id)
        shown = await desk.store.find_by(SHOWN_BY_MESSAGE, key)
        if shown is not None and shown.conversation_id is not None:
            conversation = await desk.store.get(Conversation, shown.conversation_id)
            if conversation.merged_into is not None:
                # What she read there says nothing of what it joined.
                return await desk.store.get(Conversation, conversation.merged_into), 0, False
            return conversation, shown.shown_inbound, shown.kind is ShownKind.PREVIEW
        # A card whose sending we did not live to record: its buttons still say what it is about.
        found = await _conversation_of_buttons(desk, replied.reply_markup)
        if found is not None:
            return await desk.store.get(Conversation, found), 0, False
    topic = await _topic_of(message, unit, desk)
    if topic is None:
        raise InvalidTransition("error.not_a_card")
    conversation = await desk.store.get(Conversation, topic.conversation_id)
    if conversation.merged_into is not None:
        return await desk.store.get(Conversation, conversation.merged_into), 0, False
    return conversation, await _seen_by(desk, conversation, topic.secretary_id), False


async def _topic_of(message: Message, unit: Unit, desk: Desk) -> Topic | None:
    if message.message_thread_id is None:
        return None
    key = thread_key(unit.receipt.channel_id, message.chat.id, message.message_thread_id)
    return await desk.store.find_by(TOPIC_BY_THREAD, key)


async def _conversation_of_buttons(desk: Desk, markup: InlineKeyboardMarkup | None) -> ConversationId | None:
    for row in markup.inline_keyboard if markup else []:
        for button in row:
            prefix, _, rest = (button.callback_data or "").partition(":")
            target = rest.partition(":")[0]
            if prefix in (callbacks.Take.__prefix__, callbacks.Release.__prefix__, callbacks.Close.__prefix__):
                return ConversationId(target)
            if prefix in (Send.__prefix__, Edit.__prefix__, Discard.__prefix__):
                draft = await desk.store.find(Draft, target)
                return draft.conversation_id if draft else None
    return None


async def _write_unaddressed(message: Message, words: Words, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """Words that reply to nothing: for the one request that waits for her, or she is asked which."""
    held = await desk.store.list(CONVERSATIONS_HELD, secretary.id, Status.OPEN, descending=True, limit=MOST_HELD)
    waiting = [c for c in held if c.waiting_since_at is not None] or held
    if not waiting:
        raise InvalidTransition("error.nothing_held")
    if len(waiting) == 1:
        seen = await last_seen(desk, waiting[0], secretary)
        await put(waiting[0], words, seen, unit, desk, secretary, replaces=False)
        return
    if words.files:
        # A question could hand on one file of an album, not the others.
        raise InvalidTransition("error.files_for_whom")
    contacts = await desk.store.find_many(Contact, [c.contact_id for c in waiting])
    question = sentence_for(
        secretary,
        Because(key="ask.which"),
        unit.now,
        reply_to=message.message_id,
        buttons=choose_conversation(waiting, {c.id: c.name for c in contacts.values()}),
    )
    await unit.commit(Changes(inserts=[question]))


async def last_seen(desk: Desk, conversation: Conversation, secretary: Secretary) -> int:
    """How much of a conversation the card on her screen shows."""
    return await _seen_by(desk, conversation, secretary.id)


async def _seen_by(desk: Desk, conversation: Conversation, secretary_id: SecretaryId) -> int:
    key = current_key(secretary_id, ShownKind.CARD, conversation.id)
    shown = await desk.store.find_by(SHOWN_CURRENT, key)
    return shown.shown_inbound if shown else 0


async def choose(
    query: CallbackQuery, callback_data: DraftFor, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """She says which conversation her words were for; the question still points at them."""
    question = query.message
    original = question.reply_to_message if isinstance(question, Message) else None
    if original is None or not original.text:
        raise InvalidTransition("error.words_gone")
    conversation = await desk.store.get(Conversation, callback_data.conversation)
    seen = await last_seen(desk, conversation, secretary)
    source = message_key(unit.receipt.channel_id, original.chat.id, original.message_id)
    await put(
        conversation,
        Words(original.text, (), source, styles=set_in(original)),
        seen,
        unit,
        desk,
        secretary,
        replaces=False,
    )
    unit.say(voice.say("toast.draft", number=str(conversation.number)))


async def put(
    conversation: Conversation,
    words: Words,
    seen: int,
    unit: Unit,
    desk: Desk,
    secretary: Secretary,
    *,
    replaces: bool,
) -> None:
    """The words in her draft: in place of what it said, or after it; files always join those that are there."""
    existing = await find_open(desk.store, conversation.id, secretary.id)
    if existing is not None and words.source in existing.sources:  # a button pressed twice
        changes = Changes(inserts=[preview_for(secretary, existing, unit.now, fresh=False)])
    else:
        changes = await _written_down(existing, conversation, words, seen, unit, desk, secretary, replaces=replaces)
    await unit.commit(changes, account_id=conversation.account_id, conversation_id=conversation.id)


async def _written_down(
    existing: Draft | None,
    conversation: Conversation,
    words: Words,
    seen: int,
    unit: Unit,
    desk: Desk,
    secretary: Secretary,
    *,
    replaces: bool,
) -> Changes:
    text = await filled_in(words.text, conversation, unit, desk, secretary)
    files, origin, set_as = words.files, words.source, words.styles if text == words.text else ()
    further = existing is not None and words.album is not None and existing.album_key == words.album
    if existing is not None:
        files = (*existing.attachments, *files)
        if words.files and not text:
            text, origin, set_as = existing.text, existing.source_key or "", existing.styles
        elif existing.text and (not replaces or further):
            # Two messages make this draft: an edit of one must not stand for both.
            set_as = styles.joined(existing.text, existing.styles, text, set_as)
            text, origin = f"{existing.text}\n\n{text}", ""
    if words.files and len(files) > MOST_FILES:
        raise InvalidTransition("error.too_many_files", count=str(MOST_FILES))
    draft = written(existing, conversation, secretary, text, files, seen, origin or None, unit.now, set_as)
    draft = msgspec.structs.replace(
        draft, sources=(*draft.sources, words.source), album_key=words.album or draft.album_key
    )
    changes = Changes(replacements=[draft]) if existing else Changes(inserts=[draft])
    changes += Changes(inserts=[preview_for(secretary, draft, unit.now, fresh=not further)])
    if any(is_awaited(file, conversation) for file in files):
        changes += Changes(inserts=[keep_for(secretary, draft, unit.now)])
    if existing is not None and existing.set_aside is not None:
        changes += _set_back_by_her(secretary, conversation, unit)
        changes += await told_approvers(desk.store, existing, draft, unit.now)
    return changes


def _set_back_by_her(secretary: Secretary, conversation: Conversation, unit: Unit) -> Changes:
    """Her change took a reply back that was ready and waited: she is told, and the card says so."""
    because = Because(key="notice.set_back", args={"number": str(conversation.number)})
    told = sentence_for(secretary, because, unit.now)
    return Changes(inserts=[told, card_for(secretary, conversation, unit.now, fresh=False)])


async def edit_words(message: Message, unit: Unit, desk: Desk, secretary: Secretary, envelope: Envelope) -> None:
    """She edited the message she wrote a draft in: the draft says the same."""
    source = message_key(unit.receipt.channel_id, message.chat.id, message.message_id)
    draft = await desk.store.find_by(DRAFT_BY_SOURCE, source)
    if draft is None or draft.state is not DraftState.OPEN:
        raise InvalidTransition("error.edit_too_late")
    require_author(draft, secretary)
    conversation = await desk.store.get(Conversation, draft.conversation_id)
    require_may_write(conversation, secretary)
    known = {(file.media_type, file.size, file.kind) for file in draft.attachments}
    if any((file.media_type, file.size, file.kind) not in known for file in envelope.attachments):
        raise InvalidTransition("error.edit_files")
    said = message.text or message.caption or ""
    text = await filled_in(said, conversation, unit, desk, secretary)
    set_as = set_in(message) if text == said else ()
    # Telegram calls it an edit as well when nothing of it changed that we use.
    is_same = (text, set_as) == (draft.text, draft.styles)
    after = draft if is_same else msgspec.structs.replace(changed(draft, unit.now), text=text, styles=set_as)
    changes = Changes(inserts=[preview_for(secretary, after, unit.now, fresh=False)])
    if not is_same:
        changes += Changes(replacements=[after])
        if draft.set_aside is not None:
            changes += _set_back_by_her(secretary, conversation, unit)
    await unit.commit(
        changes + await told_approvers(desk.store, draft, after, unit.now),
        account_id=draft.account_id,
        conversation_id=draft.conversation_id,
    )


async def refuse_others(message: Message, unit: Unit, secretary: Secretary) -> None:
    """What has neither words nor a file (a sticker, a place on the map) is not passed on, and she is told at once."""
    refusal = sentence_for(secretary, Because(key="error.not_to_be_sent"), unit.now, reply_to=message.message_id)
    await unit.commit(Changes(inserts=[refusal]))


async def unknown_command(message: Message, unit: Unit, secretary: Secretary) -> None:
    """A command we do not know is not a reply to anybody."""
    refusal = sentence_for(secretary, Because(key="error.unknown_command"), unit.now, reply_to=message.message_id)
    await unit.commit(Changes(inserts=[refusal]))


async def explain_edit(query: CallbackQuery, callback_data: Edit, unit: Unit, secretary: Secretary) -> None:
    """How a draft is changed: by replying to its preview, or by editing her own message."""
    how = sentence_for(
        secretary,
        Because(key="help.edit"),
        unit.now,
        reply_to=query.message.message_id if query.message else None,
    )
    await unit.commit(Changes(inserts=[how]))


async def discard(
    query: CallbackQuery, callback_data: Discard, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Throw the draft away."""
    draft = await desk.store.get(Draft, callback_data.draft)
    gone = discarded(draft, secretary, unit.now)
    changes = Changes(
        replacements=[gone],
        inserts=[preview_for(secretary, gone, unit.now, fresh=False)],
        blob_deletions=[file.blob_id for file in draft.attachments if file.blob_id],
    )
    await unit.commit(
        changes + await told_approvers(desk.store, draft, gone, unit.now),
        account_id=draft.account_id,
        conversation_id=draft.conversation_id,
    )
    unit.say(voice.say("toast.discarded"))
