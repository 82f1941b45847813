"""What a secretary does with a conversation: see it, its files, close it, place it in its account."""

from __future__ import annotations

import hashlib
from datetime import datetime

from aiogram import Router
from aiogram.types import CallbackQuery

from handlers.callbacks import Close, Decide, Files, Listen, Place, PlaceIn, Show, Whole
from handlers.desk import Desk, Unit
from handlers.queue import others_told
from handlers.views import Voice, is_sound, place_buttons
from inbox import outbox
from inbox.alarms import raised
from inbox.assignment import balance, get_served, is_supervisor, require_serves
from inbox.conversations import closed, event, placement_event
from inbox.errors import InvalidTransition, NotAllowed, NotFound
from inbox.matching import open_chat_key
from inbox.model import Account, Conversation, Delivery, Message, Secretary, Status
from inbox.moving import transferred
from inbox.notices import FileForm, FileNotice
from inbox.parts import UNSORTED, Because
from inbox.set_aside import list_set_aside
from inbox.store.base import Changes
from inbox.store.documents import (
    CONVERSATION_IN_CHAT,
    MESSAGES_OF_CONVERSATION,
)
from inbox.topics import find_topic

PAGE = 200


def build_router() -> Router:
    """Buttons of the card."""
    router = Router(name="conversations")
    router.callback_query.register(show, Show.filter())
    router.callback_query.register(close, Close.filter())
    router.callback_query.register(hand_files, Files.filter())
    router.callback_query.register(hand_sounds, Listen.filter())
    router.callback_query.register(hand_whole, Whole.filter())
    router.callback_query.register(decide, Decide.filter())
    router.callback_query.register(ask_place, Place.filter())
    router.callback_query.register(place, PlaceIn.filter())
    return router


async def show(
    query: CallbackQuery, callback_data: Show, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """A fresh card at the end of her chat, or of the conversation's topic."""
    conversation = await get_served(desk.store, callback_data.conversation, secretary)
    card = outbox.card_for(secretary, conversation, unit.now, fresh=True, asks=True)
    await unit.commit(Changes(inserts=[card]), account_id=conversation.account_id, conversation_id=conversation.id)
    if await find_topic(desk.store, secretary, conversation.id, conversation.account_id) is not None:
        unit.say(voice.say("toast.in_topic", number=str(conversation.number)))


async def close(
    query: CallbackQuery, callback_data: Close, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """The matter is done. A reply that has not left yet keeps it open."""
    before = await get_served(desk.store, callback_data.conversation, secretary)
    if await outbox.last_unsettled_reply(desk.store, before.id) is not None:
        raise InvalidTransition("error.reply_pending")
    if await list_set_aside(desk.store, before):
        raise InvalidTransition("error.reply_set_aside")
    after = closed(before, secretary, callback_data.seen, unit.now)
    changes = Changes(
        replacements=[after],
        inserts=[
            event("closed", after, unit.now, actor=secretary),
            outbox.card_for(secretary, after, unit.now, fresh=False),
        ],
    )
    changes += await balance(desk.store, before, after, unit.now)
    changes += await others_told(desk.store, after, secretary, unit)
    await unit.commit(changes, account_id=after.account_id, conversation_id=after.id)
    unit.say(voice.say("toast.closed", number=str(after.number)))


async def hand_files(
    query: CallbackQuery, callback_data: Files, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Every attachment of a message, one after the other."""
    message = await desk.store.get(Message, callback_data.message)
    require_serves(secretary, message.account_id)
    files = [_coming(secretary, message, unit.now, index=index) for index in range(len(message.attachments))]
    await unit.commit(Changes(inserts=files), account_id=message.account_id, conversation_id=message.conversation_id)
    unit.say(voice.say("toast.files", count=str(len(files))))


async def hand_sounds(
    query: CallbackQuery, callback_data: Listen, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Every sound of a message, to be played where it is shown."""
    message = await desk.store.get(Message, callback_data.message)
    require_serves(secretary, message.account_id)
    sounds = [
        _coming(secretary, message, unit.now, FileForm.SOUND, index)
        for index, attachment in enumerate(message.attachments)
        if is_sound(attachment)
    ]
    await unit.commit(Changes(inserts=sounds), account_id=message.account_id, conversation_id=message.conversation_id)
    unit.say(voice.say("toast.sounds", count=str(len(sounds))))


_COMING = {FileForm.PAGE: "toast.page", FileForm.ORIGINAL: "toast.original", FileForm.TEXT: "toast.text"}


async def hand_whole(
    query: CallbackQuery, callback_data: Whole, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """A message whole: its text; a mail as a page that is safe to open, or as it came."""
    message = await desk.store.get(Message, callback_data.message)
    require_serves(secretary, message.account_id)
    forms = {form.value: form for form in _COMING}
    form = forms.get(callback_data.form)
    is_mail = message.blob_id is not None and message.channel_id not in desk.chats
    if form is None or not (is_mail or form is FileForm.TEXT):
        raise NotFound
    file = _coming(secretary, message, unit.now, form)
    await unit.commit(Changes(inserts=[file]), account_id=message.account_id, conversation_id=message.conversation_id)
    unit.say(voice.say(_COMING[form]))


def _coming(
    secretary: Secretary, message: Message, now: datetime, form: FileForm = FileForm.ATTACHMENT, index: int = 0
) -> Delivery:
    return outbox.shown_to(
        secretary,
        FileNotice(secretary_id=secretary.id, message_id=message.id, index=index, form=form),
        now,
        about=message,
    )


async def decide(
    query: CallbackQuery, callback_data: Decide, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """A person says what becomes of a reply that failed or may have left."""
    delivery = await desk.store.get(Delivery, callback_data.delivery)
    if delivery.account_id is None or delivery.conversation_id is None:
        raise NotFound
    conversation = await get_served(desk.store, delivery.conversation_id, secretary)
    if conversation.assignee_id != secretary.id and not is_supervisor(secretary):
        raise NotAllowed
    verdicts = {"again": outbox.send_again, "sent": outbox.confirm_sent, "drop": outbox.give_up}
    verdict = verdicts.get(callback_data.verdict)
    if verdict is None:
        raise NotFound
    changes = await verdict(desk.store, delivery, secretary, unit.now)
    changes += Changes(inserts=[outbox.card_for(secretary, conversation, unit.now, fresh=False)])
    await unit.commit(changes, account_id=conversation.account_id, conversation_id=conversation.id)
    unit.say(voice.say(f"toast.{callback_data.verdict}"))


# ---------------------------------------------------------------- the unsorted lane


def _places(desk: Desk) -> list[Account]:
    """The accounts a request can be placed in, by name."""
    return sorted(
        (a for a in desk.accounts.values() if a.id != UNSORTED and not a.retired), key=lambda a: (a.name, a.id)
    )


def _check(places: list[Account]) -> str:
    return hashlib.sha256("\x00".join(a.id for a in places).encode()).hexdigest()[:8]


async def ask_place(query: CallbackQuery, callback_data: Place, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """Ask which account an unsorted request belongs to."""
    conversation = await _unsorted(desk, callback_data.conversation, secretary)
    places = _places(desk)
    question = outbox.sentence_for(
        secretary,
        Because(key="ask.place", args={"number": str(conversation.number)}),
        unit.now,
        reply_to=query.message.message_id if query.message else None,
        buttons=place_buttons(conversation, places, _check(places), callback_data.page),
    )
    await unit.commit(Changes(inserts=[question]), account_id=UNSORTED, conversation_id=conversation.id)


async def _unsorted(desk: Desk, conversation_id: str, secretary: Secretary) -> Conversation:
    if not is_supervisor(secretary):
        raise NotAllowed
    conversation = await get_served(desk.store, conversation_id, secretary)
    if conversation.account_id != UNSORTED:
        raise InvalidTransition("error.already_placed")
    return conversation


async def free_open_chat(desk: Desk, conversation: Conversation, account: Account) -> str | None:
    """The chat's key in the account, unless the contact already has an open conversation there: that one stays it."""
    if conversation.chat_id is None or conversation.status is Status.CLOSED:
        return None
    key = open_chat_key(conversation.channel_id, conversation.chat_id, account.id, conversation.through)
    return None if await desk.store.find_by(CONVERSATION_IN_CHAT, key) else key


async def _all_messages(desk: Desk, conversation: Conversation) -> list[Message]:
    messages: list[Message] = []
    while True:
        last = messages[-1] if messages else None
        page = await desk.store.list(MESSAGES_OF_CONVERSATION, conversation.id, after=last, limit=PAGE)
        messages += page
        if len(page) < PAGE:
            return messages


async def place(
    query: CallbackQuery, callback_data: PlaceIn, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Move an unsorted request, whole, into its account, where it is dealt like any other."""
    store = desk.store
    before = await _unsorted(desk, callback_data.conversation, secretary)
    places = _places(desk)
    if callback_data.check != _check(places) or not 0 <= callback_data.position < len(places):
        raise InvalidTransition("error.list_changed")
    account = places[callback_data.position]
    messages = await _all_messages(desk, before)
    moved, transfer = await transferred(store, before, account, before.channel_id, messages, unit.now)
    placement = await desk.triage.place(moved, unit.now)
    after = placement.conversation
    changes = transfer + Changes(
        replacements=[after],
        inserts=[
            event("placed", after, unit.now, actor=secretary, detail={"account": account.id}),
            placement_event(after, unit.now),
            *placement.notices,
            outbox.card_for(secretary, after, unit.now, fresh=False),
        ],
    )
    changes += await balance(store, before, after, unit.now) + await raised(store, after, unit.now)
    await unit.commit(changes, account_id=account.id, conversation_id=after.id)
    unit.say(voice.say("toast.placed", account=account.name))
