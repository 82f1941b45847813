"""What more a secretary does with a conversation: note, put off, hand over, mark, reopen, look back.

Each begins on a menu under the card, or as an answer to a question of ours.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from aiogram import F, Router
from aiogram.types import CallbackQuery, Message

from handlers.callbacks import Ask, Bar, Give, History, Later, Menu, Person, Prioritise, Reopen, Wake, check
from handlers.conversations import free_open_chat
from handlers.desk import Desk, Unit
from handlers.drafts import message_key
from handlers.gathering import ask_join, ask_merge
from handlers.menus import usual_moment
from handlers.proving import ask_proof
from handlers.queue import others_told
from handlers.set_aside import answer_moment, answer_return
from handlers.views import Voice
from inbox import outbox
from inbox.alarms import raised, raised_again
from inbox.assignment import (
    balance,
    get_served,
    handed_over,
    is_supervisor,
    list_present,
    may_serve,
    receivers,
    require_holds,
)
from inbox.contacts import annotated, barred, renamed
from inbox.conversations import event, reopened
from inbox.errors import InvalidTransition, NotAllowed, NotFound
from inbox.model import Contact, Conversation, Presence, Priority, Secretary, Shown, ShownKind, Status
from inbox.moments import read_moment
from inbox.notes import mentioned, noted, tagged
from inbox.notices import CardNotice, ContactNotice, HistoryNotice, Purpose, QuestionNotice
from inbox.parts import Because
from inbox.snoozing import snoozed, woken
from inbox.store.base import Changes
from inbox.store.documents import SECRETARIES, SHOWN_BY_MESSAGE

MOST_COLLEAGUES = 1000


def build_router() -> Router:
    """The menus under a card, and the answers to our questions. Include it before drafts, which take every message."""
    router = Router(name="actions")
    router.callback_query.register(open_menu, Menu.filter())
    router.callback_query.register(ask, Ask.filter())
    router.callback_query.register(put_off, Later.filter())
    router.callback_query.register(wake, Wake.filter())
    router.callback_query.register(prioritise, Prioritise.filter())
    router.callback_query.register(give, Give.filter())
    router.callback_query.register(reopen, Reopen.filter())
    router.callback_query.register(show_history, History.filter())
    router.callback_query.register(show_contact, Person.filter())
    router.callback_query.register(bar, Bar.filter())
    router.message.register(answer, F.text, answers_a_question)
    return router


async def _settle(
    unit: Unit, desk: Desk, secretary: Secretary, before: Conversation, after: Conversation, changes: Changes
) -> None:
    """Commit what becomes of a conversation, and bring every card of it up to date."""
    if after != before:
        changes += Changes(replacements=[after]) + await balance(desk.store, before, after, unit.now)
    changes += Changes(inserts=[outbox.card_for(secretary, after, unit.now, fresh=False)])
    changes += await others_told(desk.store, after, secretary, unit)
    await unit.commit(changes, account_id=after.account_id, conversation_id=after.id)


async def _show(unit: Unit, secretary: Secretary, conversation: Conversation, payload: Payload) -> None:
    """Commit that something is to be shown, and nothing else."""
    shown = _notice(unit, secretary, conversation, payload)
    await unit.commit(shown, account_id=conversation.account_id, conversation_id=conversation.id)


Payload = CardNotice | QuestionNotice | HistoryNotice | ContactNotice


def _notice(unit: Unit, secretary: Secretary, conversation: Conversation, payload: Payload) -> Changes:
    shown = outbox.shown_to(secretary, payload, unit.now, about=conversation)
    return Changes(inserts=[shown])


async def open_menu(query: CallbackQuery, callback_data: Menu, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """The card with another set of buttons."""
    conversation = await get_served(desk.store, callback_data.conversation, secretary)
    whose = await _whose_card(query, unit, desk, secretary)
    card = CardNotice(secretary_id=whose.id, conversation_id=conversation.id, fresh=False, menu=callback_data.page[:10])
    await _show(unit, whose, conversation, card)


async def _whose_card(query: CallbackQuery, unit: Unit, desk: Desk, secretary: Secretary) -> Secretary:
    """Whose card she pressed: in a group it may be a colleague's, and only that one is there to open a menu under."""
    if query.message is None or query.message.chat.id == secretary.chat_id:
        return secretary
    key = message_key(unit.receipt.channel_id, query.message.chat.id, query.message.message_id)
    shown = await desk.store.find_by(SHOWN_BY_MESSAGE, key)
    return secretary if shown is None else await desk.store.get(Secretary, shown.secretary_id)


async def show_history(
    query: CallbackQuery, callback_data: History, unit: Unit, desk: Desk, secretary: Secretary
) -> None:
    """What happened to it, line by line."""
    conversation = await get_served(desk.store, callback_data.conversation, secretary)
    payload = HistoryNotice(secretary_id=secretary.id, conversation_id=conversation.id)
    await _show(unit, secretary, conversation, payload)


async def show_contact(
    query: CallbackQuery, callback_data: Person, unit: Unit, desk: Desk, secretary: Secretary
) -> None:
    """Who its contact is, by which addresses, and what else there was with them."""
    conversation = await get_served(desk.store, callback_data.conversation, secretary)
    await _show(
        unit, secretary, conversation, ContactNotice(secretary_id=secretary.id, conversation_id=conversation.id)
    )


async def bar(
    query: CallbackQuery, callback_data: Bar, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """What the contact writes from now on is kept, and rings nobody; or again it does."""
    conversation = await get_served(desk.store, callback_data.conversation, secretary)
    if conversation.assignee_id != secretary.id and not is_supervisor(secretary):
        raise NotAllowed
    before = await desk.store.get(Contact, conversation.contact_id)
    after = barred(before, unit.now, bar=callback_data.on)
    changes = Changes()
    if after != before:
        kind = "barred" if callback_data.on else "unbarred"
        changes = Changes(replacements=[after], inserts=[event(kind, conversation, unit.now, actor=secretary)])
    await _settle(unit, desk, secretary, conversation, conversation, changes)
    unit.say(voice.say("toast.barred" if callback_data.on else "toast.unbarred"))


# ---------------------------------------------------------------- questions


async def ask(query: CallbackQuery, callback_data: Ask, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """Ask for the words of a note, for tags or for a moment: whatever she replies to the question is the answer."""
    conversation = await get_served(desk.store, callback_data.conversation, secretary)
    if callback_data.purpose not in list(Purpose) or callback_data.purpose in _ASKED_ELSEWHERE:
        raise NotFound
    purpose = Purpose(callback_data.purpose)
    if purpose is Purpose.SNOOZE:
        require_holds(conversation, secretary)
    contact = await desk.store.get(Contact, conversation.contact_id)
    args = {
        "number": str(conversation.number),
        "tags": ", ".join(conversation.tags) or "–",
        "contact": contact.name,
        "note": contact.note or "–",
    }
    question = QuestionNotice(
        secretary_id=secretary.id,
        conversation_id=conversation.id,
        purpose=purpose,
        because=Because(key=f"ask.{purpose}", args=args),
    )
    await _show(unit, secretary, conversation, question)


async def answers_a_question(message: Message, unit: Unit, desk: Desk) -> dict[str, Any] | bool:
    """Whether a message replies to a question of ours, and to which."""
    if message.reply_to_message is None:
        return False
    key = message_key(unit.receipt.channel_id, message.chat.id, message.reply_to_message.message_id)
    shown = await desk.store.find_by(SHOWN_BY_MESSAGE, key)
    return {"question": shown} if shown is not None and shown.kind is ShownKind.QUESTION else False


async def answer(message: Message, unit: Unit, desk: Desk, secretary: Secretary, question: Shown) -> None:
    """What she was asked for."""
    if question.secretary_id != secretary.id:  # in a group others see it too
        raise InvalidTransition("error.asked_another")
    words = message.text or ""
    before = await get_served(desk.store, question.conversation_id or "", secretary)
    match question.purpose:
        case Purpose.NOTE:
            await _note(before, words, unit, desk, secretary)
        case Purpose.TAGS:
            after = tagged(before, secretary, "" if words.strip() in _NOTHING else words)
            marked = event("tagged", after, unit.now, actor=secretary, detail={"tags": ", ".join(after.tags)})
            await _settle(unit, desk, secretary, before, after, Changes(inserts=[marked]))
        case Purpose.MERGE:
            await ask_merge(words, before, unit, desk, secretary)
        case Purpose.JOIN:
            await ask_join(words, before, unit, desk, secretary)
        case Purpose.PROOF:
            await ask_proof(words, before, unit, desk, secretary)
        case Purpose.SCHEDULE if question.draft_id is not None:
            await answer_moment(words, question.draft_id, unit, desk, secretary)
        case Purpose.RETURN if question.draft_id is not None:
            await answer_return(words, question.draft_id, unit, desk, secretary)
        case Purpose.CONTACT_NAME | Purpose.CONTACT_NOTE:
            await _describe(before, words, unit, desk, secretary, question.purpose)
        case _:
            moment = read_moment(words, desk.local(unit.now))
            if moment is None:
                raise InvalidTransition("error.moment_unclear")
            await _put_off(before, moment, unit, desk, secretary)


async def _describe(
    conversation: Conversation, words: str, unit: Unit, desk: Desk, secretary: Secretary, purpose: Purpose
) -> None:
    """The contact by another name, or with another note."""
    before = await desk.store.get(Contact, conversation.contact_id)
    if purpose is Purpose.CONTACT_NAME:
        after, kind = renamed(before, words), "renamed"
    else:
        after, kind = annotated(before, "" if words.strip() in _NOTHING else words), "annotated"
    described = event(kind, conversation, unit.now, actor=secretary)
    changes = Changes(replacements=[after] if after != before else [], inserts=[described])
    await _settle(unit, desk, secretary, conversation, conversation, changes)


_ASKED_ELSEWHERE = (Purpose.SCHEDULE, Purpose.RETURN, Purpose.SEARCH)
_NOTHING = ("-", "–", "0")
"""What takes away what stood there."""


async def _note(before: Conversation, words: str, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    after, note = noted(before, secretary, words, unit.now)
    changes = Changes(
        inserts=[note, event("noted", after, unit.now, actor=secretary, detail={"message": note.id})],
        replacements=[after],
    )
    everyone = await desk.store.list(SECRETARIES, True, limit=MOST_COLLEAGUES)
    serving = [each for each in everyone if may_serve(each, after.account_id) and each.id != secretary.id]
    for colleague in mentioned(note.text, serving):
        because = Because(key="notice.mentioned", args={"name": secretary.name, "number": str(after.number)})
        changes += Changes(
            inserts=[
                outbox.sentence_for(colleague, because, unit.now),
                outbox.card_for(colleague, after, unit.now, fresh=True, quiet=True),
            ]
        )
    await _settle(unit, desk, secretary, after, after, changes)


# ---------------------------------------------------------------- later


async def put_off(
    query: CallbackQuery, callback_data: Later, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Until one of the usual moments."""
    moment = usual_moment(callback_data.until, desk.local(unit.now))
    before = await get_served(desk.store, callback_data.conversation, secretary)
    await _put_off(before, moment, unit, desk, secretary)
    unit.say(voice.say("toast.snoozed", when=voice.when(moment)))


async def _put_off(before: Conversation, moment: datetime, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    after = snoozed(before, secretary, moment, unit.now)
    off = event("snoozed", after, unit.now, actor=secretary, detail={"until": moment.isoformat()})
    await _settle(unit, desk, secretary, before, after, Changes(inserts=[off]))


async def wake(query: CallbackQuery, callback_data: Wake, unit: Unit, desk: Desk, secretary: Secretary) -> None:
    """Back before its moment."""
    before = await get_served(desk.store, callback_data.conversation, secretary)
    require_holds(before, secretary)
    if before.status is not Status.SNOOZED:
        raise InvalidTransition("error.not_snoozed")
    changes = await woken(desk.store, before, unit.now)
    after = changes.newest(before)
    await _settle(unit, desk, secretary, after, after, changes)


# ---------------------------------------------------------------- marks, hands


async def prioritise(
    query: CallbackQuery, callback_data: Prioritise, unit: Unit, desk: Desk, secretary: Secretary
) -> None:
    """How soon its turn comes."""
    before = await get_served(desk.store, callback_data.conversation, secretary)
    if before.status is Status.CLOSED:
        raise InvalidTransition("error.closed")
    if callback_data.level not in list(Priority):
        raise NotFound
    after = msgspec.structs.replace(before, priority=Priority(callback_data.level))
    marked = event("prioritised", after, unit.now, actor=secretary, detail={"level": after.priority.name.lower()})
    if after == before:
        changes = await raised_again(desk.store, after, unit.now)
    else:
        changes = Changes(inserts=[marked]) + await raised(desk.store, after, unit.now)
    await _settle(unit, desk, secretary, before, after, changes)


async def give(
    query: CallbackQuery, callback_data: Give, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """Into a colleague's hands; then a word for her is asked for, which may be left out."""
    before = await get_served(desk.store, callback_data.conversation, secretary)
    colleagues = receivers(await list_present(desk.store, before.account_id), before)
    if callback_data.check != check([c.secretary.id for c in colleagues]) or not (
        0 <= callback_data.position < len(colleagues)
    ):
        raise InvalidTransition("error.list_changed")
    receiver = colleagues[callback_data.position]
    after = handed_over(before, secretary, receiver, unit.now)
    number, other = str(after.number), receiver.secretary.name
    word = QuestionNotice(
        secretary_id=secretary.id,
        conversation_id=after.id,
        purpose=Purpose.NOTE,
        because=Because(key="ask.word", args={"number": number, "other": other}),
    )
    changes = Changes(
        inserts=[
            event("handed_over", after, unit.now, actor=secretary, detail={"other": other}),
            outbox.card_for(receiver.secretary, after, unit.now, fresh=True),
        ]
    )
    await _settle(unit, desk, secretary, before, after, changes + _notice(unit, secretary, after, word))
    unit.say(voice.say("toast.given", number=number, other=other))


async def reopen(
    query: CallbackQuery, callback_data: Reopen, unit: Unit, desk: Desk, secretary: Secretary, voice: Voice
) -> None:
    """A closed conversation is hers, if she is there."""
    before = await get_served(desk.store, callback_data.conversation, secretary)
    presence = await desk.store.get(Presence, secretary.id)
    account = desk.accounts.get(before.account_id)
    if account is None:
        raise NotFound
    after = reopened(before, secretary, presence, unit.now)
    after = msgspec.structs.replace(after, open_chat=await free_open_chat(desk, after, account))
    opened_again = event("reopened", after, unit.now, actor=secretary)
    await _settle(unit, desk, secretary, before, after, Changes(inserts=[opened_again]))
    unit.say(voice.say("toast.reopened", number=str(after.number)))
